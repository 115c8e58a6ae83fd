"""A score as the messages of a MIDI file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi_file import DRUM_CHANNEL, MAX_DELTA
from musicvae_lite.media.midi_notes import SUSTAIN
from musicvae_lite.media.score import Score, Track

if TYPE_CHECKING:
    from mido import MidiTrack


def chunks_of(score: Score) -> list[MidiTrack]:
    """Return the chunks of a format 1 file.

    One of tempos, metres and texts, then one for each track.
    """
    chunks = [_as_track(_conductor_events(score))]
    for index, (track, channel) in enumerate(
        zip(score.tracks, _channels(score.tracks), strict=True)
    ):
        notes, pedals = (table[table["track"] == index] for table in (score.notes, score.pedals))
        chunks.append(_as_track(_note_events(notes, pedals, track, channel)))
    return chunks


def _channels(tracks: Sequence[Track]) -> list[int]:
    """Return a channel for each track.

    More than 15 instruments share channels, first of all those of one program, so that none plays
    as another. Each has a chunk of its own, so that reading keeps them apart.
    """
    free = [channel for channel in range(16) if channel != DRUM_CHANNEL]
    melodic = [track.program for track in tracks if not track.is_drum]
    channels = list(range(len(tracks)))
    if len(melodic) > len(free):
        channels = [
            0 if track.is_drum else list(dict.fromkeys(melodic)).index(track.program)
            for track in tracks
        ]
    places = zip(tracks, channels, strict=True)
    return [DRUM_CHANNEL if track.is_drum else free[place % len(free)] for track, place in places]


def _conductor_events(score: Score) -> list[tuple[int, Any]]:
    """Tempo, metre and text messages with their ticks."""
    from mido import MetaMessage

    events: list[tuple[int, Any]] = []
    for tick, numerator, denominator in score.metres.tolist():
        events.append(
            (tick, MetaMessage("time_signature", numerator=numerator, denominator=denominator))
        )
    for tick, qpm in score.tempos.tolist():
        mspq = min(max(round(6e7 / qpm), 1), 2**24 - 1)
        events.append((tick, MetaMessage("set_tempo", tempo=mspq)))
    for tick, kind, text in score.texts:
        events.append((tick, MetaMessage(kind, text=text)))
    return sorted(events, key=lambda event: event[0])


def _note_events(
    notes: NDArray[np.void], pedals: NDArray[np.void], track: Track, channel: int
) -> list[tuple[int, Any]]:
    """Name, program, note and pedal messages of one track.

    At one tick a note ends before the next one starts.
    """
    from mido import Message, MetaMessage

    events: list[tuple[int, Any]] = []
    if track.name:
        events.append((0, MetaMessage("track_name", name=track.name)))
    events.append((0, Message("program_change", program=track.program, channel=channel)))
    timed = []
    for start, end, pitch, velocity, _ in notes.tolist():
        on = Message("note_on", note=pitch, velocity=velocity, channel=channel)
        off = Message("note_off", note=pitch, velocity=0, channel=channel)
        timed += [(start, 1, on), (end, 0 if end > start else 2, off)]
    for (
        start,
        end,
        _,
    ) in (
        pedals.tolist()
    ):  # a pedal acts before the notes of its tick, and is lifted before it is pressed again
        for tick, order, value in ((start, -1, 127), (end, -2, 0)):
            timed.append(
                (
                    tick,
                    order,
                    Message("control_change", control=SUSTAIN, value=value, channel=channel),
                )
            )
    timed.sort(key=lambda event: event[:2])
    return events + [(tick, message) for tick, _, message in timed]


def _as_track(events: list[tuple[int, Any]]) -> Any:
    """Turn ticks into the times between messages, with empty texts where a pause is too long."""
    from mido import MetaMessage, MidiTrack

    track = MidiTrack()
    now = 0
    for tick, message in events:
        while tick - now > MAX_DELTA:
            track.append(MetaMessage("text", text="", time=MAX_DELTA))
            now += MAX_DELTA
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(MetaMessage("end_of_track", time=0))
    return track
