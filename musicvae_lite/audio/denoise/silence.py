"""Where a sound breaks off into silence, so that what comes before and after is to be heard apart.

Recordings have stretches of digital silence: before a track begins, where something was cut out,
where a gate was shut. A denoiser that learned from sound that goes on hears them as part of it, and
errs for seconds around. A natural pause, into which
a sound dies away, is not such a break: what it is like tells how clean the sound is.

Letters in shapes: C channels, N samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from musicvae_lite.media.audio import Samples

# In cells of the length that is asked for; of 35 ms these are 3.9 s to both sides, 0.35 s, 1.5 s
# and 0.1 s.
AROUND = 112  # how far the loudest sound near a cell may be
SHORTEST = 10  # a silence that breaks a sound
LONG = 43  # one that does so however the sound came to its end
_AT_START = 3  # one before the sound begins
# cells before a silence that are still loud where a sound breaks off: its noise does not die away
_EDGE = 4

_QUIET = 10 ** (-70 / 20)  # of the loudest peak around: silence
_LOUD = 10 ** (-30 / 20)  # of it: still there
_BATCH = 64


def stretches(blocks: Iterable[Samples], cell: int) -> Iterator[Iterator[Samples]]:
    """Cut a sound at the borders of the silences that break it.

    A silence breaks a sound at its beginning, after a sound that does not die away into it, or if
    it is long.

    Args:
        blocks: [C, any number of samples] one after another.
        cell: samples; all stretches but the last one are so many, or a multiple.

    Yields:
        The blocks of each stretch, [C, n]; they are to be used up before the next is asked for.
        They follow the input by up to ``AROUND + LONG`` cells and do not depend on how it is cut.
    """
    for _, blocks_of_one in groupby(_numbered(blocks, cell), key=itemgetter(0)):
        yield (samples for _, samples in blocks_of_one)


def breaks(peaks: NDArray[np.float32], from_start: bool = True) -> list[int]:
    """Return at which cells a silence that breaks the sound begins or ends, ascending.

    Args:
        peaks: largest sample of each cell.
        from_start: whether the first one is the first of the sound.
    """
    around = functional.max_pool1d(torch.from_numpy(peaks)[None], 2 * AROUND + 1, 1, AROUND)[
        0
    ].numpy()
    quiet = np.concatenate([[False], peaks <= _QUIET * around, [False]])
    found: list[int] = []
    for begin, end in np.flatnonzero(quiet[1:] != quiet[:-1]).reshape(-1, 2).tolist():
        at_start = begin == 0 and from_start
        if end - begin < (_AT_START if at_start else SHORTEST):
            continue
        # The last cell before a silence may be silent in part.
        edge = peaks[max(begin - 1 - _EDGE, 0) : max(begin - 1, 0)]
        broken = begin > 0 and len(edge) and edge.min() > _LOUD * around[begin - 1]
        if broken or end - begin >= LONG or at_start:
            found += [begin, end]
    return [place for place in found if 0 < place < len(peaks)]


def _numbered(blocks: Iterable[Samples], cell: int) -> Iterator[tuple[int, Samples]]:
    """Yield the sound with the number of the stretch that each block belongs to."""
    peaks, given, number = np.zeros(0, np.float32), 0, 0
    held = np.zeros((0, 0), np.float32)
    for batch, last in _batches(blocks, _BATCH * cell):
        held = np.concatenate([held, batch], 1) if held.size else batch
        peaks = np.append(peaks, _peaks(batch, cell))
        sure = len(peaks) if last else len(peaks) - AROUND - LONG
        if sure <= given:
            continue
        first = max(
            given - 2 * AROUND - LONG, 0
        )  # enough of the past for the same result as of the whole
        places = [first + place for place in breaks(peaks[first:], first == 0)]
        for begin, end in _spans(given, sure, places):
            number += begin in places
            size = (end - begin) * cell
            yield number, held[:, :size]
            held = held[:, size:]
        given = sure


def _spans(start: int, stop: int, places: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the parts that places cut a range into."""
    edges = [start, *(place for place in places if start < place < stop), stop]
    yield from zip(edges, edges[1:], strict=False)


def _batches(blocks: Iterable[Samples], size: int) -> Iterator[tuple[Samples, bool]]:
    """Yield blocks of ``size`` samples and what is left, the last one marked."""
    parts: list[Samples] = []
    count = 0
    for block in blocks:
        first = 0
        while first < block.shape[1]:
            if count == size:  # it was not the last
                yield np.concatenate(parts, 1), False
                parts, count = [], 0
            part = block[:, first : first + size - count]
            parts.append(part)
            first, count = first + part.shape[1], count + part.shape[1]
    if count:
        yield np.concatenate(parts, 1), True


def _peaks(samples: Samples, cell: int) -> NDArray[np.float32]:
    """Return the largest sample of each cell, of all channels."""
    loudest = np.abs(samples).max(0)
    padded = np.pad(loudest, (0, -len(loudest) % cell))
    peaks: NDArray[np.float32] = padded.reshape(-1, cell).max(1)
    return peaks
