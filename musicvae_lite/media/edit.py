"""Other notes in a MIDI file, and nothing else changed.

Controllers, pitch bends, lyrics, keys and markers stay where they are.

A :class:`~musicvae_lite.media.midi.Score` holds notes, tempos and metres only, so the file itself
is edited. Its events are those that the score was read from (:mod:`musicvae_lite.media.midi_file`),
so that reading and editing agree on what a file says.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import NOTE, Score, score_of
from musicvae_lite.media.midi_events import read_file
from musicvae_lite.media.midi_file import (
    END_OF_TRACK,
    MAX_DELTA,
    MAX_TICK,
    META,
    OFF,
    ON,
    PRESSURE,
    PROGRAM,
    MidiError,
    MidiFile,
)
from musicvae_lite.media.midi_notes import Notes, notes_of
from musicvae_lite.media.midi_walk import are_chunks
from musicvae_lite.media.score import giving_way

_DIVISION = 12  # where a file says its ticks per quarter
_END, _TEXT = bytes([META, END_OF_TRACK, 0]), b"\xff\x01\x00"

# Events of one tick: notes end, then comes what the file has, then notes start.
_ENDS, _FILE, _STARTS = range(3)


class _Event(NamedTuple):
    """A message: its bytes, rank among those of one tick, and row in the file it was in."""

    tick: int
    rank: int
    data: bytes
    row: int = 0


def with_notes(data: bytes, before: Score, after: Score) -> bytes:
    """Return a MIDI file with the notes of ``after`` where it has those of ``before``.

    Every other event stays. Tracks that share a channel of a chunk (its program changes) share its
    keys, too: a new note gives way to one of another track that stays and has its key, and is left
    out where that sounds already.

    A chunk without a change stays byte for byte, unless the file is damaged: then all are written
    as they were read.

    Args:
        data: the content of the file.
        before: the score that was read from it.
        after: the same with other notes: ticks, tracks, tempos and metres are those of ``before``.

    Raises:
        MidiError: the file cannot be read, or is not that of ``before``.
    """
    file = read_file(data, before.source)
    played = notes_of(file)
    there = score_of(file, played, before.source)
    if (
        not np.array_equal(there.notes, before.notes)
        or there.ticks_per_quarter != before.ticks_per_quarter
    ):
        raise MidiError(
            before.source,
            "cannot be edited",
            "its other tracks cannot be kept (it has changed since it was read)",
        )
    gone, new = _more(before.notes, after.notes), _more(after.notes, before.notes)
    if len(new) and int(new["track"].max()) >= len(played.place):
        raise MidiError(
            before.source,
            "cannot be edited",
            "its other tracks cannot be kept (there are new tracks)",
        )
    leaving = _rows_of(played, gone)
    if len(new) and len(np.unique(played.place[:, :2], axis=0)) < len(played.place):
        new = _beside_others(new, _more(before.notes, gone), played)
    changed = {
        tuple(place)
        for place in played.place[np.unique(np.append(new["track"], gone["track"])), :2].tolist()
    }
    hung = played.place[np.unique(played.track[played.off < 0]), :2]
    bodies: dict[int, bytes] = {}
    for chunk in {chunk for chunk, _ in changed}:
        # What nothing ends would last as long as the chunk, which may become longer.
        changed |= {(chunk, channel) for own, channel in hung.tolist() if own == chunk}
        channels = {channel for own, channel in changed if own == chunk}
        stays = _staying(file, played, leaving, chunk, channels)
        added = [
            event
            for row in new.tolist()
            if played.place[row[4], 0] == chunk
            for event in _note(row, played)
        ]
        bodies[chunk] = _written(
            [*_others(file, chunk, channels), *stays, *added], _length(file, chunk)
        )
    return _rebuilt(file, bodies)


def with_finer_ticks(data: bytes, source: str, least: int) -> tuple[bytes, int]:
    """Return a MIDI file with ``least`` ticks per quarter or more, and how many are made of one.

    Every event stays at its time.

    Raises:
        MidiError: the file cannot be read.
    """
    file = read_file(data, source)
    factor = min(-(-least // file.ticks_per_quarter), (2**15 - 1) // file.ticks_per_quarter)
    if len(file.tick) and int(file.tick.max()) * factor > MAX_TICK:
        factor = 1
    if factor <= 1:
        return file.data, 1
    bodies = {}
    for chunk in range(len(file.chunks)):
        events = [event._replace(tick=event.tick * factor) for event in _events(file, chunk)]
        bodies[chunk] = _written(events, _length(file, chunk) * factor)
    finer = _rebuilt(file, bodies)
    return finer[:_DIVISION] + struct.pack(">H", file.ticks_per_quarter * factor) + finer[
        _DIVISION + 2 :
    ], factor


def _more(notes: NDArray[np.void], others: NDArray[np.void]) -> NDArray[np.void]:
    """Return the notes that the others do not have, or not so often."""
    counts = Counter(notes.tolist()) - Counter(others.tolist())
    return np.array(list(counts.elements()), NOTE)


def _beside_others(
    new: NDArray[np.void], stays: NDArray[np.void], played: Notes
) -> NDArray[np.void]:
    """Return new notes that give way to those of other tracks on their channel."""
    parts = []
    for track in np.unique(new["track"]).tolist():
        beside = (played.place[:, :2] == played.place[track, :2]).all(1)
        beside[track] = False
        parts.append(giving_way(new[new["track"] == track], stays[beside[stays["track"]]]))
    return np.concatenate(parts)


def _rows_of(played: Notes, gone: NDArray[np.void]) -> set[int]:
    """Return which notes of a file are ``gone``, by their number; of equal ones the first."""
    left = Counter(gone.tolist())
    rows = set()
    columns = (played.start, played.end, played.pitch, played.velocity, played.track)
    for number, note in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        if left[note] > 0:
            left[note] -= 1
            rows.add(number)
    return rows


def _staying(
    file: MidiFile, played: Notes, leaving: set[int], chunk: int, channels: set[int]
) -> Iterator[_Event]:
    """Yield the notes of the changed channels of a chunk that stay.

    Each gets a note-off of its own: one that ends nothing (some files have several for a note)
    could end a new note, and where one ends several, readers that pair first with first would miss
    another.
    """
    place = played.place[played.track]
    mine = np.flatnonzero((place[:, 0] == chunk) & np.isin(place[:, 1], list(channels)))
    mine = mine[~np.isin(mine, list(leaving))]
    ends = Counter(played.off[mine].tolist())
    for number in mine.tolist():
        on, off = int(played.on[number]), int(played.off[number])
        start, end = int(played.start[number]), int(played.end[number])
        yield _Event(start, _FILE, _message(file, on), on)
        if off >= 0:  # of a drum of no length its tick is before the end that it was given
            tick = int(file.tick[off])
            # Several at a tick stand before what starts there, or the second would end that.
            rank = _ENDS if ends[off] > 1 and tick > start else _FILE
            yield _Event(tick, rank, _message(file, off), off)
        else:
            channel, pitch = int(file.status[on]) & 15, int(played.pitch[number])
            yield _Event(end, _ENDS, _off(channel, pitch))


def _others(file: MidiFile, chunk: int, channels: set[int]) -> Iterator[_Event]:
    """Yield the events of a chunk but for the notes of some channels."""
    for event in _events(file, chunk):
        kind, channel = event.data[0] >> 4, event.data[0] & 15
        if kind not in (ON, OFF) or channel not in channels:
            yield event


def _events(file: MidiFile, chunk: int) -> Iterator[_Event]:
    """Yield the events of a chunk without the end of the track."""
    own = file.chunks[chunk]
    for row in range(own.first, own.last):
        data = _message(file, row)
        if data[:2] != _END[:2]:
            yield _Event(int(file.tick[row]), _FILE, data, row)


def _message(file: MidiFile, row: int) -> bytes:
    """Return the bytes of an event, its first byte included; values above 127 are 127."""
    status, body = int(file.status[row]), file.data[int(file.body[row]) : int(file.end[row])]
    if status < 0xF0:
        size = 1 if status >> 4 in (PROGRAM, PRESSURE) else 2
        body = bytes(min(value, 127) for value in body[:size].ljust(size, b"\0"))
    return bytes([status]) + body


def _length(file: MidiFile, chunk: int) -> int:
    """Return the tick at which a chunk ends."""
    own = file.chunks[chunk]
    return int(file.tick[own.last - 1]) if own.last > own.first else 0


def _note(row: Sequence[int], played: Notes) -> tuple[_Event, _Event]:
    start, end, pitch, velocity, track = row
    channel = int(played.place[track, 1])
    return _Event(start, _STARTS, bytes([ON << 4 | channel, pitch, velocity])), _Event(
        end, _ENDS, _off(channel, pitch)
    )


def _off(channel: int, pitch: int) -> bytes:
    return bytes([OFF << 4 | channel, pitch, 0])


def _rebuilt(file: MidiFile, bodies: dict[int, bytes]) -> bytes:
    """Return the file with other bodies of some chunks."""
    if file.notices:
        return _mended(file, bodies)
    parts, done = [], 0
    for number, body in sorted(bodies.items()):
        chunk = file.chunks[number]
        parts += [file.data[done : chunk.start], _chunk(body)]
        done = chunk.following
    return b"".join([*parts, file.data[done:]])


def _mended(file: MidiFile, bodies: dict[int, bytes]) -> bytes:
    """Return a damaged file as it was read, every track chunk written anew.

    What is no chunk between them is left out.
    """
    count, kind = len(file.chunks), 0 if len(file.chunks) == 1 else 1
    parts, done = (
        [struct.pack(">4sIHHH", b"MThd", 6, kind, count, file.ticks_per_quarter)],
        file.chunks[0].start,
    )
    for number, chunk in enumerate(file.chunks):
        between = file.data[done : chunk.start]
        body = (
            bodies[number]
            if number in bodies
            else _written(list(_events(file, number)), _length(file, number))
        )
        parts += [between if are_chunks(between) else b"", _chunk(body)]
        done = chunk.following
    return b"".join(parts)


def _chunk(body: bytes) -> bytes:
    return b"MTrk" + struct.pack(">I", len(body)) + body


def _written(events: list[_Event], length: int) -> bytes:
    """Return the body of a chunk that ends after its last event, or at ``length`` where later."""
    body, now = bytearray(), 0
    events = sorted(events, key=lambda event: (event.tick, event.rank, event.row))
    for tick, data in [*((event.tick, event.data) for event in events), (length, _END)]:
        while tick - now > MAX_DELTA:
            body += _digits(MAX_DELTA) + _TEXT
            now += MAX_DELTA
        body += _digits(max(tick - now, 0)) + data
        now = max(now, tick)
    return bytes(body)


def _digits(value: int) -> bytes:
    """Write a number of 7 bits a byte."""
    digits = [value & 127]
    while value := value >> 7:
        digits.append(value & 127 | 128)
    return bytes(reversed(digits))
