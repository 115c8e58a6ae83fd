import numpy as np
import pytest

from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.midi import Track
from musicvae_lite.music.codec import score_codec
from musicvae_lite.music.longform.line import line_of
from musicvae_lite.music.longform.spans import read_bars, read_beats, to_fill
from musicvae_lite.music.windows import whole_melody
from tests.tiny import codec, melody, score

DRUMS = {"kind": "drums", "bars": 2}


def line(piece, own=None, bar=0):
    own = own or codec()
    return line_of(whole_melody(piece, own, "tiny"), own, bar)


def rows(piece):
    return {tuple(row) for row in piece.notes.tolist()}


def test_a_line_is_what_the_codec_writes():
    piece = melody(6)
    found = line(piece)
    assert found.bars == 6 and found.heard_bars == 6
    assert np.array_equal(found.tokens[:32, 0], codec().encode(piece).windows[0])


def test_notes_that_stay_are_identical_to_the_tick():
    piece = melody(8)
    piece.notes["start"] += 7  # off the grid
    piece.notes["end"] += 5
    found = line(piece)
    gone = to_fill(found, "3-4")
    events = found.given(gone)
    assert (events[32:64] == -1).all() and (events[:32] >= 0).all()
    events[events < 0] = 0
    events[40] = 50
    made = found.with_events(events, gone)
    before = {row for row in rows(piece) if not 2 * 1920 <= row[0] - 7 < 4 * 1920}
    new = rows(made) - before
    assert before <= rows(made) and [row[2] for row in new] == [50 - 2 + 21]
    assert {(row[0], row[1]) for row in new} == {(40 * 120, 64 * 120)}


def test_a_note_that_is_held_into_the_gap_stays_and_nothing_starts_under_it():
    piece = score([(0, 1, 60, 0), (1, 6, 62, 0), (6, 8, 64, 0), (8, 12, 65, 0), (12, 16, 67, 0)])
    found = line(piece)
    gone = to_fill(found, "2")
    given = found.given(gone)
    assert (given[16:24] == 0).all() and (given[24:32] == -1).all()


def test_a_new_note_lasts_as_long_as_the_one_that_hung_over():
    piece = score([(0, 4, 60, 0), (4, 10, 62, 0), (12, 16, 64, 0)])
    found = line(piece)
    gone = to_fill(found, "2")
    events = found.given(gone)
    events[events < 0] = 0
    events[16] = 45
    (new,) = rows(found.with_events(events, gone)) - rows(piece)
    assert (new[0], new[1]) == (4 * 480, 10 * 480)


def test_lower_notes_of_chords_stay_and_no_key_sounds_twice():
    piece = score([(0, 4, 60, 0), (0, 8, 48, 0), (4, 8, 64, 0), (8, 16, 65, 0)])
    found = line(piece)
    gone = to_fill(found, "2")
    events = found.given(gone)
    events[events < 0] = 0
    events[16] = 48 - 21 + 2  # the key that is held
    made = found.with_events(events, gone)
    assert rows(made) == {row for row in rows(piece) if row[2] != 64}


def test_beats_are_kept():
    found = line(melody(8))
    gone = to_fill(found, "5-8", ("5.3-6.1",))
    missing = np.flatnonzero(gone[:, 0])
    assert missing[0] == 64 and gone.sum() == 64 - 12
    assert not gone[72:84].any()


def test_drums_hit_for_hit():
    hits = [(at, at + 0.25, 36 if at % 2 else 38, 0) for at in range(16)]
    piece = score(hits, (Track("Drums", 0, True),))
    found = line(piece, score_codec(DRUMS))
    gone = to_fill(found, "2")
    events = found.given(gone)
    assert (events[16:32] == -1).all()
    events[events < 0] = 0
    events[20] = 1
    made = found.with_events(events, gone)
    stay = {row for row in rows(piece) if not 4 * 480 <= row[0] < 8 * 480}
    (new,) = rows(made) - stay
    assert new[0] == 20 * 120 and stay <= rows(made)


@pytest.mark.parametrize(
    ("bars", "keep", "says"),
    [
        ("9", (), "has bars 1 to 8"),
        ("0", (), "not known"),
        ("7-5", (), "not known"),
        ("5-8", ("5.1-8.4",), "keeps all"),
        ("5-8", ("5.5",), "has 4 beats"),
        ("5-8", ("99.1",), "there are bars 1 to 8"),
        ("5-8", ("six",), "BAR.BEAT"),
        ("5-8", ("6.2-6.1",), "earlier one first"),
    ],
)
def test_what_is_not_there(bars, keep, says):
    with pytest.raises(UsageError, match=says):
        to_fill(line(melody(8)), bars, keep)


def test_voices_have_names():
    with pytest.raises(UsageError, match="no voice 'bass'; the model hears melody"):
        to_fill(line(melody(8)), "2", (), "bass")


def test_bars_and_beats_are_read():
    assert read_bars("5-8, 11") == [(5, 8), (11, 11)]
    assert read_beats("5.3-6.1") == ((5, 3), (6, 1)) and read_beats("5.3") == ((5, 3), (5, 3))


def test_another_metre_is_told():
    piece = score([(0, 4, 60, 0), (4, 8, 62, 0), (8, 16, 64, 0)])
    with pytest.raises(UsageError, match="there is no bar 41"):
        line(piece, bar=40)
