"""Where codes are drawn from: the prior p(z) of a model.

A variational autoencoder is trained against N(0, I), but the codes of real examples do not fill it
(the "hole" of Rezende & Viola 2018), so that a draw from it may be like no example. A learned prior
draws where examples are. Letters in shapes: N draws, Z latent size, T steps of time, C numbers of a
condition.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from musicvae_lite.core.random import Noise
from musicvae_lite.core.shapes import Float


class Prior(Protocol):
    """A distribution over codes that can be drawn from."""

    def sample(self, count: int, noise: Noise, condition: Tensor | None = None) -> Tensor:
        """Draw codes [N, Z], float32, on the CPU.

        Args:
            count: N.
            noise: where the random numbers come from.
            condition: what the draws are to be like [N, T, C], for a prior that is conditional.
        """
        ...


@runtime_checkable
class Density(Protocol):
    """A prior that can say how likely a code is."""

    def log_prob(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return log p(z) of codes [N, Z] in nats, [N]."""
        ...


class NormalPrior:
    """N(0, I), what the KL term of a variational autoencoder pulls the codes to.

    Args:
        latent_size: Z.
    """

    def __init__(self, latent_size: int) -> None:
        self.latent_size = latent_size

    def sample(
        self, count: int, noise: Noise, condition: Tensor | None = None
    ) -> Float[Tensor, "N Z"]:
        """Draw codes [N, Z]; a condition changes nothing."""
        return noise.normal((count, self.latent_size), torch.device("cpu"))

    def log_prob(
        self, z: Float[Tensor, "N Z"], condition: Tensor | None = None
    ) -> Float[Tensor, " N"]:
        """Return log N(z; 0, I) of codes [N, Z] in nats, [N]."""
        return -0.5 * (z.square().sum(1) + z.shape[1] * math.log(2 * math.pi))
