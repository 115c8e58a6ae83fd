"""Sound from the magnitudes of a spectrogram alone: phases that go with them.

Letters in shapes: F frequency bins, T frames, N samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from musicvae_lite.media.spectrum import Grid, istft, stft

if TYPE_CHECKING:
    from torch import Tensor

ROUNDS = 32
_MOMENTUM = 0.99
_TINY = 1e-12


def griffin_lim(
    magnitudes: Tensor, start: Tensor, grid: Grid, samples: int, rounds: int = ROUNDS
) -> Tensor:
    """Return sound [N] whose spectrogram comes near to ``magnitudes`` (Griffin & Lim 1984; faster
    as in Perraudin et al. 2013).

    torchaudio's knows no phases to start from; those of a sound that is alike save most of the
    artefacts.

    Args:
        magnitudes: [F, T].
        start: [F, T] complex numbers whose phases are the first guess.
        grid: of the frames.
        samples: N.
        rounds: times that the phases are made consistent; 0 takes those of ``start``.
    """
    phases, before = _turned(start), start.new_zeros(())
    for _ in range(rounds):
        heard = stft(istft(magnitudes * phases, grid, samples), grid)
        phases = _turned(heard - _MOMENTUM / (1 + _MOMENTUM) * before)
        before = heard
    return istft(magnitudes * phases, grid, samples)


def _turned(spectrum: Tensor) -> Tensor:
    """Return numbers of size 1 in the direction of those of ``spectrum``."""
    return spectrum / spectrum.abs().clamp_min(_TINY)
