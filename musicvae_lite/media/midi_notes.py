"""Notes of a MIDI file: which note-off ends which note-on, and with which program it is played.

A note-off ends every sounding note of its key that began before it, as pretty_midi and synthesizers
do. So every note-on is a note, and one that nothing ends lasts until its track does. Left out, and
counted, are notes of no length that are no drums.

A channel keeps its program through all tracks of a file, as players have it; a program that a track
sets itself comes first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi_file import (
    AFTERTOUCH,
    CONTROL,
    DRUM_CHANNEL,
    ON,
    PROGRAM,
    Ints,
    MidiFile,
)

SUSTAIN, PRESSED = (
    64,
    64,
)  # number of the controller; values from here on mean that the pedal is down


@dataclass(frozen=True, eq=False)
class Notes:
    """The notes of a file, in the order of their note-ons [N], and its instruments [K].

    Attributes:
        on: row of each note-on among the events of the file [N].
        off: row of its note-off, -1 where nothing ends it [N].
        start: in ticks [N].
        end: in ticks, after the start [N].
        pitch: 0-127 [N].
        velocity: 1-127 [N].
        track: index of its instrument [N].
        place: chunk, channel and program of each instrument [K, 3].
        strikes: note-ons of the file, also those that are no note.
        notices: what was left out or mended.
    """

    on: Ints
    off: Ints
    start: Ints
    end: Ints
    pitch: NDArray[np.uint8]
    velocity: NDArray[np.uint8]
    track: Ints
    place: Ints
    strikes: int
    notices: tuple[str, ...]


def notes_of(file: MidiFile) -> Notes:
    """Return the notes and instruments of a file.

    Instruments are those of a chunk, channel and program; they stand in the order of their chunks,
    and inside a chunk the one whose first note ends first comes first (as pretty_midi and Magenta
    count them).
    """
    rows = (file.status < AFTERTOUCH << 4).nonzero()[0]
    pitch, velocity = file.values(rows, 0), file.values(rows, 1)
    chunk, status, tick = file.chunk[rows], file.status[rows], file.tick[rows]
    is_on = (status >= ON << 4) & (velocity > 0)
    key = chunk << 11 | (status & 15).astype(np.int64) << 7 | pitch
    on, off = _pairs(key, tick, is_on)
    start, strikes, notices = tick[on], len(on), []
    end = tick[off]
    hung = off < 0
    if hung.any():
        last = np.array(
            [file.tick[part.last - 1] if part.last > part.first else 0 for part in file.chunks],
            np.int64,
        )
        end[hung] = np.maximum(last[chunk[on[hung]]], start[hung] + 1)
        notices.append(f"{_count(int(hung.sum()))} without an end, held to the end of the track")
    short = end <= start
    if short.any():
        drums = (key[on] >> 7 & 15) == DRUM_CHANNEL
        end = np.where(short & drums, start + 1, end)  # how long a drum lasts says nothing
        keep = drums | ~short
        lost = int((~keep).sum())
        notices += [f"{_count(lost)} of no length left out"] if lost else []
        on, off, start, end = on[keep], off[keep], start[keep], end[keep]
    program = _programs(file, rows[on])
    track, place = _instruments(key[on] >> 7 << 7 | program, end, off)
    return Notes(
        rows[on],
        np.where(off < 0, -1, rows[off]),
        start,
        end,
        pitch[on],
        velocity[on],
        track,
        place,
        strikes,
        tuple(notices),
    )


def _pairs(key: Ints, tick: Ints, is_on: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return the rows of the note-ons [N] and of the note-offs that end them, -1 for none [N].

    Args:
        key: chunk, channel and pitch of each message [M].
        tick: when it is, rising in each chunk [M].
        is_on: whether it is a note-on [M].
    """
    on, offs = is_on.nonzero()[0], (~is_on).nonzero()[0]
    if not len(offs) or not len(on):
        return on, np.full(len(on), -1)
    at = key << 32 | tick
    struck, lifted = at[on], at[offs]
    order = lifted.argsort(kind="stable")
    offs, lifted = offs[order], lifted[order]
    first = lifted.searchsorted(
        struck, side="right"
    )  # the first one that is later than the note-on
    found = offs[np.minimum(first, len(offs) - 1)]
    off = np.where((first < len(offs)) & (key[found] == key[on]), found, -1)
    # A note-off at the tick of a note-on, after it in the file, ends it too, if it ends nothing
    # else: a note of no length.
    before = np.maximum(first, 1) - 1
    suspects = (lifted[before] == struck) & (offs[before] > on)
    if suspects.any():
        _of_no_length(np.unique(key[on[suspects]]), key, tick, is_on, on, off)
    return on, off


def _of_no_length(
    keys: Ints, key: Ints, tick: Ints, is_on: NDArray[np.bool_], on: Ints, off: Ints
) -> None:
    """Pair the messages of some keys one by one, as pretty_midi does, in place."""
    place = {row: number for number, row in enumerate(on.tolist())}
    sounding: dict[int, list[int]] = {}
    chosen = np.flatnonzero(np.isin(key, keys))
    table = zip(
        chosen.tolist(),
        key[chosen].tolist(),
        tick[chosen].tolist(),
        is_on[chosen].tolist(),
        strict=True,
    )
    for row, own, now, begins in table:
        voice = sounding.setdefault(own, [])
        if begins:
            voice.append(row)
            off[place[row]] = -1
            continue
        ended = [note for note in voice if tick[note] < now] or voice
        for note in ended:
            off[place[note]] = row
        sounding[own] = [note for note in voice if note not in ended]


def _programs(file: MidiFile, on: Ints) -> Ints:
    """Return the program of each note-on [N].

    The last one that its track has set on its channel, or else any track.
    """
    rows = (file.status >> 4 == PROGRAM).nonzero()[0]
    if not len(rows):
        return np.zeros(len(on), np.int64)
    value = file.values(rows, 0).astype(np.int64)
    place, wanted = (file.chunk[table] << 4 | (file.status[table] & 15) for table in (rows, on))
    program, found = _latest(
        place << 32 | file.tick[rows], value, wanted << 32 | file.tick[on], place, wanted
    )
    if found.all():
        return program
    channel, sought = place & 15, wanted & 15
    anywhere, _ = _latest(
        channel << 32 | file.tick[rows], value, sought << 32 | file.tick[on], channel, sought
    )
    return np.where(found, program, anywhere)


def _latest(
    time: Ints, value: Ints, wanted: Ints, group: Ints, wanted_group: Ints
) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the last value of its group at or before each time that is wanted [N].

    It is 0 where there is none; the second array says where there is one.
    """
    order = np.argsort(time, kind="stable")
    last = np.searchsorted(time[order], wanted, side="right") - 1
    row = order[np.maximum(last, 0)]
    found = (last >= 0) & (group[row] == wanted_group)
    return np.where(found, value[row], 0), found


def _instruments(place: Ints, end: Ints, off: Ints) -> tuple[Ints, Ints]:
    """Return the instrument of each note [N]; chunk, channel, program of each of them [K, 3]."""
    runs = (
        np.concatenate([[0], (place[1:] != place[:-1]).nonzero()[0] + 1])
        if len(place)
        else np.zeros(0, np.int64)
    )
    there, of_run = np.unique(place[runs], return_inverse=True)
    never = np.iinfo(np.int64).max
    lifted = np.where(off < 0, never, off)
    first_end, first_off = np.full(len(there), never), np.full(len(there), never)
    if len(runs):
        np.minimum.at(first_end, of_run, np.minimum.reduceat(end, runs))
        np.minimum.at(first_off, of_run, np.minimum.reduceat(lifted, runs))
    order = np.lexsort((first_off, first_end, there >> 11))
    number = np.empty(len(there), np.int64)
    number[order] = np.arange(len(there))
    there = there[order]
    of_note = np.repeat(number[of_run], np.diff(runs, append=len(place)))
    return of_note, np.stack([there >> 11, there >> 7 & 15, there & 127], axis=1)


def pedals_of(file: MidiFile, notes: Notes) -> list[tuple[int, int, int]]:
    """Return the stretches in which the sustain pedal of an instrument is held.

    Start, end (ticks), index of the instrument.

    One that is never lifted is left out; at one tick it is lifted before it is pressed.
    """
    rows = (file.status >> 4 == CONTROL).nonzero()[0]
    rows = rows[file.values(rows, 0) == SUSTAIN] if len(rows) else rows
    if not len(rows):
        return []
    down = file.values(rows, 1) >= PRESSED
    program = _programs(file, rows)
    place = (file.chunk[rows] << 4 | (file.status[rows] & 15)) << 7 | program
    ticks, found = file.tick[rows], []
    for index, (chunk, channel, own) in enumerate(notes.place.tolist()):
        mine = place == (chunk << 4 | channel) << 7 | own
        if mine.any():
            presses = list(zip(ticks[mine].tolist(), down[mine].tolist(), strict=True))
            found += [(start, end, index) for start, end in held(presses)]
    return found


def held(presses: list[tuple[int, bool]]) -> list[tuple[int, int]]:
    """Return the stretches in which a pedal is held, from what was sent.

    Ticks and whether it is down.

    At one tick it is lifted before it is pressed; in which order it was sent is not always kept.
    """
    rows, since = [], -1
    for tick, down in sorted(presses):
        if down and since < 0:
            since = tick
        elif not down and since >= 0:
            rows.append((since, tick))
            since = -1
    return rows


def _count(number: int) -> str:
    return f"{number:,} note{'' if number == 1 else 's'}"
