"""The notes of a score bar by bar and track by track, each bar cut off from its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import Score
from musicvae_lite.music.codec import ORIGIN
from musicvae_lite.music.codecs.grid import Grid, Ints, Refused

#: A note in its bar: row among the notes of the score, metre segment and bar in it, number of the
#: bar among those with notes, track, pitch, and the steps of the bar at which it starts and ends.
PLACED = np.dtype(
    [
        (name, "<i8")
        for name in ("row", "segment", "bar", "window", "track", "pitch", "start", "end")
    ],
)
DRUMS = 128  # stands for the program of drums: they come last


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars with notes, the tracks that play in each (a group is a track of a bar), and their notes.

    Attributes:
        notes: array of :data:`PLACED`, in order of bar, track, pitch and start [n].
        group: which group each note is of [n].
        window: bar of each group [G], ascending.
        track: track of each group [G].
        program: its program, :data:`DRUMS` for drums [G].
        slot: its place among the groups of its bar, by program, then track [G].
        origin: where the bars are, array of ORIGIN [W].
    """

    notes: NDArray[np.void]
    group: Ints
    window: Ints
    track: Ints
    program: Ints
    slot: Ints
    origin: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.origin)


def by_bar(
    score: Score, grid: Grid, refused: Refused, steps_per_bar: int, tracks: Sequence[int] | None
) -> Bars:
    """Put every note that is not refused (and of ``tracks``, if given) into its bar, and mark those
    that have no place there.

    A note ends at the bar line, or where its pitch is struck again; of equal notes at one step the
    longest stays.
    """
    notes = _placed(score, grid, refused, steps_per_bar, tracks)
    same = np.zeros(len(notes), bool)
    same[1:] = np.logical_and.reduce(
        [np.diff(notes[name]) == 0 for name in ("window", "track", "pitch")]
    )
    again = same.copy()
    again[1:] &= np.diff(notes["start"]) == 0
    refused.mark(notes["row"][again], "the same note at the same step")
    notes, same = notes[~again], same[~again]
    follows = np.flatnonzero(same)
    notes["end"][follows - 1] = np.minimum(notes["end"][follows - 1], notes["start"][follows])
    groups, group = np.unique(notes["window"] << 16 | notes["track"], return_inverse=True)
    window, track = groups >> 16, groups & 0xFFFF
    program = np.array(
        [DRUMS if track.is_drum else track.program for track in score.tracks] or [0], np.int64
    )[track]
    slot = np.zeros(len(groups), np.int64)
    slot[np.lexsort((track, program, window))] = np.arange(len(groups)) - np.searchsorted(
        window, window
    )
    return Bars(notes, group, window, track, program, slot, _origin(notes, grid))


def beyond_the_busiest(bars: Bars, tracks: int) -> NDArray[np.bool_]:
    """Say of each group whether its bar has ``tracks`` others that matter more [G].

    The tracks that play in most bars of the piece matter most, of equal ones those with most notes.
    """
    count = int(bars.track.max(initial=0)) + 1
    played = np.bincount(bars.track, minlength=count)
    notes = np.bincount(bars.track[bars.group], minlength=count)
    order = np.lexsort((bars.track, -notes[bars.track], -played[bars.track], bars.window))
    place = np.zeros(len(order), np.int64)
    place[order] = np.arange(len(order)) - np.searchsorted(bars.window, bars.window)
    beyond: NDArray[np.bool_] = place >= tracks
    return beyond


def _placed(
    score: Score, grid: Grid, refused: Refused, steps_per_bar: int, tracks: Sequence[int] | None
) -> NDArray[np.void]:
    """Return the usable notes, array of PLACED in order of bar, track, pitch, start and length
    (long ones first).
    """
    usable = refused.code == 0
    if tracks is not None:
        usable &= np.isin(score.notes["track"], tracks)
    row = np.flatnonzero(usable)
    notes, segment = score.notes[row], grid.segment[row]
    onset, off = grid.steps(notes["start"], notes["end"], segment)
    bar_ticks = np.maximum(grid.bar_ticks[segment] // grid.denominator[segment], 1)
    length = grid.end[segment] - grid.start[segment]
    last = np.maximum(-(-length // bar_ticks), 1) - 1
    onset = np.minimum(
        onset, (last + 1) * steps_per_bar - 1
    )  # what rounds to the end of its metre stays in its last bar
    bar = onset // steps_per_bar
    cut = (segment < len(grid.segments) - 1) & ((bar + 1) * bar_ticks > length)
    refused.mark(row[cut], "in a bar that a change of metre cuts short")
    placed = np.zeros(len(row), PLACED)
    placed["row"], placed["segment"], placed["bar"] = row, segment, bar
    placed["track"], placed["pitch"] = notes["track"], notes["pitch"]
    placed["start"] = onset - bar * steps_per_bar
    placed["end"] = np.minimum(np.maximum(off, onset + 1) - bar * steps_per_bar, steps_per_bar)
    placed = placed[~cut]
    _, placed["window"] = np.unique(placed["segment"] << 32 | placed["bar"], return_inverse=True)
    keys = (-placed["end"], placed["start"], placed["pitch"], placed["track"], placed["window"])
    ordered: NDArray[np.void] = placed[np.lexsort(keys)]
    return ordered


def _origin(notes: NDArray[np.void], grid: Grid) -> NDArray[np.void]:
    """Return where the bars of some placed notes are, array of ORIGIN [W]."""
    _, first = np.unique(notes["window"], return_index=True)
    segment, bar = notes["segment"][first], notes["bar"][first]
    origin = np.zeros(len(first), ORIGIN)
    origin["bar"] = grid.first_bar[segment] + bar
    origin["tick"] = (
        grid.start[segment] + grid.bar_ticks[segment] * bar // grid.denominator[segment]
    )
    return origin


def runs(bars: Ints) -> list[NDArray[Any]]:
    """Cut ascending numbers into runs without a gap."""
    return np.split(bars, np.flatnonzero(np.diff(bars) > 1) + 1) if len(bars) else []
