"""What a session gives back: pieces, and what is known of them.

Letters in shapes: N windows, T steps of a window, S steps of a path, Z latent size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.codecs import ScoreCodec
from musicvae_lite.media.midi import Score
from musicvae_lite.passages import Passage


def agreement(codec: ScoreCodec, heard: NDArray[Any], given: NDArray[Any]) -> tuple[float, float]:
    """Return which part of the steps of windows agree, and which part of those at which something of ``given`` starts.

    Where a step has several voices, each counts; 1 where there is nothing to compare.
    """
    right = codec.right(heard, given)[codec.valid(given)]
    started = codec.onsets_right(heard, given)[codec.onsets(given)]
    return float(right.mean()) if right.size else 1.0, float(started.mean()) if started.size else 1.0


@dataclass(frozen=True, eq=False)
class Interpolation:
    """A path between two melodies; as a sequence, its scores.

    Attributes:
        start: the window it starts from.
        end: the window it goes to.
        latents: points of the path [S, Z].
        windows: what they decode to [S, T].
        scores: the same as one score a step.
        joined: all steps one after another.
        accuracy: fraction of steps of the two inputs that the ends of the path give back.
        onset_accuracy: the same over the steps at which a note of the input starts.
        settings: path, temperature and seed.
    """

    start: Passage
    end: Passage
    latents: NDArray[np.float32]
    windows: NDArray[Any]
    scores: tuple[Score, ...]
    joined: Score
    accuracy: tuple[float, float]
    onset_accuracy: tuple[float, float]
    settings: dict[str, Any]

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def __getitem__(self, step: int) -> Score:
        return self.scores[step]

    def __repr__(self) -> str:
        return f"<Interpolation of {len(self)} steps, {self.start.stem} to {self.end.stem}>"

    @property
    def silent(self) -> tuple[int, ...]:
        """Numbers (1-based) of the steps without a note."""
        return tuple(step for step, score in enumerate(self.scores, start=1) if not len(score.notes))

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` says, but for model and outputs."""
        ends = zip((self.start, self.end), self.accuracy, self.onset_accuracy, strict=True)
        inputs = [{**passage.as_dict(), "accuracy": steps, "onset_accuracy": onsets} for passage, steps, onsets in ends]
        return {"inputs": inputs, "steps": len(self), **self.settings}


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What the model hears in a piece.

    Attributes:
        passage: the windows that were used.
        bars: first and last bar that they cover, 1-based.
        windows: what the model makes of them [N, T].
        score: the same where they stand in the piece.
        accuracy: fraction of steps that are right.
        onset_accuracy: the same over the steps of the input at which a note starts.
    """

    passage: Passage
    bars: tuple[int, int]
    windows: NDArray[Any]
    score: Score
    accuracy: float
    onset_accuracy: float

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` says, but for the output."""
        return {
            "file": self.passage.source,
            "track": self.passage.track,
            "track_name": self.passage.track_name,
            **({"roles": dict(self.passage.parts)} if self.passage.parts else {}),
            "bars": list(self.bars),
            "windows": len(self.windows),
            "accuracy": self.accuracy,
            "onset_accuracy": self.onset_accuracy,
        }
