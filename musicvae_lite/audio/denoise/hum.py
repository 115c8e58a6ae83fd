"""Mains hum, found and taken out of a spectrogram as what it is: steady tones at the multiples of
one frequency near 50 or 60 Hz.

A mask can only turn a band down, and with it the music in it. Tones that do not change for seconds
can be measured to the phase and subtracted; what else sounds in their bands stays.

Letters in shapes: C channels, F frequency bins, T frames, H harmonics, K bins around a harmonic, Q
blocks of frames.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from musicvae_lite.media.spectrum import BLOCK, Grid

# frames to both sides that the tones of a block, in which one hum is assumed, are measured in, too;
# 2.2 s
REACH = 64

_MAINS_HZ = (50.0, 60.0)
# how far the mains may be from that; the nearest tempered tones (A at 440 Hz) are 2 % away, but for
# one of ten
_SPREAD = 0.006
_STEPS = 121  # frequencies that are tried for each,
_FINE_HZ, _FINE_STEPS = (
    0.01,
    41,
)  # and how far around the best one, and how many, with all harmonics

_LOOKED_AT = (
    10  # the lowest harmonics tell whether there is hum: _ENOUGH of them have a phase that turns
)
_ENOUGH = (
    3  # evenly, by _STEADY (the length of the mean of the turned back phases, 1 at best) at least
)
_STEADY = 0.6
_CHANCE = 0.25  # what the phases of a noise may reach,
_SURE = 1.75  # and what all of them together must reach beyond that
_SHORTEST = 27  # frames; in shorter sounds the frequency is not certain enough
_HARMONICS = 60
_AROUND = 3  # bins to both sides of a tone
_TRANSFORM = 1024

_ROUNDS = 4  # of the weighting of frames by how well they fit, against notes that begin and end
_TINY = 1e-20


def hum_of(
    spectrum: Tensor, grid: Grid, rate: int, sound: tuple[float, float] = (-math.inf, math.inf)
) -> Tensor | None:
    """Return the hum in a sound, None where there is none.

    Args:
        spectrum: complex [C, F, T] under Hann windows, see
            :func:`musicvae_lite.media.spectrum.stft`. Of a part of a sound that begins at a
            multiple of BLOCK the result is the same as of the whole, but for REACH frames at both
            ends.
        grid: of its frames.
        rate: samples per second.
        sound: where it begins and ends, in samples from the first one of the first frame on; in
            frames that reach out of it, the hum is what lies inside.

    Returns:
        Complex [C, the lowest bins, T]; there is none above.
    """
    frames = spectrum.shape[-1]
    if frames < _SHORTEST or not spectrum.any():
        return None
    found, hz = _fundamentals(spectrum, grid, rate)
    if not found.any():
        return None
    cut = [
        t for t in range(frames) if t * grid.hop < sound[0] or t * grid.hop + grid.window > sound[1]
    ]
    highest = math.ceil(_HARMONICS * float(hz[found].max()) * grid.window / rate) + _AROUND + 1
    bins = (
        grid.bins if cut else min(highest, grid.bins)
    )  # what ends at once has some of all frequencies
    hum = torch.zeros_like(spectrum[:, :bins])
    for block in found.nonzero().flatten().tolist():
        place = slice(block * BLOCK, min((block + 1) * BLOCK, frames))
        tones = _tones(spectrum, grid, rate, float(hz[block]), place)
        parts, near = _spectra(tones, grid, rate, place)
        hum[..., place].index_add_(1, near, parts)
        for frame in cut:
            if place.start <= frame < place.stop:
                hum[..., frame] = _cut_off(tones, grid, rate, frame, sound)
    return hum


def _fundamentals(spectrum: Tensor, grid: Grid, rate: int) -> tuple[Tensor, Tensor]:
    """Return whether there is hum in each block, [Q], and its fundamental in Hz, [Q]."""
    # Each channel for itself: hum of opposite phases, as in a balanced line, would cancel in their
    # sum.
    tried = [_tried(channel, grid, rate, mains) for mains in _MAINS_HZ for channel in spectrum]
    every = [torch.stack(values) for values in zip(*tried, strict=True)]
    best = every[0].argmax(0, keepdim=True)
    score, steady, hz = (values.gather(0, best)[0] for values in every)
    return (steady >= _ENOUGH) & (score >= _SURE), hz


def _tried(channel: Tensor, grid: Grid, rate: int, mains: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return how evenly the phases of a channel [F, T] turn at the best frequency by ``mains``, how
    many do, and which it is.
    """
    harmonics = torch.arange(1, _LOOKED_AT + 1, device=channel.device)
    turned = _amplitudes(channel[None], grid, rate, mains * harmonics)[0]
    phases = _around_blocks(turned / (turned.abs() + _TINY))
    heard = phases.abs().sum(-1)  # frames that are not silent
    sizes = (
        torch.fft.fft(phases, _TRANSFORM).abs() / heard.clamp_min(_SHORTEST)[..., None]
    )  # [H, Q, _TRANSFORM]
    away = torch.linspace(-_SPREAD, _SPREAD, _STEPS, device=channel.device) * mains
    places = (
        harmonics[:, None] * away * (_TRANSFORM * grid.hop / rate)
    ).round().long() % _TRANSFORM
    evenness = sizes.gather(2, places[:, None].expand(-1, sizes.shape[1], -1))  # [H, Q, _STEPS]
    score, step = (evenness - _CHANCE).clamp_min(0).sum(0).max(1)
    steady = (
        evenness.gather(2, step[None, :, None].expand(len(harmonics), -1, 1))[..., 0] > _STEADY
    ).sum(0)
    return score, steady, mains + away[step]


def _around_blocks(values: Tensor) -> Tensor:
    """Cut frames [H, T] into those around each block, [H, Q, BLOCK + 2 REACH]; zeros lie
    outside.
    """
    padded = functional.pad(values, (REACH, REACH + -values.shape[1] % BLOCK))
    return padded.unfold(1, BLOCK + 2 * REACH, BLOCK)


def _amplitudes(spectrum: Tensor, grid: Grid, rate: int, hz: Tensor, first: int = 0) -> Tensor:
    """Fit tones of the frequencies ``hz`` [H] to each frame of a spectrum [C, F, T] by least
    squares over 2 _AROUND + 1 bins.

    Returns:
        Amplitudes with their phases turned back to frame 0, complex [C, H, T], constant for a
        steady tone; the frames are those from ``first`` on.
    """
    shape, near = _shapes(hz, grid, rate, spectrum.dtype)
    fitted = (
        torch.einsum("hk,chkt->cht", shape.conj(), spectrum[:, near])
        / shape.abs().square().sum(1)[:, None]
    )
    turn = _turns(hz, grid, rate, range(first, first + spectrum.shape[-1])).to(spectrum.dtype)
    return fitted * turn.conj()


def _turns(hz: Tensor, grid: Grid, rate: int, frames: range) -> Tensor:
    """Return by what tones have turned at the first sample of frames since that of frame 0, complex
    [H, T].
    """
    cycles = (
        (hz.double() * grid.hop / rate)[:, None]
        * torch.arange(frames.start, frames.stop, device=hz.device)
        % 1
    )
    return torch.polar(torch.ones_like(cycles), 2 * math.pi * cycles)


def _shapes(hz: Tensor, grid: Grid, rate: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the spectra of tones of amplitude 1, [H, K], and which bins these are, [H, K]."""
    bins = hz.double() * grid.window / rate
    near = (
        bins.round().long()[:, None] + torch.arange(-_AROUND, _AROUND + 1, device=hz.device)
    ).clamp(0, grid.bins - 1)
    return _hann_spectrum(bins[:, None] - near, grid.window).to(dtype), near


def _hann_spectrum(away: Tensor, size: int) -> Tensor:
    """Return the transform of a periodic Hann window of ``size`` samples, ``away`` bins from its
    middle, complex.
    """

    def box(x: Tensor) -> Tensor:
        sine = torch.sin(math.pi * x / size)
        ratio = torch.where(sine.abs() < 1e-12, float(size), torch.sin(math.pi * x) / sine)
        return torch.polar(torch.ones_like(x), math.pi * x * (size - 1) / size) * ratio

    return 0.5 * box(away) - 0.25 * (box(away - 1) + box(away + 1))


class _Tones(NamedTuple):
    """Steady tones: their frequencies in Hz, [H], and what they are at the first sample of frame 0,
    complex [C, H].
    """

    hz: Tensor
    size: Tensor


def _tones(spectrum: Tensor, grid: Grid, rate: int, hz: float, frames: slice) -> _Tones:
    """Measure the harmonics of ``hz`` in some frames and REACH frames around."""
    start, stop = (
        max(frames.start - REACH, 0),
        min(frames.start + BLOCK + REACH, spectrum.shape[-1]),
    )
    top = int((rate / 2 - (2 * _AROUND + 1) * rate / grid.window) / hz)
    numbers = torch.arange(1, min(_HARMONICS, top) + 1, device=spectrum.device)
    seen = _amplitudes(spectrum[..., start:stop], grid, rate, hz * numbers, start)
    hz += _correction(seen, grid, rate)
    harmonics = hz * numbers
    seen = _amplitudes(spectrum[..., start:stop], grid, rate, harmonics, start)
    size = seen.mean(-1)
    for _ in range(_ROUNDS):  # towards the median: a note that sounds for a while does not count
        misfit = (seen - size[..., None]).abs()
        weight = 1 / (misfit + 0.1 * misfit.median(-1, keepdim=True).values + _TINY)
        size = (weight * seen).sum(-1) / weight.sum(-1)
    misfit = (seen - size[..., None]).abs().median(-1).values
    # The median of |x|^2 of complex noise is ln 2 of its mean; four frames overlap and say one
    # thing.
    variance = misfit.square() / math.log(2) * 4 / seen.shape[-1]
    return _Tones(
        harmonics, size * (1 - variance / (size.abs().square() + _TINY)).clamp_min(0)
    )  # as Wiener would


def _correction(seen: Tensor, grid: Grid, rate: int) -> float:
    """Return by how many Hz a fundamental is higher than was thought, for the phases of ``seen``
    [C, H, T] to stand still.

    The higher harmonics tell frequencies apart that the search among the lowest took for one.
    """
    strength = seen.abs()
    # A loud note counts no more than other frames, and a loud harmonic not much more than others.
    phases = seen / (strength + _TINY) * strength.median(-1, keepdim=True).values.sqrt()
    turns = _fine_turns(seen.shape[1], seen.shape[-1], grid.hop / rate, seen.device).to(seen.dtype)
    score = (turns @ phases.permute(1, 2, 0)).abs().square().sum((0, 2))
    best = int(score[1:-1].argmax()) + 1
    left, middle, right = (float(score[best + step]) for step in (-1, 0, 1))
    bend = 2 * middle - left - right
    between = (
        0.5 * (right - left) / bend if bend > 0 else 0.0
    )  # the top of the parabola through the three
    return _FINE_HZ * ((best + between) * 2 / (_FINE_STEPS - 1) - 1)


@lru_cache(maxsize=4)
def _fine_turns(count: int, frames: int, seconds: float, device: torch.device) -> Tensor:
    """Return what turns ``count`` harmonics back by each step of the fine search in frames
    ``seconds`` apart, [H, steps, T].
    """
    hz = torch.linspace(-_FINE_HZ, _FINE_HZ, _FINE_STEPS, device=device).double()
    numbers, time = (torch.arange(size, device=device).double() for size in (count, frames))
    cycles = (numbers[:, None] + 1)[..., None] * hz[:, None] * (time * seconds)
    return torch.polar(torch.ones_like(cycles), -2 * math.pi * (cycles % 1)).to(torch.complex64)


def _spectra(tones: _Tones, grid: Grid, rate: int, frames: slice) -> tuple[Tensor, Tensor]:
    """Return the spectra of tones in frames, [C, H K, length of the frames], and the bins that
    these stand for, [H K].
    """
    shape, near = _shapes(tones.hz, grid, rate, tones.size.dtype)
    turn = _turns(tones.hz, grid, rate, range(frames.start, frames.stop)).to(tones.size.dtype)
    one = (tones.size[..., None] * shape)[..., None] * turn[:, None]
    return one.flatten(1, 2), near.flatten()


def _cut_off(
    tones: _Tones, grid: Grid, rate: int, frame: int, sound: tuple[float, float]
) -> Tensor:
    """Return the spectrum [C, F] of tones in a frame that reaches out of the sound."""
    samples = frame * grid.hop + torch.arange(grid.window, device=tones.hz.device)
    inside = torch.hann_window(grid.window, device=tones.hz.device) * (
        (samples >= sound[0]) & (samples < sound[1])
    )
    cycles = (tones.hz.double() / rate)[:, None] * samples % 1
    wave = (
        2
        * (
            tones.size
            @ torch.polar(torch.ones_like(cycles), 2 * math.pi * cycles).to(tones.size.dtype)
        ).real
    )
    spectrum: Tensor = torch.fft.rfft(wave * inside)
    return spectrum
