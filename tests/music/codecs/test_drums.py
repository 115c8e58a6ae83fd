from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media.midi import METRE, NOTE, Score, Track, read_midi, write_midi
from musicvae_lite.music.codecs.drums import GROUPS, DrumsCodec, drum_pitches

BAR = 1920
KIT = (Track("kit", 0, True),)


def score(rows, tracks=KIT, metres=None) -> Score:
    """Rows are (start, end, pitch[, velocity[, track]])."""
    notes = np.array([(*row, *(80, 0)[len(row) - 3 :]) for row in rows], NOTE)
    return Score(480, notes, tracks, metres=np.array(metres or [], METRE), source="test")


def beat(bars: int, first: int = 0):
    """Kick on one and three, snare on two and four, closed hi-hat on every eighth."""
    rows = [
        (first + q * 480, first + q * 480 + 100, 36 if q % 2 == 0 else 40) for q in range(4 * bars)
    ]
    return rows + [(first + e * 240, first + e * 240, 42) for e in range(8 * bars)]


@st.composite
def codecs(draw: st.DrawFn) -> DrumsCodec:
    numerator, denominator, grid = draw(st.sampled_from([(4, 4, 4), (3, 4, 4), (6, 8, 6)]))
    classes, form = draw(st.sampled_from([(9, "tokens"), (9, "roll"), (61, "roll")]))
    return DrumsCodec(
        bars=draw(st.integers(1, 3)),
        steps_per_quarter=grid,
        numerator=numerator,
        denominator=denominator,
        classes=classes,
        form=form,
        gap_bars=draw(st.sampled_from([1.0, 1.0, 1.5, 3.0])),
        hop_bars=draw(st.integers(1, 2)),
        max_bars=draw(st.sampled_from([None, 4])),
    )


@st.composite
def scores(draw: st.DrawFn) -> Score:
    ticks = draw(st.sampled_from([24, 480, 5]))
    times = st.integers(0, 40 * ticks)
    rows = draw(
        st.lists(
            st.tuples(times, st.integers(0, ticks), st.integers(20, 90), st.integers(0, 2)),
            max_size=40,
        )
    )
    notes = np.array(
        [(start, start + length, pitch, 80, track) for start, length, pitch, track in rows], NOTE
    )
    changes = st.tuples(times, st.sampled_from([2, 3, 4, 6]), st.sampled_from([2, 4, 8]))
    metres = [(0, *draw(st.sampled_from([(4, 4), (3, 4), (6, 8), (2, 2)])))] + draw(
        st.lists(changes, max_size=3)
    )
    tracks = (Track("a", 0, True), Track("b", 3), Track("c", 8, True))
    return Score(ticks, notes, tracks, metres=np.array(metres, METRE))


def plain_windows(piece: Score, codec: DrumsCodec) -> list[list[frozenset[int]]]:
    """The rules, note by note: sets of classes for each step of each window."""
    classes = {
        pitch: index for index, group in enumerate(drum_pitches(codec.classes)) for pitch in group
    }
    per_bar, result = codec.steps_per_bar, []
    for segment in piece.metre_segments():
        if segment.numerator * 4 * codec.steps_per_quarter != per_bar * segment.denominator:
            continue
        if (segment.numerator in range(6, 33, 3)) != (codec.numerator in range(6, 33, 3)):
            continue  # beats of thirds here, not there
        steps: dict[int, set[int]] = {}
        for start, _, pitch, velocity, track in piece.notes.tolist():
            inside = segment.start <= start < segment.end
            if inside and piece.tracks[track].is_drum and velocity and pitch in classes:
                step = int(
                    (start - segment.start) / piece.ticks_per_quarter * codec.steps_per_quarter
                    + 0.5
                )
                steps.setdefault(step, set()).add(classes[pitch])
        pattern: list[int] = []
        for step in [*sorted(steps), None]:
            if pattern and (step is None or step - pattern[-1] - 1 >= codec.gap_bars * per_bar):
                begin = pattern[0] // per_bar
                bars = pattern[-1] // per_bar + 1 - begin
                bars = bars if codec.max_bars is None else min(bars, codec.max_bars)
                for bar in range(begin, begin + bars - codec.bars + 1, codec.hop_bars):
                    window = range(bar * per_bar, (bar + codec.bars) * per_bar)
                    result.append(
                        [
                            frozenset(steps.get(t, ())) if t in pattern else frozenset()
                            for t in window
                        ]
                    )
                pattern = []
            if step is not None:
                pattern.append(step)
    return result


def as_sets(windows: np.ndarray, codec: DrumsCodec) -> list[list[frozenset[int]]]:
    rolls = windows if codec.form == "roll" else (windows[..., None] >> np.arange(9)) & 1
    return [[frozenset(np.flatnonzero(step).tolist()) for step in window] for window in rolls]


def without(codec: DrumsCodec) -> DrumsCodec:
    arguments = {key: value for key, value in codec.config().items() if key != "kind"}
    return DrumsCodec(**{**arguments, "pad_short": False, "require_onset": False})


@settings(max_examples=150, deadline=None)
@given(codecs(), scores())
def test_the_codec_does_what_the_plain_rules_do(codec: DrumsCodec, piece: Score) -> None:
    plain = without(codec)
    assert as_sets(plain.encode(piece).windows, plain) == plain_windows(piece, plain)


@settings(max_examples=150, deadline=None)
@given(codecs(), scores())
def test_what_was_encoded_decodes_to_what_encodes_the_same(codec: DrumsCodec, piece: Score) -> None:
    for window in codec.encode(piece).windows:
        assert window.dtype == codec.dtype and window.shape == codec.shape
        np.testing.assert_array_equal(codec.encode(codec.decode(window)).windows[0], window)


@settings(max_examples=100, deadline=None)
@given(codecs(), scores())
def test_every_note_is_used_or_has_a_reason(codec: DrumsCodec, piece: Score) -> None:
    encoded = codec.encode(piece)
    notes = sum(
        count for reason, count in encoded.dropped.items() if not reason.startswith("window")
    )
    assert notes <= len(piece.notes)
    if len(piece.notes) and not len(encoded.windows):
        assert notes == len(piece.notes)
    assert encoded.dropped == sum(
        (Counter({drop.reason: drop.count}) for drop in encoded.drops), Counter()
    )


def test_tokens_of_a_simple_beat() -> None:
    encoded = DrumsCodec(bars=1).encode(score(beat(1)))
    assert encoded.windows.tolist() == [[5, 0, 4, 0, 6, 0, 4, 0, 5, 0, 4, 0, 6, 0, 4, 0]]
    assert encoded.dropped == Counter() and encoded.windows.dtype == np.uint16
    roll = DrumsCodec(bars=1, form="roll").encode(score(beat(1))).windows
    assert roll.shape == (1, 16, 9) and roll[0, 0].tolist() == [1, 0, 1, 0, 0, 0, 0, 0, 0]
    full = DrumsCodec(bars=1, form="roll", classes=61).encode(score(beat(1))).windows
    assert full[0, 4].nonzero()[0].tolist() == [2 + 9, 2 + 15]  # pitch 40 in the snare's group, 42


def test_the_classes_are_those_of_general_midi() -> None:
    pitches = [pitch for group in GROUPS.values() for pitch in group]
    assert len(pitches) == len(set(pitches)) == 63 and len(GROUPS) == 9
    assert [len(drum_pitches(classes)) for classes in (9, 61, 63)] == [9, 61, 63]
    assert [group[0] for group in GROUPS.values()] == [36, 38, 42, 46, 45, 48, 50, 49, 51]


def test_all_drum_tracks_are_one_pattern_and_others_can_be_named() -> None:
    tracks = (Track("kick", 0, True), Track("piano", 0), Track("hat", 0, True))
    rows = [(q * 480, q * 480 + 1, 36, 80, 0) for q in range(8)] + [
        (q * 480 + 240, q * 480 + 300, 42, 80, 2) for q in range(8)
    ]
    rows += [(q * 480, q * 480 + 9, 38, 80, 1) for q in range(8)]
    codec = DrumsCodec()
    encoded = codec.encode(score(rows, tracks))
    assert encoded.windows.tolist() == [[1, 0, 4, 0] * 8]
    assert encoded.dropped == {"no drum track": 8} and encoded.parts.tolist() == [[0]]
    assert codec.encode(score(rows, tracks), tracks=[2]).windows.tolist() == [[0, 0, 4, 0] * 8]
    assert codec.encode(score(rows, tracks), roles={"drums": 1}).windows.tolist() == [
        [2, 0, 0, 0] * 8
    ]
    reports = codec.explain(score(rows, tracks))
    assert [(r.role, r.windows, r.bars) for r in reports] == [
        ("drums", 1, (1, 2)),
        ("melody", 0, None),
        ("drums", 1, (1, 2)),
    ]
    with pytest.raises(UsageError, match="there is no role 'drum' here; did you mean 'drums'"):
        codec.encode(score(rows, tracks), roles={"drum": 1})
    with pytest.raises(UsageError, match="there is no track 9 for drums"):
        codec.encode(score(rows, tracks), roles={"drums": 8})


def test_reasons() -> None:
    rows = [*beat(2), (0, 10, 5), (0, 10, 35), (0, 10, 36, 0)]
    assert DrumsCodec().encode(score(rows)).dropped == {
        "pitch of no drum": 1,
        "the same drum at the same step": 1,
        "velocity 0": 1,
    }
    waltz = DrumsCodec().encode(score(beat(3), metres=[(0, 6, 8)]))
    assert not len(waltz.windows) and waltz.dropped == {"metre 6/8 (the model needs 4/4)": 36}
    two = DrumsCodec().encode(score([*beat(4), *beat(1, 8 * BAR)]))
    assert len(two.windows) == 3 and two.dropped == {"pattern shorter than 2 bars": 12}
    assert DrumsCodec(max_bars=3).encode(score(beat(5))).dropped == {
        "after 3 bars of a pattern": 24
    }


def test_short_input_and_absurd_ticks() -> None:
    for first in (0, 1, 3):
        encoded = DrumsCodec(bars=2).encode(score(beat(1, first * BAR)))
        assert len(encoded.windows) == 1 and encoded.origin["bar"][0] == max(0, first - 1)
    last = 2**31 - 10
    far = DrumsCodec(gap_bars=1e9).encode(score([(0, 1, 36), (last, last + 1, 36)]))
    assert far.dropped == {"too long for a pattern (over 20000 bars)": 2}
    assert DrumsCodec().encode(score([])).windows.shape == (0, 32)


def test_decode_and_join(tmp_path: Path) -> None:
    codec = DrumsCodec(bars=1)
    windows = [np.array([5, 0, 4, 0] * 4), np.array([0, 0, 256, 1] * 4)]
    piece = codec.join(windows, qpm=100, velocity=70, name="x")
    assert piece.tracks == (Track("x", 0, True),) and piece.qpm == 100.0
    write_midi(piece, tmp_path / "x.mid")
    assert codec.encode(read_midi(tmp_path / "x.mid")).windows.tolist() == [
        window.tolist() for window in windows
    ]
    assert set(piece.notes["velocity"]) == {70} and set(
        piece.notes["end"] - piece.notes["start"]
    ) == {120}
    for wrong in (np.array([512]), np.array([-1]), np.zeros(16), np.zeros((16, 9), int)):
        with pytest.raises(MusaeError, match="drum window"):
            codec.decode(wrong)
    low, high = codec.transposition_limits(np.stack(windows))
    assert not low.any() and not high.any()
    np.testing.assert_array_equal(
        codec.transpose(np.stack(windows), np.zeros(2, int)), np.stack(windows)
    )


def test_onsets_and_agreement() -> None:
    tokens = np.array([[5, 0, 4, 0]])
    for codec in (DrumsCodec(), DrumsCodec(form="roll")):
        given = tokens if codec.form == "tokens" else (tokens[..., None] >> np.arange(9)) & 1
        heard = given.copy()
        heard[0, 0] = given[0, 2]
        assert codec.onsets(given)[..., 0].tolist() == [[True, False, True, False]]
        assert codec.right(heard, given)[..., 0].tolist() == [[False, True, True, True]]


def test_the_table_holds_bits_and_silence() -> None:
    table = np.array(DrumsCodec().table)
    assert table.shape == (512, 10)
    assert table[0].tolist() == [0] * 9 + [1] and table[5].tolist() == [1, 0, 1] + [0] * 7
    assert DrumsCodec(form="roll").table is None


def test_config_rebuilds_the_codec_and_wrong_settings_are_refused() -> None:
    codec = DrumsCodec(bars=4, form="roll", classes=61, gap_bars=2, max_bars=100)
    assert build_codec(codec.config()).config() == codec.config()
    for wrong in (
        {"bars": 0},
        {"classes": 61},
        {"classes": 8},
        {"gap_bars": 0.5},
        {"steps_per_quarter": 1, "denominator": 8},
    ):
        with pytest.raises(UsageError, match="codec 'drums'"):
            build_codec(
                {"kind": "drums", **wrong, **({"numerator": 3} if "denominator" in wrong else {})}
            )
