"""What a model made, put back into its piece: all else of the piece stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.midi import NOTE, Score, Track
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.codecs.grid import Grid
from musicvae_lite.music.dynamics import loudness_at
from musicvae_lite.music.windows import Passage, in_ticks

Ints = NDArray[np.int64]


def in_piece(passage: Passage, made: Score, codec: ScoreCodec, unheard: bool = True) -> Score:
    """Return the piece with the notes of ``made`` instead of those that the windows of ``passage``
    are made of.

    Only notes of the tracks that were read, in the bars that the windows cover, are replaced; ticks
    of the piece are kept. Notes that the codec does not hear, those under a melody, stay, unless a
    new note strikes their key while they sound. A new note is as loud as the note of its track that
    started last before it, where the windows do not say how loud it is. Of a codec that makes all
    tracks, each goes to the first of the piece with its instrument, or is a new one after them.

    Args:
        passage: windows and their piece.
        made: what :func:`~musicvae_lite.music.windows.rebuild` made of them, a track for each
            voice.
        codec: of the windows.
        unheard: keep the notes of the tracks that the codec does not hear.
    """
    piece, metres = passage.score, passage.piece.metres
    covered = covered_by(passage, codec)
    silent = covered & ~_read(passage, codec, covered) if unheard else np.zeros_like(covered)
    covered &= ~silent
    old = piece.notes[covered]
    new = made.notes.copy()
    for column in ("start", "end"):
        new[column] = in_ticks(new[column], made.ticks_per_quarter, piece.ticks_per_quarter)
    new["end"] = np.maximum(new["end"], new["start"] + 1)
    if codec.whole:
        places, every = _by_instrument(piece.tracks, made.tracks)
        new["track"] = np.array(places, np.uint16)[new["track"]]
        return replace(
            piece,
            metres=metres,
            notes=np.concatenate([piece.notes[~covered], new]).astype(NOTE),
            tracks=every,
        )
    for voice, tracks in enumerate(passage.voices):
        own = made.notes["track"] == voice
        before = old[np.isin(old["track"], tracks)]
        new["track"][own] = _track_of(new["pitch"][own], old, tracks)
        if len(before) and not codec.dynamic:
            new["velocity"][own] = loudness_at(before, new["start"][own])
    covered[np.flatnonzero(silent)[_struck(piece.notes[silent], new)]] = True
    return replace(
        piece, metres=metres, notes=np.concatenate([piece.notes[~covered], new]).astype(NOTE)
    )


def _track_of(
    pitch: NDArray[np.uint8], old: NDArray[np.void], tracks: tuple[int, ...]
) -> NDArray[np.uint16]:
    """Return the track of each new note [M]: of several the one that played most of its pitch.

    A kit may have a track for each drum. What none of them played goes to the first.
    """
    counts = np.stack(
        [np.bincount(old["pitch"][old["track"] == track], minlength=128) for track in tracks]
    )
    found: NDArray[np.uint16] = np.array(tracks, np.uint16)[counts.argmax(0)][pitch]
    return found


def lost_between_steps(passage: Passage, codec: ScoreCodec) -> int:
    """Count the notes that the windows cover and the codec reads, but has no step of their own."""
    covered, lost = covered_by(passage, codec), 0
    for voice, tracks in enumerate(passage.voices):
        own = np.flatnonzero(covered & np.isin(passage.score.notes["track"], tracks))
        lost += int(codec.fast(passage.score, own, voice).sum())
    return lost


def _read(passage: Passage, codec: ScoreCodec, covered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which of the notes that the windows cover the codec hears."""
    heard = np.zeros_like(covered)
    for voice, tracks in enumerate(passage.voices):
        own = np.flatnonzero(covered & np.isin(passage.score.notes["track"], tracks))
        heard[own] = codec.reads(passage.score, own, voice)
    return heard


def _struck(notes: NDArray[np.void], new: NDArray[np.void]) -> NDArray[np.bool_]:
    """Say of which notes [M] the key is struck by a new one while they sound: one key cannot sound
    twice.
    """
    found = np.zeros(len(notes), bool)
    for key in np.unique(notes[["track", "pitch"]]):
        own, others = (np.flatnonzero(table[["track", "pitch"]] == key) for table in (notes, new))
        begin, end = new["start"][others], new["end"][others]
        for row in own.tolist():
            found[row] = ((begin < notes["end"][row]) & (end > notes["start"][row])).any()
    return found


def _by_instrument(
    there: tuple[Track, ...], made: tuple[Track, ...]
) -> tuple[list[int], tuple[Track, ...]]:
    """Return which of the tracks each of those ``made`` becomes, and all tracks with the new ones
    at the end.
    """
    tracks, places = list(there), list[int]()
    for track in made:
        same = (
            index
            for index, own in enumerate(tracks)
            if _instrument(own) == _instrument(track) and index not in places
        )
        places.append(next(same, len(tracks)))
        tracks += [track] if places[-1] == len(tracks) else []
    return places, tuple(tracks)


def _instrument(track: Track) -> int:
    return -1 if track.is_drum else track.program


def check_way(passage: Passage, steps: int | None, name: str) -> None:
    """Refuse one song that turns into another where there is but one window, which cannot be both.

    Raises:
        UsageError: saying what to do.
    """
    if steps is None and len(passage.windows) < 2:
        raise UsageError(
            f"{passage.source}: has one window of {name}, which cannot begin as one song and end "
            "as another; give --steps N for "
            "songs on the way, or leave out --whole"
        )


def left_bars(passage: Passage, codec: ScoreCodec) -> Ints:
    """Return the bars of the piece, 1-based and ascending, that no window of ``passage`` covers."""
    inside = (passage.bars[:, None] + np.arange(codec.bars)).ravel()
    return np.setdiff1d(np.arange(1, passage.score.bars + 1), inside)


def covered_by(passage: Passage, codec: ScoreCodec) -> NDArray[np.bool_]:
    """Say which notes of the piece the windows are made of: those of their tracks that start in
    one, as the codec hears them.
    """
    piece, grid = passage.score, Grid.of(passage.score, codec)
    # In parts of a tick of which half a step is a whole number: a note is of the step that it is
    # nearest to.
    begin = passage.ticks * 2 * codec.steps_per_quarter
    length = codec.grid_steps * 2 * piece.ticks_per_quarter
    place = piece.notes["start"] * 2 * codec.steps_per_quarter + piece.ticks_per_quarter
    metre = np.searchsorted(grid.start, passage.ticks, side="right") - 1
    window = np.searchsorted(begin, place, side="right") - 1
    # The last bar of a metre may be cut short: a note that is nearest to the first step of the next
    # metre is still of this one.
    window -= metre[np.maximum(window, 0)] > grid.segment
    inside = (window >= 0) & (metre[np.maximum(window, 0)] == grid.segment)
    inside &= place < begin[np.maximum(window, 0)] + length
    covered: NDArray[np.bool_] = inside & np.isin(piece.notes["track"], passage.read)
    return covered
