import torch

from musicvae_lite.audio.timbre.phase import griffin_lim
from musicvae_lite.media.spectrum import grid_of, stft
from tests.sounds import RATE, tone


def distance(wave: torch.Tensor, magnitudes: torch.Tensor) -> float:
    return float((stft(wave, grid_of(RATE)).abs() - magnitudes).norm() / magnitudes.norm())


def test_phases_become_consistent() -> None:
    grid, wave = grid_of(RATE), torch.from_numpy(tone(440) + tone(700))
    magnitudes = stft(wave, grid).abs()
    start = torch.randn(
        magnitudes.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0)
    )
    found = [
        distance(griffin_lim(magnitudes, start, grid, len(wave), rounds), magnitudes)
        for rounds in (0, 4, 32)
    ]
    assert found[0] > 1.5 * found[1] > 1.5 * found[2] and found[2] < 0.2


def test_true_phases_give_the_sound_itself() -> None:
    grid, wave = grid_of(RATE), torch.from_numpy(tone(440))
    spectrum = stft(wave, grid)
    for rounds in (0, 3):
        torch.testing.assert_close(
            griffin_lim(spectrum.abs(), spectrum, grid, len(wave), rounds), wave, atol=1e-4, rtol=0
        )


def test_silence_is_no_division_by_zero() -> None:
    grid = grid_of(RATE)
    nothing = torch.zeros(grid.bins, 9)
    assert not griffin_lim(nothing, nothing.to(torch.complex64), grid, 8 * grid.hop).any()
