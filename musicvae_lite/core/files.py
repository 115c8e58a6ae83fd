"""Writing files so that a failed run leaves nothing half-written, and finding the resources that
ship with the project.
"""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.limits import TEXT_BYTES, read_regular
from musicvae_lite.core.text import shown as shown

if sys.platform != "win32":
    import fcntl


def resource(*parts: str) -> Path:
    """Return the path of a shipped file or folder (``configs/...`` or ``data/...``).

    An installed wheel keeps them under ``musicvae_lite/resources``, a checkout in its top-level
    folders.
    """
    package = Path(__file__).resolve().parents[1]
    installed = package / "resources"
    root = installed if installed.is_dir() else package.parent
    return root.joinpath(*parts)


def cache_folder() -> Path:
    """Return where fetched data is kept: ``MUSAE_CACHE``, or the user's cache folder."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("MUSAE_CACHE") or user_cache_dir("musae"))


_PART = ".musae-", ".part"  # beginning and end of the names of files that are being written
_FULL = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)


def reason(error: Exception) -> str:
    """Say in a few words why an operating-system call failed.

    Also where a library wrapped its error in one of its own.
    """
    number = getattr(error, "errno", None)
    if number in _FULL or "No space left on device" in str(error):
        return "the disk is full; free some space and run the command again"
    if number == errno.EFBIG or "File too large" in str(error):
        return "files may not be that large here (see 'ulimit -f', or the limits of the disk)"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


def json_text(tree: Any, indent: int | None = None) -> str:
    """Return a tree as JSON that every reader takes: a number that is none (NaN, infinity)
    is null.
    """
    return json.dumps(_finite(tree), indent=indent, allow_nan=False)


def _finite(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def read_json(path: Path, absent: str, cure: str) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Args:
        path: the file.
        absent: the message where there is no such file.
        cure: what to do about a damaged one.

    Raises:
        MusaeError: in one line, for a file that is absent, unreadable or damaged.
    """
    try:
        tree = json.loads(read_regular(path, TEXT_BYTES).decode("utf-8"))
    except FileNotFoundError:
        raise MusaeError(absent) from None
    except OSError as error:
        raise MusaeError(f"{path}: cannot be read: {reason(error)}") from error
    except (ValueError, RecursionError) as error:
        raise MusaeError(f"{path}: is damaged (not JSON); {cure}") from error
    if not isinstance(tree, dict):
        raise MusaeError(f"{path}: is damaged (not a JSON object); {cure}")
    return tree


def check_output(path: Path, overwrite: bool) -> None:
    """Refuse an output that exists or whose folder does not, before any work is done.

    Raises:
        UsageError: if ``path`` exists and ``overwrite`` is false, or is a folder, or its parent
            folder is missing.
    """
    try:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; name a file")
        if path.exists() and not overwrite:
            raise UsageError(
                f"{path}: exists already; choose another name with -o or pass --overwrite"
            )
        if not path.parent.is_dir():
            raise UsageError(
                f"{path.parent}: no such folder; create it first or choose another output with -o"
            )
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise UsageError(
            f"{path}: cannot be written: {reason(error)}; choose another output with -o"
        ) from error


@contextmanager
def atomic_output(path: Path, overwrite: bool = False, durable: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and move it into place when the block succeeds.

    Nothing is left behind when it fails. ``overwrite=False`` refuses an existing file, also one
    that appeared meanwhile. What a killed process left of its own in the folder is removed.

    Args:
        path: the file.
        overwrite: replace an existing one.
        durable: have it on the disk before it takes the place of the earlier one, so that a loss of
            power leaves either of them.

    Raises:
        UsageError: see :func:`check_output`.
        MusaeError: if the file system refuses (disk full, no permission).
    """
    check_output(path, overwrite)
    temporary: Path | None = None
    handle = -1
    try:
        _clear_once(path.parent)
        handle, temporary = _new_part(path.parent)
        yield temporary
        check_output(path, overwrite)
        os.chmod(
            temporary, 0o666 & ~_umask()
        )  # mkstemp makes private files; a result is an ordinary one
        if durable:
            flush(temporary)
        handle = _close(handle) if sys.platform == "win32" else handle  # no open file moves there
        os.replace(temporary, path)
        if durable:
            flush(path.parent)
    except OSError as error:
        raise MusaeError(f"{path}: cannot be written: {reason(error)}") from error
    finally:
        _close(handle)
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    Raises:
        OSError: the disk is full or broken. That a file system cannot do so is none.
    """
    if sys.platform == "win32":
        return  # only files that are open for writing can be flushed there
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(handle)


_cleared: set[Path] = set()


def _clear_once(folder: Path) -> None:
    """Clear a folder where this process first writes into it: of 10,000 files the first."""
    if folder not in _cleared:
        _cleared.add(folder)
        clear_parts(folder)


def clear_parts(folder: Path) -> None:
    """Remove from a folder what processes that were killed had half written.

    What one that lives is writing is locked by it, and stays. Nothing is done where the folder
    cannot be listed.
    """
    with suppress(OSError):
        for name in os.listdir(folder):
            if is_part(name):
                with suppress(OSError):
                    _remove_abandoned(folder / name)


def is_part(name: str) -> bool:
    """Say whether a name is that of a file that is being written."""
    return name.startswith(_PART[0]) and name.endswith(_PART[1])


def _remove_abandoned(path: Path) -> None:
    """Remove a file that is being written, unless somebody has locked it."""
    if not stat.S_ISREG(path.lstat().st_mode):
        return
    if sys.platform == "win32":
        path.unlink()  # what is open cannot be removed there
        return
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(handle)


def _new_part(folder: Path) -> tuple[int, Path]:
    """Make a file to write to, locked for as long as its handle is open."""
    while True:
        handle, name = tempfile.mkstemp(prefix=_PART[0], suffix=_PART[1], dir=folder)
        if _is_claimed(handle, name):
            return handle, Path(name)
        _close(handle)  # another process took it for abandoned before it was locked


def _is_claimed(handle: int, name: str) -> bool:
    """Lock a new file and say whether it is still there; no locks are no hindrance."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return os.path.exists(name)


def _close(handle: int) -> int:
    if handle >= 0:
        with suppress(OSError):
            os.close(handle)
    return -1


def write_files(files: Mapping[Path, bytes], overwrite: bool = False) -> None:
    """Write files, all or none: each moves into place when all are written.

    Raises:
        UsageError: see :func:`check_output`.
        MusaeError: if the file system refuses.
    """
    with ExitStack() as stack:
        for path, data in files.items():
            stack.enter_context(atomic_output(path, overwrite)).write_bytes(data)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
