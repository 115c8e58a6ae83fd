"""Writing files so that a failed run leaves nothing half-written, and finding the resources that
ship with the project.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from musicvae_lite.core.errors import MusaeError, UsageError


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


def reason(error: OSError) -> str:
    """Say in a few words why an operating-system call failed."""
    if error.errno == errno.ENOSPC:
        return "the disk is full; free some space and run the command again"
    return (error.strerror or str(error)).lower()


def json_text(tree: Any, indent: int | None = None) -> str:
    """Return a tree as JSON that every reader takes: a number that is none (NaN, infinity) is null."""
    return json.dumps(_finite(tree), indent=indent, allow_nan=False)


def _finite(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def shown(name: str) -> str:
    """Return a file name as text that can be printed and stored: what is not UTF-8 in it becomes
    U+FFFD.
    """
    return re.sub("[\ud800-\udfff]", "\ufffd", name)  # surrogates are how Python holds such bytes


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
        tree = json.loads(path.read_text(encoding="utf-8"))
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
def atomic_output(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and move it into place when the block succeeds.

    Nothing is left behind when it fails. ``overwrite=False`` refuses an existing file, also one
    that appeared meanwhile.

    Raises:
        UsageError: see :func:`check_output`.
        MusaeError: if the file system refuses (disk full, no permission).
    """
    check_output(path, overwrite)
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=".musae-", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        check_output(path, overwrite)
        os.chmod(
            temporary, 0o666 & ~_umask()
        )  # mkstemp makes private files; a result is an ordinary one
        os.replace(temporary, path)
    except OSError as error:
        raise MusaeError(f"{path}: cannot be written: {reason(error)}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


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
