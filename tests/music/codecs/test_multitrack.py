from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicvae_lite.config import load_config
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media.midi import METRE, NOTE, PEDAL, Score, Track, midi_bytes, read_midi
from musicvae_lite.music.codecs.multitrack import MultitrackCodec

BAR = 1920
STEP = 20
CODEC = MultitrackCodec()
BAND = (Track("lead", 40), Track("bass", 33), Track("kit", 0, True))
OFF, SHIFT, VELOCITY, PROGRAM, DRUMS, END, PAD = 128, 256, 352, 360, 488, 489, 490


def score(rows, tracks=BAND, metres=None, pedals=()) -> Score:
    """Rows are (start, end, pitch, velocity, track) in ticks."""
    metres = np.array(metres or [], METRE)
    return Score(
        480,
        np.array(rows, NOTE),
        tracks,
        metres=metres,
        source="test",
        pedals=np.array(list(pedals), PEDAL),
    )


def band(bars: int):
    return [
        row
        for start in range(0, bars * BAR, BAR)
        for row in (
            (start, start + 480, 72, 100, 0),
            (start, start + 960, 40, 30, 1),
            (start, start + STEP, 36, 127, 2),
            (start + 960, start + 960 + STEP, 38, 127, 2),
        )
    ]


def shown(window):
    """The tracks of a window without padding."""
    return [[token for token in track if token != PAD] for track in window.reshape(8, 64).tolist()]


def window_of(*tracks):
    window = np.full((8, 64), PAD, np.uint16)
    window[:, 0] = END
    for row, track in zip(window, tracks, strict=False):
        row[: len(track)] = track
    return window.reshape(-1)


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Up to ten tracks, some of one program, with chords, overlaps, notes over bar lines and metre
    changes.
    """
    ticks = draw(st.sampled_from([24, 100, 480]))
    count = draw(st.integers(1, 10))
    tracks = tuple(
        Track("", draw(st.sampled_from([0, 33, 40, 127])), draw(st.booleans()))
        for _ in range(count)
    )
    rows = []
    for _ in range(draw(st.integers(0, 60))):
        start = draw(st.integers(0, 12 * ticks))
        length = draw(st.sampled_from([0, 1, ticks // 2, ticks, 5 * ticks]))
        pitch = draw(st.integers(58, 61) | st.integers(0, 127))
        rows.append(
            (
                start,
                start + length,
                pitch,
                draw(st.integers(0, 127)),
                draw(st.integers(0, count - 1)),
            )
        )
    changes = st.tuples(st.integers(0, 12 * ticks), st.sampled_from([3, 4]), st.just(4))
    metres = [(0, 4, 4)] + draw(st.lists(changes, max_size=1))
    pedals = [
        (start, start + ticks, 0) for start in draw(st.lists(st.integers(0, 9 * ticks), max_size=2))
    ]
    return Score(
        ticks,
        np.array(rows, NOTE),
        tracks,
        metres=np.array(metres, METRE),
        pedals=np.array(list(pedals), PEDAL),
    )


@settings(max_examples=50, deadline=None)
@given(
    scores(),
    st.sampled_from(
        [MultitrackCodec(), MultitrackCodec(tracks=4, events=16, min_tracks=1, min_events=2)]
    ),
)
def test_what_was_encoded_decodes_to_what_encodes_the_same(
    piece: Score, codec: MultitrackCodec
) -> None:
    encoded = codec.encode(piece)
    assert encoded.windows.shape[1:] == codec.shape and encoded.windows.dtype == codec.dtype
    assert encoded.dropped == sum(
        (Counter({drop.reason: drop.count}) for drop in encoded.drops), Counter()
    )
    for window in encoded.windows:
        decoded = codec.decode(window)
        assert decoded.end <= BAR
        np.testing.assert_array_equal(codec.encode(decoded).windows, window[None])
        np.testing.assert_array_equal(
            codec.encode(read_midi(midi_bytes(decoded))).windows, window[None]
        )
    joined = codec.encode(codec.join(list(encoded.windows)))
    np.testing.assert_array_equal(joined.windows, encoded.windows)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, PAD), min_size=512, max_size=512))
def test_any_tokens_decode_to_notes_inside_the_bar(tokens: list[int]) -> None:
    piece = CODEC.decode(np.array(tokens))
    notes = piece.notes
    assert (
        (notes["start"] >= 0).all()
        and (notes["end"] <= BAR).all()
        and (notes["end"] > notes["start"]).all()
    )
    assert not len(notes) or 1 <= notes["velocity"].min() <= notes["velocity"].max() <= 127
    CODEC.encode(piece)


def test_tokens_of_a_simple_band() -> None:
    encoded = CODEC.encode(score(band(2)))
    assert encoded.dropped == Counter() and encoded.windows.shape == (2, 512)
    assert encoded.origin["bar"].tolist() == [0, 1] and encoded.origin["tick"].tolist() == [0, BAR]
    assert shown(encoded.windows[1])[:4] == [  # bass, lead, drums: by program, drums last
        [PROGRAM + 33, VELOCITY + 1, 40, SHIFT + 47, OFF + 40, END],
        [PROGRAM + 40, VELOCITY + 6, 72, SHIFT + 23, OFF + 72, END],
        [DRUMS, VELOCITY + 7, 36, SHIFT, OFF + 36, SHIFT + 46, 38, SHIFT, OFF + 38, END],
        [END],
    ]
    assert (
        CODEC.vocabulary,
        CODEC.end,
        CODEC.padding,
        CODEC.steps,
        CODEC.bars,
        CODEC.steps_per_bar,
    ) == (
        490,
        489,
        490,
        512,
        1,
        96,
    )


def test_a_note_over_the_bar_line_ends_there_and_one_just_before_it_belongs_to_the_next_bar() -> (
    None
):
    rows = [*band(2), (BAR - 480, BAR + 480, 60, 80, 0), (BAR - 5, BAR + 200, 62, 80, 0)]
    first, second = CODEC.encode(score(rows)).windows
    assert shown(first)[1][-4:] == [60, SHIFT + 23, OFF + 60, END]
    assert (
        shown(second)[1][1:4] == [VELOCITY + 4, 62, VELOCITY + 6]
        and OFF + 60 not in shown(second)[1]
    )


def test_the_pedal_lengthens_notes_first() -> None:
    window = CODEC.encode(score(band(1), pedals=[(0, 960, 0)])).windows[0]
    assert shown(window)[1] == [PROGRAM + 40, VELOCITY + 6, 72, SHIFT + 47, OFF + 72, END]


def test_bars_that_are_refused_are_named() -> None:
    nine = tuple(Track("", program) for program in range(9))
    crowd = score(
        [(bar * BAR, bar * BAR + 480, 60, 80, track) for bar in (0, 1, 3) for track in range(9)],
        nine,
    )
    encoded = CODEC.encode(crowd)
    assert encoded.dropped == {"window with more than 8 tracks": 3}
    assert [(drop.track, drop.count, drop.first_bar, drop.last_bar) for drop in encoded.drops] == [
        (8, 2, 0, 1),
        (8, 1, 3, 3),
    ]
    assert (
        CODEC.advice(crowd)
        == "bar 1 has 9 tracks, over 8; bar 2 has 9 tracks, over 8; bar 4 has 9 tracks, over 8"
    )
    busy = score(
        [*band(1), *((step * 2 * STEP, step * 2 * STEP + STEP, 60, 80, 1) for step in range(24))]
    )
    assert CODEC.encode(busy).dropped == {"window with more than 62 events in a track": 1}
    assert CODEC.advice(busy) == "bar 1, track 2 has 100 events, over 62"
    alone = score([row for row in band(2) if row[4] == 0])
    assert CODEC.encode(alone).dropped == {"window with fewer than 2 tracks": 2}
    assert (
        CODEC.advice(alone)
        == "only track 1 has notes; a bar holds 2 to 8 tracks that play together"
    )
    few = score([row for row in band(1) if row[4] < 2][:2], BAND)
    assert len(CODEC.encode(few).windows) == 1 and CODEC.encode(few).dropped == Counter()
    assert MultitrackCodec(min_events=9).advice(few) == "bar 1 has 8 events, under 9"
    assert CODEC.advice(score(band(2))) == CODEC.advice(score([])) == ""


def test_other_reasons() -> None:
    waltz = score(band(1), metres=[(0, 3, 4)])
    assert CODEC.encode(waltz).dropped == {"metre 3/4 (the model needs 4/4)": 4}
    cut = score(band(2), metres=[(0, 4, 4), (BAR + 960, 3, 4)])
    assert CODEC.encode(cut).dropped == {
        "in a bar that a change of metre cuts short": 3,
        "metre 3/4 (the model needs 4/4)": 1,
    }
    twice = score([*band(1), (4, 300, 72, 80, 0), (0, 10, 60, 0, 0)])
    assert CODEC.encode(twice).dropped == {"the same note at the same step": 1, "velocity 0": 1}
    assert CODEC.encode(score([])).windows.shape == (0, 512)
    absurd = 2**31 - 10
    assert not len(CODEC.encode(score([(absurd, absurd + 9, 60, 80, 0)])).windows)


def test_tracks_can_be_left_out_and_roles_are_none() -> None:
    encoded = CODEC.encode(score(band(1)), tracks=[0, 2])
    assert [track[0] for track in shown(encoded.windows[0])[:3]] == [PROGRAM + 40, DRUMS, END]
    with pytest.raises(UsageError, match="no track 7"):
        CODEC.encode(score(band(1)), tracks=[6])
    with pytest.raises(UsageError, match="no roles"):
        CODEC.encode(score(band(1)), roles={"bass": 0})


def test_what_makes_no_sense_is_passed_over() -> None:
    piece = CODEC.decode(
        window_of(
            [OFF + 60, 61, PROGRAM + 33, PROGRAM + 50, SHIFT + 95, 62, SHIFT + 95, END, 70],
            [64, 64, SHIFT + 9, 64, SHIFT + 9, OFF + 64],
            [DRUMS, VELOCITY, 36, SHIFT, OFF + 36],
            [PROGRAM + 1, END],
        )
    )
    assert [(track.program, track.is_drum) for track in piece.tracks] == [
        (0, False),
        (33, False),
        (0, True),
    ]
    rows = [(s // STEP, e // STEP, p, v, t) for s, e, p, v, t in piece.notes.tolist()]
    assert rows == [(0, 10, 64, 80, 0), (10, 20, 64, 80, 0), (0, 96, 61, 80, 1), (0, 1, 36, 1, 2)]
    for wrong in (
        np.zeros(511, int),
        np.zeros((1, 512), int),
        np.zeros(512),
        np.full(512, 491),
        np.full(512, -1),
    ):
        with pytest.raises(MusaeError, match="multitrack window"):
            CODEC.decode(wrong)


def test_bars_are_joined_by_program(tmp_path: Path) -> None:
    one = window_of(
        [PROGRAM, VELOCITY, 60, SHIFT, OFF + 60, END], [PROGRAM, VELOCITY, 64, SHIFT, OFF + 64, END]
    )
    two = window_of(
        [PROGRAM, VELOCITY, 62, SHIFT, OFF + 62, END], [DRUMS, VELOCITY, 36, SHIFT, OFF + 36, END]
    )
    piece = CODEC.join([one, two], qpm=90, name="tune")
    assert [track.name for track in piece.tracks] == ["tune (piano, program 0)"] * 2 + [
        "tune (drums)"
    ]
    assert [(start, pitch, track) for start, _, pitch, _, track in piece.notes.tolist()] == [
        (0, 60, 0),
        (BAR, 62, 0),
        (0, 64, 1),
        (BAR, 36, 2),
    ]
    assert piece.qpm == 90
    assert CODEC.join([CODEC.after(one, 1), CODEC.after(two, 0)]).notes["start"].tolist() == [0, 0]


def test_onsets_are_compared_by_instrument_pitch_and_time() -> None:
    given = window_of(
        [PROGRAM, VELOCITY, 60, SHIFT + 9, OFF + 60, 62, SHIFT, OFF + 62, END],
        [DRUMS, VELOCITY, 36, END],
    )
    heard = window_of(
        [DRUMS, VELOCITY, 36, END],
        [PROGRAM, VELOCITY, 50, VELOCITY + 1, 60, SHIFT + 8, OFF + 60, 62, SHIFT, OFF + 62, END],
    )
    onsets = CODEC.onsets(given[None])
    assert np.flatnonzero(onsets[0, :, 0]).tolist() == [2, 5, 66]
    assert np.flatnonzero(CODEC.onsets_right(heard[None], given[None])[0, :, 0]).tolist() == [2, 66]
    assert CODEC.onsets_right(given[None], given[None]).sum() == 3
    assert CODEC.valid(given[None]).sum() == 9 + 4 + 6


def test_transposition_leaves_drums() -> None:
    window = CODEC.encode(score(band(1))).windows
    low, high = CODEC.transposition_limits(window)
    assert (low.tolist(), high.tolist()) == ([-40], [55])
    moved = CODEC.transpose(window, np.array([2]))
    assert shown(moved[0])[0] == [PROGRAM + 33, VELOCITY + 1, 42, SHIFT + 47, OFF + 42, END]
    assert shown(moved[0])[2:] == shown(window[0])[2:]
    assert [
        limit.tolist()
        for limit in CODEC.transposition_limits(window_of([DRUMS, VELOCITY, 36, END])[None])
    ] == [[0], [0]]
    assert CODEC.transposition_limits(window[:0])[0].shape == (0,)


def test_explain() -> None:
    reports = CODEC.explain(score([*band(3), (3 * BAR, 3 * BAR + 480, 60, 80, 0)]))
    assert [(r.role, r.windows, r.bars) for r in reports] == [
        ("other", 3, (1, 3)),
        ("bass", 3, (1, 3)),
        ("drums", 3, (1, 3)),
    ]
    assert reports[0].refused == {"window with fewer than 2 tracks": 1}


def test_config_rebuilds_the_codec_and_wrong_settings_are_refused() -> None:
    codec = MultitrackCodec(tracks=4, events=32, min_tracks=1, velocity_bins=16, numerator=3)
    assert build_codec(codec.config()).config() == codec.config()
    assert codec.vocabulary == 256 + 72 + 16 + 130
    for wrong in (
        {"tracks": 1},
        {"events": 3},
        {"velocity_bins": 0},
        {"min_events": -1},
        {"steps_per_quarter": 0},
    ):
        with pytest.raises(UsageError, match="codec 'multitrack'"):
            build_codec({"kind": "multitrack", **wrong})
    with pytest.raises(
        UsageError, match=r"model.encoder must be hierarchical with levels \[32, 8\]"
    ):
        load_config("multitrack-1bar", ["codec.events=32"])
    with pytest.raises(UsageError, match="more than the 1 tracks"):
        load_config("multitrack-1bar", ["codec.tracks=1"])


def test_a_compound_metre_is_its_own() -> None:
    codec = MultitrackCodec(numerator=6, denominator=8)
    for metre, windows in (((6, 8), 1), ((3, 4), 0)):
        piece = score(
            [(0, 480, 60, 80, 0), (480, 960, 64, 80, 1)], metres=np.array([(0, *metre)], METRE)
        )
        assert len(codec.encode(piece).windows) == windows


def test_of_a_crowded_bar_the_tracks_that_play_most_are_kept():
    tracks = tuple(Track(f"part {number}", number) for number in range(10))
    rows = [
        (bar * BAR + beat * 480, bar * BAR + beat * 480 + 240, 60, 64, track)
        for bar in range(2)
        for track in range(10)
        for beat in range(4 if track else 1)
        if bar or track != 4  # one plays in the second bar alone, the first one little
    ]
    piece = score(rows, tracks)
    assert len(CODEC.encode(piece).windows) == 0
    codec = MultitrackCodec(crowded="busiest")
    encoded = codec.encode(piece)
    assert len(encoded.windows) == 2
    reason = "more than 8 tracks in the bar, of which others play more"
    assert encoded.dropped == {reason: 2 + 4}
    assert {drop.track for drop in encoded.drops} == {0, 4}
    written = codec.join(list(encoded.windows))
    assert sorted(track.program for track in written.tracks) == [1, 2, 3, 5, 6, 7, 8, 9]
    said = codec.notice(piece, encoded, range(10))
    assert said.endswith("not heard in all of their bars: 1 (part 0), 5 (part 4)")
    assert not codec.notice(piece, MultitrackCodec(tracks=10).encode(piece), range(10))
    few = score(rows[:4], tracks)
    assert np.array_equal(codec.encode(few).windows, CODEC.encode(few).windows)
