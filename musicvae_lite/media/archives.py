"""Zip files that may lie about themselves, looked at before they are unpacked."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.limits import check_regular

#: Bytes of the table of a zip file; Python takes some fifteen times as much for it in memory.
_DIRECTORY_BYTES = 2**25
_END, _END_BYTES, _SIZE_AT = b"PK\x05\x06", 22, 12
_END64, _END64_BYTES, _SIZE64_AT = b"PK\x06\x06", 56, 40
_LOCATOR_BYTES, _COMMENT_BYTES = 20, 2**16 - 1


def check_zip(path: Path) -> None:
    """Refuse what is no regular file, and a zip file whose table of members takes much memory.

    What is no zip file is left to whoever opens it.

    Raises:
        MusaeError: saying which.
        OSError: it cannot be read.
    """
    size = check_regular(path)
    with open(path, "rb") as file:
        tail_bytes = _END64_BYTES + _LOCATOR_BYTES + _END_BYTES + _COMMENT_BYTES
        file.seek(max(0, size - tail_bytes))
        tail = file.read(tail_bytes)
    at = tail.rfind(_END)
    if at < 0 or at + _END_BYTES > len(tail):
        return
    stated = int(struct.unpack_from("<L", tail, at + _SIZE_AT)[0])
    at64 = at - _LOCATOR_BYTES - _END64_BYTES
    if at64 >= 0 and tail[at64 : at64 + 4] == _END64:
        stated = int(struct.unpack_from("<Q", tail, at64 + _SIZE64_AT)[0])
    if _DIRECTORY_BYTES < stated <= size:  # one that is larger than the file is found damaged later
        raise MusaeError(
            f"{path}: the table of this zip file has {stated:,} bytes; up to "
            f"{_DIRECTORY_BYTES:,} are read. Divide it into several"
        )


def read_member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Return a member of a zip file that unpacks to at most ``most`` bytes.

    Raises:
        ValueError: it states more.
        Exception: whatever zipfile raises for a damaged one.
    """
    size = archive.getinfo(name).file_size
    if size > most:
        raise ValueError(f"it would unpack to {size:,} bytes, up to {most:,} are read")
    return archive.read(name)  # never more than it states
