"""Writes checkpoints as TensorFlow does: an index in LevelDB's format and data files, with
checksums.
"""

import struct
from pathlib import Path

import numpy as np

from musicvae_lite.magenta.crc32c import crc32c, masked

_DTYPES = {"float32": 1, "float64": 2, "int64": 9, "float16": 19}


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value) if value else b""
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(array: np.ndarray, shard_number: int, begin: int, **wrong) -> bytes:
    """The value of a tensor in the index; ``wrong`` replaces what is true."""
    data = array.tobytes()
    shape = b"".join(field(2, field(1, size)) for size in wrong.get("shape", array.shape))
    parts = [
        field(1, wrong.get("dtype", _DTYPES[array.dtype.name])),
        field(2, shape) if shape else b"",
        field(3, wrong.get("shard", shard_number)),
        field(4, wrong.get("offset", begin)),
        field(5, wrong.get("size", len(data))),
        varint(6 << 3 | 5) + struct.pack("<I", wrong.get("crc", masked(crc32c(data)))),
    ]
    return b"".join(parts)


def block(pairs: list[tuple[bytes, bytes]], every: int = 16) -> bytes:
    out, restarts, last = bytearray(), [], b""
    for index, (key, value) in enumerate(pairs):
        shared = 0
        if index % every == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        out += (
            varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        )
        last = key
    restarts = restarts or [0]
    return (
        bytes(out) + struct.pack(f"<{len(restarts)}I", *restarts) + struct.pack("<I", len(restarts))
    )


def table(pairs: list[tuple[bytes, bytes]], per_block: int = 5, kind: int = 0) -> bytes:
    """An index file of sorted keys and values."""
    out, index = bytearray(), []

    def add(content: bytes) -> bytes:
        place = varint(len(out)) + varint(len(content))
        stored = content + bytes([kind])
        out.extend(stored + struct.pack("<I", masked(crc32c(stored))))
        return place

    for start in range(0, len(pairs), per_block):
        rows = pairs[start : start + per_block]
        index.append((rows[-1][0], add(block(rows))))
    handles = add(block([])) + add(block(index, 1))
    return bytes(out) + handles.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def write_checkpoint(
    prefix: Path, tensors: dict[str, np.ndarray], shards: int = 1, **wrong
) -> None:
    """Write ``tensors`` under a prefix.

    ``wrong`` maps a name to what its entry says in place of the truth.
    """
    data = [bytearray() for _ in range(shards)]
    pairs = [(b"", field(1, shards) + field(3, field(1, 1)))]
    for number, name in enumerate(sorted(tensors)):
        shard = number % shards
        lie = wrong.get(name, {})
        pairs.append((name.encode(), entry(tensors[name], shard, len(data[shard]), **lie)))
        data[shard] += tensors[name].tobytes()
    prefix.parent.mkdir(parents=True, exist_ok=True)
    prefix.with_name(f"{prefix.name}.index").write_bytes(table(pairs))
    for shard, content in enumerate(data):
        prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{shards:05d}").write_bytes(content)
