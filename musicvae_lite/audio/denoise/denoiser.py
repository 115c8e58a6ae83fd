"""Cleaning sound of any length, rate and number of channels with a mask network, in constant
memory.

Letters in shapes: C channels, N samples, F frequency bins, K bands, T frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from musicvae_lite.audio.denoise import hum
from musicvae_lite.audio.denoise.clicks import ClickCount, mend_clicks
from musicvae_lite.audio.denoise.judgement import EXCESS, given_back
from musicvae_lite.audio.denoise.network import (
    BANDS,
    REACH,
    MaskNetwork,
    band_powers,
    features_at,
    folded,
    statistics,
    to_bins,
    whole_bands,
    widths,
)
from musicvae_lite.audio.denoise.short import least_samples, short_or_not, unchanged
from musicvae_lite.audio.denoise.silence import AROUND, LONG, breaks, stretches
from musicvae_lite.audio.denoise.stages import check_stages
from musicvae_lite.audio.denoise.streaming import MaskStream
from musicvae_lite.audio.denoise.verdict import Account
from musicvae_lite.audio.denoise.view import View
from musicvae_lite.core.devices import multiplies_bfloat16
from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.audio import Samples
from musicvae_lite.media.spectrum import BLOCK, Chunks, Grid, change_spectrum, grid_of, stft
from musicvae_lite.nn.winograd import winograd_helps

# Frames, 16 s, and for a mono sound, whose spectrum takes half the memory, 27 s. Longer ones are
# faster: hum and noise floor are measured some seconds to both sides of each.
_CHUNK, _MONO_CHUNK = 28 * BLOCK, 48 * BLOCK
_PIECE = (
    16 * BLOCK
)  # frames that the network hears at a time; longer ones are hardly faster and take memory
_AROUND = 4 * BLOCK  # frames to both sides, 2.2 s, over which it is judged how noisy a place is

# What the network takes away is a measure of how noisy a place is: it takes at least some
# millionths from clean sound, and of that about as much as it does harm. Where what stays is more
# than so many dB above what goes, the place is likely clean, and no more is taken than leaves it
# _SAFE_DB above; below the first figure all is taken, between them a part.
_UNSURE_DB, _SURE_DB = 17.0, 21.0
_SAFE_DB = 31.5
_TINY = 1e-20

PROFILE_SECONDS = 0.2  # the shortest stretch of noise that a profile is measured on


@dataclass(frozen=True)
class Wish:
    """How much is to be cleaned.

    Attributes:
        strength: 0 leaves the sound as it is, 1 takes away all that is found to be noise; between
            them a blend.
        max_reduction_db: nothing is made quieter by more than that; None: no limit.
        profile: [K] what :meth:`Cleaner.profile` measures on noise alone, or None.
        careful: pass places that are hardly noisy almost unchanged.
        only: what is mended, of STAGES; None: all.
    """

    strength: float = 1.0
    max_reduction_db: float | None = None
    profile: Tensor | None = None
    careful: bool = True
    only: frozenset[str] | None = None

    def __post_init__(self) -> None:
        check_stages(self.only)
        if not 0 <= self.strength <= 1:
            raise UsageError(f"strength is 0 to 1, not {self.strength:g}")
        if self.max_reduction_db is not None and not self.max_reduction_db >= 0:
            raise UsageError(f"max_reduction_db is 0 or more, not {self.max_reduction_db:g}")

    def does(self, stage: str) -> bool:
        """Whether something of STAGES is to be mended."""
        return self.only is None or stage in self.only

    @property
    def least_gain(self) -> float:
        """What stays of the purest noise."""
        limit = 0.0 if self.max_reduction_db is None else 10 ** (-self.max_reduction_db / 20)
        return max(1 - self.strength, limit)


class Cleaner:
    """A mask network on its device; later changes of the network do not reach it.

    Mains hum is subtracted first (:mod:`musicvae_lite.audio.denoise.hum`), each channel's own; the
    network sees what is left.
    The channels of a sound share one gain, so that its stereo image stays where it is: gains of
    their own would make a voice wander from side to side with the noise. It is the mean of the
    channels' own gains, weighted by their powers in each band and frame, so that a channel in which
    a note sounds keeps it for all.
    """

    def __init__(self, network: MaskNetwork) -> None:
        self.device = next(network.parameters()).device
        on_cpu = self.device.type == "cpu"
        self.bfloat16 = on_cpu and multiplies_bfloat16(
            self.device
        )  # a GPU is fast enough in float32
        self.network = folded(network, winograd=on_cpu and winograd_helps())

    def stream(
        self,
        blocks: Iterable[Samples],
        rate: int,
        wish: Wish,
        watch: Callable[[View], None] | None = None,
        clicks: ClickCount | None = None,
    ) -> Iterator[Samples]:
        """Yield cleaned samples [C, n], as many in all as ``blocks`` [C, n] hold.

        The same however they are cut.

        What a silence parts is heard apart (:func:`musicvae_lite.audio.denoise.silence.stretches`).
        ``watch`` is called with every stretch of the spectrum; where a new part begins the last
        frame of the one before it is its first, too. What is too short to tell noise from sound
        stays as it is. ``clicks`` is told how many there were; they are replaced before all else.
        """
        grid, done = grid_of(rate), 0
        if wish.does("crackle"):
            blocks = mend_clicks(blocks, rate, wish.strength, clicks)
        for stretch in stretches(blocks, grid.hop):
            short, stretch = short_or_not(stretch, least_samples(grid))
            for cleaned in (
                self._passed(stretch, grid, watch, done // grid.hop)
                if short
                else self._stream(stretch, rate, wish, watch, done // grid.hop)
            ):
                done += cleaned.shape[1]
                yield cleaned

    def _passed(
        self,
        blocks: Iterable[Samples],
        grid: Grid,
        watch: Callable[[View], None] | None,
        first: int,
    ) -> Iterator[Samples]:
        """Pass on a part of a sound as it is, whose first frame is numbered ``first``."""
        samples = np.concatenate(list(blocks), 1)
        if watch is not None:
            watch(unchanged(samples, grid, first))
        yield samples

    def _stream(
        self,
        blocks: Iterable[Samples],
        rate: int,
        wish: Wish,
        watch: Callable[[View], None] | None,
        done: int,
    ) -> Iterator[Samples]:
        """Clean one part of a sound, whose first frame is numbered ``done`` of the whole."""
        grid = grid_of(rate)
        ear = _Ear(self.network, self.device, self.bfloat16, wish.profile)
        source = _Bounds(blocks)
        first = done

        def change(spectrum: Tensor, place: slice) -> Tensor:
            nonlocal done
            begin = (
                grid.window // 2 - (done - first - place.start) * grid.hop
            )  # frame 0 is centred on the first sample
            sound = begin + source.first, begin + source.end
            tones = _subtract_hum(spectrum, grid, rate, sound) if wish.does("hum") else None
            with torch.inference_mode(), ExitStack() as stack:
                if self.device.type == "cuda":  # all flags: without ``enabled`` cuDNN would be off
                    stack.enter_context(
                        torch.backends.cudnn.flags(
                            enabled=True, allow_tf32=False, deterministic=True
                        )
                    )
                granted = _granted(ear.hear(spectrum, place), wish) if wish.does("noise") else None
            before = spectrum[..., place]
            noise = torch.zeros(before.shape[-1]) if granted is None else granted.noise
            after = (
                before.clone()
                if granted is None
                else before * to_bins(granted.gain[None], grid.bins)[0]
            )
            humming = 0.0
            if tones is not None:
                inside, bins = tones[..., place], tones.shape[1]
                before[:, :bins] += inside
                after[:, :bins] += wish.least_gain * inside
                hummed = inside.abs().square().mean(0).sum(0)
                noise, humming = noise + hummed / grid.bins, float(hummed.sum())
            if watch is not None:
                watch(View(done, before, after, noise, granted and granted.account, humming))
            done += after.shape[-1]
            return after

        rest = iter(source)
        ahead = list(islice(rest, 1))
        frames = _MONO_CHUNK if ahead and len(ahead[0]) == 1 else _CHUNK
        chunks = Chunks(frames, ear.before, ear.after, BLOCK)
        yield from change_spectrum(chain(ahead, rest), grid, chunks, change)

    def profile(self, noise: Samples, rate: int) -> Tensor:
        """Measure noise alone, [C, N], for :class:`Wish`: [K].

        Raises:
            UsageError: if it is too short, or silent.
        """
        if noise.shape[-1] < PROFILE_SECONDS * rate:
            raise UsageError(
                f"the profile is {noise.shape[-1] / rate:.3f} s long; mark {PROFILE_SECONDS:g} s "
                "of noise or more"
            )
        if not noise.any():
            raise UsageError(
                "the profile holds digital silence; mark a stretch in which the noise is heard"
            )
        grid = grid_of(rate)
        spectrum = stft(torch.from_numpy(noise), grid)
        half = grid.window // 2
        _subtract_hum(spectrum, grid, rate, (half, half + noise.shape[-1]))
        power = band_powers(spectrum)
        inner = grid.window // grid.hop // 2  # frames at the ends lie half in the silence around
        inner = inner if power.shape[-1] > 4 * inner else 0
        return statistics(power[..., inner : power.shape[-1] - inner]).low[..., 0].mean(0)


class _Heard(NamedTuple):
    """What the network makes of some frames and those around over which it is judged how noisy a
    place is.

    Attributes:
        gain: [K, T] the channels' common one.
        power: [K, T] of the channels' mean.
        inside: where the frames that are asked for lie in them.
    """

    gain: Tensor
    power: Tensor
    inside: slice


class _Voice:
    """What is heard of a channel, or of several that were equal so far: by one stream from its last
    break on.

    Args:
        network: of :func:`musicvae_lite.audio.denoise.network.folded`.
        bfloat16: see :class:`musicvae_lite.audio.denoise.streaming.MaskStream`.
        device: of the network.

    Attributes:
        known: [K, n] gains that have not been used yet.
    """

    def __init__(self, network: MaskNetwork, bfloat16: bool, device: torch.device) -> None:
        self._new = partial(MaskStream, network, bfloat16)
        self._stride = network.time_stride
        self._stream: MaskStream | None = None  # of silence there is none
        self._begin, self._heard = (
            0,
            0,
        )  # frames of the sound: where the stretch begins, up to where it has been heard
        self.known = torch.zeros(BANDS, 0, device=device)

    def copy(self) -> _Voice:
        """Return another one that has heard the same."""
        other = copy(self)
        other._stream = None if self._stream is None else self._stream.copy()
        return other

    def hear(
        self,
        spectrum: Tensor,
        power: Tensor,
        edges: list[int],
        first: int,
        stop: int,
        last: bool,
        profile: Tensor | None,
    ) -> None:
        """Hear on up to frame ``stop`` of the sound.

        Args:
            spectrum: [1, F, T] of the channel, from frame ``first`` of the sound on.
            power: [1, K, T] of its bands.
            edges: frames of the sound, among these, at which the channel breaks off or begins
                again, ascending.
            first: a multiple of BLOCK.
            stop: not included.
            last: whether the sound ends there.
            profile: [1, K] of the noise, or None.
        """
        end = first + spectrum.shape[-1]
        for edge in [*(edge for edge in edges if edge > self._heard), end]:
            ends = edge <= stop and (edge < end or last)
            until = edge if ends else stop
            # Nothing beyond a break is looked at; statistics are of blocks counted from the one
            # before.
            begin = self._begin + BLOCK * max(-(-(first - self._begin) // BLOCK), 0)
            part = slice(begin - first, edge - first)
            self._feed(spectrum[..., part], power[..., part], begin, until, ends, profile)
            if not ends:
                return
            self._begin, self._stream = edge, None

    def _feed(
        self,
        spectrum: Tensor,
        power: Tensor,
        first: int,
        stop: int,
        last: bool,
        profile: Tensor | None,
    ) -> None:
        """Hear on up to frame ``stop``, or nearly, in one stretch; arguments as of :meth:`hear`."""
        if self._stream is None:
            if not power[..., self._heard - first : stop - first].any():
                self._pass(stop)
                return
            self._stream = self._new()
        stop = stop if last else self._heard + (stop - self._heard) // self._stride * self._stride
        if stop > self._heard:
            frames = slice(self._heard - first, stop - first)
            gains = self._stream.feed(features_at(spectrum, power, frames, profile), last)[0]
            self.known = torch.cat([self.known, gains], 1)
            self._heard = stop

    def _pass(self, stop: int) -> None:
        """Leave silence as it is, which is no part of what follows."""
        silence = self.known.new_ones(BANDS, stop - self._heard)
        self.known = torch.cat([self.known, silence], 1)
        self._begin = self._heard = stop


class _Ear:
    """A mask network that hears the channels of a sound chunk by chunk, to its end.

    Args:
        network: of :func:`musicvae_lite.audio.denoise.network.folded`.
        device: of the network.
        bfloat16: see :class:`musicvae_lite.audio.denoise.streaming.MaskStream`.
        profile: [K] of the noise, or None.

    Attributes:
        before: frames of the past that each chunk must come with.
        after: frames of the future.
    """

    def __init__(
        self, network: MaskNetwork, device: torch.device, bfloat16: bool, profile: Tensor | None
    ) -> None:
        self.device = device
        self.profile = None if profile is None else profile[None].to(device)
        # Frames that are heard before a chunk can be judged. A voice may be behind by less than a
        # step of the network's innermost level, since after a break its steps need not begin with
        # the others'; the reach has room for that.
        self.ahead = _AROUND + BLOCK * -(-network.reach // BLOCK)
        past = max(REACH + BLOCK, 2 * AROUND + LONG) - self.ahead  # for statistics and breaks
        self.before = hum.REACH + max(_AROUND, BLOCK * -(-past // BLOCK))
        self.after = self.ahead + max(REACH + BLOCK, AROUND + LONG) + hum.REACH
        self._voices = [
            _Voice(network, bfloat16, device)
        ]  # of each channel; channels that were equal so far share one
        # Frames of the sound: the chunk that is next begins at the first, gains are known up to the
        # second (they are kept from _AROUND frames before the chunk on), the network has heard all
        # before the third, or nearly.
        self._next, self._given, self._heard = 0, 0, 0
        self._known = torch.zeros(BANDS, 0)

    def hear(self, spectrum: Tensor, place: slice) -> _Heard:
        """Hear the next chunk of a sound.

        Args:
            spectrum: [C, F, T] of the chunk and what surrounds it, without hum.
            place: of the chunk in it.
        """
        frames, first = spectrum.shape[-1], self._next - place.start
        ended = frames < place.stop + self.after
        until = frames if ended else place.stop + self.ahead
        spectrum = spectrum.to(self.device)
        power = band_powers(spectrum)
        self._separate(spectrum)
        levels = (power * widths(self.device)).sum(1).sqrt().cpu().numpy()
        edges = [[place + first for place in breaks(level, first == 0)] for level in levels]
        parts = [self._known]
        for piece in _pieces(self._heard - first, until):
            parts.append(
                self._common_gain(
                    spectrum, power, edges, first, piece.stop, ended and piece.stop == until
                )
            )
        self._heard = first + until
        gain = torch.cat(parts, 1)
        wide = slice(max(place.start - _AROUND, 0), min(place.stop + _AROUND, frames))
        self._next += place.stop - place.start
        self._known = gain[:, max(place.stop - _AROUND, wide.start) - wide.start :].clone()
        inside = slice(place.start - wide.start, place.stop - wide.start)
        return _Heard(gain[:, : wide.stop - wide.start], power[..., wide].mean(0).cpu(), inside)

    def _separate(self, spectrum: Tensor) -> None:
        """Give channels that are no longer equal voices of their own."""
        if len(self._voices) < len(spectrum):
            self._voices *= len(spectrum)
        before = list(self._voices)
        for channel in range(1, len(spectrum)):
            if before[channel] is before[channel - 1]:
                equal = torch.equal(spectrum[channel], spectrum[channel - 1])
                self._voices[channel] = (
                    self._voices[channel - 1] if equal else before[channel].copy()
                )

    def _common_gain(
        self,
        spectrum: Tensor,
        power: Tensor,
        edges: list[list[int]],
        first: int,
        stop: int,
        last: bool,
    ) -> Tensor:
        """Hear on up to frame ``stop`` of a spectrum that begins at frame ``first`` and return the
        gains known by it, [K, n].
        """
        for channel, voice in enumerate(self._voices):
            if voice not in self._voices[:channel]:
                one, its_power = (part[channel : channel + 1] for part in (spectrum, power))
                voice.hear(one, its_power, edges[channel], first, first + stop, last, self.profile)
        count = min(voice.known.shape[1] for voice in self._voices)
        weights = power[..., self._given - first : self._given - first + count]
        gain = (torch.stack([voice.known[:, :count] for voice in self._voices]) * weights).sum(
            0
        ) / (weights.sum(0) + _TINY)
        self._given += count
        for voice in set(self._voices):
            voice.known = voice.known[:, count:]
        whole = whole_bands(
            spectrum.shape[1]
        )  # a band that the rate cuts off looks like none in the training
        gain[whole:] = gain[whole - 1].clone()
        return gain.cpu()


def _pieces(start: int, stop: int) -> Iterator[slice]:
    """Cut frames into pieces of about equal length, _PIECE at the most, that begin at multiples of
    BLOCK as ``start`` does.
    """
    blocks = -(-(stop - start) // BLOCK)
    count = -(-blocks * BLOCK // _PIECE)
    ends = [start + BLOCK * (blocks * number // count) for number in range(1, count)]
    for first, last in pairwise([start, *ends, stop]):
        if first < last:
            yield slice(first, last)


class _Granted(NamedTuple):
    """What a mask does as it is wished.

    Attributes:
        gain: [K, T] of the frames that were asked for.
        noise: [T] mean power of a bin of what was heard as noise there.
        account: of what stays and goes by full strength.
    """

    gain: Tensor
    noise: Tensor
    account: Account


def _granted(heard: _Heard, wish: Wish) -> _Granted:
    """Return what is done to the frames that were asked for."""
    stays, goes = (_of_bins(part.square() * heard.power) for part in (heard.gain, 1 - heard.gain))
    inside, power = heard.inside, heard.power[..., heard.inside]
    noise = _of_bins((1 - heard.gain.square()) * heard.power)[inside] / _bins_of(heard.gain)
    given = given_back(heard.gain, heard.power)
    gain = heard.gain
    if wish.careful:
        gain = torch.maximum(1 - (1 - gain) * _care(stays, goes), given.gain)
    gain = gain[..., inside]
    taken = (1 - gain).square() * power
    parts = (gain.square() * power, taken, (taken - EXCESS * given.floor[..., inside]).clamp_min(0))
    account = Account(*(float(_of_bins(part).sum()) for part in parts))
    return _Granted((1 - wish.strength * (1 - gain)).clamp_min(wish.least_gain), noise, account)


class _Bounds:
    """Blocks of samples [C, n], and where in them the sound begins and ends, but for digital
    silence.

    Attributes:
        first: number of the first sample that is not 0, of those that came; all of them where there
            is none.
        end: the one after the last that is not 0, infinite until the blocks end.
    """

    def __init__(self, blocks: Iterable[Samples]) -> None:
        self._blocks = blocks
        self.first, self.end = 0, math.inf

    def __iter__(self) -> Iterator[Samples]:
        count = last = 0
        for block in self._blocks:
            sounding = np.flatnonzero(block.any(0))
            if not last:
                self.first = count + (int(sounding[0]) if len(sounding) else block.shape[1])
            last = count + int(sounding[-1]) + 1 if len(sounding) else last
            count += block.shape[1]
            yield block
        self.end = last


def _subtract_hum(
    spectrum: Tensor, grid: Grid, rate: int, sound: tuple[float, float]
) -> Tensor | None:
    """Take the hum out of a spectrum [C, F, T] in place and return it, [C, the lowest bins, T].

    None where there is none.
    """
    tones = hum.hum_of(spectrum, grid, rate, sound)
    if tones is not None:
        spectrum[:, : tones.shape[1]] -= tones
    return tones


def _of_bins(values: Tensor) -> Tensor:
    """Sum values of bands [K, T] over the bins that they stand for, [T]."""
    return (values * widths(values.device)).sum(0)


def _bins_of(values: Tensor) -> float:
    return float(widths(values.device).sum())


def _care(stays: Tensor, goes: Tensor) -> Tensor:
    """Return how much of what would go may go, 0..1 [T], by the powers of what stays and goes, [T]
    each.
    """
    sums = [_around(part) for part in (stays, goes)]
    clean_db = 10 * ((sums[0] + _TINY) / (sums[1] + _TINY)).log10()
    share = ((clean_db - _UNSURE_DB) / (_SURE_DB - _UNSURE_DB)).clamp(0, 1)
    safe = 10 ** ((clean_db - _SAFE_DB).clamp_max(0) / 20)
    return 1 - share * (1 - safe)


def _around(values: Tensor) -> Tensor:
    """Average [T] over _AROUND frames to both sides."""
    return functional.avg_pool1d(
        values[None], 2 * _AROUND + 1, 1, _AROUND, count_include_pad=False
    )[0]
