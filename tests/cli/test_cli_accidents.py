"""Full disks, closed streams, hostile files and names: one line each, and the right exit code."""

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.tiny import digits, melody, save, save_picture_model

FULL = Path("/dev/full")
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'cli'}"}


def command(*arguments, stdout=subprocess.PIPE, **more):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "musae", *map(str, arguments)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        check=False,
        timeout=300,
        **more,
    )


def one_line(text):
    assert text.startswith("musae: ") and text.count("\n") == 1, text
    assert "unexpected" not in text and "Traceback" not in text
    assert len(text) <= len("musae: \n") + 500
    assert text.rstrip("\n").isprintable()
    return True


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")
def test_a_full_standard_output_is_a_failure_where_it_was_all_that_was_wanted(folder):
    with FULL.open("w") as full:
        listed = command("presets", stdout=full)
        shown = command("--version", stdout=full)
    for done in (listed, shown):
        assert done.returncode == 1 and one_line(done.stderr)
        assert "the disk is full" in done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")
def test_a_full_standard_output_is_none_where_files_were_wanted(folder, tiny):
    with FULL.open("w") as full:
        done = command("sample", "-m", tiny, "--count", 1, "-o", "s/", stdout=full)
    assert done.returncode == 0 and not done.stderr
    assert (folder / "s" / "sample-01.mid").exists()


def test_closed_standard_streams_are_no_failure_and_nothing_is_written_over(folder, tiny):
    def close():
        os.close(1)
        os.close(2)

    done = command("sample", "-m", tiny, "--count", 1, "-o", "s/", stdout=None, preexec_fn=close)
    assert done.returncode == 0
    assert (folder / "s" / "sample-01.mid").read_bytes().startswith(b"MThd")
    assert command("presets", stdout=None, preexec_fn=close).returncode == 0


def small_files(size):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_training_on_a_full_disk_is_one_line_without_a_traceback(tmp_path):
    images, labels = digits(200)
    np.savez(tmp_path / "digits.npz", images=images, labels=labels)
    done = command(
        "train",
        "digits-vae",
        "--data",
        tmp_path / "digits.npz",
        "-o",
        tmp_path / "run",
        "--set",
        "training.batch_size=16",
        "-q",
        preexec_fn=lambda: small_files(20_000),
    )
    assert done.returncode == 1 and one_line(done.stderr)
    assert "may not be that large" in done.stderr
    assert not [path for path in (tmp_path / "run").rglob("*.part")]


def test_a_full_disk_is_called_so(musae, folder, tiny, monkeypatch):
    def full(*arguments, **more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    done = musae("sample", "-m", tiny, "--count", 1, "-o", "s/")
    assert done.code == 1 and one_line(done.err) and "the disk is full" in done.err
    assert not (folder / "s").exists()


def loops(folder):
    (folder / "loop.mid").symlink_to("loop.mid")
    return "loop.mid"


def long_name(folder):
    return "n" * 5000 + ".mid"


def escapes(folder):
    return "\x1b[31mred\x1b]0;title\x07.mid"


def pipe(folder):
    os.mkfifo(folder / "pipe.mid")
    return "pipe.mid"


def device(folder):
    (folder / "zero.mid").symlink_to("/dev/zero")
    return "zero.mid"


@pytest.mark.parametrize("make", [loops, long_name, escapes, pipe, device])
@pytest.mark.parametrize("verb", ["inspect", "reconstruct", "encode"])
def test_names_that_lead_nowhere(musae, folder, tiny, make, verb):
    output = [] if verb == "inspect" else ["-o", "out.npz" if verb == "encode" else "out.mid"]
    done = musae(verb, make(folder), "-m", tiny, *output)
    assert done.code in (1, 2) and one_line(done.err)
    assert not (folder / "out.mid").exists() and not (folder / "out.npz").exists()


@pytest.mark.parametrize("make", [long_name, escapes])
def test_outputs_that_cannot_be(musae, folder, tiny, make):
    done = musae("sample", "-m", tiny, "--count", 1, "-o", "no/" + make(folder))
    assert done.code == 2 and one_line(done.err)


@pytest.mark.parametrize("verb", ["models", "sample", "inspect"])
def test_models_that_lead_nowhere(musae, folder, verb):
    (folder / "loop").symlink_to("loop")
    for name in ("m" * 5000, "\x1b[2Jm", "loop", "a\x00b"):
        option = [name] if verb == "models" else ["-m", name]
        files = ["a.mid"] if verb == "inspect" else []
        done = musae(verb, *files, *option)
        assert done.code == 2 and one_line(done.err)


YAML = {
    "aliases": "name: [&a [x,x,x,x,x,x,x,x,x], &b [*a,*a,*a,*a,*a,*a,*a,*a,*a], &c [*b,*b,*b,*b],"
    " &d [*c,*c,*c,*c,*c,*c,*c,*c], &e [*d,*d,*d,*d,*d,*d,*d,*d]]",
    "itself": "name: &a [*a]",
    "deep": "name: " + "[" * 3000,
    "date": "name: 2001-99-99",
    "bool": 'name: !!bool "x"',
    "number": "seed: " + "9" * 6000,
    "merge": "a: &a {<<: *a}",
    "keys": "? [a, b]\n: c",
    "key": "1: 2",
    "size": "model: {latent_size: 1000000000000}",
    "layers": "model: {encoder: {kind: dense, sizes: [" + ", ".join(["8"] * 20_000) + "]}}",
    "infinite": "optimiser: {learning_rate: .inf}",
    "steps": "training: {steps: 1" + "0" * 400 + "}",
    "batch": "training: {batch_size: 99999999999}",
    "escape": 'name: "\\e[31m"\nnmae: "\\e[31m"',
    "tag": "name: !!python/object/apply:os.system [id]",
}


@pytest.mark.parametrize("name", YAML)
def test_run_files_of_every_kind(musae, folder, name):
    (folder / "run.yaml").write_text(f"extends: digits-vae\n{YAML[name]}\n")
    done = musae("train", "run.yaml", "-o", "r")
    assert done.code == 2 and one_line(done.err) and "run.yaml: " in done.err
    assert not (folder / "r").exists()


def test_a_model_that_no_machine_holds_is_refused(musae, folder):
    sizes = "[" + ", ".join(["65536"] * 20) + "]"
    done = musae("train", "digits-vae", "-o", "r", "--set", f"model.encoder.sizes={sizes}")
    assert done.code in (1, 2) and one_line(done.err)
    assert not (folder / "r").exists()


def test_ink_on_a_clear_ground_and_wide_pictures(musae, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = save_picture_model(tmp_path / "model")
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save("empty.png")
    done = musae("reconstruct", "empty.png", "-m", model, "-o", "x.png")
    assert done.code == 0 and "of one brightness" in done.err


def test_the_second_run_in_a_folder_is_refused(musae, folder, tiny):
    from musicvae_lite.core.locks import only_writer

    images, labels = digits(40)
    np.savez(folder / "digits.npz", images=images, labels=labels)
    save(melody(4), folder / "songs.mid")
    with only_writer(folder / "run", "musae train"), only_writer(folder / "c", "musae prepare"):
        for arguments in (
            ("train", "digits-vae", "--data", "digits.npz", "-o", "run"),
            ("prepare", "songs.mid", "--preset", "mel-2bar", "-o", "c"),
        ):
            done = musae(*arguments, "-q")
            assert done.code == 1 and one_line(done.err) and "writes there" in done.err
