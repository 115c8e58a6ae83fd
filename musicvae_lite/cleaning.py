"""Cleaning sound of any length, rate and number of channels with a mask network, in constant memory.

Letters in shapes: C channels, N samples, F frequency bins, K bands, T frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from musicvae_lite.devices import multiplies_bfloat16
from musicvae_lite.errors import UsageError
from musicvae_lite.media import hum
from musicvae_lite.media.audio import Samples
from musicvae_lite.media.spectrum import BLOCK, Chunks, Grid, change_spectrum, grid_of, stft
from musicvae_lite.models.spectrogram import (
    BANDS,
    MaskNetwork,
    band_powers,
    context,
    folded,
    gains,
    statistics,
    to_bins,
    whole_bands,
    widths,
)

# Frames, 18 s, and for a mono sound, whose spectrum takes half the memory, 27 s. Longer ones are faster: the network sees some
# seconds on both sides of each.
_CHUNK, _MONO_CHUNK = 32 * BLOCK, 48 * BLOCK
_AROUND = 4 * BLOCK  # frames to both sides, 2.2 s, over which it is judged how noisy a place is

# What the network takes away is a measure of how noisy a place is: it takes at least some millionths from clean sound, and of
# that about as much as it does harm. Where what stays is more than so many dB above what goes, the place is likely clean, and
# no more is taken than leaves it _SAFE_DB above; below the first figure all is taken, between them a part.
_UNSURE_DB, _SURE_DB = 17.0, 21.0
_SAFE_DB = 31.5
_TINY = 1e-20

PROFILE_SECONDS = 0.2  # the shortest stretch of noise that a profile is measured on


@dataclass(frozen=True)
class Wish:
    """How much is to be cleaned.

    Attributes:
        strength: 0 leaves the sound as it is, 1 takes away all that is found to be noise; between them a blend.
        max_reduction_db: nothing is made quieter by more than that; None: no limit.
        profile: [K] what :meth:`Cleaner.profile` measures on noise alone, or None.
        careful: pass places that are hardly noisy almost unchanged.
    """

    strength: float = 1.0
    max_reduction_db: float | None = None
    profile: Tensor | None = None
    careful: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise UsageError(f"strength is 0 to 1, not {self.strength:g}")
        if self.max_reduction_db is not None and not self.max_reduction_db >= 0:
            raise UsageError(f"max_reduction_db is 0 or more, not {self.max_reduction_db:g}")

    @property
    def least_gain(self) -> float:
        """What stays of the purest noise."""
        limit = 0.0 if self.max_reduction_db is None else 10 ** (-self.max_reduction_db / 20)
        return max(1 - self.strength, limit)


class View(NamedTuple):
    """What happened to some frames.

    Attributes:
        first: number of the first of them.
        before: [C, F, T] complex spectrum.
        after: [C, F, T] what became of it.
        noise: mean power of a bin that was taken for noise or hum, [T], before wishes and care.
    """

    first: int
    before: Tensor
    after: Tensor
    noise: Tensor


class Cleaner:
    """A mask network on its device; later changes of the network do not reach it.

    Mains hum is subtracted first (:mod:`musicvae_lite.media.hum`), each channel's own; the network sees what is left.
    The channels of a sound share one gain, so that its stereo image stays where it is: gains of their own would make a voice
    wander from side to side with the noise. It is the mean of the channels' own gains, weighted by their powers in each band and
    frame, so that a channel in which a note sounds keeps it for all.
    """

    def __init__(self, network: MaskNetwork) -> None:
        self.network = folded(network)
        self.device = next(network.parameters()).device
        self.bfloat16 = self.device.type == "cpu" and multiplies_bfloat16(self.device)  # a GPU is fast enough in float32

    def stream(
        self, blocks: Iterable[Samples], rate: int, wish: Wish, watch: Callable[[View], None] | None = None
    ) -> Iterator[Samples]:
        """Yield cleaned samples [C, n], as many in all as ``blocks`` [C, n] hold; the same however they are cut.

        ``watch`` is called with every stretch of the spectrum.
        """
        grid = grid_of(rate)
        around = context(self.network)
        done, known = 0, torch.zeros(BANDS, 0)

        def change(spectrum: Tensor, place: slice) -> Tensor:
            nonlocal done, known
            tones = _subtract_hum(spectrum, grid, rate)
            with torch.inference_mode(), ExitStack() as stack:
                if self.device.type == "cuda":  # all flags: without ``enabled`` cuDNN would be off
                    stack.enter_context(torch.backends.cudnn.flags(enabled=True, allow_tf32=False, deterministic=True))
                gain, noise, known = self._gain(spectrum, place, wish, known)
            before = spectrum[..., place]
            after = before * to_bins(gain[None], grid.bins)[0]
            if tones is not None:
                inside, bins = tones[..., place], tones.shape[1]
                before[:, :bins] += inside
                after[:, :bins] += wish.least_gain * inside
                noise = noise + inside.abs().square().mean(0).sum(0) / grid.bins
            if watch is not None:
                watch(View(done, before, after, noise))
            done += after.shape[-1]
            return after

        rest = iter(blocks)
        ahead = list(islice(rest, 1))
        frames = _MONO_CHUNK if ahead and len(ahead[0]) == 1 else _CHUNK
        chunks = Chunks(frames, around + hum.REACH - _AROUND, around + hum.REACH + _AROUND, BLOCK)
        yield from change_spectrum(chain(ahead, rest), grid, chunks, change)

    def profile(self, noise: Samples, rate: int) -> Tensor:
        """Measure noise alone, [C, N], for :class:`Wish`: [K].

        Raises:
            UsageError: if it is too short, or silent.
        """
        if noise.shape[-1] < PROFILE_SECONDS * rate:
            raise UsageError(f"the profile is {noise.shape[-1] / rate:.3f} s long; mark {PROFILE_SECONDS:g} s of noise or more")
        if not noise.any():
            raise UsageError("the profile holds digital silence; mark a stretch in which the noise is heard")
        grid = grid_of(rate)
        spectrum = stft(torch.from_numpy(noise), grid)
        _subtract_hum(spectrum, grid, rate)
        power = band_powers(spectrum)
        inner = grid.window // grid.hop // 2  # frames at the ends lie half in the silence around
        inner = inner if power.shape[-1] > 4 * inner else 0
        return statistics(power[..., inner : power.shape[-1] - inner]).low[..., 0].mean(0)

    def _gain(self, spectrum: Tensor, place: slice, wish: Wish, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gain of a chunk of a sound and what is noise there.

        Args:
            spectrum: [C, F, T] of the chunk and what surrounds it.
            place: of the chunk in it.
            wish: how much is to be cleaned.
            known: [K, n] the network's gains that the chunk before this one found for the frames from _AROUND before this one on.

        Returns:
            Gain [K, length of the place], power of the noise [length], and ``known`` for the chunk after this one.
        """
        power = band_powers(spectrum)
        wide = slice(max(place.start - _AROUND, 0), min(place.stop + _AROUND, spectrum.shape[-1]))
        gain = known
        if wide.start + known.shape[1] < wide.stop:
            fresh = self._shared(spectrum, power, slice(wide.start + known.shape[1], wide.stop), wish.profile)
            whole_ones = whole_bands(spectrum.shape[1])  # a band that the rate cuts off looks like none in the training
            fresh[whole_ones:] = fresh[whole_ones - 1].clone()
            gain = torch.cat([known, fresh], 1)
        known = gain[:, place.stop - _AROUND - wide.start :].clone()
        whole = power[..., wide].mean(0)
        inside = slice(place.start - wide.start, place.stop - wide.start)
        stays, goes = (_of_bins(part.square() * whole) for part in (gain, 1 - gain))
        noise = _of_bins((1 - gain.square()) * whole)[inside] / _bins_of(gain)
        if wish.careful:
            gain = 1 - (1 - gain) * _care(stays, goes)
        gain = (1 - wish.strength * (1 - gain[..., inside])).clamp_min(wish.least_gain)
        return gain, noise, known

    def _shared(self, spectrum: Tensor, power: Tensor, frames: slice, profile: Tensor | None) -> Tensor:
        """Return the channels' common gain [K, T] of ``frames``; channel by channel, for memory's sake."""
        told = None if profile is None else profile[None].to(self.device)
        total = power.new_zeros(power.shape[1], frames.stop - frames.start)
        kept = torch.zeros_like(total)
        own: Tensor | None = None
        for channel in range(len(spectrum)):
            weight = power[channel, :, frames]
            if not weight.any():
                continue
            if own is None or not torch.equal(spectrum[channel], spectrum[channel - 1]):  # two equal ones are a mono file
                one = spectrum[channel : channel + 1].to(self.device)
                own = gains(self.network, one, frames, told, power[channel : channel + 1].to(self.device), self.bfloat16)[0].cpu()
            kept += own * weight
            total += weight
        return kept / (total + _TINY)


def _subtract_hum(spectrum: Tensor, grid: Grid, rate: int) -> Tensor | None:
    """Take the hum out of a spectrum [C, F, T] in place and return it, [C, the lowest bins, T]; None where there is none."""
    tones = hum.hum_of(spectrum, grid, rate)
    if tones is not None:
        spectrum[:, : tones.shape[1]] -= tones
    return tones


def _of_bins(values: Tensor) -> Tensor:
    """Sum values of bands [K, T] over the bins that they stand for, [T]."""
    return (values * widths(values.device)).sum(0)


def _bins_of(values: Tensor) -> float:
    return float(widths(values.device).sum())


def _care(stays: Tensor, goes: Tensor) -> Tensor:
    """Return how much of what would go may go, 0..1 [T], by the powers of what stays and goes, [T] each."""
    sums = [_around(part) for part in (stays, goes)]
    clean_db = 10 * ((sums[0] + _TINY) / (sums[1] + _TINY)).log10()
    share = ((clean_db - _UNSURE_DB) / (_SURE_DB - _UNSURE_DB)).clamp(0, 1)
    safe = 10 ** ((clean_db - _SAFE_DB).clamp_max(0) / 20)
    return 1 - share * (1 - safe)


def _around(values: Tensor) -> Tensor:
    """Average [T] over _AROUND frames to both sides."""
    return functional.avg_pool1d(values[None], 2 * _AROUND + 1, 1, _AROUND, count_include_pad=False)[0]


def noise_mean_square(view: View, grid: Grid) -> float:
    """Return the mean square of a sample of what the network took for noise (Parseval; a Hann window squared sums to 3/8)."""
    return float(view.noise.double().sum()) * 2 * grid.bins / (grid.window * grid.window * 3 / 8)
