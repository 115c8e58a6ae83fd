"""What a decoder's output means: the distribution of one event and its negative log-likelihood."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musicvae_lite.noise import Noise


class Categorical(nn.Module):
    """One of ``classes`` classes per step, from logits.

    Attributes:
        size: number of decoder outputs per step (the logits).
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.size = classes

    def nll(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return [B, T] nats for logits [B, T, V] and classes [B, T]; computed in float32."""
        flat = F.cross_entropy(logits.float().flatten(0, 1), target.flatten().long(), reduction="none")
        return flat.view(target.shape)

    def sample(self, logits: Tensor, temperature: float, noise: Noise | None) -> Tensor:
        """Draw [B] classes from softmax(logits / temperature), logits [B, V]; temperature 0 takes the likeliest.

        Raises:
            ValueError: if there is a temperature but no noise to draw with.
        """
        if temperature <= 0:
            return logits.argmax(-1)
        if noise is None:
            raise ValueError("drawing at a temperature above 0 needs noise")
        # Gumbel-max: the argmax of logits plus Gumbel noise is a draw from the softmax.
        uniform = noise.uniform(logits.shape, logits.device).clamp(1e-20, 1 - 1e-7)
        return (logits.float() / temperature - torch.log(-torch.log(uniform))).argmax(-1)


class Bernoulli(nn.Module):
    """Brightness 0..1 of a pixel as the probability that it is lit, from logits."""

    def nll(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return [B] nats, summed over the pixels: the binary cross-entropy; its least value is not 0 for grey pixels."""
        return F.binary_cross_entropy_with_logits(logits.float(), target.float(), reduction="none").flatten(1).sum(1)

    def mean(self, logits: Tensor) -> Tensor:
        """Return the brightness that is expected, shape of ``logits``."""
        return torch.sigmoid(logits.float())


class Gaussian(nn.Module):
    """Brightness of a pixel as a normal variable of one standard deviation, about the sigmoid of the decoder's output.

    Args:
        scale: standard deviation; sqrt(1/2) makes the nats the squared error plus log(pi) / 2 a pixel.
        linear: the decoder's output is the mean itself, not its logit.
    """

    def __init__(self, scale: float, linear: bool = False) -> None:
        super().__init__()
        self.scale = scale
        self.linear = linear

    def nll(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return [B] nats, summed over the pixels."""
        error = (self.location(outputs) - target.float()) / self.scale
        return (0.5 * error.square() + math.log(self.scale * math.sqrt(2 * math.pi))).flatten(1).sum(1)

    def mean(self, outputs: Tensor) -> Tensor:
        """Return the brightness that is expected, in 0..1, shape of ``outputs``."""
        return self.location(outputs).clamp(0, 1)

    def location(self, outputs: Tensor) -> Tensor:
        """Return the mean of the normal distribution."""
        return outputs.float() if self.linear else torch.sigmoid(outputs.float())
