import numpy as np
import pytest
import torch

from musicvae_lite.audio.plots import SpectrogramRecorder, denoised_picture, plot_denoised
from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.spectrum import Grid, stft

RATE_HZ, GRID = 16_000, Grid(256, 1024)


def recorded(seconds: float, chunk: int = 64, rate_hz: int = RATE_HZ) -> SpectrogramRecorder:
    """A tone of 1 kHz in noise, everything above 2 kHz made 20 dB quieter."""
    count = round(seconds * rate_hz)
    generator = torch.Generator().manual_seed(0)
    signal = torch.sin(2 * torch.pi * 1000 / rate_hz * torch.arange(count)) + 0.01 * torch.randn(
        count, generator=generator
    )
    recorder = SpectrogramRecorder(count, GRID, rate_hz)
    spectrum = stft(signal[None], GRID)
    mask = torch.ones_like(spectrum.real)
    mask[:, 2000 * GRID.window // rate_hz :] = 0.1
    before, after = spectrum.abs().square(), (spectrum * mask).abs().square()
    for first in range(0, spectrum.shape[-1], chunk):
        recorder.add(
            first,
            before[..., first : first + chunk].numpy(),
            after[..., first : first + chunk].numpy(),
        )
    return recorder


@pytest.mark.parametrize("seconds", [0.01, 0.5, 30.0])
def test_the_pictures_show_the_tone_and_what_was_taken_away(seconds: float) -> None:
    recorder = recorded(seconds)
    before, after, gain = recorder.pictures()
    assert before.shape == after.shape == gain.shape == (len(recorder.rows_hz), recorder.width)
    middle = recorder.width // 2
    if seconds > 0.1:
        assert recorder.rows_hz[before[:, middle].argmax()] == pytest.approx(1000, rel=0.02)
    assert before.max() == 0 and before.min() >= -80
    low, high = recorder.rows_hz < 1900, recorder.rows_hz > 2100
    assert np.abs(gain[low]).max() < 1e-6 and gain[high] == pytest.approx(-20, abs=0.01)


def test_chunks_do_not_show() -> None:
    for one, other in zip(recorded(5.0, 7).pictures(), recorded(5.0, 1000).pictures(), strict=True):
        assert np.abs(one - other).max() < 1e-3


def test_a_wrong_length_and_silence_do_no_harm() -> None:
    recorder = SpectrogramRecorder(3000, GRID, RATE_HZ)
    silence = stft(torch.zeros(2, 20_000), GRID).abs().square().numpy()
    recorder.add(0, silence, silence)
    assert (
        all(np.isfinite(image).all() for image in recorder.pictures())
        and not recorder.pictures()[2].any()
    )
    assert all(
        np.isfinite(image).all() for image in SpectrogramRecorder(0, GRID, RATE_HZ).pictures()
    )


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_picture_is_repeatable(tmp_path, suffix: str) -> None:
    recorder, path = recorded(1.0), tmp_path / f"p.{suffix}"
    plot_denoised(recorder, path, "noisy.wav")
    assert path.read_bytes() == denoised_picture(recorder, path, "noisy.wav")
    with pytest.raises(UsageError, match="exists already"):
        plot_denoised(recorder, path)
    with pytest.raises(UsageError, match="a picture ends in"):
        plot_denoised(recorder, tmp_path / "p.bmp")


@pytest.mark.parametrize("rate_hz", [8_000, 192_000])
def test_other_rates(rate_hz: int) -> None:
    recorder = recorded(0.5, rate_hz=rate_hz)
    before, _, gain = recorder.pictures()
    assert recorder.rows_hz[-1] < rate_hz / 2 and gain[recorder.rows_hz > 2300] == pytest.approx(
        -20, abs=0.01
    )
