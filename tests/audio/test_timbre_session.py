"""Use of a model of timbre from Python."""

import numpy as np
import pytest
import torch

from musicvae_lite.audio.denoise.session import DenoiseSession
from musicvae_lite.audio.timbre.evaluate import evaluate_timbre
from musicvae_lite.audio.timbre.session import TimbreSession
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.errors import NothingUsableError, UsageError
from musicvae_lite.evaluation import evaluate
from musicvae_lite.media.audio import Audio
from musicvae_lite.model_dir.handle import load, load_as
from tests.sounds import (
    RATE,
    noise,
    save,
    save_clean_folder,
    save_tiny_denoiser,
    save_tiny_timbre,
    tone,
)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    found = load(save_tiny_timbre(tmp_path_factory.mktemp("models") / "timbre"), seed=3)
    assert isinstance(found, TimbreSession)
    return found


def audio(samples, rate=RATE):
    return Audio(np.atleast_2d(samples), rate)


def test_windows_lie_half_over_one_another(session):
    assert session.encode(audio(tone(440, 0.2))).mean.shape == (1, 4)  # silence fills it
    one, two = (session.encode(audio(tone(440, seconds))) for seconds in (2.0, 4.0))
    assert one.mean.shape[1] == 4 and one.log_scale is not None
    assert len(two.mean) in (2 * len(one.mean), 2 * len(one.mean) + 1)
    torch.testing.assert_close(two.mean[: len(one.mean) - 2], one.mean[:-2])


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_any_rate_and_channels_come_back_as_mono_at_the_models_rate(session, rate):
    made = session.reconstruct(audio(np.stack([tone(440, 1.5, rate), tone(660, 1.5, rate)]), rate))
    assert made.samples.shape == (1, 12000) and made.rate == RATE
    assert np.isfinite(made.samples).all() and np.abs(made.samples).max() <= 0.99 + 1e-6


def test_a_morph_begins_as_one_and_ends_as_the_other(session):
    a, b = audio(tone(300, 3)), audio(tone(1500, 1))
    morph = session.morph(a, b)
    assert morph.samples.shape == (1, 3 * RATE)
    steps = session.interpolate(a, b, 3)
    assert len(steps) == 3 and all(step.samples.shape == morph.samples.shape for step in steps)
    for step, end in ((steps[0], a), (steps[-1], audio(np.resize(b.samples, 3 * RATE)))):
        heard, wanted = (session.encode(sound).mean for sound in (step, end))
        torch.testing.assert_close(heard, wanted, atol=0.3, rtol=0.3)
    for repeated in (session.morph(a, b), session.morph(a, b, "lerp")):
        assert np.isfinite(repeated.samples).all()
    np.testing.assert_array_equal(session.morph(a, b).samples, morph.samples)


def test_codes_become_sounds_of_their_length(session):
    codes = session.encode(audio(tone(440, 2.0)))
    made = session.decode(codes)
    assert 2.0 <= made.header.seconds < 2.5
    np.testing.assert_array_equal(session.decode(codes.mean).samples, made.samples)
    drawn = session.sample(2)
    assert len(drawn) == 2 and not np.array_equal(drawn[0].samples, drawn[1].samples)


def test_what_cannot_be_used_is_told(session, tmp_path):
    with pytest.raises(NothingUsableError, match="is silent"):
        session.encode(audio(np.zeros(8000)))
    with pytest.raises(UsageError, match="up to 10 minutes"):
        session.encode(audio(np.zeros((1, 601 * RATE))))
    with pytest.raises(UsageError, match="up to 10 minutes"):
        session.interpolate(audio(tone(400, 4)), audio(tone(400)), 200)
    with pytest.raises(UsageError, match="points"):
        session.decode(np.zeros((2, 5)))
    with pytest.raises(UsageError, match="of timbre, not of sound"):
        load_as(DenoiseSession, session.name)
    denoiser = save_tiny_denoiser(tmp_path / "denoiser")
    with pytest.raises(UsageError, match="of sound, not of timbre"):
        load_as(TimbreSession, denoiser)


def test_a_file_is_heard_as_its_samples_are(session, tmp_path):
    wave = tone(440) + noise()[0]
    path = save(wave, tmp_path / "a.wav", subtype="FLOAT")
    torch.testing.assert_close(session.encode(path).mean, session.encode(audio(wave)).mean)


def test_silent_clips_have_no_distance(session):
    clip = torch.from_numpy(tone(300, 0.5))[None]
    silence = torch.zeros_like(clip)
    alone, both = (
        evaluate_timbre(session.model, [Batch(x, x)], 0) for x in (clip, torch.cat([clip, silence]))
    )
    assert (both.n, both.silent_lsd_db) == (
        2,
        alone.silent_lsd_db,
    ) and both.lsd_db == pytest.approx(alone.lsd_db)
    with pytest.raises(NothingUsableError, match="are silent"):
        evaluate_timbre(session.model, [Batch(silence, silence)], 0)


def test_only_what_is_held_out_is_measured(session, tmp_path):
    save_clean_folder(tmp_path / "sounds", files=2)
    with pytest.raises(UsageError, match="leave out the split 'train'"):
        evaluate(session.name, tmp_path / "sounds", "train")
    assert (
        evaluate(session.name, tmp_path / "sounds").split == "train"
    )  # of two files nothing is held out
