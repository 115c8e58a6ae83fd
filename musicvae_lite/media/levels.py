"""Times as users write them; how loud a sound is and where it is clipped, measured block by block.

Letters in shapes: C channels, N samples. dBFS: decibels below a square wave of full scale, that is
10 log10 of the mean square of samples of which the largest possible is 1.
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError

Block = NDArray[np.float32]

SILENCE_DBFS = -160.0  # what digital silence is given as, so that every level is a number


class Stretch(NamedTuple):
    """A part of a recording, from ``start`` up to ``end`` in seconds."""

    start: float
    end: float

    def samples(self, rate_hz: int) -> slice:
        """Return where its samples are."""
        return slice(round(self.start * rate_hz), round(self.end * rate_hz))


_TIME = r"(?:(\d+):)?(?:(\d+):)?(\d+(?:\.\d*)?|\.\d+)"
_STRETCH = re.compile(rf"\s*{_TIME}\s*-\s*{_TIME}\s*", re.ASCII)


def parse_stretch(text: str) -> Stretch:
    """Read a stretch of time such as ``0:01-0:02``, ``1.5-2.25`` (seconds) or
    ``1:02:03-1:02:04.5``.

    Raises:
        UsageError: if it is no stretch, or ends before it begins.
    """
    match = _STRETCH.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no stretch of time; write it as 0:01-0:02 or 1.5-2.5")
    start, end = _seconds(match.groups()[:3]), _seconds(match.groups()[3:])
    if end <= start:
        raise UsageError(f"{text!r} ends before it begins; write the earlier time first")
    return Stretch(start, end)


def parse_time(text: str) -> float:
    """Read a time such as ``0:30`` or ``90``, in seconds.

    Raises:
        UsageError: if it is none.
    """
    match = re.fullmatch(rf"\s*{_TIME}\s*", text, re.ASCII)
    if match is None:
        raise UsageError(f"{text!r} is no time; write it as 0:30 or 30")
    return _seconds(match.groups())


def _seconds(parts: tuple[str | None, ...]) -> float:
    """Return the seconds of (hours, minutes, seconds), where the first number stands for minutes if
    there are but two.
    """
    total = 0.0
    for part in parts:
        if part is not None:
            total = total * 60 + float(part)
    return total


def clock(seconds: float) -> str:
    """Show a time as ``1:02.345``, with hours where there are any."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{start}:{rest / 1000:06.3f}".removesuffix(".000")


def dbfs(mean_square: float) -> float:
    """Return a level in dBFS, at least :data:`SILENCE_DBFS`."""
    return max(SILENCE_DBFS, 10 * math.log10(mean_square)) if mean_square > 0 else SILENCE_DBFS


class LevelMeter:
    """Level of a signal that comes in blocks."""

    def __init__(self) -> None:
        self._squares, self._samples, self.peak = 0.0, 0, 0.0

    def add(self, block: NDArray[Any]) -> None:
        """Count in samples of any shape."""
        flat = np.asarray(block, np.float32).ravel()
        self._squares += float(np.square(flat, dtype=np.float64).sum())
        self._samples += flat.size
        self.peak = max(self.peak, float(np.abs(flat).max(initial=0.0)))

    @property
    def dbfs(self) -> float:
        """Level of what came so far."""
        return dbfs(self._squares / max(1, self._samples))


def level_change_db(before: LevelMeter, after: LevelMeter) -> float:
    """Return by how many dB ``after`` is louder.

    Negative where it is quieter, 0 for silence that stayed.
    """
    return after.dbfs - before.dbfs


class ClipCounter:
    """Counts samples that were cut off at full scale, in a signal that comes in blocks.

    Clipping shows as three or more samples in a row at one value of full scale (0.99 or more of
    it); a single one may be a peak.

    Args:
        channels: C.
    """

    LEVEL, RUN = 0.99, 3

    def __init__(self, channels: int) -> None:
        self._before: Block = np.zeros((channels, self.RUN - 1), np.float32)
        self.clipped, self.samples = 0, 0

    def add(self, block: Block) -> None:
        """Count in the next samples [C, n]."""
        joined = np.concatenate([self._before, block], axis=1)
        self.samples += block.size
        self._before = joined[:, -(self.RUN - 1) :]
        if np.abs(joined).max(initial=0.0) < self.LEVEL:
            return
        same = (joined[:, 2:] == joined[:, 1:-1]) & (joined[:, 1:-1] == joined[:, :-2])
        self.clipped += int((same & (np.abs(joined[:, 2:]) >= self.LEVEL)).sum())

    def warning(self, source: str) -> str:
        """Return a sentence for a user, or nothing where fewer than three runs in a million samples
        are clipped.
        """
        if self.clipped <= 3e-6 * self.samples:
            return ""
        share = f"{100 * self.clipped / self.samples:.2g} %"
        return (
            f"{source}: is clipped ({share} of the samples stand at full scale); what was cut "
            "off is not restored"
        )
