"""The one source of random numbers inside a model: seeded, and the same however many processes
share a batch.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from copy import copy

import torch
from torch import Tensor


class Noise:
    """Draws for the rows of a batch that may be a part of a larger one.

    Every process draws the numbers of the whole global batch and keeps its own rows, so that
    training on ``world`` processes sees the noise that one process would see.

    Args:
        *seed: integers that together make the seed, such as (seed of the run, step).
        rank: which part of the global batch this is, from 0.
        world: number of equal parts.
        device: where the numbers are drawn; a CPU and a GPU give different ones from one seed.
    """

    def __init__(
        self, *seed: int, rank: int = 0, world: int = 1, device: torch.device | str = "cpu"
    ) -> None:
        mixed = 0
        for number in seed:
            # Constants of Knuth's MMIX generator: distinct tuples get unrelated seeds.
            mixed = (
                mixed * 6364136223846793005 + operator.index(number) + 1442695040888963407
            ) % 2**63  # also NumPy's
        self.generator = torch.Generator(device).manual_seed(mixed)
        self.rank, self.world = rank, world
        self._of: int | None = None  # this many rows are drawn, and those of the index kept
        self._index: Tensor | None = None

    def normal(self, shape: Sequence[int], device: torch.device) -> Tensor:
        """Return standard normal numbers of ``shape`` (rows first), float32, on ``device``."""
        return self._draw(torch.randn, shape, device)

    def uniform(self, shape: Sequence[int], device: torch.device) -> Tensor:
        """Return numbers in [0, 1) of ``shape`` (rows first), float32, on ``device``."""
        return self._draw(torch.rand, shape, device)

    def replay(self, index: Tensor, rows: int) -> Noise:
        """Return noise that will draw again what this one is about to draw for ``rows`` rows: those
        of ``index`` [B] alone.
        """
        other = copy(self)
        other.generator = torch.Generator(self.generator.device)
        other.generator.set_state(self.generator.get_state())
        other._of, other._index = rows, index.to(self.generator.device)
        return other

    def skip_to(self, other: Noise) -> None:
        """Go on where ``other``, a replay of this one, has come to."""
        self.generator.set_state(other.generator.get_state())

    def _draw(
        self, draw: Callable[..., Tensor], shape: Sequence[int], device: torch.device
    ) -> Tensor:
        rows, *rest = shape if self._of is None else (self._of, *shape[1:])
        size = (rows * self.world, *rest)
        numbers = draw(
            size, generator=self.generator, device=self.generator.device, dtype=torch.float32
        )
        own = numbers[self.rank * rows : (self.rank + 1) * rows]
        return (own if self._index is None else own[self._index]).to(device)


def seed_layers(device: torch.device, seed: int) -> None:
    """Seed what layers such as dropout draw from on the CPU and on ``device``.

    ``torch.manual_seed`` also leaves word for every other kind of device, which takes a millisecond
    and memory at each call.
    """
    torch.default_generator.manual_seed(seed % 2**63)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed % 2**63)
    elif device.type == "mps":
        torch.mps.manual_seed(seed % 2**63)
