import numpy as np
import pytest

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.conditioning.control import Control
from tests.music.test_harmony import block_chords

BOTH = Control(chords=True, key=True)


def test_sizes_and_columns() -> None:
    assert [c.size for c in (Control(), Control(chords=True), Control(key=True), BOTH)] == [
        0,
        49,
        12,
        61,
    ]
    classes = BOTH.join(np.array([1, 22]), np.array([0, 0]))
    numbers = BOTH.numbers(classes)
    assert numbers.shape == (2, 61) and numbers[1].nonzero()[0].tolist() == [22, 49]
    assert not Control() and Control().numbers(
        Control().join(np.array([1]), np.array([0]))
    ).shape == (1, 0)


def test_a_config_comes_back_and_a_strange_one_is_told() -> None:
    assert Control.of_config(BOTH.config()) == BOTH and Control.of_config(None) == Control()
    with pytest.raises(MusaeError, match="a control of tempo is not known"):
        Control.of_config({"tempo": True})


def test_windows_are_told_the_chords_where_they_stand() -> None:
    score, codec = block_chords("C Am F G"), MelodyCodec(programs=None)
    encoded = codec.encode(score)
    told = BOTH.of_windows(score, codec, encoded.origin["tick"])
    assert told.shape == (3, 32, 2) and told.dtype == np.uint8
    assert (
        told[0, :, 0].tolist() == [1] * 16 + [22] * 16
        and told[2, :, 0].tolist() == [6] * 16 + [8] * 16
    )
    assert (told[..., 1] == 0).all()


def test_chords_and_key_move_with_the_notes() -> None:
    told = BOTH.join(np.array([[1, 0, 24]]), np.array([[0, 0, 11]]))
    moved = BOTH.transposed(told, np.array([-2]))
    assert moved.tolist() == [[[11, 10], [0, 10], [22, 9]]]
    assert told.tolist() == [[[1, 0], [0, 0], [24, 11]]]
