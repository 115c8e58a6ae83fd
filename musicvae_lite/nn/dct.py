"""z as the cosine transform of what is read of the segments: one part of it for each wave, with
linear maps of its own.

What all segments of a piece share is then said once, in the first part, and the maps have as many
weights as those of one segment for each wave, not for each pair of segments.

Letters in shapes: S segments and waves, V voices, K numbers that are read of a segment of a voice.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from musicvae_lite.core.latent import Latent
from musicvae_lite.nn.heads import PosteriorHead


def cosines(size: int) -> Tensor:
    """Return the orthonormal cosine transform (DCT-II; Ahmed, Natarajan & Rao 1974) as a matrix,
    [waves, places].
    """
    place = torch.arange(size, dtype=torch.float64)
    waves = torch.cos(math.pi * (place + 0.5) * place[:, None] / size)
    return nn.functional.normalize(waves, dim=1).float()


class GroupedLinear(nn.Module):
    """A linear map for each of G groups of numbers."""

    def __init__(self, groups: int, inputs: int, outputs: int) -> None:
        super().__init__()
        layers = [nn.Linear(inputs, outputs) for _ in range(groups)]
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, G, outputs] for x [B, G, inputs]."""
        return torch.einsum("bgi,goi->bgo", x, self.weight) + self.bias


class SpectralHead(PosteriorHead):
    """From each wave of an encoder's vectors to its part of the posterior.

    Args:
        inputs: size of the encoder's output, V * S * K in that order.
        latent_size: Z, a multiple of S.
        segments: S.
        voices: V.
        start: standard deviation of the weights at first.
    """

    def __init__(
        self, inputs: int, latent_size: int, segments: int, voices: int = 1, start: float = 0.001
    ) -> None:
        super().__init__(
            inputs // segments, latent_size // segments, start, partial(GroupedLinear, segments)
        )
        self.voices, self.segments = voices, segments
        self.register_buffer("cosines", cosines(segments), persistent=False)

    def forward(self, h: Tensor) -> Latent:
        """Return the posterior for h [B, V * S * K]; in float32, the transform too."""
        with torch.autocast(h.device.type, enabled=False):
            each = h.float().view(h.shape[0], self.voices, self.segments, -1)
            return super().forward(torch.einsum("fs,bvsk->bfvk", self.cosines, each).flatten(2))


class SpectralPlan(nn.Module):
    """From each part of z [B, Z] by a linear map to a wave, and from the waves to a vector of each
    segment, [B, S * size].
    """

    def __init__(self, latent_size: int, segments: int, size: int) -> None:
        super().__init__()
        self.segments = segments
        self.register_buffer("cosines", cosines(segments), persistent=False)
        self.maps = GroupedLinear(segments, latent_size // segments, size)

    def forward(self, z: Tensor) -> Tensor:
        """Return [B, S * size] for z [B, Z]."""
        waves = self.maps(z.view(z.shape[0], self.segments, -1))
        return torch.einsum("fs,bfp->bsp", self.cosines, waves).flatten(1)
