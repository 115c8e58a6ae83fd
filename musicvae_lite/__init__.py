"""musae: autoencoders for music, images and sound.

The public names below are resolved on first use, so that importing this package imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musicvae_lite.audio.denoise.session import DenoiseSession
    from musicvae_lite.audio.timbre.session import TimbreSession
    from musicvae_lite.config import RunConfig, load_config
    from musicvae_lite.core.autoencoder import Autoencoder, Batch, Encoding
    from musicvae_lite.core.codec import Codec, build_codec
    from musicvae_lite.core.dataset import Dataset
    from musicvae_lite.core.latent import Latent, Posterior, interpolate
    from musicvae_lite.core.medium import Medium, build_model, open_dataset
    from musicvae_lite.core.objective import Objective, Schedule
    from musicvae_lite.core.prior import NormalPrior, Prior
    from musicvae_lite.core.random import Noise
    from musicvae_lite.core.session import Session
    from musicvae_lite.evaluation import evaluate
    from musicvae_lite.images.session import ImageSession
    from musicvae_lite.magenta import import_magenta
    from musicvae_lite.media.audio import Audio, read_audio, write_audio
    from musicvae_lite.media.midi import Score, read_midi, write_midi
    from musicvae_lite.model_dir.bundle import save_bundle as save_model
    from musicvae_lite.model_dir.handle import load, load_as, open_model
    from musicvae_lite.music.codec import ScoreCodec
    from musicvae_lite.music.codecs.melody import MelodyCodec
    from musicvae_lite.music.data.prepare import prepare_corpus as prepare
    from musicvae_lite.music.session import MusicSession
    from musicvae_lite.training.train import train

__version__ = "0.1.0"

#: Public name: module under this package, and the name there.
_PLACES = {
    "Audio": ("media.audio", "Audio"),
    "Autoencoder": ("core.autoencoder", "Autoencoder"),
    "Batch": ("core.autoencoder", "Batch"),
    "Codec": ("core.codec", "Codec"),
    "Dataset": ("core.dataset", "Dataset"),
    "DenoiseSession": ("audio.denoise.session", "DenoiseSession"),
    "Encoding": ("core.autoencoder", "Encoding"),
    "ImageSession": ("images.session", "ImageSession"),
    "Latent": ("core.latent", "Latent"),
    "Medium": ("core.medium", "Medium"),
    "MelodyCodec": ("music.codecs.melody", "MelodyCodec"),
    "MusicSession": ("music.session", "MusicSession"),
    "Noise": ("core.random", "Noise"),
    "NormalPrior": ("core.prior", "NormalPrior"),
    "Objective": ("core.objective", "Objective"),
    "Posterior": ("core.latent", "Posterior"),
    "Prior": ("core.prior", "Prior"),
    "RunConfig": ("config", "RunConfig"),
    "Schedule": ("core.objective", "Schedule"),
    "Score": ("media.midi", "Score"),
    "ScoreCodec": ("music.codec", "ScoreCodec"),
    "Session": ("core.session", "Session"),
    "TimbreSession": ("audio.timbre.session", "TimbreSession"),
    "build_codec": ("core.codec", "build_codec"),
    "build_model": ("core.medium", "build_model"),
    "evaluate": ("evaluation", "evaluate"),
    "import_magenta": ("magenta", "import_magenta"),
    "interpolate": ("core.latent", "interpolate"),
    "load": ("model_dir.handle", "load"),
    "load_as": ("model_dir.handle", "load_as"),
    "load_config": ("config", "load_config"),
    "open_dataset": ("core.medium", "open_dataset"),
    "open_model": ("model_dir.handle", "open_model"),
    "prepare": ("music.data.prepare", "prepare_corpus"),
    "read_audio": ("media.audio", "read_audio"),
    "read_midi": ("media.midi", "read_midi"),
    "save_model": ("model_dir.bundle", "save_bundle"),
    "train": ("training.train", "train"),
    "write_audio": ("media.audio", "write_audio"),
    "write_midi": ("media.midi", "write_midi"),
}

__all__ = [
    "Audio",
    "Autoencoder",
    "Batch",
    "Codec",
    "Dataset",
    "DenoiseSession",
    "Encoding",
    "ImageSession",
    "Latent",
    "Medium",
    "MelodyCodec",
    "MusicSession",
    "Noise",
    "NormalPrior",
    "Objective",
    "Posterior",
    "Prior",
    "RunConfig",
    "Schedule",
    "Score",
    "ScoreCodec",
    "Session",
    "TimbreSession",
    "__version__",
    "build_codec",
    "build_model",
    "evaluate",
    "import_magenta",
    "interpolate",
    "load",
    "load_as",
    "load_config",
    "open_dataset",
    "open_model",
    "prepare",
    "read_audio",
    "read_midi",
    "save_model",
    "train",
    "write_audio",
    "write_midi",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    value = getattr(import_module(f"{__name__}.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
