"""The running average of the weights, which is what is measured and kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from musicvae_lite.core.autoencoder import Autoencoder
from musicvae_lite.training.checkpoint import averaged_tensors


class WeightAverage:
    """An exponential average of the weights of a model (Polyak & Juditsky 1992).

    Running means of a normalisation move with the weights: an average of one without the other
    would fit nothing.

    Args:
        model: the model.
        decay: of the average; 0 for none: then it is the weights as they are.
    """

    def __init__(self, model: Autoencoder, decay: float) -> None:
        self.decay = decay
        self._weights = [tensor.detach() for tensor in averaged_tensors(model).values()]
        self._average = [tensor.clone() for tensor in self._weights]

    def update(self, step: int) -> None:
        """Follow the weights after the update number ``step`` (from 0)."""
        if self.decay:
            # While the run is young the average follows closely, so that it does not remember the
            # random start.
            decay = min(self.decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self._average, self._weights, 1 - decay)

    def tensors(self) -> list[Tensor]:
        """Return the average, to be saved or loaded into."""
        if not self.decay:  # done when it is asked for, not at every step
            with torch.no_grad():
                torch._foreach_copy_(self._average, self._weights)
        return self._average

    @contextmanager
    def in_the_model(self) -> Iterator[None]:
        """Put the average into the model for the block."""
        average = self.tensors()
        raw = [tensor.clone() for tensor in self._weights]
        with torch.no_grad():
            torch._foreach_copy_(self._weights, average)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._weights, raw)
