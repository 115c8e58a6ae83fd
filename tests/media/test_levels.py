import numpy as np
import pytest

from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.levels import (
    SILENCE_DBFS,
    ClipCounter,
    LevelMeter,
    Stretch,
    clock,
    level_change_db,
    parse_stretch,
)


@pytest.mark.parametrize(
    "text, start, end",
    [
        ("0:01-0:02", 1, 2),
        ("1.5-2.25", 1.5, 2.25),
        ("1:02:03-1:02:04.5", 3723, 3724.5),
        (" 59 - 1:01 ", 59, 61),
        (".5-1.", 0.5, 1),
    ],
)
def test_a_stretch_of_time(text: str, start: float, end: float) -> None:
    assert parse_stretch(text) == Stretch(start, end)
    assert parse_stretch(text).samples(1000) == slice(round(start * 1000), round(end * 1000))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "a-b",
        "-1-2",
        "1-2-3",
        "1:2:3:4-9",
        "0:02-0:01",
        "1-1",
        "nan-2",
        "1e3-2e3",
        "0:1,5-2",
    ],
)
def test_what_is_no_stretch(text: str) -> None:
    with pytest.raises(UsageError, match="0:01-0:02|earlier time"):
        parse_stretch(text)


def test_clock() -> None:
    assert [clock(s) for s in (0, 2.268, 61, 59.9996, 3723.5)] == [
        "0:00",
        "0:02.268",
        "1:01",
        "1:00",
        "1:02:03.500",
    ]


def test_levels_block_by_block() -> None:
    square, quiet, silence = LevelMeter(), LevelMeter(), LevelMeter()
    for _ in range(3):
        square.add(np.tile(np.float32([1, -1]), 500)[None])
        quiet.add(np.full((2, 300), 0.1, np.float32))
        silence.add(np.zeros((2, 300), np.float32))
    assert square.dbfs == 0 and square.peak == 1
    assert quiet.dbfs == pytest.approx(-20, abs=1e-4)
    assert silence.dbfs == LevelMeter().dbfs == SILENCE_DBFS
    assert (
        level_change_db(square, quiet) == pytest.approx(-20, abs=1e-4)
        and level_change_db(silence, silence) == 0
    )


def test_clipped_samples_are_counted_the_same_in_any_blocks() -> None:
    samples = np.zeros((2, 1000), np.float32)
    samples[0, 100:105], samples[1, 500:503], samples[1, 700] = 1, -1, 1  # five, three, and a peak
    for size in (1, 2, 7, 102, 1000):
        counter = ClipCounter(2)
        for first in range(0, 1000, size):
            counter.add(samples[:, first : first + size])
        assert counter.clipped == 4  # each from the third of its run on
    assert "is clipped (0.2 % of the samples" in counter.warning("x.wav") and not ClipCounter(
        1
    ).warning("x.wav")
