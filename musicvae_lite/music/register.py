"""Tunes lower or higher than a model knows: moved by octaves for it, and back in what it makes.

How well mel-2bar gives a tune back depends on how high it lies: 93 to 97 % of the notes are right
while their median is MIDI 61 to 85, 83 % at 49, 56 % at 37 and 7 % at 28. Another model may know
basses alone. So a tune out of the usual range is moved only if the model gives it back better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.results import agreement
from musicvae_lite.music.windows import Passage

_USUAL = (50, 90)  # medians of pitches that need no second look
_HOME = (57, 80)  # where a tune is moved to
_TRIED = 8  # windows
_BETTER = 0.05  # of the notes

Hear = Callable[[Passage], NDArray[Any]]


def at_home(passage: Passage, codec: ScoreCodec, hear: Hear) -> Passage:
    """Return a passage with its windows moved to where a model knows them, and ``octaves`` set.

    Args:
        passage: as it is.
        codec: of the windows.
        hear: returns what the model makes of the windows of a passage.
    """
    octaves = _octaves(passage, codec)
    if not octaves:
        return passage
    some = np.linspace(0, len(passage.windows) - 1, min(_TRIED, len(passage.windows))).astype(int)
    columns = {name: getattr(passage, name)[some] for name in ("windows", "bars", "ticks")}
    few = replace(passage, **columns)
    there = _moved(few, codec, octaves)
    right = [agreement(codec, hear(own), own.windows)[1] for own in (few, there)]
    return _moved(passage, codec, octaves) if right[1] > right[0] + _BETTER else passage


def back(windows: NDArray[Any], codec: ScoreCodec, octaves: NDArray[Any] | int) -> NDArray[Any]:
    """Return windows [N, T] moved back by the octaves [N] that they were moved up.

    What would leave the range of the codec goes as far as it can, in octaves.
    """
    if not np.any(octaves):
        return windows
    low, high = (limit.astype(np.int64) for limit in codec.transposition_limits(windows))
    wanted = np.broadcast_to(-12 * np.asarray(octaves), len(windows))
    least, most = -(-low // 12) * 12, high // 12 * 12
    return codec.transpose(windows, np.clip(wanted, least, most))


def _octaves(passage: Passage, codec: ScoreCodec) -> int:
    """Return how many octaves up a tune may have to go; 0 for what lies in the usual range."""
    notes = passage.score.notes
    voices = codec.pitches
    if not len(passage.windows) or voices[0] is None or codec.whole or not passage.voices:
        return 0
    own = notes["pitch"][np.isin(notes["track"], passage.voices[0])]
    if len(voices) > 1 or not len(own):  # a trio's bass keeps its place under the melody
        return 0
    median = float(np.median(own))
    low, high = _USUAL
    if low <= median <= high:
        return 0
    up = -int(-(_HOME[0] - median) // 12) if median < low else -int(-(median - _HOME[1]) // 12)
    octaves = up if median < low else -up
    least, most = (limit.astype(np.int64) for limit in codec.transposition_limits(passage.windows))
    while octaves and not (least.max() <= 12 * octaves <= most.min()):
        octaves -= np.sign(octaves)
    return int(octaves)


def _moved(passage: Passage, codec: ScoreCodec, octaves: int) -> Passage:
    shift = np.full(len(passage.windows), 12 * octaves)
    return replace(passage, windows=codec.transpose(passage.windows, shift), octaves=octaves)
