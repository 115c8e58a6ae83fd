import errno
import os
import subprocess
import sys

import pytest

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import atomic_output, clear_parts, reason
from musicvae_lite.core.limits import check_regular, check_unpacked, read_regular


def parts(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith(".part")]


def test_what_a_killed_process_left_is_removed_and_what_a_live_one_writes_is_not(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from musicvae_lite.core.files import atomic_output\n"
        "with atomic_output(Path(sys.argv[1]) / 'x') as part:\n"
        "    part.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert len(parts(tmp_path)) == 1
    with atomic_output(tmp_path / "y") as part:
        part.write_text("whole")
        clear_parts(tmp_path)
        assert parts(tmp_path) == [part.name]
    assert not parts(tmp_path) and (tmp_path / "y").read_text() == "whole"


def test_only_our_own_parts_are_removed(tmp_path):
    for name in ("notes.part", ".musae-x", ".musae-dir.part"):
        (tmp_path / name).mkdir() if "dir" in name else (tmp_path / name).write_text("mine")
    clear_parts(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk is full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "disk is full"),
        (OSError(errno.EFBIG, "File too large"), "may not be that large"),
        (OSError(errno.EACCES, "Permission denied"), "permission denied"),
    ],
)
def test_a_full_disk_is_called_so(error, words):
    assert words in reason(error)


def test_a_disk_that_fills_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(MusaeError, match="x: cannot be written: the disk is full"):
        with atomic_output(path, overwrite=True) as part:
            part.write_text("ne")
            raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "old" and not parts(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipes_and_devices_are_refused_without_being_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name, words in (("pipe", "a named pipe"), ("link", "a device")):
        with pytest.raises(MusaeError, match=words):
            check_regular(tmp_path / name)
        with pytest.raises(MusaeError, match=words):
            read_regular(tmp_path / name, 10)


def test_sizes_are_checked_before_reading(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    assert read_regular(tmp_path / "x", 5) == b"12345"
    with pytest.raises(MusaeError, match="x: has 5 bytes; a file of this kind has up to 4"):
        read_regular(tmp_path / "x", 4)
    with pytest.raises(MusaeError, match="would take 40 GB of memory"):
        check_unpacked("x", 40 * 10**9)
