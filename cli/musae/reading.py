"""What verbs find out before torch is loaded: the codec of a model, and that its input can be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musicvae_lite.codecs import ScoreCodec
    from musicvae_lite.conditions import Conditions
    from musicvae_lite.passages import Passage


def codec_of(model: str) -> ScoreCodec:
    """Return the codec of a model.

    Raises:
        UsageError: no such model.
        MusaeError: the folder is foreign or damaged.
    """
    from musicvae_lite.bundle import describe
    from musicvae_lite.codecs import score_codec

    return score_codec(describe(model).config.codec.model_dump())


def conditions_of(model: str, chords: Sequence[str] = (), key: str | None = None) -> Conditions:
    """Return what a model can be told, after checking the chords and the key that a user gives.

    Raises:
        UsageError: no such model, a chord or key that is not known, or the model is not told of them.
        MusaeError: the folder is foreign or damaged.
    """
    from musicvae_lite.bundle import describe
    from musicvae_lite.conditions import Conditions

    conditions = Conditions.of_model(describe(model).config, codec_of(model), model)
    conditions.progressions(chords or None)
    conditions.key(key)
    return conditions


def place(passage: Passage, bars: int) -> str:
    """Say where a window of ``bars`` bars is: ``track 1 (Melody), bars 5-6``."""
    first = int(passage.bars[0])
    where = f"bar {first}" if bars == 1 else f"bars {first}-{first + bars - 1}"
    return f"{passage.place}, {where}"


def counted(number: int, noun: str) -> str:
    """Write ``1 window``, ``2 windows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(fraction: float) -> str:
    """Write a fraction as a percentage without rounding up to 100."""
    return f"{int(fraction * 1000) / 10:g} %"
