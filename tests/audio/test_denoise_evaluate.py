import math

import numpy as np
import pytest

from musicvae_lite.audio.denoise.evaluate import (
    ClipMeasures,
    Example,
    evaluate_examples,
    group_means,
    log_spectral_distance_db,
    measure_clip,
    real_time_factor,
    sdr_db,
    si_sdr_db,
    summarise,
)
from musicvae_lite.audio.denoise.pairs import find_pairs, read_pair
from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from tests.sounds import save, tone


def test_ratios_by_hand() -> None:
    reference, error = (
        np.array([3.0, 0.0, 4.0, 0.0]),
        np.array([0.0, 0.3, 0.0, -0.4]),
    )  # at a right angle, a tenth the size
    assert sdr_db(reference + error, reference) == pytest.approx(20)
    assert si_sdr_db(reference + error, reference) == pytest.approx(20)
    assert si_sdr_db(7 * (reference + error), reference) == pytest.approx(20)
    assert sdr_db(1.1 * reference, reference) == pytest.approx(20)
    assert si_sdr_db(1.1 * reference, reference) > 100
    assert sdr_db(reference, reference) == si_sdr_db(reference, reference) == 120
    assert si_sdr_db(np.zeros(4), reference) == -120 and sdr_db(np.zeros(4), reference) == 0


def test_one_scale_for_all_channels() -> None:
    reference = np.array([[1.0, 0.0], [0.0, 1.0]])
    estimate = np.array([[2.0, 0.0], [0.0, 1.0]])  # a = 3/2, error 1/2 in both
    assert si_sdr_db(estimate, reference) == pytest.approx(
        10 * math.log10(2 * 1.5**2 / (2 * 0.5**2))
    )


def test_log_spectral_distance_by_hand() -> None:
    noise = np.random.default_rng(0).normal(size=(2, 20_000))
    assert log_spectral_distance_db(noise, noise) == 0
    # Far above the floor, half the size is 6.02 dB at every frequency.
    assert log_spectral_distance_db(0.5 * noise, noise) == pytest.approx(
        20 * math.log10(2), abs=0.05
    )
    # Silence against one impulse: its spectrum is flat, 80 dB over the floor, in the 4 frames of 40
    # that hold it.
    impulse = np.zeros(512 * 39 + 1)
    impulse[512 * 20] = 1
    window = [0.5 - 0.5 * math.cos(2 * math.pi * place / 2048) for place in (0, 512, 1024, 1536)]
    expected = sum(20 * math.log10((w + 1e-4) / 1e-4) for w in window) / 40
    assert log_spectral_distance_db(np.zeros_like(impulse), impulse) == pytest.approx(
        expected, abs=1e-3
    )
    assert log_spectral_distance_db(np.full(1, 2.0), np.ones(1)) == pytest.approx(
        20 * math.log10(2), abs=0.01
    )


def test_what_cannot_be_measured() -> None:
    for measure in (si_sdr_db, sdr_db, log_spectral_distance_db):
        with pytest.raises(ValueError, match="different shapes"):
            measure(np.ones((1, 4)), np.ones(4))
        with pytest.raises(ValueError, match="silent"):
            measure(np.ones(4), np.zeros(4))


def clip(noise: str, snr_db: float, before: float, after: float) -> ClipMeasures:
    return ClipMeasures(
        f"{noise}{snr_db:g}",
        noise,
        snr_db,
        before,
        after,
        sdr_db=after - 1,
        input_lsd_db=10,
        lsd_db=after,
    )


def test_groups_means_and_the_worst_clip() -> None:
    clips = [
        clip("rain", 0, 0, 8),
        clip("hum", 10, 10, 9.5),
        clip("hum", 0, 0, 6),
        clip("rain", 10, 10, 12),
    ]
    found = summarise(clips, real_time_factor(30, 1.5))
    assert found.n == 4 and found.real_time_factor == 20
    assert found.si_sdr_improvement_db == pytest.approx((8 - 0.5 + 6 + 2) / 4)
    assert found.si_sdr_db == found.lsd_db == found.sdr_db + 1 == pytest.approx(35.5 / 4)
    assert found.by_noise == {"hum": 2.75, "rain": 5} and list(found.by_noise) == ["hum", "rain"]
    assert found.by_snr == {"0": 7, "10": 0.75}
    assert (found.worst_db, found.worst_clip, found.worse_share) == (
        -0.5,
        "hum10 (hum, 10 dB)",
        0.25,
    )
    assert (
        "real_time_factor" not in summarise(clips).as_dict() and found.as_dict()["by_snr"]["0"] == 7
    )
    assert group_means(clips, lambda clip: clip.noise, lambda clip: clip.lsd_db) == {
        "hum": 7.75,
        "rain": 10,
    }
    with pytest.raises(NothingUsableError, match="no clip"):
        summarise([])


def test_one_clip_is_measured_against_its_clean_self() -> None:
    generator = np.random.default_rng(0)
    clean, noise = generator.normal(size=(2, 1, 8000))
    found = measure_clip(clean, clean + noise, clean + 0.1 * noise, "a", "white", 0.0)
    assert found.input_si_sdr_db == pytest.approx(0, abs=0.3) and found.si_sdr_db == pytest.approx(
        20, abs=0.3
    )
    assert (
        found.improvement_db == pytest.approx(20, abs=0.5) and found.lsd_db < 2 < found.input_lsd_db
    )


def test_examples_are_measured_with_a_clean_one_now_and_then() -> None:
    generator = np.random.default_rng(1)
    clean, noise = generator.normal(size=(2, 1, 8000))
    examples = [
        Example(str(size), "white", 8000, clean, clean + size * noise) for size in (0.1, 1.0)
    ]
    silent = Example("silent", "white", 8000, np.zeros((1, 8000)), noise)
    found = evaluate_examples(
        [silent, *examples], lambda samples, rate: samples + 0.001 * clean[:, ::-1]
    )
    assert (
        found.n == 2
        and found.by_snr.keys() == {"0", "20"}
        and abs(found.si_sdr_improvement_db) < 0.1
    )
    assert found.clean_worst_db == found.clean_si_sdr_db == pytest.approx(60, abs=1)
    assert found.real_time_factor is not None and found.real_time_factor > 0


def test_pairs_are_found_in_both_ways(tmp_path) -> None:
    assert find_pairs(tmp_path) == find_pairs(tmp_path / "none") == []
    for name in ("a.noisy.wav", "a.clean.wav", "x.wav"):
        save(tone(440), tmp_path / name)
    assert [pair.name for pair in find_pairs(tmp_path)] == ["a"]
    save(tone(440, 1.0), tmp_path / "a.clean.wav")
    with pytest.raises(UsageError, match="differs from a.clean.wav"):
        read_pair(find_pairs(tmp_path)[0])
    for side in ("noisy", "clean"):
        (tmp_path / side).mkdir()
        save(tone(440), tmp_path / side / "b.wav")
    assert [pair.clean.name for pair in find_pairs(tmp_path)] == ["b.wav"]
    (tmp_path / "clean" / "b.wav").unlink()
    with pytest.raises(MusaeError, match="has no clean recording"):
        find_pairs(tmp_path)
