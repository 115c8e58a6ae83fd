"""Where MIDI files come from: folders, zip files (read without unpacking) and single files, each
with its song group.
"""

from __future__ import annotations

import csv
import io
import mmap
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple, cast

from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.core.files import reason
from musicvae_lite.core.limits import TEXT_BYTES, check_regular, read_regular
from musicvae_lite.core.text import one_line
from musicvae_lite.media.archives import check_zip, read_member
from musicvae_lite.media.midi_file import MAX_BYTES, MidiError, check_size, read_bytes

SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
INDEX = "index.csv"

# Entries in the table at the end of a zip file and before each member: mark, and where flags,
# length of name and name are.
_ENTRIES = ((b"PK\x01\x02", 8, 28, 46), (b"PK\x03\x04", 6, 26, 30))
_UTF8_FLAG = 0x08  # in the second byte of the flags


class MidiFile(NamedTuple):
    """One file of a corpus.

    Attributes:
        name: in tables and messages.
        path: the file, or the zip file that it is in.
        member: its name in the zip file, or "".
        size: in bytes.
        crc: CRC-32 of the content; 0 where that cannot be read or is too large for a song.
        group: its song group, or "".
    """

    name: str
    path: str
    member: str
    size: int
    crc: int
    group: str

    def read(self) -> bytes:
        """Return the content.

        Raises:
            MidiError: if it is empty, too large, or cannot be read.
        """
        if not self.member:
            return read_bytes(Path(self.path), self.name)
        check_size(self.name, self.size)
        try:
            return _archive(self.path, os.getpid()).read(self.member)
        except (
            OSError,
            RuntimeError,
            NotImplementedError,
        ) as error:  # the last two: encrypted, unknown compression
            raise MidiError(
                self.name, "cannot be read", f"cannot be read from the zip file ({error})"
            ) from error
        # BadZipFile, and what each decompressor raises: zlib.error, LZMAError, EOFError, ...
        except Exception as error:
            raise MidiError(
                self.name, "damaged in the zip file", f"is damaged in the zip file ({error})"
            ) from error


class Source(NamedTuple):
    """One source as the user named it, and its MIDI files in order of name."""

    label: str
    files: list[MidiFile]


def list_sources(paths: Sequence[Path]) -> list[Source]:
    """List the MIDI files of folders (with their subfolders), zip files and single files.

    An ``index.csv`` with columns ``file`` and ``song_group`` at the top of a folder or zip file
    says which files are one song.

    Raises:
        UsageError: if no source is named.
        MusaeError: if a source does not exist or cannot be read.
        NothingUsableError: if a source holds no MIDI file.
    """
    if not paths:
        raise UsageError("name at least one folder, zip file or MIDI file")
    _archive.cache_clear()  # a file may have changed since this process looked into it
    return [
        Source(label, _list(path, label)) for path, label in zip(paths, _labels(paths), strict=True)
    ]


def _labels(paths: Sequence[Path]) -> list[str]:
    """Name each source by as few of the last parts of its path as tell the sources apart."""
    parts = [tuple(one_line(part) for part in Path(os.path.realpath(path)).parts) for path in paths]
    for length in range(1, max(len(p) for p in parts) + 1):
        labels = ["/".join(p[-length:]) for p in parts]
        if len(set(labels)) == len(set(parts)):
            return labels
    return [one_line(str(path)) for path in paths]


def _list(path: Path, label: str) -> list[MidiFile]:
    try:
        if path.is_dir():
            files = list(_list_folder(path, label))
        elif path.suffix.lower() == ".zip":
            check_zip(path)
            files = list(_list_zip(path, label))
        elif path.is_file():
            files = [_loose(path, label, "")]
        else:
            check_regular(path)
            raise MusaeError(f"{path}: no such file or folder")
    except zipfile.BadZipFile as error:
        raise MusaeError(f"{path}: not a zip file, or a damaged one ({error})") from error
    except OSError as error:
        raise MusaeError(f"{path}: cannot be read: {reason(error)}") from error
    if not files:
        raise NothingUsableError(
            f"{path}: holds no MIDI files ({', '.join('*' + suffix for suffix in SUFFIXES)})"
        )
    return files


def _is_midi(name: str) -> bool:
    last = name.rsplit("/", 1)[-1]
    return last.lower().endswith(SUFFIXES) and not last.startswith(
        "._"
    )  # "._x.mid": Finder's notes on a file


def _list_folder(path: Path, label: str) -> Iterator[MidiFile]:
    index = path / INDEX
    groups = _groups(read_regular(index, TEXT_BYTES), str(index)) if index.is_file() else {}
    names = sorted(
        found.relative_to(path).as_posix() for found in path.rglob("*") if _is_midi(found.name)
    )
    for name in names:
        found = path / name
        if found.is_file():
            yield _loose(found, f"{label}/{one_line(name)}", groups.get(name, ""))


def _loose(path: Path, name: str, group: str) -> MidiFile:
    size = path.stat().st_size
    try:
        crc = zlib.crc32(path.read_bytes()) if size <= MAX_BYTES else 0
    except OSError:  # that is told when its turn comes
        crc = 0
    return MidiFile(name, str(path), "", size, crc, group)


def _list_zip(path: Path, label: str) -> Iterator[MidiFile]:
    archive = _archive(str(path), os.getpid())
    groups = (
        _groups(_index(archive, path), f"{path}/{INDEX}") if INDEX in archive.NameToInfo else {}
    )
    for name in sorted(archive.NameToInfo):
        if _is_midi(name) and not name.startswith("__MACOSX/"):
            info = archive.NameToInfo[name]
            yield MidiFile(
                f"{label}/{one_line(name)}",
                str(path),
                name,
                info.file_size,
                info.CRC,
                groups.get(name, ""),
            )


def _index(archive: zipfile.ZipFile, path: Path) -> bytes:
    """Return the table of song groups.

    To go on without it could put one song on both sides of the split.
    """
    try:
        return read_member(archive, INDEX, TEXT_BYTES)
    except Exception as error:  # encrypted, damaged: see MidiFile.read
        raise MusaeError(f"{path}/{INDEX}: cannot be read from the zip file ({error})") from error


def _groups(data: bytes, name: str) -> dict[str, str]:
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
        return {row["file"]: row["song_group"] or "" for row in rows}
    except (UnicodeDecodeError, csv.Error, KeyError) as error:
        raise MusaeError(
            f"{name}: needs the columns file and song_group, as UTF-8 text ({error})"
        ) from error


@lru_cache(maxsize=4)
def _archive(path: str, process: int) -> zipfile.ZipFile:
    """Open a zip file once per process: forked processes share the position in a file that was open
    before.
    """
    try:
        return zipfile.ZipFile(path)
    except UnicodeDecodeError:
        return zipfile.ZipFile(_with_readable_names(path))


class _Map(mmap.mmap):
    """A file in memory, loaded as it is read.

    Zipfile asks for more of a file than mmap has before Python 3.13.
    """

    def seekable(self) -> bool:
        return True


def _with_readable_names(path: str) -> IO[bytes]:
    """Return a zip file in which names that say they are UTF-8, and are not, no longer say so."""
    with open(path, "rb") as file:
        data = _Map(file.fileno(), 0, access=mmap.ACCESS_COPY)
    for mark, to_flags, to_length, to_name in _ENTRIES:
        at = data.find(mark)
        while 0 <= at <= len(data) - to_name:
            length = int.from_bytes(data[at + to_length : at + to_length + 2], "little")
            try:
                data[at + to_name : at + to_name + length].decode("utf-8")
            except UnicodeDecodeError:
                data[at + to_flags + 1] &= ~_UTF8_FLAG
            at = data.find(mark, at + len(mark))
    return cast(IO[bytes], data)
