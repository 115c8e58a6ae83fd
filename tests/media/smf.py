"""MIDI files byte by byte, for tests.

Events are (ticks since the last event, bytes of the message).
"""

import struct

LONGEST = 2**28 - 1
TEXT = b"\xff\x01\x00"


def on(pitch: int, channel: int = 0) -> bytes:
    return bytes([0x90 | channel, pitch, 80])


def off(pitch: int, channel: int = 0) -> bytes:
    return bytes([0x80 | channel, pitch, 0])


def metre(numerator: int, power: int) -> bytes:
    return b"\xff\x58\x04" + bytes([numerator, power, 24, 8])


def tempo(microseconds: int) -> bytes:
    return b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


def number(value: int) -> bytes:
    digits = [value & 127]
    while value := value >> 7:
        digits.append((value & 127) | 128)
    return bytes(reversed(digits))


def chunk(events: list[tuple[int, bytes]]) -> bytes:
    body = b"".join(number(delta) + message for delta, message in events) + b"\0\xff\x2f\0"
    return b"MTrk" + struct.pack(">I", len(body)) + body


def header(tracks: int = 1, division: int = 480, kind: int = 1) -> bytes:
    return struct.pack(">4sIHHH", b"MThd", 6, kind, tracks, division)


def smf(*tracks: list[tuple[int, bytes]], division: int = 480) -> bytes:
    return header(len(tracks), division) + b"".join(chunk(events) for events in tracks)


TUNE = [(0, on(60)), (480, off(60)), (0, on(62)), (480, off(62)), (0, on(64)), (960, off(64))]
