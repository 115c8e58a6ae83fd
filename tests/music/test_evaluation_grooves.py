import numpy as np
import pytest

from musicvae_lite.music.codecs.groove import OFFSETS, VELOCITIES, GrooveCodec
from musicvae_lite.music.evaluate.grooves import errors, hit_f1, position_mean

CODEC = GrooveCodec()


def groove(*hits) -> np.ndarray:
    """One window of hits (step, drum, velocity of 127, offset)."""
    window = np.zeros((1, 32, 27), np.float32)
    for step, drum, velocity, offset in hits:
        window[0, step, [drum, 9 + drum, 18 + drum]] = 1, velocity / 127, offset
    return window


def test_errors_are_of_the_hits_that_both_have():
    truth = groove((0, 0, 100, 0.0), (4, 1, 50, 0.5), (8, 2, 10, 0.0))
    heard = groove((0, 0, 90, 0.2), (4, 1, 60, 0.5), (9, 2, 127, 1.0))
    assert hit_f1(heard, truth) == pytest.approx(2 / 3)
    found = errors(heard, truth, CODEC)
    assert found["velocity"] == pytest.approx(10, abs=1e-4)
    assert found["timing_ms"] == pytest.approx(
        0.1 * 62.5, abs=1e-4
    )  # half of a sixteenth at 120 is 62.5 ms
    assert errors(heard, truth, CODEC, qpm=60)["timing_ms"] == pytest.approx(0.1 * 125, abs=1e-4)
    assert (
        errors(groove(), truth, CODEC) == {}
        and hit_f1(groove(), groove()) == 1
        and hit_f1(groove(), truth) == 0
    )


def test_the_mean_of_each_drum_at_each_step():
    train = np.concatenate(
        [groove((0, 0, 100, 0.5), (4, 0, 20, 0)), groove((0, 0, 50, -0.5), (0, 1, 127, 1))]
    )
    velocity, offset = position_mean(train, VELOCITIES) * 127, position_mean(train, OFFSETS)
    assert (
        velocity[0, 0] == pytest.approx(75)
        and velocity[4, 0] == pytest.approx(20)
        and offset[0, 0] == 0
    )
    assert velocity[9, 0] == pytest.approx(170 / 3)  # never hit there: the drum's mean
    assert velocity[9, 5] == pytest.approx(297 / 4)  # never hit at all: that of all drums
