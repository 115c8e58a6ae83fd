"""Metres that are not those of a model: bars joined or halved where that is the same music.

Two bars of 2/4 are one of 4/4 (marches, rags, reels), one of 6/4 is two of 3/4, one of 12/8 two of
6/8. The pulse stays; where a bar begins is the model's matter. Bars of such a piece are counted as
the model hears them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from musicvae_lite.media.midi import METRE, Score
from musicvae_lite.music.codec import ScoreCodec, score_codec
from musicvae_lite.music.codecs.grid import is_compound

#: Shipped models that ``-m auto`` chooses from, by what they read; the first that can use a file.
SHIPPED = ("mel-2bar", "waltz-2bar", "jig-2bar", "drums-2bar")


class Joined(NamedTuple):
    """A piece in the metre of a model, and in words what its bars were: ``2/4``."""

    score: Score
    metres: tuple[str, ...]


def in_metre(score: Score, codec: ScoreCodec) -> Joined | None:
    """Return a piece with bars joined or halved to those of a codec; None where none is.

    Only where its bars are half or twice as long and beats are of the same kind.
    """
    segments = score.metre_segments()
    bar = codec.numerator / codec.denominator
    compound = is_compound(codec.numerator)
    changed: dict[int, tuple[int, int]] = {}
    names = []
    for segment in segments:
        ratio = segment.numerator / segment.denominator / bar
        # 6/4 is two of 3/4, not of three beats each; 12/8 is two of 6/8; 6/8 is none of 3/8.
        same = is_compound(segment.numerator) == compound or (segment.numerator, ratio) == (6, 2)
        halves = ratio == 2 and segment.numerator % 2 == 0
        if same and (halves or (ratio == 0.5 and not compound)):
            changed[segment.start] = codec.numerator, codec.denominator
            names.append(f"{segment.numerator}/{segment.denominator}")
    if not changed:
        return None
    rows = [
        (segment.start, *changed.get(segment.start, (segment.numerator, segment.denominator)))
        for segment in segments
    ]
    return Joined(replace(score, metres=np.array(rows, METRE)), tuple(dict.fromkeys(names)))


def model_for(names: list[str], first: str = SHIPPED[0]) -> tuple[str, str]:
    """Return the shipped model that can use most of some MIDI files, and why it is not ``first``.

    Files that cannot be read count for none. The reason is "" for ``first``.
    """
    from musicvae_lite.core.errors import MusaeError
    from musicvae_lite.media.midi import read_midi

    scores = []
    for name in names:
        try:
            scores.append(read_midi(name))
        except MusaeError:
            continue  # the verb will say so
    counts = {model: sum(_usable(score, model) for score in scores) for model in (first,)}
    if not scores or counts[first]:
        return first, ""
    counts |= {model: sum(_usable(score, model) for score in scores) for model in SHIPPED}
    best = max(counts, key=lambda model: counts[model])
    if not counts[best]:
        return first, ""
    return best, f"{what_is(scores[0])}: {first} cannot use it, so {best} is used"


def takers(score: Score, but: str = "") -> list[str]:
    """Return the shipped models that can use a piece."""
    return [model for model in SHIPPED if model != but and _usable(score, model)]


def what_is(score: Score) -> str:
    """Say in a word or two what keeps a piece from a model: ``3/4``, or ``drums alone``."""
    if all(track.is_drum for track in score.tracks):
        return "drums alone"
    segments = score.metre_segments()
    longest = max(segments, key=lambda segment: segment.end - segment.start, default=None)
    return f"{longest.numerator}/{longest.denominator}" if longest else "nothing"


def _usable(score: Score, model: str) -> bool:
    """Say whether a shipped model finds a window in a piece."""
    from musicvae_lite.model_dir.handle import open_model

    codec = open_model(model).codec
    if not isinstance(codec, ScoreCodec):
        return False
    joined = in_metre(score, codec)
    piece = score if joined is None else joined.score
    if len(codec.encode(piece).windows):
        return True
    settings = codec.config()  # a track of any program will do, see windows.any_instrument
    if settings.get("programs") is None:
        return False
    return len(score_codec(settings | {"programs": None}).encode(piece).windows) > 0
