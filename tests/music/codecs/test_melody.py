import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicvae_lite.core.codec import build_codec, codec_kinds
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media.midi import METRE, NOTE, TEMPO, Score, Track, read_midi, write_midi
from musicvae_lite.music.codecs.melody import MelodyCodec
from tests.music.codecs import reference

BAR = 1920  # ticks of a 4/4 bar at 480 a quarter
PIANO = (Track("piano", 0, False),)


def score(
    rows: list[tuple[int, ...]],
    tracks: tuple[Track, ...] = PIANO,
    metres: list[tuple[int, int, int]] | None = None,
) -> Score:
    """Rows are (start, end, pitch[, velocity[, track]])."""
    notes = np.array([(*row, *(80, 0)[len(row) - 3 :]) for row in rows], NOTE)
    return Score(480, notes, tracks, metres=np.array(metres or [], METRE), source="test")


def scale(start: int, count: int, length: int = 480) -> list[tuple[int, ...]]:
    return [(start + n * 480, start + n * 480 + length, 60 + n % 12) for n in range(count)]


@st.composite
def codecs(draw: st.DrawFn) -> MelodyCodec:
    numerator, denominator, grid = draw(
        st.sampled_from([(4, 4, 4), (3, 4, 4), (4, 4, 3), (6, 8, 6), (2, 4, 1), (4, 4, 6)])
    )
    return MelodyCodec(
        bars=draw(st.integers(1, 3)),
        steps_per_quarter=grid,
        numerator=numerator,
        denominator=denominator,
        min_pitch=40,
        max_pitch=80,
        gap_bars=draw(st.sampled_from([0.5, 1.0, 1.0, 2.0])),
        hop_bars=draw(st.integers(1, 2)),
        max_bars=draw(st.sampled_from([None, None, 4])),
    )


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Two tracks of overlapping, repeated and far apart notes, on and off the grid, with metre
    changes.
    """
    ticks = draw(st.sampled_from([24, 48, 480, 5]))
    times = st.integers(0, 40 * ticks)
    lengths = st.one_of(st.integers(0, 2 * ticks), st.integers(0, 14 * ticks))
    rows = draw(
        st.lists(st.tuples(times, lengths, st.integers(38, 82), st.integers(0, 1)), max_size=40)
    )
    notes = np.array(
        [(start, start + length, pitch, 80, track) for start, length, pitch, track in rows], NOTE
    )
    changes = st.tuples(times, st.sampled_from([2, 3, 4, 6]), st.sampled_from([2, 4, 8]))
    metres = [(0, *draw(st.sampled_from([(4, 4), (3, 4), (6, 8), (2, 2)])))] + draw(
        st.lists(changes, max_size=3)
    )
    return Score(ticks, notes, (Track("a", 0), Track("b", 30)), metres=np.array(metres, METRE))


@settings(max_examples=200, deadline=None)
@given(codecs(), scores())
def test_the_codec_does_what_the_plain_rules_do(codec: MelodyCodec, piece: Score) -> None:
    plain = MelodyCodec(**{**_arguments(codec), "pad_short": False, "require_onset": False})
    np.testing.assert_array_equal(
        plain.encode(piece).windows, reference.as_array(reference.windows(piece, plain), plain)
    )


@settings(max_examples=100, deadline=None)
@given(codecs(), scores())
def test_what_was_encoded_decodes_to_what_encodes_the_same(
    codec: MelodyCodec, piece: Score
) -> None:
    for window in codec.encode(piece).windows:
        np.testing.assert_array_equal(codec.encode(codec.decode(window)).windows[0], window)


@settings(max_examples=100, deadline=None)
@given(codecs(), scores())
def test_every_note_is_used_or_has_a_reason(codec: MelodyCodec, piece: Score) -> None:
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


def _arguments(codec: MelodyCodec) -> dict[str, object]:
    return {key: value for key, value in codec.config().items() if key != "kind"}


def test_tokens_of_a_simple_tune() -> None:
    encoded = MelodyCodec(bars=1).encode(score([(0, 480, 60), (480, 720, 62), (960, 1920, 64)]))
    assert encoded.windows.tolist() == [[41, 0, 0, 0, 43, 0, 1, 0, 45, 0, 0, 0, 0, 0, 0, 0]]
    assert encoded.windows.dtype == np.uint8
    assert encoded.dropped == Counter()


def test_origin_counts_bars_over_metre_changes_and_tracks() -> None:
    rows = [(0, 480, 60), *((5760 + n * 960, 5760 + n * 960 + 960, 64) for n in range(8))]
    piece = score(
        [(*row, 80, 1) for row in rows], (Track("x", 40), Track("y", 1)), [(0, 3, 4), (5760, 4, 4)]
    )
    encoded = MelodyCodec(bars=2).encode(piece)
    assert encoded.origin.tolist() == [(1, 4 + bar, 5760 + bar * BAR) for bar in range(3)]
    assert encoded.dropped == {"metre 3/4 (the model needs 4/4)": 1}


def test_half_time_counts_as_common_time_and_tempo_changes_do_not_cut() -> None:
    piece = score(scale(0, 16), metres=[(0, 2, 2)])
    assert len(MelodyCodec().encode(piece).windows) == 3
    changes = Score(
        480, piece.notes, PIANO, np.array([(n * 100, 60.0 + n) for n in range(70)], TEMPO)
    )
    np.testing.assert_array_equal(
        MelodyCodec().encode(changes).windows, MelodyCodec().encode(piece).windows
    )


def test_metres_of_one_length_but_other_beats_are_told_apart() -> None:
    rows = np.array([(240 * step, 240 * step + 240, 60 + step, 80, 0) for step in range(24)], NOTE)

    def piece(*metre: int) -> Score:
        return Score(480, rows, (Track(),), metres=np.array([(0, *metre)], METRE))

    waltz, jig = MelodyCodec(numerator=3), MelodyCodec(numerator=6, denominator=8)
    assert waltz.steps == jig.steps == 24
    assert [
        len(codec.encode(piece(*metre)).windows)
        for metre in ((3, 4), (6, 8))
        for codec in (waltz, jig)
    ] == [3, 0, 0, 3]
    assert list(jig.encode(piece(3, 4)).dropped) == ["metre 3/4 (the model needs 6/8)"]
    assert (
        len(waltz.encode(piece(6, 16)).windows) == 0
        and len(MelodyCodec(numerator=3).encode(piece(12, 16)).windows) == 0
    )


@pytest.mark.parametrize("start", [BAR, BAR + 480, 0, 480, 3 * BAR])
def test_short_input_gives_a_window_wherever_it_starts(start: int) -> None:
    # https://github.com/magenta/magenta/issues/1944: a melody that begins in the second bar gave
    # nothing.
    encoded = MelodyCodec(bars=2).encode(score(scale(start, 2)))
    assert len(encoded.windows) == 1
    assert np.count_nonzero(encoded.windows[0] >= 2) == 2
    first_bar = int(encoded.origin["bar"][0])
    assert first_bar == max(start // BAR - 1, 0)
    assert np.flatnonzero(encoded.windows[0] >= 2)[0] == (start - first_bar * BAR) // 120
    assert not len(MelodyCodec(bars=2, pad_short=False).encode(score(scale(start, 2))).windows)


def test_one_note_gives_a_window() -> None:
    encoded = MelodyCodec(bars=2).encode(score([(0, 100, 60)]))
    assert encoded.windows.tolist() == [[41, 1] + [0] * 30]


def test_short_melodies_beside_long_ones_are_refused_with_a_reason() -> None:
    encoded = MelodyCodec(bars=2).encode(score(scale(0, 16) + scale(10 * BAR, 3)))
    assert len(encoded.windows) == 3
    assert encoded.dropped == {"melody shorter than 2 bars": 3}


def test_held_notes() -> None:
    piece = score([(0, 6 * BAR, 60), (6 * BAR, 7 * BAR, 62)])
    kept = MelodyCodec(bars=2, require_onset=False).encode(piece)
    assert len(kept.windows) == 6 and kept.dropped == {}
    encoded = MelodyCodec(bars=2).encode(piece)
    assert len(encoded.windows) == 2
    assert encoded.dropped == {"window in which no note starts": 4}
    assert (encoded.drops[0].first_bar, encoded.drops[0].last_bar) == (1, 4)


def test_reasons() -> None:
    tracks = (Track("drums", 0, True), Track("flute", 73), Track("piano", 0))
    rows = [
        (0, 480, 36, 80, 0),
        (0, 480, 70, 80, 1),
        *((s, e, p, 80, 2) for s, e, p in scale(0, 8)),
    ]
    rows += [(0, 480, 50, 80, 2), (480, 960, 110, 80, 2), (960, 1000, 61, 0, 2)]
    assert MelodyCodec().encode(score(rows, tracks)).dropped == {
        "drum track": 1,
        "program outside 0-31": 1,
        "lower note of a chord": 1,
        "pitch outside 21-108": 1,
        "velocity 0": 1,
    }
    assert MelodyCodec().encode(score(rows, tracks), tracks=[1]).dropped == {
        "program outside 0-31": 1
    }
    assert len(MelodyCodec(programs=None).encode(score(rows, tracks), tracks=[1]).windows) == 1


def test_scores_that_give_nothing() -> None:
    codec = MelodyCodec()
    assert codec.encode(score([])).windows.shape == (0, 32)
    assert codec.encode(score([(0, 480, 36)], (Track("", 0, True),))).dropped == {"drum track": 1}
    waltz = codec.encode(score(scale(0, 9), metres=[(0, 3, 4)]))
    assert not len(waltz.windows) and waltz.dropped == {"metre 3/4 (the model needs 4/4)": 9}
    with pytest.raises(UsageError, match="there is no track 2; the tracks are 1 to 1"):
        codec.encode(score(scale(0, 8)), tracks=[1])


def test_long_melodies_are_cut_at_max_bars() -> None:
    encoded = MelodyCodec(max_bars=4).encode(score(scale(0, 24)))
    assert len(encoded.windows) == 3
    assert encoded.dropped == {"after 4 bars of a melody": 8}


@pytest.mark.parametrize("ticks", [1, 24, 480])
def test_absurd_ticks_take_no_memory(ticks: int) -> None:
    last = 2**31 - 10
    notes = np.array([(0, last, 60, 80, 0), (last - 5, last, 62, 80, 0)], NOTE)
    tracemalloc.start()
    encoded = MelodyCodec(require_onset=False).encode(Score(ticks, notes, PIANO))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    assert encoded.dropped == {"too long for a melody (over 20000 bars)": 2}


def test_a_chord_of_200000_notes() -> None:
    notes = np.zeros(200_000, NOTE)
    notes["end"], notes["pitch"], notes["velocity"] = 480, np.arange(200_000) % 128, 80
    encoded = MelodyCodec().encode(Score(480, notes, PIANO))
    assert len(encoded.windows) == 1
    assert encoded.dropped["lower note of a chord"] > 100_000


def test_decode_and_join(tmp_path: Path) -> None:
    codec = MelodyCodec(bars=1, steps_per_quarter=3, numerator=3, programs=(32, 39))
    first, second = [41, 0, 0, 0, 43, 0, 0, 0, 0], [0, 0, 0, 45, 0, 1, 47, 0, 0]
    piece = codec.join([np.array(first), np.array(second)], qpm=100, velocity=70, name="path")
    assert piece.tracks == (Track("path", 32, False),)
    assert (piece.qpm, piece.metres.tolist(), piece.ticks_per_quarter) == (100.0, [(0, 3, 4)], 480)
    assert [(s // 160, e // 160, p, v) for s, e, p, v, _ in piece.notes.tolist()] == [
        (0, 4, 60, 70),
        (4, 9, 62, 70),
        (12, 14, 64, 70),
        (15, 18, 66, 70),
    ]
    write_midi(piece, tmp_path / "x.mid")
    assert codec.encode(read_midi(tmp_path / "x.mid")).windows[:2].tolist() == [first, second]
    assert not len(codec.join([]).notes)
    with pytest.raises(MusaeError, match="tokens run from 0 to 89"):
        codec.decode(np.array([90]))
    with pytest.raises(MusaeError, match="row of integers"):
        codec.decode(np.zeros(32))


def test_transposition() -> None:
    codec = MelodyCodec(bars=1)
    windows = np.zeros((3, 16), np.uint8)
    windows[0, :2], windows[1, [0, 4]] = (2, 1), (50, 89)
    low, high = codec.transposition_limits(windows)
    assert (low.tolist(), high.tolist(), low.dtype) == ([0, -48, 0], [87, 0, 0], np.int8)
    moved = codec.transpose(windows, np.array([87, -48, 0]))
    assert (
        moved[0, :2].tolist() == [89, 1]
        and moved[1, [0, 4]].tolist() == [2, 41]
        and not moved[2].any()
    )
    assert moved.dtype == np.uint8
    for semitones in ([-1, 0, 0], [0, 1, 0]):
        with pytest.raises(MusaeError, match="out of range"):
            codec.transpose(windows, np.array(semitones))
    assert codec.transposition_limits(windows[:0])[0].shape == (0,)


def test_explain() -> None:
    tracks = (
        Track("lead", 0),
        Track("comp", 1),
        Track("kit", 0, True),
        Track("strings", 48),
        Track("bass", 33),
    )
    rows = [(s, e, p, 80, 0) for s, e, p in scale(BAR, 12)]
    rows += [(s, e, p + add, 80, 1) for s, e, p in scale(0, 4) for add in (0, 4, 7)]
    rows += [(0, 10, 36, 80, 2), (0, 10, 60, 80, 3), (0, 10, 40, 80, 4)]
    reports = MelodyCodec().explain(score(rows, tracks))
    assert [(r.number, r.name, r.role, r.notes, r.windows, r.bars) for r in reports] == [
        (1, "lead", "melody", 12, 2, (2, 4)),
        (2, "comp", "chords", 12, 0, None),
        (3, "kit", "drums", 1, 0, None),
        (4, "strings", "other", 1, 0, None),
        (5, "bass", "bass", 1, 0, None),
    ]
    assert reports[1].refused == {"lower note of a chord": 8, "melody shorter than 2 bars": 4}
    assert reports[0].refused == {}


def test_config_rebuilds_the_codec() -> None:
    codec = MelodyCodec(
        bars=4,
        steps_per_quarter=6,
        numerator=6,
        denominator=8,
        programs=None,
        gap_bars=2,
        max_bars=100,
    )
    assert build_codec(codec.config()).config() == codec.config()
    assert (codec.steps, codec.steps_per_bar, codec.vocabulary, codec.shape) == (72, 18, 90, (72,))
    assert codec_kinds()["melody"] is MelodyCodec


@pytest.mark.parametrize(
    "config, message",
    [
        ({"kind": "melodie"}, "did you mean 'melody'"),
        ({}, "is not known"),
        ({"kind": "melody", "bar": 2}, "did you mean 'bars'"),
        ({"kind": "melody", "bars": "two"}, "codec 'melody'"),
        ({"kind": "melody", "bars": 0}, "start at 1"),
        (
            {"kind": "melody", "steps_per_quarter": 1, "numerator": 3, "denominator": 8},
            "no whole number of steps",
        ),
        ({"kind": "melody", "min_pitch": 90, "max_pitch": 80}, "no range"),
        ({"kind": "melody", "programs": [5]}, "no range"),
        ({"kind": "melody", "gap_bars": 0}, "above 0"),
    ],
)
def test_wrong_settings(config: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_codec(config)
