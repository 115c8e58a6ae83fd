"""The verbs with a model of timbre."""

import numpy as np
import pytest

from musicvae_lite.media.audio import read_audio
from tests.sounds import (
    RATE,
    TIMBRE,
    save,
    save_clean_folder,
    save_tiny_denoiser,
    save_tiny_timbre,
    tone,
)


@pytest.fixture(scope="session")
def timbre(tmp_path_factory):
    return save_tiny_timbre(tmp_path_factory.mktemp("models") / "timbre")


@pytest.fixture
def sounds(tmp_path, monkeypatch):
    """The current folder, with a.wav (mono, 1 s) and b.wav (stereo at 16 kHz, 2 s)."""
    monkeypatch.chdir(tmp_path)
    save(tone(300, 1), tmp_path / "a.wav")
    save(np.stack([tone(900, 2, 16000)] * 2), tmp_path / "b.wav", rate=16000)
    return tmp_path


def test_a_sound_turns_into_another(musae, timbre, sounds):
    run = musae("interpolate", "a.wav", "b.wav", "-m", timbre)
    assert run.code == 0 and "wrote a__b.wav: 2.0 s of sound, moving all the way" in run.out
    assert (
        "b.wav: 16,000 Hz with 2 channel(s), heard as mono at 8,000 Hz" in run.err
        and "a.wav:" not in run.err
    )
    made = read_audio("a__b.wav")
    assert (made.rate, made.samples.shape) == (RATE, (1, 2 * RATE))
    assert musae("interpolate", "a.wav", "b.wav", "-m", timbre).code == 2
    assert (
        musae(
            "interpolate",
            "a.wav",
            "b.wav",
            "-m",
            timbre,
            "-o",
            "m.flac",
            "--steps",
            "3",
            "--path",
            "lerp",
        ).code
        == 0
    )
    assert read_audio("m.flac").header.seconds == 6.0


def test_steps_go_to_a_folder(musae, timbre, sounds):
    run = musae(
        "interpolate",
        "a.wav",
        "b.wav",
        "-m",
        timbre,
        "-o",
        "steps/",
        "--steps",
        "3",
        "--json",
        "-q",
    )
    assert run.code == 0 and run.json["outputs"] == ["steps/00.wav", "steps/01.wav", "steps/02.wav"]
    assert musae("interpolate", "a.wav", "a.wav", "-m", timbre, "-o", "nine/").code == 0
    assert len(list((sounds / "nine").iterdir())) == 9


def test_codes_go_out_and_come_back(musae, timbre, sounds):
    run = musae("encode", "a.wav", "b.wav", "-m", timbre, "-o", "z.npz")
    assert run.code == 0 and "4 numbers each" in run.out
    table = np.load("z.npz")
    assert (
        table["mean"].shape == table["scale"].shape == (len(table["clip"]), 4)
        and (table["scale"] > 0).all()
    )
    run = musae("decode", "z.npz", "-m", timbre)
    assert (
        run.code == 0 and run.out.count("s of sound") == 2 and (sounds / "b.decoded.wav").exists()
    )
    assert musae("decode", "z.npz", "-m", timbre, "-o", "x.wav").code == 2
    assert musae("decode", "z.npz", "-m", timbre, "-o", "decoded/").code == 0


def test_reconstruct_and_sample(musae, timbre, sounds):
    run = musae("reconstruct", "a.wav", "b.wav", "-m", timbre)
    assert run.code == 0 and (sounds / "b.reconstructed.wav").exists()
    assert read_audio("b.reconstructed.wav").samples.shape == (1, 2 * RATE)
    run = musae("sample", "-m", timbre, "--count", "2", "-o", "new/", "--json")
    assert run.code == 0 and run.json["outputs"] == ["new/sample-01.wav", "new/sample-02.wav"]
    assert musae("sample", "-m", timbre, "--count", "1", "-o", "one.wav").code == 0
    assert musae("sample", "-m", timbre, "--count", "2", "-o", "two.wav").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["interpolate", "a.wav", "silent.wav"], 3, "silent.wav: is silent"),
        (["interpolate", "a.wav", "text.wav"], 1, "not a sound file"),
        (["interpolate", "a.wav", "nowhere.wav"], 1, "no such file"),
        (["interpolate", "a.wav", "x.mid"], 2, "holds music"),
        (["interpolate", "a.wav", "b.wav", "-o", "a.wav", "--overwrite"], 2, "also an input"),
        (["interpolate", "a.wav", "b.wav", "-o", "x.mp3"], 2, "names no format"),
        (["interpolate", "a.wav", "b.wav", "--plot", "p.png"], 2, "--plot"),
        (["interpolate", "a.wav", "b.wav", "--bar", "2"], 2, "--bar is for models of music"),
        (["interpolate", "a.wav", "b.wav", "--steps", "2000"], 2, "up to 10 minutes"),
        (["reconstruct", "silent.wav"], 3, "is silent"),
        (["denoise", "a.wav"], 2, "of timbre, not of sound"),
        (["decode", "bad.npz"], 2, "points [N, 4]"),
        (["sample", "--length", "2"], 2, "--length is for models of music"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(musae, timbre, sounds, arguments, code, word):
    save(np.zeros(8000, np.float32), sounds / "silent.wav")
    (sounds / "text.wav").write_text("this is no sound")
    (sounds / "x.mid").write_bytes(b"")
    np.savez(sounds / "bad.npz", mean=np.zeros((2, 7), np.float32))
    before = sorted(path.name for path in sounds.iterdir())
    run = musae(*arguments, "-m", timbre)
    assert run.code == code and word in run.err, run
    assert sorted(path.name for path in sounds.iterdir()) == before


def test_a_denoiser_makes_no_sound_of_codes(musae, sounds, tmp_path_factory):
    denoiser = save_tiny_denoiser(tmp_path_factory.mktemp("models") / "denoiser")
    for arguments in (["interpolate", "a.wav", "b.wav"], ["sample"], ["decode", "z.npz"]):
        run = musae(*arguments, "-m", denoiser)
        assert run.code == 2 and "a mask makes no sound by itself" in run.err


def test_training_evaluating_and_resuming(musae, sounds, monkeypatch):
    monkeypatch.setenv("MUSAE_CACHE", str(sounds / "cache"))
    save_clean_folder(sounds / "clean")
    short = [
        "training.steps=12",
        "training.valid_every=6",
        "training.save_every=6",
        "training.log_every=6",
    ]
    changes = [
        part for change in [*TIMBRE, *short, "data.mixture.epoch=8"] for part in ("--set", change)
    ]
    run = musae("train", "timbre", "--data", "clean", "-o", "run", *changes)
    assert run.code == 0 and "log-spectral distance" in run.out, run.err
    card = (sounds / "run" / "README.md").read_text(encoding="utf-8")
    for fact in (
        "| clean | 5 |",
        "silent_lsd_db",
        "musae interpolate a.wav b.wav",
        "held-out clips",
        "8,000 Hz",
    ):
        assert fact in card
    run = musae("evaluate", "run", "--data", "clean", "--limit", "4", "--json")
    assert run.code == 0 and run.json["n"] == 4 and run.json["active_units"] <= 4
    assert musae("evaluate", "run").code == 2
    assert musae("interpolate", "a.wav", "b.wav", "-m", "run").code == 0
