"""Measures of a denoiser of sound.

Letters in shapes: C channels, N samples, F bins, T frames.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.core.autoencoder import Autoencoder, Batch
from musicvae_lite.core.errors import NothingUsableError
from musicvae_lite.core.latent import kl_nats
from musicvae_lite.core.objective import NATS_PER_BIT

Signal = NDArray[Any]

# Of the log-spectral distance.
LSD_WINDOW, LSD_HOP, LSD_FLOOR_DB = 2048, 512, -80.0

_LIMIT_DB = 120.0  # of every ratio: equal signals would have an infinite one


def si_sdr_db(estimate: Signal, reference: Signal) -> float:
    """Return the scale-invariant signal-to-distortion ratio (Le Roux et al. 2019, "SDR - half-baked
    or well done?").

    10 log10(|a r|^2 / |a r - e|^2) with a = <e, r> / |r|^2; the mean is not removed. Channels count
    as one long signal with one scale. Cut to -120..120.

    Args:
        estimate: [N] or [C, N].
        reference: of the same shape.

    Raises:
        ValueError: for different shapes, or a silent reference.
    """
    e, r = _flat(estimate, reference)
    scaled = (e @ r) / (r @ r) * r
    return _ratio_db(float(scaled @ scaled), float(np.square(scaled - e).sum()))


def sdr_db(estimate: Signal, reference: Signal) -> float:
    """Return the plain signal-to-distortion ratio, 10 log10(|r|^2 / |r - e|^2).

    Arguments as for :func:`si_sdr_db`.
    """
    e, r = _flat(estimate, reference)
    return _ratio_db(float(r @ r), float(np.square(r - e).sum()))


def log_spectral_distance_db(estimate: Signal, reference: Signal) -> float:
    """Return how far apart two spectra are in dB, the size of the residual noise that an ear hears
    between notes.

    d(f, t) = 20 log10((|E| + floor) / (|R| + floor)), magnitudes of a transform with a periodic
    Hann window of 2048 samples every 512, frames centred from the first sample on, silence around
    the signal; the floor lies 80 dB below the largest |R|. The distance is the root of the mean
    square of d over the frequencies, its mean over frames and channels.

    Args:
        estimate: [N] or [C, N].
        reference: of the same shape.

    Raises:
        ValueError: for different shapes, or a silent reference.
    """
    _flat(estimate, reference)
    of_estimate, of_reference = _magnitudes(estimate), _magnitudes(reference)
    floor = of_reference.max() * 10 ** (LSD_FLOOR_DB / 20)
    distance = 20 * ((of_estimate + floor) / (of_reference + floor)).log10()
    return float(distance.square().mean(1).sqrt().mean())


def _magnitudes(signal: Signal) -> torch.Tensor:
    """Return [C, F, T]."""
    samples = torch.from_numpy(np.ascontiguousarray(np.atleast_2d(signal), np.float32))
    window = torch.hann_window(LSD_WINDOW)
    return torch.stft(
        samples, LSD_WINDOW, LSD_HOP, window=window, pad_mode="constant", return_complex=True
    ).abs()


def _flat(estimate: Signal, reference: Signal) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if estimate.shape != reference.shape:
        raise ValueError(
            f"estimate and reference have different shapes: {estimate.shape}, {reference.shape}"
        )
    e, r = (np.asarray(signal, np.float64).ravel() for signal in (estimate, reference))
    if not r.any():
        raise ValueError("the reference is silent")
    return e, r


def _ratio_db(signal: float, distortion: float) -> float:
    if signal <= 0:
        return -_LIMIT_DB
    if distortion <= 0:
        return _LIMIT_DB
    return float(np.clip(10 * math.log10(signal / distortion), -_LIMIT_DB, _LIMIT_DB))


@dataclass(frozen=True)
class ClipMeasures:
    """What is measured of one noisy clip.

    Attributes:
        name: of the clip.
        noise: kind of noise.
        snr_db: signal-to-noise ratio it was mixed at.
        input_si_sdr_db: of the noisy clip.
        si_sdr_db: of what the denoiser made of it.
        sdr_db: the plain ratio of the same.
        input_lsd_db: log-spectral distance of the noisy clip.
        lsd_db: of what the denoiser made of it.
    """

    name: str
    noise: str
    snr_db: float
    input_si_sdr_db: float
    si_sdr_db: float
    sdr_db: float
    input_lsd_db: float
    lsd_db: float

    @property
    def improvement_db(self) -> float:
        """SI-SDR improvement."""
        return self.si_sdr_db - self.input_si_sdr_db


def measure_clip(
    clean: Signal,
    noisy: Signal,
    denoised: Signal,
    name: str = "",
    noise: str = "",
    snr_db: float = 0.0,
) -> ClipMeasures:
    """Measure one clip; signals [N] or [C, N].

    Raises:
        ValueError: for different shapes, or where the clean clip is silent.
    """
    return ClipMeasures(
        name=name,
        noise=noise,
        snr_db=snr_db,
        input_si_sdr_db=si_sdr_db(noisy, clean),
        si_sdr_db=si_sdr_db(denoised, clean),
        sdr_db=sdr_db(denoised, clean),
        input_lsd_db=log_spectral_distance_db(noisy, clean),
        lsd_db=log_spectral_distance_db(denoised, clean),
    )


@dataclass(frozen=True)
class SoundMeasures:
    """What is measured of a denoiser on a set of clips; plain figures are means over clips.

    Attributes:
        n: clips.
        si_sdr_improvement_db: SI-SDR of the output less that of the input.
        si_sdr_db: of the output.
        sdr_db: of the output.
        lsd_db: log-spectral distance of the output (:func:`log_spectral_distance_db`).
        input_lsd_db: of the input.
        worst_db: the smallest SI-SDR improvement of a clip.
        worst_clip: its name, noise and SNR.
        worse_share: share of the clips that came out worse than they went in.
        by_noise: mean improvement by kind of noise.
        by_snr: mean improvement by SNR in dB.
        real_time_factor: seconds of sound for each second of computing; None where it was not
            timed.
        clean_si_sdr_db: mean SI-SDR of clean clips that were cleaned; None where that was not
            tried.
        clean_worst_db: the smallest of them.
    """

    n: int
    si_sdr_improvement_db: float
    si_sdr_db: float
    sdr_db: float
    lsd_db: float
    input_lsd_db: float
    worst_db: float
    worst_clip: str
    worse_share: float
    by_noise: dict[str, float]
    by_snr: dict[str, float]
    real_time_factor: float | None = None
    clean_si_sdr_db: float | None = None
    clean_worst_db: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the measures that apply, by name."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def summarise(
    clips: Sequence[ClipMeasures], real_time_factor: float | None = None
) -> SoundMeasures:
    """Bring the measures of clips together.

    Raises:
        NothingUsableError: if there is none.
    """
    if not clips:
        raise NothingUsableError(
            "there is no clip to measure: there is none, or the clean one is silent"
        )
    worst = min(clips, key=lambda clip: clip.improvement_db)

    def mean(value: Callable[[ClipMeasures], float]) -> float:
        return sum(map(value, clips)) / len(clips)

    return SoundMeasures(
        n=len(clips),
        si_sdr_improvement_db=mean(lambda clip: clip.improvement_db),
        si_sdr_db=mean(lambda clip: clip.si_sdr_db),
        sdr_db=mean(lambda clip: clip.sdr_db),
        lsd_db=mean(lambda clip: clip.lsd_db),
        input_lsd_db=mean(lambda clip: clip.input_lsd_db),
        worst_db=worst.improvement_db,
        worst_clip=f"{worst.name} ({worst.noise}, {worst.snr_db:g} dB)",
        worse_share=mean(lambda clip: float(clip.improvement_db < 0)),
        by_noise=group_means(clips, lambda clip: clip.noise),
        by_snr={
            f"{snr:g}": value for snr, value in group_means(clips, lambda clip: clip.snr_db).items()
        },
        real_time_factor=real_time_factor,
    )


def group_means(
    clips: Iterable[ClipMeasures],
    group: Callable[[ClipMeasures], Any],
    value: Callable[[ClipMeasures], float] = lambda clip: clip.improvement_db,
) -> dict[Any, float]:
    """Return the mean of ``value`` for each value of ``group``, in sorted order."""
    found: dict[Any, list[float]] = {}
    for clip in clips:
        found.setdefault(group(clip), []).append(value(clip))
    return {key: sum(found[key]) / len(found[key]) for key in sorted(found)}


def real_time_factor(audio_seconds: float, computing_seconds: float) -> float:
    """Return how many seconds of sound are worked through in a second."""
    return audio_seconds / max(computing_seconds, 1e-9)


@dataclass(frozen=True)
class Example:
    """A clip to clean and what it should become, [C, N] each, with its name, kind of noise and
    rate.
    """

    name: str
    noise: str
    rate: int
    clean: Signal
    noisy: Signal


def evaluate_examples(
    examples: Iterable[Example], denoise: Callable[[Signal, int], Signal], clean_every: int = 4
) -> SoundMeasures:
    """Measure ``denoise(samples [C, N], rate)``.

    Every ``clean_every``-th clean clip goes through it, too.

    Raises:
        NothingUsableError: if there is no clip, or all are silent.
    """
    clips: list[ClipMeasures] = []
    passed: list[float] = []
    seconds = computing = 0.0
    for example in examples:
        if not np.any(example.clean):
            continue
        begun = time.perf_counter()
        output = denoise(example.noisy, example.rate)
        computing += time.perf_counter() - begun
        seconds += example.noisy.shape[-1] / example.rate
        if len(clips) % clean_every == 0:
            passed.append(si_sdr_db(denoise(example.clean, example.rate), example.clean))
        snr = near_snr_db(example.clean, example.noisy)
        clips.append(
            measure_clip(example.clean, example.noisy, output, example.name, example.noise, snr)
        )
    found = summarise(clips, real_time_factor(seconds, computing))
    return replace(found, clean_si_sdr_db=sum(passed) / len(passed), clean_worst_db=min(passed))


@torch.inference_mode()
def evaluate_batches(
    model: Autoencoder, batches: Iterable[tuple[Batch, Sequence[str]]], rate: int
) -> tuple[SoundMeasures, float, float | None]:
    """Measure a denoiser on batches of mixtures, each with the kinds of its noises, in evaluation
    mode and on its device.

    Returns:
        The measures, the mean of the model's loss, and the KL divergence of a clip in bits (None
        for a plain code).

    Raises:
        NothingUsableError: if there is no clip, or all are silent.
    """
    training = model.training
    model.eval()
    clips: list[ClipMeasures] = []
    losses: list[torch.Tensor] = []
    nats: list[torch.Tensor] = []
    seconds = computing = 0.0
    for batch, kinds in batches:
        begun = time.perf_counter()
        encoding = model.encode(batch)
        latent, skips = encoding.latent, encoding.skips
        cleaned = model.predict(latent.mean, batch, skips).cpu()  # a GPU has worked it out by then
        computing += time.perf_counter() - begun
        seconds += batch.x.numel() / rate
        losses.append(model.nll(latent.mean, batch, skips=skips))
        if "kl_nats" in latent.penalties():
            nats.append(kl_nats(latent).flatten(1).sum(1))
        waves = (wave.cpu().numpy() for wave in (batch.target, batch.x, cleaned))
        for kind, clean, noisy, output in zip(kinds, *waves, strict=True):
            if clean.any():
                clips.append(
                    measure_clip(
                        clean,
                        noisy,
                        output,
                        f"clip {len(clips) + 1}",
                        family(kind),
                        near_snr_db(clean, noisy),
                    )
                )
    model.train(training)
    measures = summarise(clips, real_time_factor(seconds, computing))
    bits = float(torch.cat(nats).mean()) / NATS_PER_BIT if nats else None
    return measures, float(torch.cat(losses).mean()), bits


def family(kind: str) -> str:
    """Return the first of the noises that a mixture holds."""
    return kind.split("+")[0]


def near_snr_db(clean: Signal, noisy: Signal) -> float:
    """Return the signal-to-noise ratio of a mixture, to the nearest 5 dB."""
    noise = np.asarray(noisy, np.float64) - clean
    return 5 * round(
        _ratio_db(float(np.square(clean, dtype=np.float64).sum()), float(np.square(noise).sum()))
        / 5
    )
