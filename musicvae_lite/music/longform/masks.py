"""What is left out of a sequence while a model learns to fill it in.

Letters in shapes: B sequences, T steps, K voices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Shares of what is asked for: all of it, what goes on from a start, bars between others, and short
#: stretches here and there.
_ALL, _FROM, _BARS = 0.35, 0.15, 0.38
#: How often, of several voices, one alone is asked for.
_ONE_VOICE = 0.4
_LONGEST_GAP = 4


def missing(
    count: int, bars: int, steps_per_bar: int, voices: int, draws: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw which events are missing, [B, T, K]; in every sequence one is.

    Args:
        count: B.
        bars: of a sequence.
        steps_per_bar: T is this many times ``bars``.
        voices: K.
        draws: what is random.
    """
    found = np.zeros((count, bars * steps_per_bar, voices), bool)
    for row in found:
        spans = _spans(bars, steps_per_bar, draws)
        heard = [int(draws.integers(voices))] if voices > 1 and draws.random() < _ONE_VOICE else ...
        for start, end in spans:
            row[start:end, heard] = True
    return found


def _spans(bars: int, steps_per_bar: int, draws: np.random.Generator) -> list[tuple[int, int]]:
    kind, total = draws.random(), bars * steps_per_bar
    if kind < _ALL:
        return [(0, total)]
    if kind < _ALL + _FROM:
        return [(int(draws.integers(1, bars)) * steps_per_bar, total)]
    if kind < _ALL + _FROM + _BARS:
        size = int(draws.integers(1, min(_LONGEST_GAP, bars - 1) + 1))
        start = int(draws.integers(0, bars - size + 1))
        return [(start * steps_per_bar, (start + size) * steps_per_bar)]
    half = max(1, steps_per_bar // 2)
    chosen = np.flatnonzero(draws.random(-(-total // half)) < draws.uniform(0.1, 0.6))
    if not len(chosen):
        chosen = draws.integers(0, -(-total // half), 1)
    return [(int(at) * half, min(total, (int(at) + 1) * half)) for at in chosen]
