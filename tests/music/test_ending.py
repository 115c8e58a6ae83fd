"""What is made of a piece ends where the piece ends, whatever the length of the model's window."""

import numpy as np
import pytest

import musicvae_lite as mv
from musicvae_lite.media.midi import Score, Track, read_midi
from musicvae_lite.music.codecs.drums import DrumsCodec
from musicvae_lite.music.codecs.groove import GrooveCodec
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.codecs.trio import TrioCodec
from musicvae_lite.music.verbs.attribute import change
from musicvae_lite.music.verbs.groove import tap
from musicvae_lite.music.verbs.morph import morph
from musicvae_lite.music.windows import ended, ends, one_window, whole_melody
from tests.grooves import beat, save_groove_model
from tests.tiny import score

TUNES = ["mary_had_a_little_lamb", "frere_jacques", "london_bridge"]
ONE_BAR = score([(0, 1, 60, 0), (1, 2, 62, 0), (2, 3, 64, 0), (3, 4, 65, 0)])


@pytest.fixture(scope="module")
def short():
    return mv.load("mel-2bar", device="cpu")


def quarters(piece):
    return piece.notes["end"].max() / piece.ticks_per_quarter


def test_the_last_note_of_a_short_tune_is_not_held_to_the_end_of_the_window():
    session = mv.load("mel-16bar", device="cpu")
    for tune in TUNES:
        given = read_midi(f"data/midi/{tune}.mid")
        for keep in (False, True):
            made = session.reconstruct(given, keep_tracks=keep)
            assert quarters(made.score) == quarters(given) == 32 and len(made.score.notes) == len(
                given.notes
            )
    path = session.interpolate(*(f"data/midi/{tune}.mid" for tune in TUNES[:2]), steps=3)
    assert all(quarters(step) <= 32 for step in path.scores)
    longer = session.interpolate(f"data/midi/{TUNES[0]}.mid", "data/midi/ode_to_joy.mid", steps=2)
    assert [round(quarters(step)) for step in longer.scores] == [32, 64]
    song = morph(session, f"data/midi/{TUNES[0]}.mid", "data/midi/ode_to_joy.mid", steps=2)
    assert all(quarters(step) <= 32 for step in song.scores)


def test_a_bar_that_was_added_stays_empty(short):
    made = short.reconstruct(ONE_BAR)
    assert quarters(made.score) == 4
    changed = change(short, whole_melody(ONE_BAR, short.codec, "mel-2bar"), {"density": 1.0})
    assert quarters(changed.score) <= 4


def test_a_note_that_ends_a_little_after_the_bar_does_not_make_it_longer(short):
    late = ONE_BAR.notes.copy()
    for ticks, step in ((20, 16), (200, 32)):
        late["end"][-1] = ONE_BAR.notes["end"][-1] + ticks
        piece = Score(ONE_BAR.ticks_per_quarter, late, ONE_BAR.tracks)
        assert ends(whole_melody(piece, short.codec, "x"), short.codec).tolist() == [[step]]


def test_windows_in_the_midst_of_a_piece_are_not_cut():
    piece = score([(quarter, quarter + 1, 60 + quarter % 5, 0) for quarter in range(20)])
    passage = whole_melody(piece, MelodyCodec(), "x", overlapping=True)
    assert passage.bars.tolist() == [1, 2, 3, 4] and (ends(passage, MelodyCodec()) == 32).all()
    assert ended(passage.windows, [passage], MelodyCodec()).tolist() == passage.windows.tolist()


def test_drums_end_with_the_bar_of_their_last_hit(tmp_path):
    piece = beat(3)
    piece.notes["end"] += 5000  # how long a hit is written says nothing
    codec = GrooveCodec(hop_bars=2)
    assert ends(whole_melody(piece, codec, "x"), codec).tolist() == [[32], [16]]
    session = mv.load(save_groove_model(tmp_path / "tiny"), device="cpu")
    assert not tap(session, beat(1)).windows[-1, 16:].any()


def test_each_voice_of_a_trio_ends_for_itself():
    notes = [(quarter, quarter + 1, 60, 0) for quarter in range(52)] + [
        (quarter, quarter + 1, 40, 1) for quarter in range(56)
    ]
    notes += [(quarter, quarter + 1, 36, 2) for quarter in range(60)]
    codec, piece = (
        TrioCodec(),
        score(notes, tracks=(Track("m", 0), Track("b", 33), Track("d", 0, True))),
    )
    passage = one_window(piece, codec, "x")
    assert ends(passage, codec).tolist() == [[208, 224, 240]]
    window = np.full((256, 3), [0, 0, 1], np.uint16)
    window[0] = [40, 20, 1]
    cut = ended(window[None], [passage], codec)[0]
    assert np.flatnonzero(cut[:, 0]).tolist() == [0, 208] and np.flatnonzero(
        cut[:, 1]
    ).tolist() == [0, 224]
    assert cut[208, 0] == cut[224, 1] == 1 and cut[:240, 2].all() and not cut[240:, 2].any()


def test_codecs_cut_their_windows():
    melody = MelodyCodec()
    held, over = np.zeros(32, np.uint8), np.zeros(32, np.uint8)
    held[4], over[[4, 8]] = 40, [40, 1]
    assert (
        np.flatnonzero(melody.cut(held, [16])).tolist() == [4, 16]
        and melody.cut(held, [16])[16] == 1
    )
    assert np.array_equal(melody.cut(over, [16]), over)
    assert np.array_equal(melody.cut(held, [32]), held)
    drums = np.ones(DrumsCodec().shape, DrumsCodec().dtype)
    assert DrumsCodec().cut(drums, [8])[:8].all() and not DrumsCodec().cut(drums, [8])[8:].any()
