"""The files of a folder replaced as one: whenever a process is killed, the old ones are whole or
the new ones are.

The new files are written into a folder beside the old ones and flushed to the disk; that folder is
renamed to :data:`NEW`, which is the moment from which on they count. Then they move into place one
by one. Whoever reads takes each file from :data:`NEW` where it is there, and from the folder
itself where not (:func:`current`), so that a swap that was cut off reads as a finished one; the
next writer finishes it (:func:`settle`). It is the redo log of databases (Haerder & Reuter 1983),
with names in place of pages.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import flush, reason

NEW = ".musae-new"


def current(folder: Path, name: str) -> Path:
    """Return where a file of a folder is, also while the folder's files are being replaced."""
    moving = folder / NEW / name
    return moving if os.path.exists(moving) else folder / name


def replace_together(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, all or none, in place of earlier ones of their names.

    Args:
        folder: it is made where it is missing.
        files: content by name.

    Raises:
        MusaeError: if the file system refuses; the folder keeps what it had.
    """
    part: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        settle(folder)
        part = Path(tempfile.mkdtemp(prefix=".musae-", suffix=".part", dir=folder))
        for name, data in files.items():
            (part / name).write_bytes(data)
            flush(part / name)
        part.chmod(folder.stat().st_mode & 0o777)  # mkdtemp makes private folders
        flush(part)
        os.rename(part, folder / NEW)
        flush(folder)
        settle(folder)
    except OSError as error:
        raise MusaeError(f"{folder}: cannot be written: {reason(error)}") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def settle(folder: Path) -> None:
    """Finish a swap that was cut off; nothing is done where there is none.

    Raises:
        OSError: the file system refuses; the folder reads as before.
    """
    new = folder / NEW
    try:
        names = os.listdir(new)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        os.replace(new / name, folder / name)
    flush(folder)
    os.rmdir(new)


def clear_parts(folder: Path) -> None:
    """Remove swaps that were cut off before they counted.

    For the one process that writes into a folder: see :mod:`musicvae_lite.core.locks`.
    """
    for path in folder.glob(".musae-*.part"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
