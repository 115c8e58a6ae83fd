"""Recordings as a medium: denoisers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from musicvae_lite.core.medium import CardText, Words, misfit

if TYPE_CHECKING:
    from musicvae_lite.audio.denoise.dataset import DenoiseDataset
    from musicvae_lite.audio.denoise.session import DenoiseSession
    from musicvae_lite.config import RunConfig
    from musicvae_lite.core.autoencoder import Autoencoder
    from musicvae_lite.core.codec import Codec
    from musicvae_lite.core.evaluation import EvalRequest, Evaluation
    from musicvae_lite.model_dir.bundle import Bundle
    from musicvae_lite.model_dir.handle import Handle
    from musicvae_lite.model_dir.onnx import Export


class Denoise:
    """Noisy recordings in, clean ones out. See :class:`musicvae_lite.core.medium.Medium`."""

    name = "denoise"
    words = Words("sound", "clips", "a clip", "denoise-small")
    suffixes = (
        ".wav",
        ".flac",
        ".ogg",
        ".oga",
        ".aif",
        ".aiff",
        ".w64",
        ".caf",
        ".mp3",
        ".m4a",
        ".aac",
        ".wma",
        ".webm",
    )

    def model(self, config: RunConfig, codec: Codec) -> Autoencoder:
        """Build a denoiser of spectrograms."""
        from musicvae_lite.audio.codec import SoundCodec
        from musicvae_lite.audio.denoise.model import build

        if config.model.kind != "spectrogram" or not isinstance(codec, SoundCodec):
            raise misfit(config, codec)
        return build(config.model, codec.rate)

    def dataset(
        self, config: RunConfig, sources: Sequence[str | Path], tell: Callable[[str], None]
    ) -> DenoiseDataset:
        """Open clean recordings or MIDI files, and noises to mix them with."""
        from musicvae_lite.audio.denoise.dataset import DenoiseDataset

        tell(
            "reading the sounds; new ones are converted first, MIDI files played, a second or so "
            "for each"
        )
        return DenoiseDataset.open(config, sources)

    def evaluate(self, handle: Handle, request: EvalRequest) -> Evaluation:
        """Measure on pairs of recordings, or on mixtures."""
        from musicvae_lite.audio.denoise.scoring import evaluate_denoiser

        return evaluate_denoiser(handle, request)

    def session(self, bundle: Bundle, name: str, seed: int) -> DenoiseSession:
        """Return a model ready for use."""
        from musicvae_lite.audio.denoise.session import DenoiseSession

        return DenoiseSession(bundle, name, seed)

    def onnx(self, bundle: Bundle) -> Export:
        """Return the graphs of a denoiser: features of a spectrum, and the mask that they give."""
        from musicvae_lite.audio.denoise.export import export

        return export(bundle)

    def card(self, config: RunConfig) -> CardText:
        """Return what a card says of a denoiser."""
        from musicvae_lite.audio.denoise.card import card_text

        return card_text(config)


DENOISE = Denoise()
