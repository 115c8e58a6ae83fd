"""What a model made, put back into its piece: all else of the piece stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.codecs import ScoreCodec
from musicvae_lite.codecs.grid import Grid
from musicvae_lite.media.midi import NOTE, Score, Track
from musicvae_lite.passages import Passage, in_ticks

Ints = NDArray[np.int64]


def in_piece(passage: Passage, made: Score, codec: ScoreCodec) -> Score:
    """Return the piece with the notes of ``made`` instead of those that the windows of ``passage`` are made of.

    Only notes of the tracks that were read, in the bars that the windows cover, are replaced; ticks of the piece are kept. A new
    note is as loud as the note of its track that started last before it. A codec that makes all tracks says itself how loud notes
    are; each track that it makes goes to the first of the piece with its instrument, or is a new one after them.

    Args:
        passage: windows and their piece.
        made: what :func:`~musicvae_lite.passages.rebuild` made of them, a track for each voice.
        codec: of the windows.
    """
    piece = passage.score
    covered = _covered(passage, codec)
    old = piece.notes[covered]
    new = made.notes.copy()
    for column in ("start", "end"):
        new[column] = in_ticks(new[column], made.ticks_per_quarter, piece.ticks_per_quarter)
    new["end"] = np.maximum(new["end"], new["start"] + 1)
    if codec.whole:
        places, every = _by_instrument(piece.tracks, made.tracks)
        new["track"] = np.array(places, np.uint16)[new["track"]]
        return replace(piece, notes=np.concatenate([piece.notes[~covered], new]).astype(NOTE), tracks=every)
    voices = [[number - 1] for number in passage.parts.values()] or [list(passage.read)]
    for voice, tracks in enumerate(voices):
        own = made.notes["track"] == voice
        before = old[np.isin(old["track"], tracks)]
        before = before[np.argsort(before["start"], kind="stable")]
        new["track"][own] = tracks[0]
        if len(before):
            row = np.searchsorted(before["start"], new["start"][own], side="right") - 1
            new["velocity"][own] = before["velocity"][np.maximum(row, 0)]
    return replace(piece, notes=np.concatenate([piece.notes[~covered], new]).astype(NOTE))


def _by_instrument(there: tuple[Track, ...], made: tuple[Track, ...]) -> tuple[list[int], tuple[Track, ...]]:
    """Return which of the tracks each of those ``made`` becomes, and all tracks with the new ones at the end."""
    tracks, places = list(there), list[int]()
    for track in made:
        same = (index for index, own in enumerate(tracks) if _instrument(own) == _instrument(track) and index not in places)
        places.append(next(same, len(tracks)))
        tracks += [track] if places[-1] == len(tracks) else []
    return places, tuple(tracks)


def _instrument(track: Track) -> int:
    return -1 if track.is_drum else track.program


def left_bars(passage: Passage, codec: ScoreCodec) -> Ints:
    """Return the bars of the piece, 1-based and ascending, that no window of ``passage`` covers."""
    inside = (passage.bars[:, None] + np.arange(codec.bars)).ravel()
    return np.setdiff1d(np.arange(1, passage.score.bars + 1), inside)


def _covered(passage: Passage, codec: ScoreCodec) -> NDArray[np.bool_]:
    """Say which notes of the piece the windows are made of: those of their tracks that start in one, as the codec hears them."""
    piece, grid = passage.score, Grid.of(passage.score, codec)
    # In parts of a tick of which half a step is a whole number: a note is of the step that it is nearest to.
    begin = passage.ticks * 2 * codec.steps_per_quarter
    length = codec.grid_steps * 2 * piece.ticks_per_quarter
    place = piece.notes["start"] * 2 * codec.steps_per_quarter + piece.ticks_per_quarter
    metre = np.searchsorted(grid.start, passage.ticks, side="right") - 1
    window = np.searchsorted(begin, place, side="right") - 1
    # The last bar of a metre may be cut short: a note that is nearest to the first step of the next metre is still of this one.
    window -= metre[np.maximum(window, 0)] > grid.segment
    inside = (window >= 0) & (metre[np.maximum(window, 0)] == grid.segment)
    inside &= place < begin[np.maximum(window, 0)] + length
    covered: NDArray[np.bool_] = inside & np.isin(piece.notes["track"], passage.read)
    return covered
