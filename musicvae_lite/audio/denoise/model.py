"""The denoiser of sound as an :class:`Autoencoder`: samples in, samples out, the mask network
between their spectra.

Letters in shapes: B batch, N samples, F frequency bins, K bands, T frames, Z latent size, L frames
of the latent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from musicvae_lite.audio.denoise.losses import (
    Agreement,
    agreement,
    magnitude_loss,
    snr_loss,
    worse_loss,
)
from musicvae_lite.audio.denoise.network import MaskNetwork, Shape, features, to_bins
from musicvae_lite.core.autoencoder import FORCED, Autoencoder, Batch, Encoding, Teacher
from musicvae_lite.core.latent import Latent
from musicvae_lite.core.random import Noise
from musicvae_lite.media.spectrum import grid_of, istft, stft

if TYPE_CHECKING:
    from musicvae_lite.config import SpectrogramModel


_NAMES = {"snr": "snr_db", "magnitude": "magnitude", "worse": "worse_db"}  # with their units


class SpectrogramAutoencoder(Autoencoder):
    """A denoiser: ``batch.x`` holds noisy clips, ``batch.target`` the clean ones,
    ``batch.condition`` the noise if it is known.

    Its decoder needs more than the code: the noisy spectrum that the gains are laid on and, where
    the network has skip connections, the features of each level. Both are the ``skips`` of the
    encoding; where a caller has none, they are computed again from ``batch.x``.

    Args:
        network: from features to gains.
        rate: samples per second of the clips.
        losses: weight of each term, ``snr``, ``magnitude`` and ``worse`` (0: left out).
        best_db: signal-to-noise ratio above which nothing is gained.
    """

    def __init__(
        self,
        network: MaskNetwork,
        latent_size: int,
        rate: int,
        losses: Mapping[str, float],
        best_db: float,
    ) -> None:
        super().__init__()
        self.network, self.rate, self.grid = network, rate, grid_of(rate)
        self.latent_size, self.adversary = latent_size, None
        self.loss_weights = {_NAMES[name]: weight for name, weight in losses.items() if weight}
        self.best_db = best_db

    def encode(self, batch: Batch) -> Encoding:
        """Return the code of each clip, mean [B, Z, L]; skips: the spectrum [B, F, T], features."""
        # In float32: powers span more decades than bfloat16 tells apart.
        with torch.autocast(batch.x.device.type, enabled=False):
            spectrum = stft(batch.x.float(), self.grid)
            with torch.no_grad():
                seen = features(spectrum, profile=batch.condition)
        latent, passed = self.network.encode(seen)
        scale = None if latent.log_scale is None else latent.log_scale.float()
        return Encoding(Latent(latent.mean.float(), scale), (spectrum, *passed))

    def gains(
        self, z: Tensor, batch: Batch, skips: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, Tensor]:
        """Return the gains 0..1 [B, K, T] for codes z [B, Z, L] and the noisy spectrum [B, F, T]
        that they are for.
        """
        spectrum, *passed = skips or self.encode(batch).skips
        logits = self.network.decode(z, passed, spectrum.shape[-1])
        return logits.float().sigmoid(), spectrum

    def losses(
        self,
        z: Tensor,
        batch: Batch,
        teacher: Teacher = FORCED,
        noise: Noise | None = None,
        skips: tuple[Tensor, ...] = (),
    ) -> dict[str, Tensor]:
        """Return the terms of :mod:`musicvae_lite.audio.denoise.losses` that have a weight."""
        gain, spectrum = self.gains(z, batch, skips)
        with torch.autocast(gain.device.type, enabled=False):
            against = agreement(spectrum, stft(batch.target.float(), self.grid))
            known: dict[str, Callable[[Tensor, Agreement], Tensor]] = {
                "snr_db": partial(snr_loss, best_db=self.best_db),
                "magnitude": magnitude_loss,
                "worse_db": worse_loss,
            }
            return {name: known[name](gain, against) for name in self.loss_weights}

    def predict(self, z: Tensor, batch: Batch, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the cleaned clips, [B, N]."""
        gain, spectrum = self.gains(z, batch, skips)
        return istft(spectrum * to_bins(gain, self.grid.bins), self.grid, batch.x.shape[-1])

    def decode(
        self,
        z: Tensor,
        length: int,
        temperature: float = 0.0,
        noise: Noise | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Return gains 0..1 [B, length, K] for codes z [B, Z, L], as if the encoder had passed on
        nothing.

        There is no sound without a noisy one for the gains to be laid on; see :meth:`predict`.

        Raises:
            ValueError: if the codes do not reach that far.
        """
        if length > z.shape[-1] * self.network.time_stride:
            raise ValueError(
                f"codes of {z.shape[-1]} steps give {z.shape[-1] * self.network.time_stride} "
                f"frames, not {length}"
            )
        return (
            self.network.decode(z, self.network.nothing_passed(z), length)
            .float()
            .sigmoid()
            .transpose(1, 2)
        )


def build(config: SpectrogramModel, rate: int) -> SpectrogramAutoencoder:
    """Build the model of a preset for clips at ``rate``."""
    shape = Shape(
        config.channels,
        config.blocks,
        config.strides,
        config.latent_size,
        config.dilations,
        config.variational,
        config.skips,
    )
    return SpectrogramAutoencoder(
        MaskNetwork(shape), config.latent_size, rate, config.losses.model_dump(), config.best_db
    )
