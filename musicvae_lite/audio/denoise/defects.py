"""Faults of a recording that its samples show without a network: clipping, dropouts, an offset,
rumble, a band that is cut off.

Measured block by block, so that a sound may be of any length.

Letters in shapes: C channels, N samples, F frequency bins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.audio import Samples

Floats = NDArray[np.float64]

_FRAME_SECONDS = 0.186  # of a spectrum: bins of 5.4 Hz
_RUMBLE_HZ = (3.0, 19.0)  # below the lowest notes
_MUSIC_HZ = 40.0
_RUN = 3  # samples at one value: a flat top
_TOPS_LEAST = 0.02  # of full scale; a quieter top is silence
_DROP_SECONDS = (0.0004, 0.4)
_LOUD = 0.02  # of the largest sample: what a dropout interrupts
_BESIDE_SECONDS = 0.003
_OF_RATE = 0.27  # 12 kHz at 44.1: encoders cut off higher
_CLIFF_DB = 28.0  # by which all above lies below what is a quarter of an octave lower
_TINY = 1e-20


class Meter:
    """Measures the faults of a sound that comes in blocks.

    Args:
        channels: C.
        rate: samples per second.
    """

    def __init__(self, channels: int, rate: int) -> None:
        self.rate, self._size = rate, int(2 ** round(np.log2(_FRAME_SECONDS * rate)))
        self._window = np.hanning(self._size)
        self._sum, self._squares = np.zeros(channels), np.zeros(channels)
        self.samples, self.peak = 0, 0.0
        self._power, self._frames = np.zeros(self._size // 2 + 1), 0
        self._tops: dict[float, int] = {}
        self.dropped = self.dropouts = 0

    def add(self, block: Samples) -> None:
        """Count in samples [C, n]; a block is best some seconds long."""
        wave = block.astype(np.float64)
        self._sum += wave.sum(1)
        self._squares += np.square(wave).sum(1)
        self.samples += wave.shape[1]
        self.peak = max(self.peak, float(np.abs(wave).max(initial=0)))
        self._add_spectrum(wave)
        for channel in block:
            self._add_tops(channel)
            self._add_dropouts(channel)

    def _add_spectrum(self, wave: Floats) -> None:
        frames = wave.shape[1] // self._size
        parts = wave[:, : frames * self._size].reshape(-1, self._size)
        if len(parts):
            parts = parts - parts.mean(1, keepdims=True)
            self._power += np.square(np.abs(np.fft.rfft(parts * self._window))).sum(0)
            self._frames += len(parts)

    def _add_tops(self, channel: Samples) -> None:
        """Count the samples of flat tops, by their level."""
        same = (channel[2:] == channel[1:-1]) & (channel[1:-1] == channel[:-2])
        tops = np.abs(channel[1:-1])[same & (np.abs(channel[1:-1]) >= _TOPS_LEAST)]
        for level, count in zip(*np.unique(np.round(tops, 3), return_counts=True), strict=True):
            self._tops[float(level)] = self._tops.get(float(level), 0) + int(count)

    def _add_dropouts(self, channel: Samples) -> None:
        """Count stretches of one value that break into sound that goes on after them."""
        still = np.concatenate([[False], np.diff(channel) == 0, [False]])
        edges = np.flatnonzero(still[1:] != still[:-1]).reshape(-1, 2)
        lengths = edges[:, 1] - edges[:, 0]
        low, high = (seconds * self.rate for seconds in _DROP_SECONDS)
        beside, loud = int(_BESIDE_SECONDS * self.rate), _LOUD * max(self.peak, _TINY)
        for begin, end in edges[(lengths >= max(low, 8)) & (lengths <= high)]:
            if abs(channel[begin]) > 0.5 * self.peak:  # a flat top
                continue
            before, after = channel[max(begin - beside, 0) : begin], channel[end + 1 :][:beside]
            if len(before) == len(after) == beside and all(
                np.median(np.abs(part)) > loud
                for part in (before, after)  # a click is no sound
            ):
                self.dropouts += 1
                self.dropped += int(end - begin)

    # Results

    @property
    def mean_square(self) -> float:
        """Mean square of a sample, the offset aside."""
        samples = max(self.samples, 1)
        return float((self._squares / samples - np.square(self._sum / samples)).mean())

    @property
    def offset(self) -> float:
        """The largest mean of a channel, of full scale."""
        return float(np.abs(self._sum).max() / max(self.samples, 1))

    @property
    def clipped(self) -> float:
        """The part of all samples that lie in flat tops at the loudest level."""
        if not self._tops or not self.samples:
            return 0.0
        level = max(self._tops)
        if level < 0.97 * self.peak:
            return 0.0
        near = sum(count for top, count in self._tops.items() if top > 0.98 * level)
        return near / (self.samples * len(self._sum))

    @property
    def clip_level(self) -> float:
        """The level of the flat tops, of full scale."""
        return max(self._tops, default=0.0)

    def rumble_db(self) -> float:
        """Return the power below the lowest notes beside that of the rest, in dB."""
        hz = np.fft.rfftfreq(self._size, 1 / self.rate)
        low = self._power[(hz > _RUMBLE_HZ[0]) & (hz < _RUMBLE_HZ[1])].sum()
        return float(10 * np.log10((low + _TINY) / (self._power[hz > _MUSIC_HZ].sum() + _TINY)))

    def cut_off_hz(self) -> float | None:
        """Return where the band ends, if it ends at once and well below half the rate."""
        if not self._frames or not self.peak:
            return None
        hz = np.fft.rfftfreq(self._size, 1 / self.rate)
        edges = np.geomspace(800, self.rate / 2 * 0.98, 80)
        bands = [
            self._power[(hz >= low) & (hz < high)].mean() + _TINY
            for low, high in zip(edges[:-1], edges[1:], strict=True)
        ]
        level = 10 * np.log10(np.array(bands))
        for at in range(3, len(level) - 8):
            above = level[at + 4 :].max()
            if edges[at] < _OF_RATE * self.rate and level[at - 3 : at].min() - above > _CLIFF_DB:
                return float(edges[at + 4])
        return None
