from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media.midi import METRE, NOTE, Score, Track, read_midi, write_midi
from musicvae_lite.music.codecs.trio import TrioCodec

BAR = 1920
BAND = (Track("lead", 0), Track("bass", 33), Track("kit", 0, True))


def score(rows, tracks=BAND, metres=None) -> Score:
    """Rows are (start, end, pitch, track)."""
    notes = np.array([(start, end, pitch, 80, track) for start, end, pitch, track in rows], NOTE)
    return Score(480, notes, tracks, metres=np.array(metres or [], METRE), source="test")


def part(track: int, bars: range, pitch: int, length: int = 480):
    return [(bar * BAR, bar * BAR + length, pitch, track) for bar in bars]


def band(bars: int):
    return part(0, range(bars), 72) + part(1, range(bars), 40) + part(2, range(bars), 36)


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Two melodies, two basses, drums and strings, with rests, chords and metre changes."""
    ticks = draw(st.sampled_from([24, 480]))
    bar = 4 * ticks
    tracks = (
        Track("a", 0),
        Track("b", 33),
        Track("c", 0, True),
        Track("d", 24),
        Track("e", 38),
        Track("f", 48),
    )
    rows = []
    for track in range(len(tracks)):
        for position in range(12):
            if draw(st.integers(0, 3)):
                start = position * bar + draw(st.integers(0, bar - 1))
                length = draw(st.sampled_from([0, ticks // 2, ticks, 3 * bar]))
                rows.append((start, start + length, draw(st.integers(30, 90)), 80, track))
    changes = st.tuples(st.integers(0, 12 * bar), st.sampled_from([3, 4]), st.just(4))
    metres = [(0, 4, 4)] + draw(st.lists(changes, max_size=1))
    return Score(ticks, np.array(rows, NOTE), tracks, metres=np.array(metres, METRE))


@st.composite
def codecs(draw: st.DrawFn) -> TrioCodec:
    bars = draw(st.integers(2, 5))
    return TrioCodec(
        bars=bars, gap_bars=draw(st.integers(1, 2)), max_bars=draw(st.sampled_from([1024, 8]))
    )


@settings(max_examples=120, deadline=None)
@given(codecs(), scores())
def test_what_was_encoded_decodes_to_what_encodes_the_same(codec: TrioCodec, piece: Score) -> None:
    encoded = codec.encode(piece)
    assert encoded.windows.shape[1:] == codec.shape and encoded.windows.dtype == codec.dtype
    for window in encoded.windows[:12]:
        np.testing.assert_array_equal(codec.encode(codec.decode(window)).windows[0], window)


@settings(max_examples=100, deadline=None)
@given(codecs(), scores())
def test_every_note_is_used_or_has_a_reason(codec: TrioCodec, piece: Score) -> None:
    encoded = codec.encode(piece)
    notes = sum(
        count for reason, count in encoded.dropped.items() if not reason.startswith("window")
    )
    assert notes <= len(piece.notes)
    if not len(encoded.windows):
        assert notes == len(piece.notes)
    assert encoded.dropped == sum(
        (Counter({drop.reason: drop.count}) for drop in encoded.drops), Counter()
    )
    np.testing.assert_array_equal(encoded.parts[:, 0], encoded.origin["track"])


def test_steps_of_a_simple_band() -> None:
    encoded = TrioCodec(bars=2, gap_bars=1).encode(score(band(3)))
    assert encoded.windows.shape == (2, 32, 3)
    assert encoded.windows[0, :6].tolist() == [
        [53, 21, 1],
        [0, 0, 0],
        [0, 0, 0],
        [0, 0, 0],
        [1, 1, 0],
        [0, 0, 0],
    ]
    assert encoded.origin["bar"].tolist() == [0, 1] and encoded.parts.tolist() == [[0, 1, 2]] * 2
    assert encoded.dropped == Counter()


def test_every_combination_of_tracks_is_tried() -> None:
    tracks = (*BAND, Track("second", 5), Track("fretless", 35))
    rows = band(4) + part(3, range(4), 60) + part(4, range(4), 43)
    encoded = TrioCodec(bars=4).encode(score(rows, tracks))
    assert encoded.parts.tolist() == [[0, 1, 2], [0, 4, 2], [3, 1, 2], [3, 4, 2]]
    named = TrioCodec(bars=4).encode(score(rows, tracks), roles={"melody": 3, "bass": 0})
    assert named.parts.tolist() == [[3, 0, 2]]
    assert len(TrioCodec(bars=4).encode(score(rows, tracks), tracks=[0, 1, 2]).windows) == 1


def test_voices_may_rest_for_a_while() -> None:
    codec = TrioCodec(bars=8, gap_bars=2)

    def windows(bass: list[int]) -> int:
        rows = (
            part(0, range(8), 72)
            + part(2, range(8), 36)
            + [note for bar in bass for note in part(1, range(bar, bar + 1), 40)]
        )
        return len(codec.encode(score(rows)).windows)

    assert windows(list(range(8))) == 1
    assert windows([0, 5]) == 1  # four bars of rest: two from either side
    assert windows([0, 6]) == 0
    assert windows([2, 5]) == 1  # at the ends it is enough that another voice plays
    assert windows([5]) == 0


def test_a_window_can_be_read_back_or_magentas_rule_is_asked_for() -> None:
    rows = (
        part(0, range(1), 72, 9 * BAR)
        + part(0, range(10, 12), 72)
        + part(1, range(12), 40)
        + part(2, range(12), 36)
    )
    ours, magenta = TrioCodec(bars=4), TrioCodec(bars=4, magenta=True)
    assert (
        len(magenta.encode(score(rows)).windows) == 9
    )  # a held note counts as played in every window
    kept = ours.encode(score(rows))
    assert kept.origin["bar"].tolist() == [0, 7, 8]
    assert kept.dropped == {
        "window in which a voice rests too long": 6,
        "not in 4 bars that all three voices play": 6,
    }


def test_a_note_off_before_any_note_means_nothing() -> None:
    rows = [
        (0, BAR + 480, 72, 0),
        (BAR + 960, BAR + 1440, 74, 0),
        *part(1, range(3), 40),
        *part(2, range(3), 36),
    ]
    ours, magenta = (
        TrioCodec(bars=2, gap_bars=1, magenta=flag).encode(score(rows)).windows[1]
        for flag in (False, True)
    )
    assert (ours[4, 0], magenta[4, 0]) == (0, 1)
    assert ours[8].tolist() == magenta[8].tolist() == [55, 0, 0]


def test_what_is_missing_is_said_with_what_could_be_named() -> None:
    tracks = (Track("lead", 0), Track("strings", 48), Track("kit", 0, True))
    piece = score(part(0, range(16), 72) + part(1, range(16), 40) + part(2, range(16), 36), tracks)
    codec = TrioCodec()
    encoded = codec.encode(piece)
    assert not len(encoded.windows)
    assert encoded.dropped == {
        "no bass to go with it": 32,
        "no role in a trio (name it with --role)": 16,
    }
    assert (
        codec.advice(piece)
        == "it has no bass track; could be named: track 2 (strings), as in --role bass=2"
    )
    assert len(codec.encode(piece, roles={"bass": 1}).windows) == 1
    alone = score(part(0, range(16), 72), (Track("lead", 0),))
    assert (
        codec.advice(alone)
        == "it has no bass and no drums track, and no other track could take its place"
    )
    assert codec.advice(score(band(2))) == ""
    with pytest.raises(UsageError, match="no role 'base' here; did you mean 'bass'"):
        codec.encode(piece, roles={"base": 1})
    with pytest.raises(UsageError, match="no track 7 for bass"):
        codec.encode(piece, roles={"bass": 6})


def test_reasons() -> None:
    rows = [*band(16), (0, 480, 60, 0), (0, 480, 110, 0), (0, 480, 5, 2)]
    assert TrioCodec().encode(score(rows)).dropped == {
        "lower note of a chord": 1,
        "pitch outside 21-108": 1,
        "pitch of no drum": 1,
    }
    short = TrioCodec().encode(score(band(8)))
    assert not len(short.windows)
    assert short.dropped == {
        "not in 16 bars that all three voices play": 24,
        "window in which a voice rests too long": 1,
    }
    waltz = TrioCodec(bars=2).encode(score(band(3), metres=[(0, 3, 4)]))
    assert waltz.dropped == {"metre 3/4 (the model needs 4/4)": 9}
    assert TrioCodec().encode(score([])).windows.shape == (0, 256, 3)
    absurd = 2**31 - 10
    assert not len(TrioCodec().encode(score([*band(2), (absurd, absurd + 9, 60, 0)])).windows)


def test_explain() -> None:
    reports = TrioCodec(bars=2).explain(score(band(3)))
    assert [(r.role, r.windows, r.bars) for r in reports] == [
        ("melody", 2, (1, 3)),
        ("bass", 2, (1, 3)),
        ("drums", 2, (1, 3)),
    ]


def test_decode_join_and_transposition(tmp_path: Path) -> None:
    codec = TrioCodec(bars=2)
    window = codec.encode(score(band(2))).windows[0]
    piece = codec.decode(window, qpm=90, program=5)
    assert piece.tracks == (
        Track("trio", 5),
        Track("trio (bass)", 33),
        Track("trio (drums)", 0, True),
    )
    write_midi(piece, tmp_path / "x.mid")
    np.testing.assert_array_equal(codec.encode(read_midi(tmp_path / "x.mid")).windows[0], window)
    assert len(codec.join([window, window[16:]]).notes) == 9
    low, high = codec.transposition_limits(window[None])
    assert (low.tolist(), high.tolist()) == ([-19], [36])
    moved = codec.transpose(window[None], np.array([3]))
    assert moved[0, 0].tolist() == [56, 24, 1] and moved[0, 1].tolist() == [0, 0, 0]
    with pytest.raises(MusaeError, match="trio window"):
        codec.decode(window[:, 0])
    assert codec.transposition_limits(window[None][:0])[0].shape == (0,)
    assert (
        codec.onsets(window[None])[0, 0].tolist() == [True] * 3
        and codec.right(window, window).all()
    )


def test_config_rebuilds_the_codec_and_wrong_settings_are_refused() -> None:
    codec = TrioCodec(bars=4, gap_bars=1, magenta=True, bass_programs=(30, 40))
    assert build_codec(codec.config()).config() == codec.config()
    assert (codec.sizes, codec.vocabulary, codec.shape) == ((90, 90, 512), 692, (64, 3))
    for wrong in (
        {"bars": 0},
        {"bass_programs": [5]},
        {"gap_bars": 0},
        {"max_bars": 3},
        {"min_pitch": 90, "max_pitch": 80},
    ):
        with pytest.raises(UsageError, match="codec '"):
            build_codec({"kind": "trio", **wrong})
