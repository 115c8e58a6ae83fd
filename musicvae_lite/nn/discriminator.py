"""An adversarial prior: a discriminator that makes codes look drawn from N(0, I) (Makhzani et al.
2015).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from musicvae_lite.core.autoencoder import Contest
from musicvae_lite.core.prior import NormalPrior
from musicvae_lite.core.random import Noise
from musicvae_lite.core.shapes import Float


class Adversary(nn.Module):
    """A discriminator on codes.

    Both players learn from one backward pass: the discriminator sees codes cut off from the
    encoder, the encoder a discriminator whose weights are cut off.

    Args:
        latent_size: Z.
        sizes: hidden layers.
        weight: of the encoder's loss.
    """

    def __init__(self, latent_size: int, sizes: Sequence[int], weight: float = 1.0) -> None:
        super().__init__()
        self.weight, self.prior = weight, NormalPrior(latent_size)
        widths = [latent_size, *sizes]
        layers: list[nn.Module] = []
        for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
        self.discriminator = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, z: Float[Tensor, "B Z"], noise: Noise) -> Contest:
        """Let both sides play one round on the codes z [B, Z]."""
        drawn = self.prior.sample(len(z), noise).to(z.device)
        fake, real = self.discriminator(z.detach().float()), self.discriminator(drawn)
        ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
        told = F.binary_cross_entropy_with_logits(real, ones) + F.binary_cross_entropy_with_logits(
            fake, zeros
        )
        frozen = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        taken = functional_call(self.discriminator, frozen, (z.float(),))
        right = ((real > 0).float().mean() + (fake <= 0).float().mean()) / 2
        return Contest(told, F.binary_cross_entropy_with_logits(taken, ones), right)
