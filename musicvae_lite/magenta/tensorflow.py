"""TensorFlow's "V2" checkpoints (tensor bundles) without TensorFlow: PREFIX.index and
PREFIX.data-00000-of-00001 (or more).

The index is a table in LevelDB's format: blocks of entries, key and value, each block with its
CRC-32C. The value of a tensor says type, shape, and where in which data file its bytes are, with
their CRC-32C. Every number that a file gives is checked
against the size of the files before it is used: a crafted file is an error, not an allocation.
"""

from __future__ import annotations

import math
import re
import struct
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.files import reason
from musicvae_lite.core.limits import check_regular
from musicvae_lite.magenta.crc32c import crc32c, masked
from musicvae_lite.magenta.source import (
    Blob,
    CheckpointError,
    Weights,
    base_name,
    check_numbers,
    of_model,
)

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_MAX_INDEX = 16 * 2**20  # bytes; the index of Magenta's largest model has 10,000
_MAX_ENTRIES, _MAX_NAME = 10_000, 1000
_MAX_NAME_BYTES = 2**20  # of a name in a tar file, and of what stands beside it
_MAX_MEMBERS = 10_000  # of a tar file
_STATE = "checkpoint"
_MAX_STATE = 2**20
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
_FLOATS = {1, 2, 19}
_SHARD = re.compile(r"\.data-(\d{5})-of-(\d{5})$")


def read_tensorflow(path: Path) -> Weights:
    """Open a checkpoint: a folder, a prefix, one of its files, or a .tar that holds one.

    Raises:
        UsageError: there is none, or several to choose from.
        CheckpointError: it is damaged, truncated, of another format, or names files outside its
            folder.
    """
    prefix, files = _find(path)
    index = files.get(f"{prefix}.index")
    if index is None:
        raise CheckpointError(
            f"{path}: the checkpoint {prefix} has no {prefix}.index; copy all its files"
        )
    return _Table(index, prefix, files).weights(path)


def _find(path: Path) -> tuple[str, dict[str, Blob]]:
    """Return the prefix of a checkpoint and the files beside it, by name."""
    try:
        if path.is_file() and (path.suffix == ".tar" or tarfile.is_tarfile(path)):
            files = _members(path)
            return _only(path, _prefixes(files)), files
        if path.is_dir():
            files = {file.name: Blob.of(file) for file in path.iterdir() if file.is_file()}
            return _of_folder(path, files), files
        prefix = _prefix_of(path)
        if prefix is not None:
            return prefix.name, {
                file.name: Blob.of(file) for file in prefix.parent.iterdir() if file.is_file()
            }
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {reason(error)}") from error
    raise UsageError(
        f"{path}: no checkpoint there; name its folder, its prefix (such as model.ckpt-5000) or a "
        ".tar file"
    )


def _prefix_of(path: Path) -> Path | None:
    """Return the prefix that a path is, or of which it is a file.

    None if there is no index beside it.
    """
    name = _SHARD.sub("", path.name)
    for suffix in (".index", ".meta"):
        name = name.removesuffix(suffix)
    prefix = path.with_name(name) if name else path
    return prefix if prefix.with_name(prefix.name + ".index").is_file() else None


def _members(path: Path) -> dict[str, Blob]:
    """Return the plain files of a tar file by the last part of their name; nothing is unpacked."""
    files: dict[str, Blob] = {}
    try:
        check_regular(path)
        with (
            open(path, "rb") as file,
            tarfile.open(fileobj=_Bounded(file), mode="r:") as archive,  # type: ignore[call-overload]
        ):
            for count, member in enumerate(archive):
                if count >= _MAX_MEMBERS:
                    raise CheckpointError(
                        f"{path}: holds more than {_MAX_MEMBERS:,} files; it is no checkpoint"
                    )
                # Not isreg(): that lets sparse files pass, whose bytes are not where they seem to
                # be.
                if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
                    name = base_name(member.name)
                    if name in files:
                        raise CheckpointError(f"{path}: holds two files named {name}")
                    files[name] = Blob(path, f"{path} ({name})", member.offset_data, member.size)
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise CheckpointError(
            f"{path}: is not a plain .tar file ({error}); if it is compressed, decompress it first"
        ) from error
    size = path.stat().st_size
    for name, blob in files.items():
        if blob.start + blob.size > size:
            raise CheckpointError(f"{path}: is truncated ({name} goes on after its end)")
    return files


class _Bounded:
    """A file of which no more is read at once than a name in a tar file needs: its headers may ask
    for any size, and Python takes that memory before it reads.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        """Read some bytes."""
        return self._file.read(min(size, _MAX_NAME_BYTES))


def _prefixes(files: Mapping[str, Blob]) -> list[str]:
    return sorted(name.removesuffix(".index") for name in files if name.endswith(".index"))


def _only(path: Path, prefixes: list[str]) -> str:
    if not prefixes:
        raise UsageError(f"{path}: holds no checkpoint (no file that ends in .index)")
    if len(prefixes) > 1:
        raise UsageError(
            f"{path}: holds {len(prefixes)} checkpoints; name one: {', '.join(prefixes[:8])}"
        )
    return prefixes[0]


def _of_folder(path: Path, files: Mapping[str, Blob]) -> str:
    """Return the checkpoint that the file ``checkpoint`` of a folder names, or the only one."""
    state = files.get(_STATE)
    if state is None:
        return _only(path, _prefixes(files))
    text = state.read(0, min(state.size, _MAX_STATE)).decode("utf-8", "replace")
    named = re.search(r'^\s*model_checkpoint_path:\s*"((?:[^"\\]|\\.)*)"', text, re.MULTILINE)
    if named is None:
        raise CheckpointError(f"{state.name}: does not name a checkpoint; name its prefix yourself")
    # Whatever folder it names: the files are looked for here, and nowhere else.
    prefix = base_name(named[1])
    if f"{prefix}.index" not in files:
        there = ", ".join(_prefixes(files)[:8]) or "none"
        raise CheckpointError(
            f"{state.name}: names the checkpoint {prefix!r}, which is not in its folder (there: "
            f"{there})"
        )
    return prefix


@dataclass(frozen=True)
class _Entry:
    """Where the bytes of a tensor are."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int | None


class _Table:
    """The index of one checkpoint."""

    def __init__(self, index: Blob, prefix: str, files: Mapping[str, Blob]) -> None:
        self.name = index.name
        if index.size > _MAX_INDEX:
            raise CheckpointError(
                f"{self.name}: has {index.size:,} bytes; an index has up to {_MAX_INDEX:,}"
            )
        self.data = index.read()
        header, self.entries = self._read()
        count = self._shards(header)
        names = [f"{prefix}.data-{number:05d}-of-{count:05d}" for number in range(count)]
        self.files = (f"{prefix}.index", *names)
        missing = [name for name in names if name not in files]
        if missing:
            raise CheckpointError(
                f"{self.name}: the data file {missing[0]} is missing; copy all files of the "
                "checkpoint"
            )
        self.shards = [files[name] for name in names]

    def weights(self, where: Path) -> Weights:
        """Return the tensors of the model, after checking that all of them can be there."""
        own = {name: entry for name, entry in self.entries.items() if of_model(name)}
        for name, entry in own.items():
            self._check(name, entry)
        check_numbers(self.name, (entry.shape for entry in own.values()))
        stored, there = (
            sum(entry.size for entry in own.values()),
            sum(shard.size for shard in self.shards),
        )
        if stored > there:
            raise CheckpointError(
                f"{self.name}: is damaged (its tensors need {stored:,} bytes, the data files have "
                f"{there:,})"
            )
        shapes = {name: entry.shape for name, entry in own.items()}
        return Weights(
            str(where), "a TensorFlow checkpoint", shapes, self.tensor, self._step(), self.files
        )

    def tensor(self, name: str) -> NDArray[np.float32]:
        """Read a tensor.

        Raises:
            CheckpointError: its checksum is wrong, or it has numbers that are not finite.
        """
        values = self._values(name, self.entries[name]).astype(np.float32, copy=False)
        if not np.isfinite(values).all():
            raise CheckpointError(f"{self.name}: the tensor {name} has numbers that are not finite")
        return values

    def _values(self, name: str, entry: _Entry) -> NDArray[Any]:
        shard = self.shards[entry.shard]
        data = shard.read(entry.offset, entry.size)
        if entry.crc is not None and masked(crc32c(data)) != entry.crc:
            raise CheckpointError(
                f"{shard.name}: is damaged (the checksum of the tensor {name} is wrong); copy it "
                "again"
            )
        return np.frombuffer(data, _DTYPES[entry.dtype]).reshape(entry.shape)

    def _step(self) -> int | None:
        entry = self.entries.get("global_step")
        if entry is None or entry.dtype not in (3, 9) or entry.shape != ():
            return None
        self._check("global_step", entry)
        return int(self._values("global_step", entry))

    def _check(self, name: str, entry: _Entry) -> None:
        """Refuse an entry that does not fit itself or the data files."""
        if entry.dtype not in _DTYPES or (name != "global_step" and entry.dtype not in _FLOATS):
            raise CheckpointError(
                f"{self.name}: the tensor {name} has the type number {entry.dtype}, which is no "
                "real number"
            )
        if entry.shard >= len(self.shards):
            raise CheckpointError(
                f"{self.name}: is damaged (the tensor {name} is in data file {entry.shard} of "
                f"{len(self.shards)})"
            )
        if math.prod(entry.shape) * np.dtype(_DTYPES[entry.dtype]).itemsize != entry.size:
            raise CheckpointError(
                f"{self.name}: is damaged (the tensor {name} of {list(entry.shape)} has "
                f"{entry.size:,} bytes)"
            )
        shard = self.shards[entry.shard]
        if entry.offset + entry.size > shard.size:
            raise CheckpointError(
                f"{shard.name}: is truncated ({name} ends at byte {entry.offset + entry.size:,} "
                f"of {shard.size:,})"
            )

    def _read(self) -> tuple[bytes, dict[str, _Entry]]:
        """Return the header and the entries of the index."""
        data = self.data
        if len(data) < _FOOTER or struct.unpack("<Q", data[-8:])[0] != _MAGIC:
            raise CheckpointError(
                f"{self.name}: is no index of a TensorFlow V2 checkpoint, or truncated"
            )
        header = b""
        entries: dict[str, _Entry] = {}
        try:
            _, position = _handle(data, len(data) - _FOOTER)  # the block of metadata is not needed
            (offset, size), _ = _handle(data, position)
            room = len(data)
            for _, value in _pairs(self._block(offset, size)):
                (offset, size), _ = _handle(value, 0)
                room -= size + 5
                if room < 0:
                    raise ValueError("its blocks overlap")
                for key, content in _pairs(self._block(offset, size)):
                    if len(entries) >= _MAX_ENTRIES:
                        raise ValueError(f"it names more than {_MAX_ENTRIES:,} tensors")
                    if key:
                        entries[key.decode("utf-8")] = _entry(content)
                    else:
                        header = content
        except (IndexError, ValueError, struct.error) as error:
            raise CheckpointError(f"{self.name}: is damaged ({error})") from error
        return header, entries

    def _block(self, offset: int, size: int) -> bytes:
        """Return a block after checking its place, kind and checksum."""
        if offset + size + 5 > len(self.data) - _FOOTER:
            raise CheckpointError(
                f"{self.name}: is damaged (a block ends after the end of the file)"
            )
        block, kind = self.data[offset : offset + size], self.data[offset + size]
        (crc,) = struct.unpack("<I", self.data[offset + size + 1 : offset + size + 5])
        if masked(crc32c(self.data[offset : offset + size + 1])) != crc:
            raise CheckpointError(
                f"{self.name}: is damaged (the checksum of a block is wrong); copy it again"
            )
        if kind:
            raise CheckpointError(
                f"{self.name}: is compressed (kind {kind}), which TensorFlow has not written "
                "since 1.2"
            )
        return block

    def _shards(self, header: bytes) -> int:
        """Return the number of data files from the header."""
        try:
            fields = dict(_fields(header))
        except (IndexError, ValueError) as error:
            raise CheckpointError(f"{self.name}: is damaged ({error})") from error
        count, order = fields.get(1, 0), fields.get(2, 0)
        if not isinstance(count, int) or not 1 <= count <= 99_999:
            raise CheckpointError(
                f"{self.name}: is damaged (it says that there are {count} data files)"
            )
        if order != 0:
            raise CheckpointError(
                f"{self.name}: was written on a big-endian machine, which is not supported"
            )
        return count


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Read a number of 7 bits a byte, at most 64 bits; return it and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[position]
        value |= (byte & 127) << shift
        position += 1
        if byte < 128:
            return value, position
    raise ValueError("a number has more than 64 bits")


def _handle(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return (offset, size), position


def _pairs(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a block; a key says how many bytes it shares with the one
    before it.
    """
    if len(block) < 4:
        raise ValueError("a block is too short")
    (restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise ValueError("a block has more restart points than bytes")
    position, key = 0, b""
    while position < end:
        shared, position = _varint(block, position)
        fresh, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared > len(key) or position + fresh + length > end:
            raise ValueError("an entry ends after its block")
        if shared + fresh > _MAX_NAME:
            raise ValueError(f"a name is longer than {_MAX_NAME:,} bytes")
        key = key[:shared] + block[position : position + fresh]
        position += fresh
        yield key, block[position : position + length]
        position += length


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and content of each field of a protocol buffer: an int, or bytes."""
    position = 0
    value: int | bytes
    while position < len(message):
        tag, position = _varint(message, position)
        wire = tag & 7
        if wire == 0:
            value, position = _varint(message, position)
        elif wire in (1, 2, 5):
            size, position = (
                (_varint(message, position)) if wire == 2 else ((8 if wire == 1 else 4), position)
            )
            if position + size > len(message):
                raise ValueError("a field ends after its message")
            value, position = message[position : position + size], position + size
        else:
            raise ValueError(f"a field has the unknown kind {wire}")
        yield tag >> 3, value


def _entry(message: bytes) -> _Entry:
    """Read where a tensor is.

    Raises:
        ValueError: a field of another kind than it should be, or a tensor in several slices.
    """
    fields = dict(_fields(message))
    if 7 in fields:
        raise ValueError("a tensor is stored in slices")
    numbers = [fields.get(number, 0) for number in (1, 3, 4, 5)]
    shape_message, crc = fields.get(2, b""), fields.get(6)
    dims = [
        dict(_fields(dim)).get(1, 0)
        for number, dim in _fields(shape_message)
        if number == 2 and isinstance(dim, bytes)
    ]
    if (
        not all(isinstance(number, int) for number in (*numbers, *dims))
        or any(dim >= 2**40 for dim in dims)
        or len(dims) > 8
    ):
        raise ValueError("an entry has no sizes")
    if crc is not None and (not isinstance(crc, bytes) or len(crc) != 4):
        raise ValueError("a checksum has not 32 bits")
    dtype, shard, offset, size = numbers
    return _Entry(
        dtype,
        tuple(dims),
        shard,
        offset,
        size,
        None if crc is None else struct.unpack("<I", crc)[0],
    )
