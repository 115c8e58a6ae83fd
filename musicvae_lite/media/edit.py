"""Other notes in a MIDI file, and nothing else changed: controllers, pitch bends, lyrics, keys and markers stay where they are.

A :class:`~musicvae_lite.media.midi.Score` holds notes, tempos and metres only, so the events of the file itself are edited.
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import DRUM_CHANNEL, MidiError, Score, as_track, unwrap_riff

# Events of one tick: notes end, then comes what the file has, then notes start.
_ENDS, _FILE, _STARTS = range(3)


_Keys = Counter[tuple[int, int, int]]  # tick, pitch, velocity


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
        MidiError: the file is damaged in a way that only its notes survive.
    """
    import mido

    try:
        file = mido.MidiFile(file=io.BytesIO(unwrap_riff(data, before.source)), clip=True)
    except Exception as error:  # mido raises OSError, EOFError, KeyError, IndexError and ValueError on damaged files
        raise MidiError(before.source, "cannot be edited", f"its other tracks cannot be kept ({error})") from error
    gone, new = np.setdiff1d(before.notes, after.notes), np.setdiff1d(after.notes, before.notes)
    places = _places(file, before)
    for chunk, track in enumerate(file.tracks):
        own = [(index, place) for index, place in enumerate(places) if place.chunk == chunk]
        if not any((gone["track"] == index).any() or (new["track"] == index).any() for index, _ in own):
            continue
        notes = {place: (_keys(gone, index), _keys(before.notes, index)) for index, place in own}
        events = _without(track, chunk, notes)
        for index, place in own:
            events += _events(new[new["track"] == index], place.channel)
        events.sort(key=lambda event: event[:2])
        length = sum(message.time for message in track)
        file.tracks[chunk] = as_track([(tick, message) for tick, _, message in events], length)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _keys(notes: NDArray[np.void], track: int) -> _Keys:
    """Count the starts of the notes of one track."""
    notes = notes[notes["track"] == track]
    return Counter(zip(notes["start"].tolist(), notes["pitch"].tolist(), notes["velocity"].tolist(), strict=True))


def _places(file: Any, score: Score) -> list[_Place]:
    """Find every track of the score in the file: the first place not taken that has its program and its notes.

    Raises:
        MidiError: there is none.
    """
    found: dict[_Place, _Keys] = defaultdict(Counter)
    for chunk, track in enumerate(file.tracks):
        for tick, program, message in _walk(track):
            if message.type == "note_on" and message.velocity:
                found[_Place(chunk, message.channel, program)][tick, message.note, message.velocity] += 1
    places: list[_Place] = []
    for index, who in enumerate(score.tracks):
        keys = _keys(score.notes, index)
        for place, there in found.items():
            fits = place.program == who.program and (place.channel == DRUM_CHANNEL) == who.is_drum
            if fits and place not in places and keys <= there:
                places.append(place)
                break
        else:
            raise MidiError(score.source, "cannot be edited", f"its other tracks cannot be kept (track {index + 1} is not found)")
    return places


def _walk(track: Any) -> Iterator[tuple[int, int, Any]]:
    """Yield tick, program of its channel and message for every message of a chunk."""
    tick = 0
    programs = [0] * 16
    for message in track:
        tick += message.time
        if message.type == "program_change":
            programs[message.channel] = message.program
        yield tick, programs[message.channel] if hasattr(message, "channel") else 0, message


def _without(track: Any, chunk: int, notes: dict[_Place, tuple[_Keys, _Keys]]) -> list[tuple[int, int, Any]]:
    """Return the events of a chunk without the notes that leave; a note-off goes with the last note that it ends.

    Args:
        track: the chunk.
        chunk: its number.
        notes: the notes that leave each place (used up here), and all that the score has of it.
    """
    sounding: dict[tuple[int, int], list[bool]] = defaultdict(list)  # whether each leaves
    events = []
    for tick, program, message in _walk(track):
        leaves = message.type == "end_of_track"
        if message.type == "note_on" and message.velocity:
            gone, known = notes.get(_Place(chunk, message.channel, program), (_Keys(), _Keys()))
            key, voice = (tick, message.note, message.velocity), sounding[message.channel, message.note]
            # What is struck again while it sounds and has no end of its own is no note of the score, and goes with the first.
            leaves = gone[key] > 0 or (not known[key] and any(voice))
            gone[key] -= gone[key] > 0
            voice.append(leaves)
        elif message.type in ("note_on", "note_off"):
            ended = sounding.pop((message.channel, message.note), [])
            leaves = bool(ended) and all(ended)
        if not leaves:
            events.append((tick, _FILE, message))
    return events


def _events(notes: NDArray[np.void], channel: int) -> list[tuple[int, int, Any]]:
    from mido import Message

    events: list[tuple[int, int, Any]] = []
    for start, end, pitch, velocity, _ in notes.tolist():
        events.append((start, _STARTS, Message("note_on", note=pitch, velocity=velocity, channel=channel)))
        events.append((end, _ENDS, Message("note_off", note=pitch, velocity=0, channel=channel)))
    return events
