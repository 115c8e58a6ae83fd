"""Windows of polyphonic piano: what is read, what is left out, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media.midi import METRE, NOTE, PEDAL, Score, Track
from musicvae_lite.music.codecs.piano import PianoCodec
from musicvae_lite.music.codecs.piano_notes import HELD, KEYS, STRUCK, played

BAR, STEP = 1920, 120
CODEC = PianoCodec()
RIGHT, LEFT, FLUTE, KIT = Track("right"), Track("left"), Track("flute", 73), Track("", 0, True)


def score(rows, tracks=(RIGHT, LEFT), metres=(), pedals=()) -> Score:
    """Rows are (start, end, pitch, velocity, track) in ticks."""
    more = {"metres": np.array(list(metres), METRE), "pedals": np.array(list(pedals), PEDAL)}
    return Score(480, np.array(rows, NOTE), tracks, source="test", **more)


def cells(window):
    """The cells that are not silent, as {(step, pitch): class}."""
    return {(int(t), int(k) + 21): int(window[t, k]) for t, k in np.argwhere(window > 0)}


def made(values) -> np.ndarray:
    """Make any array of classes a window that a score can have: nothing is held that none struck.

    What begins in the first step is struck.
    """
    window = values.copy()
    for step in range(len(window)):
        before = window[step - 1] if step else np.zeros(KEYS, np.uint8)
        window[step][(window[step] == HELD) & (before == 0)] = 0
    return window


def test_hands_of_several_tracks_are_one_piano_with_lengths_and_loudness():
    piece = score(
        [
            (0, 2 * STEP, 60, 100, 0),
            (0, STEP, 64, 30, 0),
            (STEP, 3 * STEP, 36, 127, 1),
        ]
    )
    encoded = CODEC.encode(piece)
    assert len(encoded.windows) == 1
    loud, soft, most = (STRUCK + velocity // 16 for velocity in (100, 30, 127))
    expected = {(0, 60): loud, (1, 60): HELD, (0, 64): soft, (1, 36): most, (2, 36): HELD}
    assert cells(encoded.windows[0]) == expected
    assert not encoded.dropped
    written = CODEC.decode(encoded.windows[0])
    starts = written.notes[["start", "end", "pitch"]].tolist()
    assert sorted(starts) == [(0, STEP, 64), (0, 2 * STEP, 60), (STEP, 3 * STEP, 36)]
    loudness = dict(written.notes[["pitch", "velocity"]].tolist())
    assert {pitch: velocity // 16 for pitch, velocity in loudness.items()} == {60: 6, 64: 1, 36: 7}


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.uint8, (32, KEYS), elements=st.integers(0, 9), fill=st.just(0)),
    st.integers(0, 1),
)
def test_every_window_comes_back_from_its_score(values, empty_bars):
    window = made(values)
    window[: 16 * empty_bars] = 0
    window = made(window)
    if not (window >= STRUCK).any():
        assert len(CODEC.encode(CODEC.decode(window)).windows) == 0
        return
    encoded = CODEC.encode(CODEC.decode(window))
    assert np.array_equal(encoded.windows[0], window)
    assert not any(not reason.startswith("window") for reason in encoded.dropped)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 6 * BAR),
            st.integers(1, 3 * BAR),
            st.integers(10, 115),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_notes_are_in_a_window_or_have_a_reason(rows):
    notes = [(start, start + length, pitch, 64, track) for start, length, pitch, track in rows]
    piece = score(notes, (RIGHT, FLUTE, KIT))
    encoded = CODEC.encode(piece)
    lost = sum(n for why, n in encoded.dropped.items() if not why.startswith("window"))
    starts = {
        (int(bar) * 16 + step, pitch)
        for window, bar in zip(encoded.windows, encoded.origin["bar"], strict=True)
        for (step, pitch), value in cells(window).items()
        if value >= STRUCK
    }
    assert len(starts) + lost == len(piece.notes)
    for window in encoded.windows:
        again = CODEC.encode(CODEC.decode(window)).windows
        assert np.array_equal(again[0], window)


def test_windows_slide_by_a_bar_and_hold_no_note_of_before():
    piece = score(
        [
            (0, 3 * BAR, 60, 64, 0),
            (BAR, BAR + STEP, 64, 64, 0),
            (2 * BAR, 2 * BAR + STEP, 67, 64, 0),
        ]
    )
    windows = CODEC.encode(piece)
    assert windows.origin["bar"].tolist() == [0, 1]
    assert windows.origin["tick"].tolist() == [0, BAR]
    first, second = windows.windows
    assert (first[1:, 60 - 21] == HELD).all()
    assert not second[:, 60 - 21].any()
    # Joined, the first one says how long the note lasts, up to the end of its window.
    joined = CODEC.resume(second, first[16:])
    assert (joined[:16, 60 - 21] == HELD).all() and not joined[16:, 60 - 21].any()
    struck = second.copy()
    struck[4, 60 - 21] = STRUCK
    assert CODEC.resume(struck, first[16:])[:6, 60 - 21].tolist() == [1, 1, 1, 1, STRUCK, 0]


def test_a_key_struck_again_ends_the_note_and_twice_at_once_is_told():
    piece = score([(0, 8 * STEP, 60, 64, 0), (4 * STEP, 6 * STEP, 60, 64, 1), (0, STEP, 60, 64, 1)])
    encoded = CODEC.encode(piece)
    column = encoded.windows[0][:, 60 - 21]
    assert np.flatnonzero(column >= STRUCK).tolist() == [0, 4]
    assert column[:8].tolist() == [6, 1, 1, 1, 6, 1, 0, 0]
    assert encoded.dropped == {"the same key at the same step": 1}


def test_the_pedal_is_read_as_length():
    piece = score([(0, STEP, 60, 64, 0)], pedals=[(0, 8 * STEP, 0)])
    assert (CODEC.encode(piece).windows[0] > 0).sum() == 8
    assert (PianoCodec(pedal=False).encode(piece).windows[0] > 0).sum() == 1


def test_what_is_left_out_is_told_by_track_and_reason():
    tracks = (RIGHT, FLUTE, KIT)
    rows = [(0, STEP, 60, 64, 0), (0, STEP, 20, 64, 0), (0, STEP, 72, 64, 1), (0, STEP, 36, 64, 2)]
    encoded = CODEC.encode(score(rows, tracks))
    assert encoded.dropped == {
        "drums": 1,
        "no piano (program outside 0 to 7)": 1,
        "not on the keys of a piano (pitches 21 to 108)": 1,
    }
    reports = CODEC.explain(score(rows, tracks))
    assert [report.windows for report in reports] == [1, 0, 0]
    named = CODEC.encode(score(rows, tracks), tracks=[1])  # a track that is named is read
    assert cells(named.windows[0]) == {(0, 72): 6}
    assert CODEC.gathered(score(rows, tracks)) == (0,)


def test_other_metres_are_left_out_and_a_waltz_has_its_own_codec():
    piece = score([(0, STEP, 60, 64, 0)], metres=[(0, 3, 4)])
    assert CODEC.encode(piece).dropped == {"metre 3/4 (the model needs 4/4)": 1}
    waltz = PianoCodec(numerator=3)
    assert waltz.encode(piece).windows.shape == (1, 24, KEYS)


def test_all_keys_at_once_and_a_note_far_away():
    every = [(0, STEP, pitch, 64, 0) for pitch in range(21, 109)]
    assert (CODEC.encode(score(every)).windows[0][0] == 6).all()
    far = score([(0, STEP, 60, 64, 0), (10**7 * BAR, 10**7 * BAR + STEP, 60, 64, 0)])
    assert len(CODEC.encode(far).windows) == 2
    whole = PianoCodec(require_onset=False)
    assert len(whole.encode(far).windows) == 2  # too long to be music: no window for every bar
    near = score([(0, STEP, 60, 64, 0), (9 * BAR, 9 * BAR + STEP, 60, 64, 0)])
    assert len(whole.encode(near).windows) == 9


def test_hops_and_what_is_left_over():
    rows = [(bar * BAR, bar * BAR + STEP, 60, 64, 0) for bar in range(3)]
    apart = PianoCodec(hop_bars=2)
    assert apart.encode(score(rows)).origin["bar"].tolist() == [0, 2]
    strict = PianoCodec(hop_bars=2, pad_short=False)
    encoded = strict.encode(score(rows))
    assert encoded.origin["bar"].tolist() == [0]
    assert encoded.dropped == {"after the last whole window of 2 bars": 1}
    assert len(strict.encode(score(rows[:1])).windows) == 0


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, (32, KEYS), elements=st.integers(0, 9), fill=st.just(0)))
def test_transposition_moves_keys_within_its_limits(values):
    windows = made(values)[None]
    low, high = CODEC.transposition_limits(windows)
    for semitones in {int(low[0]), 0, int(high[0])}:
        moved = CODEC.transpose(windows, np.array([semitones]))
        assert np.array_equal(np.roll(windows, semitones, 2), moved)
    if windows.any():
        with pytest.raises(MusaeError, match="out of range"):
            CODEC.transpose(windows, np.array([int(high[0]) + 1]))


def test_a_model_may_say_what_makes_no_sense():
    window = np.zeros((32, KEYS), np.int64)
    window[3, 5] = HELD  # nothing struck it
    assert len(CODEC.decode(window).notes) == 0
    step, key, end = played(np.array([[2], [1], [3], [0]], np.uint8))
    assert (step.tolist(), key.tolist(), end.tolist()) == ([0, 2], [0, 0], [2, 3])


@pytest.mark.parametrize(
    "window", [np.zeros((32, 87), np.uint8), np.zeros((32, KEYS)), np.full((32, KEYS), 10)]
)
def test_no_window_of_this_codec(window):
    with pytest.raises(MusaeError, match="piano window"):
        CODEC.decode(window)


@pytest.mark.parametrize(
    "changes",
    [{"velocity_bins": 1}, {"hop_bars": 3}, {"programs": [5, 3]}, {"bars": 0}, {"denominator": 0}],
)
def test_settings_that_cannot_be(changes):
    with pytest.raises(UsageError):
        build_codec({"kind": "piano"} | changes)


def test_the_configuration_builds_an_equal_codec():
    codec = PianoCodec(bars=1, velocity_bins=4, programs=None, hop_bars=1)
    assert build_codec(codec.config()).config() == codec.config()


def test_measures_count_notes_and_what_is_heard():
    window = np.zeros((32, KEYS), np.uint8)
    window[0, [39, 43]] = STRUCK, 9  # C4 and E4
    window[1, 39] = HELD
    other = window.copy()
    other[0, 43] = 0
    other[0, 40] = STRUCK
    windows = np.stack([window, other])
    assert CODEC.onsets(windows).sum((1, 2)).tolist() == [2, 2]
    assert CODEC.onsets_right(windows[1:], windows[:1]).sum() == 1
    assert CODEC.right(windows[1:], windows[:1])[0, :3, 0].tolist() == [False, True, True]
    values = CODEC.attributes(windows)
    assert values["register"].tolist() == [62, 60.5]
    assert values["diatonic"].tolist() == [1, 0.5]
    assert values["density"].tolist() == [1, 1]
    assert values["polyphony"].tolist() == [1.5, 1.5]
    assert values["velocity"][0] == pytest.approx(0.5)
    assert CODEC.right(window[None], np.where(window > 2, 5, window)[None]).all()
