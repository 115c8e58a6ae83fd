"""Clicks and crackle: found as what no prediction explains, and replaced by what it predicts.

Sound is predictable from its neighbours (an autoregression); a click is not, and is over in some
milliseconds. What stands out of the prediction error is cut out and filled so that the error of
the whole is least (S. Godsill, P. Rayner, "Digital Audio Restoration", Springer 1998, chapter 5).
The beginning of a note stands out, too, but what follows it is louder than what was before.

Letters in shapes: C channels, N samples, P order of the prediction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import solve_toeplitz
from scipy.ndimage import maximum_filter1d

from musicvae_lite.media.audio import Samples

Wave = NDArray[np.float64]

_ORDER = 32
_FRAME_SECONDS = 0.046  # over which a sound is taken for stationary
_SEGMENT, _MARGIN = 64, 4  # frames that are mended at a time, and what is heard to both sides
_SURE, _SINGLE = 20.0, 40.0  # times the usual error: surely no note; and where it stands alone
_FOUND, _EDGE = 7.0, 3.0  # in crackle; and how far down a click is followed
_MANY = 7.0  # sure clicks a second are crackle
_LONGEST_SECONDS = 0.004
_JOIN = 6  # samples between two clicks that are one
_BESIDE_SECONDS = 0.008  # before and after a click, where the sound must be the same
_LOUDER = 3.0  # times the power before: a note begins
_ROUNDS = 3  # each of which hears the sound without the clicks before
_OF_MEDIAN = 0.6745  # of a normal distribution
_LEAST = 1e-5  # error that is silence
_TINY = 1e-12


@dataclass
class ClickCount:
    """What was found.

    Attributes:
        clicks: how many were replaced, of all channels.
        samples: how many samples these were.
        of: samples that were looked at.
    """

    clicks: int = 0
    samples: int = 0
    of: int = 0

    def add(self, found: NDArray[np.bool_]) -> None:
        """Count in what was found in some samples [N]."""
        self.clicks += len(_spans(found))
        self.samples += int(found.sum())
        self.of += len(found)


def mend_clicks(
    blocks: Iterable[Samples], rate: int, strength: float = 1.0, count: ClickCount | None = None
) -> Iterator[Samples]:
    """Replace the clicks of a sound in constant memory; what is no click stays to the bit.

    Args:
        blocks: [C, any number of samples] one after another; the result does not depend on how
            they are cut.
        rate: samples per second.
        strength: 0 leaves them, 1 replaces them.
        count: is told how many there were.

    Yields:
        As many samples as came.
    """
    frame = _frame(rate)
    size, margin = _SEGMENT * frame, _MARGIN * frame
    held, source, first, ended = np.zeros((0, 0), np.float32), iter(blocks), 0, False
    while True:
        parts = [held] if held.size else []
        length = held.shape[1]
        while not ended and length < first + size + margin:
            block = next(source, None)
            ended = block is None
            if block is not None:
                parts.append(block)
                length += block.shape[1]
        if not parts:
            return
        held = np.concatenate(parts, 1)
        if first >= length:
            return
        place = slice(first, min(first + size, length))
        seen = held[:, : place.stop + margin]
        yield np.stack([_mended(channel, rate, place, strength, count) for channel in seen])
        dropped = max(place.stop - margin, 0)
        held, first = held[:, dropped:], place.stop - dropped


def _mended(
    channel: Samples, rate: int, place: slice, strength: float, count: ClickCount | None
) -> Samples:
    mended, found = without_clicks(channel, rate)
    if count is not None:
        count.add(found[place])
    given = channel[place].copy()
    inside = found[place]
    given[inside] += strength * (mended[place][inside] - given[inside])
    return given


def _frame(rate: int) -> int:
    """Return how many samples are taken for stationary: a power of two."""
    wanted = max(_FRAME_SECONDS * rate, 8 * _ORDER)
    return int(2 ** round(np.log2(wanted)))


def without_clicks(wave: Samples, rate: int) -> tuple[Wave, NDArray[np.bool_]]:
    """Return a sound [N] of one channel whose clicks are replaced, and which samples these are."""
    mended, frame = np.array(wave, np.float64), _frame(rate)
    found = np.zeros(len(mended), bool)
    for _ in range(_ROUNDS):
        spans = _find(mended, frame, rate)
        for begin, end in spans:
            found[begin:end] = True
            _fill(mended, begin, end, frame)
        if not spans:
            break
    return mended, found


def _find(wave: Wave, frame: int, rate: int) -> list[tuple[int, int]]:
    """Return where clicks begin and end, ascending."""
    error, usual = _errors(wave, frame)
    ratio = np.abs(error) / usual
    if ratio.max(initial=0) < _SURE:
        return []
    # A click goes on as long as its error does, with short dips between.
    low = maximum_filter1d(ratio, 2 * _JOIN + 1) > _EDGE
    spans, heights = [], []
    for begin, end in _spans(low):
        height = ratio[begin:end].max()
        begin, end = max(begin + _JOIN - 2, _ORDER), min(end - _JOIN + 2, len(wave) - _ORDER)
        if height > _FOUND and 0 < end - begin <= _LONGEST_SECONDS * rate:
            if _isolated(wave, begin, end, rate):
                spans.append((begin, end))
                heights.append(height)
    sure = sum(height > _SURE for height in heights) * rate / len(wave)
    least = _FOUND if sure >= _MANY else _SINGLE
    return [span for span, height in zip(spans, heights, strict=True) if height > least]


def _isolated(wave: Wave, begin: int, end: int, rate: int) -> bool:
    """Say whether the sound after a click is as before it: where it is louder, a note begins."""
    beside = int(_BESIDE_SECONDS * rate)
    before, after = wave[max(begin - beside, 0) : begin], wave[end + 2 : end + 2 + beside]
    if len(before) < beside // 2 or len(after) < beside // 2:
        return False
    rough = [float(np.square(np.diff(part)).mean()) + _TINY for part in (before, after)]
    return rough[1] < _LOUDER * rough[0]


def _errors(wave: Wave, frame: int) -> tuple[Wave, Wave]:
    """Return the error of the prediction of each sample [N], and how large it usually is there."""
    error, usual = np.zeros(len(wave)), np.full(len(wave), np.inf)
    for first in range(0, len(wave), frame):
        begin, stop = max(first - frame // 2, 0), min(first + frame, len(wave))
        part = wave[begin : stop + frame // 2]
        if len(part) < 4 * _ORDER or not part.any():
            continue
        past = min(_ORDER, first)
        whole = np.convolve(wave[first - past : stop], _prediction(part))[past:-_ORDER]
        if not past:
            whole[:_ORDER] = 0
        error[first:stop] = whole
        usual[first:stop] = np.median(np.abs(whole[::2])) / _OF_MEDIAN + _LEAST
    return error, usual


@lru_cache(maxsize=4)
def _window(size: int) -> Wave:
    window: Wave = np.hanning(size)
    return window


def _prediction(part: Wave, order: int = _ORDER) -> Wave:
    """Return the error filter [P + 1] of the autoregression of a sound, the first of it 1."""
    windowed = part * _window(len(part))
    size = next_fast_len(len(part) + order, real=True)
    spectrum = rfft(windowed, size)
    like = irfft(spectrum.real**2 + spectrum.imag**2, size)[: order + 1]
    like[0] = like[0] * (1 + 1e-9) + _TINY
    try:
        taps: Wave = np.concatenate([[1.0], -solve_toeplitz(like[:-1], like[1:])])
    except np.linalg.LinAlgError:
        taps = np.eye(1, order + 1)[0]
    return taps


def _fill(wave: Wave, begin: int, end: int, frame: int) -> None:
    """Replace samples by those with the least error of prediction, in place."""
    around = slice(max(begin - frame // 2, 0), min(end + frame // 2, len(wave)))
    order = min(max(_ORDER, end - begin), 2 * _ORDER)
    if begin < order or end + order > len(wave):
        order = _ORDER
    part = np.array(wave[around])
    inside = slice(begin - around.start, end - around.start)
    part[inside] = np.linspace(part[inside.start - 1], part[inside.stop], end - begin)
    for _ in range(2):  # the second prediction has heard no click
        part[inside] = _likeliest(wave[begin - order : end + order], _prediction(part, order))
    wave[begin:end] = part[inside]


def _likeliest(wave: Wave, taps: Wave) -> Wave:
    """Return the inner samples of a sound with the least squares of prediction errors.

    As many are known to both sides as the prediction is long. The unknown ones solve a Toeplitz
    system: the autocorrelation of the error filter.
    """
    order = len(taps) - 1
    known, length = np.array(wave), len(wave) - 2 * order
    known[order:-order] = 0
    given = np.convolve(known, taps)[order : len(known)]
    row = np.zeros(length)
    like = np.correlate(taps, taps, "full")[order:]
    row[: min(length, order + 1)] = like[:length]
    solved: Wave = solve_toeplitz(row, -np.correlate(given, taps, "valid")[:length])
    return solved


def _spans(marked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where marked samples [N] begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]
