import numpy as np
import pytest

import musicvae_lite as mv
from musicvae_lite.core.errors import UsageError
from musicvae_lite.music.codecs.drums import DrumsCodec
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.paths import (
    Line,
    moved,
    on_the_music,
    registers,
    spans,
    starts,
    to_one_key,
    to_one_octave,
)
from musicvae_lite.music.verbs.morph import morph
from tests.tiny import melody, save_tiny_model

CODEC = MelodyCodec()


def line(pitches: list[int]) -> np.ndarray:
    """Return one window of quarter notes."""
    window = np.zeros((1, 32), np.uint8)
    window[0, : 4 * len(pitches) : 4] = np.array(pitches) - 21 + 2
    return window


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return mv.load(save_tiny_model(tmp_path_factory.mktemp("model") / "tiny"), device="cpu")


def test_octaves_apart_come_together_and_near_the_centre():
    assert to_one_octave(np.array([70.0, 68.0])).tolist() == [0, 0]
    assert to_one_octave(np.array([70.0, 94.0])).tolist() == [0, -24]
    assert to_one_octave(np.array([40.0, 40.0])).tolist() == [24, 24]
    assert to_one_octave(np.array([64.0, 74.0])).tolist() == [0, -12]  # ten apart: two are nearer
    assert to_one_octave(np.array([70.0, np.nan])).tolist() == [0, 0]


def test_registers_and_spans_are_those_of_the_notes():
    windows = line([60, 64, 67, 60])
    assert registers(CODEC, windows).tolist() == [62.75]
    assert spans(CODEC, windows)[0] * [5, 1.5] == pytest.approx([7, 3])
    assert starts(CODEC, windows).tolist() == [4]
    assert np.isnan(registers(DrumsCodec(), np.zeros((1, 32), np.uint16))).all()


def test_a_window_is_moved_as_far_as_its_range_allows():
    assert registers(CODEC, moved(CODEC, line([60]), np.array([-24]))).tolist() == [36]
    assert registers(CODEC, moved(CODEC, line([100]), np.array([24]))).tolist() == [100]
    assert registers(CODEC, moved(CODEC, line([90]), np.array([24]))).tolist() == [102]


def test_pieces_are_brought_into_the_scale_of_the_first():
    c_major = np.bincount([0, 0, 2, 4, 4, 5, 7, 7, 9, 11], minlength=12)
    counts = np.stack([c_major, np.roll(c_major, 2), np.roll(c_major, 7), c_major])
    assert to_one_key(counts).tolist() == [0, -2, 5, 0]
    assert to_one_key(np.zeros((2, 12))).tolist() == [0, 0]


def test_of_the_candidates_the_one_on_the_line_is_taken():
    points = np.zeros((3, 2), np.float32)
    points[:, 0] = [2, 0, 4]

    def decode(z, steps):
        count = np.clip(np.round(z[:, 0]), 0, 8).astype(int)
        return np.concatenate([line([60] * number) for number in count])

    wanted = Line(
        np.array([2.0, 3.0, 4.0]),
        spans(CODEC, decode(points, None)),
        None,
        np.array([True, False, True]),
        np.zeros(2, np.float32),
        np.array([1, 0], np.float32),
    )
    found, windows = on_the_music(CODEC, points, wanted, decode, None, 0)
    assert starts(CODEC, windows).tolist() == [2, 3, 4]
    assert found[:, 0].tolist() == [2, 3, 4]


def test_the_middle_of_a_path_stays_between_the_registers_of_its_ends(session):
    low, high = melody(4, first=40), melody(4, first=88)
    result = session.interpolate(low, high, 5)
    plain = session.interpolate(low, high, 5, path="slerp")
    for step in (0, 4):
        assert np.array_equal(result.windows[step], plain.windows[step])
        assert np.array_equal(result.latents[step], plain.latents[step])


def test_exact_ends_are_the_inputs(session):
    a, b = melody(4), melody(4, first=67)
    result = session.interpolate(a, b, 3, exact_ends=True)
    assert np.array_equal(result.windows[0], result.start.windows[0])
    assert result.accuracy == (1.0, 1.0)
    corners = session.grid([a, b, a, b], 3, exact_ends=True)
    assert set(corners.accuracy) == {1.0}


def test_one_key_is_for_paths_on_the_music(session):
    a, b = melody(4), melody(4, first=62)
    assert len(session.interpolate(a, b, 4, transpose=True)) == 4
    with pytest.raises(UsageError, match="path 'music' alone"):
        session.interpolate(a, b, 4, path="lerp", transpose=True)
    with pytest.raises(UsageError, match="path 'round' is not known; valid: music, slerp, lerp"):
        session.interpolate(a, b, 4, path="round")


def test_a_song_that_keeps_its_band_keeps_its_key(session):
    a, b = melody(6), melody(6, first=61)
    kept = morph(session, a, b, keep_tracks=True)
    assert len(kept.scores) == 1
    apart = morph(session, a, b, steps=2, transpose=False)
    plain = morph(session, a, b, steps=2, path="slerp")
    assert apart.scores[0] == plain.scores[0] and apart.scores[1] == plain.scores[1]
