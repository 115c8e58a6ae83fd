"""``musae denoise`` on sound."""

import numpy as np
import pytest
import soundfile

from musicvae_lite.media.audio import Audio, read_audio, write_audio
from tests.sounds import RATE, noise, save, save_clean_folder, save_tiny_denoiser, tone


@pytest.fixture(scope="session")
def denoiser(tmp_path_factory):
    return save_tiny_denoiser(tmp_path_factory.mktemp("models") / "denoiser")


@pytest.fixture
def sounds(tmp_path, monkeypatch):
    """The current folder, with a.wav and b.flac."""
    monkeypatch.chdir(tmp_path)
    save(tone(440) + noise(), tmp_path / "a.wav", subtype="PCM_24")
    write_audio(Audio(tone(660)[None].repeat(2, 0) + noise(channels=2), RATE), tmp_path / "b.flac")
    return tmp_path


def test_one_file_with_everything(musae, denoiser, sounds):
    run = musae(
        "denoise",
        "a.wav",
        "-m",
        denoiser,
        "--residual",
        "r.wav",
        "--plot",
        "p.png",
        "--json",
        "--profile",
        "0:00-0:01",
    )
    assert run.code == 0, run.err
    (told,) = run.json["files"]
    assert told["output"] == "a.denoised.wav" and told["seconds"] == 2.0 and told["channels"] == 1
    assert {"noise_dbfs", "level_change_db", "real_time_factor"} <= told.keys()
    facts = soundfile.info("a.denoised.wav")
    assert (facts.samplerate, facts.frames, facts.subtype) == (RATE, 2 * RATE, "PCM_24")
    rest = read_audio("r.wav").samples + read_audio("a.denoised.wav").samples
    np.testing.assert_allclose(rest, read_audio("a.wav").samples, atol=1e-5)
    assert (sounds / "p.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_keeps_names(musae, denoiser, sounds):
    run = musae("denoise", "a.wav", "b.flac", "-m", denoiser, "-o", "clean/", "--strength", "0")
    assert run.code == 0 and "clean/b.flac: 0:02 of sound" in run.out
    assert sorted(path.name for path in (sounds / "clean").iterdir()) == ["a.wav", "b.flac"]
    np.testing.assert_allclose(
        read_audio("clean/b.flac").samples, read_audio("b.flac").samples, atol=1e-4
    )
    again = musae("denoise", "a.wav", "-m", denoiser, "-o", "clean/")
    assert again.code == 2 and "exists already" in again.err
    assert musae("denoise", "a.wav", "-m", denoiser, "-o", "clean/", "--overwrite").code == 0


def test_clipped_sound_warns(musae, denoiser, sounds):
    save(np.clip(4 * tone(440, size=1), -1, 1), sounds / "loud.wav")
    run = musae("denoise", "loud.wav", "-m", denoiser)
    assert run.code == 0 and "musae: warning: loud.wav: is clipped" in run.err


def bad_files(folder):
    (folder / "text.wav").write_text("this is no sound")
    (folder / "empty.wav").write_bytes(b"")
    save(np.zeros((1, 0), np.float32), folder / "none.wav")
    wave = tone(440)
    wave[100] = np.nan
    soundfile.write(folder / "nan.wav", wave, RATE, subtype="FLOAT")


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["text.wav"], 1, "not a sound file"),
        (["empty.wav"], 1, "is an empty file"),
        (["none.wav"], 3, "holds no samples"),
        (["nan.wav"], 1, "NaN or infinity at 0.013 s"),
        (["nowhere.wav"], 1, "no such file"),
        (["a.wav", "--strength", "2"], 2, "--strength"),
        (["a.wav", "--profile", "5"], 2, "no stretch of time"),
        (["a.wav", "--profile", "0:05-0:06"], 2, "lasts 0:02"),
        (["a.wav", "-o", "x.mp3"], 2, "names no format"),
        (["a.wav", "-o", "a.wav", "--overwrite"], 2, "also an input"),
        (["a.wav", "--plot", "p.bmp"], 2, "a picture ends in"),
        (["a.wav", "-o", "no/where/x.wav"], 2, "no such folder"),
        (["a.wav", "b.flac", "-o", "x.wav"], 2, "cannot hold 2 results"),
        (["a.wav", "b.flac", "--residual", "r.wav"], 2, "one at a time"),
        (["a.wav", "--residual", "a.denoised.wav"], 2, "two results"),
    ],
)
def test_bad_input_is_one_line(musae, denoiser, sounds, arguments, code, word):
    bad_files(sounds)
    before = sorted(sounds.iterdir())
    run = musae("denoise", *arguments, "-m", denoiser)
    assert (
        run.code == code
        and word in run.err
        and run.err.startswith("musae: ")
        and len(run.err.splitlines()) == 1
    ), run.err
    assert sorted(sounds.iterdir()) == before


def test_one_bad_file_of_several_does_not_stop_the_others(musae, denoiser, sounds):
    bad_files(sounds)
    run = musae("denoise", "text.wav", "a.wav", "nan.wav", "-m", denoiser, "-o", "out/", "--json")
    assert run.code == 1 and len(run.json["files"]) == 1 and len(run.json["failures"]) == 2
    assert (
        run.err.splitlines()[-1] == "musae: 2 of 3 files failed"
        and run.err.count("files failed") == 1
    )
    assert [path.name for path in (sounds / "out").iterdir()] == ["a.wav"]


def test_a_header_that_promises_more_than_there_is(musae, denoiser, sounds):
    data = bytearray((sounds / "a.wav").read_bytes())
    place = data.index(b"data")
    data[4:8] = data[place + 4 : place + 8] = b"\xf0\xff\xff\xff"
    (sounds / "long.wav").write_bytes(data)
    run = musae("denoise", "long.wav", "-m", denoiser)
    assert run.code == 0, run.err
    assert soundfile.info("long.denoised.wav").frames == 2 * RATE


def test_a_model_of_something_else_is_refused(musae, tiny, sounds):
    run = musae("denoise", "a.mid")
    assert (
        run.code == 2
        and run.err
        == "musae: a.mid: holds notes, not a recording; there is no noise in it to take away\n"
    )
    run = musae("denoise", "a.wav", "-m", tiny)
    assert run.code == 2 and "holds sound" in run.err and "model of music" in run.err


def test_train_and_denoise_from_the_command(musae, sounds, monkeypatch):
    monkeypatch.setenv("MUSAE_CACHE", str(sounds / "cache"))
    clean = save_clean_folder(sounds / "tones", 4)
    from tests.sounds import SETTINGS

    changes = [
        word
        for change in [*SETTINGS, "training.steps=2", "data.noise=noises"]
        for word in ("--set", change)
    ]
    (sounds / "noises").mkdir()
    save(noise(1), sounds / "noises" / "hiss.wav")
    run = musae("train", "denoise-small", "--data", clean, "-o", "run", *changes)
    assert run.code == 0, run.err
    assert "SI-SDR" in run.out
    assert musae("denoise", "a.wav", "-m", "run").code == 0


def test_evaluate_on_mixtures_and_on_pairs(musae, denoiser, sounds, monkeypatch):
    monkeypatch.setenv("MUSAE_CACHE", str(sounds / "cache"))
    clean = save_clean_folder(sounds / "tones", 3)
    run = musae("evaluate", denoiser, "--data", clean, "--limit", "3", "--json")
    assert run.code == 0, run.err
    assert (
        run.json["n"] == 3
        and {"si_sdr_improvement_db", "by_noise", "clean_worst_db", "worst_clip"} <= run.json.keys()
    )
    for index, side in enumerate(("clean", "noisy")):
        (sounds / "pairs" / side).mkdir(parents=True)
        save(tone(440) + index * noise(), sounds / "pairs" / side / "a.wav")
    table = musae("evaluate", denoiser, "--data", "pairs")
    assert table.code == 0 and "by_snr: 5" in table.out and "by_noise: recorded" in table.out
    assert (
        musae("evaluate", denoiser, "--data", "pairs", "--data", "pairs", "--json").json["n"] == 2
    )
    mixed = musae("evaluate", denoiser, "--data", "pairs", "--data", clean)
    assert mixed.code == 2 and "holds no pairs of noisy and clean recordings" in mixed.err
    assert musae("evaluate", denoiser).code == 2


def test_reconstruct_and_encode_know_sound(musae, denoiser, sounds):
    run = musae("reconstruct", "a.wav", "b.flac", "-m", denoiser)
    assert run.code == 0, run.err
    assert read_audio("b.reconstructed.flac").samples.shape == (2, 2 * RATE)
    run = musae("encode", "a.wav", "-m", denoiser, "-o", "z.npz")
    assert run.code == 0, run.err
    with np.load("z.npz") as arrays:
        assert arrays["mean"].shape == arrays["scale"].shape and arrays["mean"].shape[:2] == (4, 3)
        assert arrays["source"].tolist() == ["a.wav"] * 4 and arrays["clip"].tolist() == [
            0,
            1,
            2,
            3,
        ]
    refused = musae("decode", "z.npz", "-m", denoiser)
    assert refused.code == 2 and "makes no sound" in refused.err


def test_inspect_knows_sound(musae, denoiser, sounds):
    run = musae("inspect", "a.wav", "-m", denoiser)
    assert (
        run.code == 0
        and "8,000 Hz, mono, WAV PCM_24; level -" in run.out
        and "takes it as it is" in run.out
    )
    (report,) = musae("inspect", "a.wav", "-m", denoiser, "--json").json["files"]
    assert report["seconds"] == 2 and report["rate"] == RATE and 0 < report["peak"] < 1
    assert musae("inspect", "none.wav", "-m", denoiser).err.count("\n") == 1


def test_tags_stay(musae, denoiser, sounds):
    for name in ("t.flac", "t.wav", "t.ogg"):
        with soundfile.SoundFile(name, "w", RATE, 1) as file:
            file.title, file.artist = "Süß", "me"
            file.write(tone(440))
    assert musae("denoise", "t.flac", "t.wav", "t.ogg", "-m", denoiser, "-o", "out/").code == 0
    for path in (sounds / "out").iterdir():
        with soundfile.SoundFile(path) as file:
            assert (file.title, file.artist) == ("Süß", "me")


def test_a_folder_of_sounds_is_cleaned(musae, denoiser, sounds):
    (sounds / "album").mkdir()
    for name in ("a.wav", "b.flac"):
        (sounds / name).rename(sounds / "album" / name)
    run = musae("denoise", "album/", "-m", denoiser, "-o", "clean/", "--insist")
    assert run.code == 0, run.err
    assert sorted(path.name for path in (sounds / "clean").iterdir()) == ["a.wav", "b.flac"]


def test_noise_is_learned_and_used(musae, denoiser, sounds):
    run = musae("denoise", "a.wav", "-m", denoiser, "--learn", "n.json", "--profile", "0:00-0:01")
    assert run.code == 0 and "use it with --noise n.json" in run.out, run.err
    assert not (sounds / "a.denoised.wav").exists()
    assert musae("denoise", "b.flac", "-m", denoiser, "--noise", "n.json").code == 0
    both = musae("denoise", "b.flac", "--noise", "n.json", "--profile", "auto", "-o", "c.wav")
    assert both.code == 2 and "give one of them" in both.err


def test_a_preview_has_both(musae, denoiser, sounds):
    run = musae("denoise", "a.wav", "-m", denoiser, "--preview", "0:00", "--plot", "p.png")
    assert run.code == 0 and "before, a beep, and after" in run.out, run.err
    found = read_audio("a.preview.wav").samples
    np.testing.assert_allclose(found[:, : 2 * RATE], read_audio("a.wav").samples, atol=1e-6)
    assert musae("denoise", "a.wav", "--preview", "9:00").code == 2


def test_only_what_is_named_is_mended(musae, denoiser, sounds):
    run = musae("denoise", "a.wav", "-m", denoiser, "--only", "hum,crackle")
    assert run.code == 0 and "noise at" not in run.out
    np.testing.assert_allclose(
        read_audio("a.denoised.wav").samples, read_audio("a.wav").samples, atol=1e-5
    )
    wrong = musae("denoise", "a.wav", "--only", "hiss", "-o", "c.wav")
    assert wrong.code == 2 and "name some of crackle, hum, noise" in wrong.err


def test_inspect_says_what_is_wrong_and_draws_it(musae, denoiser, sounds):
    save(np.clip(3 * tone(440), -0.4, 0.4), sounds / "c.wav")
    run = musae("inspect", "c.wav", "-m", denoiser, "--plot", "i.png", "--json")
    assert run.code == 0, run.err
    (told,) = run.json["files"]
    assert "clipping" in [defect["name"] for defect in told["defects"]]
    assert (sounds / "i.png").read_bytes().startswith(b"\x89PNG")
    text = musae("inspect", "c.wav", "-m", denoiser).out
    assert "clipping, " in text and "(not mended here)" in text


def test_many_sounds_are_cleaned_at_once_with_a_table(musae, denoiser, sounds, monkeypatch):
    from musae.audio import many

    monkeypatch.setattr(many, "_WORTH_SECONDS", 1.0)
    monkeypatch.setattr(many.os, "sched_getaffinity", lambda process: {0, 1}, raising=False)
    save(tone(300) + noise(), sounds / "c.wav")
    (sounds / "d.wav").write_bytes(b"no sound at all")
    files = ("a.wav", "b.flac", "c.wav", "d.wav")
    run = musae("denoise", *files, "-m", denoiser, "-o", "clean/", "--insist")
    assert run.code == 1 and "d.wav: not a sound file" in run.err
    assert "noise dBFS" in run.out and run.out.count("c.wav") == 2
    one = musae("denoise", "a.wav", "-m", denoiser, "-o", "one.wav", "--insist")
    assert one.code == 0
    np.testing.assert_allclose(
        read_audio("clean/a.wav").samples, read_audio("one.wav").samples, atol=1e-5
    )
