"""Every hit of a piece moved and scaled as its windows were, in its own track.

A window knows one hit of a drum at a step. A file may have more: rolls, flams, several snares. All
of them go with the one that the window knows. Imports no torch.

Letters in shapes: N windows, T steps of a window, M notes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import NOTE, Score
from musicvae_lite.music.codecs.grid import Grid
from musicvae_lite.music.codecs.groove import CLASSES, KITS, OFFSETS, VELOCITIES, GrooveCodec
from musicvae_lite.music.splice import covered_by
from musicvae_lite.music.windows import Passage, in_ticks

Floats = NDArray[np.float32]


class Feel(NamedTuple):
    """How much of a new groove a piece takes on.

    Attributes:
        amount: 0 leaves all as it is, 1 is the whole of it.
        timing: whether hits move.
        velocity: whether they become louder and softer.
    """

    amount: float = 1.0
    timing: bool = True
    velocity: bool = True


def blended(given: Floats, made: Floats, feel: Feel) -> Floats:
    """Return windows [N, T, 27] with the hits given, timed and accented as ``made`` has them.

    The mean of the new timing is that of the grid: a model that has learned from drummers who play
    ahead would move all of a piece. Accents are ratios to the mean of their drum, and scale the
    velocities that are given: how loud a drum is stays with the file.
    """
    hit = given[..., :CLASSES] > 0.5
    result = given.copy()
    if feel.timing and hit.any():
        offset = made[..., OFFSETS] - made[..., OFFSETS][hit].mean()
        result[..., OFFSETS] += feel.amount * (offset - given[..., OFFSETS]) * hit
    if feel.velocity:
        loud = np.where(hit, made[..., VELOCITIES], 0)
        mean = loud.sum((0, 1)) / np.maximum(hit.sum((0, 1)), 1)
        ratio = np.where(hit, loud / np.maximum(mean, 1e-6), 1)
        result[..., VELOCITIES] *= 1 + feel.amount * (ratio - 1)
    result[..., VELOCITIES] = np.clip(result[..., VELOCITIES], hit / 127, 1)
    return result


def moved(passage: Passage, windows: Floats, codec: GrooveCodec) -> Score:
    """Return the piece of a passage with every hit moved and scaled as in ``windows`` [N, T, 27].

    Each stays in its track, and as long as it is, up to the next one of its key.
    """
    piece, own, place = _places(passage, codec)
    notes = piece.notes.copy()
    early = windows[place][:, OFFSETS] - passage.windows[place][:, OFFSETS]
    drum = _drums(notes["pitch"][own], codec)
    rows = np.arange(len(own))
    step = piece.ticks_per_quarter / codec.steps_per_quarter
    shift = np.rint(early[rows, drum] * step / 2).astype(np.int64)
    before, after = (
        table[place][:, VELOCITIES][rows, drum] for table in (passage.windows, windows)
    )
    ratio = np.where(before > 0, after / np.maximum(before, 1e-6), 1)
    start = np.maximum(notes["start"][own] - shift, 0)
    notes["end"][own] += start - notes["start"][own]
    notes["start"][own] = start
    notes["velocity"][own] = np.clip(np.rint(notes["velocity"][own] * ratio), 1, 127)
    return replace(piece, notes=_apart(notes, own))


def with_drum(passage: Passage, made: Score, codec: GrooveCodec, drum: int) -> Score:
    """Return the piece of a passage with the hits that ``made`` has of one drum.

    They take the place of its own; all other hits stay as they are.
    """
    piece = passage.score
    pitches = list(list(KITS[codec.kit].values())[drum])
    gone = covered_by(passage, codec) & np.isin(piece.notes["pitch"], pitches)
    new = made.notes[np.isin(made.notes["pitch"], pitches)].copy()
    for column in ("start", "end"):
        new[column] = in_ticks(new[column], made.ticks_per_quarter, piece.ticks_per_quarter)
    new["end"] = np.maximum(new["end"], new["start"] + 1)
    new["track"] = passage.read[0]
    return replace(piece, notes=np.concatenate([piece.notes[~gone], new]).astype(NOTE))


def _places(
    passage: Passage, codec: GrooveCodec
) -> tuple[Score, NDArray[np.int64], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the piece, which notes a window knows [M], and their windows and steps."""
    piece = passage.score
    own = np.flatnonzero(covered_by(passage, codec))
    own = own[codec.reads(piece, own)]
    grid = Grid.of(piece, codec)
    segment = grid.segment[own]
    step, _ = grid.steps(piece.notes["start"][own], piece.notes["end"][own], segment)
    bar = grid.first_bar[segment] + step // codec.steps_per_bar
    window = np.maximum(np.searchsorted(passage.bars - 1, bar, side="right") - 1, 0)
    first = np.searchsorted(grid.start, passage.ticks, side="right") - 1
    begin = (passage.bars - 1 - grid.first_bar[first]) * codec.steps_per_bar
    place = step - begin[window]
    inside = (place >= 0) & (place < codec.grid_steps) & (first[window] == segment)
    return piece, own[inside], (window[inside], place[inside])


def _drums(pitch: NDArray[np.uint8], codec: GrooveCodec) -> NDArray[np.int64]:
    drum_of = np.zeros(128, np.int64)
    for number, pitches in enumerate(KITS[codec.kit].values()):
        drum_of[list(pitches)] = number
    return drum_of[pitch]


def _apart(notes: NDArray[np.void], own: NDArray[np.int64]) -> NDArray[np.void]:
    """End each note of the tracks that were touched where the next one of its key starts."""
    touched = np.flatnonzero(np.isin(notes["track"], np.unique(notes["track"][own])))
    table = notes[touched]
    order = np.lexsort((table["start"], table["pitch"], table["track"]))
    table = table[order]
    same = (np.diff(table["track"]) == 0) & (np.diff(table["pitch"]) == 0)
    later = np.flatnonzero(same & (np.diff(table["start"]) > 0))
    table["end"][later] = np.minimum(table["end"][later], table["start"][later + 1])
    table["end"] = np.maximum(table["end"], table["start"] + 1)
    notes[touched[order]] = table
    return notes
