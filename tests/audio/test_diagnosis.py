"""What is wrong with recordings, learned noise, and previews."""

import numpy as np
import pytest
import torch

import musicvae_lite as mv
from musicvae_lite.audio.denoise.defects import Meter
from musicvae_lite.audio.denoise.diagnosis import Diagnosis, _parts, heard_of
from musicvae_lite.audio.denoise.network import BANDS
from musicvae_lite.audio.denoise.preview import PREVIEW_SECONDS, beside, excerpt
from musicvae_lite.audio.denoise.profile import NoiseProfile, quietest
from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.media.audio import Audio, open_audio
from musicvae_lite.media.levels import parse_time
from tests.sounds import RATE, noise, save, save_tiny_denoiser, tone

HIGH = 44100
TIME = np.arange(4 * HIGH) / HIGH
MUSIC = sum(
    0.12 * np.sin(2 * np.pi * hz * TIME) * np.exp(-3 * (TIME % 0.5)) for hz in (220, 331, 523, 6007)
).astype(np.float32)


def meter(wave: np.ndarray) -> Meter:
    found = Meter(1, HIGH)
    found.add(wave[None].astype(np.float32))
    return found


def test_clean_music_has_none():
    found = meter(MUSIC)
    assert not found.clipped and not found.dropouts and found.offset < 1e-3
    assert found.rumble_db() < -40 and found.cut_off_hz() is None or found.cut_off_hz() > 6000


def test_clipping_is_told_at_any_level():
    found = meter(0.5 * np.clip(3 * MUSIC, -0.5, 0.5))
    assert found.clipped > 0.01 and found.clip_level == pytest.approx(0.25, abs=0.01)


def test_gaps_in_what_goes_on_are_dropouts_and_silence_is_not():
    wave = MUSIC.copy() + 0.05 * np.sin(2 * np.pi * 300 * TIME).astype(np.float32)
    wave[50_000:50_400] = 0
    wave[90_000:91_000] = 0
    found = meter(wave)
    assert found.dropouts == 2 and 1300 < found.dropped < 1500
    quiet = wave.copy()
    quiet[60_000:] = 0
    assert meter(quiet).dropouts == 1


def test_an_offset_and_rumble_are_measured():
    assert meter(MUSIC + 0.05).offset == pytest.approx(0.05, abs=0.002)
    assert meter(MUSIC + 0.2 * np.sin(2 * np.pi * 11 * TIME)).rumble_db() > 0


def test_a_band_that_is_cut_off_is_told():
    white = np.random.default_rng(0).standard_normal(4 * HIGH)
    spectrum = np.fft.rfft(white)
    spectrum[np.fft.rfftfreq(len(white), 1 / HIGH) > 4000] *= 1e-4
    assert meter(0.1 * np.fft.irfft(spectrum)).cut_off_hz() == pytest.approx(4000, rel=0.1)
    assert meter(0.1 * white).cut_off_hz() is None


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return mv.load(save_tiny_denoiser(tmp_path_factory.mktemp("models") / "tiny"), "cpu")


def test_a_diagnosis_names_the_worst_first_with_what_mends_it(session, tmp_path):
    time = np.arange(4 * RATE) / RATE
    hum = sum(0.1 * np.sin(2 * np.pi * 50 * k * time + k) for k in range(1, 9))
    wave = hum + tone(440, 4)
    found = session.diagnose(save(wave, tmp_path / "a tape.wav"))
    (defect,) = [defect for defect in found.defects if defect.name == "hum"]
    assert defect.command.endswith("a tape.wav' --only hum") and found.heard_seconds == 4
    order = [defect.severity for defect in found.defects]
    assert order == sorted(order, reverse=True) and "hum, " in found.words


def test_nothing_wrong_is_said():
    assert "nothing is found" in Diagnosis("a.wav", 1.0, ()).words


@pytest.mark.parametrize(("seconds", "heard"), [(1, 1), (30, 30), (97, 96), (200, 96)])
def test_of_long_recordings_parts_are_heard(tmp_path, seconds, heard):
    wave = np.arange(seconds * 1000, dtype=np.float32) / 2e5
    path = save(wave, tmp_path / "a.wav", 1000, "FLOAT")
    with open_audio(path) as reader:
        parts = list(_parts(reader))
        assert heard_of(reader.header).samples == heard * 1000
    assert sum(part.shape[1] for part in parts) == heard * 1000
    assert parts[0][0, 0] == 0 and parts[-1][0, -1] == wave[-1]


# Learned noise


def test_a_profile_is_kept_and_known_again(session, tmp_path):
    wave = np.concatenate([0.05 * noise(1), tone(440, 3)[None] + 0.05 * noise(3)], 1)
    path = save(wave, tmp_path / "a.wav")
    learned = session.learn_noise(path, "0:00-0:01")
    learned.save(tmp_path / "n.json")
    again = NoiseProfile.load(tmp_path / "n.json")
    assert again.rate == RATE and again.power.shape == (BANDS,)
    torch.testing.assert_close(again.power, learned.power, rtol=1e-3, atol=1e-12)
    one, other = (
        session.denoise(path, profile=profile).samples for profile in ("0:00-0:01", again)
    )
    np.testing.assert_allclose(one, other, atol=1e-3)
    with pytest.raises(UsageError, match="exists"):
        learned.save(tmp_path / "n.json")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"kind": "musae noise profile"}', "NaN"])
def test_other_files_are_refused_in_a_line(tmp_path, text):
    (tmp_path / "n.json").write_text(text)
    with pytest.raises(MusaeError, match="no noise profile"):
        NoiseProfile.load(tmp_path / "n.json")
    with pytest.raises(MusaeError, match="no such file"):
        NoiseProfile.load(tmp_path / "none.json")


def test_the_quietest_stretches_are_taken():
    wave = np.concatenate([0.5 * noise(6), 0.01 * noise(2), 0.5 * noise(2)], 1)
    seen = []

    def measure(part, rate):
        seen.append(float(np.abs(part).max()))
        return torch.ones(BANDS)

    quietest([wave], RATE, "a.wav", measure)
    assert len(seen) == 3 and min(seen) < 0.01
    with pytest.raises(NothingUsableError, match="not silent"):
        quietest([np.zeros((1, 20_000), np.float32)], RATE, "a.wav", measure)


def test_the_quietest_are_an_automatic_profile(session, tmp_path):
    path = save(noise(4), tmp_path / "a.wav")
    assert session.denoise(path, profile="auto").samples.shape == (1, 4 * RATE)


# Previews


def test_a_preview_is_before_a_beep_and_after():
    before, after = (Audio(np.full((2, 5 * RATE), value, np.float32), RATE) for value in (0.1, 0.2))
    found = beside(before, after).samples
    assert found.shape == (2, 10 * RATE + round(0.85 * RATE))
    assert (found[:, : 5 * RATE] == 0.1).all() and (found[:, -5 * RATE :] == np.float32(0.2)).all()
    assert 0.05 < np.abs(found[:, 5 * RATE : -5 * RATE]).max() <= 0.1


def test_an_excerpt_is_ten_seconds_or_what_is_left():
    wave = np.arange(30_000, dtype=np.float32)[None]
    blocks = np.split(wave, [700, 9000, 15_000], 1)
    np.testing.assert_array_equal(excerpt(blocks, 1000, 2.0, "a"), wave[:, 2000:12_000])
    assert excerpt(blocks, 1000, 25.0, "a").shape == (1, 5000) and PREVIEW_SECONDS == 10
    with pytest.raises(UsageError, match="lasts 0:30"):
        excerpt(blocks, 1000, 30.0, "a")


def test_times_are_read():
    assert parse_time("0:30") == 30 and parse_time("1:02:03.5") == 3723.5 and parse_time("7") == 7
    with pytest.raises(UsageError, match="no time"):
        parse_time("soon")
