"""Chords on a track of their own."""

from dataclasses import replace

import numpy as np
import pytest

from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.midi import METRE, NOTE, Score, Text, Track, midi_bytes, read_midi
from musicvae_lite.music.accompany import PATTERNS, accompanied

BAR = 1920


def piece(chords, bars=4, metre=(4, 4)):
    """A note a bar, a chord marker at each (bar, symbol)."""
    bar = BAR * metre[0] // metre[1]
    notes = np.array([(n * bar, (n + 1) * bar - 10, 72, 90, 0) for n in range(bars)], NOTE)
    texts = tuple(Text(int(at * bar), "marker", symbol) for at, symbol in chords)
    return Score(480, notes, (Track("tune"),), metres=np.array([(0, *metre)], METRE), texts=texts)


def added(score, pattern):
    """The notes that the new track has."""
    made = accompanied(score, pattern)
    assert made.tracks[-1].name == "chords"
    return made.notes[made.notes["track"] == len(score.tracks)]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_all_notes_are_of_the_chord_of_their_time(pattern):
    notes = added(piece([(0, "C"), (1, "Am"), (2, "F"), (3.5, "Gdim")]), pattern)
    triads = [(0, BAR, {0, 4, 7}), (BAR, 2 * BAR, {9, 0, 4})]
    triads += [(2 * BAR, 3.5 * BAR, {5, 9, 0}), (3.5 * BAR, 4 * BAR, {7, 10, 1})]
    for start, end, triad in triads:
        own = notes[(notes["start"] >= start) & (notes["start"] < end)]
        assert set((own["pitch"] % 12).tolist()) == triad
        assert own["start"].min() == start and own["end"].max() == end
    assert notes["pitch"].min() >= 36 and notes["pitch"].max() <= 72


def test_patterns():
    score = piece([(0, "C")], bars=1)
    assert len(added(score, "block")) == 4
    assert len(np.unique(added(score, "arpeggio")["start"])) == 8
    stride = added(score, "stride")
    assert np.unique(stride["start"], return_counts=True)[1].tolist() == [1, 3, 1, 3]
    waltz = added(piece([(0, "C")], 1, (3, 4)), "stride")
    assert np.unique(waltz["start"]).tolist() == [0, 480, 960]
    jig = added(piece([(0, "C")], 1, (6, 8)), "stride")  # beats are dotted quarters
    assert np.unique(jig["start"]).tolist() == [0, 720]


def test_voices_move_little_and_silence_stays_silent():
    notes = added(piece([(0, "C"), (1, "N.C."), (2, "F"), (3, "G")]), "block")
    assert not ((notes["start"] >= BAR) & (notes["start"] < 2 * BAR)).any()
    chords = [
        np.sort(notes["pitch"][notes["start"] == bar * BAR].astype(int))[1:] for bar in (2, 3)
    ]
    assert np.abs(chords[0] - chords[1]).max() <= 4


def test_a_score_without_chords_stays_and_patterns_are_named():
    score = piece([])
    assert accompanied(score) is score
    assert accompanied(piece([(0, "N.C."), (1, "hello")])).tracks == score.tracks
    empty = replace(piece([(0, "C")]), notes=np.zeros(0, NOTE))
    assert accompanied(empty) is empty
    with pytest.raises(UsageError, match="arpeggio"):
        accompanied(score, "arpegio")


def test_the_track_comes_back_from_a_file():
    made = accompanied(piece([(0, "C"), (2, "G")]), "arpeggio", program=24)
    again = read_midi(midi_bytes(made))
    assert [track.program for track in again.tracks] == [0, 24]
    assert len(again.notes) == len(made.notes)
