"""CRC-32C (Castagnoli), the checksum of TensorFlow's files, for large arrays in NumPy."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78  # reflected
_SHORT = 4096  # bytes; up to so many a plain loop is faster
_MASK_DELTA = 0xA282EAD8

Words = NDArray[np.uint32]


@cache
def _table() -> Words:
    """Return what each of 65,536 pairs of bytes does to an empty register."""
    value = np.arange(65536, dtype=np.uint32)
    for _ in range(16):
        value = _one_bit(value)
    return value


def _one_bit(registers: Words) -> Words:
    """Return registers after one zero bit."""
    return (
        (registers >> np.uint32(1)) ^ (registers & np.uint32(1)) * np.uint32(_POLYNOMIAL)
    ).astype(np.uint32)


def crc32c(data: bytes | memoryview | NDArray[np.uint8]) -> int:
    """Return the CRC-32C of some bytes.

    The register is linear in the data. So the data are laid out in lanes of equal length, filled up
    in front with zeros (which leave an empty register empty), the lanes run side by side, and their
    registers are put together at the end.
    """
    flat = np.frombuffer(data, np.uint8)
    size = len(flat)
    if size <= _SHORT:
        return _short(flat.tobytes())
    lanes = 1 << (size.bit_length() // 2)
    width = 2 * -(-size // (2 * lanes))
    filled = np.zeros(lanes * width, np.uint8)
    filled[len(filled) - size :] = flat
    pairs = np.ascontiguousarray(filled.view("<u2").reshape(lanes, width // 2).T)
    table = _table()
    registers = np.zeros(lanes, np.uint32)
    for column in pairs:
        registers = table[(registers ^ column) & 0xFFFF] ^ (registers >> 16)
    shift = _power(width)
    while len(registers) > 1:
        registers = _apply(shift, registers[::2]) ^ registers[1::2]
        shift = _apply(shift, shift)
    start = _apply(_power(size), np.array([0xFFFFFFFF], np.uint32))
    return int(registers[0] ^ start[0]) ^ 0xFFFFFFFF


def _short(data: bytes) -> int:
    table, register = _bytes(), 0xFFFFFFFF
    for byte in data:
        register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ 0xFFFFFFFF


@cache
def _bytes() -> list[int]:
    """Return what each byte does to an empty register."""
    value = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        value = _one_bit(value)
    numbers: list[int] = value.tolist()
    return numbers


def masked(crc: int) -> int:
    """Return a checksum as TensorFlow stores it, so that data that hold their own checksum are
    safe, too.
    """
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def _power(size: int) -> Words:
    """Return what ``size`` zero bytes do to each bit of a register: a 32 x 32 matrix over GF(2),
    one word a column.
    """
    result = np.left_shift(np.uint32(1), np.arange(32, dtype=np.uint32))
    step = result.copy()
    for _ in range(8):  # one zero byte is eight zero bits
        step = _one_bit(step)
    while size:
        if size & 1:
            result = _apply(step, result)
        step = _apply(step, step)
        size >>= 1
    return result


def _apply(matrix: Words, registers: Words) -> Words:
    """Multiply each register by a matrix of :func:`_power`."""
    total = np.zeros_like(registers)
    for bit in range(32):
        total ^= np.where(
            (registers >> np.uint32(bit)) & np.uint32(1), matrix[bit], np.uint32(0)
        ).astype(np.uint32)
    return total
