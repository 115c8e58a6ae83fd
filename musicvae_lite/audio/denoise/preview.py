"""Before and after in one sound, with a beep between them.

Letters in shapes: C channels, N samples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.audio import Audio, Samples
from musicvae_lite.media.levels import clock

PREVIEW_SECONDS = 10.0
_BEEP_HZ, _BEEP_SECONDS, _PAUSE_SECONDS, _FADE_SECONDS = 880.0, 0.25, 0.3, 0.01
_BEEP_SIZE = 0.1


def excerpt(blocks: Iterable[Samples], rate: int, start: float, source: str) -> Samples:
    """Return up to ten seconds of a sound [C, N] from ``start`` seconds on.

    Raises:
        UsageError: the sound ends before.
    """
    first, stop = round(start * rate), round((start + PREVIEW_SECONDS) * rate)
    parts: list[Samples] = []
    count = 0
    for block in blocks:
        part = block[:, max(first - count, 0) : max(stop - count, 0)]
        count += block.shape[1]
        if part.shape[1]:
            parts.append(part)
        if count >= stop:
            break
    if not parts:
        raise UsageError(
            f"{source}: lasts {clock(count / rate)}; it has no {clock(start)} to preview from"
        )
    return np.concatenate(parts, 1)


def beside(before: Audio, after: Audio) -> Audio:
    """Return a sound with ``before``, a beep and ``after``, of the same rate and channels."""
    channels, rate = before.samples.shape[0], before.rate
    pause = np.zeros((channels, round(_PAUSE_SECONDS * rate)), np.float32)
    seconds = np.arange(round(_BEEP_SECONDS * rate)) / rate
    fade = np.minimum(np.minimum(seconds, _BEEP_SECONDS - seconds) / _FADE_SECONDS, 1)
    beep = _BEEP_SIZE * fade * np.sin(2 * np.pi * _BEEP_HZ * seconds)
    middle = np.broadcast_to(beep.astype(np.float32), (channels, len(beep)))
    parts = [before.samples, pause, middle, pause, after.samples]
    return replace(before, samples=np.concatenate(parts, 1))
