import numpy as np
import pytest

from musicvae_lite.core.errors import UsageError
from musicvae_lite.music.chords import (
    CHORDS,
    Progression,
    chord_class,
    chord_controls,
    chord_pitches,
    chord_symbol,
    key_class,
    transposed_chords,
)


@pytest.mark.parametrize(
    ("symbols", "triad"),
    [
        (
            (
                "C CM7 Cmaj7 C7 C6 C6/9 C69 Cadd9 C9 C13 Cma7 Cma9 C/E C:maj/3 C7(b9,#11) C7b5 "
                "C7alt "
                "Dbb"
            ),
            "C",
        ),
        ("Csus4 Csus2 C5 C7sus4 C:sus4(b7)", "C"),
        (
            (
                "Am Am7 Ami Amin A- A-7 Am6 Am9 AmM7 Am(maj7) A:min7/b3 Am/G Amadd9 Amadd11 "
                "Am(add9) "
                "Am7sus4 A:minmaj7"
            ),
            "Am",
        ),
        ("F#aug F#+ F#7#5 F#+7 F#7+5 F#maj7#5 Gbaug F♯+", "F#aug"),
        ("Bdim B° Bo7 Bm7b5 Bø Bø7 B:hdim7 Bdim7 Bm7-5 Cbdim", "Bdim"),
        ("N NC N.C. n.c.", "N.C."),
    ],
)
def test_symbols_become_their_triad(symbols: str, triad: str) -> None:
    for symbol in symbols.split():
        chord = chord_class(symbol)
        assert chord is not None and chord_symbol(chord) == triad, symbol


@pytest.mark.parametrize(
    "text",
    [
        "",
        "H",
        "Hm",
        "c",
        "Verse",
        "Chorus",
        "A1",
        "Bridge",
        "End",
        "Cfoo",
        "C/",
        "C/H",
        "1",
        "Am|F",
    ],
)
def test_other_words_are_no_chords(text: str) -> None:
    assert chord_class(text) is None


def test_the_order_is_magentas_and_symbols_come_back() -> None:
    assert [
        chord_class(s) for s in ("N.C.", "C", "B", "Cm", "Bm", "Caug", "Baug", "Cdim", "Bdim")
    ] == [
        0,
        1,
        12,
        13,
        24,
        25,
        36,
        37,
        48,
    ]
    assert [chord_class(chord_symbol(chord)) for chord in range(CHORDS)] == list(range(CHORDS))


def test_controls_are_one_hot() -> None:
    told = chord_controls(np.array([0, 1, 48, 1], np.uint8))
    assert told.shape == (4, 49) and told.dtype == np.float32
    assert told.argmax(1).tolist() == [0, 1, 48, 1] and (told.sum(1) == 1).all()


def test_transposed_chords_have_transposed_pitches() -> None:
    classes = np.arange(CHORDS, dtype=np.uint8)[None]
    pitches = chord_pitches()
    for semitones in (-13, -3, 0, 5, 12):
        moved = transposed_chords(classes, np.array([semitones]))[0]
        assert moved[0] == 0
        np.testing.assert_array_equal(np.roll(pitches, semitones, 1), pitches[moved])


def test_keys_are_named_by_their_major_scale() -> None:
    assert [
        key_class(name)
        for name in ("C", "Am", "a minor".title(), "F# minor", "Eb major", "Bbm", "B")
    ] == [
        0,
        0,
        0,
        9,
        3,
        1,
        11,
    ]
    for name in ("", "H", "C dorian", "5"):
        with pytest.raises(UsageError, match="is not known; write C, Am"):
            key_class(name)


def test_chords_without_lengths_are_spread_or_have_a_bar_each() -> None:
    progression = Progression.parse("C Am F G")
    assert progression.length == 4
    assert (
        progression.steps(8, 16, spread=True).tolist() == [1] * 32 + [22] * 32 + [6] * 32 + [8] * 32
    )
    assert (
        progression.steps(6, 4).tolist()
        == [1] * 4 + [22] * 4 + [6] * 4 + [8] * 4 + [1] * 4 + [22] * 4
    )


@pytest.mark.parametrize(
    ("text", "length", "bar_of_two"),
    [
        ("C | Am F", 2, [1, 1, 22, 6]),
        ("| C, Am | F |", 2, [1, 22, 6, 6]),
        ("C:2 G:min:1.5 F:0.5", 4, [1, 1, 1, 1, 20, 20, 20, 6]),
    ],
)
def test_chords_with_lengths_repeat(text: str, length: int, bar_of_two: list[int]) -> None:
    progression = Progression.parse(text)
    assert progression.length == length
    assert progression.steps(2 * length, 2, spread=True).tolist() == 2 * bar_of_two


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  ", "names no chord"),
        ("||", "names no chord"),
        ("C Xm G", "chord 2, 'Xm', is not known; a chord is a root"),
        ("C | | G", "between bar lines stands at least one chord"),
        ("C:2 | G", "between bar lines stands at least one chord"),
        ("C:0 G", "chord 1 lasts 0 bars"),
        ("C:99999", "chord 1 lasts 99999 bars"),
    ],
)
def test_a_progression_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Progression.parse(text)


def test_more_chords_than_steps() -> None:
    with pytest.raises(UsageError, match="too many chords"):
        Progression.parse("C G " * 9).steps(1, 16, spread=True)
