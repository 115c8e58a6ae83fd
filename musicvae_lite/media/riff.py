"""The header of a WAV file beside what the file holds: unfinished and cut-off recordings.

A recorder writes the length of the sound into the header when it stops. One that was switched off
leaves 0 there; a copy that broke off holds less than is promised. Programs that write into pipes
put a number in its place that no file has; that is no damage.

Source: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0" (RIFF).
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK = struct.Struct("<4sI")
_HEAD_BYTES = 12  # "RIFF", length, "WAVE"
_PIPE_BYTES = 0x7FFF0000  # lengths from here on stand for "not known" where less is there
_NAME = range(0x20, 0x7F)


class WavState(NamedTuple):
    """What the header of a WAV file promises and what is there.

    Attributes:
        length_at: where in the file the length of the sound is written.
        promised_bytes: that length.
        there_bytes: bytes of sound that the file holds.
        frame_bytes: bytes of one sample of all channels.
    """

    length_at: int
    promised_bytes: int
    there_bytes: int
    frame_bytes: int

    @property
    def unfinished(self) -> bool:
        """Whether the header says that there is no sound though there is."""
        return not self.promised_bytes and self.there_bytes >= self.frame_bytes

    @property
    def missing(self) -> int:
        """Samples of each channel that are promised and not there."""
        if self.promised_bytes >= _PIPE_BYTES:
            return 0
        return max(self.promised_bytes - self.there_bytes, 0) // self.frame_bytes


def wav_state(path: Path) -> WavState | None:
    """Look at the header of a WAV file; None of a file of another kind, or without sound."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":  # RF64 has its lengths elsewhere
            return None
        frame_bytes = 0
        while len(raw := file.read(_CHUNK.size)) == _CHUNK.size:
            name, length = _CHUNK.unpack(raw)
            if name == b"data" and frame_bytes:
                return _state(file, length, size, frame_bytes)
            body = file.read(16) if name == b"fmt " else b""
            if len(body) == 16:
                frame_bytes = struct.unpack_from("<H", body, 12)[0]
            file.seek(length + length % 2 - len(body), os.SEEK_CUR)
    return None


def _state(file: BinaryIO, length: int, size: int, frame_bytes: int) -> WavState:
    begin = file.tell()
    there = size - begin
    if not length and _chunks_follow(file.read(there if there < 2**16 else 8), there):
        there = 0
    return WavState(begin - 4, length, there, frame_bytes)


def _chunks_follow(data: bytes, there: int) -> bool:
    """Whether what follows an empty sound is other chunks up to the end of the file."""
    at = 0
    while at + _CHUNK.size <= len(data):
        name, length = _CHUNK.unpack_from(data, at)
        if not all(byte in _NAME for byte in name):
            return False
        at += _CHUNK.size + length + length % 2
    return at in (there, there + 1)


class MendedWav(io.RawIOBase):
    """A WAV file read as if its header told the length of the sound that is there.

    Args:
        path: the file.
        state: of :func:`wav_state`.
    """

    def __init__(self, path: Path, state: WavState) -> None:
        self._file = path.open("rb")
        whole = state.there_bytes - state.there_bytes % state.frame_bytes
        lengths = {
            4: min(state.length_at + 4 + whole - 8, 2**32 - 1),
            state.length_at: min(whole, 2**32 - 1),
        }
        self._patches = {
            at + offset: byte
            for at, length in lengths.items()
            for offset, byte in enumerate(struct.pack("<I", length))
        }
        self._patched_until = state.length_at + 4

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from any place."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, as files do."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place where reading goes on."""
        return self._file.tell()

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read up to as many bytes as ``buffer`` holds, the lengths mended."""
        view, at = memoryview(buffer).cast("B"), self._file.tell()
        data = self._file.read(len(view))
        view[: len(data)] = data
        if at < self._patched_until:
            for place, byte in self._patches.items():
                if at <= place < at + len(data):
                    view[place - at] = byte
        return len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
