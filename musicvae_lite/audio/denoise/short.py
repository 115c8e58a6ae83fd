"""Sounds too short to be cleaned: shorter than the network's frames, they are left as they are.

In less than a frame nothing tells noise from sound: there is one spectrum, and no before and after.

Letters in shapes: C channels, N samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import torch

from musicvae_lite.audio.denoise.network import POOL
from musicvae_lite.audio.denoise.view import View
from musicvae_lite.media.audio import Samples
from musicvae_lite.media.spectrum import OVERLAP, Grid, stft


def least_samples(grid: Grid) -> int:
    """Return how long a sound must be for its noise to be told from it.

    A window, and as many steps more as the noise floor is averaged over.
    """
    return (OVERLAP + POOL) * grid.hop


def short_or_not(blocks: Iterable[Samples], least: int) -> tuple[bool, Iterator[Samples]]:
    """Say whether blocks [C, n] hold fewer than ``least`` samples, and return them all."""
    source, ahead, count = iter(blocks), list[Samples](), 0
    for block in source:
        ahead.append(block)
        count += block.shape[1]
        if count >= least:
            break
    return count < least, chain(ahead, source)


def unchanged(samples: Samples, grid: Grid, first: int) -> View:
    """Return the view of a sound [C, N] that stays as it is and begins at frame ``first``."""
    spectrum = stft(torch.from_numpy(samples), grid)
    return View(first, spectrum, spectrum, torch.zeros(spectrum.shape[-1]))
