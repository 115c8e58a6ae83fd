"""Just enough of a reader of TensorFlow checkpoints for the parity tests: one shard, no
compression, no checks.

The format is described in ``magenta/WEIGHTS.md`` section 7 of the shared data.
"""

import struct
from pathlib import Path

import numpy as np

_DTYPES = {1: "<f4", 9: "<i8"}


def read_checkpoint(prefix: Path) -> dict[str, np.ndarray]:
    index = prefix.with_name(prefix.name + ".index").read_bytes()
    data = prefix.with_name(prefix.name + ".data-00000-of-00001").read_bytes()
    _, position = _handle(index, len(index) - 48)  # the metaindex block is not needed
    (offset, size), _ = _handle(index, position)
    tensors = {}
    for _, block in _entries(index[offset : offset + size]):
        (offset, size), _ = _handle(block, 0)
        for key, value in _entries(index[offset : offset + size]):
            if key:
                entry = dict(_fields(value))
                shape = [
                    dict(_fields(d)).get(1, 0) for f, d in _fields(entry.get(2, b"")) if f == 2
                ]
                raw = data[entry.get(4, 0) : entry.get(4, 0) + entry.get(5, 0)]
                tensors[key.decode()] = np.frombuffer(raw, _DTYPES[entry[1]]).reshape(shape)
    return tensors


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


def _handle(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return (offset, size), position


def _entries(block: bytes):
    restarts = struct.unpack("<I", block[-4:])[0]
    end, position, key = len(block) - 4 * (restarts + 1), 0, b""
    while position < end:
        shared, position = _varint(block, position)
        fresh, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + fresh]
        position += fresh
        yield key, block[position : position + length]
        position += length


def _fields(message: bytes):
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        if tag & 7 == 0:
            value, position = _varint(message, position)
        elif tag & 7 == 2:
            size, position = _varint(message, position)
            value, position = message[position : position + size], position + size
        else:  # 32 bits: the checksum
            value, position = message[position : position + 4], position + 4
        yield tag >> 3, value
