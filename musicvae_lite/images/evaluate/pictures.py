"""Measures of a model of pictures.

Letters in shapes: N pictures, B batch, C channels, H W picture, Z latent size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from musicvae_lite.core.autoencoder import Autoencoder, Batch
from musicvae_lite.core.latent import Latent, Posterior, active_units, kl_nats
from musicvae_lite.core.objective import NATS_PER_BIT
from musicvae_lite.core.prior import NormalPrior
from musicvae_lite.core.random import Noise
from musicvae_lite.images.data.pictures import PictureBatches

BATCH = 500
# Cross-entropy of a pixel that is surely wrong is infinite; Keras (the lesson) cuts probabilities
# off here.
_LEAST = 1e-7
_SSIM_WINDOW, _SSIM_SIGMA = 11, 1.5  # Wang et al. 2004


@dataclass(frozen=True)
class PictureMeasures:
    """What is measured of a model of pictures; figures of a picture are means over the N pictures.

    The reconstruction is the picture that is expected, at the posterior mean (the code, where there
    is no posterior).

    Attributes:
        n: pictures measured.
        bce_mean: binary cross-entropy of the reconstruction against the target, nats, mean over
            pixels and pictures.
        mse_mean: squared error, mean over pixels and pictures; brightness is 0..1.
        psnr_db: 10 log10(1 / mse_mean).
        ssim: structural similarity (Wang et al. 2004), mean over pictures; None for pictures under
            11 pixels.
        nll_nats: negative log-likelihood of a picture at one draw from the posterior.
        kl_bits: KL(q(z|x) || N(0, I)) of a picture; None where there is no posterior.
        elbo_nats: lower bound on a picture's log-likelihood, -(nll + KL); None where there is no
            posterior.
        lesson_loss: the lesson's own figure: bce_mean for a deterministic model; for a variational
            one the mean of H W C x MSE - 1/2 sum(1 + s - mean^2 - exp(s)) at one draw, where s is
            the log of the standard deviation that is drawn with (the lesson draws with exp(s) and
            charges as if s were the log of the variance).
        active_units: latent dimensions whose mean varies (variance above 0.01); None for a single
            picture.
        baselines: the same measures (bce_mean, mse_mean, psnr_db, ssim) of doing without the model:
            of the noisy ``input``, or of a small one enlarged by ``bilinear`` and ``bicubic``
            interpolation; none where input and target are one.
        discriminator_accuracy: of telling codes from draws from the prior; 0.5 is chance; None
            without an adversary.
        prior_mmd: maximum mean discrepancy between codes and draws from the prior (:func:`mmd`);
            None for a plain code and for a single picture.
    """

    n: int
    bce_mean: float
    mse_mean: float
    psnr_db: float
    ssim: float | None
    nll_nats: float
    kl_bits: float | None
    elbo_nats: float | None
    lesson_loss: float
    active_units: int | None
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)
    discriminator_accuracy: float | None = None
    prior_mmd: float | None = None

    def as_dict(self) -> dict[str, float]:
        """Return the measures that apply, by name.

        Those of a baseline are called ``bicubic_psnr_db`` and so on.
        """
        found = {key: value for key, value in asdict(self).items() if value is not None}
        for name, values in found.pop("baselines").items():
            found |= {f"{name}_{key}": value for key, value in values.items()}
        return found


@torch.inference_mode()
def evaluate_pictures(
    model: Autoencoder, batches: Iterable[Batch], seed: int = 0
) -> PictureMeasures:
    """Measure ``model`` on batches of pictures, one after another.

    What is drawn depends on ``seed`` and their order.

    Raises:
        ValueError: if there is no picture.
    """
    training = model.training
    model.eval()
    sums: dict[str, float] = {}
    latents: list[Latent] = []
    n = pixels = 0
    for index, batch in enumerate(batches):
        latent = model.encode(batch).latent
        for key, value in _measure_batch(model, batch, latent, Noise(seed, index)).items():
            sums[key] = sums.get(key, 0.0) + value.cpu().double().sum().item()
        latents.append(Latent(latent.mean.float(), _log_scale(latent)))
        n, pixels = n + len(batch.target), batch.target[0].numel()
    model.train(training)
    if not n:
        raise ValueError("there is no picture to measure")
    means = {key: value / n for key, value in sums.items()}
    variational = latents[0].log_scale is not None
    baselines = {key.split(".")[0] for key in means if "." in key}
    return PictureMeasures(
        n=n,
        **{"ssim": None} | _errors(means, "", pixels),
        nll_nats=means["nll"],
        kl_bits=means["kl"] / NATS_PER_BIT if variational else None,
        elbo_nats=-(means["nll"] + means["kl"]) if variational else None,
        lesson_loss=means["sampled_squares"] + means["lesson_kl"]
        if variational
        else means["bce"] / pixels,
        active_units=active_units(torch.cat([latent.mean for latent in latents]))
        if n > 1
        else None,
        baselines={name: _errors(means, f"{name}.", pixels) for name in sorted(baselines)},
        **_shaping(model, latents, seed),
    )


def _log_scale(posterior: Posterior) -> Tensor | None:
    """Return the log of the standard deviation of a normal posterior, None of any other code."""
    return posterior.log_scale if isinstance(posterior, Latent) else None


def _errors(means: dict[str, float], prefix: str, pixels: int) -> dict[str, Any]:
    """Return what is said of a picture that was made, from sums over its pixels."""
    mse = means[f"{prefix}squares"] / pixels
    found = {"bce_mean": means[f"{prefix}bce"] / pixels, "mse_mean": mse, "psnr_db": decibels(mse)}
    return found | ({"ssim": means[f"{prefix}ssim"]} if f"{prefix}ssim" in means else {})


def _measure_batch(
    model: Autoencoder, batch: Batch, latent: Posterior, noise: Noise
) -> dict[str, Tensor]:
    """Return each measure of each picture, [B]."""
    target = batch.target
    z = latent.sample(noise)
    terms = {
        "kl": kl_nats(latent).flatten(1).sum(1),
        "nll": model.nll(z, batch),
        **_compare(model.predict(latent.mean, batch), target),
    }
    if (s := _log_scale(latent)) is not None:
        terms["lesson_kl"] = -0.5 * (1 + s - latent.mean.square() - s.exp()).flatten(1).sum(1)
        terms["sampled_squares"] = (model.predict(z, batch) - target).square().flatten(1).sum(1)
    for name, picture in _without_model(batch).items():
        terms |= {f"{name}.{key}": value for key, value in _compare(picture, target).items()}
    return terms


def _compare(picture: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return errors of each picture, summed over its pixels, and its structural similarity, [B]."""
    terms = {
        "bce": cross_entropy(picture, target),
        "squares": (picture - target).square().flatten(1).sum(1),
    }
    return terms | (
        {"ssim": ssim(picture, target)} if min(target.shape[2:]) >= _SSIM_WINDOW else {}
    )


def _without_model(batch: Batch) -> dict[str, Tensor]:
    """Return what there is without a model: the noisy input, or the small one enlarged."""
    if batch.x is batch.target:
        return {}
    if batch.x.shape == batch.target.shape:
        return {"input": batch.x}
    size = batch.target.shape[2:]
    return {
        mode: F.interpolate(batch.x, size=size, mode=mode, align_corners=False).clamp(0, 1)
        for mode in ("bilinear", "bicubic")
    }


def _shaping(model: Autoencoder, latents: list[Latent], seed: int) -> dict[str, float]:
    """Measure how near the codes are to the prior, where something draws them there."""
    variational = latents[0].log_scale is not None
    if model.adversary is None and not variational:
        return {}
    noise = Noise(seed, 1)
    z = torch.cat(
        [latent.sample(noise) if variational else latent.mean for latent in latents]
    ).flatten(1)
    drawn = NormalPrior(z.shape[1]).sample(len(z), noise).to(z.device)
    found = {"prior_mmd": float(mmd(z[:2000], drawn[:2000]))} if len(z) > 1 else {}
    if model.adversary is not None:
        found["discriminator_accuracy"] = float(model.adversary(z, noise).accuracy)
    return found


@torch.inference_mode()
def codes_of(model: Autoencoder, pictures: PictureBatches) -> NDArray[np.float32]:
    """Return the code (or posterior mean) of every picture, [N, Z]."""
    codes: NDArray[np.float32] = (
        torch.cat([model.encode(batch).latent.mean for batch in pictures.in_order(BATCH, 0)])
        .cpu()
        .numpy()
    )
    return codes


def cross_entropy(brightness: Tensor, target: Tensor) -> Tensor:
    """Return [B] binary cross-entropy of brightness 0..1 [B, C, H, W], nats summed over the
    pixels.
    """
    brightness, target = (
        pixels.cpu().double() for pixels in (brightness, target)
    )  # Apple's GPUs have no float64
    cut = brightness.clamp(_LEAST, 1 - _LEAST)
    return F.binary_cross_entropy(cut, target, reduction="none").flatten(1).sum(1)


def decibels(mse: float) -> float:
    """Return the peak signal-to-noise ratio of a mean squared error, for brightness 0..1."""
    return 10 * math.log10(1 / max(mse, 1e-12))


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Return [B] structural similarity of pictures [B, C, H, W] in 0..1 (Wang et al. 2004).

    A Gaussian window of 11 pixels and standard deviation 1.5, K1 0.01, K2 0.03; mean over the
    places where the window fits and over channels.
    """
    offsets = torch.arange(_SSIM_WINDOW, device=a.device, dtype=a.dtype) - _SSIM_WINDOW // 2
    weights = torch.exp(-0.5 * (offsets / _SSIM_SIGMA).square())
    weights = weights / weights.sum()

    def local(x: Tensor) -> Tensor:
        planes = x.flatten(0, 1).unsqueeze(1)
        blurred = F.conv2d(
            F.conv2d(planes, weights[None, None, None, :]), weights[None, None, :, None]
        )
        return blurred.view(*x.shape[:2], *blurred.shape[2:])

    mean_a, mean_b = local(a), local(b)
    variance_a, variance_b = local(a * a) - mean_a.square(), local(b * b) - mean_b.square()
    covariance = local(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    likeness = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (
        (likeness / ((mean_a.square() + mean_b.square() + c1) * (variance_a + variance_b + c2)))
        .flatten(1)
        .mean(1)
    )


def mmd(a: Tensor, b: Tensor) -> Tensor:
    """Return the maximum mean discrepancy of two samples [N, Z], unbiased, squared (Gretton et al.
    2012).

    The kernel is a sum of inverse multiquadratics of scales 2 Z C, C in 0.1 .. 10 (Tolstikhin et
    al. 2018, Wasserstein autoencoders), made for a standard normal prior; 0 for samples of one
    distribution.
    """
    n, m = len(a), len(b)
    scales = [2 * a.shape[1] * factor for factor in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)]

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        distance = torch.cdist(x, y).square()
        return torch.stack([scale / (scale + distance) for scale in scales]).sum(0)

    within_a = (kernel(a, a).sum() - len(scales) * n) / (n * (n - 1))
    within_b = (kernel(b, b).sum() - len(scales) * m) / (m * (m - 1))
    return within_a + within_b - 2 * kernel(a, b).mean()
