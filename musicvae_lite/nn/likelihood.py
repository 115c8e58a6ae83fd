"""What a decoder's output means: the distribution of one event and its negative log-likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musicvae_lite.core.random import Noise
from musicvae_lite.core.shapes import Float, Int
from musicvae_lite.nn.piano_roll import PianoRoll


class Categorical(nn.Module):
    """One of ``classes`` classes per step, from logits.

    Attributes:
        size: number of decoder outputs per step (the logits).
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.size = classes

    def nll(
        self, logits: Float[Tensor, "B T V"], target: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T"]:
        """Return [B, T] nats for logits [B, T, V] and classes [B, T], 0 for the class one past the
        last; computed in float32.
        """
        flat = F.cross_entropy(
            logits.float().flatten(0, 1),
            target.flatten().long(),
            reduction="none",
            ignore_index=self.classes,
        )
        return flat.view(target.shape)

    def sample(self, logits: Tensor, temperature: float, noise: Noise | None) -> Tensor:
        """Draw [B] classes from softmax(logits / temperature), logits [B, V].

        Temperature 0 takes the likeliest.

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


class Joint(nn.Module):
    """Several classes a step, independent given the decoder's state: the three voices of a trio.

    Attributes:
        size: number of decoder outputs per step, the logits of all one after another.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.parts = [Categorical(classes) for classes in sizes]
        self.sizes = list(sizes)
        self.size = sum(sizes)

    def nll(
        self, logits: Float[Tensor, "B T V"], target: Int[Tensor, "B T K"]
    ) -> Float[Tensor, "B T"]:
        """Return [B, T] nats for logits [B, T, V] and classes [B, T, K], summed over K."""
        pieces = zip(
            self.parts, torch.split(logits, self.sizes, -1), target.unbind(-1), strict=True
        )
        return torch.stack([part.nll(own, classes) for part, own, classes in pieces]).sum(0)

    def sample(self, logits: Tensor, temperature: float, noise: Noise | None) -> Tensor:
        """Draw [B, K] classes, logits [B, V]; temperature 0 takes the likeliest of each."""
        pieces = zip(self.parts, torch.split(logits, self.sizes, -1), strict=True)
        return torch.stack([part.sample(own, temperature, noise) for part, own in pieces], -1)


class Nade(nn.Module):
    """Bits of a step, each told of those before it (neural autoregressive distribution estimator,
    Larochelle & Murray 2011).

    With outputs (b, c) of the decoder: ``a = b``; bit i is 1 with probability ``sigmoid(c_i +
    decode_i . sigmoid(a))``, and then ``a`` grows by ``encode_i`` if it is.

    Args:
        bits: number of bits K.
        hidden: size of ``a``.

    Attributes:
        size: number of decoder outputs per step, hidden + K.
    """

    def __init__(self, bits: int, hidden: int) -> None:
        super().__init__()
        self.bits, self.hidden = bits, hidden
        self.size = hidden + bits
        self.encode = nn.Parameter(torch.randn(bits, hidden) / math.sqrt(bits))
        self.decode = nn.Parameter(torch.randn(bits, hidden) / math.sqrt(bits))

    def nll(
        self, outputs: Float[Tensor, "B T V"], target: Int[Tensor, "B T K"]
    ) -> Float[Tensor, "B T"]:
        """Return [B, T] nats for outputs [B, T, hidden + K] and bits [B, T, K].

        Computed in float32, with Magenta's 1e-6.
        """
        bits = target.float()
        start, bias = torch.split(outputs.float(), [self.hidden, self.bits], -1)
        # What the bits before each one add to a: sums over the bits, for all at once.
        added = (
            torch.cumsum(bits.unsqueeze(-1) * self.encode, -2) - bits.unsqueeze(-1) * self.encode
        )
        lit = torch.sigmoid(
            bias + (torch.sigmoid(start.unsqueeze(-2) + added) * self.decode).sum(-1)
        )
        return -torch.where(bits > 0, torch.log(1e-6 + lit), torch.log(1e-6 + 1 - lit)).sum(-1)

    def sample(self, outputs: Tensor, temperature: float, noise: Noise | None) -> Tensor:
        """Draw [B, K] bits, outputs [B, hidden + K].

        Temperature 0 takes the likelier value of each.

        Raises:
            ValueError: if there is a temperature but no noise to draw with.
        """
        if temperature > 0 and noise is None:
            raise ValueError("drawing at a temperature above 0 needs noise")
        a, bias = torch.split(outputs.float(), [self.hidden, self.bits], -1)
        bits = []
        for index in range(self.bits):
            logit = bias[..., index] + torch.sigmoid(a) @ self.decode[index].float()
            if temperature > 0 and noise is not None:
                bit = noise.uniform(logit.shape, logit.device) < torch.sigmoid(logit / temperature)
            else:
                bit = logit >= 0
            a = a + bit.unsqueeze(-1) * self.encode[index].float()
            bits.append(bit)
        return torch.stack(bits, -1).long()


class Groove(nn.Module):
    """Hits, velocities and offsets of K drums a step (GrooVAE, Gillick et al. 2019).

    A hit is 1 with the probability of its logit's sigmoid. Velocity and offset are normal variables
    about the sigmoid and the tanh of their outputs, each with one standard deviation for all; their
    nats leave out the constant ``log(scale sqrt(2 pi))``. So the scale sqrt(1/2) gives Magenta's
    loss: the cross-entropy of the hits plus the squared errors of the rest, where no drum is hit
    too. Smaller scales make the model care more for velocity and timing.

    Args:
        drums: K.
        velocity_scale: standard deviation of velocities (0 to 1).
        offset_scale: standard deviation of offsets (-1 to 1).
        hits_only: velocity and offset count only where the target has a hit, so that they are what
            is expected of a hit, not that times its probability (Magenta); what is drawn has none
            where there is no hit.

    Attributes:
        size: number of decoder outputs per step, 3 K.
    """

    def __init__(
        self,
        drums: int,
        velocity_scale: float = 0.5**0.5,
        offset_scale: float = 0.5**0.5,
        hits_only: bool = False,
    ):
        super().__init__()
        self.drums, self.hits_only = drums, hits_only
        self.velocity_scale, self.offset_scale = velocity_scale, offset_scale
        self.size = 3 * drums

    def nll(
        self, outputs: Float[Tensor, "B T K3"], target: Float[Tensor, "B T K3"]
    ) -> Float[Tensor, "B T"]:
        """Return [B, T] nats for outputs and targets [B, T, 3 K].

        Computed in float32, with Magenta's 1e-7 in the logarithms.
        """
        logits, velocity, offset = self._means(outputs)
        hit, true_velocity, true_offset = target.float().chunk(3, -1)
        lit = torch.sigmoid(logits)
        nats = -hit * torch.log(lit + _EPSILON) - (1 - hit) * torch.log(1 - lit + _EPSILON)
        rest = 0.5 * ((velocity - true_velocity) / self.velocity_scale).square()
        rest = rest + 0.5 * ((offset - true_offset) / self.offset_scale).square()
        return (nats + (rest * hit if self.hits_only else rest)).sum(-1)

    def sample(
        self, outputs: Tensor, temperature: float, noise: Noise | None, given: Tensor | None = None
    ) -> Tensor:
        """Draw steps [B, 3 K], outputs [B, 3 K]: hits alone are drawn.

        Temperature 0 takes those likelier than not.

        ``given`` [B, 3 K] holds the numbers that are not to be drawn, NaN for the others.

        Raises:
            ValueError: if there is a temperature but no noise to draw with.
        """
        logits, velocity, offset = self._means(outputs)
        if temperature <= 0:
            hit = logits > 0
        elif noise is None:
            raise ValueError("drawing at a temperature above 0 needs noise")
        else:
            hit = noise.uniform(logits.shape, logits.device) < torch.sigmoid(logits / temperature)
        step = torch.cat([hit.float(), velocity, offset], -1)
        if given is not None:
            step = torch.where(given.isnan(), step, given.float())
        return step * (step[..., : self.drums] > 0).repeat(1, 3) if self.hits_only else step

    def _means(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, velocity, offset = outputs.float().chunk(3, -1)
        return logits, torch.sigmoid(velocity), torch.tanh(offset)


_EPSILON = 1e-7

#: What may stand at the end of a sequence decoder.
StepLikelihood = Categorical | Joint | Nade | Groove | PianoRoll


class Bernoulli(nn.Module):
    """Brightness 0..1 of a pixel as the probability that it is lit, from logits."""

    def nll(
        self, logits: Float[Tensor, B * shape], target: Float[Tensor, B * shape]
    ) -> Float[Tensor, " B"]:
        """Return [B] nats, summed over the pixels: the binary cross-entropy.

        Its least value is not 0 for grey pixels.
        """
        return (
            F.binary_cross_entropy_with_logits(logits.float(), target.float(), reduction="none")
            .flatten(1)
            .sum(1)
        )

    def mean(self, logits: Tensor) -> Tensor:
        """Return the brightness that is expected, shape of ``logits``."""
        return torch.sigmoid(logits.float())


class Gaussian(nn.Module):
    """Brightness of a pixel as a normal variable of one standard deviation, about the sigmoid of
    the decoder's output.

    Args:
        scale: standard deviation; sqrt(1/2) makes the nats the squared error plus log(pi) / 2 a
            pixel.
        linear: the decoder's output is the mean itself, not its logit.
    """

    def __init__(self, scale: float, linear: bool = False) -> None:
        super().__init__()
        self.scale = scale
        self.linear = linear

    def nll(
        self, outputs: Float[Tensor, B * shape], target: Float[Tensor, B * shape]
    ) -> Float[Tensor, " B"]:
        """Return [B] nats, summed over the pixels."""
        squared = F.mse_loss(self.location(outputs), target.float(), reduction="none").flatten(1)
        constant = squared.shape[1] * math.log(self.scale * math.sqrt(2 * math.pi))
        return squared.sum(1) * (0.5 / self.scale**2) + constant

    def mean(self, outputs: Tensor) -> Tensor:
        """Return the brightness that is expected, in 0..1, shape of ``outputs``."""
        return self.location(outputs).clamp(0, 1)

    def location(self, outputs: Tensor) -> Tensor:
        """Return the mean of the normal distribution."""
        return outputs.float() if self.linear else torch.sigmoid(outputs.float())
