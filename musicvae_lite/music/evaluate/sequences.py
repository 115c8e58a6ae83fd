"""Measures of a trained model on windows it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicvae_lite.core.autoencoder import Autoencoder, Batch
from musicvae_lite.core.latent import active_units, kl_nats
from musicvae_lite.core.objective import NATS_PER_BIT
from musicvae_lite.core.random import Noise
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.nn.inputs import as_events

#: Gives the control input of some windows [n, T, C], named by a slice or by numbers; None where
#: there is none.
Told = Callable[[Any], NDArray[np.float32] | None]


def nothing_told(rows: Any) -> None:
    """Be the :data:`Told` of models without a control input."""


@dataclass(frozen=True)
class Measures:
    """What is measured of a sequence model; every figure is a mean over windows or their steps.

    Attributes:
        nll_nats: negative log-likelihood of a window, teacher-forced, z sampled from the posterior.
        kl_bits: KL(q(z|x) || N(0, I)) of a window.
        accuracy: steps that are right when z is the posterior mean and each step takes its
            likeliest class, fed back.
        onset_accuracy: the same over the steps at which the input starts a note (right pitch, right
            time).
        exact: windows that are right in every step.
        accuracy_sampled: right steps when z is drawn from the posterior and events at temperature
            1.
        accuracy_forced: right steps when the true past is given (teacher forcing), z the posterior
            mean.
        active_units: latent dimensions whose mean varies over the windows (variance above 0.01;
            Burda et al. 2016); None for one.
        n: windows measured.
        voices: accuracy and onset accuracy of each voice, where there are several; the figures
            above are over all of them.
    """

    nll_nats: float
    kl_bits: float
    accuracy: float
    onset_accuracy: float
    exact: float
    accuracy_sampled: float
    accuracy_forced: float
    active_units: int | None
    n: int
    voices: dict[str, tuple[float, float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, float]:
        """Return the measures that apply, by name.

        Those of a voice as ``accuracy_bass`` and ``onset_accuracy_bass``.
        """
        values = {
            key: value
            for key, value in asdict(self).items()
            if key != "voices" and value is not None
        }
        for voice, (accuracy, onsets) in self.voices.items():
            values |= {f"accuracy_{voice}": accuracy, f"onset_accuracy_{voice}": onsets}
        return values


@torch.inference_mode()
def evaluate_windows(
    model: Autoencoder,
    windows: NDArray[Any],
    seed: int = 0,
    batch_size: int = 256,
    codec: ScoreCodec | None = None,
    inputs: NDArray[Any] | None = None,
    condition: Told = nothing_told,
) -> Measures:
    """Measure ``model`` on windows [N, T] or [N, T, K].

    The draws depend on ``seed`` and the order of the windows alone.

    Args:
        model: of sequences.
        windows: what it should give.
        seed: of the draws.
        batch_size: windows that run together.
        codec: says what starts where; default: of melodies.
        inputs: what the encoder sees, of the same shape; default the windows.
        condition: control input, of a model that needs one; it is asked for a batch at a time.

    Raises:
        ValueError: if there is no window.
    """
    if len(windows) == 0:
        raise ValueError("there is no window to measure")
    codec = MelodyCodec() if codec is None else codec
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    sums: dict[str, NDArray[np.float64]] = {}
    means: list[Tensor] = []
    for start in range(0, len(windows), batch_size):
        part = slice(start, start + batch_size)
        target = as_events(windows[part]).to(device)
        x = target if inputs is None else as_events(inputs[part]).to(device)
        batch = Batch(x, target, condition=on_device(condition(part), device))
        mean, terms = _measure_batch(model, batch, codec, Noise(seed, start))
        means.append(mean)
        for key, value in terms.items():
            sums[key] = sums.get(key, 0.0) + np.asarray(value, np.float64)
    model.train(training)
    n, steps, onsets = len(windows), sums["steps"], np.maximum(sums["onsets"], 1)
    total, starts = steps.sum(), max(1.0, float(sums["onsets"].sum()))
    rates = (sums["right"] / steps, sums["right_onsets"] / onsets)
    several = len(codec.roles) > 1
    return Measures(
        nll_nats=float(sums["nll"]) / n,
        kl_bits=float(sums["kl"]) / NATS_PER_BIT / n,
        accuracy=float(sums["right"].sum() / total),
        onset_accuracy=float(sums["right_onsets"].sum() / starts),
        exact=float(sums["exact"]) / n,
        accuracy_sampled=float(sums["right_sampled"].sum() / total),
        accuracy_forced=float(sums["right_forced"].sum() / total),
        active_units=active_units(torch.cat(means)) if n > 1 else None,
        n=n,
        voices={
            role: (float(right), float(started))
            for role, right, started in zip(codec.roles, *rates, strict=True)
        }
        if several
        else {},
    )


def on_device(condition: NDArray[np.float32] | None, device: torch.device) -> Tensor | None:
    """Return a control input, where there is one, as a tensor."""
    return None if condition is None else torch.from_numpy(condition).to(device)


def _measure_batch(
    model: Autoencoder, batch: Batch, codec: ScoreCodec, noise: Noise
) -> tuple[Tensor, dict[str, Any]]:
    """Return the posterior means [B, Z] and sums over the batch of each measure, those of steps for
    each voice.
    """
    latent = model.encode(batch).latent
    rows, length, told = batch.target.cpu().numpy(), batch.target.shape[1], batch.condition
    sampled = latent.sample(noise)

    valid = codec.valid(rows)[..., None]

    def right(heard: Tensor) -> NDArray[np.bool_]:
        return codec.right(heard.cpu().numpy(), rows) & valid

    heard = model.decode(latent.mean, length, condition=told)
    greedy = right(heard)
    drawn = right(model.decode(sampled, length, temperature=1.0, noise=noise, condition=told))
    starts = codec.onsets(rows)
    return latent.mean.float(), {
        "nll": model.nll(sampled, batch).sum().item(),
        "kl": kl_nats(latent).sum().item(),
        "steps": np.full(greedy.shape[-1], valid.sum()),
        "onsets": starts.sum((0, 1)),
        "right": greedy.sum((0, 1)),
        "right_onsets": codec.onsets_right(heard.cpu().numpy(), rows).sum((0, 1)),
        "exact": (greedy | ~valid).all((1, 2)).sum(),
        "right_sampled": drawn.sum((0, 1)),
        "right_forced": right(model.predict(latent.mean, batch)).sum((0, 1)),
    }
