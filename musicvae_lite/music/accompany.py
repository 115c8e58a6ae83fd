"""Chords that can be heard: a track that plays the chord markers of a score.

Patterns:

* ``block``: the whole chord, struck anew at each bar;
* ``arpeggio``: its notes one after another, up and down, in halves of a beat;
* ``stride``: the root low on the first beat (and on every other), the chord above on those between.

Chords are triads in close position that move as little as they can from one to the next.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError, suggest
from musicvae_lite.media.midi import NOTE, Score, Track
from musicvae_lite.music.chords import NO_CHORD, TRIADS, chord_class
from musicvae_lite.music.codecs.grid import is_compound

PATTERNS = ("block", "arpeggio", "stride")
NAME = "chords"
_LOW = 36  # the lowest bass note
_MIDDLE = 57  # chords lie about here: A below middle C
_UP_AND_DOWN = (0, 1, 2, 1)


class _Bar(NamedTuple):
    """A bar, or what is left of it, under one chord: ticks, and ticks of a beat."""

    start: int
    end: int
    beat: int


def accompanied(
    score: Score, pattern: str = "block", program: int = 0, velocity: int = 60
) -> Score:
    """Return a score with one more track, which plays the chords that its markers name.

    Args:
        score: the piece; as it is where no marker names a chord.
        pattern: one of :data:`PATTERNS`.
        program: General MIDI program of the new track.
        velocity: of its notes, 1 to 127.

    Raises:
        UsageError: there is no such pattern.
    """
    if pattern not in PATTERNS:
        raise UsageError(f"pattern {pattern!r} is not known; {suggest(pattern, PATTERNS)}")
    rows: list[tuple[int, int, int, int, int]] = []
    voicing: tuple[int, ...] = ()
    number = len(score.tracks)
    for start, end, chord in _chords(score):
        if chord == NO_CHORD:
            continue
        voicing = _nearest(chord, voicing)
        bass = _LOW + ((chord - 1) % 12 - _LOW) % 12
        for bar in _bars(score, start, end):
            played = _played(pattern, bar, bass, voicing)
            rows += [(begin, stop, pitch, velocity, number) for begin, stop, pitch in played]
    if not rows:
        return score
    notes = np.concatenate([score.notes, np.array(rows, NOTE)]).astype(NOTE)
    return replace(score, notes=notes, tracks=(*score.tracks, Track(NAME, program)))


def _chords(score: Score) -> list[tuple[int, int, int]]:
    """Return start, end and class of each chord that a marker names."""
    marks = [
        (text.tick, chord)
        for text in score.texts
        if text.kind == "marker" and (chord := chord_class(text.text)) is not None
    ]
    if not marks or not len(score.notes):
        return []
    last = int(score.notes["end"].max())
    edges = [tick for tick, _ in marks] + [_bar_line(score, last)]
    return [
        (start, end, chord)
        for (start, end), (_, chord) in zip(pairwise(edges), marks, strict=True)
        if end > start
    ]


def _bar_line(score: Score, tick: int) -> int:
    """Return the first bar line that is not before a tick."""
    segment = [part for part in score.metre_segments() if part.start <= tick][-1]
    bar = _bar_ticks(score, segment.numerator, segment.denominator)
    return segment.start - (segment.start - tick) // bar * bar


def _bar_ticks(score: Score, numerator: int, denominator: int) -> int:
    return max(1, 4 * score.ticks_per_quarter * numerator // denominator)


def _bars(score: Score, start: int, end: int) -> list[_Bar]:
    """Return the bars between two ticks, cut off there."""
    bars, segments = [], score.metre_segments()
    for number, part in enumerate(segments, start=1):
        length = _bar_ticks(score, part.numerator, part.denominator)
        beat = max(1, 4 * score.ticks_per_quarter // part.denominator)
        beat *= 3 if is_compound(part.numerator) else 1
        stop = max(part.end, end) if number == len(segments) else part.end
        first = part.start + max(0, start - part.start) // length * length
        for line in range(first, min(stop, end), length):
            begin, until = max(line, start), min(line + length, end, stop)
            if until > begin:
                bars.append(_Bar(begin, until, beat))
    return bars


def _nearest(chord: int, before: tuple[int, ...]) -> tuple[int, ...]:
    """Return the position of a triad that moves least from the chord before it."""
    quality, root = divmod(chord - 1, 12)
    lowest = _MIDDLE - 6
    closed = sorted(lowest + (root + degree - lowest) % 12 for degree in TRIADS[quality])
    turned = [tuple(closed), (*closed[1:], closed[0] + 12), (closed[2] - 12, *closed[:2])]
    goal: NDArray[np.float64] = np.array(before or (_MIDDLE - 4, _MIDDLE, _MIDDLE + 4), float)
    return min(turned, key=lambda place: (float(np.abs(np.array(place) - goal).sum()), place))


def _played(
    pattern: str, bar: _Bar, bass: int, voicing: tuple[int, ...]
) -> list[tuple[int, int, int]]:
    """Return start, end and pitch of the notes of a bar."""
    if pattern == "block":
        return [(bar.start, bar.end, pitch) for pitch in (bass, *voicing)]
    step = bar.beat if pattern == "stride" else max(1, bar.beat // 2)
    notes = []
    for place, begin in enumerate(range(bar.start, bar.end, step)):
        until = min(begin + step, bar.end)
        if pattern == "arpeggio":
            notes.append((begin, until, voicing[_UP_AND_DOWN[place % 4]]))
        else:
            struck = (bass,) if place % 2 == 0 else voicing
            notes += [(begin, until, pitch) for pitch in struck]
    return notes
