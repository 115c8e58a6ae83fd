from dataclasses import replace

import numpy as np
import pytest

import musicvae_lite as mv
from musicvae_lite.core.errors import NothingUsableError, UsageError
from musicvae_lite.media.midi import METRE, NOTE, Track
from musicvae_lite.music.codecs.groove import GrooveCodec
from musicvae_lite.music.groove_windows import drum_named, left_out, taps_of
from musicvae_lite.music.verbs import groove as grooving
from musicvae_lite.music.windows import rebuild, whole_melody
from tests.grooves import beat, save_groove_model, windows


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return mv.load(save_groove_model(tmp_path_factory.mktemp("model") / "tiny"), device="cpu")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "told"
    return mv.load(save_groove_model(folder, "groovae_2bar_hits_control_tfds"), device="cpu")


def hits(piece, codec=GrooveCodec()):  # noqa: B008 (it has no state)
    return codec.encode(piece).windows[..., :9]


def test_humanizing_keeps_the_hits_and_the_tempo(session):
    result = grooving.humanize(session, beat())
    assert np.array_equal(hits(result.score), hits(beat()))
    assert (
        len(set(result.score.notes["velocity"].tolist())) > 3
        and (result.score.notes["start"] % 480).any()
    )
    assert result.score.qpm == 97 and [track.is_drum for track in result.score.tracks] == [True]
    assert result.score.notes["start"].min() >= 0
    same = beat()
    same.notes["velocity"] = 20
    again = grooving.humanize(session, same)
    assert np.array_equal(again.windows[..., 18:], result.windows[..., 18:])  # the model hears none
    loud, soft = (own.score.notes["velocity"].mean() for own in (result, again))
    assert 74 < loud < 86 and 18 < soft < 22  # but levels stay as they are
    assert not np.array_equal(
        grooving.humanize(session, beat(), temperature=1).windows, result.windows
    )


def test_what_the_piece_plays_a_hit_on_stays(session):
    piece = beat()
    piece.notes["pitch"][piece.notes["pitch"] == 38] = np.tile([37, 40], 5)
    for result in (
        grooving.humanize(session, piece),
        grooving.add(session, piece, drum_named("ride")),
    ):
        notes = np.sort(result.score.notes, order="start")
        snares = notes["pitch"][np.isin(notes["pitch"], [37, 38, 40])]
        assert snares.tolist() == [37, 40] * 5


def test_other_tracks_are_kept_where_that_is_wanted(session):
    result = grooving.humanize(session, beat())
    whole = result.whole
    assert [track.name for track in whole.tracks] == [result.score.tracks[0].name, "Bass"]
    bass = whole.notes[whole.notes["track"] == 1]
    assert bass["start"].tolist() == [bar * 4 * whole.ticks_per_quarter for bar in range(5)]
    assert len(whole.notes) == len(result.score.notes) + 5


def test_one_of_several_drum_tracks(session):
    piece = beat()
    both = replace(piece, tracks=(piece.tracks[0], Track("Toms", 0, True)))
    result = grooving.humanize(session, both, track=2)
    assert len(result.score.notes) == 5 and [track.name for track in result.whole.tracks][1:] == [
        "Kit"
    ]
    assert len(grooving.humanize(session, both).whole.tracks) == 1
    made = grooving.tap(session, both, track=2).whole
    assert set(made.notes["pitch"][made.notes["track"] == 1].tolist()) == {
        36,
        38,
        42,
    }  # what is not tapped stays


def test_early_hits_of_a_later_bar_stay_early(session):
    """Drums that come in later may begin before their bar line; nothing begins before the piece."""
    for first, start in ((3, 3 * 16 * 480 - 120), (0, 0)):
        passage = whole_melody(beat(2, first=first), session.codec, "tiny")
        assert passage.bars.tolist() == [first + 1]
        passage.windows[..., 18:] = 0.5 * passage.windows[..., :9]
        assert (
            int(rebuild(passage, passage.windows, session.codec, "x").notes["start"].min()) == start
        )


def test_adding_a_drum_leaves_the_others_as_they_are(session):
    piece = beat(4)
    result = grooving.add(session, piece, drum_named("ride"))
    given = GrooveCodec(hop_bars=2).encode(piece).windows
    others = [index for index in range(27) if index % 9 != 8]
    assert np.array_equal(result.windows[..., others], given[..., others])
    without_hats = grooving.add(session, piece, 2)
    assert np.array_equal(
        np.delete(without_hats.windows, [2, 11, 20], -1), np.delete(given, [2, 11, 20], -1)
    )


def test_a_drum_that_the_model_would_not_play_is_added_at_the_likeliest_steps():
    """Beside a closed hi-hat the model expects no ride: nothing was added, while success
    was told.
    """
    session, ride = mv.load("groove-2bar", device="cpu"), drum_named("ride")
    result = grooving.add(session, "data/drums/bossa.mid", ride)
    assert result.added == grooving.Added("ride", 11, 0, True)
    given = result.passage.windows
    assert np.array_equal(
        np.delete(result.windows, [8, 17, 26], -1), np.delete(given, [8, 17, 26], -1)
    )
    hit = result.windows[0, :, 8] > 0.5
    assert (
        hit.sum() == 11
        and (result.windows[0, hit, 17] > 0.2).all()
        and not result.windows[0, ~hit, 17].any()
    )
    usual = grooving.add(session, "data/drums/bossa.mid", drum_named("closed-hi-hat")).added
    assert usual.replaced == 32 and usual.hits > 20 and not usual.likeliest


def test_only_what_an_added_drum_takes_the_place_of_is_counted(session):
    piece = beat(4)
    ride = np.array(
        [
            (4 * 1920 + quarter * 480, 4 * 1920 + quarter * 480 + 60, 51, 80, 0)
            for quarter in range(6)
        ],
        NOTE,
    )
    metres = np.array([(0, 4, 4), (4 * 1920, 3, 4)], METRE)  # in bars that no window covers
    piece = replace(piece, notes=np.concatenate([piece.notes, ride]), metres=metres)
    added = grooving.add(session, piece, drum_named("ride")).added
    assert added.hits > 0 and added.replaced == 0


def test_a_drum_that_a_model_never_plays_is_refused(session, monkeypatch):
    decode = session.decode_windows

    def never(*arguments, **values):
        made = decode(*arguments, **values)
        made[..., 8] = 0
        return made

    monkeypatch.setattr(session, "decode_windows", never)
    with pytest.raises(
        NothingUsableError, match="plays no ride with these drums; nothing was written"
    ):
        grooving.add(session, beat(), 8)


def test_taps_may_be_of_any_pitch_and_track(session):
    piece = beat()
    result = grooving.tap(session, piece, track=2)
    assert result.passage.windows[..., 3].sum() == 6  # one a bar; the last bar is in two windows
    notes = piece.notes.copy()
    notes["pitch"] = 1
    assert np.array_equal(
        taps_of(mv.Score(480, notes, piece.tracks), session.codec, "x").windows,
        taps_of(piece, session.codec, "x").windows,
    )
    with pytest.raises(NothingUsableError, match="--track"):
        grooving.tap(session, beat(drums=False))


def test_a_groove_goes_to_the_hits_of_another_piece(session, told):
    funk = GrooveCodec().decode(windows(1)[0], qpm=80)
    for model in (session, told):
        result = grooving.transfer(model, funk, beat())
        assert np.array_equal(hits(result.score, GrooveCodec(kit=model.codec.kit)), hits(beat()))
        assert result.score.qpm == 97
        other = grooving.transfer(model, beat(), beat())
        assert not np.array_equal(other.windows, result.windows)


def test_a_model_does_what_it_has_learned(session, told, tmp_path):
    with pytest.raises(UsageError, match="only from reconstruct"):
        grooving.humanize(told, beat())
    with pytest.raises(
        UsageError, match="has not learned from whole performances, only from humanize"
    ):
        grooving.transfer(
            mv.load(save_groove_model(tmp_path / "h", "groovae_2bar_humanize"), device="cpu"),
            beat(),
            beat(),
        )
    with pytest.raises(UsageError, match="has not learned to add kick, only closed hi-hat"):
        grooving.add(
            mv.load(save_groove_model(tmp_path / "a", "groovae_2bar_add_closed_hh"), device="cpu"),
            beat(),
            0,
        )
    with pytest.raises(UsageError, match="did you mean 'high-tom'"):
        drum_named("hightom")
    with pytest.raises(NothingUsableError, match="no drum track"):
        grooving.humanize(session, beat(drums=False))


def test_what_is_left_out_is_told(session):
    piece = beat()
    piece.notes["pitch"][piece.notes["pitch"] == 38] = 20
    passage = grooving.humanize(session, piece).passage
    assert left_out(passage, session.codec, None) == {"pitch of no drum": 10}
    rolled = beat(1)
    rolled.notes["start"][rolled.notes["pitch"] == 38] = [480, 500]
    passage = grooving.humanize(session, rolled).passage
    assert left_out(passage, session.codec, None) == {
        "the same drum at the same step, where the loudest stays": 1
    }
    assert not left_out(passage, session.codec, None, taps=True)


def test_a_session_of_grooves(session, told):
    rows = windows(5)
    mean, _ = session.encode_windows(rows)
    heard = session.decode_windows(mean)
    assert heard.dtype == np.float32 and heard.shape == rows.shape
    assert session.teacher_forced(mean, rows).shape == rows.shape
    assert not np.array_equal(session.encode_windows(rows * 0.5)[0], mean)
    for wrong in (rows.astype(int), rows[..., :9], np.full_like(rows, np.nan)):
        with pytest.raises(UsageError, match="window"):
            session.encode_windows(wrong)
    piece = GrooveCodec().join(list(rows))
    for model in (session, told):
        assert len(model.reconstruct(piece).windows) == 5
    assert len(session.interpolate(piece, beat(), steps=3)) == 3
    assert len(session.sample(2, 1.0)) == 2
    told_of_hits = told.encode_windows(rows, condition=rows[..., :9])[0]
    assert np.array_equal(told.encode_windows(rows)[0], told_of_hits)
