"""How loud the notes of a piece are, for what is made of it by a codec that does not say.

A new note is as loud as the note of its voice that started last before it in the piece; on the way
from one piece to another the loudness moves along. Letters in shapes: N windows, G steps of a
window's time, R voices, S scores.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import Score
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.windows import Passage, in_ticks

Floats = NDArray[np.float64]


def loudness_at(notes: NDArray[np.void], ticks: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the velocity in force at ticks of any shape: that of the last note before.

    Before the first note it is that of the first; of notes that start together the loudest counts.

    Args:
        notes: at least one, array of NOTE.
        ticks: where.
    """
    notes = notes[np.lexsort((notes["velocity"], notes["start"]))]
    row = np.searchsorted(notes["start"], ticks, side="right") - 1
    velocities: NDArray[np.uint8] = notes["velocity"][np.maximum(row, 0)]
    return velocities


def loudness_of(passage: Passage, codec: ScoreCodec) -> Floats | None:
    """Return the velocity at each step of the windows of a piece, [N, R, G].

    None where the codec itself tells of loudness, or a voice has no note.
    """
    voices = _voices(passage, codec)
    if voices is None:
        return None
    score = passage.score
    ticks = codec.grid_ticks(passage.ticks, score.ticks_per_quarter)
    ticks += score.ticks_per_quarter // codec.steps_per_quarter // 2  # a note may be a bit late
    return np.stack([loudness_at(notes, ticks) for notes in voices], 1).astype(np.float64)


def along_the_way(inputs: list[Floats | None], weights: Floats) -> Floats | None:
    """Return the velocities of scores between some windows, [S, R, G].

    Args:
        inputs: of each window [R, G]; where one is not known, nothing is.
        weights: how near each score is to each window, [S, I], in sum 1.
    """
    known = [levels for levels in inputs if levels is not None]
    if len(known) < len(inputs):
        return None
    mixed: Floats = np.einsum("si,irg->srg", weights, np.stack(known))
    return mixed


def with_loudness(score: Score, levels: Floats | None, codec: ScoreCodec) -> Score:
    """Return a score that begins at step 0 with the velocities of its steps [R, G].

    It stays as it is where they are not known.
    """
    if levels is None or not len(score.notes):
        return score
    notes = score.notes.copy()
    step = notes["start"] * codec.steps_per_quarter // score.ticks_per_quarter
    step = np.minimum(step, levels.shape[1] - 1)
    notes["velocity"] = np.clip(np.rint(levels[notes["track"], step]), 1, 127)
    return replace(score, notes=notes)


def as_loud_as(score: Score, passage: Passage, codec: ScoreCodec) -> Score:
    """Return a score that stands where the windows of a piece are, as loud as the piece there."""
    voices = _voices(passage, codec)
    if voices is None or not len(score.notes):
        return score
    notes = score.notes.copy()
    tpq = passage.score.ticks_per_quarter
    late = tpq // codec.steps_per_quarter // 2
    for number, own in enumerate(voices):
        rows = notes["track"] == number
        ticks = in_ticks(notes["start"][rows], score.ticks_per_quarter, tpq) + late
        notes["velocity"][rows] = loudness_at(own, ticks)
    return replace(score, notes=notes)


def _voices(passage: Passage, codec: ScoreCodec) -> list[NDArray[np.void]] | None:
    """Return the notes of each voice of a piece.

    None where the codec itself tells of loudness, or a voice has no note.
    """
    if codec.dynamic or codec.whole or not passage.voices:
        return None
    notes = passage.score.notes
    voices = [notes[np.isin(notes["track"], tracks)] for tracks in passage.voices]
    return voices if all(map(len, voices)) else None
