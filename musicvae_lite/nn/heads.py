"""The last layer of every encoder: from its vector to a :class:`Latent`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musicvae_lite.core.latent import Latent
from musicvae_lite.core.shapes import Float


class PosteriorHead(nn.Module):
    """Linear maps of an encoder's vector to the mean and, through softplus, the standard deviation
    of the posterior.

    Args:
        inputs: size of the vector, or of each of several.
        latent_size: Z, or the part of it that comes from each of them.
        start: standard deviation of the weights at first.
        linear: makes a map of so many numbers to so many.
    """

    def __init__(
        self,
        inputs: int,
        latent_size: int,
        start: float = 0.001,
        linear: Callable[[int, int], Any] = nn.Linear,
    ) -> None:
        super().__init__()
        self.mean, self.scale = linear(inputs, latent_size), linear(inputs, latent_size)
        for layer in (
            self.mean,
            self.scale,
        ):  # Magenta's start: close to one posterior for all, no information yet
            nn.init.normal_(layer.weight, std=start)
            nn.init.zeros_(layer.bias)

    def forward(self, h: Float[Tensor, "B *G D"]) -> Latent:
        """Return the posterior for h [B, D] (or [B, G, D]).

        In float32, since small scales matter to the KL.
        """
        with torch.autocast(h.device.type, enabled=False):
            h = h.float()
            return Latent(self.mean(h).flatten(1), log_softplus(self.scale(h)).flatten(1))


class PointHead(nn.Module):
    """A linear map of an encoder's vector to a code without a scale."""

    def __init__(self, inputs: int, latent_size: int) -> None:
        super().__init__()
        self.mean = nn.Linear(inputs, latent_size)

    def forward(self, h: Float[Tensor, "B D"]) -> Latent:
        """Return the code for h [B, D]."""
        return Latent(self.mean(h).float())


class IdentityHead(nn.Module):
    """The encoder's vector itself is the code."""

    def forward(self, h: Float[Tensor, "B Z"]) -> Latent:
        """Return the code for h [B, Z]."""
        return Latent(h.float())


def log_softplus(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return log(softplus(x)) without -inf: far below zero it is x itself."""
    return torch.where(x < -15, x, F.softplus(x.clamp_min(-15)).log())
