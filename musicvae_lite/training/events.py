"""What a training run tells while it goes on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Trained:
    """Means since the last report, sent every ``training.log_every`` steps.

    ``terms``: what else the objective of the model has, such as the discriminator's accuracy.
    """

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
    terms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Validated:
    """Measures on the held-out examples, and whether this is the best model so far."""

    step: int
    measures: dict[str, Any]
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
        self.sums: dict[str, Tensor] = {}
        self.count, self.norm = 0, 0.0
        self.seconds, self.started = 0.0, time.perf_counter()

    def restart_clock(self) -> None:
        """Leave the time since the last step (validation, saving) out of the speed."""
        self.started = time.perf_counter()

    def add(self, terms: dict[str, Tensor], norm: float) -> None:
        """Count one step: its terms (scalars) and the norm of its gradient."""
        for key, value in terms.items():
            self.sums[key] = self.sums[key] + value if key in self.sums else value
        self.count += 1
        self.norm = norm
        now = time.perf_counter()
        self.seconds += now - self.started
        self.started = now

    def means(self) -> dict[str, Tensor]:
        """Return the mean of each term."""
        return {key: value / self.count for key, value in self.sums.items()}

    def examples_per_second(self) -> float:
        """Return the speed of the steps alone."""
        return self.count * self.batch_size / max(self.seconds, 1e-9)
