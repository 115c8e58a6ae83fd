"""MIDI files as bytes and as events; :mod:`musicvae_lite.media.midi_walk` makes these of those."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import reason

Ints = NDArray[np.int64]

MAX_BYTES = 16 * 2**20
MAX_TICK = 2**31 - 1
MAX_DELTA = 2**28 - 1  # the largest time between two events that a MIDI file can hold
DRUM_CHANNEL = 9
OFF, ON, AFTERTOUCH, CONTROL, PROGRAM, PRESSURE = (
    0x8,
    0x9,
    0xA,
    0xB,
    0xC,
    0xD,
)  # high half of a status byte
META, SYSEX, SYSEX_MORE = 0xFF, 0xF0, 0xF7
END_OF_TRACK = 0x2F


class MidiError(MusaeError):
    """A file that cannot be read as MIDI; ``reason`` is a short fixed text for tables."""

    def __init__(self, source: str, reason: str, detail: str) -> None:
        super().__init__(f"{source}: {detail}")
        self.source = source
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source, self.reason, self.detail)


class Chunk(NamedTuple):
    """A track chunk: its first byte, where what follows it begins, and the rows of its events."""

    start: int
    following: int
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class MidiFile:
    """Every event of a file, E rows in the order of the file; an end of track is one.

    Attributes:
        data: the file.
        ticks_per_quarter: resolution.
        chunks: the tracks.
        chunk: which of them each event is in [E].
        tick: when it is [E].
        status: its first byte, running status filled in, uint8 [E].
        body: where its next byte is: the first data byte, of a meta event its type, of a system
            message its length [E].
        end: where the event ends [E].
        notices: what is wrong with the file, and how it was read.
    """

    data: bytes
    ticks_per_quarter: int
    chunks: tuple[Chunk, ...]
    chunk: Ints
    tick: Ints
    status: NDArray[np.uint8]
    body: Ints
    end: Ints
    notices: tuple[str, ...]

    def values(self, rows: Ints, nth: int) -> NDArray[np.uint8]:
        """Return data byte ``nth`` (0 or 1) of channel messages [M]; above 127 is 127."""
        table = np.frombuffer(self.data + b"\0\0", np.uint8)
        return np.minimum(table[self.body[rows] + nth], 127)

    def metas(self, kinds: tuple[int, ...]) -> list[tuple[int, int, int, bytes]]:
        """Return row, tick, type and content of the meta events of some types, in file order."""
        rows, data = (self.status == META).nonzero()[0], self.data
        columns = (rows, self.tick[rows], self.body[rows], self.end[rows])
        found = [
            row
            for row in zip(*(column.tolist() for column in columns), strict=True)
            if data[row[2]] in kinds
        ]
        return [
            (row, tick, data[at], data[number_at(data, at + 1)[1] : end])
            for row, tick, at, end in found
        ]


def check_size(name: str, size: int) -> None:
    """Refuse a file that is empty or too large for a song."""
    if size > MAX_BYTES:
        megabytes, limit = size / 2**20, MAX_BYTES // 2**20
        raise MidiError(
            name, "too large", f"file is {megabytes:.0f} MB; a song is under {limit} MB"
        )
    if size == 0:
        raise MidiError(name, "empty file", "the file is empty (0 bytes)")


def read_bytes(path: Path, name: str) -> bytes:
    """Read a whole MIDI file after looking at its size.

    Raises:
        MidiError: if there is none, it is empty, too large for a song, no regular file, or may not
            be read.
    """
    try:
        if path.is_dir():
            raise MidiError(name, "a folder", "is a folder; name a MIDI file")
        if path.exists() and not path.is_file():
            raise MidiError(name, "not a file", "is no regular file; name a MIDI file")
        check_size(name, path.stat().st_size)
        return path.read_bytes()
    except FileNotFoundError:
        raise MidiError(name, "no such file", "no such file") from None
    except PermissionError:
        raise MidiError(name, "no read permission", "no permission to read the file") from None
    except OSError as error:
        raise MidiError(name, "cannot be read", f"cannot be read: {reason(error)}") from error


def unwrap(data: bytes, name: str) -> bytes:
    """Return the MIDI file inside a RIFF container (.rmi) or behind a MacBinary header."""
    if data[:4] == b"MThd":
        return data
    if data[:4] != b"RIFF":
        begin = data.find(b"MThd\0\0\0\x06", 0, 1024)
        return data[begin:] if begin > 0 else data
    if data[8:12] != b"RMID":
        raise MidiError(
            name, "not a MIDI file", f"not a MIDI file (a RIFF file of kind {data[8:12]!r})"
        )
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if data[position : position + 4] == b"data":
            return data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
    raise MidiError(name, "truncated", "truncated: the RIFF container holds no MIDI data")


def number_at(data: bytes, position: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, at most four; return it and where it ends."""
    value = 0
    for _ in range(4):
        value = value << 7 | data[position] & 0x7F
        position += 1
        if not data[position - 1] & 0x80:
            break
    return value, position
