"""Measures of notes."""

import numpy as np
import pytest
import torch

from musicvae_lite.core.medium import build_model
from musicvae_lite.media.midi import METRE, NOTE, Score, Track
from musicvae_lite.music.codecs.multitrack import MultitrackCodec
from musicvae_lite.music.codecs.piano import PianoCodec
from musicvae_lite.music.codecs.piano_notes import KEYS, STRUCK
from musicvae_lite.music.evaluate.notes import MEANINGS, compare_notes, evaluate_notes
from musicvae_lite.music.notes import NoteChanges, notes_of
from tests.tiny import SETTINGS, load_config, score_codec

PIANO, BAND = PianoCodec(), MultitrackCodec(min_events=1)


def piano(notes):
    """One window of (step, key, steps, loudness)."""
    window = np.zeros((32, KEYS), np.uint8)
    for step, key, steps, loudness in notes:
        window[step : step + steps, key] = 1
        window[step, key] = STRUCK + loudness
    return window[None]


def band(rows, programs=(33, 0)):
    """One bar of (start, end, pitch, velocity, track) in ticks of 480 a quarter, drums last."""
    tracks = (*(Track("", program) for program in programs), Track("", 0, True))
    metres = np.array([(0, 4, 4)], METRE)
    return BAND.encode(Score(480, np.array(rows, NOTE), tracks, metres=metres)).windows


def test_a_piano_is_measured_by_starts_ends_and_loudness():
    given = piano([(0, 30, 4, 0), (8, 40, 2, 3), (8, 44, 2, 3)])
    same = {"onset_f1": 1, "note_f1": 1, "velocity_error": 0}
    assert compare_notes(PIANO, given, given) == same
    heard = piano([(0, 30, 4, 2), (8, 40, 3, 3), (8, 45, 2, 3), (9, 45, 1, 3)])
    values = compare_notes(PIANO, heard, given)
    assert values["onset_f1"] == pytest.approx(2 * 2 / 7)
    assert values["note_f1"] == pytest.approx(2 * 1 / 7)
    assert values["velocity_error"] == pytest.approx(32 / 2)
    nothing = compare_notes(PIANO, piano([]), piano([]))
    assert set(nothing.values()) == {None}


def test_a_band_is_measured_by_instruments_and_drums_have_no_ends():
    rows = [(0, 480, 40, 64, 0), (0, 960, 60, 64, 1), (0, 20, 36, 64, 2), (480, 500, 38, 64, 2)]
    given = band(rows)
    assert compare_notes(BAND, given, given) == {
        "onset_f1": 1,
        "note_f1": 1,
        "pitch_f1": 1,
        "program_f1": 1,
        "velocity_error": 0,
    }
    longer = [(start, end + 20 * (track == 2), *rest, track) for start, end, *rest, track in rows]
    assert compare_notes(BAND, band(longer), given)["note_f1"] == 1
    other = compare_notes(BAND, band(rows, (34, 0)), given)
    assert other["onset_f1"] == pytest.approx(3 / 4)
    assert other["pitch_f1"] == 1
    assert other["program_f1"] == pytest.approx(2 / 3)
    assert set(other) <= set(MEANINGS)


def test_notes_are_counted_in_steps():
    notes = notes_of(PIANO, piano([(3, 30, 4, 0)]))
    assert notes[["window", "pitch", "start", "end"]].tolist() == [(0, 51, 3, 7)]


def test_a_model_is_measured_in_batches():
    config = load_config("piano-2bar", SETTINGS)
    codec = score_codec(config.codec.model_dump())
    torch.manual_seed(0)
    model = build_model(config, codec)
    windows = np.concatenate([piano([(step, 30, 2, 1)]) for step in range(5)])
    one = evaluate_notes(model, windows, codec, batch_size=2)
    assert one == evaluate_notes(model, windows, codec)
    assert 0 <= one["onset_f1"] <= 1


def test_changes_of_notes_are_counted():
    given = piano([(0, 30, 4, 0), (8, 40, 2, 3), (20, 44, 2, 3), (24, 50, 1, 0)])
    heard = piano([(0, 30, 4, 2), (9, 40, 3, 3), (4, 44, 2, 3)])  # the last one: another bar
    changes = NoteChanges.between(PIANO, heard, given)
    assert changes == NoteChanges(kept=1, moved=1, dropped=2, added=1)
    assert str(changes) == "1 notes kept, 1 moved, 2 dropped, 1 added"
    assert str(NoteChanges.between(PIANO, given, given)) == "4 notes kept"
