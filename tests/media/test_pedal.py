import numpy as np
import pytest

from musicvae_lite.media import midi
from musicvae_lite.media.midi import NOTE, PEDAL, Score, Track, read_midi
from musicvae_lite.media.pedal import sustained
from tests.media.smf import off, on, smf

pytestmark = pytest.mark.filterwarnings("ignore:pkg_resources")


def press(value: int, channel: int = 0) -> bytes:
    return bytes([0xB0 | channel, 64, value])


def pedals(*events):
    return read_midi(smf(list(events))).pedals.tolist()


def test_pedals_are_read() -> None:
    notes = [(0, on(60)), (480, off(60))]
    assert pedals((0, press(127)), *notes, (480, press(0))) == [(0, 960, 0)]
    assert pedals((0, press(64)), (240, press(100)), *notes, (0, press(63))) == [(0, 720, 0)]
    assert pedals((0, press(63)), *notes, (0, press(0))) == []
    assert pedals((0, press(127)), *notes) == []  # never lifted
    again = [(0, press(127)), *notes, (0, press(0)), (0, press(127)), (480, press(0))]
    assert pedals(*again) == [(0, 480, 0), (480, 960, 0)]
    band = read_midi(
        smf(
            [(0, on(60)), (480, off(60))],
            [(0, press(127, 1)), (0, on(50, 1)), (480, off(50, 1)), (9, press(0, 1))],
        )
    )
    assert band.pedals.tolist() == [(0, 489, 1)]


def test_pedals_survive_a_round_trip() -> None:
    notes = np.array([(0, 480, 60, 80, 0), (480, 960, 62, 80, 0), (0, 960, 40, 80, 1)], NOTE)
    held = np.array([(480, 960, 0), (0, 480, 0), (100, 960, 1)], PEDAL)
    score = Score(480, notes, (Track("a"), Track("b", 33)), pedals=held)
    assert read_midi(midi.midi_bytes(score)) == score
    assert score.pedals["start"].tolist() == [0, 480, 100]


def ends(notes, held):
    rows = np.array([(start, end, pitch, 80, track) for start, end, pitch, track in notes], NOTE)
    return sustained(Score(480, rows, (Track(), Track()), pedals=np.array(held, PEDAL)))


def test_notes_sound_until_the_pedal_is_lifted_or_they_are_struck_again() -> None:
    score = ends(
        [
            (0, 100, 60, 0),
            (150, 180, 60, 0),
            (0, 100, 62, 0),
            (0, 400, 64, 0),
            (310, 320, 62, 0),
            (0, 100, 60, 1),
            (0, 50, 65, 0),
        ],
        [(60, 300, 0)],
    )
    found = {(start, pitch, track): end for start, end, pitch, _, track in score.notes.tolist()}
    assert found == {
        (0, 60, 0): 150,  # struck again
        (150, 60, 0): 300,
        (0, 62, 0): 300,
        (0, 64, 0): 400,  # held longer than the pedal
        (310, 62, 0): 320,
        (0, 60, 1): 100,  # another track
        (0, 65, 0): 50,  # ended before the pedal came
    }
    assert not len(score.pedals)
    assert ends([(0, 10, 60, 0)], []).notes["end"].tolist() == [10]


def test_what_ends_when_the_pedal_goes_down_is_held_and_when_it_is_lifted_is_not() -> None:
    assert ends([(0, 100, 60, 0)], [(100, 200, 0)]).notes["end"].tolist() == [200]
    assert ends([(0, 100, 60, 0)], [(0, 100, 0)]).notes["end"].tolist() == [100]
