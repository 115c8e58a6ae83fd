"""What a run learns from and is measured on: the one interface of data that the training loop
knows.

Each medium has its own; :func:`musicvae_lite.core.medium.open_dataset` opens that of a run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.core.autoencoder import Autoencoder, Batch


@dataclass(frozen=True)
class Measured:
    """A model's measures on the held-out part.

    Attributes:
        values: all of them by name, for people and files.
        nll: the reconstruction term of the objective, per example.
        kl_bits: KL of an example's posterior to the prior, or None where there is no posterior.
    """

    values: dict[str, Any]
    nll: float
    kl_bits: float | None = None


class Dataset(ABC):
    """Examples to learn from and others to be measured on.

    Attributes:
        unit: what an example is called, in the plural.
        sources: name, number of examples (under ``windows``) and rights of each source, for the
            model card.
        fingerprints: checksums of the sources, to tell whether a run goes on with the same.
        held_out: whether the measures are of examples that are not learned from.
        notice: what the user should know of the data before the run, or "".
        finishing: what :meth:`finish` does, or "" where there is nothing to do.
        later: how to do it later.
    """

    unit: str
    sources: list[dict[str, Any]]
    fingerprints: list[str]
    held_out: bool
    notice: str = ""
    finishing: str = ""
    later: str = ""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of examples to learn from, one epoch."""

    @abstractmethod
    def batches(
        self, device: torch.device, size: int, seed: int, epoch: int, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """Yield the batches of one epoch on ``device``.

        A function of its arguments, so that resuming is exact.

        Raises:
            MusaeError: if there are fewer examples than ``size``.
            UsageError: if ``size`` cannot be divided by ``world``.
        """

    @abstractmethod
    def measure(self, model: Autoencoder, seed: int) -> Measured:
        """Measure a model on the held-out part, on the device where it is.

        The same examples every time.
        """

    def finish(self, folder: Path, device: torch.device, seed: int) -> str:  # noqa: B027 (most kinds have nothing to add)
        """Add to the folder of a trained model what is learned of it when the run has ended.

        Return what to say of that.

        Raises:
            MusaeError: it cannot be learned or written; the model is whole without it.
        """
        return ""

    def is_finished(self, folder: Path) -> bool:
        """Say whether the folder of a trained model holds all that :meth:`finish` adds to it."""
        return True

    @abstractmethod
    def picture(self, model: Autoencoder) -> NDArray[np.float64]:
        """Show a few held-out examples and what the model makes of them: brightness 0..1, [H, W] or
        [H, W, 3].
        """
