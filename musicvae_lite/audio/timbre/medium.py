"""Timbre as a medium: variational autoencoders of short sounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from musicvae_lite.core.medium import CardText, Words, misfit

if TYPE_CHECKING:
    from musicvae_lite.audio.timbre.dataset import TimbreDataset
    from musicvae_lite.audio.timbre.session import TimbreSession
    from musicvae_lite.config import RunConfig
    from musicvae_lite.core.autoencoder import Autoencoder
    from musicvae_lite.core.codec import Codec
    from musicvae_lite.core.evaluation import EvalRequest, Evaluation
    from musicvae_lite.model_dir.bundle import Bundle
    from musicvae_lite.model_dir.handle import Handle


class Timbre:
    """Sounds in, sounds out. See :class:`musicvae_lite.core.medium.Medium`."""

    name = "timbre"
    words = Words("sound", "clips", "a clip", "timbre")
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
    )

    def model(self, config: RunConfig, codec: Codec) -> Autoencoder:
        """Build a model of timbre."""
        from musicvae_lite.audio.codec import SoundCodec
        from musicvae_lite.audio.timbre.model import build

        if config.model.kind != "timbre" or not isinstance(codec, SoundCodec):
            raise misfit(config, codec)
        return build(config.model, codec.rate, codec.samples)

    def dataset(
        self, config: RunConfig, sources: Sequence[str | Path], tell: Callable[[str], None]
    ) -> TimbreDataset:
        """Open sounds."""
        from musicvae_lite.audio.timbre.dataset import TimbreDataset

        tell(
            "reading the sounds; new ones are converted first, MIDI files played, a second or so "
            "for each"
        )
        return TimbreDataset.open(config, sources)

    def evaluate(self, handle: Handle, request: EvalRequest) -> Evaluation:
        """Measure on clips of sounds."""
        from musicvae_lite.audio.timbre.scoring import evaluate_timbre

        return evaluate_timbre(handle, request)

    def session(self, bundle: Bundle, name: str, seed: int) -> TimbreSession:
        """Return a model ready for use."""
        from musicvae_lite.audio.timbre.session import TimbreSession

        return TimbreSession(bundle, name, seed)

    def card(self, config: RunConfig) -> CardText:
        """Return what a card says of a model of timbre."""
        from musicvae_lite.audio.timbre.card import card_text

        return card_text(config)


TIMBRE = Timbre()
