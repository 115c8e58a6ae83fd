import numpy as np
import pytest

from musicvae_lite.music.codecs.drums import DrumsCodec
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.codecs.trio import TrioCodec
from musicvae_lite.music.overlap import every_bar, half_apart, weave
from musicvae_lite.music.windows import rebuild, whole_melody
from tests.tiny import codec, score


def windows_of(line: list[int], bars: list[int], steps: int) -> np.ndarray:
    """Cut a line of steps into windows of two bars, as the codec does: what is before the first
    note is not known.
    """
    rows = []
    for bar in bars:
        window = np.array(line[bar * steps : (bar + 2) * steps], np.uint8)
        first = np.flatnonzero(window >= 2)
        window[: first[0] if len(first) else len(window)] = 0
        rows.append(window)
    return np.stack(rows)


def test_a_note_held_over_a_border_goes_on_and_ends_where_it_did():
    melody = MelodyCodec(steps_per_quarter=1)
    line = [40, 0, 0, 42, 0, 1, 0, 45, 0, 0, 0, 0, 0, 47, 0, 1]
    windows = windows_of(line, [0, 1, 2], 4)
    (stretch,) = weave(windows, np.array([5, 6, 7]), melody)
    assert stretch.row == 0 and stretch.tokens.tolist() == line
    notes = melody.decode(stretch.tokens).notes
    assert len(notes) == 4 and (notes["end"] - notes["start"]).tolist() == [
        3 * 480,
        2 * 480,
        6 * 480,
        2 * 480,
    ]


def test_windows_that_only_abut_are_not_joined():
    melody = MelodyCodec(steps_per_quarter=1)
    windows = windows_of([40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 0, 0], [0, 2], 4)
    assert [
        (stretch.row, len(stretch.tokens)) for stretch in weave(windows, np.array([1, 3]), melody)
    ] == [(0, 8), (1, 8)]


def test_what_the_earlier_window_starts_is_not_struck_where_the_later_one_has_no_note():
    melody = MelodyCodec(steps_per_quarter=1)
    window, earlier = np.array([0, 0, 50, 0], np.uint8), np.array([1, 44, 45, 0], np.uint8)
    assert melody.resume(window, earlier).tolist() == [1, 0, 50, 0]
    assert melody.resume(window, earlier[:1]).tolist() == [1, 0, 50, 0]


def test_voices_of_a_trio_go_on_by_themselves_and_drums_are_those_of_the_later_window():
    trio = TrioCodec(bars=2, steps_per_quarter=1)
    window = np.array([[0, 30, 1], [50, 0, 0]])
    earlier = np.array([[1, 1, 0], [0, 0, 3]])
    assert trio.resume(window, earlier).tolist() == [[1, 30, 1], [50, 0, 0]]
    drums = DrumsCodec(steps_per_quarter=1)
    assert drums.resume(np.array([0, 5]), np.array([7, 7])).tolist() == [0, 5]


@pytest.mark.parametrize(
    ("bars", "size", "chosen"),
    [
        ([0, 1, 2, 3], 2, [0, 1, 2, 3]),
        (list(range(20)), 16, [0, 8, 16, 19]),
        ([0, 1, 2, 9, 10], 4, [0, 2, 3, 4]),
        ([0, 1, 2], 1, [0, 1, 2]),
    ],
)
def test_windows_overlap_by_half(bars, size, chosen):
    assert half_apart(np.array(bars, np.int64), size).tolist() == chosen


def test_a_note_of_many_bars_is_one_note():
    piece = score([(0, 4, 60, 0), (4, 18, 64, 0), (18, 20, 67, 0)])
    passage = whole_melody(piece, codec(), "tiny", overlapping=True)
    assert passage.bars.tolist() == [1, 2, 3, 4] and every_bar(codec()).config()["hop_bars"] == 1
    again = rebuild(passage, passage.windows, codec(), "x")
    assert (again.notes["start"] / 480).tolist() == [0, 4, 18] and (
        again.notes["end"] / 480
    ).tolist() == [4, 18, 20]
    apart = whole_melody(piece, codec(), "tiny")
    assert (rebuild(apart, apart.windows, codec(), "x").notes["end"] / 480).tolist()[1] < 18
