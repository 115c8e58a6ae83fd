import numpy as np
import pytest

import musicvae_lite as mv
from musicvae_lite.config import load_config
from musicvae_lite.core.batched import BLOCK
from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.midi import read_midi, write_midi
from musicvae_lite.music.chords import Progression
from musicvae_lite.music.verbs.morph import morph
from tests.music.test_harmony import block_chords
from tests.tiny import melody, save_chord_model, save_tiny_model


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return mv.load(save_chord_model(tmp_path_factory.mktemp("model") / "chords"), device="cpu")


@pytest.fixture(scope="module")
def with_key(tmp_path_factory):
    return mv.load(
        save_chord_model(tmp_path_factory.mktemp("model") / "key", key=True), device="cpu"
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return mv.load(save_tiny_model(tmp_path_factory.mktemp("model") / "tiny"), device="cpu")


def symbols(score):
    return [(text.tick, text.text) for text in score.texts]


BAR = 4 * 480


def test_a_sample_over_chords_holds_them_as_markers(session, tmp_path):
    (score,) = session.sample(1, bars=8, chords="C Am F G")
    assert symbols(score) == [(0, "C"), (2 * BAR, "Am"), (4 * BAR, "F"), (6 * BAR, "G")]
    write_midi(score, tmp_path / "x.mid")
    assert read_midi(tmp_path / "x.mid", texts=True).texts == score.texts


def test_without_a_length_each_chord_has_a_bar_in_whole_windows(session):
    assert symbols(session.sample(1, chords="C Am F")[0]) == [
        (0, "C"),
        (BAR, "Am"),
        (2 * BAR, "F"),
        (3 * BAR, "C"),
    ]
    assert symbols(session.sample(1, chords="Dm")[0]) == [(0, "Dm")]
    assert session.sample(1)[0].texts[0].text == "N.C."


def test_the_chords_are_heard(session):
    z = np.zeros((2, session.latent_size), np.float32)
    told = [session.conditions.over(Progression.parse(text), 2) for text in ("C", "F#m")]
    a, b = (
        session.decode_windows(z, condition=session.conditions.numbers(classes)) for classes in told
    )
    assert (a != b).any()
    mean = [
        session.encode_windows(a, condition=session.conditions.numbers(classes))[0]
        for classes in told
    ]
    assert np.abs(mean[0] - mean[1]).max() > 1e-4


def notes_by_window(score):
    """The notes of each window of two bars, from its start."""
    windows = [[] for _ in range(3)]
    for start, end, pitch in score.notes[["start", "end", "pitch"]].tolist():
        number = start // (2 * BAR)
        windows[number].append((start - number * 2 * BAR, end - number * 2 * BAR, pitch))
    return windows


def test_one_style_over_chords_or_a_drift(session):
    def windows(drift):
        pieces = session.sample(2, bars=6, chords="C", seed=3, temperature=0, drift=drift)
        return [notes_by_window(piece) for piece in pieces]

    one, drifting = windows(drift=False), windows(drift=True)
    assert all(piece[0] == piece[1] == piece[2] for piece in one) and one[0] != one[1]
    assert [piece[0] for piece in drifting] == [piece[0] for piece in one]
    assert any(piece[0] != piece[2] for piece in drifting)


def test_several_progressions_and_more_pieces_than_a_block(session):
    scores = session.sample(BLOCK + 5, chords=["C", "Am | F"], temperature=0)
    assert [score.texts[0].text for score in scores] == [
        ("C", "Am")[number % 2] for number in range(BLOCK + 5)
    ]
    few = session.sample(3, chords=["C", "Am | F"], temperature=0)
    assert few == scores[:3]


def test_the_style_of_a_piece(session):
    piece = melody(6)
    (score,) = session.sample(1, temperature=0, bars=8, chords="C Am F G", style=piece)
    mean = session.encode(piece).mean.numpy()
    assert len(mean) == 3
    told = session.conditions.over(Progression.parse("C Am F G"), 4, spread=True)
    windows = session.decode_windows(mean[[0, 1, 2, 0]], condition=session.conditions.numbers(told))
    assert score == session.conditions.played(windows, told, [120.0] * 4, name="sample 1")


def test_a_piece_is_heard_with_its_own_chords(session):
    piece = block_chords("C Am F G")
    result = session.reconstruct(piece)
    assert symbols(result.score) == [(0, "C"), (BAR, "Am"), (2 * BAR, "F"), (3 * BAR, "G")]
    other = session.reconstruct(piece, chords="G | D Em")
    assert symbols(other.score)[:4] == [
        (0, "G"),
        (BAR, "D"),
        (BAR + BAR // 2, "Em"),
        (2 * BAR, "G"),
    ]
    np.testing.assert_array_equal(
        session.condition(result.passage).argmax(-1)[0], [1] * 16 + [22] * 16
    )


def test_an_interpolation_over_chords(session):
    a, b = block_chords("C Am F G"), block_chords("Em D Em D")
    own = session.interpolate(a, b, steps=4)
    assert [symbol for _, symbol in symbols(own.joined)] == [
        "C",
        "Am",
        "C",
        "Am",
        "Em",
        "D",
        "Em",
        "D",
    ]
    assert np.array_equal(own.latents[-1:], session.encode(b).mean.numpy()[:1])
    over = session.interpolate(a, b, steps=4, chords="C F G")
    assert [symbol for _, symbol in symbols(over.joined)] == [
        "C",
        "F",
        "G",
        "C",
        "F",
        "G",
        "C",
        "F",
    ]
    assert symbols(over[1]) == [(0, "G"), (BAR, "C")]


def test_the_key_is_that_of_the_chords_or_as_given(with_key):
    conditions = with_key.conditions
    assert (conditions.over(Progression.parse("D Bm G A"), 2)[..., 1] == 2).all()
    assert (
        conditions.over(Progression.parse("D"), 1, key=conditions.key("F# minor"))[..., 1] == 9
    ).all()
    piece = block_chords("C Am F G")
    own = conditions.of_passage(with_key.reconstruct(piece).passage)
    changed = conditions.changed(own, np.array([1, 3]), None, 7)
    assert (
        (changed[..., 1] == 7).all()
        and (changed[..., 0] == own[..., 0]).all()
        and (own[..., 1] == 0).all()
    )
    assert with_key.sample(1, key="Am", chords="C", temperature=0) is not None


def test_decoded_points_are_played_over_chords(session):
    score = session.decode(np.zeros((2, session.latent_size)), chords="C Am F G")
    assert [symbol for _, symbol in symbols(score)] == ["C", "Am", "F", "G"]


@pytest.mark.parametrize(
    "use",
    [
        lambda s: s.sample(1, chords="C"),
        lambda s: s.reconstruct(melody(2), chords="C"),
        lambda s: s.interpolate(melody(2), melody(2), chords="C"),
        lambda s: s.decode(np.zeros(4), chords="C"),
    ],
)
def test_a_model_that_is_not_told_of_chords_says_who_is(plain, use):
    with pytest.raises(UsageError, match=r"is not told of chords; .*mel-2bar-chords"):
        use(plain)


def test_wrong_chords_and_keys(session, with_key):
    with pytest.raises(UsageError, match="is not told of the key"):
        session.sample(1, key="C")
    with pytest.raises(UsageError, match="key 'H' is not known"):
        with_key.sample(1, key="H")
    with pytest.raises(UsageError, match="2 progressions for one piece"):
        session.reconstruct(melody(2), chords=["C", "G"])
    with pytest.raises(UsageError, match="chord 1, 'Q', is not known"):
        session.sample(1, chords="Q")


def test_a_model_without_conditions_writes_no_markers(plain):
    assert plain.sample(1)[0].texts == () and plain.reconstruct(melody(2)).score.texts == ()
    assert plain.condition(plain.reconstruct(melody(2)).passage) is None


def test_a_grid_has_the_chords_of_its_corners(session):
    corners = [block_chords(text) for text in ("C Am F G", "Em D Em D", "F G F G", "G Em G Em")]
    names = [text for _, text in symbols(session.grid(corners, 2).joined)]
    assert names == ["C", "Am", "Em", "D", "F", "G", "Em"]
    assert {text for _, text in symbols(session.grid(corners, 3, chords="Dm").joined)} == {"Dm"}


def test_what_is_like_a_piece_is_played_over_its_chords_or_others(session):
    piece = block_chords("C Am F G")
    own, other = session.similar(piece, 0.5, 2), session.similar(piece, 0.5, 2, chords="G D")
    assert [symbols(score) for score in own.scores] == [[(0, "C"), (BAR, "Am")]] * 2
    assert [symbols(score) for score in other.scores] == [[(0, "G"), (BAR, "D")]] * 2
    assert np.array_equal(own.latents, other.latents)


def test_the_texts_of_a_kept_piece_stay_as_they_are(session):
    piece = block_chords("C Am F G")
    assert session.reconstruct(piece, keep_tracks=True, chords="G").score.texts == piece.texts


def test_a_song_that_turns_into_another_keeps_its_chords(session):
    (song,) = morph(session, block_chords("C Am F G"), block_chords("Em D Em D")).scores
    assert [text for _, text in symbols(song)] == ["C", "Am", "F", "G"]


def test_grooves_have_no_chords():
    with pytest.raises(UsageError, match="does not go with codec 'groove'"):
        load_config("groove-2bar", ["control.chords=true"])
