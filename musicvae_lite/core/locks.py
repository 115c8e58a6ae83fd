"""One process at a time writes into a folder.

The lock is one of the system's on a file in the folder, which holds the name of the process. The
system lifts it when the process ends, however it ends.
"""

from __future__ import annotations

import errno
import os
import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.files import reason

LOCK = ".musae-lock"
_BEYOND = 2**30  # the byte that is locked: far behind the text, which others read
_BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_NAME_BYTES = 200

# POSIX locks are of a process, not of its threads.
_held: set[tuple[int, int]] = set()
_guard = threading.Lock()


@contextmanager
def only_writer(folder: Path, doing: str, name: str = LOCK) -> Iterator[None]:
    """Be the only process that writes into a folder, for the block.

    A folder that is missing is made; one that was made and stays empty is removed at the end. Where
    the file system knows no locks there is none.

    Args:
        folder: to write into.
        doing: what the process does there, for the message of the others.
        name: of the file.

    Raises:
        UsageError: ``folder`` is a file, or the one that it would be made in is missing.
        MusaeError: another process has the lock, which is named; the file system refuses.
    """
    try:
        made = not folder.is_dir()
        folder.mkdir(exist_ok=True)
        handle = _opened(folder / name)
    except FileNotFoundError:
        raise UsageError(
            f"{folder.parent}: no such folder; create it first or choose another output with -o"
        ) from None
    except FileExistsError:
        raise UsageError(f"{folder}: is a file; name a folder with -o") from None
    except OSError as error:
        raise MusaeError(f"{folder}: cannot be written: {reason(error)}") from error
    key = _key(handle)
    try:
        with suppress(OSError):  # the name of the process is a help, the lock does not need it
            os.ftruncate(handle, 0)
            os.write(handle, _who(doing))
        yield
    finally:
        with suppress(OSError):
            (folder / name).unlink(missing_ok=True)
        with _guard:
            _held.discard(key)
            os.close(handle)
        if made:
            with suppress(OSError):
                folder.rmdir()


def _opened(path: Path) -> int:
    """Open and lock the file of a lock."""
    while True:
        with _guard:  # to close a file lifts all locks of the process on it
            if _key_of(path) in _held:
                raise MusaeError(f"{path.parent}: this program writes there already; {_CURE}")
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
            try:
                _lock(handle)
            except OSError as error:
                who = _reader(handle)
                os.close(handle)
                if error.errno in _BUSY:
                    raise MusaeError(f"{path.parent}: {who} writes there now; {_CURE}") from None
                raise
            if _key(handle) == _key_of(path):
                _held.add(_key(handle))
                return handle
            os.close(handle)  # its holder removed it between our opening and locking it


_CURE = "wait until it has ended, or name another folder"


def _lock(handle: int) -> None:
    """Lock a file or fail at once.

    Raises:
        OSError: it is locked. That the file system knows no locks is none.
    """
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _BEYOND, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        return
    import fcntl

    try:
        # Not flock: worker processes that are forked would keep it when this one is killed.
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _BEYOND)
    except OSError as error:
        if error.errno in _BUSY:
            raise


def _who(doing: str) -> bytes:
    return f"process {os.getpid()} on {platform.node()} ({doing})".encode()[:_NAME_BYTES]


def _reader(handle: int) -> str:
    """Return what the holder of a lock wrote of itself."""
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        return os.read(handle, _NAME_BYTES).decode("utf-8", "replace") or "another process"
    except OSError:
        return "another process"


def _key(handle: int) -> tuple[int, int]:
    status = os.fstat(handle)
    return status.st_dev, status.st_ino


def _key_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
