"""What a denoiser of spectrograms is trained by: how well gains clean a noisy spectrum.

Letters in shapes: B batch, F frequency bins, K bands, T frames.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from musicvae_lite.audio.denoise.network import band_powers, widths

_TINY = 1e-20


class Agreement(NamedTuple):
    """What the losses need of a noisy and a clean spectrum, as sums over the bins of each band, [B,
    K, T].

    The squared error of ``gain * noisy`` is a polynomial in the gain, so that no gradient ever
    passes through single bins
    or samples: under the 75 % overlap of the frames it is the error of the waveform but for a
    factor.
    """

    noisy: Tensor
    cross: Tensor
    clean: Tensor


def agreement(noisy: Tensor, clean: Tensor) -> Agreement:
    """Compare complex spectra [B, F, T] of a mixture and of its clean part."""
    cross = noisy.real * clean.real + noisy.imag * clean.imag
    sizes = widths(cross.device)
    return Agreement(
        band_powers(noisy) * sizes, band_powers(cross) * sizes, band_powers(clean) * sizes
    )


def snr_loss(gain: Tensor, against: Agreement, best_db: float = 35.0) -> Tensor:
    """Return [B], minus the signal-to-noise ratio of each cleaned clip in dB.

    Nothing is gained above ``best_db``.
    """
    error = (
        (against.noisy * gain.square() - 2 * against.cross * gain + against.clean)
        .sum((1, 2))
        .clamp_min(0)
    )
    signal = against.clean.sum((1, 2))
    return 10 * (error / (signal + _TINY) + 10 ** (-best_db / 10)).log10()


def worse_loss(
    gain: Tensor, against: Agreement, clean_db: float = 30.0, margin_db: float = 0.3
) -> Tensor:
    """Return [B], by how many dB each clip comes out worse than it went in.

    0 where it is better by ``margin_db`` or more.

    It charges mistakes on top of :func:`snr_loss`, which weighs a dB lost in one clip as a dB
    gained in another. Above ``clean_db`` a clip counts as clean, however much cleaner it was.
    """
    before = snr_loss(torch.ones_like(gain), against, clean_db)
    return functional.relu(snr_loss(gain, against, clean_db) - before + margin_db)


def magnitude_loss(
    gain: Tensor, against: Agreement, exponent: float = 0.3, range_db: float = 80.0
) -> Tensor:
    """Return [B], the mean distance of compressed magnitudes, which charges the noise that stays
    between the notes.

    Magnitudes are taken in relation to the clip's mean; what lies ``range_db`` below that counts as
    silence.
    """
    sizes = widths(gain.device)
    scale = (against.clean / sizes).mean((1, 2), keepdim=True) + _TINY
    quiet = 10 ** (-range_db / 10)
    want = (against.clean / sizes / scale + quiet).pow(exponent / 2)
    have = (gain.square() * (against.noisy / sizes / scale) + quiet).pow(exponent / 2)
    return (have - want).abs().mean((1, 2))
