"""A model of music computed by torch; see :mod:`musicvae_lite.music.engine`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.batched import BLOCK, Blocks, one_thread
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.latent import Latent
from musicvae_lite.core.random import Noise
from musicvae_lite.model_dir.bundle import Bundle
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.engine import EVENTS, PRIOR, Floats
from musicvae_lite.music.model import SequenceAutoencoder
from musicvae_lite.music.prior import MusicPrior, load_prior
from musicvae_lite.music.prior_features import Wish


class TorchEngine:
    """A model on its device, in blocks of one size.

    Args:
        bundle: the model; it stays on the device where it is.
        codec: of its windows.
        name: what messages call it.
    """

    def __init__(self, bundle: Bundle, codec: ScoreCodec, name: str) -> None:
        self.bundle, self.codec, self.name = bundle, codec, name
        self.model, self.prior = bundle.model, bundle.prior
        self.blocks = Blocks(bundle.model, name)
        self.device = self.blocks.device
        self.latent_size = bundle.model.latent_size
        model = bundle.model if isinstance(bundle.model, SequenceAutoencoder) else None
        self.control_size = 0 if model is None else model.control_size
        self.timed = model is not None and model.clock is not None

    def encode(
        self,
        windows: NDArray[Any],
        length: NDArray[np.int64] | None,
        condition: Floats | None,
    ) -> tuple[Floats, Floats]:
        """Return mean and standard deviation [N, Z] of the posterior of windows."""
        arrays = {"x": windows, "target": windows, "length": length, "condition": condition}

        def block(start: int, **rows: Tensor) -> tuple[Tensor, Tensor]:
            latent = self.model.encode(Batch(**rows)).latent
            return latent.mean, latent.scale

        mean, scale = self.blocks.run(block, len(windows), arrays, [(self.latent_size,)] * 2)
        return mean, scale

    def decode(
        self,
        z: Floats,
        temperature: float,
        seed: int,
        condition: Floats | None,
        given: Floats | None,
    ) -> NDArray[Any]:
        """Return windows of points [N, Z]."""
        arrays = {"z": z, "condition": condition, "given": given}

        def block(
            start: int, z: Tensor, condition: Tensor | None = None, **known: Tensor
        ) -> tuple[Tensor]:
            noise = Noise(
                seed, EVENTS, start, world=BLOCK // len(z)
            )  # a smaller block draws the first numbers of a full one
            return (self.model.decode(z, self.codec.steps, temperature, noise, condition, **known),)

        (tokens,) = self.blocks.run(block, len(z), arrays, [self.codec.shape], least=1)
        return tokens

    def draws(self, count: int, seed: int) -> Floats:
        """Return two draws from the prior for each of ``count`` pieces, [count, 2, Z]."""
        noise = Noise(seed, PRIOR)
        drawn: Floats = torch.stack([self.prior.sample(2, noise) for _ in range(count)]).numpy()
        return drawn

    def learned_draws(
        self,
        prior: MusicPrior,
        count: int,
        seed: tuple[int, int],
        wish: Wish,
        control: Floats | None,
    ) -> Floats:
        """Draw codes [N, Z] from a learned prior; draw i is the same for every count above i."""
        first, number = seed
        with one_thread():
            drawn: Floats = prior.sample(count, Noise(first, PRIOR, number), wish, control).numpy()
        return drawn

    def density(self) -> MusicPrior | None:
        """Return the learned prior, which says how likely windows are; None where there is none."""
        return load_prior(self.bundle, self.name)

    def latent(self, mean: Floats, scale: Floats) -> Latent:
        """Return a posterior of tensors."""
        return Latent(torch.from_numpy(mean), torch.from_numpy(scale).clamp_min(1e-38).log())

    def logits(self, z: Floats, windows: NDArray[Any], condition: Floats | None) -> Floats:
        """Return outputs [N, T, V] of each step, given the true steps before it.

        Raises:
            UsageError: the model has none.
        """
        model = self.model
        if not isinstance(model, SequenceAutoencoder):
            raise UsageError(f"{self.name} is no sequence model; it has no logits")
        arrays: dict[str, NDArray[Any] | None] = {"z": z, "x": windows, "condition": condition}

        def block(
            start: int, z: Tensor, x: Tensor, condition: Tensor | None = None
        ) -> tuple[Tensor]:
            return (model.logits(z, Batch(x, x, condition=condition)).float(),)

        size = model.decoder.likelihood.size
        (logits,) = self.blocks.run(block, len(z), arrays, [(windows.shape[1], size)])
        return logits
