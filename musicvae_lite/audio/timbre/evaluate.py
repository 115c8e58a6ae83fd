"""Measures of a model of timbre.

Letters in shapes: B batch, N samples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from musicvae_lite.audio.denoise.evaluate import log_spectral_distance_db
from musicvae_lite.core.autoencoder import Autoencoder, Batch
from musicvae_lite.core.errors import NothingUsableError
from musicvae_lite.core.latent import active_units, kl_nats
from musicvae_lite.core.objective import NATS_PER_BIT
from musicvae_lite.core.random import Noise


@dataclass(frozen=True)
class TimbreMeasures:
    """What is measured of a model of timbre.

    Figures of a clip are means over the clips, distances over those with sound.

    Attributes:
        n: clips measured.
        lsd_db: log-spectral distance of the reconstruction, which has the levels at the posterior
            mean and the clip's phases.
        silent_lsd_db: the same distance of silence, for comparison.
        nll_nats: negative log-likelihood of a clip's levels at one draw from the posterior (a
            density: below 0 is usual).
        kl_bits: KL(q(z|x) || N(0, I)) of a clip.
        elbo_nats: lower bound on the log-likelihood.
        active_units: latent dimensions whose mean varies (variance above 0.01); None for one clip.
    """

    n: int
    lsd_db: float
    silent_lsd_db: float
    nll_nats: float
    kl_bits: float
    elbo_nats: float
    active_units: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return the measures that apply, by name."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@torch.inference_mode()
def evaluate_timbre(model: Autoencoder, batches: Iterable[Batch], seed: int) -> TimbreMeasures:
    """Measure a model on clips, in evaluation mode and on its device.

    Raises:
        NothingUsableError: if there is no clip, or all are silent.
    """
    training = model.training
    model.eval()
    means: list[torch.Tensor] = []
    sums = torch.zeros(2, dtype=torch.float64)
    distance = silent = 0.0
    sounding = 0
    for number, batch in enumerate(batches):
        latent = model.encode(batch).latent
        z = latent.sample(Noise(seed, number, device=batch.x.device))
        sums += torch.stack(
            [part.cpu().double().sum() for part in (model.nll(z, batch), kl_nats(latent))]
        )
        means.append(latent.mean)
        made, wanted = model.predict(latent.mean, batch).cpu().numpy(), batch.target.cpu().numpy()
        for one, other in zip(made, wanted, strict=True):
            if other.any():  # a distance to silence is infinite
                sounding += 1
                distance += log_spectral_distance_db(one, other)
                silent += log_spectral_distance_db(0 * one, other)
    model.train(training)
    if not sounding:
        raise NothingUsableError("there is no clip to measure: all that were drawn are silent")
    codes = torch.cat(means)
    count = len(codes)
    nll, kl = (sums / count).tolist()
    active = active_units(codes) if count > 1 else None
    return TimbreMeasures(
        count, distance / sounding, silent / sounding, nll, kl / NATS_PER_BIT, -(nll + kl), active
    )
