"""Models: the one interface that training and use know, and how a preset's settings become a model.

Letters in shapes: B batch, T steps, V classes, Z latent size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from musicvae_lite.latent import Latent
from musicvae_lite.noise import Noise

if TYPE_CHECKING:
    from musicvae_lite.config import ModelConfig


@dataclass  # not frozen: Fabric sets the fields of a copy when it converts the precision
class Batch:
    """One batch of examples on one device.

    Attributes:
        x: what the encoder sees, [B, T] token classes for sequences.
        target: what the decoder must give, [B, T].
        length: [B] number of valid steps of each example, or None where all are full.
        condition: [B, T, C] control input, or None.
    """

    x: Tensor
    target: Tensor
    length: Tensor | None = None
    condition: Tensor | None = None


@dataclass(frozen=True)
class Teacher:
    """What the decoder is told of the target's past while it is trained.

    Attributes:
        sampling: probability that an input is the model's own sample (scheduled sampling, Bengio et al. 2015).
        dropout: probability that an input is hidden (word dropout, Bowman et al. 2016).
    """

    sampling: float = 0.0
    dropout: float = 0.0


FORCED = Teacher()


class Autoencoder(nn.Module, ABC):
    """An encoder to a :class:`Latent` and a decoder with a likelihood."""

    latent_size: int

    @abstractmethod
    def encode(self, batch: Batch) -> Latent:
        """Return the posterior of each example, mean [B, Z]."""

    @abstractmethod
    def nll(self, z: Tensor, batch: Batch, teacher: Teacher = FORCED, noise: Noise | None = None) -> Tensor:
        """Return [B], the negative log-likelihood of each target given z [B, Z] in nats."""

    @abstractmethod
    def predict(self, z: Tensor, batch: Batch) -> Tensor:
        """Return the likeliest value of each step given z [B, Z] and the true steps before it, shape of the target."""

    @abstractmethod
    def decode(
        self,
        z: Tensor,
        length: int,
        temperature: float = 0.0,
        noise: Noise | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Return what z [B, Z] decodes to, [B, length, ...]; temperature 0 takes the likeliest value of every step.

        ``noise`` is needed where something is drawn: a temperature above 0, a teacher that samples or hides.
        """


def build_model(config: ModelConfig, classes: int, steps: int) -> Autoencoder:
    """Build the model that ``config`` describes for a codec of ``classes`` classes a step and ``steps`` steps a window."""
    from musicvae_lite.models import sequence

    return sequence.build(config, classes, steps)
