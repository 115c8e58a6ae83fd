import os
import signal
import subprocess
import sys
import time

import pytest

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.locks import LOCK, only_writer

HOLD = """
import sys, time
from pathlib import Path
from musicvae_lite.core.locks import only_writer
with only_writer(Path(sys.argv[1]), "musae train"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_process_is_refused_and_told_of_the_first(holder, tmp_path):
    told = rf"run: process {holder.pid} on .* \(musae train\) writes there now; wait"
    with pytest.raises(MusaeError, match=told):
        with only_writer(tmp_path / "run", "musae train"):
            pass


def test_a_process_that_is_killed_holds_nothing(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run" / LOCK).exists()
    with only_writer(tmp_path / "run", "musae train"):
        pass
    assert (tmp_path / "run").is_dir() and not os.listdir(tmp_path / "run")


def test_twice_in_one_process(tmp_path):
    with only_writer(tmp_path / "run", "a"):
        with pytest.raises(MusaeError, match="writes there already"):
            with only_writer(tmp_path / "run", "b"):
                pass
        with only_writer(tmp_path / "run", "b", f"{LOCK}-2"):
            pass
    assert not (tmp_path / "run").exists()  # it was made for the lock, and stayed empty


def test_folders_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        with only_writer(tmp_path / "file", "a"):
            pass
    with pytest.raises(UsageError, match="no such folder"):
        with only_writer(tmp_path / "no" / "run", "a"):
            pass


def test_many_that_want_it_get_it_one_at_a_time(tmp_path):
    code = """
import sys, time
from pathlib import Path
from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.locks import only_writer
folder = Path(sys.argv[1])
got = 0
end = time.monotonic() + 20
while got < 20 and time.monotonic() < end:
    try:
        with only_writer(folder, "test"):
            mark = folder / "mark"
            mark.touch(exist_ok=False)
            mark.unlink()
            got += 1
    except MusaeError:
        time.sleep(0.001)
print(got)
"""
    (tmp_path / "run").mkdir()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    begun = time.monotonic()
    assert [int(process.communicate(timeout=60)[0]) for process in processes] == [20, 20, 20]
    assert time.monotonic() - begun < 60
