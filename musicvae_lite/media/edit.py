"""Other notes in a MIDI file, and nothing else changed: controllers, pitch bends, lyrics, keys and markers stay where they are.

A :class:`~musicvae_lite.media.midi.Score` holds notes, tempos and metres only, so the events of the file itself are edited.
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import DRUM_CHANNEL, MidiError, Score, as_track, unwrap_riff

# Events of one tick: notes end, then comes what the file has, then notes start.
_ENDS, _FILE, _STARTS = range(3)


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
        leaving = {place: _keys(gone[gone["track"] == index]) for index, place in own}
        events = _without(track, leaving)
        for index, place in own:
            events += _events(new[new["track"] == index], place.channel)
        events.sort(key=lambda event: event[:2])
        length = sum(message.time for message in track)
        file.tracks[chunk] = as_track([(tick, message) for tick, _, message in events], length)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _keys(notes: NDArray[np.void]) -> Counter[tuple[int, int, int]]:
    return Counter(zip(notes["start"].tolist(), notes["pitch"].tolist(), notes["velocity"].tolist(), strict=True))


def _places(file: Any, score: Score) -> list[_Place]:
    """Find every track of the score in the file: the first place not taken that has its program and its notes.

    Raises:
        MidiError: there is none.
    """
    found: dict[_Place, Counter[tuple[int, int, int]]] = defaultdict(Counter)
    for chunk, track in enumerate(file.tracks):
        for tick, program, message in _walk(track):
            if message.type == "note_on" and message.velocity:
                found[_Place(chunk, message.channel, program)][tick, message.note, message.velocity] += 1
    places: list[_Place] = []
    for index, who in enumerate(score.tracks):
        keys = _keys(score.notes[score.notes["track"] == index])
        for place, there in found.items():
            fits = place.program == who.program and (place.channel == DRUM_CHANNEL) == who.is_drum
            if fits and place not in places and keys <= there:
                places.append(place)
                break
        else:
            raise MidiError(score.source, "cannot be edited", f"its other tracks cannot be kept (track {index + 1} is not found)")
    return places


def _walk(track: Any) -> Any:
    """Yield tick, program of its channel and message for every message of a chunk."""
    tick = 0
    programs = [0] * 16
    for message in track:
        tick += message.time
        if message.type == "program_change":
            programs[message.channel] = message.program
        yield tick, programs[message.channel] if hasattr(message, "channel") else 0, message


def _without(track: Any, leaving: dict[_Place, Counter[tuple[int, int, int]]]) -> list[tuple[int, int, Any]]:
    """Return the events of a chunk without the notes that leave; a note-off goes with the last note that it ends."""
    chunk = next(iter(leaving)).chunk
    sounding: dict[tuple[int, int], list[bool]] = defaultdict(list)  # whether each leaves
    events = []
    for tick, program, message in _walk(track):
        if message.type == "end_of_track":
            continue
        if message.type in ("note_on", "note_off"):
            voice = message.channel, message.note
            if message.type == "note_on" and message.velocity:
                keys = leaving.get(_Place(chunk, message.channel, program), Counter())
                key = tick, message.note, message.velocity
                leaves = keys[key] > 0
                keys[key] -= leaves
                sounding[voice].append(leaves)
            else:
                ended = sounding.pop(voice, [])
                leaves = bool(ended) and all(ended)
            if leaves:
                continue
        events.append((tick, _FILE, message))
    return events


def _events(notes: NDArray[np.void], channel: int) -> list[tuple[int, int, Any]]:
    from mido import Message

    events: list[tuple[int, int, Any]] = []
    for start, end, pitch, velocity, _ in notes.tolist():
        events.append((start, _STARTS, Message("note_on", note=pitch, velocity=velocity, channel=channel)))
        events.append((end, _ENDS, Message("note_off", note=pitch, velocity=0, channel=channel)))
    return events
