import numpy as np
import pytest

from musicvae_lite.audio.denoise.silence import AROUND, LONG, SHORTEST, breaks, stretches

CELL = 10


def cells(*parts: tuple[int, float]) -> np.ndarray:
    """Return peaks: so many of each size."""
    return np.concatenate([np.full(count, size, np.float32) for count, size in parts])


def dying(count: int) -> np.ndarray:
    return (10.0 ** -np.linspace(0, 4, count)).astype(np.float32)


def test_silence_before_a_sound_and_where_it_breaks_off() -> None:
    assert breaks(cells((100, 0.5))) == []
    assert (
        breaks(cells((3, 0), (100, 0.5))) == [3]
        and breaks(cells((3, 0), (100, 0.5)), from_start=False) == []
    )
    assert breaks(cells((100, 0.5), (SHORTEST, 0), (100, 0.5))) == [100, 100 + SHORTEST]
    assert breaks(cells((100, 0.5), (SHORTEST - 1, 0), (100, 0.5))) == []
    assert breaks(cells((100, 0.5), (SHORTEST, 0))) == [100]
    assert breaks(cells((100, 0.5), (SHORTEST, 1e-4), (100, 0.3))) == [
        100,
        100 + SHORTEST,
    ]  # 74 dB below
    assert breaks(cells((100, 0.5), (SHORTEST, 3e-4), (100, 0.3))) == []  # 64 dB below


def test_a_sound_that_dies_away_goes_on_after_a_pause_but_for_a_long_one() -> None:
    away = np.concatenate([cells((50, 1)), dying(60)])
    for silence, found in ((LONG - 10, False), (LONG, True)):
        peaks = np.concatenate([away, cells((silence, 0), (100, 1))])
        assert bool(breaks(peaks)) == found


def test_silence_alone_and_nothing() -> None:
    assert breaks(cells((100, 0))) == []
    assert [
        np.concatenate(list(part), 1).shape
        for part in stretches([np.zeros((2, 35), np.float32)], CELL)
    ] == [(2, 35)]
    assert list(stretches([], CELL)) == []


@pytest.mark.parametrize("size", [1, 7, 640, 3333, 10**6])
def test_the_stretches_do_not_depend_on_how_the_sound_is_cut(size: int) -> None:
    random = np.random.default_rng(1)
    parts = [
        (40, 0.0),
        (300, 0.5),
        (60, 0.0),
        (500, 1.0),
        (12, 1e-5),
        (700, 0.3),
        (900, 0.0),
        (90, 0.7),
    ]
    sound = np.concatenate(
        [random.uniform(-peak, peak, (2, count * CELL)) for count, peak in parts], 1
    ).astype(np.float32)
    sound = sound[:, :-3]  # the last cell is not full
    found = [
        np.concatenate(list(part), 1)
        for part in stretches(
            (sound[:, at : at + size] for at in range(0, sound.shape[1], size)), CELL
        )
    ]
    assert np.array_equal(np.concatenate(found, 1), sound)
    lengths = [part.shape[1] / CELL for part in found]
    assert lengths[:6] == [40, 300, 60, 500, 12, 700]
    # Silence that is longer than what is looked at on both sides is nothing but silence there.
    assert sum(lengths[6:-1]) == pytest.approx(900, abs=AROUND)
