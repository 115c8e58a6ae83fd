"""What a cleaner shows of its work.

Letters in shapes: C channels, F frequency bins, T frames.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from musicvae_lite.audio.denoise.verdict import Account
from musicvae_lite.media.spectrum import Grid


class View(NamedTuple):
    """What happened to some frames.

    Attributes:
        first: number of the first of them.
        before: [C, F, T] complex spectrum.
        after: [C, F, T] what became of it.
        noise: mean power of a bin that was taken for noise or hum, [T], before wishes and care.
        account: of what stays and goes; None where nothing was judged.
        hum: power of the hum, of all bins and frames, mean of the channels.
    """

    first: int
    before: Tensor
    after: Tensor
    noise: Tensor
    account: Account | None = None
    hum: float = 0.0


def noise_mean_square(view: View, grid: Grid) -> float:
    """Return the mean square of a sample of what the network took for noise (Parseval; a Hann
    window squared sums to 3/8).
    """
    return float(view.noise.double().sum()) * 2 * grid.bins / (grid.window * grid.window * 3 / 8)
