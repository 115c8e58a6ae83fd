"""Other notes in a MIDI file, and nothing else changed: controllers, pitch bends, lyrics, keys and markers stay where they are.

A :class:`~musicvae_lite.media.midi.Score` holds notes, tempos and metres only, so the file itself is edited. Its events are read
here, as bytes: mido forgets when a meta event was that it does not know, and symusic keeps no such events.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import (
    DRUM_CHANNEL,
    MAX_DELTA,
    MidiError,
    Score,
    check_structure,
    unwrap_riff,
)

_OFF, _ON, _PROGRAM = 0x8, 0x9, 0xC  # high half of the first byte of a message
_DIVISION = 12  # where a file says its ticks per quarter
_END, _TEXT = b"\xff\x2f\x00", b"\xff\x01\x00"

# Events of one tick: notes end, then comes what the file has, then notes start.
_ENDS, _FILE, _STARTS = range(3)

_Keys = Counter[tuple[int, int, int]]  # tick, pitch, velocity


class _Event(NamedTuple):
    """A message with its first byte (``data``), the program of its channel, and its rank among those of one tick."""

    tick: int
    rank: int
    data: bytes
    program: int = 0

    @property
    def kind(self) -> int:
        """High half of the first byte; a note-on without velocity is a note-off."""
        kind = self.data[0] >> 4
        return _OFF if kind == _ON and not self.data[2] else kind

    @property
    def channel(self) -> int:
        return self.data[0] & 15

    @property
    def key(self) -> tuple[int, int, int]:
        """Tick, pitch and velocity of a note-on."""
        return self.tick, self.data[1], self.data[2]


class _Place(NamedTuple):
    """Where the notes of a track are in a file."""

    chunk: int
    channel: int
    program: int


def with_notes(data: bytes, before: Score, after: Score) -> bytes:
    """Return a MIDI file with the notes of ``after`` where it has those of ``before``; every other event stays.

    Args:
        data: the content of the file.
        before: the score that was read from it.
        after: the same with other notes: ticks, tracks, tempos and metres are those of ``before``.

    Raises:
        MidiError: the file is damaged, or is not that of ``before``.
    """
    data = unwrap_riff(data, before.source)
    _, ranges = check_structure(data, before.source)
    chunks = [_events(data[start + 8 : end], before.source) for start, end in ranges]
    places = _places(chunks, before)
    gone, new = _more(before.notes, after.notes), _more(after.notes, before.notes)
    parts, done = [], 0
    for chunk, (start, end) in enumerate(ranges):
        own = {place: index for index, place in enumerate(places) if place.chunk == chunk}
        added = [
            event
            for place, index in own.items()
            for event in _notes(new[new["track"] == index], place.channel)
        ]
        leaving = {
            place: (_keys(gone, index), _keys(before.notes, index)) for place, index in own.items()
        }
        if added or any(keys for keys, _ in leaving.values()):
            changed = {event.channel for event in added} | {
                place.channel for place, (keys, _) in leaving.items() if keys
            }
            events = [*_without(chunks[chunk], chunk, leaving, changed), *added]
            parts += [data[done:start], _written(events, chunks[chunk][-1].tick)]
            done = end
    return b"".join([*parts, data[done:]])


def with_finer_ticks(data: bytes, source: str, least: int) -> tuple[bytes, int]:
    """Return a MIDI file with ``least`` ticks per quarter or more, every event at its time, and how many are made of one.

    Raises:
        MidiError: the file is damaged.
    """
    data = unwrap_riff(data, source)
    _, ranges = check_structure(data, source)
    (division,) = struct.unpack_from(">H", data, _DIVISION)
    factor = min(-(-least // division), (2**15 - 1) // division)
    if factor <= 1:
        return data, 1
    parts, done = [data[:_DIVISION], struct.pack(">H", division * factor)], _DIVISION + 2
    for start, end in ranges:
        events = [
            event._replace(tick=event.tick * factor)
            for event in _events(data[start + 8 : end], source)
        ]
        parts += [data[done:start], _written(events, events[-1].tick if events else 0)]
        done = end
    return b"".join([*parts, data[done:]]), factor


def _more(notes: NDArray[np.void], others: NDArray[np.void]) -> NDArray[np.void]:
    """Return the notes that the others do not have, or not so often."""
    counts = Counter(notes.tolist()) - Counter(others.tolist())
    return np.array(list(counts.elements()), notes.dtype)


def _events(body: bytes, source: str) -> list[_Event]:
    """Return the events of a chunk.

    Raises:
        MidiError: it ends inside an event.
    """
    try:
        return list(_read(body))
    except IndexError:
        raise MidiError(source, "malformed", "damaged MIDI data (an event is cut short)") from None


def _read(body: bytes) -> Iterator[_Event]:
    """Yield the events of a chunk.

    Raises:
        IndexError: it ends inside an event.
    """
    position = tick = status = 0
    programs = [0] * 16
    while position < len(body):
        delta, position = _number(body, position)
        tick += delta
        first = body[position]
        if first >= 0xF0:
            size, begin = _number(body, position + (2 if first == 0xFF else 1))
            message = body[position : begin + size]
            position = begin + size
        else:
            if first >= 0x80:  # else the first byte of the message before counts again
                status, position = first, position + 1
            size = 1 if status >> 4 in (_PROGRAM, 0xD) else 2
            message = bytes([status]) + body[position : position + size]
            position += size
        if position > len(body) or message[0] < 0x80:
            raise IndexError
        if message[0] >> 4 == _PROGRAM:
            programs[message[0] & 15] = message[1]
        yield _Event(tick, _FILE, message, programs[message[0] & 15])


def _number(body: bytes, position: int) -> tuple[int, int]:
    """Read a number of 7 bits a byte, and return it with the position after it."""
    value = 0
    while True:
        byte = body[position]
        value, position = value << 7 | byte & 127, position + 1
        if byte < 128:
            return value, position


def _written(events: list[_Event], length: int) -> bytes:
    """Return a chunk of events that ends after the last, or at tick ``length`` where that is later."""
    body, now = bytearray(), 0
    events = [event for event in sorted(events, key=lambda event: event[:2]) if event.data != _END]
    for tick, data in [*((event.tick, event.data) for event in events), (length, _END)]:
        while tick - now > MAX_DELTA:
            body += _digits(MAX_DELTA) + _TEXT
            now += MAX_DELTA
        body += _digits(max(tick - now, 0)) + data
        now = max(now, tick)
    return b"MTrk" + struct.pack(">I", len(body)) + bytes(body)


def _digits(value: int) -> bytes:
    """Write a number of 7 bits a byte."""
    digits = [value & 127]
    while value := value >> 7:
        digits.append(value & 127 | 128)
    return bytes(reversed(digits))


def _keys(notes: NDArray[np.void], track: int) -> _Keys:
    """Count the starts of the notes of one track."""
    notes = notes[notes["track"] == track]
    return Counter(
        zip(
            notes["start"].tolist(),
            notes["pitch"].tolist(),
            notes["velocity"].tolist(),
            strict=True,
        )
    )


def _places(chunks: list[list[_Event]], score: Score) -> list[_Place]:
    """Find every track of the score in the file: the first place not taken that has its program and its notes.

    Raises:
        MidiError: there is none.
    """
    found: dict[_Place, _Keys] = defaultdict(Counter)
    for chunk, events in enumerate(chunks):
        for event in events:
            if event.kind == _ON:
                found[_Place(chunk, event.channel, event.program)][event.key] += 1
    places: list[_Place] = []
    for index, who in enumerate(score.tracks):
        keys = _keys(score.notes, index)
        for place, there in found.items():
            fits = place.program == who.program and (place.channel == DRUM_CHANNEL) == who.is_drum
            if fits and place not in places and keys <= there:
                places.append(place)
                break
        else:
            raise MidiError(
                score.source,
                "cannot be edited",
                f"its other tracks cannot be kept (track {index + 1} is not found)",
            )
    return places


class _Fate(Enum):
    """What becomes of a note; unknown ones stay, but the score does not have them."""

    LEAVES, STAYS, UNKNOWN = range(3)


def _without(
    events: list[_Event], chunk: int, notes: dict[_Place, tuple[_Keys, _Keys]], changed: set[int]
) -> Iterator[_Event]:
    """Yield the events of a chunk without the notes that leave; a note-off goes with the last note that it ends.

    Of a channel with other notes than before, each note that stays gets one note-off: one that ends nothing (some files have
    several for a note) could end a new note, and where one ends several, readers that pair first with first would miss another.
    A note that is struck at the tick at which the one before it ends is not ended by that, though the note-off may come after.

    Args:
        events: those of the chunk.
        chunk: its number.
        notes: the notes that leave each place (used up here), and all that the score has of it.
        changed: channels with other notes than before.
    """
    # By channel and pitch: since when each note sounds, and what becomes of it.
    sounding: dict[tuple[int, int], list[tuple[int, _Fate]]] = defaultdict(list)
    for event in events:
        times = 1
        if event.kind == _ON:
            gone, known = notes.get(_Place(chunk, event.channel, event.program), (_Keys(), _Keys()))
            voice = sounding[event.channel, event.data[1]]
            # What is struck again while it sounds and has no end of its own is no note of the score, and goes with the first.
            leaves = gone[event.key] > 0 or (
                not known[event.key] and any(fate is _Fate.LEAVES for _, fate in voice)
            )
            gone[event.key] -= gone[event.key] > 0
            voice.append(
                (
                    event.tick,
                    _Fate.LEAVES if leaves else _Fate.STAYS if known[event.key] else _Fate.UNKNOWN,
                )
            )
            times = int(not leaves)
        elif event.kind == _OFF and event.channel in changed:
            voice = sounding[event.channel, event.data[1]]
            ended = [note for note in voice if note[0] < event.tick] or voice
            sounding[event.channel, event.data[1]] = voice[len(ended) :]
            staying = [fate for _, fate in ended if fate is not _Fate.LEAVES]
            times = max(staying.count(_Fate.STAYS), min(1, len(staying)))
        yield from [event] * times


def _notes(notes: NDArray[np.void], channel: int) -> Iterator[_Event]:
    for start, end, pitch, velocity, _ in notes.tolist():
        yield _Event(start, _STARTS, bytes([_ON << 4 | channel, pitch, velocity]))
        yield _Event(end, _ENDS, bytes([_OFF << 4 | channel, pitch, 0]))
