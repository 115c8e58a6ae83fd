"""Loudness of what is made: that of the pieces it is made of."""

from dataclasses import replace

import numpy as np
import pytest

import musicvae_lite as mv
from musicvae_lite.music.dynamics import along_the_way, loudness_at, loudness_of
from musicvae_lite.music.windows import one_window
from tests.tiny import codec, melody, save_tiny_model


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return mv.load(save_tiny_model(tmp_path_factory.mktemp("models") / "tiny"), device="cpu")


def loud(first: int, last: int, bars: int = 2):
    """A melody whose velocities go evenly from one value to another."""
    piece = melody(bars, 120, "A")
    notes = piece.notes.copy()
    notes["velocity"] = np.linspace(first, last, len(notes)).round()
    return replace(piece, notes=notes)


def test_the_last_note_before_says_how_loud():
    notes = loud(10, 80).notes
    starts = notes["start"]
    assert loudness_at(notes, starts).tolist() == notes["velocity"].tolist()
    assert loudness_at(notes, [starts[0] - 5, starts[1] - 1, starts[-1] + 9999]).tolist() == [
        10,
        10,
        80,
    ]
    levels = loudness_of(one_window(loud(10, 80), codec(), "tiny"), codec())
    assert levels.shape == (1, 1, 32)
    assert levels[0, 0, ::4].tolist() == notes["velocity"].tolist()


def test_ends_of_a_path_are_as_loud_as_their_pieces(session):
    soft, hard = loud(20, 20), loud(90, 120)
    path = session.interpolate(soft, hard, steps=5)
    means = [
        score.notes["velocity"].astype(float).mean() if len(score.notes) else None
        for score in path.scores
    ]
    assert means[0] in (None, 20)
    heard = [mean for mean in means if mean is not None]
    assert heard == sorted(heard) and all(20 <= mean <= 120 for mean in heard)
    assert sum(len(score.notes) for score in path.scores) == len(path.joined.notes)
    whole = np.concatenate([np.sort(score.notes["velocity"]) for score in path.scores])
    assert sorted(whole.tolist()) == sorted(path.joined.notes["velocity"].tolist())


def test_grids_and_what_is_like_a_piece_keep_loudness(session):
    same = loud(33, 33)
    grid = session.grid([same] * 4, 3)
    for score in (*grid.scores, *session.similar(same, 0.5, count=2).scores):
        assert set(score.notes["velocity"].tolist()) <= {33}
    result = session.reconstruct(loud(41, 41, bars=6))
    assert set(result.score.notes["velocity"].tolist()) <= {41}


def test_weights_add_up_and_unknown_stays_unknown():
    levels = [np.full((1, 4), 20.0), np.full((1, 4), 100.0)]
    mixed = along_the_way(levels, np.array([[1, 0], [0.5, 0.5], [0, 1]]))
    assert mixed[:, 0, 0].tolist() == [20, 60, 100]
    assert along_the_way([levels[0], None], np.eye(2)) is None
