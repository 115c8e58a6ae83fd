"""Sounds too short to be cleaned."""

import numpy as np
import pytest

import musicvae_lite as mv
from musicvae_lite.audio.denoise.short import least_samples
from musicvae_lite.media.audio import Audio
from musicvae_lite.media.spectrum import grid_of
from tests.sounds import RATE, noise, save, save_tiny_denoiser, tone


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return mv.load(save_tiny_denoiser(tmp_path_factory.mktemp("models") / "tiny"), "cpu")


@pytest.mark.parametrize("milliseconds", [1, 20, 50, 100, 139, 250])
def test_short_sounds_stay_as_they_are(session, milliseconds):
    wave = tone(440)[: RATE * milliseconds // 1000]
    np.testing.assert_array_equal(session.denoise(Audio(wave[None], RATE)).samples[0], wave)


def test_longer_ones_are_cleaned(session):
    wave = (tone(440) + noise())[:, : least_samples(grid_of(RATE))]
    assert np.abs(session.denoise(Audio(wave, RATE)).samples - wave).max() > 1e-3


def test_a_short_sound_between_silences_stays(session):
    wave = np.zeros(4 * RATE, np.float32)
    wave[2 * RATE : 2 * RATE + 800] = tone(440)[:800]
    found = session.denoise(Audio(wave[None], RATE)).samples[0]
    np.testing.assert_allclose(found, wave, atol=1e-6)


def test_a_file_that_is_too_short_is_told(session, tmp_path):
    save(tone(440)[:400], tmp_path / "a.wav")
    views = []
    told = session.denoise_file(tmp_path / "a.wav", tmp_path / "b.wav", watch=views.append)
    assert "too short to tell noise from sound" in told.warning
    assert views[0].first == 0 and told.level_change_db == 0
