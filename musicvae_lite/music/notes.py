"""The notes of windows of many voices, and what becomes of them.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.music.codec import ScoreCodec

DRUMS = 128  # stands for the program of drums

#: A note of a window: number of the window, program, MIDI pitch, first and last step, velocity.
NOTE_OF_WINDOW = np.dtype(
    [(name, "<i8") for name in ("window", "program", "pitch", "start", "end", "velocity")]
)


@dataclass(frozen=True)
class NoteChanges:
    """What became of the notes of a piece.

    Attributes:
        kept: notes that start where they did.
        moved: notes of the same pitch and instrument that start elsewhere in their bar.
        dropped: notes that are gone.
        added: notes that were not there.
    """

    kept: int
    moved: int
    dropped: int
    added: int

    @classmethod
    def between(cls, codec: ScoreCodec, made: NDArray[Any], wanted: NDArray[Any]) -> NoteChanges:
        """Compare windows [N, ...] that were made of others."""
        ours, theirs = notes_of(codec, made), notes_of(codec, wanted)
        exact = ("window", "program", "pitch", "start")
        kept = shared(ours[[*exact]], theirs[[*exact]])
        for table in (ours, theirs):
            table["start"] //= codec.steps_per_bar
        moved = shared(ours[[*exact]], theirs[[*exact]]) - kept
        return cls(kept, moved, len(theirs) - kept - moved, len(ours) - kept - moved)

    def __str__(self) -> str:
        parts = [f"{self.kept:,} notes kept"]
        parts += [
            f"{count:,} {name}"
            for name in ("moved", "dropped", "added")
            if (count := getattr(self, name))
        ]
        return ", ".join(parts)


def notes_of(codec: ScoreCodec, windows: NDArray[Any]) -> NDArray[np.void]:
    """Return the notes of windows [N, ...], array of :data:`NOTE_OF_WINDOW`, in steps."""
    parts = [np.zeros(0, NOTE_OF_WINDOW)]
    for number, window in enumerate(windows):
        score = codec.decode(window)
        ticks = score.ticks_per_quarter // codec.steps_per_quarter
        rows = np.zeros(len(score.notes), NOTE_OF_WINDOW)
        programs = [DRUMS if track.is_drum else track.program for track in score.tracks] or [0]
        rows["window"], rows["program"] = number, np.array(programs)[score.notes["track"]]
        for name in ("pitch", "velocity"):
            rows[name] = score.notes[name]
        rows["start"], rows["end"] = score.notes["start"] // ticks, score.notes["end"] // ticks
        parts.append(rows)
    return np.concatenate(parts)


def shared(made: NDArray[np.void], wanted: NDArray[np.void]) -> int:
    """Return how many rows two tables have in common, equal ones as often as both have them."""
    if not len(made) or not len(wanted):
        return 0
    _, owner = np.unique(np.concatenate([made, wanted]), return_inverse=True)
    counts = [np.bincount(part, minlength=owner.max() + 1) for part in np.split(owner, [len(made)])]
    return int(np.minimum(*counts).sum())


def velocity_error(
    made: NDArray[np.void], wanted: NDArray[np.void], place: Sequence[str]
) -> float | None:
    """Return the mean difference of the velocities of notes at the same place; None for none."""
    names = list(place)
    _, row, other = np.intersect1d(made[names], wanted[names], return_indices=True)
    if not len(row):
        return None
    return float(np.abs(made["velocity"][row] - wanted["velocity"][other]).mean())
