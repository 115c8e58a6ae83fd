"""What is read from files that anyone may have made: regular files of a bounded size."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from musicvae_lite.core.errors import MusaeError

#: What a file of music, a corpus or pictures may take in memory once it is unpacked.
UNPACKED_BYTES = 10**9
#: Of a file of settings or a description, which is text.
TEXT_BYTES = 2**24

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_regular(path: str | os.PathLike[str], most: int | None = None) -> int:
    """Refuse what is no regular file, or a link to such, without opening it: a pipe makes a reader
    wait for ever, and a device may have no end. Return the size in bytes.

    What is absent or a folder is left to whoever opens it.

    Args:
        path: of the file.
        most: bytes that it may have.

    Raises:
        MusaeError: a pipe, socket or device; a file of more than ``most`` bytes.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a null character in the name
        return 0
    for is_kind, name in _KINDS:
        if is_kind(status.st_mode):
            raise MusaeError(
                f"{path}: is {name}, not a file; write its content into a file and name that"
            )
    if most is not None and status.st_size > most and stat.S_ISREG(status.st_mode):
        raise MusaeError(
            f"{path}: has {status.st_size:,} bytes; a file of this kind has up to {most:,}"
        )
    return status.st_size


def read_regular(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most ``most`` bytes.

    Raises:
        MusaeError: see :func:`check_regular`.
        OSError: absent, or it cannot be read.
    """
    check_regular(path, most)
    with open(path, "rb") as file:
        data = file.read(most + 1)  # not by its size: that of files under /proc is 0
    if len(data) > most:
        raise MusaeError(f"{path}: goes on after {most:,} bytes, the most of a file of this kind")
    return data


def check_unpacked(what: object, size: int, most: int = UNPACKED_BYTES) -> None:
    """Refuse what would take more memory than ``most`` bytes, before it is unpacked.

    Args:
        what: begins the message.
        size: bytes that it says it has.
        most: bytes that it may have.

    Raises:
        MusaeError: naming both.
    """
    if size > most:
        raise MusaeError(
            f"{what}: would take {_gigabytes(size)} GB of memory unpacked; up to "
            f"{_gigabytes(most)} GB are read"
        )


def _gigabytes(size: int) -> str:
    whole = size // 10**9
    return f"{whole:,}" if whole >= 100 else f"{size / 1e9:.3g}"
