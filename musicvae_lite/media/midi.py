"""Scores: reading and writing Standard MIDI Files, with time in integer ticks.

Reading is :mod:`musicvae_lite.media.midi_file` (the events of a file) and
:mod:`musicvae_lite.media.midi_notes` (their notes), as is editing
(:mod:`musicvae_lite.media.edit`). What is wrong with a file is told of in ``Score.notices``. mido
writes.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import atomic_output, shown
from musicvae_lite.media.midi_events import read_file, refusal
from musicvae_lite.media.midi_file import DRUM_CHANNEL, MidiError, MidiFile, read_bytes
from musicvae_lite.media.midi_notes import Notes, notes_of, pedals_of
from musicvae_lite.media.score import METRE, NOTE, PEDAL, TEMPO, Kind, Score, Segment, Text, Track
from musicvae_lite.media.words import decoded, printable

__all__ = [
    "METRE",
    "NOTE",
    "PEDAL",
    "TEMPO",
    "MidiError",
    "Score",
    "Segment",
    "Text",
    "Track",
    "midi_bytes",
    "read_midi",
    "score_of",
    "write_midi",
]

_TEXT_KINDS: dict[int, Kind] = {1: "text", 5: "lyrics", 6: "marker", 7: "cue_marker"}
_NAME, _TEMPO, _METRE = 0x03, 0x51, 0x58
_MAX_POWER = 6  # of the denominator of a metre: 64
_METRES_SHOWN = 3


def read_midi(
    path_or_bytes: str | os.PathLike[str] | bytes, source: str | None = None, texts: bool = False
) -> Score:
    """Read a Standard MIDI File (format 0 or 1, also RIFF-wrapped).

    Every note-on of the file is a note of the score, but for those of no length, which
    ``Score.notices`` counts.

    Args:
        path_or_bytes: a file, or the content of one.
        source: what messages call the file; default its path.
        texts: read texts, lyrics and markers, too; some files hold chord symbols there.

    Raises:
        MidiError: if the file cannot be read, is no MIDI file, is damaged or holds no notes.
    """
    if isinstance(path_or_bytes, bytes):
        name, data = source or "MIDI data", path_or_bytes
    else:
        name = source or shown(os.fspath(path_or_bytes))
        data = read_bytes(Path(path_or_bytes), name)
    file = read_file(data, name)
    return score_of(file, notes_of(file), name, texts)


def score_of(file: MidiFile, played: Notes, name: str, texts: bool = False) -> Score:
    """Return the score of a file that was walked over; see :func:`read_midi`.

    Raises:
        MidiError: it holds no notes.
    """
    if not len(played.start):
        raise _no_notes(file, played, name)
    if len(played.place) > np.iinfo(np.uint16).max:
        raise MidiError(name, "too many tracks", f"the file has {len(played.place)} tracks")
    notes = np.empty(len(played.start), NOTE)
    for column in ("start", "end", "pitch", "velocity", "track"):
        notes[column] = getattr(played, column)
    metres, strange = _metres(file)
    names = _names(file)
    tracks = tuple(
        Track(names.get(chunk, ""), program, channel == DRUM_CHANNEL)
        for chunk, channel, program in played.place.tolist()
    )
    return Score(
        file.ticks_per_quarter,
        notes,
        tracks,
        _tempos(file),
        metres,
        name,
        np.array(pedals_of(file, played), PEDAL),
        _texts(file) if texts else (),
        (*file.notices, *played.notices, *strange),
    )


def _no_notes(file: MidiFile, played: Notes, name: str) -> MidiError:
    """Say why a file gives no notes."""
    if file.notices:
        return refusal(name, file.notices)
    left_out = f" ({'; '.join(played.notices)})" if played.strikes else ""
    return MidiError(name, "no notes", f"the file holds no notes{left_out}")


def _names(file: MidiFile) -> dict[int, str]:
    """Return the names of the chunks that have one."""
    rows = file.metas((_NAME,))
    words = decoded([body for *_, body in rows])
    chunks = file.chunk[[row for row, *_ in rows]].tolist() if rows else []
    return {chunk: printable(word) for chunk, word in zip(chunks, words, strict=True)}


def _texts(file: MidiFile) -> tuple[Text, ...]:
    """Read the words of all chunks."""
    rows = [row for row in file.metas(tuple(_TEXT_KINDS)) if row[3].strip()]
    words = decoded([body for *_, body in rows])
    found = [
        Text(tick, _TEXT_KINDS[kind], printable(word))
        for (_, tick, kind, _), word in zip(rows, words, strict=True)
    ]
    return tuple(text for text in found if text.text)


def _tempos(file: MidiFile) -> NDArray[np.void]:
    rows = [
        (tick, int.from_bytes(body, "big"))
        for _, tick, _, body in file.metas((_TEMPO,))
        if len(body) == 3
    ]
    return np.array([(tick, _qpm(mspq)) for tick, mspq in rows if mspq], TEMPO)


def _metres(file: MidiFile) -> tuple[NDArray[np.void], list[str]]:
    """Read the metres; also say which are none that music can have."""
    rows, strange = [], []
    for _, tick, _, body in file.metas((_METRE,)):
        if len(body) < 2:
            strange.append("one of no numbers")
        elif not body[0] or body[1] > _MAX_POWER:
            strange.append(f"{body[0]}/2^{body[1]}")
        else:
            rows.append((tick, body[0], 2 ** body[1]))
    shown = ", ".join(list(dict.fromkeys(strange))[:_METRES_SHOWN])
    notices = (
        [f"{len(strange):,} impossible metre{'' if len(strange) == 1 else 's'} left out ({shown})"]
        if strange
        else []
    )
    return np.array(rows, METRE), notices


def _qpm(mspq: int) -> float:
    """Turn microseconds per quarter into quarters per minute.

    The value of two decimals that is written so, if there is one.
    """
    plain = round(6e7 / mspq, 2)
    return plain if plain > 0 and round(6e7 / plain) == mspq else 6e7 / mspq


def write_midi(score: Score, path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Write a score as a format 1 MIDI file; the same score gives the same bytes.

    Ticks, tempos (to a microsecond per quarter), metres, texts, names, programs and pedals survive
    a round trip through :func:`read_midi`. Notes of one track that overlap on one pitch cannot be
    told apart in MIDI and may come back paired differently.

    Raises:
        UsageError: if ``path`` exists and ``overwrite`` is false, or its folder does not exist.
        MusaeError: if the file system refuses, or the score has more ticks per quarter than MIDI
            can hold.
    """
    data = midi_bytes(score)
    with atomic_output(Path(path), overwrite) as temporary:
        temporary.write_bytes(data)


def midi_bytes(score: Score) -> bytes:
    """Return the content of the MIDI file that :func:`write_midi` writes."""
    import io

    import mido

    from musicvae_lite.media.midi_messages import chunks_of

    if not 0 < score.ticks_per_quarter < 2**15:
        raise MusaeError(
            f"{score.ticks_per_quarter} ticks per quarter note; MIDI files hold 1 to 32767"
        )
    file = mido.MidiFile(type=1, ticks_per_beat=score.ticks_per_quarter, charset="utf-8")
    file.tracks += chunks_of(score)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()
