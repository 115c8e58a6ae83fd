from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media.midi import METRE, NOTE, Score, Track, read_midi, write_midi
from musicvae_lite.music.codecs.grid import is_compound
from musicvae_lite.music.codecs.groove import (
    CLASSES,
    DRUMS,
    HITS,
    KITS,
    OFFSETS,
    ROLAND,
    VELOCITIES,
    GrooveCodec,
)

KIT = (Track("kit", 0, True),)
STEP = 120


def score(rows, tracks=KIT, metres=None, ticks=480) -> Score:
    """Rows are (start, pitch, velocity[, track])."""
    notes = np.array([(row[0], row[0] + 30, *row[1:3], *(row[3:] or (0,))) for row in rows], NOTE)
    return Score(ticks, notes, tracks, metres=np.array(metres or [], METRE), source="test")


@st.composite
def codecs(draw: st.DrawFn) -> GrooveCodec:
    numerator, denominator, grid = draw(st.sampled_from([(4, 4, 4), (3, 4, 4), (6, 8, 6)]))
    bars = draw(st.integers(1, 3))
    return GrooveCodec(
        bars=bars,
        steps_per_quarter=grid,
        numerator=numerator,
        denominator=denominator,
        kit=draw(st.sampled_from(sorted(KITS))),
        hop_bars=draw(st.integers(1, bars)),
        pad_short=draw(st.booleans()),
        require_onset=draw(st.booleans()),
    )


@st.composite
def scores(draw: st.DrawFn) -> Score:
    ticks = draw(st.sampled_from([24, 480, 5, 220]))
    times = st.integers(0, 30 * ticks)
    rows = draw(
        st.lists(
            st.tuples(times, st.integers(33, 60), st.integers(0, 127), st.integers(0, 2)),
            max_size=40,
        )
    )
    metres = [(0, *draw(st.sampled_from([(4, 4), (3, 4), (6, 8)])))]
    metres += draw(st.lists(st.tuples(times, st.sampled_from([3, 4]), st.just(4)), max_size=2))
    return score(rows, (Track("a", 0, True), Track("b", 3), Track("c", 8, True)), metres, ticks)


def plain_windows(piece: Score, codec: GrooveCodec) -> list[np.ndarray]:
    """The rules, note by note, for a piece of one metre and windows that are all wanted."""
    drum_of = {
        pitch: drum for drum, pitches in enumerate(KITS[codec.kit].values()) for pitch in pitches
    }
    best: dict[tuple[int, int], tuple[int, float]] = {}
    for start, _, pitch, velocity, track in piece.notes.tolist():
        if piece.tracks[track].is_drum and velocity and pitch in drum_of:
            at = start / piece.ticks_per_quarter * codec.steps_per_quarter
            step = int(at + 0.5)
            key = step, drum_of[pitch]
            if key not in best or velocity > best[key][0]:
                best[key] = velocity, 2 * (step - at)
    bars = max((step // codec.steps_per_bar + 1 for step, _ in best), default=0)
    starts = range(0, bars - codec.bars + 1, codec.hop_bars)
    windows = [np.zeros(codec.shape) for _ in starts]
    for window, bar in zip(windows, starts, strict=True):
        for (step, drum), (velocity, offset) in best.items():
            inside = step - bar * codec.steps_per_bar
            if 0 <= inside < codec.steps:
                window[inside, [drum, drum + 9, drum + 18]] = 1, velocity / 127, offset
    return windows


def on_the_first_step(window: np.ndarray) -> np.ndarray:
    """A window as it is written at the start of a file: nothing comes before it."""
    window = window.copy()
    window[0, OFFSETS] = np.minimum(window[0, OFFSETS], 0)
    return window


@settings(max_examples=50, deadline=None)
@given(codecs(), scores())
def test_the_codec_does_what_the_plain_rules_do(codec: GrooveCodec, piece: Score) -> None:
    fits = piece.metre_segments()[:1]
    if (
        len(piece.metre_segments()) != 1
        or fits[0].numerator * codec.denominator != fits[0].denominator * codec.numerator
    ):
        return
    if is_compound(fits[0].numerator) != is_compound(codec.numerator):  # 6/8 is as long as 3/4
        return
    arguments = {key: value for key, value in codec.config().items() if key != "kind"}
    plain = GrooveCodec(**arguments | {"pad_short": False, "require_onset": False})
    windows, wanted = plain.encode(piece).windows, plain_windows(piece, plain)
    assert len(windows) == len(wanted)
    for window, other in zip(windows, wanted, strict=True):
        np.testing.assert_allclose(window, other, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(codecs(), scores())
def test_what_was_encoded_decodes_to_what_encodes_the_same(
    codec: GrooveCodec, piece: Score
) -> None:
    for window in codec.encode(piece).windows:
        assert window.dtype == np.float32 and window.shape == codec.shape
        if not window.any():
            continue
        back = codec.encode(codec.decode(window))
        if not codec.pad_short and not window[-codec.steps_per_bar :].any():
            continue  # nothing says that there are bars after the last hit
        wanted = on_the_first_step(window)
        first = int(back.origin["bar"][0]) * codec.steps_per_bar
        assert first == 0
        np.testing.assert_array_equal(
            back.windows[0][:, : OFFSETS.start], wanted[:, : OFFSETS.start]
        )
        np.testing.assert_allclose(
            back.windows[0][:, OFFSETS], wanted[:, OFFSETS], atol=1 / 480 + 1e-6
        )
        if piece.ticks_per_quarter in (24, 480) and codec.steps_per_quarter == 4:
            np.testing.assert_array_equal(back.windows[0], wanted)


@settings(max_examples=50, deadline=None)
@given(codecs(), scores())
def test_every_note_is_used_or_has_a_reason(codec: GrooveCodec, piece: Score) -> None:
    encoded = codec.encode(piece)
    assert sum(encoded.dropped.values()) <= len(piece.notes)
    if len(piece.notes) and not len(encoded.windows):
        assert sum(encoded.dropped.values()) == len(piece.notes)
    assert encoded.dropped == sum(
        (Counter({drop.reason: drop.count}) for drop in encoded.drops), Counter()
    )


def test_hits_velocities_and_offsets() -> None:
    rows = [(0, 36, 127), (4 * STEP + 12, 38, 64), (8 * STEP - 30, 42, 1), (12 * STEP + 60, 46, 9)]
    window = GrooveCodec(bars=1).encode(score(rows)).windows[0]
    assert window[:, HITS].nonzero()[0].tolist() == [
        0,
        4,
        8,
        13,
    ]  # half a step late is the next step's, early
    assert window[:, HITS].nonzero()[1].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(
        window[[0, 4, 8, 13], [9, 10, 11, 12]], np.array([127, 64, 1, 9]) / 127, rtol=1e-6
    )
    np.testing.assert_allclose(
        window[[0, 4, 8, 13], [18, 19, 20, 21]], [0, -0.2, 0.5, 1], rtol=1e-6
    )
    assert (window[:, VELOCITIES] > 0).sum() == 4


def test_the_loudest_hit_of_a_step_counts() -> None:
    rows = [(0, 38, 50), (10, 40, 90), (20, 37, 90), (30, 36, 10)]
    encoded = GrooveCodec(bars=1).encode(score(rows))
    window = encoded.windows[0]
    assert window[0, [0, 1]].tolist() == [1, 1] and window[0, 19] == np.float32(-2 * 10 / STEP)
    assert encoded.dropped == {"the same drum at the same step": 2}


def test_kits() -> None:
    assert len(DRUMS) == CLASSES == 9 and list(KITS["gm"]) == list(ROLAND)
    assert [group[0] for group in ROLAND.values()] == [36, 38, 42, 46, 43, 47, 50, 49, 51]
    piece = score([(0, 48, 80), (STEP, 39, 80), (2 * STEP, 100, 80)])
    gm, roland = (GrooveCodec(bars=1, kit=kit).encode(piece) for kit in ("gm", "roland"))
    assert gm.windows[0][:, HITS].nonzero()[1].tolist() == [5, 1] and gm.dropped == {
        "pitch of no drum": 1
    }
    assert roland.windows[0][:, HITS].nonzero()[1].tolist() == [6] and roland.dropped == {
        "pitch of no drum": 2
    }


def test_a_hit_before_the_bar_line_belongs_to_the_bar_and_the_metre_after_it() -> None:
    piece = score([(1920 - 20, 36, 80)])
    encoded = GrooveCodec(bars=1).encode(piece)
    assert encoded.origin["bar"].tolist() == [1] and encoded.origin["tick"].tolist() == [1920]
    assert encoded.windows[0][0, 18] == np.float32(40 / STEP)
    changed = score(
        [(0, 36, 80), (1440 - 20, 38, 80), (1440, 36, 80)], metres=[(0, 3, 4), (1440, 4, 4)]
    )
    encoded = GrooveCodec(bars=1).encode(changed)
    assert encoded.windows[0][0, [0, 1]].tolist() == [1, 1] and encoded.dropped == {
        "metre 3/4 (the model needs 4/4)": 1
    }


def test_windows_slide_and_the_end_is_filled_up() -> None:
    piece = score([(bar * 1920, 36, 80) for bar in (0, 1, 2, 7)])
    assert GrooveCodec().encode(piece).origin["bar"].tolist() == [0, 1, 2, 6]
    assert GrooveCodec(require_onset=False).encode(piece).origin["bar"].tolist() == [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    assert GrooveCodec(hop_bars=2).encode(piece).origin["bar"].tolist() == [0, 2, 6]
    late = score([(bar * 1920, 36, 80) for bar in (3, 4, 5)])
    assert GrooveCodec().encode(late).origin["bar"].tolist() == [3, 4]
    assert GrooveCodec(hop_bars=2).encode(late).origin["bar"].tolist() == [2, 4]
    assert GrooveCodec().encode(score([(3 * 1920, 36, 80)])).origin["bar"].tolist() == [2]
    short = score([(bar * 1920, 36, 80) for bar in range(3)])
    assert GrooveCodec(hop_bars=2).encode(short).origin["bar"].tolist() == [0, 2]
    encoded = GrooveCodec(hop_bars=2, pad_short=False).encode(short)
    assert encoded.origin["bar"].tolist() == [0] and encoded.dropped == {
        "after the last whole window of 2 bars": 1
    }
    assert GrooveCodec(pad_short=False).encode(score([(0, 36, 80)])).dropped == {
        "shorter than 2 bars": 1
    }


def test_a_piece_without_end_takes_no_memory() -> None:
    encoded = GrooveCodec(require_onset=False).encode(score([(0, 36, 80), (2**31, 36, 80)]))
    assert not len(encoded.windows) and encoded.dropped == {
        "too long for a groove (over 20000 bars)": 2
    }


def test_tracks() -> None:
    tracks = (Track("drums", 0, True), Track("pads", 0), Track("more", 0, True))
    piece = score([(0, 36, 80, 0), (STEP, 38, 80, 1), (2 * STEP, 42, 80, 2)], tracks)
    codec = GrooveCodec(bars=1)
    encoded = codec.encode(piece)
    assert encoded.windows[0][:, HITS].nonzero()[0].tolist() == [0, 2] and encoded.dropped == {
        "no drum track": 1
    }
    assert codec.encode(piece, tracks=[1]).windows[0][:, HITS].nonzero()[1].tolist() == [1]
    assert [report.windows for report in codec.explain(piece)] == [1, 0, 1]
    assert "--track" in codec.advice(score([(0, 36, 80)], (Track("pads"),)))


def test_what_is_written(tmp_path) -> None:
    codec = GrooveCodec(bars=1)
    window = np.zeros(codec.shape, np.float32)
    for step, drum, velocity, offset in [
        (0, 0, 0, 1),
        (1, 1, 2, -1),
        (2, 1, 0.5, 1),
        (5, 2, 0.3, 0.25),
    ]:
        window[step, [drum, 9 + drum, 18 + drum]] = 0.9, velocity, offset
    window[7, [3, 12]] = 0.5, 1  # not known is no hit
    piece = codec.decode(window, qpm=97)
    write_midi(piece, tmp_path / "a.mid")
    notes = read_midi(tmp_path / "a.mid").notes
    assert read_midi(tmp_path / "a.mid").qpm == 97
    by_time = np.sort(notes, order="start")
    assert by_time["start"].tolist() == [0, 480 + 239, 960 - 240, 2400 - 60]
    assert by_time["velocity"].tolist() == [1, 127, 64, 38]
    assert by_time["end"].tolist() == [
        480,
        720,
        1200,
        2820,
    ]  # a note ends where the next one of the drum starts
    joined = codec.join([window, window])
    assert joined.notes["start"][joined.notes["pitch"] == 36].tolist() == [0, 16 * 480 - 240]


@pytest.mark.parametrize(
    "settings_",
    [{"kit": "jazz"}, {"hop_bars": 3}, {"bars": 0}, {"numerator": 5, "denominator": 32}],
)
def test_settings_that_make_no_codec(settings_) -> None:
    with pytest.raises(UsageError, match="codec 'groove'"):
        GrooveCodec(**settings_)


def test_windows_that_are_none() -> None:
    codec = GrooveCodec()
    for window in (np.zeros((32, 27), int), np.zeros((32, 9)), np.full((32, 27), np.nan)):
        with pytest.raises(MusaeError, match="a groove"):
            codec.decode(window)
    with pytest.raises(MusaeError, match="transposed"):
        codec.transpose(np.zeros((1, 32, 27), np.float32), np.ones(1))


def test_right_and_onsets() -> None:
    windows = np.zeros((2, 32, 27), np.float32)
    windows[0, 3, 2], windows[1, 3, 11] = 1, 1
    codec = GrooveCodec()
    assert codec.onsets(windows).sum((1, 2)).tolist() == [1, 0]
    assert (~codec.right(windows[:1], windows[1:])).nonzero()[1].tolist() == [3]
