"""What a session gives back: pieces, and what is known of them.

Letters in shapes: N windows, T steps of a window, S steps of a path, Z latent size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import Score
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.notes import NoteChanges
from musicvae_lite.music.windows import Passage


def agreement(
    codec: ScoreCodec, heard: NDArray[Any], given: NDArray[Any], lost: int = 0
) -> tuple[float, float]:
    """Return which part of the steps of windows agree, and which part of the note starts.

    Of the note starts of both, ``heard`` and ``given``, the part that the other has, too (the F1
    measure): notes that are missing count, and so do those that were invented. Where a step has
    several voices, each counts; 1 where there is nothing to compare. ``lost`` notes of what is
    given have no step of their own; they are missing, too.
    """
    right = codec.right(heard, given)[codec.valid(given)]
    found = int(codec.onsets_right(heard, given).sum())
    made, wanted = int(codec.onsets(heard).sum()), int(codec.onsets(given).sum()) + lost
    notes = 2 * min(found, made) / (made + wanted) if made + wanted else 1.0
    return float(right.mean()) if right.size else 1.0, notes


@dataclass(frozen=True, eq=False)
class Interpolation:
    """A path between two melodies, or a grid between four; as a sequence, its scores.

    Attributes:
        inputs: the windows it goes between: start and end, or the corners (top left, top right,
            bottom left, bottom right).
        corners: the step that each of them is, from 0.
        latents: points of the path, or of the grid row by row [S, Z].
        windows: what they decode to [S, T].
        scores: the same as one score a step.
        joined: all steps one after another.
        accuracy: fraction of steps of each input that its corner gives back.
        onset_accuracy: the part of the note starts of both that agree, see :func:`agreement`.
        settings: path, temperature and seed.
        columns: steps in a row of a grid; None for a path.
    """

    inputs: tuple[Passage, ...]
    corners: tuple[int, ...]
    latents: NDArray[np.float32]
    windows: NDArray[Any]
    scores: tuple[Score, ...]
    joined: Score
    accuracy: tuple[float, ...]
    onset_accuracy: tuple[float, ...]
    settings: dict[str, Any]
    columns: int | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def __getitem__(self, step: int) -> Score:
        return self.scores[step]

    def __repr__(self) -> str:
        return f"<Interpolation of {len(self)} steps, {self.title}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: piano rolls of the steps, and a player of all of them."""
        from musicvae_lite.media.notebook import tiles_html

        return tiles_html(self.scores, self.joined, self.title, self.columns)

    @property
    def start(self) -> Passage:
        """The window it starts from."""
        return self.inputs[0]

    @property
    def end(self) -> Passage:
        """The window it goes to."""
        return self.inputs[-1]

    @property
    def title(self) -> str:
        """What it is: ``a to b``, or ``a, b, c, d``."""
        return title_of(self.inputs)

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of each step, counted from 1: ``1``, ``2``.

        In a grid row and column: ``1-1``, ``1-2``.
        """
        return step_labels(len(self), self.columns)

    @property
    def silent(self) -> tuple[str, ...]:
        """Labels of the steps without a note."""
        return tuple(
            label
            for label, score in zip(self.labels, self.scores, strict=True)
            if not len(score.notes)
        )

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` says, but for model and outputs."""
        ends = zip(self.inputs, self.accuracy, self.onset_accuracy, strict=True)
        inputs = [
            {**passage.as_dict(), "accuracy": steps, "onset_accuracy": onsets}
            for passage, steps, onsets in ends
        ]
        grid = {} if self.columns is None else {"grid": self.columns}
        return {"inputs": inputs, "steps": len(self), **grid, **self.settings}


def title_of(inputs: Sequence[Passage]) -> str:
    """Name a path by its two ends, a grid by its four corners."""
    stems = [passage.stem for passage in inputs]
    return " to ".join(stems) if len(stems) == 2 else ", ".join(stems)


def step_labels(steps: int, columns: int | None = None) -> tuple[str, ...]:
    """Name steps by number, those of a grid by row and column.

    Counted from 1, with zeros where the grid is large.
    """
    if columns is None:
        return tuple(str(step + 1) for step in range(steps))
    digits = len(str(max(columns, steps // columns)))
    return tuple(
        f"{step // columns + 1:0{digits}}-{step % columns + 1:0{digits}}" for step in range(steps)
    )


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What the model hears in a piece.

    Attributes:
        passage: the windows that were used.
        bars: first and last bar that they cover, 1-based.
        windows: what the model makes of them [N, T].
        score: the same where they stand in the piece; in the midst of the other tracks where they
            are kept.
        accuracy: fraction of steps that are right.
        onset_accuracy: the part of the note starts of both that agree, see :func:`agreement`.
        left: bars of the piece that no window covers, 1-based.
        changes: what became of its notes, where windows hold many voices; else None.
    """

    passage: Passage
    bars: tuple[int, int]
    windows: NDArray[Any]
    score: Score
    accuracy: float
    onset_accuracy: float
    left: tuple[int, ...] = ()
    changes: NoteChanges | None = None

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the piano roll and a player of :attr:`score`."""
        return self.score._repr_html_()

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` says, but for the output."""
        return {
            "file": self.passage.source,
            "track": self.passage.track,
            "track_name": self.passage.track_name,
            **self.passage.facts,
            **({"roles": dict(self.passage.parts)} if self.passage.parts else {}),
            "bars": list(self.bars),
            "windows": len(self.windows),
            "window_bars": self.passage.bars.tolist(),
            "bars_left": list(self.left),
            "accuracy": self.accuracy,
            "onset_accuracy": self.onset_accuracy,
            **({"notes": asdict(self.changes)} if self.changes else {}),
        }


@dataclass(frozen=True, eq=False)
class Similar:
    """Pieces like a window of another.

    Attributes:
        passage: the window.
        similarity: how near, 0 to 1.
        latents: a point for each piece [N, Z].
        windows: what they decode to [N, T].
        scores: the same as scores.
        accuracy: fraction of steps that they share with the window.
        onset_accuracy: the part of the note starts of both that agree, see :func:`agreement`.
        qpm: tempo, quarter notes per minute.
    """

    passage: Passage
    similarity: float
    latents: NDArray[np.float32]
    windows: NDArray[Any]
    scores: tuple[Score, ...]
    accuracy: float
    onset_accuracy: float
    qpm: float

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` says, but for model, settings and outputs."""
        shared = {"accuracy": self.accuracy, "onset_accuracy": self.onset_accuracy}
        return {
            "like": {**self.passage.as_dict(), **shared},
            "similarity": self.similarity,
            "qpm": self.qpm,
        }
