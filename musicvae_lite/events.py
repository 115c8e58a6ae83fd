"""What a training run tells while it goes on."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from musicvae_lite.evaluation import Measures


@dataclass(frozen=True)
class Trained:
    """Means since the last report, sent every ``training.log_every`` steps."""

    step: int
    steps: int
    loss: float
    nll: float
    kl_bits: float
    beta: float
    learning_rate: float
    gradient_norm: float
    examples_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class Validated:
    """Measures on the held-out windows, and whether this is the best model so far."""

    step: int
    measures: Measures
    score: float
    best: bool


@dataclass(frozen=True)
class Notice:
    """Something the user should know; ``warning`` where it calls for action."""

    step: int
    message: str
    warning: bool = True


Event = Trained | Validated | Notice


class Meter:
    """Sums of the terms of the last steps, kept on the device, and the clock."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.sums: Tensor | None = None
        self.count, self.norm = 0, 0.0
        self.seconds, self.started = 0.0, time.perf_counter()

    def restart_clock(self) -> None:
        """Leave the time since the last step (validation, saving) out of the speed."""
        self.started = time.perf_counter()

    def add(self, loss: Tensor, nll: Tensor, kl: Tensor, norm: float) -> None:
        """Count one step: its terms (scalars) and the norm of its gradient."""
        terms = torch.stack([loss, nll, kl])
        self.sums = terms if self.sums is None else self.sums + terms
        self.count += 1
        self.norm = norm
        now = time.perf_counter()
        self.seconds += now - self.started
        self.started = now

    def means(self) -> Tensor:
        """Return the means of loss, nll and kl, [3]."""
        assert self.sums is not None
        return self.sums / self.count

    def examples_per_second(self) -> float:
        """Return the speed of the steps alone."""
        return self.count * self.batch_size / max(self.seconds, 1e-9)
