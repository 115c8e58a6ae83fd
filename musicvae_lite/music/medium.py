"""Music as a medium: models of sequences of events, on scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from musicvae_lite.core.medium import CardText, Words, misfit

if TYPE_CHECKING:
    from musicvae_lite.config import RunConfig
    from musicvae_lite.core.autoencoder import Autoencoder
    from musicvae_lite.core.codec import Codec
    from musicvae_lite.core.evaluation import EvalRequest, Evaluation
    from musicvae_lite.model_dir.bundle import Bundle, Description
    from musicvae_lite.model_dir.handle import Handle
    from musicvae_lite.model_dir.onnx import Export
    from musicvae_lite.music.codec import ScoreCodec
    from musicvae_lite.music.data.dataset import MusicDataset
    from musicvae_lite.music.session import MusicSession
    from musicvae_lite.nn.event_time import Clock


class Music:
    """MIDI files in, MIDI files out; see :class:`musicvae_lite.core.medium.Medium`."""

    name = "music"
    words = Words("music", "windows", "a window", "mel-2bar")
    suffixes = (".mid", ".midi", ".kar")

    def model(self, config: RunConfig, codec: Codec) -> Autoencoder:
        """Build a MusicVAE."""
        from musicvae_lite.music.codec import ScoreCodec
        from musicvae_lite.music.model import build

        if config.model.kind != "sequence" or not isinstance(codec, ScoreCodec):
            raise misfit(config, codec)
        clock = _clock(config, codec)
        return build(
            config.model, codec.sizes, codec.steps, codec.table, codec.end, codec.pitches, clock
        )

    def dataset(
        self, config: RunConfig, sources: Sequence[str | Path], tell: Callable[[str], None]
    ) -> MusicDataset:
        """Open prepared corpora."""
        from musicvae_lite.music.data.dataset import MusicDataset

        return MusicDataset.open(config, sources)

    def evaluate(self, handle: Handle, request: EvalRequest) -> Evaluation:
        """Measure on windows of prepared corpora."""
        from musicvae_lite.music.evaluate.scoring import evaluate_music

        return evaluate_music(handle, request)

    def session(self, bundle: Bundle, name: str, seed: int) -> MusicSession:
        """Return a model ready for use."""
        from musicvae_lite.music.session import MusicSession

        return MusicSession(bundle, name, seed)

    def sooner(self, description: Description, codec: Codec, windows: int) -> bool:
        """Say whether so many windows are likely computed before torch is loaded."""
        from musicvae_lite.music.portable.light import sooner

        return sooner(description, codec, windows)

    def light(self, description: Description, codec: Codec, name: str, seed: int) -> MusicSession:
        """Return a session that needs no torch."""
        from musicvae_lite.music.portable.light import open_light

        return open_light(description, codec, name, seed)

    def onnx(self, bundle: Bundle) -> Export:
        """Return the graphs of a model: encoder, and decoder step by step."""
        from musicvae_lite.music.portable.export import export

        return export(bundle)

    def card(self, config: RunConfig) -> CardText:
        """Return what a card says of a model of music."""
        from musicvae_lite.music.card import card_text

        return card_text(config)


def _clock(config: RunConfig, codec: ScoreCodec) -> Clock | None:
    """Build what conditions events on the chord and the key of their time.

    None where each step of a window has its own.
    """
    from musicvae_lite.music.chords import CHORDS
    from musicvae_lite.nn.event_time import Clock

    if not config.control.size or codec.shifts is None:
        return None
    return Clock(codec.shifts, codec.segment, CHORDS * config.control.chords)


MUSIC = Music()
