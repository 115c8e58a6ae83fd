"""Melody extraction one step at a time, as Magenta describes it: slow and plain, to hold the fast
codec against.
"""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from musicvae_lite.media.midi import Score, Segment
from musicvae_lite.music.codecs.melody import MelodyCodec

Note = tuple[int, int, int]  # first step, step after the last, pitch
OFF, NOTHING = -1, -2


def windows(score: Score, codec: MelodyCodec) -> list[list[int]]:
    """All windows in order of track and time, silent ones included, no padding of short
    melodies.
    """
    found = []
    for track in range(len(score.tracks)):
        for segment in score.metre_segments():
            for melody in melodies(list(notes_of(score, track, segment, codec)), codec):
                size, hop = codec.steps, codec.hop_bars * codec.steps_per_bar
                for start in range(0, len(melody) - size + 1, hop):
                    found.append(tokens(melody[start : start + size], codec))
    return found


def notes_of(score: Score, track: int, segment: Segment, codec: MelodyCodec) -> Iterator[Note]:
    per_bar = Fraction(4 * segment.numerator * codec.steps_per_quarter, segment.denominator)
    who = score.tracks[track]
    compound = range(6, 33, 3)
    if (
        per_bar != codec.steps_per_bar
        or (segment.numerator in compound) != (codec.numerator in compound)
        or who.is_drum
    ):
        return
    if codec.programs is not None and not codec.programs[0] <= who.program <= codec.programs[1]:
        return
    for note in score.notes[score.notes["track"] == track].tolist():
        start, end, pitch, velocity, _ = note
        if (
            segment.start <= start < segment.end
            and velocity
            and codec.min_pitch <= pitch <= codec.max_pitch
        ):
            first, last = (
                int(
                    Fraction(
                        (tick - segment.start) * codec.steps_per_quarter, score.ticks_per_quarter
                    )
                    + Fraction(1, 2)
                )
                for tick in (start, min(end, segment.end))
            )
            yield first, max(last, first + 1), pitch


def melodies(notes: list[Note], codec: MelodyCodec) -> Iterator[list[int]]:
    search = 0
    while True:
        events, start = melody(notes, search, codec)
        if not events:
            return
        search = start + len(events)
        limit = None if codec.max_bars is None else codec.max_bars * codec.steps_per_bar
        yield events[:limit]


def melody(notes: list[Note], search: int, codec: MelodyCodec) -> tuple[list[int], int]:
    per_bar = codec.steps_per_bar
    rest = sorted(
        (note for note in notes if note[0] >= search), key=lambda note: (note[0], -note[2])
    )
    if not rest:
        return [], 0
    start = rest[0][0] - (rest[0][0] - search) % per_bar
    events: list[int] = []
    for first, last, pitch in rest:
        on, off = first - start, last - start
        if events:
            last_on = max(index for index, event in enumerate(events) if event >= 0)
            last_off = events.index(OFF, last_on)
            if on == last_on:
                continue
            if on - last_off >= codec.gap_bars * per_bar:
                break
        events = (events + [NOTHING] * (off + 1))[: off + 1]
        events[on:] = [pitch] + [NOTHING] * (off - on - 1) + [OFF]
    events.pop()
    missing = -len(events) % per_bar
    return events + ([OFF] + [NOTHING] * (missing - 1) if missing else []), start


def tokens(events: list[int], codec: MelodyCodec) -> list[int]:
    heard = False
    result = []
    for event in events:
        heard = heard or event >= 0
        result.append(
            0
            if event == NOTHING or not heard
            else 1
            if event == OFF
            else event - codec.min_pitch + 2
        )
    return result


def as_array(rows: list[list[int]], codec: MelodyCodec) -> np.ndarray:
    return np.array(rows, np.uint8).reshape(len(rows), codec.steps)
