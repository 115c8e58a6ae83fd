"""What the verbs do when all is well."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from musicvae_lite.core.files import resource
from musicvae_lite.media.midi import Track, read_midi
from musicvae_lite.model_dir.bundle import shipped_models
from tests.tiny import melody, save, score


def test_interpolate_writes_one_file(musae, folder, tiny):
    run = musae("interpolate", "a.mid", "b.mid", "-m", tiny)
    assert run.code == 0 and run.err == ""
    assert run.out.splitlines()[0].startswith("from a.mid: track 1 (A), bars 1-2; notes right: ")
    assert run.out.splitlines()[2] == "wrote a__b.mid"
    piece = read_midi("a__b.mid")
    assert piece.tracks[0].name == "interpolate a to b" and round(piece.qpm) == 90
    assert sorted(path.name for path in folder.iterdir()) == ["a.mid", "a__b.mid", "b.mid"]


def test_interpolate_writes_a_file_a_step(musae, folder, tiny):
    run = musae("interpolate", "a.mid", "b.mid", "-m", tiny, "-o", "steps/", "--json")
    names = [f"steps/{step:02}.mid" for step in range(9)]
    assert run.json["outputs"] == names and sorted(
        p.name for p in (folder / "steps").iterdir()
    ) == [n[6:] for n in names]
    assert musae("interpolate", "a.mid", "b.mid", "-m", tiny, "-o", "steps").code == 2  # they exist
    assert (
        musae(
            "interpolate",
            "a.mid",
            "b.mid",
            "-m",
            tiny,
            "-o",
            "steps",
            "--overwrite",
            "--steps",
            "3",
        ).code
        == 0
    )


def test_interpolate_json_is_one_document(musae, folder, tiny):
    run = musae(
        "interpolate", "a.mid", "b.mid", "-m", tiny, "--json", "--bar", "3,2", "--seed", "5", "-v"
    )
    assert run.code == 0 and "usable windows start in track 1 (A): bars 1-4" in run.err
    document = run.json
    first, second = document["inputs"]
    assert (first["file"], first["track"], first["bar"], first["windows_available"]) == (
        "a.mid",
        1,
        3,
        4,
    )
    assert (second["file"], second["bar"], second["track_name"]) == ("b.mid", 2, "B")
    assert 0 <= first["accuracy"] <= 1 and document["steps"] == 9 and document["seed"] == 5
    assert document["model"] == str(tiny) and document["outputs"] == ["a__b.mid"]


def test_same_command_same_bytes(musae, folder, tiny):
    def run(seed, name):
        assert (
            musae(
                "interpolate",
                "a.mid",
                "b.mid",
                "-m",
                tiny,
                "--temperature",
                "1",
                "--seed",
                seed,
                "-o",
                name,
            ).code
            == 0
        )
        return (folder / name).read_bytes()

    first, again, other = run(1, "x.mid"), run(1, "y.mid"), run(2, "z.mid")
    assert first == again != other


def test_interpolate_draws_and_sounds(musae, folder, tiny):
    run = musae(
        "interpolate",
        "a.mid",
        "b.mid",
        "-m",
        tiny,
        "--plot",
        "p.png",
        "--wav",
        "w.wav",
        "--steps",
        "2",
    )
    assert run.code == 0 and run.out.splitlines()[-1] == "wrote a__b.mid, p.png, w.wav"
    assert (folder / "p.png").read_bytes()[:4] == b"\x89PNG" and (folder / "w.wav").read_bytes()[
        :4
    ] == b"RIFF"
    assert "w.wav: rendered with" in run.err
    assert (
        musae("interpolate", "a.mid", "b.mid", "-m", tiny, "-o", "n.mid", "--plot", "p.png").code
        == 2
    )
    assert (
        musae("interpolate", "a.mid", "b.mid", "-m", tiny, "-o", "n.mid", "--plot", "p.gif").code
        == 2
    )
    assert not (folder / "n.mid").exists()


def test_a_picture_that_takes_long_is_told_of(musae, folder, tiny, monkeypatch):
    monkeypatch.setattr("musae.music.interpolate._SLOW_TO_DRAW", 3)
    run = musae("interpolate", "a.mid", "b.mid", "-m", tiny, "--plot", "p.png", "--steps", "4")
    assert run.code == 0 and run.err == "p.png: drawing 4 steps; that takes up to half a minute\n"
    assert (
        musae("interpolate", "a.mid", "b.mid", "-m", tiny, "--plot", "q.png", "--steps", "201").code
        == 2
    )
    text = " ".join(musae("interpolate", "--help").out.split())
    assert "Say only what was asked for, and errors." in text


def test_quiet_says_nothing(musae, folder, tiny):
    assert musae("interpolate", "a.mid", "b.mid", "-m", tiny, "-q") == (0, "", "")


def test_reconstruct_names_and_json(musae, folder, tiny):
    run = musae("reconstruct", "a.mid", "b.mid", "-m", tiny, "-o", "heard/", "--json")
    first, second = run.json["files"]
    assert (first["file"], first["output"], first["windows"], first["bars"]) == (
        "a.mid",
        "heard/a.mid",
        4,
        [1, 5],
    )
    assert first["window_bars"] == [1, 2, 3, 4] and first["bars_left"] == []
    assert (second["windows"], second["bars"]) == (2, [1, 3]) and 0 <= first["onset_accuracy"] <= 1
    assert round(read_midi("heard/b.mid").qpm) == 150
    assert (
        musae("reconstruct", "a.mid", "-m", tiny).code == 0
        and (folder / "a.reconstructed.mid").exists()
    )
    assert (
        musae("reconstruct", "a.mid", "-m", tiny, "-o", "one.mid").code == 0
        and (folder / "one.mid").is_file()
    )


def test_reconstruct_goes_on_after_a_bad_file(musae, folder, tiny):
    (folder / "bad.mid").write_bytes(b"no")
    run = musae("reconstruct", "a.mid", "bad.mid", "-m", tiny, "-o", "heard/", "--json")
    assert run.code == 1 and "bad.mid: not a MIDI file" in run.err
    assert [done["file"] for done in run.json["files"]] == ["a.mid"] and "bad.mid" in run.json[
        "failures"
    ][0]
    (folder / "worse.mid").write_bytes(b"no")
    run = musae("reconstruct", "bad.mid", "worse.mid", "-m", tiny, "-o", "none/")
    assert run.code == 1 and not (folder / "none").exists()


def test_two_inputs_of_one_name_are_refused_before_work(musae, folder, tiny):
    (folder / "sub").mkdir()
    save(melody(2), folder / "sub" / "a.mid")
    run = musae("reconstruct", "a.mid", "sub/a.mid", "-m", tiny, "-o", "heard/")
    assert (
        run.code == 2
        and "two inputs would be written to this file" in run.err
        and not (folder / "heard").exists()
    )


def test_encode_and_decode_give_the_reconstruction(musae, folder, tiny):
    assert musae("encode", "a.mid", "-m", tiny, "-o", "few.npz", "--json").json["windows"] == 3
    run = musae("encode", "a.mid", "b.mid", "-m", tiny, "-o", "z.npz", "--every-window", "--json")
    assert run.code == 0 and run.json["windows"] == 6 and run.json["latent_size"] == 4
    with np.load("z.npz", allow_pickle=False) as arrays:
        assert (
            arrays["mean"].shape == arrays["scale"].shape == (6, 4) and (arrays["scale"] > 0).all()
        )
        assert arrays["source"].tolist() == ["a.mid"] * 4 + ["b.mid"] * 2
        assert arrays["bar"].tolist() == [1, 2, 3, 4, 1, 2] and arrays["track"].tolist() == [1] * 6
        assert str(arrays["model"]) == str(tiny)
    assert musae("decode", "z.npz", "-m", tiny, "-o", "decoded/").code == 0
    assert musae("reconstruct", "a.mid", "b.mid", "-m", tiny, "-o", "heard/").code == 0
    for name in ("a.mid", "b.mid"):
        decoded, heard = read_midi(f"decoded/{name}"), read_midi(f"heard/{name}")
        assert np.array_equal(decoded.notes, heard.notes) and decoded.qpm == heard.qpm


def test_encode_every_window_and_the_same_bytes(musae, folder, tiny):
    for name in ("x.npz", "y.npz"):
        assert musae("encode", "a.mid", "-m", tiny, "-o", name, "--every-window").code == 0
    assert (folder / "x.npz").read_bytes() == (folder / "y.npz").read_bytes()
    with np.load("x.npz") as arrays:
        assert arrays["bar"].tolist() == [1, 2, 3, 4]


def test_decode_of_plain_points(musae, folder, tiny):
    np.savez("z.npz", mean=np.zeros((3, 4)), bar=np.array([7, 7, 7]))
    run = musae("decode", "z.npz", "-m", tiny, "--json")
    assert run.json["outputs"] == ["z.decoded.mid"] and run.json["windows"] == 3


def test_sample_names_and_length(musae, folder, tiny):
    run = musae("sample", "-m", tiny, "--json", "--seed", "3")
    assert run.json["outputs"] == [f"sample-0{number}.mid" for number in (1, 2, 3, 4)]
    before = (folder / "sample-02.mid").read_bytes()
    refused = musae("sample", "-m", tiny)
    assert refused.code == 2 and "sample-01.mid: exists already" in refused.err
    assert musae("sample", "-m", tiny, "--count", "2", "-o", "again/", "--seed", "3").code == 0
    assert (folder / "again" / "sample-02.mid").read_bytes() == before
    assert musae("sample", "-m", tiny, "--count", "1", "--length", "6", "-o", "long.mid").code == 0
    assert musae("sample", "-m", tiny, "--length", "3", "-o", "odd/").code == 2
    assert musae("sample", "-m", tiny, "--count", "2", "-o", "two.mid").code == 2


def test_inspect_says_what_can_be_used_and_why_not_the_rest(musae, folder, tiny):
    notes = [(q, q + 1, 60 + q, 0) for q in range(8)] + [(q, q + 1, 40, 1) for q in range(8)]
    save(score(notes, (Track("Lead"), Track("Kit", 0, True))), folder / "c.mid")
    run = musae("inspect", "a.mid", "c.mid", "-m", tiny)
    assert (
        run.code == 0 and "a.mid: 4/4, 90 bpm; " in run.out and "4 windows in bars 1-5" in run.out
    )
    assert "track 2 'Kit': drums" in run.out and "not used: 8 notes: drum track" in run.out
    document = musae("inspect", "c.mid", "-m", tiny, "--json").json
    assert document["files"][0]["tracks"][1]["refused"] == {"drum track": 8}
    assert document["files"][0]["tracks"][0]["bars"] == [1, 2]


def test_inspect_agrees_with_what_is_used(musae, folder, tiny):
    notes = [(q, q + 1, 60 + q % 5, 0) for q in range(16)]
    save(score(notes, (Track("Flute", 73),)), folder / "flute.mid")
    run = musae("inspect", "flute.mid", "-m", tiny)
    assert (
        "can use 3 windows, of any program: none has one of those" in run.out
        and "program outside" not in run.out
    )
    assert musae("reconstruct", "flute.mid", "-m", tiny).code == 0
    save(
        score(
            [*notes, *((q, q + 1, 70, 1) for q in range(8))], (Track("Piano"), Track("Flute", 73))
        ),
        folder / "both.mid",
    )
    run = musae("inspect", "both.mid", "-m", tiny)
    assert "8 notes: program outside 0-31\n      (with --track 2 all the same: 1 window)" in run.out
    waltz = [(q, q + 1, 60 + q % 5, track) for q in range(12) for track in (0, 1)]
    save(score(waltz, (Track("Piano"), Track("Flute", 73)), metre=(3, 4)), folder / "waltz.mid")
    out = musae("inspect", "waltz.mid", "-m", tiny).out
    assert (
        "can use 0 windows" in out
        and out.count("metre 3/4 (the model needs 4/4)") == 2
        and "program outside" not in out
    )


def test_models_and_presets(musae, folder, tiny):
    document = musae("models", tiny, "--json").json
    assert (
        document["models"][0]["parameters"] > 1000 and document["models"][0]["preset"] == "mel-2bar"
    )
    assert "parameters" in musae("models", tiny).out
    names = [row["name"] for row in musae("presets", "--json").json["presets"]]
    assert "mel-2bar" in names and "mel-2bar" in musae("presets").out
    text = musae("presets", "mel-2bar").out
    (folder / "mine.yaml").write_text(text)
    assert (
        musae("presets", "mine.yaml", "--json").json["settings"]
        == musae("presets", "mel-2bar", "--json").json["settings"]
    )


def test_prepare_train_evaluate(musae, folder):
    songs = folder / "songs"
    songs.mkdir()
    for number in range(12):
        save(melody(4, first=48 + number), songs / f"{number}.mid")
    run = musae(
        "prepare", songs, "-o", "corpus", "--workers", "1", "--valid-fraction", "0.3", "--json"
    )
    assert run.code == 0, run.err
    assert run.json["files"] == 12 and run.json["train"] + run.json["valid"] == run.json["distinct"]
    small = [
        "model.latent_size=4",
        "model.encoder.sizes=[8]",
        "model.decoder.sizes=[8]",
        "training.steps=2",
    ]
    small += ["training.batch_size=4", "training.valid_every=2"]
    changes = [word for change in small for word in ("--set", change)]
    run = musae(
        "train", "mel-2bar", "--data", "corpus", "-o", "run", *changes, "--device", "cpu", "--json"
    )
    assert run.code == 0, run.err
    assert run.json["step"] == 2 and run.json["finished"] is True
    longer = [word for change in [*small[:3], "training.steps=3"] for word in ("--set", change)]
    run = musae(
        "train",
        "mel-2bar",
        "--data",
        "corpus",
        "-o",
        "run",
        *longer,
        "--device",
        "cpu",
        "--resume",
        "--json",
    )
    assert (
        run.json["step"] == 3
        and "training.batch_size is 4, not 64, training.valid_every is 2" in run.err
    )
    run = musae(
        "evaluate",
        "run",
        "--data",
        "corpus",
        "--split",
        "all",
        "--limit",
        "5",
        "--json",
        "--device",
        "cpu",
    )
    assert run.code == 0, run.err
    assert (
        run.json["n"] == 5
        and {"nll_nats", "kl_bits", "accuracy", "onset_accuracy", "active_units"} <= run.json.keys()
    )
    assert "accuracy" in musae("evaluate", "run", "--data", "corpus", "--device", "cpu").out


def test_decode_numbers_sources_of_one_name(musae, folder, tiny):
    for name, bars in (("x", 4), ("y", 2)):
        (folder / name).mkdir()
        save(melody(bars), folder / name / "s.mid")
    assert musae("encode", "x/s.mid", "y/s.mid", "-m", tiny, "-o", "z.NPZ").code == 0
    run = musae("decode", "z.NPZ", "-m", tiny, "-o", "out/", "--json")
    assert run.json["outputs"] == ["out/s.mid", "out/s-2.mid"]
    assert musae("reconstruct", "y/s.mid", "-m", tiny, "-o", "heard/").code == 0
    assert np.array_equal(read_midi("out/s-2.mid").notes, read_midi("heard/s.mid").notes)


def test_extras_in_a_folder_that_is_made(musae, folder, tiny):
    run = musae(
        "interpolate",
        "a.mid",
        "b.mid",
        "-m",
        tiny,
        "-o",
        "new/",
        "--plot",
        "new/p.png",
        "--steps",
        "2",
    )
    assert run.code == 0, run.err
    assert sorted(path.name for path in (folder / "new").iterdir()) == ["00.mid", "01.mid", "p.png"]


def test_long_names(musae, folder, tiny):
    long = "é" * 125  # 250 bytes
    (folder / f"{long}.mid").write_bytes((folder / "a.mid").read_bytes())
    run = musae("interpolate", f"{long}.mid", "b.mid", "-m", tiny, "--json")
    assert run.code == 0 and Path(run.json["outputs"][0]).name == "é" * 62 + "__b.mid"
    assert musae("reconstruct", f"{long}.mid", "-m", tiny).code == 0
    assert musae("interpolate", "a.mid", "b.mid", "-m", tiny, "-o", "x" * 251 + ".mid").code == 0
    assert musae("interpolate", "a.mid", f"{'y' * 300}.mid", "-m", tiny).code == 1
    for output in ("x" * 300 + ".mid", "x" * 300 + "/"):
        run = musae("interpolate", "a.mid", "b.mid", "-m", tiny, "-o", output)
        assert run.code == 2 and "file name too long" in run.err
    assert musae("evaluate", tiny, "--data", "x" * 300).code == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow such names")
def test_a_name_that_is_not_utf8(musae, folder, tiny):
    name = os.fsdecode(b"caf\xe9.mid")
    (folder / "a.mid").rename(name)
    run = musae("interpolate", name, "b.mid", "-m", tiny)
    assert run.code == 0 and "from caf\ufffd.mid" in run.out, run.err
    assert (folder / os.fsdecode(b"caf\xe9__b.mid")).exists()
    assert musae("inspect", name, "-m", tiny).code == 0
    assert musae("encode", name, "-m", tiny, "-o", "z.npz").code == 0


def test_files_are_written_when_nobody_reads_the_output(folder, tiny):
    program = "import sys; from musae.app import main; sys.exit(main())"
    read, write = os.pipe()
    os.close(read)
    verb = ["reconstruct", "a.mid", "b.mid", "-o", "heard/", "-m", str(tiny), "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-c", program, *verb], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in (folder / "heard").iterdir()) == ["a.mid", "b.mid"]


if "mel-2bar" in shipped_models():

    @pytest.mark.parametrize("name", ["ode_to_joy", "twinkle_twinkle"])
    def test_the_shipped_model_hears_the_demo_tunes(musae, folder, name):
        tune = resource("data", "midi", f"{name}.mid")
        run = musae("reconstruct", tune, "-o", "heard/", "--json", "--device", "cpu")
        assert run.code == 0 and run.json["files"][0]["accuracy"] > 0.85
