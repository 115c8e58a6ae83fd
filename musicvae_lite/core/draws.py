"""Random numbers without torch: those that :class:`musicvae_lite.core.random.Noise` draws.

torch's generator on a CPU is the Mersenne Twister (Matsumoto & Nishimura 1998) as NumPy has it,
seeded as NumPy's ``RandomState`` is. Imports no torch.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_LANE = 16  # normal numbers that torch makes together; fewer it makes one by one


class Draws:
    """Draws for the rows of a batch that may be the first part of a larger one.

    Args:
        *seed: integers that together make the seed.
        rows: of the whole batch whose numbers are drawn, those of the first rows being kept; None:
            as many as are asked for.
    """

    def __init__(self, *seed: int, rows: int | None = None) -> None:
        mixed = 0
        for number in seed:
            # As in Noise.
            mixed = (
                mixed * 6364136223846793005 + operator.index(number) + 1442695040888963407
            ) % 2**63
        self._twister = np.random.RandomState(mixed % 2**32)
        self._rows = rows
        self._spare: float | None = None  # the second of two normal numbers, for the next call

    def uniform(self, shape: Sequence[int]) -> Floats:
        """Return numbers in [0, 1) of ``shape`` (rows first), float32."""
        return self._kept(shape, self._uniform)

    def normal(self, shape: Sequence[int]) -> Floats:
        """Return standard normal numbers of ``shape`` (rows first), float32.

        To the last digits those of torch, whose logarithms and sines are its own.
        """
        return self._kept(shape, self._normal)

    def _kept(self, shape: Sequence[int], draw: object) -> Floats:
        assert callable(draw)
        rows, *rest = shape
        every = max(self._rows or 0, rows)
        numbers: Floats = draw(every * math.prod(rest)).reshape(every, *rest)
        return numbers[:rows]

    def _uniform(self, count: int) -> Floats:
        bits = self._bits(count) & np.uint32(2**24 - 1)
        return bits.astype(np.float32) * np.float32(2.0**-24)

    def _bits(self, count: int) -> NDArray[np.uint32]:
        return self._twister.randint(0, 2**32, count, np.uint32)

    def _normal(self, count: int) -> Floats:
        """Box and Muller's transform of lanes of 16, the last of which ends with the numbers."""
        if count < _LANE:
            return self._few(count)
        numbers = self._uniform(count)
        whole = count // _LANE * _LANE
        numbers[:whole] = _box_muller(numbers[:whole])
        if whole < count:
            numbers[-_LANE:] = _box_muller(self._uniform(_LANE))
        return numbers

    def _few(self, count: int) -> Floats:
        """Made in float64, two at a time; the second of the last two waits for the next call."""
        numbers: list[float] = []
        while len(numbers) < count:
            if self._spare is not None:
                numbers, self._spare = [*numbers, self._spare], None
                continue
            high_low = self._bits(4).astype(np.uint64).reshape(2, 2)
            bits = (high_low[:, 0] << np.uint64(32) | high_low[:, 1]) & np.uint64(2**53 - 1)
            angle, radius = (bits.astype(np.float64) * 2.0**-53).tolist()
            length = math.sqrt(-2.0 * math.log1p(-radius))
            numbers.append(length * math.cos(2 * math.pi * angle))
            self._spare = length * math.sin(2 * math.pi * angle)
        return np.array(numbers, np.float32)


def _box_muller(uniform: Floats) -> Floats:
    """Return normal numbers from uniform ones [16 n]."""
    lanes = uniform.reshape(-1, 2, _LANE // 2)
    radius = np.sqrt(np.float32(-2) * np.log(np.float32(1) - lanes[:, 0]))
    angle = np.float32(2 * math.pi) * lanes[:, 1]
    result: Floats = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)
    return result
