"""Bars and beats that a user names: ``5-8``, ``5,7-8``, ``5.3-6.1``. No torch.

Letters in shapes: T steps, K voices.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.longform.line import Line

_BARS = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
_BEATS = re.compile(r"(\d{1,6})\.(\d{1,2})(?:-(\d{1,6})\.(\d{1,2}))?")


def read_bars(text: str) -> list[tuple[int, int]]:
    """Read ``5-8`` or ``5,7-8``: first and last bar of each stretch, 1-based.

    Raises:
        UsageError: it is no such thing.
    """
    found = []
    for part in text.split(","):
        match = _BARS.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise UsageError(f"bars {text!r} are not known; write 5-8, or 5,7-8")
        found.append((first, last))
    return found


def read_beats(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Read ``5.3-6.1``: bar and beat of the first and of the last beat, 1-based.

    Raises:
        UsageError: it is no such thing.
    """
    match = _BEATS.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"beats {text!r} are not known; write BAR.BEAT-BAR.BEAT, such as 5.3-6.1")
    first = int(match[1]), int(match[2])
    last = (int(match[3]), int(match[4])) if match[3] else first
    if min(first + last) < 1 or last < first:
        raise UsageError(f"beats {text!r}: bars and beats count from 1, the earlier one first")
    return first, last


def to_fill(
    line: Line, bars: str, keep: tuple[str, ...] = (), voice: str | None = None
) -> NDArray[np.bool_]:
    """Say which steps of a line are to be written anew [T, K].

    Args:
        line: the piece.
        bars: such as ``5-8``, bars of the piece.
        keep: beats among them that stay, such as ``5.3-6.1``.
        voice: the one voice that is written; default all.

    Raises:
        UsageError: bars or beats that are not there, no such voice, or nothing left.
    """
    codec, source = line.codec, line.score.source
    gone, bar = np.zeros(line.tokens.shape, bool), codec.steps_per_bar
    rows = _voices(codec, voice, source)
    first_there, last_there = line.first_bar + 1, line.first_bar + line.bars
    for first, last in read_bars(bars):
        if first < first_there or last > last_there:
            raise UsageError(
                f"{source}: --bars {bars}: has bars {first_there} to {last_there} of "
                f"{codec.numerator}/{codec.denominator} here; 'musae continue' adds bars"
            )
        start, end = (first - first_there) * bar, (last + 1 - first_there) * bar
        gone[start:end, rows] = True
    for text in keep:
        start, end = _steps(line, text)
        gone[max(0, start) : end] = False
    if not gone.any():
        raise UsageError(f"--keep {' --keep '.join(keep)}: keeps all of --bars {bars}")
    return gone


def _steps(line: Line, text: str) -> tuple[int, int]:
    """Return the steps of beats that a user names."""
    codec, ends = line.codec, read_beats(text)
    per_beat = codec.steps_per_bar // codec.numerator
    places = []
    for number, beat in ends:
        if beat > codec.numerator:
            raise UsageError(f"--keep {text}: a bar has {codec.numerator} beats here, not {beat}")
        places.append((number - 1 - line.first_bar) * codec.steps_per_bar + (beat - 1) * per_beat)
    start, last = places
    if start < 0 or last >= len(line.tokens):
        raise UsageError(f"--keep {text}: there are bars {line.first_bar + 1} to "
                         f"{line.first_bar + line.bars}")  # fmt: skip
    return start, last + per_beat


def _voices(codec: ScoreCodec, voice: str | None, source: str) -> slice | int:
    """Return the column of a voice, or all."""
    if voice is None:
        return slice(None)
    if voice not in codec.roles:
        there = ", ".join(codec.roles)
        raise UsageError(f"{source}: no voice {voice!r}; the model hears {there}")
    return codec.roles.index(voice)
