"""Windows as the page reads them: notes in quarter notes, tracks, chords and the point.

``page/src/model.js`` describes these records.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import Score
from musicvae_lite.music.chords import NO_CHORD, chord_symbol
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.harmony import harmony
from musicvae_lite.music.windows import any_instrument

_DIGITS = 6  # of a time in quarter notes: a microsecond


def piece(score: Score, point: Sequence[float]) -> dict[str, Any]:
    """Return a score of one window as a ``Piece``.

    Args:
        score: the window, from tick 0 on.
        point: its z [Z].
    """
    ticks = score.ticks_per_quarter
    notes = score.notes[np.lexsort((score.notes["pitch"], score.notes["start"]))]
    return {
        "tracks": [
            {"name": _voice(track.name), "program": track.program, "drum": track.is_drum}
            for track in score.tracks
        ],
        "notes": [
            {
                "start": round(int(row["start"]) / ticks, _DIGITS),
                "end": round(int(row["end"]) / ticks, _DIGITS),
                "pitch": int(row["pitch"]),
                "velocity": int(row["velocity"]),
                "track": int(row["track"]),
            }
            for row in notes
        ],
        "chords": _chords(score),
        "z": list(point),
    }


def _voice(name: str) -> str:
    """Return the voice that a codec of several puts behind the name of the piece: ``X (bass)``."""
    found = re.fullmatch(r".*\((\w+)\)", name)
    return found[1] if found else name


def _chords(score: Score) -> list[dict[str, Any]]:
    """Return the chords that are written into a score, or else those that its notes say."""
    ticks = score.ticks_per_quarter
    written = [(text.tick, text.text) for text in score.texts if text.kind == "marker"]
    if not written:
        if all(track.is_drum for track in score.tracks) or not len(score.notes):
            return []
        written = harmony(score).symbols()
    silent = chord_symbol(NO_CHORD)
    return [
        {"at": round(tick / ticks, _DIGITS), "symbol": "" if symbol == silent else symbol}
        for tick, symbol in written
    ]


def choices(score: Score, codec: ScoreCodec) -> list[dict[str, Any]]:
    """Return all windows that a codec can use: tracks (1-based) and the bars they start at."""
    encoded = codec.encode(score)
    if not len(encoded.windows):
        encoded = any_instrument(codec).encode(score)
    found = []
    for parts in np.unique(encoded.parts, axis=0):
        rows = (encoded.parts == parts).all(1)
        numbers = (parts.astype(int) + 1).tolist()
        bars = np.unique(encoded.origin["bar"][rows].astype(np.int64) + 1).tolist()
        label = _label(score, codec, numbers)
        found.append({"parts": numbers, "label": label, "bars": bars})
    return found


def _label(score: Score, codec: ScoreCodec, numbers: Sequence[int]) -> str:
    """Name tracks as the verbs do."""
    if codec.whole:
        return "all tracks"
    if len(numbers) > 1:
        pairs = zip(codec.roles, numbers, strict=True)
        return ", ".join(f"{role} {number}" for role, number in pairs)
    name = score.tracks[numbers[0] - 1].name
    return f"track {numbers[0]}" + (f" ({name})" if name else "")


def points_of(rows: NDArray[Any]) -> list[list[float]]:
    """Return points [N, Z] as lists; float32 needs no more than nine digits."""
    return [[float(f"{number:.9g}") for number in row] for row in rows.tolist()]
