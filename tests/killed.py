"""Processes that are killed at a chosen moment: before the n-th change of a folder."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

_CHANGES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.rmtree"}
_SECONDS = 120


def killed_at(point: int, folder: Path, work: Callable[[], object]) -> bool:
    """Do ``work`` in a process of its own that is killed (SIGKILL) before its change number
    ``point`` (from 0) of files in ``folder``; return whether it came so far.
    """
    pid = os.fork()
    if not pid:
        _work_in_child(point, str(folder), work)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, -signal.SIGKILL), f"the process ended with {status}"
    return status == -signal.SIGKILL


def _work_in_child(point: int, folder: str, work: Callable[[], object]) -> None:
    left = [point]

    def look(event: str, arguments: tuple[object, ...]) -> None:
        if event not in _CHANGES or not str(arguments[0]).startswith(folder):
            return
        if event == "open" and _reads(arguments):
            return
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    code = 1
    try:
        signal.alarm(_SECONDS)
        sys.addaudithook(look)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def _reads(arguments: tuple[object, ...]) -> bool:
    """Say whether a file is opened to be read alone."""
    flags = arguments[2] if len(arguments) > 2 else None
    return isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR) == 0
