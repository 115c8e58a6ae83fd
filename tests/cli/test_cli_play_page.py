"""``musae play`` as a command: what it prints, how it ends, what it refuses."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.tiny import save_chord_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("wait", [0.0, 1.0])
def test_it_prints_the_address_and_ends_on_ctrl_c(tiny, tmp_path, wait):
    """Also while the weights are still loaded."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "cli")])
    command = [sys.executable, "-m", "musae", "play", "--no-browser", "-m", str(tiny)]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with process:
        line = process.stdout.readline()
        url = line.split(" at ")[1].strip()
        with urllib.request.urlopen(url, timeout=20) as answer:
            assert b"musae" in answer.read()
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert "Traceback" not in process.stderr.read()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.mid"], "2 or 4 corners"),
        (["a.mid", "b.mid", "a.mid"], "2 or 4 corners"),
        (["a.mid", "none.mid"], "no such file"),
        (["-m", "mnist-vae"], "no page for this kind of model"),
        (["-m", "nothing"], "nothing"),
        (["-o", "no/where/x"], "no such folder"),
        (["--port", "0"], "--port"),
        (["a.mid", "b.mid", "-m", "denoise"], "holds music"),
    ],
)
def test_bad_usage_is_one_line(musae, folder, arguments, words):
    run = musae("play", *arguments, "--no-browser")
    assert run.code in (1, 2) and words in run.err and len(run.err.splitlines()) == 1


def test_a_port_in_use_is_refused(musae, folder, tiny):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = musae("play", "-m", tiny, "--no-browser", "--port", str(taken.getsockname()[1]))
    assert run.code == 2 and "is in use" in run.err


def test_a_model_of_chords_is_played_over_those_of_corner_a(tmp_path):
    from musicvae_lite.play.service import Choice, MusicService, Wish

    service = MusicService(str(save_chord_model(tmp_path / "chords")))
    assert service.about()["chords"] and not service.about()["between"]
    tune = (ROOT / "data" / "midi" / "ode_to_joy.mid").read_bytes()
    heard = service.encode("ode.mid", tune, Choice())
    made = service.decode([heard["piece"]["z"]], Wish(chords="C | G"))
    assert [chord["symbol"] for chord in made[0]["chords"]] == ["C", "G"]
    assert len(service.draw(3, 1, "C Am")) == 3
