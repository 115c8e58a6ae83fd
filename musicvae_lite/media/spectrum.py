"""Spectrograms: their frames, the transforms, and changes chunk by chunk with the same result for
every length of the chunks.

Letters in shapes: C channels, N samples, F frequency bins, T frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from musicvae_lite.media.audio import Samples

# Frames are as long as 6144 samples at 44.1 kHz at every rate, so that a bin is 7.2 Hz wide
# whatever the rate.
HOP_SECONDS = 1536 / 44100
OVERLAP = 4
# Frames that share what is measured of their surroundings (noise floor, hum): 0.56 s. For the same
# result however a sound is cut it is cut at multiples of this.
BLOCK = 16


class Grid(NamedTuple):
    """Where the frames of a spectrogram lie: every ``hop`` samples, each ``window`` samples
    long.
    """

    hop: int
    window: int

    @property
    def bins(self) -> int:
        """Number of frequencies from 0 to half the rate, both included."""
        return self.window // 2 + 1

    def frames(self, samples: int) -> int:
        """Return how many frames cover ``samples`` samples.

        Frame t is centred on sample ``t * hop``.
        """
        return -(-samples // self.hop) + 1


def grid_of(rate: int, hop_seconds: float = HOP_SECONDS) -> Grid:
    """Return frames four times as long as the step from one to the next.

    By default 139 ms every 35 ms: bins 7.18 Hz wide (within 0.3 %) at every rate from 8 kHz on.
    """
    hop = max(round(rate * hop_seconds), 1)
    return Grid(hop, OVERLAP * hop)


def stft(samples: Tensor, grid: Grid) -> Tensor:
    """Return the spectrogram of ``samples`` [..., N] under a Hann window, complex [..., F, T].

    Silence lies outside.
    """
    half, count = grid.window // 2, samples.shape[-1]
    frames = grid.frames(count)
    padded = torch.nn.functional.pad(samples, (half, (frames - 1) * grid.hop + half - count))
    return _transform(padded, grid)


def _transform(samples: Tensor, grid: Grid) -> Tensor:
    """Return the spectra of all frames that lie inside ``samples`` [..., N], [..., F, T]."""
    window = torch.hann_window(grid.window, device=samples.device)
    flat = samples.reshape(-1, samples.shape[-1])
    spectrum = torch.stft(
        flat, grid.window, grid.hop, window=window, center=False, return_complex=True
    )
    return spectrum.reshape(*samples.shape[:-1], *spectrum.shape[1:])


def istft(spectrum: Tensor, grid: Grid, samples: int) -> Tensor:
    """Return the ``samples`` samples [..., N] whose spectrogram is nearest to ``spectrum`` [..., F,
    T] (Griffin & Lim 1984).
    """
    summed, weight = _overlap_add(spectrum, grid)
    half = grid.window // 2
    return (summed / weight.clamp_min(1e-8))[..., half : half + samples]


def _overlap_add(spectrum: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Return the sum of the windowed frames, [..., (T - 1) * hop + window], and of the squared
    windows, [the same].
    """
    window = torch.hann_window(grid.window, device=spectrum.device)
    frames = torch.fft.irfft(spectrum.transpose(-1, -2), grid.window) * window
    count = frames.shape[-2]
    length = (count - 1 + OVERLAP) * grid.hop
    summed = frames.new_zeros(*frames.shape[:-2], length)
    weight = frames.new_zeros(length)
    for part in range(OVERLAP):
        span = slice(part * grid.hop, (part + 1) * grid.hop)
        inner = slice(part * grid.hop, (part + count) * grid.hop)
        summed[..., inner] += frames[..., span].flatten(-2)
        weight[inner] += window[span].square().repeat(count)
    return summed, weight


Change = Callable[[Tensor, slice], Tensor]


@dataclass(frozen=True)
class Chunks:
    """How a long sound is cut for its spectrum to be changed.

    Attributes:
        frames: in a chunk; a multiple of ``align``.
        before: frames of the past that the change looks at; a multiple of ``align``.
        after: frames of the future that it looks at.
        align: chunks and what they see begin at multiples of this.
    """

    frames: int
    before: int = 0
    after: int = 0
    align: int = 1

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames % self.align or self.before % self.align:
            raise ValueError(
                f"{self.frames} frames a chunk and {self.before} before are no multiples of "
                f"{self.align}"
            )


def change_spectrum(
    blocks: Iterable[Samples], grid: Grid, chunks: Chunks, change: Change
) -> Iterator[Samples]:
    """Pass sound through its spectrogram in constant memory.

    The result does not depend on how the sound is cut, as long as a frame of the result depends on
    no more than ``chunks.before`` and ``chunks.after`` frames around it. As many samples come out
    as go in, none late.

    Args:
        blocks: [C, any number of samples] one after another.
        grid: of the frames.
        chunks: how to cut.
        change: from the complex spectrum of a chunk with what surrounds it, [C, F, T], and the
            place of the chunk in it, to the chunk's new spectrum, [C, F, length of that place].

    Yields:
        [C, n] samples, as many in all as there were.
    """
    source = _Window(iter(blocks))
    adder = _Adder(grid)
    first = 0
    while True:
        start, stop = max(first - chunks.before, 0), first + chunks.frames + chunks.after
        source.fill((stop - 1) * grid.hop + grid.window // 2)
        if source.total is not None:
            stop = min(stop, grid.frames(source.total))
        last = min(first + chunks.frames, stop)
        if not source.channels:
            return
        spectrum = source.spectrum(start, stop, grid)
        ended = source.total is not None and last == grid.frames(source.total)
        ready = adder.add(
            change(spectrum, slice(first - start, last - start)), source.total if ended else None
        )
        if ready.shape[-1]:
            yield ready.numpy()
        if ended:
            return
        first = last
        source.drop((first - chunks.before) * grid.hop - grid.window // 2)


class _Window:
    """The part of a stream of samples that is still needed."""

    def __init__(self, blocks: Iterator[Samples]) -> None:
        self._blocks = blocks
        self._parts: list[Samples] = []
        self.first, self.end = 0, 0  # the samples that are kept
        self.channels = 0
        self.total: int | None = None  # known at the end of the stream

    def fill(self, end: int) -> None:
        """Read until sample ``end`` (excluded) is there, or the stream ends."""
        while self.end < end and self.total is None:
            block = next(self._blocks, None)
            if block is None:
                self.total = self.end
            elif block.shape[1]:
                self._parts.append(block)
                self.channels = block.shape[0]
                self.end += block.shape[1]

    def drop(self, first: int) -> None:
        """Forget the samples before ``first``."""
        while self._parts and self.first + self._parts[0].shape[1] <= first:
            self.first += self._parts.pop(0).shape[1]

    def spectrum(self, start: int, stop: int, grid: Grid) -> Tensor:
        """Return frames ``start`` to ``stop`` (excluded), [C, F, T].

        Silence lies outside the stream.
        """
        low, high = start * grid.hop - grid.window // 2, (stop - 1) * grid.hop + grid.window // 2
        samples = torch.zeros(self.channels, high - low)
        at = self.first
        for part in self._parts:
            begin, end = max(at, low), min(at + part.shape[1], high)
            if begin < end:
                samples[:, begin - low : end - low] = torch.from_numpy(
                    part[:, begin - at : end - at]
                )
            at += part.shape[1]
        return _transform(samples, grid)


class _Adder:
    """Overlap-add of spectra that come chunk by chunk."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._tail: tuple[Tensor, Tensor] | None = None
        self._done = -(grid.window // 2)  # frame 0 begins half a window before the first sample

    def add(self, spectrum: Tensor, total: int | None) -> Tensor:
        """Add the next frames [C, F, T] and return the samples that no later frame reaches.

        All, where ``total`` is known.
        """
        summed, weight = _overlap_add(spectrum, self._grid)
        if self._tail is not None:
            size = self._tail[1].shape[0]
            summed[..., :size] += self._tail[0]
            weight[:size] += self._tail[1]
        ready = spectrum.shape[-1] * self._grid.hop if total is None else total - self._done
        self._tail = summed[..., ready:].clone(), weight[ready:].clone()
        samples = summed[..., :ready] / weight[:ready].clamp_min(1e-8)
        first = max(-self._done, 0)
        self._done += ready
        return samples[..., first:]
