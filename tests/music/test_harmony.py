from dataclasses import replace

import numpy as np
import pytest

from musicvae_lite.core.files import resource
from musicvae_lite.media.midi import METRE, NOTE, Score, Text, Track, read_midi
from musicvae_lite.music.chords import NO_CHORD, Progression, chord_class, chord_pitches
from musicvae_lite.music.harmony import MAX_FRAMES, harmony, key_of_chords

TPQ = 480


def block_chords(
    text: str, metre: tuple[int, int] = (4, 4), texts: tuple[Text, ...] = (), repeats: int = 1
) -> Score:
    """A bar of each chord of ``text``, its root in the bass, and drums that are to be ignored."""
    pitches, rows, bar = chord_pitches(), [], 4 * TPQ * metre[0] // metre[1]
    for place, symbol in enumerate(text.split() * repeats):
        chord = chord_class(symbol)
        assert chord is not None
        for pitch_class in np.flatnonzero(pitches[chord]):
            rows.append((place * bar, (place + 1) * bar, 60 + pitch_class, 80, 0))
        if chord:
            rows.append((place * bar, (place + 1) * bar, 36 + (chord - 1) % 12, 80, 0))
        rows.append((place * bar, place * bar + 60, 37, 80, 1))
    metres = np.array([(0, *metre)], METRE)
    return Score(
        TPQ,
        np.array(rows, NOTE),
        (Track("Piano"), Track("Drums", 0, True)),
        metres=metres,
        texts=texts,
    )


@pytest.mark.parametrize(
    ("chords", "key"),
    [
        ("C Am F G", "C major"),
        ("Em C G D", "G major"),
        ("Am Dm E Am", "A minor"),
        ("Bb Gm Cdim Faug Bb", "Bb major"),
    ],
)
def test_block_chords_are_found(chords: str, key: str) -> None:
    found = harmony(block_chords(chords, repeats=2))
    assert found.origin == "notes" and found.key == key
    assert [symbol for _, symbol in found.symbols()] == [
        s for i, s in enumerate(chords.split() * 2) if i == 0 or s != (chords.split() * 2)[i - 1]
    ]
    assert [tick for tick, _ in found.symbols()][:2] == [0, 4 * TPQ]


@pytest.mark.parametrize("metre", [(3, 4), (6, 8), (2, 4), (5, 4), (2, 2), (12, 8)])
def test_other_metres(metre: tuple[int, int]) -> None:
    found = harmony(block_chords("C F G Am", metre))
    assert [symbol for _, symbol in found.symbols()] == ["C", "F", "G", "Am"]


def test_silence_has_no_chord_and_a_change_of_key_is_followed() -> None:
    found = harmony(block_chords("C F G C N.C. N.C. E A B E", repeats=1))
    assert (2 * 4 * TPQ * 2, "G") not in found.symbols() and "N.C." in [
        symbol for _, symbol in found.symbols()
    ]
    modulating = harmony(block_chords("C F G C " * 3 + "F# B C# F# " * 3))
    assert modulating.keys[0] == 0 and modulating.keys[-1] == 6


@pytest.mark.parametrize("kind", ["marker", "text", "lyrics"])
def test_written_chords_are_taken(kind: str) -> None:
    texts = tuple(
        Text(tick * 4 * TPQ, kind, symbol) for tick, symbol in [(1, "Dm7"), (2, "G7"), (3, "Cmaj7")]
    )  # type: ignore[arg-type]
    found = harmony(block_chords("C Am F G", texts=texts))
    assert found.origin == "texts"
    assert found.symbols() == [(0, "N.C."), (4 * TPQ, "Dm"), (8 * TPQ, "G"), (12 * TPQ, "C")]
    others = tuple(
        Text(tick * 4 * TPQ, kind, symbol) for tick, symbol in enumerate(["E", "A", "B7", "E"])
    )  # type: ignore[arg-type]
    assert (
        harmony(block_chords("C Am F G", texts=others)).key == "E major"
    )  # the key follows from the chords, not the notes


def test_words_are_no_chords() -> None:
    words = tuple(
        Text(tick * TPQ, "lyrics", word)
        for tick, word in enumerate("A love that goes on Do E".split())
    )
    assert harmony(block_chords("C Am F G", texts=words)).origin == "notes"


def test_letters_of_sections_are_no_chords_unless_the_notes_say_so() -> None:
    def lettered(letters: str, bars: int) -> Score:
        texts = tuple(
            Text(4 * TPQ * bars * place, "marker", letter)
            for place, letter in enumerate(letters.split())
        )
        return block_chords("C F G C", texts=texts, repeats=4)

    found = harmony(lettered("A B A C", 4))
    assert (found.origin, found.key, found.symbols()[1]) == ("notes", "C major", (4 * TPQ, "F"))
    assert harmony(lettered("D", 16)).origin == "notes"
    assert harmony(lettered("A B A C", 1)).origin == "texts"  # as often as chords change
    held = replace(block_chords("C C C C C C C C"), texts=(Text(0, "marker", "C"),))
    assert harmony(held).origin == "texts"


def test_what_is_at_a_tick() -> None:
    found = harmony(block_chords("C Am F G"))
    chords, keys = found.at(np.array([[-1, 0, 4 * TPQ - 1], [4 * TPQ, 12 * TPQ, 10**9]]))
    assert chords.tolist() == [[NO_CHORD, 1, 1], [22, 8, 8]] and (keys == 0).all()


def test_empty_drums_only_and_damaged_scores() -> None:
    nothing = Score(TPQ, np.zeros(0, NOTE), (Track(),))
    assert harmony(nothing).symbols() == [(0, "N.C.")]
    drums = Score(TPQ, np.array([(0, 100, 36, 80, 0)], NOTE), (Track("", 0, True),))
    assert harmony(drums).symbols() == [(0, "N.C.")]
    endless = Score(1, np.array([(0, 2**31 - 1, 60, 80, 0)], NOTE), (Track(),))
    assert len(harmony(endless).ticks) <= MAX_FRAMES + 1
    zero = Score(TPQ, np.array([(0, 0, 60, 80, 0)], NOTE), (Track(),))
    assert len(harmony(zero).ticks) == 1


def test_the_key_of_a_progression() -> None:
    for text, key in (
        ("C Am F G", 0),
        ("D Bm G A", 2),
        ("Am Dm E", 0),
        ("N.C.", 0),
        ("Bb Eb F", 10),
    ):
        assert key_of_chords(Progression.parse(text).steps(4, 4)) == key


def test_a_lone_melody_has_the_chords_that_one_would_sing_it_over() -> None:
    found = harmony(read_midi(resource("data", "midi", "twinkle_twinkle.mid")))
    names = [symbol for _, symbol in found.symbols()]
    assert (
        names[:7] == ["C", "F", "C", "F", "C", "G", "C"]
        and set(names) == {"C", "F", "G"}
        and found.key == "C major"
    )
