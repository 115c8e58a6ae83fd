"""Clicks and crackle."""

import numpy as np
import pytest

from musicvae_lite.audio.denoise.clicks import ClickCount, mend_clicks, without_clicks

RATE = 44100


def music(seconds: float = 3.0, seed: int = 0) -> np.ndarray:
    """Return notes with harmonics that begin softly and die away, and a little noise, [N]."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    wave = 0.002 * random.standard_normal(len(time))
    for begin in np.arange(0, seconds, 0.3):
        hz, since = random.uniform(200, 900), np.maximum(time - begin, 0)
        shape = np.minimum(since / 0.01, 1) * np.exp(-3 * since)
        wave += 0.1 * shape * sum(np.sin(2 * np.pi * hz * k * since) / k for k in range(1, 6))
    return wave.astype(np.float32)


def crackle(samples: int, each_second: float, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    wave = np.zeros(samples, np.float32)
    for at in random.integers(2000, samples - 2000, int(each_second * samples / RATE)):
        length = int(random.integers(2, 25))
        wave[at : at + length] += (
            random.uniform(0.2, 0.6) * random.choice((-1, 1)) * np.exp(-np.arange(length) / 5)
        )
    return wave


def gain_db(clean: np.ndarray, noisy: np.ndarray, mended: np.ndarray) -> float:
    return 10 * np.log10(np.square(noisy - clean).sum() / np.square(mended - clean).sum())


@pytest.mark.parametrize("each_second", [10, 40])
def test_crackle_goes(each_second):
    clean = music()
    noisy = clean + crackle(len(clean), each_second)
    count = ClickCount()
    mended = np.concatenate(list(mend_clicks([noisy[None]], RATE, 1.0, count)), 1)[0]
    assert gain_db(clean, noisy, mended) > (12 if each_second < 20 else 10)
    assert count.clicks > 0.7 * 3 * each_second and count.of == len(clean)


def test_clean_music_stays_to_the_bit():
    clean = music()[None].repeat(2, 0)
    found = np.concatenate(list(mend_clicks([clean], RATE)), 1)
    np.testing.assert_array_equal(found, clean)


def test_the_result_does_not_depend_on_the_blocks():
    noisy = (music(5) + crackle(5 * RATE, 20))[None]
    whole = np.concatenate(list(mend_clicks([noisy], RATE)), 1)
    parts = np.split(noisy, [1, 7, 30_000, 30_001, 100_000], 1)
    np.testing.assert_array_equal(np.concatenate(list(mend_clicks(parts, RATE)), 1), whole)


def test_strength_blends():
    noisy = (music() + crackle(3 * RATE, 20))[None]
    none, half, whole = (
        np.concatenate(list(mend_clicks([noisy], RATE, strength)), 1) for strength in (0, 0.5, 1)
    )
    np.testing.assert_array_equal(none, noisy)
    np.testing.assert_allclose(half, (noisy + whole) / 2, atol=1e-6)


@pytest.mark.parametrize("samples", [0, 1, 50, 400, 5000])
def test_any_length_passes(samples):
    wave = np.full((1, samples), 0.1, np.float32)
    parts = list(mend_clicks([wave], RATE))
    assert sum(part.shape[1] for part in parts) == samples


def test_a_note_that_begins_is_no_click():
    wave = np.zeros(2 * RATE, np.float32)
    time = np.arange(RATE) / RATE
    wave[RATE:] = 0.3 * np.sin(2 * np.pi * 440 * time) * np.exp(-5 * time)
    assert not without_clicks(wave, RATE)[1].any()


def test_silence_has_none():
    assert not without_clicks(np.zeros(RATE, np.float32), RATE)[1].any()
