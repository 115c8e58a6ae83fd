"""Off the grid, swung, or without a grid: said, and given back."""

from dataclasses import replace

import numpy as np
import pytest

import musicvae_lite as mv
from musicvae_lite.media.midi import METRE, NOTE, Score, Track
from musicvae_lite.music.codecs.groove import GrooveCodec
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.remarks import of_timing, remarks
from musicvae_lite.music.splice import in_piece
from musicvae_lite.music.timing import as_played, find_swing, straightened, swung, timing
from musicvae_lite.music.windows import rebuild, whole_melody

CODEC = MelodyCodec()


def tune(starts: list[int], length: int = 200, ticks: int = 480) -> Score:
    rows = [(start, start + length, 60 + n % 7, 80, 0) for n, start in enumerate(starts)]
    return Score(ticks, np.array(rows, NOTE), (Track("Tune"),), source="tune")


def eighths(second: int, bars: int = 2) -> list[int]:
    """Eighths of which the second comes at a tick of the beat."""
    return [480 * beat + place for beat in range(4 * bars) for place in (0, second)]


def of(piece: Score) -> tuple[int, int]:
    found = timing(piece, np.arange(len(piece.notes)), CODEC)
    return found.notes, found.off


def test_notes_off_the_grid_are_counted() -> None:
    triplets = [480 * beat + third for beat in range(4) for third in (0, 160, 320)]
    piece = tune(triplets + [1920 + 480 * beat for beat in range(4)])
    assert of(piece) == (16, 8)  # two of three, 40 of 120 ticks from a sixteenth
    line = of_timing(timing(piece, np.arange(16), CODEC), None, CODEC)
    assert line.startswith("8 of 16 notes are off the grid") and "triplets" in line
    assert of(tune(eighths(240))) == (16, 0) and of(tune(eighths(320))) == (16, 8)
    assert find_swing(piece, CODEC) is None
    passage = whole_melody(piece, CODEC, "tiny")
    assert passage.as_dict()["grid"]["off"] == 8 and line in remarks(passage, CODEC)


def test_a_performance_without_a_grid_is_told_so() -> None:
    random = np.random.default_rng(1)
    free = tune(np.sort(random.integers(0, 480 * 64, 300)).tolist())
    line = of_timing(timing(free, np.arange(300), CODEC), None, CODEC)
    assert "no nearer the grid" in line and "quantise" in line
    played = tune([120 * n + int(random.normal(0, 12)) + 60 for n in range(2, 200)])
    shifted = replace(played, notes=played.notes.copy())
    shifted.notes["start"] -= 60  # the same on the beat
    assert not timing(shifted, np.arange(198), CODEC).by_chance
    assert (
        GrooveCodec.timed
        and of_timing(timing(free, np.arange(300), CODEC), None, GrooveCodec()) == ""
    )


@pytest.mark.parametrize("second", [280, 300, 320, 336])
def test_swing_is_measured_and_taken_out(second: int) -> None:
    swing = find_swing(tune(eighths(second)), CODEC)
    assert swing is not None and swing.what == "eighths"
    assert swing.ratio == pytest.approx(second / 480, abs=0.002)
    straight = straightened(swing)
    assert straight.notes["start"].tolist() == eighths(240)
    again = swung(straight, swing.ratio, swing.what)
    assert again.notes["start"].tolist() == eighths(second)


def test_sixteenths_swing_too() -> None:
    starts = [240 * n + place for n in range(16) for place in (0, 150)]
    swing = find_swing(tune(starts, 80), CODEC)
    assert swing is not None and swing.what == "sixteenths"
    assert straightened(swing).notes["start"].tolist() == [120 * n for n in range(32)]


@pytest.mark.parametrize("second", [240, 360, 250])
def test_straight_and_dotted_notes_do_not_swing(second: int) -> None:
    assert find_swing(tune(eighths(second)), CODEC) is None


def test_other_metres_and_what_knows_of_timing_keep_it() -> None:
    piece = tune(eighths(320))
    assert find_swing(piece, GrooveCodec()) is None
    jig = replace(piece, metres=np.array([(0, 6, 8)], METRE))
    assert find_swing(jig, MelodyCodec(numerator=6, denominator=8, steps_per_quarter=4)) is None


def test_notes_that_stay_are_to_the_tick_where_they_were() -> None:
    random = np.random.default_rng(2)
    starts = [start + int(random.integers(-9, 10)) for start in eighths(320, 4)]
    starts[0] = 0
    piece = tune(starts)
    passage = whole_melody(piece, CODEC, "tiny", overlapping=True)
    assert passage.swing is not None and passage.piece is piece
    assert as_played(passage.score, passage.swing) == piece
    made = rebuild(passage, passage.windows, CODEC, "x")
    result = as_played(in_piece(passage, made, CODEC), passage.swing)
    assert len(result.notes) == 32
    assert abs(result.notes["start"] - np.array(eighths(320, 4))).max() <= 9


def test_a_session_gives_swing_back() -> None:
    session = mv.load("mel-2bar", device="cpu")
    piece = tune(eighths(320), 150)
    for keep_tracks in (False, True):
        result = session.reconstruct(piece, keep_tracks=keep_tracks)
        assert set((result.score.notes["start"] % 480).tolist()) <= {0, 320}
        assert result.onset_accuracy > 0.8 and set(result.score.notes["velocity"]) == {80}


def test_low_tunes_are_moved_to_where_the_model_knows_them() -> None:
    session = mv.load("mel-2bar", device="cpu")
    low = tune(eighths(240, 4), 240)
    low.notes["pitch"] -= 33  # MIDI 27 to 33
    result = session.reconstruct(low)
    assert result.passage.octaves >= 2 and result.onset_accuracy > 0.85
    assert result.score.notes["pitch"].max() < 40
    usual = session.reconstruct(tune(eighths(240)))
    assert usual.passage.octaves == 0
