"""Every event of a MIDI file: the columns of :class:`musicvae_lite.media.midi_file.MidiFile`."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi_file import (
    MAX_TICK,
    META,
    PRESSURE,
    PROGRAM,
    Chunk,
    Ints,
    MidiError,
    MidiFile,
    check_size,
    unwrap,
)
from musicvae_lite.media.midi_walk import NEGATIVE, Walk, nth_chunk

_SHOWN = 3  # faults in a message
# Share of impossible values from which on a chunk that ends in damage is taken for noise.
_NOISE = 0.05


def read_file(data: bytes, name: str) -> MidiFile:
    """Walk over a Standard MIDI File (format 0 or 1, also inside RIFF).

    Args:
        data: its content.
        name: what messages call it.

    Raises:
        MidiError: it is no MIDI file, of a kind that is not supported, or holds nothing but damage.
    """
    check_size(name, len(data))
    data = unwrap(data, name)
    position, count, division = _header(data, name)
    walk = Walk(data)
    walk.chunks_from(position, count)
    notices = walk.notices
    if walk.chunk_count() < count:
        there = walk.track_count()
        verb = "is" if there == 1 else "are"
        notices.append(f"the header announces {_tracks(count)}, {there} {verb} there")
    if not walk.found:
        if count:
            raise refusal(name, notices)
        raise MidiError(name, "no notes", "the file holds no notes")
    return _columns(walk, division, name)


def refusal(name: str, notices: Sequence[str]) -> MidiError:
    """Return the error for a file of which damage leaves nothing."""
    more = len(notices) - _SHOWN
    why = "; ".join([*notices[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])
    if any("cut short" in notice or "announces" in notice for notice in notices):
        return MidiError(name, "truncated", f"truncated: {why}")
    return MidiError(name, "malformed", f"damaged MIDI data ({why})")


def _header(data: bytes, name: str) -> tuple[int, int, int]:
    """Return where the chunks begin, how many tracks are announced, and the ticks per quarter."""
    if data[:4] != b"MThd":
        raise MidiError(
            name,
            "not a MIDI file",
            f"not a MIDI file (it starts with {data[:8]!r}, not with b'MThd')",
        )
    if len(data) < 14:
        raise MidiError(
            name, "truncated", f"truncated: {len(data)} bytes, shorter than a MIDI header"
        )
    size, kind, count, division = struct.unpack(">IHHH", data[4:14])
    if size < 6 or kind > 2:
        raise MidiError(name, "malformed", f"malformed header (length {size}, format {kind})")
    if kind == 2:
        raise MidiError(
            name,
            "format 2",
            "MIDI format 2 (independent patterns) is not supported; save it as format 1",
        )
    if division & 0x8000:
        raise MidiError(
            name,
            "SMPTE time",
            "time is in SMPTE frames, not in beats; save the file with ticks per quarter note",
        )
    if division == 0:
        raise MidiError(name, "malformed", "malformed header (0 ticks per quarter note)")
    return (8 + size if 8 + size <= len(data) else 14), count, division


def _columns(walk: Walk, division: int, name: str) -> MidiFile:
    """Make columns of what was found; damage inside a chunk ends it there."""
    table = np.frombuffer(walk.padded, np.uint8)
    position = np.frombuffer(walk.begins, np.uint8).nonzero()[0]
    first = np.searchsorted(position, [found.start for found in walk.found])
    counts = np.diff(first, append=len(position))
    some = counts > 0
    chunk = np.repeat(np.arange(len(first)), counts)
    lead = walk.numbers[position]
    at = position + lead
    begin = table[at]
    explicit = begin >= 0x80
    status, orphans = _statuses(begin, explicit, first[some])
    end = np.empty_like(position)
    end[:-1] = position[1:]
    end[(first + counts - 1)[some]] = np.array([found.stop for found in walk.found])[some]
    delta = _times(table, position, lead)
    body = at + explicit
    last, damaged = first + counts, orphans
    if len(lead) and lead.max() >= NEGATIVE:
        damaged = orphans | (lead > NEGATIVE) | ((lead == NEGATIVE) & (delta >= 0))
    tick = _ticks(delta, first, counts, walk.notices)
    columns = [chunk, tick, status, body, end]
    if damaged.any() or any(found.cut for found in walk.found):
        last = _sound(walk, position, damaged, first, last, table[body], table[body + 1], status)
        keep = np.arange(len(position)) < last[chunk]
        if not keep.any():
            raise refusal(name, walk.notices)
        columns = [column[keep] for column in columns]
        counts = last - first
        first = np.cumsum(counts) - counts
    _clipped(columns[2], table[columns[3]], table[columns[3] + 1], walk.notices)
    rows = zip(walk.found, first.tolist(), (first + counts).tolist(), strict=True)
    chunks = tuple(Chunk(f.start, f.following, a, b) for f, a, b in rows)
    if len(columns[1]) and int(columns[1].max()) > MAX_TICK:
        raise MidiError(
            name, "ticks out of range", "times go beyond 2^31 ticks; the file is damaged"
        )
    chunk, tick, status, body, end = columns
    return MidiFile(
        walk.data,
        division,
        chunks,
        chunk,
        tick,
        status.astype(np.uint8),
        body,
        end,
        tuple(walk.notices),
    )


def _statuses(
    begin: NDArray[np.uint8], explicit: NDArray[np.bool_], first: Ints
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Fill running status in; also say which messages have none to go on from.

    It goes on after meta events and system messages, where the standard says it ends: files of the
    wild are so.
    """
    channel = explicit & (begin < 0xF0)
    source = np.arange(len(begin)) * channel
    source[first] = first  # no status comes from the chunk before
    source = np.maximum.accumulate(source)
    running = (begin * channel)[source]
    status = np.where(begin >= 0xF0, begin, running)
    return status, status < 0x80


def _times(table: NDArray[np.uint8], position: Ints, lead: NDArray[np.uint8]) -> Ints:
    """Return the time of each event since the one before, in ticks.

    Five bytes are a number of 32 bits with a sign.
    """
    delta = (table[position] & 127).astype(np.int64)
    for nth in range(1, NEGATIVE):
        longer = np.flatnonzero(lead > nth)
        if not len(longer):
            return delta
        delta[longer] = delta[longer] << 7 | table[position[longer] + nth] & 127
    five = lead == NEGATIVE
    delta[five] = (delta[five] & 2**32 - 1 ^ 2**31) - 2**31
    return delta


def _ticks(delta: Ints, first: Ints, counts: Ints, notices: list[str]) -> Ints:
    """Add up the times of each chunk; none is before the start or the event before."""
    tick: Ints = np.cumsum(delta)
    if len(first) > 1:
        some = counts > 0
        before = np.zeros(len(first), np.int64)
        before[some] = tick[first[some]] - delta[first[some]]
        tick -= np.repeat(before, counts)
    if not len(delta) or delta.min() >= 0:
        return tick
    back = int((delta < 0).sum())
    times = "time is" if back == 1 else "times are"
    notices.append(f"{back:,} {times} before the start or the event before, and moved there")
    for begin, count in zip(first.tolist(), counts.tolist(), strict=True):
        own = tick[begin : begin + count]
        np.maximum.accumulate(np.maximum(own, 0), out=own)
    return tick


def _sound(
    walk: Walk,
    position: Ints,
    damaged: NDArray[np.bool_],
    first: Ints,
    last: Ints,
    one: NDArray[np.uint8],
    two: NDArray[np.uint8],
    status: NDArray[np.uint8],
) -> Ints:
    """Return how far each chunk is sound.

    Up to the first damaged event, or not at all where what comes before is noise.
    """
    sound = last.copy()
    for number, found in enumerate(walk.found):
        begin, stop = int(first[number]), int(last[number])
        bad = np.flatnonzero(damaged[begin:stop])
        if not len(bad) and not found.cut:
            continue
        good = begin + int(bad[0]) if len(bad) else stop - 1
        high = _impossible(status[begin:good], one[begin:good], two[begin:good])
        noise = high.sum() > _NOISE * max(1, good - begin)
        sound[number] = begin if noise else max(begin, good)
        what = (
            "is damaged and left out"
            if sound[number] == begin
            else "is damaged; it is read up to there"
        )
        walk.notices.append(
            f"{nth_chunk(number)} {what} (byte {int(position[min(good, stop - 1)]):,} of the file)"
        )
    return sound


def _impossible(
    status: NDArray[np.uint8], one: NDArray[np.uint8], two: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Say which channel messages have a data byte above 127."""
    kind = status >> 4
    alone = (kind == PROGRAM) | (kind == PRESSURE)
    high: NDArray[np.bool_] = (kind != 0xF) & ((one > 127) | (~alone & (two > 127)))
    return high


def _clipped(
    status: NDArray[np.uint8], one: NDArray[np.uint8], two: NDArray[np.uint8], notices: list[str]
) -> None:
    """Tell of values that no message can have."""
    if not ((one | two) > 127)[status < META].any():
        return
    high = int(_impossible(status, one, two).sum())
    if high:
        messages = "message has a value" if high == 1 else "messages have values"
        notices.append(f"{high:,} {messages} above 127, read as 127")


def _tracks(count: int) -> str:
    return f"{count} track{'' if count == 1 else 's'}"
