"""Notes of MIDI files as pretty_midi and mido read them.

The second readers that ours is held against.
"""

import io
import warnings
from collections import Counter

import mido


def by_pretty_midi(
    data: bytes,
) -> tuple[list[tuple[int, bool]], Counter[tuple[int, int, int, int]]]:
    """Return program and "is drums" of the instruments, and how often there is each note (start,
    end, pitch, velocity).
    """
    with warnings.catch_warnings():
        # about its own dependencies, and about meta events on later tracks
        warnings.simplefilter("ignore")
        import pretty_midi

        piece = pretty_midi.PrettyMIDI(io.BytesIO(data))
    tick = piece.time_to_tick
    instruments = [instrument for instrument in piece.instruments if instrument.notes]
    notes = Counter(
        (int(tick(note.start)), int(tick(note.end)), note.pitch, note.velocity)
        for instrument in instruments
        for note in instrument.notes
    )
    return [(int(own.program), bool(own.is_drum)) for own in instruments], notes


def note_ons(data: bytes) -> int:
    """Count the note-ons of a file with mido, values above 127 clipped."""
    file = mido.MidiFile(file=io.BytesIO(data), clip=True)
    return sum(
        message.type == "note_on" and message.velocity > 0
        for track in file.tracks
        for message in track
    )
