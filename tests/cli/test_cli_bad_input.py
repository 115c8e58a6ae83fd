"""What the verbs do when something is wrong: one or two lines, the right exit code, nothing
half-written.
"""

import errno
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from musae.audio.render import check_sound

from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.midi import Track, midi_bytes
from tests.tiny import melody, save, score


def bytes_of_song(bars=5):
    return midi_bytes(melody(bars))


def no_notes():
    track = b"\x00\xff\x2f\x00"
    return (
        b"MThd"
        + struct.pack(">IHHH", 6, 1, 1, 480)
        + b"MTrk"
        + struct.pack(">I", len(track))
        + track
    )


BAD = {
    "not MIDI": (b"this is text", 1, "not a MIDI file"),
    "empty": (b"", 1, "empty"),
    "truncated": (bytes_of_song()[:40], 1, "truncated"),
    "no notes": (no_notes(), 1, "holds no notes"),
    "drums": (
        midi_bytes(score([(q, q + 1, 40, 0) for q in range(8)], (Track("Kit", 0, True),))),
        3,
        "drum track (8 notes)",
    ),
    "waltz": (
        midi_bytes(score([(q, q + 1, 60, 0) for q in range(9)], metre=(3, 4))),
        3,
        "metre 3/4 (the model needs 4/4) (9 notes)",
    ),
}
GOOD = {
    "one note": [(0, 1, 60, 0)],
    "polyphonic piano": [
        (q, q + 1, 60 + q + chord, 0) for q in range(16) for chord in (0, 4, 7, -12)
    ],
}


@pytest.mark.parametrize("kind", BAD)
def test_file_that_cannot_be_used(musae, folder, tiny, kind):
    data, code, words = BAD[kind]
    (folder / "bad.mid").write_bytes(data)
    for arguments in (
        ["interpolate", "bad.mid", "b.mid"],
        ["interpolate", "b.mid", "bad.mid"],
        ["reconstruct", "bad.mid"],
        ["encode", "bad.mid", "-o", "z.npz"],
    ):
        run = musae(*arguments, "-m", tiny)
        assert (run.code, run.out) == (code, ""), arguments
        assert (
            run.err.startswith("musae: bad.mid")
            and words in run.err
            and len(run.err.splitlines()) <= 2
        )
        assert "Traceback" not in run.err
    assert sorted(path.name for path in folder.iterdir()) == ["a.mid", "b.mid", "bad.mid"]


@pytest.mark.parametrize("kind", GOOD)
def test_file_that_is_unusual_but_fine(musae, folder, tiny, kind):
    save(score(GOOD[kind]), folder / "good.mid")
    assert musae("interpolate", "good.mid", "b.mid", "-m", tiny).code == 0
    assert musae("reconstruct", "good.mid", "-m", tiny).code == 0
    assert musae("inspect", "good.mid", "-m", tiny).code == 0


def test_missing_file_and_no_permission(musae, folder, tiny, monkeypatch):
    run = musae("interpolate", "a.mid", "nowhere.mid", "-m", tiny)
    assert (run.code, run.err) == (1, "musae: nowhere.mid: no such file\n")
    read = Path.read_bytes

    def refuse(path):
        if path.name == "a.mid":
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    run = musae("interpolate", "a.mid", "b.mid", "-m", tiny)
    assert run.code == 1 and run.err == "musae: a.mid: no permission to read the file\n"


def test_existing_output_is_refused_before_any_work(musae, folder, tiny):
    (folder / "a__b.mid").write_bytes(b"mine")
    run = musae("interpolate", "nowhere.mid", "b.mid", "-o", "a__b.mid", "-m", tiny)
    assert run.code == 2 and run.err.startswith("musae: a__b.mid: exists already")
    assert (folder / "a__b.mid").read_bytes() == b"mine"
    assert musae("interpolate", "a.mid", "b.mid", "-m", tiny, "--overwrite").code == 0
    for arguments in (["reconstruct", "a.mid", "-o", "b.mid"], ["encode", "a.mid", "-o", "z.npz"]):
        (folder / "z.npz").touch()
        assert musae(*arguments, "-m", tiny).code == 2


@pytest.mark.parametrize("output", ["nowhere/x.mid", "nowhere/sub/", "a.mid/", "x.txt"])
def test_output_without_a_place(musae, folder, tiny, output):
    run = musae("interpolate", "a.mid", "b.mid", "-m", tiny, "-o", output)
    assert run.code == 2 and run.err.startswith("musae: ") and len(run.err.splitlines()) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["a.mid", "b.mid"]


def test_output_that_is_an_input(musae, folder, tiny):
    before = (folder / "a.mid").read_bytes()
    assert (
        musae("interpolate", "a.mid", "b.mid", "-m", tiny, "-o", "a.mid", "--overwrite").code == 2
    )
    assert musae("reconstruct", "a.mid", "-m", tiny, "-o", "./", "--overwrite").code == 2
    assert (folder / "a.mid").read_bytes() == before


@pytest.mark.parametrize(
    "arguments", [["interpolate", "a.mid", "b.mid"], ["sample"], ["encode", "a.mid", "-o", "z.npz"]]
)
def test_full_disk_leaves_nothing(musae, folder, tiny, monkeypatch, arguments):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    run = musae(*arguments, "-m", tiny)
    assert run.code == 1 and "the disk is full" in run.err and run.out == ""
    assert sorted(path.name for path in folder.iterdir()) == ["a.mid", "b.mid"]


def test_unknown_names_are_answered_with_the_nearest(musae, folder, tiny):
    run = musae("presets", "mel-2bra")
    assert run.code == 2 and "did you mean 'mel-2bar'?" in run.err
    run = musae("train", "mel-2bar", "--data", "c", "-o", "r", "--set", "training.stpes=3")
    assert run.code == 2 and "'steps'" in run.err
    (folder / "mine.yaml").write_text("extends: mel-2bar\nmodell: {}\n")
    run = musae("train", "mine.yaml", "--data", "c", "-o", "r")
    assert run.code == 2 and "mine.yaml" in run.err and "'model'" in run.err
    run = musae("interpolate", "a.mid", "b.mid", "-m", "mel-3bar")
    assert run.code == 2 and "no model 'mel-3bar'" in run.err
    assert musae("prepare", ".", "-o", "c", "--preset", "nothing").code == 2


def test_device_that_is_not_there(musae, folder, tiny):
    if torch.cuda.is_available():
        return
    run = musae("interpolate", "a.mid", "b.mid", "-m", tiny, "--device", "cuda")
    assert run.code == 2 and "--device" in run.err and len(run.err.splitlines()) == 1


def truncated(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def foreign(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))


def not_json(folder):
    (folder / "config.json").write_text('{"format": "musae-m')


def newer(folder):
    tree = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**tree, "version": 99}))


@pytest.mark.parametrize("damage", [truncated, no_weights, foreign, not_json, newer])
def test_damaged_model_folder(musae, folder, tiny, damage):
    copy = Path(shutil.copytree(tiny, folder / "copy"))
    damage(copy)
    run = musae("interpolate", "a.mid", "b.mid", "-m", "copy")
    assert run.code == 1 and run.err.startswith("musae: copy") and len(run.err.splitlines()) == 1
    assert not (folder / "a__b.mid").exists()


def test_model_that_is_a_file_or_an_empty_folder(musae, folder):
    assert musae("interpolate", "a.mid", "b.mid", "-m", "a.mid").code == 2
    (folder / "empty").mkdir()
    assert "is not a model folder" in musae("interpolate", "a.mid", "b.mid", "-m", "empty").err


HOSTILE = {
    "pickle": {"mean": np.array([{"a": 1}], dtype=object)},
    "no mean": {"z": np.zeros((2, 4))},
    "one row": {"mean": np.zeros(4)},
    "empty": {"mean": np.zeros((0, 4))},
    "not numbers": {"mean": np.array([["a"]])},
    "not finite": {"mean": np.full((2, 4), np.nan)},
    "beyond float32": {"mean": np.full((2, 4), 1e39)},
    "wrong size": {"mean": np.zeros((2, 5))},
    "bars of another length": {"mean": np.zeros((2, 4)), "bar": np.zeros(3, int)},
    "bars out of reach": {"mean": np.zeros((2, 4)), "bar": np.array([1, 2**60])},
    "tempo zero": {"mean": np.zeros((2, 4)), "qpm": np.zeros(2)},
    "numbers for names": {"mean": np.zeros((2, 4)), "source": np.zeros(2)},
    "program 300": {"mean": np.zeros((2, 4)), "program": np.array([0, 300])},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_latents_that_cannot_be_used(musae, folder, tiny, kind):
    np.savez(folder / "z.npz", **HOSTILE[kind])
    run = musae("decode", "z.npz", "-m", tiny, "-o", "out/")
    assert (
        run.code in (1, 2)
        and run.out == ""
        and len(run.err.splitlines()) == 1
        and "unexpected" not in run.err
    )
    assert not (folder / "out").exists()


def test_latents_that_are_no_archive(musae, folder, tiny):
    np.savez(folder / "z.npz", mean=np.zeros((2, 4)))
    whole = (folder / "z.npz").read_bytes()
    for data in (b"", b"text", whole[:-30], whole[:40] + b"\xff" * 40 + whole[80:]):
        (folder / "z.npz").write_bytes(data)
        run = musae("decode", "z.npz", "-m", tiny)
        assert run.code == 1 and run.err.startswith("musae: z.npz: "), run.err
    assert musae("decode", "nowhere.npz", "-m", tiny).code == 1
    np.save(folder / "z.npy", np.zeros((2, 4)))
    assert musae("decode", "z.npy", "-m", tiny).code == 1


def test_names_in_latents_cannot_leave_the_folder(musae, folder, tiny):
    names = ["../../up.mid", "/etc/passwd", "..", "a\\..\\b.mid", "nul\0.mid", "x" * 500, "é" * 500]
    np.savez(folder / "z.npz", mean=np.zeros((7, 4)), source=np.array(names))
    run = musae("decode", "z.npz", "-m", tiny, "-o", "out/", "--json")
    assert run.code == 0, run.err
    assert all(Path(name).parent == Path("out") for name in run.json["outputs"])
    assert not (folder.parent / "up.mid").exists()


@pytest.mark.parametrize(
    ("files", "code"),
    [(["no.mid", "nowhere.mid"], 1), (["waltz.mid", "kit.mid"], 3), (["waltz.mid", "no.mid"], 1)],
)
def test_exit_code_where_all_files_fail(musae, folder, tiny, files, code):
    (folder / "waltz.mid").write_bytes(BAD["waltz"][0])
    (folder / "kit.mid").write_bytes(BAD["drums"][0])
    run = musae("reconstruct", *files, "-m", tiny, "-o", "out/")
    assert run.code == code and "none of the 2 files could be used" in run.err
    assert f"see 'musae inspect waltz.mid -m {tiny}'" in run.err or "waltz.mid" not in files
    assert (
        musae("reconstruct", "a.mid", "b.mid", "--track", "9", "-m", tiny, "-o", "out/").code == 2
    )


@pytest.mark.parametrize(
    ("extra", "words"),
    [(["--plot", "p.png"], "up to 200 steps"), (["--wav", "w.wav"], "up to 30 minutes")],
)
def test_too_many_steps_to_draw_or_play(musae, folder, tiny, extra, words):
    run = musae("interpolate", "a.mid", "b.mid", "-m", tiny, "--steps", "3000", *extra)
    assert run.code == 2 and words in run.err and len(run.err.splitlines()) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["a.mid", "b.mid"]


def test_more_sound_than_is_rendered():
    with pytest.raises(UsageError, match="up to 30 minutes, not 31"):
        check_sound("w.wav", 31 * 60)


@pytest.mark.parametrize("output", ["out.mid", "out/"])
def test_a_picture_that_fails_leaves_nothing(musae, folder, tiny, monkeypatch, output):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("musicvae_lite.music.plots._figure", fail)
    assert (
        musae("interpolate", "a.mid", "b.mid", "-m", tiny, "-o", output, "--plot", "p.png").code
        == 1
    )
    assert sorted(path.name for path in folder.iterdir()) == ["a.mid", "b.mid"]


def test_a_disk_that_fills_up_leaves_nothing(musae, folder, tiny, monkeypatch):
    write = Path.write_bytes
    written = []

    def fill(path, data):
        written.append(path)
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill)
    run = musae("interpolate", "a.mid", "b.mid", "-m", tiny, "-o", "out/")
    assert run.code == 1 and "out/02.mid: cannot be written: the disk is full" in run.err
    assert sorted(path.name for path in folder.iterdir()) == ["a.mid", "b.mid"]


@pytest.mark.parametrize("option", ["--qpm", "--temperature"])
def test_nan_is_no_number(musae, folder, tiny, option):
    run = musae("sample", "-m", tiny, option, "nan", "-o", "new/")
    assert run.code == 2 and "no number" in run.err
    assert not (folder / "new").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal on Windows")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_process_that_is_asked_to_end_leaves_nothing_half_written(tmp_path, name):
    code = f"""
import os, signal, sys, time
from pathlib import Path
from musae import app
from musicvae_lite.core.files import atomic_output

def work(*arguments, **options):
    with atomic_output(Path("x.wav")):
        os.kill(os.getpid(), signal.{name})
        time.sleep(30)

signal.signal(signal.{name}, signal.SIG_DFL)
app.cli.main = work
sys.exit(app.main(["denoise", "x"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + getattr(signal, name), "", "")
    assert list(tmp_path.iterdir()) == []
