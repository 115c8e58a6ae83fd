import numpy as np
import pytest
import torch

from musicvae_lite.audio.denoise.evaluate import si_sdr_db
from musicvae_lite.audio.denoise.hum import REACH, hum_of
from musicvae_lite.audio.denoise.noises import unit
from musicvae_lite.media.spectrum import BLOCK, grid_of, istft, stft

RATE = 16000
SECONDS = 6


def hum(hz: float, rate: int = RATE, harmonics: int = 12, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    time = np.arange(SECONDS * rate) / rate
    return unit(
        sum(
            np.sin(2 * np.pi * hz * k * time + random.uniform(0, 6)) / k
            for k in range(1, harmonics + 1)
        )
    )


def notes(rate: int = RATE, hz: float = 220.0) -> np.ndarray:
    """Half-second notes that die away."""
    time = np.arange(SECONDS * rate) / rate
    wave = np.zeros(len(time))
    for start in range(2 * SECONDS):
        since = time - start / 2
        tone = sum(
            np.sin(2 * np.pi * hz * 2 ** (start * 5 % 12 / 12) * k * since) / k for k in range(1, 6)
        )
        wave += np.where((since >= 0) & (since < 0.5), tone * np.exp(-6 * since), 0)
    return unit(wave.astype(np.float32))


def without_hum(wave: np.ndarray, rate: int = RATE) -> np.ndarray:
    grid = grid_of(rate)
    spectrum = stft(torch.from_numpy(np.atleast_2d(wave).astype(np.float32)), grid)
    half = grid.window // 2
    found = hum_of(spectrum, grid, rate, (half, half + wave.shape[-1]))
    if found is not None:
        spectrum[:, : found.shape[1]] -= found
    return istft(spectrum, grid, wave.shape[-1]).numpy().reshape(wave.shape)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
@pytest.mark.parametrize("hz", [50.0, 49.87, 60.2])
def test_hum_goes_and_music_stays(rate: int, hz: float) -> None:
    music = notes(rate)
    cleaned = without_hum(music + hum(hz, rate), rate)
    assert si_sdr_db(cleaned, music) > 25  # 0 dB before


def test_no_hum_is_left_at_the_ends() -> None:
    wave = hum(50.0)[: SECONDS * RATE - 1234]
    cleaned = without_hum(wave)
    for part in (cleaned[:RATE], cleaned[-RATE:], cleaned[RATE:-RATE]):
        assert np.square(part).mean() < 1e-5


def test_music_without_hum_stays_as_it_is() -> None:
    grid = grid_of(RATE)
    time = np.arange(SECONDS * RATE) / RATE
    chord = sum(
        np.sin(2 * np.pi * hz * k * time) / k
        for hz in (49.0, 73.42, 98.0, 123.47)
        for k in range(1, 8)
    )
    for wave in (
        notes(),
        unit(chord.astype(np.float32)),
        np.random.default_rng(0).standard_normal(SECONDS * RATE),
        0 * time,
    ):
        assert (
            hum_of(stft(torch.from_numpy(wave.astype(np.float32)), grid)[None], grid, RATE) is None
        )


def test_sounds_too_short_to_tell_stay() -> None:
    grid = grid_of(RATE)
    assert hum_of(stft(torch.from_numpy(hum(50.0)[: RATE // 2]), grid)[None], grid, RATE) is None


def test_channels_have_their_own_hum() -> None:
    music = notes()
    for other in (0.1 * hum(50.0, seed=1), -hum(50.0), 0 * music):
        for cleaned in without_hum(np.stack([music + hum(50.0), music + other])):
            assert si_sdr_db(cleaned, music) > 25


def test_it_does_not_matter_how_the_sound_is_cut() -> None:
    grid = grid_of(RATE)
    wave = np.concatenate([notes(), notes() + hum(60.0), notes(hz=330.0)])
    spectrum = stft(torch.from_numpy(wave)[None], grid)
    whole = hum_of(spectrum, grid, RATE)
    assert whole is not None and whole[..., : 2 * BLOCK].abs().max() == 0
    first, stop = 16 * BLOCK, 20 * BLOCK
    cut = spectrum[..., first - REACH : stop + REACH]
    part = hum_of(cut, grid, RATE)
    assert part is not None
    inner = part[..., REACH : REACH + stop - first]
    torch.testing.assert_close(
        inner, whole[:, : part.shape[1], first:stop], atol=1e-3 * float(whole.abs().max()), rtol=0
    )
