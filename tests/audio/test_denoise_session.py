import dataclasses

import numpy as np
import pytest
import torch

import musicvae_lite as mv
from musicvae_lite.audio.denoise import denoiser as cleaning
from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.media.audio import Audio, read_audio
from musicvae_lite.media.spectrum import grid_of
from tests.sounds import RATE, noise, save, save_tiny_denoiser, tone


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return mv.load(save_tiny_denoiser(tmp_path_factory.mktemp("models") / "tiny"), "cpu")


def audio(samples: np.ndarray, rate: int = RATE) -> Audio:
    return Audio(np.atleast_2d(samples), rate)


NOISY = tone(440) + noise()
HOP = grid_of(RATE).hop


@pytest.mark.parametrize(
    ("rate", "channels", "samples"),
    [(8000, 1, 8001), (44100, 2, 30000), (192_000, 6, 20_000), (8000, 1, 1)],
)
def test_rate_channels_and_length_stay(session, rate, channels, samples):
    wave = noise(samples / rate, rate, channels=channels)
    found = session.denoise(audio(wave, rate))
    assert found.samples.shape == wave.shape == (channels, samples) and found.rate == rate
    assert np.isfinite(found.samples).all()


def test_silence_stays_silence(session):
    assert not session.denoise(audio(np.zeros((2, RATE), np.float32))).samples.any()


def test_strength_blends_and_a_limit_holds(session):
    whole, none, half = (session.denoise(audio(NOISY), strength=s).samples for s in (1, 0, 0.5))
    np.testing.assert_allclose(none, NOISY, atol=1e-6)
    np.testing.assert_allclose(half, (whole + NOISY) / 2, atol=1e-6)
    assert np.abs(whole - NOISY).max() > 0.01
    limited = session.denoise(audio(NOISY), max_reduction_db=0).samples
    np.testing.assert_allclose(limited, NOISY, atol=1e-6)


def test_hum_is_taken_out_as_far_as_is_wished(session):
    time = np.arange(4 * RATE) / RATE
    hum = sum(np.sin(2 * np.pi * 60.1 * k * time + k) for k in range(1, 8)).astype(np.float32)
    wave = np.stack([0.1 * hum, 0.02 * hum]) + noise(4, channels=2)
    whole, none, half = (session.denoise(audio(wave), strength=s).samples for s in (1, 0, 0.5))
    left, stayed = ((samples @ hum) / (hum @ hum) for samples in (whole, wave))
    assert (np.abs(left) < 0.05 * stayed).all()
    np.testing.assert_allclose(none, wave, atol=1e-5)
    np.testing.assert_allclose(half, (whole + wave) / 2, atol=1e-5)
    limited = session.denoise(audio(wave), max_reduction_db=20).samples
    np.testing.assert_allclose((limited @ hum) / (hum @ hum), 0.1 * stayed, rtol=0.3)


def test_no_hum_is_written_into_silence(session):
    time = np.arange(8 * RATE) / RATE
    hum = sum(np.sin(2 * np.pi * 60.1 * k * time + k) for k in range(1, 8)).astype(np.float32)
    wave = 0.1 * hum + noise(8)
    silent = np.zeros(8 * RATE, bool)
    silent[: HOP // 2] = silent[4 * RATE + HOP // 3 : 6 * RATE - HOP // 3] = silent[-HOP // 2 :] = (
        True
    )
    wave[:, silent] = 0
    cleaned = session.denoise(audio(wave)).samples[0]
    sounding = np.abs(hum @ cleaned / (hum @ hum))
    assert sounding < 0.01 and np.abs(cleaned[silent]).max() < 0.02 < 0.1 * np.abs(hum).max()


def test_channels_share_a_gain_and_a_silent_one_has_no_say(session):
    mono = session.denoise(audio(NOISY)).samples
    both = session.denoise(audio(np.concatenate([NOISY, 0.5 * NOISY]))).samples
    np.testing.assert_allclose(both[1], 0.5 * both[0], atol=1e-6)
    np.testing.assert_allclose(both[:1], mono, atol=1e-4)
    with_silence = session.denoise(audio(np.concatenate([np.zeros_like(NOISY), NOISY]))).samples
    np.testing.assert_allclose(with_silence[1:], mono, atol=1e-6)


def test_a_profile_changes_what_goes(session):
    told = session.denoise(audio(NOISY), profile="0:01-0:01.5").samples
    assert np.abs(told - session.denoise(audio(NOISY)).samples).max() > 1e-5
    np.testing.assert_array_equal(
        told, session.denoise(audio(NOISY), profile=audio(NOISY[:, RATE : RATE * 3 // 2])).samples
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"strength": 1.5}, "strength is 0 to 1"),
        ({"max_reduction_db": -1}, "0 or more"),
        ({"profile": "0:10-0:11"}, "lasts 0:02"),
        ({"profile": "0:01-0:01.1"}, "0.100 s long"),
        ({"profile": "1"}, "no stretch of time"),
        ({"profile": Audio(np.zeros((1, RATE), np.float32), RATE)}, "silence"),
        ({"profile": Audio(np.ones((1, 44100), np.float32), 44100)}, "44100 samples"),
    ],
)
def test_options_that_do_not_fit(session, options, match):
    with pytest.raises(UsageError, match=match):
        session.denoise(audio(NOISY), **options)


def test_samples_that_are_no_numbers_are_refused(session):
    wave = NOISY.copy()
    wave[0, 400] = np.nan
    with pytest.raises(MusaeError, match="NaN or infinity at 0.050 s"):
        session.denoise(audio(wave))
    assert session.denoise(audio(np.zeros((1, 0), np.float32))).samples.shape == (1, 0)


def test_a_file_streams_to_what_memory_gives(session, tmp_path, monkeypatch):
    monkeypatch.setattr(cleaning, "_CHUNK", 64)
    wave = np.concatenate([NOISY, noise(2, seed=3)])
    source = save(wave, tmp_path / "in.wav", subtype="FLOAT")
    seconds, views = [], []
    told = session.denoise_file(
        source,
        tmp_path / "out.wav",
        residual=tmp_path / "rest.wav",
        watch=views.append,
        progress=seconds.append,
    )
    out, rest = read_audio(tmp_path / "out.wav"), read_audio(tmp_path / "rest.wav")
    monkeypatch.undo()
    np.testing.assert_allclose(out.samples, session.denoise(source).samples, atol=2e-5)
    np.testing.assert_allclose(out.samples + rest.samples, wave, atol=1e-6)
    assert (
        out.subtype == "FLOAT" and seconds[-1] == told.seconds == 2.0 and seconds == sorted(seconds)
    )
    assert (told.channels, told.rate, told.warning) == (2, RATE, "")
    assert -60 < told.noise_dbfs < 0 and told.level_change_db < 0 and told.real_time_factor > 0
    assert (
        sum(view.after.shape[-1] for view in views) == views[-1].first + views[-1].after.shape[-1]
    )
    with pytest.raises(UsageError, match="exists already"):
        session.denoise_file(source, tmp_path / "out.wav")


@pytest.mark.parametrize("parting", [0, 0.7, 1])
def test_channels_that_part_after_a_while_sound_as_in_one_piece(session, monkeypatch, parting):
    first = np.concatenate([NOISY[:1], noise(4, seed=3)[:1]], 1)
    at = round(parting * first.shape[1])
    wave = np.concatenate([first, first])
    wave[1, at:] = np.roll(wave[1, at:], 100)
    whole = session.denoise(audio(wave)).samples
    monkeypatch.setattr(cleaning, "_CHUNK", 64)
    monkeypatch.setattr(cleaning, "_PIECE", 32)
    np.testing.assert_allclose(session.denoise(audio(wave)).samples, whole, atol=2e-5)
    assert np.array_equal(whole[0], whole[1]) == (parting == 1)


@pytest.mark.parametrize("onset", [0.1, 0.8, 1])
@pytest.mark.parametrize("silent", [0, 1])
def test_a_side_that_is_silent_at_first_sounds_as_in_one_piece(
    tmp_path, monkeypatch, onset, silent
):
    session = mv.load(save_tiny_denoiser(tmp_path / "far", ["model.dilations=[1, 64]"]), "cpu")
    wave = np.stack([np.tile(NOISY[0], 14), np.tile(NOISY[0], 14)[::-1]])
    wave[silent, : round(onset * wave.shape[1])] = 0
    exact = session.denoise(audio(wave)).samples  # in one chunk
    network, frames = session.cleaner.network, []
    encode = network.encode

    def counted(seen, history):
        frames.append(seen.shape[-1])
        return encode(seen, history)

    monkeypatch.setattr(cleaning, "_CHUNK", 32)
    monkeypatch.setattr(network, "encode", counted)
    np.testing.assert_allclose(session.denoise(audio(wave)).samples, exact, atol=2e-5)
    # A side that stays silent is not heard at all.
    assert (sum(frames) < 1.1 * wave.shape[1] / grid_of(RATE).hop) == (onset == 1)


@pytest.mark.parametrize("quiet", [0.0, 1e-6])
def test_what_silence_parts_is_heard_apart(session, monkeypatch, quiet):
    first, second = noise(3, seed=4), np.tile(NOISY, 2)
    first, second = first[:, : 80 * HOP], second[:, : 110 * HOP]
    silence = quiet * noise(3, seed=5)[:, : 20 * HOP]
    whole = np.concatenate([silence, first, silence, second, silence], 1)
    cleaned = session.denoise(audio(whole)).samples
    for part, place in ((first, 20 * HOP), (second, 120 * HOP)):
        alone = session.denoise(audio(part)).samples
        np.testing.assert_allclose(cleaned[:, place : place + part.shape[1]], alone, atol=2e-5)
    monkeypatch.setattr(cleaning, "_MONO_CHUNK", 32)
    np.testing.assert_allclose(session.denoise(audio(whole)).samples, cleaned, atol=2e-5)


def test_a_side_that_falls_silent_is_heard_apart_before_and_after(session, monkeypatch):
    first, second, gap = (
        noise(3, seed=4)[:, : 80 * HOP],
        noise(12, seed=6)[:, : 330 * HOP],
        np.zeros((1, 30 * HOP), np.float32),
    )
    gated = np.concatenate([first, gap, second], 1)
    other = np.zeros_like(gated)
    other[:, 60 * HOP : 140 * HOP] = (
        1e-4 * noise(3, seed=7)[:, : 80 * HOP]
    )  # has hardly a say; no silence in both
    monkeypatch.setattr(cleaning, "_CHUNK", 32)
    cleaned = session.denoise(audio(np.concatenate([gated, other]))).samples
    for part, place in ((first, 0), (second, 110 * HOP)):
        alone = session.denoise(audio(part)).samples
        np.testing.assert_allclose(cleaned[:1, place : place + part.shape[1]], alone, atol=1e-4)
    monkeypatch.undo()
    np.testing.assert_allclose(
        session.denoise(audio(np.concatenate([gated, other]))).samples, cleaned, atol=2e-5
    )


def test_a_place_that_is_hardly_noisy_passes():
    stays = torch.ones(500)
    quiet, loud, between = (cleaning._care(stays, stays * 10 ** (-db / 10)) for db in (25, 10, 19))
    assert torch.equal(loud, stays)
    # 25 dB: what goes is made smaller by what is missing to 31.5 dB.
    torch.testing.assert_close(quiet, torch.full((500,), 10 ** (-6.5 / 20)))
    assert (quiet < between).all() and (between < 1).all()
    assert torch.equal(cleaning._care(stays, stays * 1e-6), stays)
    assert cleaning._care(torch.zeros(3), torch.zeros(3)).isfinite().all()


def test_codes_and_reconstructions(session, tmp_path):
    latent = session.encode(audio(NOISY))
    assert (
        latent.mean.shape[:2] == (4, session.latent_size) and latent.log_scale is None
    )  # 2 s in clips of 0.6 s
    heard = session.reconstruct(audio(NOISY))
    assert heard.samples.shape == NOISY.shape
    (tmp_path / "none.wav").write_bytes(b"")
    with pytest.raises(MusaeError, match="empty file"):
        session.reconstruct(tmp_path / "none.wav")
    assert "latent size 3" in repr(session) and dataclasses.is_dataclass(latent)
    with pytest.raises(UsageError, match="model of sound, not of music"):
        from musicvae_lite.model_dir.handle import load_as
        from musicvae_lite.music.session import MusicSession

        load_as(MusicSession, session.bundle.description.folder)
    assert issubclass(NothingUsableError, MusaeError)


def test_what_a_file_cannot_hold_is_told(session, tmp_path):
    loud = save(3 * NOISY, tmp_path / "loud.wav", subtype="FLOAT")
    assert (
        "times full scale and is clipped there"
        in session.denoise_file(loud, tmp_path / "a.flac", strength=0).warning
    )
    assert session.denoise_file(loud, tmp_path / "a.wav", strength=0).warning == ""
