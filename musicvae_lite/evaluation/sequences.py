"""Measures of a trained model on windows it has not seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicvae_lite.codecs.melody import FIRST_NOTE
from musicvae_lite.latent import active_units
from musicvae_lite.models import Autoencoder, Batch
from musicvae_lite.noise import Noise
from musicvae_lite.objective import NATS_PER_BIT


@dataclass(frozen=True)
class Measures:
    """What is measured of a sequence model; every figure is a mean over windows or their steps.

    Attributes:
        nll_nats: negative log-likelihood of a window, teacher-forced, z sampled from the posterior.
        kl_bits: KL(q(z|x) || N(0, I)) of a window.
        accuracy: steps that are right when z is the posterior mean and each step takes its likeliest class, fed back.
        onset_accuracy: the same over the steps at which the input starts a note (right pitch, right time).
        exact: windows that are right in every step.
        accuracy_sampled: right steps when z is drawn from the posterior and events at temperature 1.
        accuracy_forced: right steps when the true past is given (teacher forcing), z the posterior mean.
        active_units: latent dimensions whose mean varies over the windows (variance above 0.01; Burda et al. 2016).
        n: windows measured.
    """

    nll_nats: float
    kl_bits: float
    accuracy: float
    onset_accuracy: float
    exact: float
    accuracy_sampled: float
    accuracy_forced: float
    active_units: int
    n: int

    def as_dict(self) -> dict[str, float]:
        """Return the measures by name."""
        return asdict(self)


@torch.inference_mode()
def evaluate_windows(model: Autoencoder, windows: NDArray[np.uint8], seed: int = 0, batch_size: int = 256) -> Measures:
    """Measure ``model`` on token windows [N, T]; the draws depend on ``seed`` and the order of the windows alone.

    Raises:
        ValueError: if there is no window.
    """
    if len(windows) == 0:
        raise ValueError("there is no window to measure")
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    sums: dict[str, float] = {}
    means: list[Tensor] = []
    for start in range(0, len(windows), batch_size):
        tokens = torch.from_numpy(windows[start : start + batch_size].astype(np.int64)).to(device)
        mean, terms = _measure_batch(model, Batch(tokens, tokens), Noise(seed, start))
        means.append(mean)
        for key, value in terms.items():
            sums[key] = sums.get(key, 0.0) + value.item()
    model.train(training)
    n, steps, onsets = len(windows), windows.size, max(1, int((windows >= FIRST_NOTE).sum()))
    return Measures(
        nll_nats=sums["nll"] / n,
        kl_bits=sums["kl"] / NATS_PER_BIT / n,
        accuracy=sums["right"] / steps,
        onset_accuracy=sums["right_onsets"] / onsets,
        exact=sums["exact"] / n,
        accuracy_sampled=sums["right_sampled"] / steps,
        accuracy_forced=sums["right_forced"] / steps,
        active_units=active_units(torch.cat(means)),
        n=n,
    )


def _measure_batch(model: Autoencoder, batch: Batch, noise: Noise) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the posterior means [B, Z] and sums over the batch of each measure."""
    latent = model.encode(batch)
    target, length = batch.target, batch.target.shape[1]
    sampled = latent.sample(noise)
    greedy = model.decode(latent.mean, length) == target
    drawn = model.decode(sampled, length, temperature=1.0, noise=noise) == target
    return latent.mean.float(), {
        "nll": model.nll(sampled, batch).sum(),
        "kl": latent.kl().sum(),
        "right": greedy.sum(),
        "right_onsets": (greedy & (target >= FIRST_NOTE)).sum(),
        "exact": greedy.all(1).sum(),
        "right_sampled": drawn.sum(),
        "right_forced": (model.predict(latent.mean, batch) == target).sum(),
    }
