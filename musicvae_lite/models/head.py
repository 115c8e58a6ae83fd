"""The last layer of every encoder: from its vector to a :class:`Latent`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musicvae_lite.latent import Latent


class PosteriorHead(nn.Module):
    """Linear maps of an encoder's vector to the mean and, through softplus, the standard deviation of the posterior."""

    def __init__(self, inputs: int, latent_size: int, start: float = 0.001) -> None:
        super().__init__()
        self.mean = nn.Linear(inputs, latent_size)
        self.scale = nn.Linear(inputs, latent_size)
        for layer in (self.mean, self.scale):  # Magenta's start: close to one posterior for all, no information yet
            nn.init.normal_(layer.weight, std=start)
            nn.init.zeros_(layer.bias)

    def forward(self, h: Tensor) -> Latent:
        """Return the posterior for h [B, D]; in float32, since small scales matter to the KL."""
        with torch.autocast(h.device.type, enabled=False):
            h = h.float()
            return Latent(self.mean(h), log_softplus(self.scale(h)))


class PointHead(nn.Module):
    """A linear map of an encoder's vector to a code without a scale."""

    def __init__(self, inputs: int, latent_size: int) -> None:
        super().__init__()
        self.mean = nn.Linear(inputs, latent_size)

    def forward(self, h: Tensor) -> Latent:
        """Return the code for h [B, D]."""
        return Latent(self.mean(h).float())


class IdentityHead(nn.Module):
    """The encoder's vector itself is the code."""

    def forward(self, h: Tensor) -> Latent:
        """Return the code for h [B, Z]."""
        return Latent(h.float())


def log_softplus(x: Tensor) -> Tensor:
    """Return log(softplus(x)) without -inf: far below zero it is x itself."""
    return torch.where(x < -15, x, F.softplus(x.clamp_min(-15)).log())
