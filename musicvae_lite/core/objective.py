"""What training minimises: reconstruction plus a scheduled charge on the KL divergence, shared by
every model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from torch import Tensor

from musicvae_lite.core.shapes import Float

Shape = Literal["constant", "linear", "cosine", "exponential", "cyclic", "inverse-sigmoid"]

NATS_PER_BIT = math.log(2)


@dataclass(frozen=True)
class Schedule:
    """A number that depends on the global training step alone.

    Attributes:
        start: value at step 0.
        end: value from step ``warmup + steps`` on (approached, for ``exponential`` and
            ``inverse-sigmoid``).
        steps: length of the way from start to end; for ``cyclic`` the length of one cycle. 0 gives
            ``end`` throughout.
        shape: ``constant`` (``end``), ``linear``, ``cosine`` (half a cosine), ``exponential``
            (``end + (start - end) * rate^step``, Magenta's decay and KL annealing), ``cyclic``
            (linear over the first half of each cycle, then held; Fu et al. 2019),
            ``inverse-sigmoid`` (``1 - rate / (rate + exp(step / rate))`` of the way; Bengio et al.
            2015).
        rate: the rate of ``exponential`` (in [0, 1]) and ``inverse-sigmoid`` (at least 1).
        warmup: steps of linear warm-up from 0 that come first; the shape starts after them.
    """

    start: float = 0.0
    end: float = 1.0
    steps: int = 0
    shape: Shape = "constant"
    rate: float = 0.0
    warmup: int = 0

    def __post_init__(self) -> None:
        if self.shape not in get_args(Shape):
            raise ValueError(
                f"unknown schedule shape {self.shape!r}; valid: {', '.join(get_args(Shape))}"
            )
        if self.steps < 0 or self.warmup < 0:
            raise ValueError("a schedule's steps and warmup are at least 0")
        if self.shape == "exponential" and not 0 <= self.rate <= 1:
            raise ValueError(f"the rate of an exponential schedule lies in [0, 1], not {self.rate}")
        if self.shape == "inverse-sigmoid" and self.rate < 1:
            raise ValueError(
                f"the rate of an inverse-sigmoid schedule is at least 1, not {self.rate}"
            )

    def __call__(self, step: int) -> float:
        """Return the value at ``step`` (0 before the first update)."""
        if step < self.warmup:
            return self._first() * step / self.warmup
        return self.start + (self.end - self.start) * self._progress(step - self.warmup)

    def _first(self) -> float:
        return self.start + (self.end - self.start) * self._progress(0)

    def _progress(self, step: int) -> float:
        if self.shape == "exponential":
            return 1.0 - self.rate**step
        if self.shape == "inverse-sigmoid":
            # 1 - k / (k + e^x) written so that e^x cannot overflow.
            return 1.0 / (1.0 + self.rate * math.exp(-step / self.rate))
        if self.shape == "constant" or self.steps == 0:
            return 1.0
        if self.shape == "cyclic":
            return min(1.0, 2.0 * (step % self.steps) / self.steps)
        progress = min(1.0, step / self.steps)
        return 0.5 - 0.5 * math.cos(math.pi * progress) if self.shape == "cosine" else progress


@dataclass(frozen=True)
class Loss:
    """The terms of one batch, means over its examples, in nats (or the unit of the model's
    reconstruction term).

    Attributes:
        total: what is minimised, ``nll + beta * kl_charged``; carries the gradient.
        nll: reconstruction term per example.
        kl: whole KL divergence per example.
        kl_charged: the part of it above the free bits.
        beta: weight of the charged KL at this step.
        penalties: what else the codes cost, by name.
    """

    total: Tensor
    nll: Tensor
    kl: Tensor
    kl_charged: Tensor
    beta: float
    penalties: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Objective:
    """``mean(nll) + beta(step) * mean(charged KL)``: beta-VAE (Higgins et al. 2017) with free bits
    (Kingma et al. 2016).

    Attributes:
        beta: weight of the KL term by step.
        free_bits: bits that cost nothing.
        per: ``total``: one budget for the whole latent of an example, ``max(sum(kl) - free, 0)``
            (what Magenta's code does, though its comment says otherwise); ``dim``: a budget for
            each dimension, ``sum(max(kl - free, 0))``.
    """

    beta: Schedule
    free_bits: float = 0.0
    per: Literal["total", "dim"] = "total"

    def __call__(
        self, nll: Float[Tensor, " B"], penalties: Mapping[str, Tensor], step: int
    ) -> Loss:
        """Weigh the terms of a batch.

        Args:
            nll: [B] reconstruction term of each example, see ``Autoencoder.nll``.
            penalties: what the codes cost, see ``Posterior.penalties``: ``kl_nats`` [B, ...] is
                charged, others [B, ...] are added as they are.
            step: global step, 0 for the first update.
        """
        beta = self.beta(step)
        nll_mean = nll.mean()
        kl = penalties.get("kl_nats")
        kl_mean = charged_mean = nll_mean.new_zeros(())
        if kl is not None:
            kl_mean, charged_mean = self._charge(kl.flatten(1))
        total = nll_mean + beta * charged_mean
        others = {name: cost.mean() for name, cost in penalties.items() if name != "kl_nats"}
        for cost in others.values():
            total = total + cost
        return Loss(total, nll_mean, kl_mean, charged_mean, beta, others)

    def _charge(self, kl: Float[Tensor, "B D"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return the mean KL of an example [B, D] and the mean of what exceeds its free bits."""
        free_nats = self.free_bits * NATS_PER_BIT
        raw = kl.sum(1)
        if not self.free_bits:
            mean = raw.mean()
            return mean, mean
        if self.per == "total":
            charged = (raw - free_nats).clamp_min(0)
        else:
            charged = (kl - free_nats).clamp_min(0).sum(1)
        return raw.mean(), charged.mean()
