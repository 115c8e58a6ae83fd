"""The notes of a score on the keys of a piano: which are used, and where they are on the grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import Score, Track
from musicvae_lite.music.codecs.grid import Grid, Ints, Refused

LOWEST, HIGHEST = 21, 108  # MIDI pitches of the first and the last key
KEYS = HIGHEST - LOWEST + 1
SILENT, HELD, STRUCK = 0, 1, 2  # classes of a key at a step; from STRUCK on bins of loudness

Roll = NDArray[np.uint8]


class Notes(NamedTuple):
    """Notes, one row each.

    Attributes:
        row: among the notes of the score.
        segment: of the metre.
        key: of the piano, from 0.
        loudness: bin of the velocity.
        start: step of the segment at which it starts.
        end: step of the segment at which it ends.
    """

    row: Ints
    segment: Ints
    key: Ints
    loudness: Ints
    start: Ints
    end: Ints


def usable_notes(
    score: Score,
    grid: Grid,
    refused: Refused,
    tracks: Sequence[int] | None,
    steps_per_bar: int,
    bins: int,
) -> Notes:
    """Return the notes that windows are made of, in order of key and time; mark the others.

    Of those that start on one key at one step the longest stays; a note ends where its key is
    struck again.

    Args:
        score: the piece.
        grid: of the piece.
        refused: says which notes are left out before.
        tracks: indices of those that are read; None for all.
        steps_per_bar: of the grid.
        bins: loudnesses that are told apart.
    """
    usable = refused.code == 0
    if tracks is not None:
        usable &= np.isin(score.notes["track"], tracks)
    row: Ints = np.flatnonzero(usable)
    notes, segment = score.notes[row], grid.segment[row]
    start, end = grid.steps(notes["start"], notes["end"], segment)
    bar_ticks = np.maximum(grid.bar_ticks[segment] // grid.denominator[segment], 1)
    length = grid.end[segment] - grid.start[segment]
    last = np.maximum(-(-length // bar_ticks), 1) * steps_per_bar - 1
    start = np.minimum(start, last)  # what rounds to the end of its metre stays in its last bar
    begun = start // steps_per_bar
    short = (segment < len(grid.segments) - 1) & ((begun + 1) * bar_ticks > length)
    refused.mark(row[short], "in a bar that a change of metre cuts short")
    key = notes["pitch"].astype(np.int64) - LOWEST
    loudness = notes["velocity"].astype(np.int64) * bins // 128
    every = Notes(row, segment, key, loudness, start, np.maximum(end, start + 1))
    return _once(Notes(*(column[~short] for column in every)), refused)


def refuse(
    score: Score, refused: Refused, programs: tuple[int, int] | None, numerator: int, denom: int
) -> None:
    """Mark the notes that no window can hold, for what they are.

    Args:
        score: the piece.
        refused: is told of them.
        programs: that are read (first, last); None for all but drums.
        numerator: of the metre that fits.
        denom: of the metre that fits.
    """
    refused.mark_tracks([track.is_drum for track in score.tracks], "drums")
    if programs is not None:
        first, last = programs
        other = [not plays(track, programs) for track in score.tracks]
        refused.mark_tracks(other, f"no piano (program outside {first} to {last})")
    refused.mark_metres(numerator, denom)
    refused.mark(score.notes["velocity"] == 0, "velocity 0")
    pitch = score.notes["pitch"]
    outside = (pitch < LOWEST) | (pitch > HIGHEST)
    refused.mark(outside, f"not on the keys of a piano (pitches {LOWEST} to {HIGHEST})")


def plays(track: Track, programs: tuple[int, int] | None) -> bool:
    """Say whether a track has one of some programs; drums never do."""
    return not track.is_drum and (programs is None or programs[0] <= track.program <= programs[1])


def played(roll: Roll) -> tuple[Ints, Ints, Ints]:
    """Return the notes of a roll [T, K] in order of time: first step, key and end of each."""
    steps = np.arange(len(roll))[:, None]
    step, key = np.nonzero(roll >= STRUCK)
    other = np.where(roll == HELD, len(roll), steps)  # where a key is not held on
    following = np.minimum.accumulate(other[::-1], axis=0)[::-1]
    following = np.concatenate([following, np.full((1, roll.shape[1]), len(roll))])
    return step, key, following[step + 1, key]


def _once(notes: Notes, refused: Refused) -> Notes:
    """Drop notes that start on one key at one step, and end notes where their key is struck."""
    order = np.lexsort((-notes.end, notes.start, notes.key, notes.segment))
    notes = Notes(*(column[order] for column in notes))
    same = np.zeros(len(order), bool)
    same[1:] = (np.diff(notes.segment) == 0) & (np.diff(notes.key) == 0)
    again = same.copy()
    again[1:] &= np.diff(notes.start) == 0
    refused.mark(notes.row[again], "the same key at the same step")
    notes, follows = Notes(*(column[~again] for column in notes)), np.flatnonzero(same[~again])
    notes.end[follows - 1] = np.minimum(notes.end[follows - 1], notes.start[follows])
    return notes
