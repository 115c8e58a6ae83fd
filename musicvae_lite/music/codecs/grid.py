"""The grid of steps over a score, and the book-keeping of what is left out.

Codecs of notes share both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import Score
from musicvae_lite.music.codec import Drop, ScoreCodec

Ints = NDArray[np.int64]


class Grid:
    """The bars of a score: its metre segments, which of them fit, and each note's segment.

    Args:
        score: the piece.
        steps_per_quarter: steps of a quarter note.
        steps_per_bar: steps of a bar; segments of another length do not fit.
        compound: whether the metre is compound (:func:`is_compound`); the other kind does not fit.
        nearest: a note's segment is that of the step it is nearest to, which may begin after the
            note.
    """

    def __init__(
        self,
        score: Score,
        steps_per_quarter: int,
        steps_per_bar: int,
        compound: bool = False,
        nearest: bool = False,
    ) -> None:
        self.ticks_per_quarter, self.steps_per_quarter = score.ticks_per_quarter, steps_per_quarter
        self.segments = score.metre_segments()
        # A bar is 4 * numerator / denominator quarters; all of this stays in whole numbers.
        length = [
            s.numerator * 4 * steps_per_quarter == steps_per_bar * s.denominator
            for s in self.segments
        ]
        same = [is_compound(s.numerator) == compound for s in self.segments]
        self.fits = [long and beats for long, beats in zip(length, same, strict=True)]
        self.start = np.array([s.start for s in self.segments], np.int64)
        self.end = np.array([s.end for s in self.segments], np.int64)
        self.bar_ticks = np.array(
            [4 * score.ticks_per_quarter * s.numerator for s in self.segments], np.int64
        )
        self.denominator = np.array([s.denominator for s in self.segments], np.int64)
        bars = -(-(self.end - self.start) * self.denominator // np.maximum(self.bar_ticks, 1))
        self.first_bar = np.cumsum(bars) - bars
        starts, late = score.notes["start"], score.ticks_per_quarter if nearest else 0
        double = 2 * steps_per_quarter  # half a step is a whole number of parts of a tick
        if len(self.segments) > 1:
            self.segment = (
                np.searchsorted(self.start * double, starts * double + late, side="right") - 1
            )
        else:
            self.segment = np.zeros(len(starts), np.int64)

    @classmethod
    def of(cls, score: Score, codec: ScoreCodec) -> Grid:
        """Return the grid of a score for a codec."""
        return cls(
            score,
            codec.steps_per_quarter,
            codec.steps_per_bar,
            is_compound(codec.numerator),
            codec.nearest,
        )

    def steps(self, start: NDArray[Any], end: NDArray[Any], segment: Ints) -> tuple[Ints, Ints]:
        """Round ticks to the nearest step of their segment, halves up.

        Notes end with it, and last at least a step.
        """
        begin, double = self.start[segment], 2 * self.steps_per_quarter
        tpq = self.ticks_per_quarter
        onset = ((start - begin) * double + tpq) // (2 * tpq)
        off = ((np.minimum(end, self.end[segment]) - begin) * double + tpq) // (2 * tpq)
        return onset, np.maximum(off, onset + 1)

    def bars_of(self, ticks: NDArray[Any], segment: Ints) -> Ints:
        """Return the bar of the piece in which each tick lies."""
        inside = (
            (ticks - self.start[segment]) * self.denominator[segment] // self.bar_ticks[segment]
        )
        return np.asarray(self.first_bar[segment] + inside, np.int64)


def is_compound(numerator: int) -> bool:
    """Say whether beats fall into thirds: a bar of 6/8 is as long as one of 3/4, but it is another
    metre.
    """
    return numerator > 3 and numerator % 3 == 0


class Refused:
    """Why notes are not used: the first reason that a note is marked with stays."""

    def __init__(self, score: Score, grid: Grid) -> None:
        self.notes, self.grid = score.notes, grid
        self.code = np.zeros(len(score.notes), np.int64)
        self.reasons: list[str] = [""]

    def mark(self, where: NDArray[Any], reason: str) -> None:
        """Give the notes at ``where`` (a mask over all notes, or indices) a reason, if they have
        none.
        """
        where = np.flatnonzero(where) if where.dtype == bool else where
        where = where[self.code[where] == 0]
        if len(where):
            if reason not in self.reasons:
                self.reasons.append(reason)
            self.code[where] = self.reasons.index(reason)

    def mark_tracks(self, flags: list[bool], reason: str) -> None:
        """Mark all notes of the tracks whose flag is set."""
        if any(flags):
            self.mark(np.array(flags)[self.notes["track"]], reason)

    def mark_metres(self, numerator: int, denominator: int) -> None:
        """Mark all notes in a metre that does not fit the grid; the codec's own is named."""
        for index, segment in enumerate(self.grid.segments):
            if not self.grid.fits[index]:
                metre = f"{segment.numerator}/{segment.denominator}"
                self.mark(
                    self.grid.segment == index,
                    f"metre {metre} (the model needs {numerator}/{denominator})",
                )

    def drops(self) -> list[Drop]:
        """Count by track and reason."""
        marked = np.flatnonzero(self.code)
        if not len(marked):
            return []
        notes, kinds = self.notes[marked], len(self.reasons)
        key = notes["track"].astype(np.int64) * kinds + self.code[marked]
        order = np.argsort(key, kind="stable")
        bars = self.grid.bars_of(notes["start"], self.grid.segment[marked])[order]
        key = key[order]
        first = np.flatnonzero(np.diff(key, prepend=-1))
        count = np.diff(np.append(first, len(key))).tolist()
        low, high = (
            np.minimum.reduceat(bars, first).tolist(),
            np.maximum.reduceat(bars, first).tolist(),
        )
        rows = zip(key[first].tolist(), count, low, high, strict=True)
        return [Drop(k // kinds, self.reasons[k % kinds], n, a, b) for k, n, a, b in rows]
