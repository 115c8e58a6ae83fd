"""The SoundFont that comes with the project, and its uncompressed form, which more players read.

An SF3 file is an SF2 file whose samples are Ogg Vorbis streams: the ``start`` and ``end`` of a
sample header are then bytes of the sample chunk, and its loop is in samples from the start of the
stream.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import atomic_output, reason, resource

_HEADER = struct.Struct("<20sIIIIIBbHH")  # shdr: name, start, end, loop, rate, pitch, link, type
_VORBIS = 0x10  # flag in the type of a sample
_GAP = 46  # zero samples that must follow each sample of an SF2
_BYTES_PER_SAMPLE = 2
_TERMINATOR = b"EOS"


class _Chunk(NamedTuple):
    kind: bytes
    body: bytes


def shipped_soundfont() -> Path:
    """Return the SoundFont that comes with the project, an SF3 of all General MIDI programs.

    Raises:
        MusaeError: the installation lacks it.
    """
    path = resource("data", "soundfont", "fluid-cut.sf3")
    if not path.is_file():
        raise MusaeError(f"{path}: is missing from this installation; install musae again")
    return path


def uncompressed_soundfont() -> bytes:
    """Return the shipped SoundFont as SF2; it is made once and kept in the user's cache folder.

    Raises:
        MusaeError: the installation lacks it, or it is damaged.
    """
    source = shipped_soundfont().read_bytes()
    kept = _cache_folder() / f"soundfont-{hashlib.sha256(source).hexdigest()[:16]}.sf2"
    with suppress(OSError):
        return kept.read_bytes()
    data = to_sf2(source)
    with suppress(OSError, MusaeError):  # a cache that cannot be written costs a second each time
        kept.parent.mkdir(parents=True, exist_ok=True)
        with atomic_output(kept, overwrite=True) as part:
            part.write_bytes(data)
    return data


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    return Path(user_cache_path("musae"))


def to_sf2(data: bytes) -> bytes:
    """Return an SF3 as SF2: its Vorbis samples decoded to 16 bits.

    Raises:
        MusaeError: it is no SoundFont, or a sample is damaged.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise MusaeError("SoundFont: the file does not begin as a SoundFont does")
    lists = {chunk.body[:4]: list(_chunks(chunk.body[4:])) for chunk in _chunks(data[12:])}
    streams = next(chunk.body for chunk in lists[b"sdta"] if chunk.kind == b"smpl")
    table = next(chunk.body for chunk in lists[b"pdta"] if chunk.kind == b"shdr")
    samples, headers = _decoded(streams, table)
    info = [
        _Chunk(c.kind, b"\x02\0\x01\0" if c.kind == b"ifil" else c.body) for c in lists[b"INFO"]
    ]
    tables = [_Chunk(c.kind, headers if c.kind == b"shdr" else c.body) for c in lists[b"pdta"]]
    parts = {b"INFO": info, b"sdta": [_Chunk(b"smpl", samples)], b"pdta": tables}
    body = b"".join(_list(kind, chunks) for kind, chunks in parts.items())
    return _packed(_Chunk(b"RIFF", b"sfbk" + body))


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Yield the chunks of a RIFF list one after another."""
    place = 0
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        yield _Chunk(data[place : place + 4], data[place + 8 : place + 8 + size])
        place += 8 + size + size % 2


def _packed(chunk: _Chunk) -> bytes:
    padding = b"\0" * (len(chunk.body) % 2)
    return chunk.kind + len(chunk.body).to_bytes(4, "little") + chunk.body + padding


def _list(kind: bytes, chunks: list[_Chunk]) -> bytes:
    return _packed(_Chunk(b"LIST", kind + b"".join(map(_packed, chunks))))


def _decoded(streams: bytes, table: bytes) -> tuple[bytes, bytes]:
    """Return the samples as 16-bit numbers, and the sample headers that point into them."""
    parts: list[bytes] = []
    headers: list[bytes] = []
    place = 0
    known: dict[tuple[int, int], tuple[int, int]] = {}  # stream -> its first sample and length
    for row in _HEADER.iter_unpack(table):
        name, start, end, loop_start, loop_end, rate, pitch, correction, link, kind = row
        if kind & _VORBIS:
            if (start, end) not in known:
                pcm = _vorbis(streams[start:end], name)
                known[start, end] = place, len(pcm)
                parts += [pcm.tobytes(), b"\0" * (_GAP * _BYTES_PER_SAMPLE)]
                place += len(pcm) + _GAP
            first, length = known[start, end]
            start, end = first, first + length
            loop_start, loop_end = first + loop_start, first + min(loop_end, length)
        elif not name.startswith(_TERMINATOR):
            raise MusaeError(f"SoundFont: sample {_text(name)} is no Vorbis stream")
        numbers = (rate, pitch, correction, link, kind & ~_VORBIS)
        headers.append(_HEADER.pack(name, start, end, loop_start, loop_end, *numbers))
    return b"".join(parts), b"".join(headers)


def _vorbis(stream: bytes, name: bytes) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Decode one Ogg Vorbis stream to mono samples."""
    import soundfile

    try:
        samples, _ = soundfile.read(io.BytesIO(stream), dtype="int16", always_2d=True)
    except (RuntimeError, OSError) as error:
        why = reason(error) if isinstance(error, OSError) else error
        raise MusaeError(f"SoundFont: sample {_text(name)} is damaged ({why})") from error
    return np.ascontiguousarray(samples[:, 0])


def _text(name: bytes) -> str:
    return name.split(b"\0")[0].decode("latin-1")
