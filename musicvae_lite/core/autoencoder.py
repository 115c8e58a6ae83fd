"""The one interface that training and use know of a model, whatever the medium.

Letters in shapes: B batch, T steps, V classes, Z latent size, C channels, H W image.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from musicvae_lite.core.latent import Posterior
from musicvae_lite.core.random import Noise


@dataclass  # not frozen: Fabric sets the fields of a copy when it converts the precision
class Batch:
    """One batch of examples on one device.

    Attributes:
        x: what the encoder sees: [B, T] token classes for sequences, [B, C, H, W] brightness 0..1
            for pictures, [B, N] samples for sound.
        target: what the decoder must give, [B, T], [B, C, H, W] or [B, N].
        length: [B] number of valid steps of each example, or None where all are full.
        condition: what encoder and decoder are told: [B, T, C] control input ([B, G, C] of events
            that are told by time), [B, C] one-hot class of a picture, [B, K] power of the noise
            alone in each band of a sound (NaN rows where it is not known), or None.
    """

    x: Tensor
    target: Tensor
    length: Tensor | None = None
    condition: Tensor | None = None


@dataclass(frozen=True)
class Teacher:
    """What the decoder is told of the target's past while it is trained.

    Attributes:
        sampling: probability that an input is the model's own sample (scheduled sampling, Bengio et
            al. 2015).
        dropout: probability that an input is hidden (word dropout, Bowman et al. 2016).
    """

    sampling: float = 0.0
    dropout: float = 0.0


FORCED = Teacher()


@dataclass(frozen=True)
class Encoding:
    """What an encoder makes of a batch: all that the decoder needs of it.

    Attributes:
        latent: the posterior of each example, mean [B, Z].
        skips: what goes from encoder to decoder beside the code (a U-Net's connections, the
            spectrum that a mask is laid on), each [B, ...]; empty for most models.
    """

    latent: Posterior
    skips: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Contest:
    """What discriminator and encoder pay in one batch, means over its examples.

    Attributes:
        discriminator: binary cross-entropy of telling codes from draws of the prior, nats; its
            gradient reaches the discriminator alone.
        encoder: -log D(code), nats; its gradient reaches the encoder alone.
        accuracy: share of codes and draws that the discriminator tells right; 0.5 is chance.
    """

    discriminator: Tensor
    encoder: Tensor
    accuracy: Tensor


class Discriminator(Protocol):
    """An adversarial prior: a network that learns to tell codes from draws of the prior.

    Attributes:
        weight: of the encoder's loss.
    """

    weight: float

    def __call__(self, z: Tensor, noise: Noise) -> Contest:
        """Compare codes z [B, Z] with as many draws of the prior."""
        ...


class Autoencoder(nn.Module, ABC):
    """An encoder to a latent code and a decoder with a likelihood.

    Attributes:
        latent_size: Z, numbers of a code.
        adversary: the discriminator that shapes the codes in place of a KL term, or None.
        loss_weights: weight of each of :meth:`losses` in what is minimised; 1 where none is named.
    """

    loss_weights: Mapping[str, float] = {}
    latent_size: int
    adversary: Discriminator | None

    @abstractmethod
    def encode(self, batch: Batch) -> Encoding:
        """Return the posterior of each example, mean [B, Z], and what else the decoder needs."""

    @abstractmethod
    def losses(
        self,
        z: Tensor,
        batch: Batch,
        teacher: Teacher = FORCED,
        noise: Noise | None = None,
        skips: tuple[Tensor, ...] = (),
    ) -> dict[str, Tensor]:
        """Return the terms of the reconstruction loss given z [B, Z], [B] each, before weighting.

        The name of a term ends in its unit: ``nll_nats`` is the negative log-likelihood of the
        target. ``skips`` are those of the :class:`Encoding` that z comes from.
        """

    def nll(
        self,
        z: Tensor,
        batch: Batch,
        teacher: Teacher = FORCED,
        noise: Noise | None = None,
        skips: tuple[Tensor, ...] = (),
    ) -> Tensor:
        """Return [B], the weighted sum of :meth:`losses`.

        With ``nll_nats`` alone this is the negative log-likelihood of each target in nats.
        """
        return self.weighted(self.losses(z, batch, teacher, noise, skips))

    def weighted(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of losses by name, [B]."""
        if list(losses) == ["nll_nats"] and not self.loss_weights:
            return losses["nll_nats"]
        weights = self.loss_weights
        return torch.stack([weights.get(name, 1.0) * loss for name, loss in losses.items()]).sum(0)

    @abstractmethod
    def predict(self, z: Tensor, batch: Batch, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the likeliest value of each step (or pixel) given z [B, Z], shape of the target.

        It may use the true steps before it, and the input ``batch.x``: what a denoiser's mask is
        laid on.
        """

    @abstractmethod
    def decode(
        self,
        z: Tensor,
        length: int,
        temperature: float = 0.0,
        noise: Noise | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Return what z [B, Z] decodes to, [B, length, ...].

        Args:
            z: codes.
            length: steps to decode, where the model makes sequences.
            temperature: 0 takes the likeliest value of every step, 1 samples from the likelihood.
            noise: where random numbers come from; needed above temperature 0.
            condition: what the decoder is conditioned on, as :attr:`Batch.condition`.
        """
