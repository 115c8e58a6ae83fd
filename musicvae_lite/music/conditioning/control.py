"""What a model of music is told beside the music: the chord and the key of every step of the grid
of time.

It is kept as classes, one column for each thing that is told, and becomes one-hot numbers when a
model reads it. Letters in
shapes: N windows, G steps of the grid in a window (its steps, but where those are events), K
columns (0 to 2), C control numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.media.midi import Score
from musicvae_lite.music.chords import CHORDS, KEYS, transposed_chords
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.harmony import Harmony, harmony

Classes = NDArray[np.uint8]


@dataclass(frozen=True)
class Control:
    """Which of chords and key a model is told of.

    The chord's 49 numbers come before the key's 12, as Magenta has them.
    """

    chords: bool = False
    key: bool = False

    @classmethod
    def of_config(cls, config: Mapping[str, Any] | None) -> Control:
        """Build from what :meth:`config` gave; nothing is told where there is none.

        Raises:
            MusaeError: it was written by a program that tells of more.
        """
        try:
            return cls(**(config or {}))
        except TypeError as error:
            raise MusaeError(
                f"a control of {', '.join(config or {})} is not known to this program"
            ) from error

    def config(self) -> dict[str, bool]:
        """Return plain data for :meth:`of_config`."""
        return asdict(self)

    def __bool__(self) -> bool:
        return self.chords or self.key

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of classes of each column [K]."""
        return (CHORDS,) * self.chords + (KEYS,) * self.key

    @property
    def size(self) -> int:
        """Control numbers of a step C."""
        return sum(self.sizes)

    def join(self, chords: NDArray[Any], keys: NDArray[Any]) -> Classes:
        """Put chord and key classes [...] side by side, [..., K]; what is not told is left out."""
        columns = [*([chords] if self.chords else []), *([keys] if self.key else [])]
        return (
            np.stack(np.broadcast_arrays(*columns), -1).astype(np.uint8)
            if columns
            else np.zeros((*chords.shape, 0), np.uint8)
        )

    def of_windows(
        self, score: Score, codec: ScoreCodec, ticks: NDArray[Any], found: Harmony | None = None
    ) -> Classes:
        """Return what is told of the windows of a piece, uint8 [N, G, K].

        Args:
            score: the piece.
            codec: of the windows.
            ticks: where each window starts, in ticks of the piece [N].
            found: chords and key of the piece, where they were looked for before.
        """
        if not self or not len(ticks):
            return np.zeros((len(ticks), codec.grid_steps, len(self.sizes)), np.uint8)
        return self.join(
            *(found or harmony(score)).at(codec.grid_ticks(ticks, score.ticks_per_quarter))
        )

    def transposed(self, classes: Classes, semitones: NDArray[Any]) -> Classes:
        """Move chord and key of windows [N, G, K] by semitones [N]."""
        moved = classes.copy()
        if self.chords:
            moved[..., 0] = transposed_chords(classes[..., 0], semitones)
        if self.key:
            moved[..., -1] = (
                classes[..., -1].astype(np.int64) + np.asarray(semitones, np.int64)[:, None]
            ) % KEYS
        return moved

    def numbers(self, classes: Classes) -> NDArray[np.float32]:
        """Return classes [..., K] as a model reads them: one-hot, float32 [..., C]."""
        parts = [
            np.eye(size, dtype=np.float32)[classes[..., column]]
            for column, size in enumerate(self.sizes)
        ]
        return (
            np.concatenate(parts, -1) if parts else np.zeros((*classes.shape[:-1], 0), np.float32)
        )
