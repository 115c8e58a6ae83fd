"""The denoiser of sound as an :class:`Autoencoder`: samples in, samples out, the mask network
between their spectra.

Letters in shapes: B batch, N samples, F frequency bins, K bands, T frames, Z latent size, L frames
of the latent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

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
from musicvae_lite.core.autoencoder import FORCED, Autoencoder, Batch, Teacher
from musicvae_lite.core.latent import Latent
from musicvae_lite.core.random import Noise
from musicvae_lite.media.spectrum import grid_of, istft, stft

if TYPE_CHECKING:
    from musicvae_lite.config import SpectrogramModel


class _Heard(NamedTuple):
    """What the encoder made of a batch: its input, its spectrum [B, F, T] and what each level
    passes on.
    """

    x: Tensor
    spectrum: Tensor
    latent: Latent
    passed: list[Tensor]


class SpectrogramAutoencoder(Autoencoder):
    """A denoiser: ``batch.x`` holds noisy clips, ``batch.target`` the clean ones,
    ``batch.condition`` the noise if it is known.

    Its decoder needs more than the code: the noisy spectrum that the gains are laid on and, with
    ``skips``, what the encoder passed on. :meth:`encode` keeps that for the call of :meth:`nll` or
    :meth:`predict` with the same batch that follows, which takes it away (nothing is kept from step
    to step); any other call computes it again from ``batch.x``.

    Args:
        network: from features to gains.
        rate: samples per second of the clips.
        losses: weight of each term, ``snr``, ``magnitude`` and ``worse``.
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
        self.losses, self.best_db = dict(losses), best_db
        self._heard: _Heard | None = None

    def encode(self, batch: Batch) -> Latent:
        """Return the code of each clip, mean [B, Z, L]."""
        self._heard = heard = self._hear(batch)
        return heard.latent

    def _hear(self, batch: Batch) -> _Heard:
        with torch.autocast(
            batch.x.device.type, enabled=False
        ):  # powers span more decades than bfloat16 tells apart
            spectrum = stft(batch.x.float(), self.grid)
            with torch.no_grad():
                seen = features(spectrum, profile=batch.condition)
        latent, passed = self.network.encode(seen)
        scale = None if latent.log_scale is None else latent.log_scale.float()
        return _Heard(batch.x, spectrum, Latent(latent.mean.float(), scale), passed)

    def gains(self, z: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the gains 0..1 [B, K, T] for codes z [B, Z, L] and the noisy spectrum [B, F, T]
        that they are for.
        """
        kept, self._heard = self._heard, None
        heard = kept if kept is not None and kept.x is batch.x else self._hear(batch)
        logits = self.network.decode(z, heard.passed, heard.spectrum.shape[-1])
        return logits.float().sigmoid(), heard.spectrum

    def terms(self, z: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of the loss by name, [B] each, before they are weighted."""
        gain, spectrum = self.gains(z, batch)
        with torch.autocast(gain.device.type, enabled=False):
            against = agreement(spectrum, stft(batch.target.float(), self.grid))
            known: dict[str, Callable[[Tensor, Agreement], Tensor]] = {
                "snr": partial(snr_loss, best_db=self.best_db),
                "magnitude": magnitude_loss,
                "worse": worse_loss,
            }
            return {
                name: known[name](gain, against) for name, weight in self.losses.items() if weight
            }

    def nll(
        self, z: Tensor, batch: Batch, teacher: Teacher = FORCED, noise: Noise | None = None
    ) -> Tensor:
        """Return [B], the weighted sum of :meth:`terms`: decibels and distances, no nats."""
        terms = self.terms(z, batch)
        return torch.stack([self.losses[name] * value for name, value in terms.items()]).sum(0)

    def predict(self, z: Tensor, batch: Batch) -> Tensor:
        """Return the cleaned clips, [B, N]."""
        gain, spectrum = self.gains(z, batch)
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
