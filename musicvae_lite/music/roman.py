"""Roman numerals: chords by their degree in a key, as ``I V vi IV`` in C is ``C G Am F``.

Capital numerals are major triads, small ones minor; ``°`` or ``o``, ``ø`` and ``+`` after them say
diminished, half-diminished and augmented, and what else may follow a chord's root may follow a
numeral (``V7``, ``iimaj7``). Degrees are those of the major scale, in a minor key those of the
natural minor scale (``VI`` in A minor is F); ``b`` and ``#`` before a numeral lower and raise it.
``V/V`` is the fifth of the fifth.
"""

from __future__ import annotations

import re

from musicvae_lite.core.errors import UsageError
from musicvae_lite.music.chords import NOTES, tonic_of

_NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
_SHIFT = {"": 0, "b": -1, "♭": -1, "#": 1, "♯": 1}
_DEGREE = r"([b#♭♯]?)(VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)"
_WORD = re.compile(rf"{_DEGREE}(?![ivIV])([^/:]*)(?:/{_DEGREE})?(:[0-9.]+)?")
_SIGNS = {"o": "dim", "°": "dim", "º": "dim", "ø": "m7b5", "Ø": "m7b5", "+": "aug"}


def has_numerals(chords: str) -> bool:
    """Say whether a progression has a Roman numeral."""
    return any(_WORD.fullmatch(word) for word in _words(chords))


def spelled(chords: str, key: str | None) -> str:
    """Return a progression with chord symbols in place of its Roman numerals.

    Args:
        chords: such as ``I V vi IV``; other words and bar lines stay.
        key: that they are degrees of, such as ``C`` or ``A minor``.

    Raises:
        UsageError: there are numerals and no key, or it is none.
    """
    if not has_numerals(chords):
        return chords
    if key is None:
        raise UsageError(
            f"chords {chords!r}: Roman numerals are degrees of a key; name it (--key C, --key Am)"
        )
    tonic, minor = tonic_of(key)
    scale = _MINOR if minor else _MAJOR
    symbols = {word: _symbol(word, tonic, scale) for word in _words(chords)}
    parts = re.split(r"([\s,|]+)", chords)
    return "".join(symbols.get(part, part) for part in parts)


def _words(chords: str) -> list[str]:
    return re.split(r"[\s,|]+", chords.strip(" ,|\t\n"))


def _symbol(word: str, tonic: int, scale: tuple[int, ...]) -> str:
    """Return the symbol of one word; what is no numeral stays."""
    found = _WORD.fullmatch(word)
    if found is None:
        return word
    shift, numeral, more, of_shift, of, length = found.groups()
    if of is not None:
        tonic = (tonic + _interval(of_shift, of, scale)) % 12
        scale = _MAJOR
    root = NOTES[(tonic + _interval(shift, numeral, scale)) % 12]
    sign = _SIGNS.get(more[:1])
    if sign is not None:
        more = sign + ("" if sign == "m7b5" else more[1:])
    elif numeral.islower():
        more = "m" + more
    return f"{root}{more}{length or ''}"


def _interval(shift: str, numeral: str, scale: tuple[int, ...]) -> int:
    return scale[_NUMERALS.index(numeral.upper())] + _SHIFT[shift]
