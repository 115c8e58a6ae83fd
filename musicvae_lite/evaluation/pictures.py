"""Measures of a model of pictures.

Letters in shapes: N pictures, B batch, C channels, H W picture, Z latent size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from musicvae_lite.latent import Latent, active_units
from musicvae_lite.models import Autoencoder, Batch
from musicvae_lite.noise import Noise
from musicvae_lite.objective import NATS_PER_BIT

BATCH = 500
# Cross-entropy of a pixel that is surely wrong is infinite; Keras (the lesson) cuts probabilities off here.
_LEAST = 1e-7
_SSIM_WINDOW, _SSIM_SIGMA = 11, 1.5  # Wang et al. 2004


@dataclass(frozen=True)
class PictureMeasures:
    """What is measured of a model of pictures; figures of a picture are means over the N pictures.

    The reconstruction is the picture that is expected, at the posterior mean (the code, where there is no posterior).

    Attributes:
        n: pictures measured.
        bce_mean: binary cross-entropy of the reconstruction against the target, nats, mean over pixels and pictures.
        mse_mean: squared error, mean over pixels and pictures; brightness is 0..1.
        psnr_db: 10 log10(1 / mse_mean).
        ssim: structural similarity (Wang et al. 2004), mean over pictures; None for pictures under 11 pixels.
        nll_nats: negative log-likelihood of a picture at one draw from the posterior.
        kl_bits: KL(q(z|x) || N(0, I)) of a picture; 0 for a code without a posterior.
        elbo_nats: lower bound on a picture's log-likelihood, -(nll + KL); None where there is no posterior.
        lesson_loss: the lesson's own figure: bce_mean for a deterministic model; for a variational one the mean of
            H W C x MSE - 1/2 sum(1 + s - mean^2 - exp(s)) at one draw, where s is the log of the standard deviation
            that is drawn with (the lesson draws with exp(s) and charges as if s were the log of the variance).
        active_units: latent dimensions whose mean varies (variance above 0.01).
        input_mse: squared error of the input itself (enlarged by bicubic interpolation where it is smaller), or None where
            input and target are one.
        input_psnr_db: the same as PSNR.
        input_bce: cross-entropy of the input itself.
        discriminator_accuracy: of telling codes from draws from the prior; 0.5 is chance; None without an adversary.
        prior_mmd: maximum mean discrepancy between codes and draws from the prior (:func:`mmd`); None for a plain code.
    """

    n: int
    bce_mean: float
    mse_mean: float
    psnr_db: float
    ssim: float | None
    nll_nats: float
    kl_bits: float
    elbo_nats: float | None
    lesson_loss: float
    active_units: int
    input_mse: float | None = None
    input_psnr_db: float | None = None
    input_bce: float | None = None
    discriminator_accuracy: float | None = None
    prior_mmd: float | None = None

    def as_dict(self) -> dict[str, float]:
        """Return the measures that apply, by name."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@torch.inference_mode()
def evaluate_pictures(model: Autoencoder, batches: Iterable[Batch], seed: int = 0) -> PictureMeasures:
    """Measure ``model`` on batches of pictures, one after another; what is drawn depends on ``seed`` and their order.

    Raises:
        ValueError: if there is no picture.
    """
    training = model.training
    model.eval()
    sums: dict[str, float] = {}
    latents: list[Latent] = []
    n = pixels = 0
    for index, batch in enumerate(batches):
        latent = model.encode(batch)
        for key, value in _measure_batch(model, batch, latent, Noise(seed, index)).items():
            sums[key] = sums.get(key, 0.0) + value.double().sum().item()
        latents.append(Latent(latent.mean.float(), latent.log_scale))
        n, pixels = n + len(batch.target), batch.target[0].numel()
    model.train(training)
    if not n:
        raise ValueError("there is no picture to measure")
    means = {key: value / n for key, value in sums.items()}
    variational = latents[0].log_scale is not None
    mse, bce = means["squares"] / pixels, means["bce"] / pixels
    input_mse = means["input_squares"] / pixels if "input_squares" in means else None
    return PictureMeasures(
        n=n,
        bce_mean=bce,
        mse_mean=mse,
        psnr_db=decibels(mse),
        ssim=means.get("ssim"),
        nll_nats=means["nll"],
        kl_bits=means["kl"] / NATS_PER_BIT,
        elbo_nats=-(means["nll"] + means["kl"]) if variational else None,
        lesson_loss=means["sampled_squares"] + means["lesson_kl"] if variational else bce,
        active_units=active_units(torch.cat([latent.mean for latent in latents])),
        input_mse=input_mse,
        input_psnr_db=None if input_mse is None else decibels(input_mse),
        input_bce=means["input_bce"] / pixels if "input_bce" in means else None,
        **_shaping(model, latents, seed),
    )


def _measure_batch(model: Autoencoder, batch: Batch, latent: Latent, noise: Noise) -> dict[str, Tensor]:
    """Return each measure of each picture, [B]."""
    target = batch.target
    expected = model.predict(latent.mean, batch)
    terms = {
        "bce": cross_entropy(expected, target),
        "squares": (expected - target).square().flatten(1).sum(1),
        "kl": latent.kl().flatten(1).sum(1),
    }
    if min(target.shape[2:]) >= _SSIM_WINDOW:
        terms["ssim"] = ssim(expected, target)
    z = latent.sample(noise)
    terms["nll"] = model.nll(z, batch)
    if latent.log_scale is not None:
        s = latent.log_scale
        terms["lesson_kl"] = -0.5 * (1 + s - latent.mean.square() - s.exp()).flatten(1).sum(1)
        terms["sampled_squares"] = (model.predict(z, batch) - target).square().flatten(1).sum(1)
    if batch.x is not target:
        given = batch.x
        if given.shape != target.shape:
            given = F.interpolate(given, size=target.shape[2:], mode="bicubic", align_corners=False).clamp(0, 1)
        terms["input_squares"] = (given - target).square().flatten(1).sum(1)
        terms["input_bce"] = cross_entropy(given, target)
    return terms


def _shaping(model: Autoencoder, latents: list[Latent], seed: int) -> dict[str, float]:
    """Measure how near the codes are to the prior, where something draws them there."""
    variational = latents[0].log_scale is not None
    if model.adversary is None and not variational:
        return {}
    noise = Noise(seed, 1)
    z = torch.cat([latent.sample(noise) if variational else latent.mean for latent in latents]).flatten(1)
    drawn = noise.normal(z.shape, z.device)
    found = {"prior_mmd": float(mmd(z[:2000], drawn[:2000]))}
    if model.adversary is not None:
        found["discriminator_accuracy"] = float(model.adversary(z, noise).accuracy)
    return found


def cross_entropy(brightness: Tensor, target: Tensor) -> Tensor:
    """Return [B] binary cross-entropy of brightness 0..1 [B, C, H, W], nats summed over the pixels."""
    cut = brightness.double().clamp(_LEAST, 1 - _LEAST)
    return F.binary_cross_entropy(cut, target.double(), reduction="none").flatten(1).sum(1)


def decibels(mse: float) -> float:
    """Return the peak signal-to-noise ratio of a mean squared error, for brightness 0..1."""
    return 10 * math.log10(1 / max(mse, 1e-12))


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Return [B] structural similarity of pictures [B, C, H, W] in 0..1 (Wang et al. 2004).

    A Gaussian window of 11 pixels and standard deviation 1.5, K1 0.01, K2 0.03; mean over the places where the window fits
    and over channels.
    """
    offsets = torch.arange(_SSIM_WINDOW, device=a.device, dtype=a.dtype) - _SSIM_WINDOW // 2
    weights = torch.exp(-0.5 * (offsets / _SSIM_SIGMA).square())
    weights = weights / weights.sum()

    def local(x: Tensor) -> Tensor:
        planes = x.flatten(0, 1).unsqueeze(1)
        blurred = F.conv2d(F.conv2d(planes, weights[None, None, None, :]), weights[None, None, :, None])
        return blurred.view(*x.shape[:2], *blurred.shape[2:])

    mean_a, mean_b = local(a), local(b)
    variance_a, variance_b = local(a * a) - mean_a.square(), local(b * b) - mean_b.square()
    covariance = local(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    likeness = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (likeness / ((mean_a.square() + mean_b.square() + c1) * (variance_a + variance_b + c2))).flatten(1).mean(1)


def mmd(a: Tensor, b: Tensor) -> Tensor:
    """Return the maximum mean discrepancy of two samples [N, Z], unbiased, squared (Gretton et al. 2012).

    The kernel is a sum of inverse multiquadratics of scales 2 Z C, C in 0.1 .. 10 (Tolstikhin et al. 2018, Wasserstein
    autoencoders), made for a standard normal prior; 0 for samples of one distribution.
    """
    n, m = len(a), len(b)
    scales = [2 * a.shape[1] * factor for factor in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)]

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        distance = torch.cdist(x, y).square()
        return torch.stack([scale / (scale + distance) for scale in scales]).sum(0)

    within_a = (kernel(a, a).sum() - len(scales) * n) / (n * (n - 1))
    within_b = (kernel(b, b).sum() - len(scales) * m) / (m * (m - 1))
    return within_a + within_b - 2 * kernel(a, b).mean()
