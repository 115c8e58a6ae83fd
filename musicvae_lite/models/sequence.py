"""Autoencoder of event sequences (MusicVAE, Roberts et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from musicvae_lite.latent import Latent
from musicvae_lite.models import FORCED, Autoencoder, Batch, Teacher
from musicvae_lite.models.head import PosteriorHead
from musicvae_lite.models.likelihood import Categorical
from musicvae_lite.models.lstm import LstmDecoder, LstmEncoder
from musicvae_lite.noise import Noise

if TYPE_CHECKING:
    from musicvae_lite.config import SequenceModel


class SequenceAutoencoder(Autoencoder):
    """Encoder, posterior head and decoder of token sequences."""

    def __init__(self, encoder: LstmEncoder, decoder: LstmDecoder, latent_size: int) -> None:
        super().__init__()
        self.latent_size = latent_size
        self.adversary = None
        self.encoder = encoder
        self.head = PosteriorHead(encoder.output_size, latent_size)
        self.decoder = decoder

    def encode(self, batch: Batch) -> Latent:
        """Return the posterior of each sequence, mean [B, Z]."""
        latent: Latent = self.head(self.encoder(batch.x, batch.length))
        return latent

    def logits(self, z: Tensor, batch: Batch, teacher: Teacher = FORCED, noise: Noise | None = None) -> Tensor:
        """Return logits [B, T, V] over the targets."""
        return self.decoder.run(z, batch.target, teacher, noise, batch.condition)

    def nll(self, z: Tensor, batch: Batch, teacher: Teacher = FORCED, noise: Noise | None = None) -> Tensor:
        """Return [B] nats, summed over the valid steps."""
        nats = self.decoder.likelihood.nll(self.logits(z, batch, teacher, noise), batch.target)
        if batch.length is not None:
            steps = torch.arange(nats.shape[1], device=nats.device)
            nats = nats * (steps < batch.length.unsqueeze(1))
        return nats.sum(1)

    def predict(self, z: Tensor, batch: Batch) -> Tensor:
        """Return the likeliest class of each step under teacher forcing, [B, T]."""
        return self.logits(z, batch).argmax(-1)

    def decode(
        self,
        z: Tensor,
        length: int,
        temperature: float = 0.0,
        noise: Noise | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Return token classes [B, length]."""
        return self.decoder.sample(z, length, temperature, noise, condition)


def build(config: SequenceModel, classes: int, steps: int) -> SequenceAutoencoder:
    """Build the model of a preset for a codec of ``classes`` token classes and ``steps`` steps a window."""
    encoder = LstmEncoder(
        classes,
        config.encoder.sizes,
        token_size=config.encoder.token_size,
        readout=config.encoder.readout,
        readout_size=config.encoder.readout_size,
        length=steps,
        dropout=config.dropout,
    )
    decoder = LstmDecoder(
        Categorical(classes),
        config.latent_size,
        config.decoder.sizes,
        token_size=config.decoder.token_size,
        plan_size=config.decoder.plan_size,
        position_size=config.decoder.position_size,
        length=steps,
        dropout=config.dropout,
    )
    return SequenceAutoencoder(encoder, decoder, config.latent_size)
