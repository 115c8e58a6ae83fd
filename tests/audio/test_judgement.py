"""What a mask takes and is given back."""

import numpy as np
import pytest
import torch

import musicvae_lite as mv
from musicvae_lite.audio.denoise import denoiser
from musicvae_lite.audio.denoise.judgement import REACH, given_back
from musicvae_lite.audio.denoise.network import BANDS, band_powers
from musicvae_lite.audio.denoise.verdict import Account, Verdict
from musicvae_lite.media.audio import Audio, read_audio
from musicvae_lite.media.spectrum import BLOCK, grid_of, stft
from tests.sounds import noise, save, save_tiny_denoiser

RATE = 44100
RANDOM = np.random.default_rng(3)


def powers(wave: np.ndarray) -> torch.Tensor:
    return band_powers(stft(torch.from_numpy(wave[None].astype(np.float32)), grid_of(RATE)))[0]


def hits(times: np.ndarray, seconds: float = 5.0) -> np.ndarray:
    """Return bursts of noise at times."""
    wave = np.zeros(int(seconds * RATE))
    burst = RANDOM.standard_normal(6000) * np.exp(-np.arange(6000) / 900) * 0.4
    for time in times:
        at = int(time * RATE)
        wave[at : at + 6000] += burst[: len(wave) - at]
    return wave


HISS = 0.01 * RANDOM.standard_normal(5 * RATE)
EVENLY, RANDOMLY = np.arange(0.1, 4.8, 0.25), np.sort(RANDOM.uniform(0, 4.8, 19))


def mask(power: torch.Tensor) -> torch.Tensor:
    """Return a mask that turns all treble down and keeps the bass."""
    gain = torch.full_like(power, 0.1)
    gain[:208] = 1.0
    return gain


def low_tone() -> np.ndarray:
    return 0.6 * np.sin(2 * np.pi * 200 * np.arange(5 * RATE) / RATE)


def test_what_recurs_is_given_back_and_what_does_not_is_not():
    found = {}
    for name, times in (("even", EVENLY), ("random", RANDOMLY)):
        power = powers(hits(times) + HISS + low_tone())
        gain = mask(power)
        raised = given_back(gain, power).gain
        assert (raised >= gain - 1e-6).all()
        burst = power[300:700].mean(0) > 20 * power[300:700].mean(0).median()
        found[name] = float(raised[300:700, burst].mean())
    assert found["even"] > 0.8 and found["random"] < 0.3


def test_between_the_hits_the_floor_still_goes():
    power = powers(hits(EVENLY[::3]) + HISS + low_tone())
    raised = given_back(mask(power), power).gain
    quiet = power[720:].mean(0) < 2 * power[720:].mean(0).median()
    assert raised[720:, quiet].mean() < 0.3


def test_a_tone_that_stands_is_given_back_and_noise_is_not():
    tone = 0.1 * np.sin(2 * np.pi * 51.9 * np.arange(5 * RATE) / RATE)
    power = powers(tone + HISS)
    raised = given_back(torch.full_like(power, 0.05), power).gain
    at = int(power.mean(1).argmax())
    assert raised[at, 8:-8].min() > 0.95
    assert raised[300:500].mean() < 0.06


def test_a_part_is_judged_as_the_whole():
    power = powers(np.tile(hits(EVENLY) + HISS, 3))
    gain = mask(power)
    whole = given_back(gain, power)
    part = slice(8 * BLOCK, 24 * BLOCK)
    cut = given_back(gain[:, part], power[:, part])
    inner = slice(REACH, 16 * BLOCK - REACH)
    shifted = slice(8 * BLOCK + REACH, 24 * BLOCK - REACH)
    torch.testing.assert_close(cut.gain[:, inner], whole.gain[:, shifted])
    torch.testing.assert_close(cut.floor[:, inner], whole.floor[:, shifted])


@pytest.mark.parametrize("frames", [1, 5, BLOCK, BLOCK + 1, 40])
def test_any_length_is_judged(frames):
    power = torch.rand(BANDS, frames)
    found = given_back(torch.rand(BANDS, frames), power)
    assert found.gain.shape == found.floor.shape == power.shape and found.gain.isfinite().all()


def test_silence_is_judged():
    power = torch.zeros(BANDS, 50)
    assert given_back(power, power).gain.isfinite().all()


def test_a_verdict_doubts_what_takes_nearly_all_but_not_plain_noise():
    doubt, noise_alone, noisy = Verdict(), Verdict(), Verdict()
    doubt.add(Account(left=1, taken=10, beyond=2))
    noise_alone.add(Account(left=1, taken=1000, beyond=3))
    noisy.add(Account(left=1, taken=1.2, beyond=1))
    assert doubt.doubtful and not noise_alone.doubtful and not noisy.doubtful
    assert "left as it is" in doubt.words("a.wav") and not Verdict().doubtful


@pytest.fixture
def deaf(tmp_path, monkeypatch):
    """A session whose network takes all for noise."""
    session = mv.load(save_tiny_denoiser(tmp_path / "tiny"), "cpu")
    heard = denoiser._Ear.hear

    def nothing(self, spectrum, place):
        found = heard(self, spectrum, place)
        return found._replace(gain=torch.full_like(found.gain, 0.05))

    monkeypatch.setattr(denoiser._Ear, "hear", nothing)
    return session


def test_a_sound_taken_for_noise_as_a_whole_is_left_with_a_word(deaf, tmp_path):
    wave = hits(RANDOMLY).astype(np.float32)[None]
    np.testing.assert_array_equal(deaf.denoise(Audio(wave, RATE)).samples, wave)
    assert np.abs(deaf.denoise(Audio(wave, RATE), insist=True).samples).max() < np.abs(wave).max()
    save(wave, tmp_path / "a.wav", RATE)
    told = deaf.denoise_file(tmp_path / "a.wav", tmp_path / "b.wav", residual=tmp_path / "r.wav")
    assert "left as it is" in told.warning and told.noise_dbfs > -60
    np.testing.assert_array_equal(
        read_audio(tmp_path / "b.wav").samples, read_audio(tmp_path / "a.wav").samples
    )
    assert not read_audio(tmp_path / "r.wav").samples.any()


def test_noise_alone_is_cleaned(deaf):
    wave = noise(4, RATE)
    assert np.abs(deaf.denoise(Audio(wave, RATE)).samples).max() < 0.5 * np.abs(wave).max()
