"""musae: autoencoders for music, images and sound.

The public names below are resolved on first use, so that importing this package imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musicvae_lite.core.latent import Latent, interpolate
    from musicvae_lite.magenta import import_magenta
    from musicvae_lite.media.midi import Score, read_midi, write_midi
    from musicvae_lite.music.data.prepare import prepare_corpus as prepare
    from musicvae_lite.music.evaluate.scoring import evaluate
    from musicvae_lite.music.session import Session, load
    from musicvae_lite.training.train import train

__version__ = "0.1.0"

__all__ = [
    "Latent",
    "Score",
    "Session",
    "__version__",
    "evaluate",
    "import_magenta",
    "interpolate",
    "load",
    "prepare",
    "read_midi",
    "train",
    "write_midi",
]

_PLACES = {
    "Latent": ("core.latent", "Latent"),
    "Score": ("media.midi", "Score"),
    "Session": ("music.session", "Session"),
    "evaluate": ("music.evaluate.scoring", "evaluate"),
    "import_magenta": ("magenta", "import_magenta"),
    "interpolate": ("core.latent", "interpolate"),
    "load": ("music.session", "load"),
    "prepare": ("music.data.prepare", "prepare_corpus"),
    "read_midi": ("media.midi", "read_midi"),
    "train": ("training.train", "train"),
    "write_midi": ("media.midi", "write_midi"),
}


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
