from dataclasses import replace

import numpy as np
import pytest

from musicvae_lite.audio.denoise.mixtures import Noisy, Recipe, Segments
from musicvae_lite.audio.denoise.noises import SYNTHESISED, synthesise

RATE = 16000
NOTHING = Segments({})


def tones(count: int, seconds: float = 2.0) -> list[np.ndarray]:
    time = np.arange(int(RATE * seconds)) / RATE
    return [
        (8000 * np.sin(2 * np.pi * 200 * (k + 1) * time)).astype(np.int16) for k in range(count)
    ]


def decibels(wave: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.square(wave, dtype=np.float64)))


def source(
    recipe: Recipe, seed: int = 3, noise: Segments = NOTHING, speech: Segments = NOTHING
) -> Noisy:
    return Noisy(Segments({"tones": tones(3)}), noise, speech, recipe, seed)


@pytest.mark.parametrize("kind", SYNTHESISED)
@pytest.mark.parametrize("rate", [8000, 44100])
def test_every_noise_is_finite_and_of_one_level(kind: str, rate: int) -> None:
    for seed in range(2):
        wave = synthesise(kind, rate, rate, np.random.default_rng(seed))
        assert wave.shape == (rate,) and wave.dtype == np.float32 and np.isfinite(wave).all()
        assert decibels(wave) == pytest.approx(0, abs=0.01)
    assert not np.array_equal(wave, synthesise(kind, rate, rate, np.random.default_rng(0)))
    np.testing.assert_array_equal(wave, synthesise(kind, rate, rate, np.random.default_rng(1)))


def test_hum_lies_on_the_harmonics_of_the_mains() -> None:
    power = (
        np.abs(
            np.fft.rfft(
                synthesise("hum", RATE * 4, RATE, np.random.default_rng(5)) * np.hanning(RATE * 4)
            )
        )
        ** 2
    )
    peak = power.argmax() / 4
    assert min(peak / base - round(peak / base) for base in (50, 60)) < 0.03


def test_a_mixture_is_a_function_of_seed_epoch_and_index() -> None:
    recipe = Recipe(seconds=0.5, rate=RATE)
    first, again = source(recipe).mixture(2, 7), source(recipe).mixture(2, 7)
    np.testing.assert_array_equal(first.clean, again.clean)
    np.testing.assert_array_equal(first.noise, again.noise)
    assert first.kind == again.kind
    for other in (
        source(recipe).mixture(2, 8),
        source(recipe).mixture(3, 7),
        source(recipe, seed=4).mixture(2, 7),
    ):
        assert not np.array_equal(first.noise, other.noise)


def test_snr_and_level_are_what_the_recipe_says() -> None:
    recipe = Recipe(seconds=0.5, rate=RATE, snr_db=(4.0, 6.0), clean=0.0, level_db=(-30.0, -20.0))
    for index in range(20):
        mixture = source(recipe).mixture(0, index)
        assert mixture.clean.shape == mixture.noise.shape == (RATE // 2,)
        assert 3.99 < decibels(mixture.clean) - decibels(mixture.noise) < 6.01
        assert -30.01 < decibels(mixture.clean) < -19.99


def test_some_clips_are_clean() -> None:
    mixtures = [
        source(Recipe(seconds=0.1, rate=RATE, clean=0.5)).mixture(0, index) for index in range(40)
    ]
    clean = [m for m in mixtures if m.kind == "none"]
    assert 8 < len(clean) < 32
    assert all(decibels(m.clean) - decibels(m.noise) > 39 for m in clean)


def test_recordings_and_voices_are_used_where_there_are_some() -> None:
    recorded = Segments({"rain": [np.random.default_rng(0).normal(0, 3000, 2000).astype(np.int16)]})
    recipe = Recipe(seconds=0.3, rate=RATE, synthesised=0.3, babble=0.3, second=0.0, clean=0.0)
    kinds = {
        source(recipe, noise=recorded, speech=Segments({"a": tones(4)})).mixture(0, i).kind
        for i in range(40)
    }
    assert {"recorded", "babble"} < kinds
    assert {source(recipe).mixture(0, i).kind for i in range(20)} <= set(SYNTHESISED)


def test_some_babble_sounds_in_a_room() -> None:
    clicks = np.zeros(RATE, np.int16)
    clicks[::4000] = 20000
    recipe = Recipe(seconds=1.0, rate=RATE, babble=1.0, synthesised=0.0, second=0.0, clean=0.0)
    mixtures = [
        source(recipe, speech=Segments({"a": [clicks]})).mixture(0, index) for index in range(30)
    ]
    assert {m.kind for m in mixtures} == {"babble"} and all(
        np.isfinite(m.noise).all() for m in mixtures
    )
    # A click is short; in a room it goes on.
    filled = [float((np.abs(m.noise) > 0.01 * np.abs(m.noise).max()).mean()) for m in mixtures]
    assert 5 <= sum(share > 0.2 for share in filled) <= 20


def test_a_voice_lies_over_some_clean_clips() -> None:
    low = Segments({"low": tones(1)})
    voice = Segments({"voice": [tones(5)[4]]})  # 1000 Hz over 200 Hz
    recipe = Recipe(seconds=0.5, rate=RATE, babble=0.0, synthesised=1.0, clean=0.0, voice_over=0.5)

    def share_of_voice(recipe: Recipe, index: int) -> float:
        power = (
            np.abs(np.fft.rfft(Noisy(low, NOTHING, voice, recipe, 3).mixture(0, index).clean)) ** 2
        )
        return float(power[490:511].sum() / power.sum())

    spoken = [share_of_voice(recipe, index) for index in range(30)]
    assert 8 <= sum(share > 0.05 for share in spoken) <= 22
    assert (
        max(share_of_voice(replace(recipe, voice_over=0.0), index) for index in range(10)) < 0.001
    )


def test_kinds_can_be_chosen() -> None:
    recipe = Recipe(
        seconds=0.1,
        rate=RATE,
        second=0.0,
        clean=0.0,
        kinds=dict.fromkeys(SYNTHESISED, 0.0) | {"hum": 1.0},
    )
    assert {source(recipe).mixture(0, index).kind for index in range(5)} == {"hum"}


def test_short_recordings_lie_in_silence_or_go_round() -> None:
    short = Segments({"a": [np.full(100, 16384, np.int16)]})
    random = np.random.default_rng(0)
    alone, round_and_round = short.draw(random, 1000), short.draw(random, 1000, loop=True)
    assert alone.shape == round_and_round.shape == (1000,)
    assert (alone != 0).sum() == 100 and (round_and_round == 0.5).all()
    assert short.draw(random, 1000, speed=1.3, loop=True).shape == (1000,)


def test_silent_stretches_are_not_drawn_while_there_are_others() -> None:
    wave = np.concatenate([np.zeros(2000, np.int16), np.full(8000, 9000, np.int16)])
    segments = Segments({"a": [wave]})
    drawn = [segments.draw(np.random.default_rng(seed), 200) for seed in range(40)]
    assert all(np.abs(part).max() > 0 for part in drawn)
    assert len(segments) == 1
