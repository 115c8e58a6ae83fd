from dataclasses import replace

import numpy as np
import pytest

import musicvae_lite as mv
from musicvae_lite.core.errors import NothingUsableError, UsageError
from musicvae_lite.media.midi import METRE, TEMPO, Track
from musicvae_lite.music.codecs.drums import DrumsCodec
from musicvae_lite.music.codecs.groove import GrooveCodec
from musicvae_lite.music.splice import in_piece, left_bars
from musicvae_lite.music.verbs.morph import morph
from musicvae_lite.music.windows import rebuild, whole_melody
from tests.tiny import codec, melody, save_tiny_model, score


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return mv.load(save_tiny_model(tmp_path_factory.mktemp("model") / "tiny"), device="cpu")


def song(ticks=96):
    """Bars 1-2 chords alone, bars 3-6 melody, bars 7-8 chords, with a tempo change off the grid."""
    rows = [
        (0.01, 7.99, 40, 1),
        (24.3, 31, 43, 1),
        *[(q, q + 1, 60 + q % 12, 0) for q in range(8, 24)],
    ]
    piece = score(rows, (Track("Lead", 5), Track("Chords", 24)), ticks=ticks)
    notes = piece.notes.copy()
    notes["velocity"] = 40 + np.arange(len(notes))
    return replace(piece, notes=notes, tempos=np.array([(0, 90.0), (1001, 140.0)], TEMPO))


@pytest.mark.parametrize("ticks", [96, 480, 100, 1024])
def test_what_was_heard_perfectly_goes_back_into_its_piece(ticks):
    piece = song(ticks)
    passage = whole_melody(piece, codec(), "tiny", overlapping=True)
    assert in_piece(passage, rebuild(passage, passage.windows, codec(), "x"), codec()) == piece
    assert left_bars(passage, codec()).tolist() == [1, 2, 7, 8]


def test_a_reconstruction_keeps_the_other_tracks_and_the_bars_without_a_window(session):
    piece = song()
    result = session.reconstruct(piece, keep_tracks=True)
    assert result.left == (1, 2, 7, 8) and result.score.tracks == piece.tracks
    assert np.array_equal(
        result.score.notes[result.score.notes["track"] == 1], piece.notes[piece.notes["track"] == 1]
    )
    assert (
        np.array_equal(result.score.tempos, piece.tempos) and result.score.ticks_per_quarter == 96
    )
    alone = session.reconstruct(piece).score
    assert len(alone.notes) == (result.score.notes["track"] == 0).sum() and len(alone.tracks) == 1


def test_notes_of_another_metre_after_a_bar_that_was_cut_short_stay():
    rows = [(q, q + 1, 60 + q, 0) for q in range(8)] + [(7.5, 8, 72, 0), (7.75, 8, 71, 0)]
    piece = replace(score(rows), metres=np.array([(0, 4, 4), (3360, 3, 4)], METRE))
    passage = whole_melody(piece, codec(), "tiny", overlapping=True)
    whole = in_piece(
        passage, rebuild(passage, np.zeros_like(passage.windows), codec(), "x"), codec()
    )
    assert (whole.notes["start"] >= 3360).all() and len(whole.notes) == 3


def test_drums_are_replaced_in_all_drum_tracks_unless_one_is_named():
    drums = DrumsCodec()
    piece = score(
        [(q, q + 0.5, 36 + 2 * (q % 2), q % 2) for q in range(16)],
        (Track("Kick", 0, True), Track("Snare", 0, True)),
    )
    assert whole_melody(piece, drums, "d", overlapping=True).read == (0, 1)
    assert whole_melody(piece, drums, "d", track=2, overlapping=True).read == (1,)


def test_a_song_begins_as_a_and_ends_as_b(session):
    a, b = melody(5, 90, "A", program=9), melody(3, 150, "B", 70)
    result = morph(session, a, b)
    assert result.start.bars.tolist() == [1, 2, 3, 4] and result.partner.tolist() == [
        0,
        1,
        0,
        1,
    ]  # B begins again
    assert np.allclose(result.fractions, [[0, 1 / 3, 2 / 3, 1]])
    (made,) = result.scores
    assert made.tracks[0].program == 9 and made.qpm == 90 and made.bars <= 5
    first, last = session.reconstruct(a).windows[0], session.reconstruct(b).windows[1]
    heard = codec().encode(made)
    assert heard.windows[0][:16].tolist() == _heard(first).tolist() and len(last) == 32
    row = result.as_dict()["windows"][3]
    assert row["bar"] == 4 and row["bar_of_b"] == 2 and row["fractions"] == [1.0]


def _heard(window):
    """The first bar of a window as the codec reads it again."""
    return codec().encode(codec().decode(window)).windows[0][:16]


def test_a_song_for_each_step(session):
    a, b = song(), melody(6, 150, "B", 70)
    result = morph(session, a, b, steps=3, keep_tracks=True)
    assert len(result.scores) == 3 and result.left == (1, 2, 7, 8)
    assert np.array_equal(
        result.scores[0].notes, session.reconstruct(a, keep_tracks=True).score.notes
    )
    assert all(made.tracks == a.tracks for made in result.scores)
    alone = morph(session, a, b, steps=2).scores[0]
    assert len(alone.tracks) == 1 and np.array_equal(alone.tempos, a.tempos)


def test_one_window_is_halfway_and_wrong_input_is_refused(session):
    with pytest.raises(
        UsageError,
        match=(
            "has one window of .*, which cannot begin as one song and end as another; give --steps"
        ),
    ):
        morph(session, melody(2), melody(4))
    assert morph(session, melody(2), melody(2), steps=2).fractions.tolist() == [[0.0], [1.0]]
    with pytest.raises(UsageError, match="at least 2 steps"):
        morph(session, melody(2), melody(2), steps=1)
    with pytest.raises(NothingUsableError, match="metre 3/4"):
        morph(session, melody(2), score([(0, 1, 60, 0)], metre=(3, 4)))


def test_where_nothing_starts_the_nearer_end_says_so(session):
    held = score([(0, 1, 60, 0), (1, 18, 62, 0), (18, 20, 64, 0)])
    result = morph(session, held, melody(5, first=70), steps=2)
    assert (
        np.array_equal(result.scores[0].notes["start"], result.scores[0].notes["start"].clip(0))
        and len(result.scores) == 2
    )
    middle = session.reconstruct(held)
    assert (middle.windows[1] == 0).all()


def test_notes_under_the_melody_stay():
    """A model of melodies hears the highest note of a chord: the others are not its to take
    away.
    """
    high = [(quarter, quarter + 1, 72 + quarter % 3, 0) for quarter in range(16)]
    low = [(quarter, quarter + 2, 48, 0) for quarter in range(0, 16, 4)] + [(2, 3, 60, 0)]
    piece = score([*high, *low, (0, 1, 15, 0)])
    piece.notes["velocity"][piece.notes["pitch"] == 48] = 33
    passage = whole_melody(piece, codec(), "x", overlapping=True)
    assert in_piece(passage, rebuild(passage, passage.windows, codec(), "x"), codec()) == piece
    silence = rebuild(passage, np.zeros_like(passage.windows), codec(), "x")
    assert sorted(in_piece(passage, silence, codec()).notes["pitch"].tolist()) == [
        15,
        48,
        48,
        48,
        48,
        60,
    ]
    assert not len(in_piece(passage, silence, codec(), unheard=False).notes)
    struck = np.where(passage.windows >= 2, np.uint8(60 - 21 + 2), passage.windows)
    notes = in_piece(passage, rebuild(passage, struck, codec(), "x"), codec()).notes
    assert (notes["pitch"] == 60).sum() == 16  # the low note there gave way to the new one


def test_hits_of_no_drum_stay():
    drums = score(
        [(quarter, quarter + 1, 36, 0) for quarter in range(8)] + [(1, 2, 20, 0)],
        tracks=(Track("d", 0, True),),
    )
    for known in (DrumsCodec(), GrooveCodec(hop_bars=2)):
        passage = whole_melody(drums, known, "x")
        made = in_piece(
            passage, rebuild(passage, np.zeros_like(passage.windows), known, "x"), known
        )
        assert made.notes["pitch"].tolist() == [20]
