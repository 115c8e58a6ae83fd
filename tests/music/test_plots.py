import numpy as np
import pytest

from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.midi import Track
from musicvae_lite.music.codecs.multitrack import MultitrackCodec
from musicvae_lite.music.plots import plot_interpolation, roll_image
from tests.tiny import melody, score


def test_roll_image_shows_onsets_brighter_than_what_goes_on():
    tokens = np.zeros((2, 8), np.uint8)
    tokens[0, 2], tokens[0, 5] = 2, 1  # the lowest key from step 2, off at 5
    tokens[1, 0] = 89  # the highest key
    image = roll_image(tokens)
    assert image.ndim == 2 and image.shape == (88 * 3, 2 * (8 * 3 + 1))
    assert image[-1, 5] == 0 and image[-1, 6] == 1 and image[-1, 9] == 0.6 and image[-1, 15] == 0
    assert image[0, 25] == 1 and image[0, 28] == 0.6
    assert 0 <= image.min() and image.max() == 1


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_picture_is_repeatable(tmp_path, suffix):
    steps = [melody(2, first=60 + step) for step in range(11)]
    for name in ("a", "b"):
        plot_interpolation(steps, tmp_path / f"{name}.{suffix}", "a to b")
    data = [(tmp_path / f"{name}.{suffix}").read_bytes() for name in ("a", "b")]
    assert data[0] == data[1] and len(data[0]) > 2000


def test_picture_of_silence(tmp_path):
    plot_interpolation([score([(0, 0, 60, 0)][:0])], tmp_path / "p.png")
    assert (tmp_path / "p.png").exists()


def test_unknown_kind_of_picture(tmp_path):
    with pytest.raises(UsageError, match=r"\.png"):
        plot_interpolation([melody(2)], tmp_path / "p.bmp")


def test_roll_image_of_several_instruments():
    codec = MultitrackCodec()
    piece = score([(0, 1, 0, 0), (0, 4, 127, 1)], (Track("a"), Track("b", 33)))
    image = roll_image(MultitrackCodec(min_events=0).encode(piece).windows, codec)
    assert image.shape == (128 * 3, 96 * 3 + 1)
    assert (
        image[-1, 0] == image[0, 0] == 1
        and image[-1, 71] == image[0, 287] == 0.6
        and image[-1, 72] == 0
    )
