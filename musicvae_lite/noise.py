"""The one source of random numbers inside a model: seeded, and the same however many processes share a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class Noise:
    """Draws for the rows of a batch that may be a part of a larger one.

    Every process draws the numbers of the whole global batch and keeps its own rows, so that training on ``world``
    processes sees the noise that one process would see.

    Args:
        *seed: integers that together make the seed, such as (seed of the run, step).
        rank: which part of the global batch this is, from 0.
        world: number of equal parts.
        device: where the numbers are drawn; a CPU and a GPU give different ones from one seed.
    """

    def __init__(self, *seed: int, rank: int = 0, world: int = 1, device: torch.device | str = "cpu") -> None:
        mixed = 0
        for number in seed:
            # Constants of Knuth's MMIX generator: distinct tuples get unrelated seeds.
            mixed = (mixed * 6364136223846793005 + number + 1442695040888963407) % 2**63
        self.generator = torch.Generator(device).manual_seed(mixed)
        self.rank, self.world = rank, world

    def fork(self) -> Noise:
        """Return draws of their own: what is drawn of them does not move those that follow here."""
        seed = torch.randint(2**62, (), generator=self.generator, device=self.generator.device)
        return Noise(int(seed), rank=self.rank, world=self.world, device=self.generator.device)

    def normal(self, shape: Sequence[int], device: torch.device) -> Tensor:
        """Return standard normal numbers of ``shape`` (rows first), float32, on ``device``."""
        return self._draw(torch.randn, shape, device)

    def uniform(self, shape: Sequence[int], device: torch.device) -> Tensor:
        """Return numbers in [0, 1) of ``shape`` (rows first), float32, on ``device``."""
        return self._draw(torch.rand, shape, device)

    def _draw(self, draw: Callable[..., Tensor], shape: Sequence[int], device: torch.device) -> Tensor:
        rows, *rest = shape
        size = (rows * self.world, *rest)
        numbers = draw(size, generator=self.generator, device=self.generator.device, dtype=torch.float32)
        return numbers[self.rank * rows : (self.rank + 1) * rows].to(device)
