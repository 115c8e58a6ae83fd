"""Where MIDI files come from: folders, zip files (read without unpacking) and single files, each with its song group."""

from __future__ import annotations

import csv
import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from musicvae_lite.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.files import reason
from musicvae_lite.media.midi import MidiError, check_size, read_bytes

SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
INDEX = "index.csv"


class MidiFile(NamedTuple):
    """One file of a corpus: its name in tables, its place (a file, or a zip file and the member in it), its song group or ''."""

    name: str
    path: str
    member: str
    size: int
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
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise MidiError(self.name, "damaged in the zip file", f"is damaged in the zip file ({error})") from error
        except (OSError, RuntimeError, NotImplementedError) as error:  # the last two: encrypted, unknown compression
            raise MidiError(self.name, "cannot be read", f"cannot be read from the zip file ({error})") from error


class Source(NamedTuple):
    """One source as the user named it, and its MIDI files in order of name."""

    label: str
    files: list[MidiFile]


def list_sources(paths: Sequence[Path]) -> list[Source]:
    """List the MIDI files of folders (with their subfolders), zip files and single files.

    An ``index.csv`` with columns ``file`` and ``song_group`` at the top of a folder or zip file says which files are one song.

    Raises:
        UsageError: if no source is named.
        MusaeError: if a source does not exist or cannot be read.
        NothingUsableError: if a source holds no MIDI file.
    """
    if not paths:
        raise UsageError("name at least one folder, zip file or MIDI file")
    return [Source(label, _list(path, label)) for path, label in zip(paths, _labels(paths), strict=True)]


def _labels(paths: Sequence[Path]) -> list[str]:
    """Name each source by as few of the last parts of its path as tell the sources apart."""
    parts = [path.resolve().parts for path in paths]
    for length in range(1, max(len(p) for p in parts) + 1):
        labels = ["/".join(p[-length:]) for p in parts]
        if len(set(labels)) == len(set(parts)):
            return labels
    return [str(path) for path in paths]


def _list(path: Path, label: str) -> list[MidiFile]:
    try:
        if path.is_dir():
            files = list(_list_folder(path, label))
        elif path.suffix.lower() == ".zip":
            files = list(_list_zip(path, label))
        elif path.is_file():
            files = [MidiFile(label, str(path), "", path.stat().st_size, "")]
        else:
            raise MusaeError(f"{path}: no such file or folder")
    except zipfile.BadZipFile as error:
        raise MusaeError(f"{path}: not a zip file, or a damaged one ({error})") from error
    except OSError as error:
        raise MusaeError(f"{path}: cannot be read: {reason(error)}") from error
    if not files:
        raise NothingUsableError(f"{path}: holds no MIDI files ({', '.join('*' + suffix for suffix in SUFFIXES)})")
    return files


def _is_midi(name: str) -> bool:
    last = name.rsplit("/", 1)[-1]
    return last.lower().endswith(SUFFIXES) and not last.startswith("._")  # "._x.mid": Finder's notes on a file


def _list_folder(path: Path, label: str) -> Iterator[MidiFile]:
    index = path / INDEX
    groups = _groups(index.read_bytes(), str(index)) if index.is_file() else {}
    names = sorted(found.relative_to(path).as_posix() for found in path.rglob("*") if _is_midi(found.name))
    for name in names:
        found = path / name
        if found.is_file():
            yield MidiFile(f"{label}/{name}", str(found), "", found.stat().st_size, groups.get(name, ""))


def _list_zip(path: Path, label: str) -> Iterator[MidiFile]:
    archive = _archive(str(path), os.getpid())
    groups = _groups(archive.read(INDEX), f"{path}/{INDEX}") if INDEX in archive.NameToInfo else {}
    for name in sorted(archive.NameToInfo):
        if _is_midi(name) and not name.startswith("__MACOSX/"):
            size = archive.NameToInfo[name].file_size
            yield MidiFile(f"{label}/{name}", str(path), name, size, groups.get(name, ""))


def _groups(data: bytes, name: str) -> dict[str, str]:
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
        return {row["file"]: row["song_group"] or "" for row in rows}
    except (UnicodeDecodeError, csv.Error, KeyError) as error:
        raise MusaeError(f"{name}: needs the columns file and song_group, as UTF-8 text ({error})") from error


@lru_cache(maxsize=4)
def _archive(path: str, process: int) -> zipfile.ZipFile:
    """Open a zip file once per process: forked processes share the position in a file that was open before."""
    return zipfile.ZipFile(path)
