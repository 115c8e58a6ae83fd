"""Roman numerals."""

import pytest

from musicvae_lite.core.errors import UsageError
from musicvae_lite.music.chords import tonic_of
from musicvae_lite.music.roman import has_numerals, spelled


@pytest.mark.parametrize(
    ("numerals", "key", "symbols"),
    [
        ("I V vi IV", "C", "C G Am F"),
        ("ii V7 Imaj7", "Bb", "Cm F7 Bbmaj7"),
        ("i VI III VII", "Am", "Am F C G"),
        ("i iv V i", "E minor", "Em Am B Em"),
        ("I | vi IV | bVII", "D", "D | Bm G | C"),
        ("I:2 V:0.5", "G", "G:2 D:0.5"),
        ("vii° viio7 iiø III+", "C", "Bdim Bdim7 Dm7b5 Eaug"),
        ("V/V V7/vi #iv", "C", "D E7 F#m"),
        ("I,V N.C. Am", "F", "F,C N.C. Am"),
    ],
)
def test_numerals_are_degrees_of_the_key(numerals, key, symbols):
    assert has_numerals(numerals)
    assert spelled(numerals, key) == symbols


def test_symbols_stay_and_need_no_key():
    for text in ("C Am F G", "Dm7b5 | Bb/D", "", "Iv"):
        assert not has_numerals(text)
        assert spelled(text, None) == text


def test_numerals_need_a_key():
    with pytest.raises(UsageError, match="name it"):
        spelled("I V", None)
    with pytest.raises(UsageError, match="key 'H' is not known"):
        spelled("I V", "H")


def test_what_follows_a_numeral_is_read_as_after_a_root():
    assert spelled("Vsus4 iim", "C") == "Gsus4 Dmm"  # refused by the one who reads chords
    assert tonic_of("F# minor") == (6, True)
    assert tonic_of("CM") == (0, False)
