"""Whether what a mask takes away may go: what is likely meant is given back.

A network hears noise in whatever sounds like noise: hats and snares, a drone. What it takes is held
against two other views of the same place:

* *The floor.* Steady noise is as loud between the hits as in them. What is taken beyond the floor,
  and recurs in a rhythm, was played: it is given back, down to what the floor alone explains
  (a Wiener gain). Fires, voices and crackle rise above a floor, too, but keep no time.
* *Steadiness.* The power of a noise fluctuates (its mean logarithm lies 2.5 dB below its mean); a
  tone's does not. A tone that stands, and that the measurement of hum did not claim, is no noise.

Letters in shapes: K bands, T frames, Q blocks of BLOCK frames, P pools of POOL frames.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from musicvae_lite.audio.denoise.network import LAYOUT, POOL, widths
from musicvae_lite.media.spectrum import BLOCK

SPAN = 3  # blocks to both sides that a block is judged by,
REACH = (SPAN + 1) * BLOCK  # and with its neighbours, with which it is smoothed, frames

_LOW = 0.1  # a tenth of the pools lie below this: the floor, by ...
_ABOVE = (2.8, 2.37, 1.23)  # ... so much below the mean of white noise, for each width of bands
_TAKEN = 1.0  # times the floor: what goes where a place is played
EXCESS = 4.0  # times the floor: what is taken beyond that is more than floor
_TREBLE = 208  # bands from 1.5 kHz on, in which noise-like drums are heard
_SLOWEST, _FASTEST = 36, 4  # frames from one hit to the next: 1.25 s, 0.14 s
_TINY = 1e-20


class _Limits(NamedTuple):
    """From where on, and from where on wholly, a measure speaks for giving back."""

    none: float
    all: float

    def share(self, value: Tensor) -> Tensor:
        return ((value - self.none) / (self.all - self.none)).clamp(0, 1)


_RHYTHM = _Limits(0.7, 0.9)  # how plainly the excess recurs
_OF_FLOOR_DB = _Limits(-12.0, -9.0)  # the excess beside what is taken of the floor
_IN_TREBLE_DB = _Limits(-6.0, -4.0)  # the part of the excess in the treble
_OF_REST_DB = _Limits(4.0, 7.0)  # what stays beside the excess: a loud one is noise sooner
_STEADY = _Limits(0.88, 0.93)  # geometric mean of a band's power by its arithmetic mean


class Given(NamedTuple):
    """What was given back.

    Attributes:
        gain: [K, T] nowhere below the mask's.
        floor: [K, T] power of the steady noise.
    """

    gain: Tensor
    floor: Tensor


def given_back(gain: Tensor, power: Tensor) -> Given:
    """Return a gain, nowhere below ``gain``, that leaves what is likely meant.

    Args:
        gain: [K, T] of the mask. It begins at a multiple of BLOCK frames.
        power: [K, T] mean power of the bins of each band.

    The first and last REACH frames of a part of a sound may differ from those of the whole.
    """
    frames = gain.shape[1]
    blocks = -(-frames // BLOCK)
    windows = [
        slice(max(block - SPAN, 0) * BLOCK, (block + SPAN + 1) * BLOCK) for block in range(blocks)
    ]
    judged = [_judged(gain[:, window], power[:, window]) for window in windows]
    floors, rhythm = (torch.stack(part, -1) for part in zip(*judged, strict=True))
    floor = floors.repeat_interleave(BLOCK, -1)[:, :frames]
    raised = torch.maximum(gain, _smoothed(_steady(power, blocks), frames))
    if rhythm.any():
        played = (_wiener(power, floor) - gain).clamp_min(0)
        raised = torch.maximum(raised, gain + _smoothed(rhythm[None], frames) * played)
    return Given(raised, floor)


class _Judged(NamedTuple):
    """What is heard around a block.

    Attributes:
        floor: [K] mean power of the steady noise.
        rhythm: [] share of what is played that is to be given back.
    """

    floor: Tensor
    rhythm: Tensor


def _judged(gain: Tensor, power: Tensor) -> _Judged:
    floor = _floor(power)
    taken = (1 - gain).square() * power
    width = widths(gain.device)
    excess = (taken - EXCESS * floor[:, None]).clamp_min(0) * width
    total, rest = excess.sum(), (gain.square() * power * width).sum()
    steadily = (taken * width).sum() - total
    high = excess[_TREBLE:].sum(0)
    share = (
        _OF_FLOOR_DB.share(_db(total, steadily))
        * _IN_TREBLE_DB.share(_db(high.sum(), total))
        * _OF_REST_DB.share(_db(rest, total))
    )
    if share > 0:
        share = share * _RHYTHM.share(_recurrence(high))
    return _Judged(floor, share)


def _floor(power: Tensor) -> Tensor:
    """Return the power [K] of the steady noise in bands [K, T]."""
    pooled = functional.avg_pool1d(power[None], min(POOL, power.shape[1]))[0]
    low = pooled.kthvalue(1 + int(_LOW * (pooled.shape[1] - 1)), dim=1).values
    counts = torch.tensor([count for _, count in LAYOUT], device=power.device)
    return low * torch.tensor(_ABOVE, device=power.device).repeat_interleave(counts)


def _steady(power: Tensor, blocks: int) -> Tensor:
    """Return from 0 to 1 how surely bands [K, T] hold tones that stand around blocks: [K, Q]."""
    one = power[: LAYOUT[0][1]] + _TINY
    means = [_around(part, blocks) for part in (one.log(), one)]
    share = _STEADY.share(means[0].exp() / means[1])
    share = share if power.shape[1] >= 2 * BLOCK else torch.zeros_like(share)
    return functional.pad(share, (0, 0, 0, len(power) - len(one)))


def _around(values: Tensor, blocks: int) -> Tensor:
    """Average [K, T] over each block and SPAN blocks to both sides, [K, Q]."""
    frames = values.shape[1]
    both = torch.cat([values, values.new_ones(1, frames)])  # the last row counts frames
    sums = functional.pad(both, (SPAN * BLOCK, SPAN * BLOCK + blocks * BLOCK - frames))
    summed = sums.unfold(1, BLOCK, BLOCK).sum(-1).unfold(1, 2 * SPAN + 1, 1).sum(-1)
    return summed[:-1] / summed[-1:]


def _recurrence(power: Tensor) -> Tensor:
    """Return how plainly a power over time [T] recurs: 0 of what does not, up to 1.

    By how much the autocorrelation rises from its lowest to a peak after it, at a step of _FASTEST
    to _SLOWEST frames. What swells slowly has no such peak.
    """
    frames = len(power)
    if frames <= _FASTEST + 2:
        return power.new_zeros(())
    wave = (power / (power.mean() + _TINY)).sqrt()
    kernel = wave.new_tensor([[[0.25, 0.5, 0.25]]])  # hits lie between frames, or a little off
    wave = functional.conv1d((wave - wave.mean())[None, None], kernel, padding=1)[0, 0]
    products = torch.fft.irfft(torch.fft.rfft(wave, 2 * frames).abs().square())[:frames]
    steps = torch.arange(frames, device=power.device)
    like = (products / (products[0] + _TINY) * frames / (frames - steps))[: _SLOWEST + 2]
    peak = (like[1:-1] >= like[:-2]) & (like[1:-1] >= like[2:])
    rise = like[1:-1] - like[1:-1].cummin(0).values
    highest: Tensor = (rise * peak)[_FASTEST - 1 :].amax().clamp(0, 1)
    return highest


def _wiener(power: Tensor, floor: Tensor) -> Tensor:
    """Return the gain [K, T] that takes the floor alone, by powers of neighbouring bins."""
    around = functional.pad(power[None, None], (1, 1, 2, 2), mode="replicate")
    smooth = functional.avg_pool2d(around, (5, 3), 1)[0, 0]
    return (1 - _TAKEN * floor / (smooth + _TINY)).clamp_min(0).sqrt()


def _smoothed(values: Tensor, frames: int) -> Tensor:
    """Spread values of blocks [K, Q] over their frames [K, T], from each middle to the next."""
    wide = functional.interpolate(
        values[None], scale_factor=float(BLOCK), mode="linear", align_corners=False
    )
    return wide[0, :, :frames]


def _db(one: Tensor, other: Tensor) -> Tensor:
    return 10 * ((one + _TINY) / (other + _TINY)).log10()
