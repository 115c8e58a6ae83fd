"""Windows that overlap, joined so that notes go on from one to the next.

A window that starts in the middle of a note does not know of it: where windows abut, the note is
cut. Where they overlap, the earlier one says how long it lasts. Letters in shapes: N windows, T
steps of a window.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.music.codec import ScoreCodec, score_codec

Ints = NDArray[np.int64]

_EVERY = {"hop_bars": 1, "require_onset": False}


class Stretch(NamedTuple):
    """Bars one after another: the index of the window that they begin with, and their steps."""

    row: int
    tokens: NDArray[Any]


def every_bar(codec: ScoreCodec) -> ScoreCodec:
    """Return the codec with a window from every bar on, also those in which nothing starts: so that
    a long note is one.
    """
    settings = codec.config()
    return score_codec(settings | {key: value for key, value in _EVERY.items() if key in settings})


def half_apart(bars: Ints, size: int) -> Ints:
    """Choose of the windows of ``size`` bars that start at ascending ``bars`` [N] such that overlap
    by half where they can.
    """
    chosen: list[int] = []
    for index, following in enumerate([*bars[1:].tolist(), None]):
        # One after which another is near enough, too, can be left out.
        if not chosen or following is None or following - bars[chosen[-1]] > max(1, size // 2):
            chosen.append(index)
    return np.array(chosen, np.int64)


def weave(windows: NDArray[Any], bars: Ints, codec: ScoreCodec) -> list[Stretch]:
    """Join windows [N, T] that start at ascending ``bars`` [N]: a window goes on from the one
    before it and lasts to the next.

    Windows that do not overlap begin a new stretch.
    """
    stretches: list[Stretch] = []
    parts: list[NDArray[Any]] = []
    starts = bars.tolist()
    for row, (bar, following) in enumerate(zip(starts, [*starts[1:], None], strict=True)):
        window = windows[row]
        if parts:
            window = codec.resume(
                window, windows[row - 1][(bar - starts[row - 1]) * codec.steps_per_bar :]
            )
        last = following is None or following - bar >= codec.bars
        parts.append(
            window
            if last or following is None
            else window[: (following - bar) * codec.steps_per_bar]
        )
        if last:
            stretches.append(Stretch(row + 1 - len(parts), np.concatenate(parts)))
            parts = []
    return stretches
