"""Chords as classes: symbols, progressions, and the numbers that a model is told.

49 classes in the order of Magenta's ``TriadChordOneHotEncoding``: 0 no chord, then 12 major, 12
minor, 12 augmented and 12 diminished triads from C upwards.

What a symbol becomes: its triad. Sevenths, extensions, additions and the bass are left out
(``Am7/G`` is Am, ``F6/9`` is F); an altered fifth counts where it makes a triad (``Bm7b5`` and
``Bø`` are Bdim, ``C7#5`` is Caug; ``C7b5`` stays C). What has no third (``Csus4``, ``C5``) is taken
for the major triad, as a player resolves it, but for ``Cm7sus4``, which says minor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError

CHORDS = 49
KEYS = 12
NO_CHORD = 0
QUALITIES = ("", "m", "aug", "dim")
TRIADS = ((0, 4, 7), (0, 3, 7), (0, 4, 8), (0, 3, 6))
NOTES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MAX_BARS = 10_000

_UNDERSTOOD = (
    "a chord is a root (C, F#, Bb) with m, dim, aug, 7, maj7, m7, sus4, 9 or the like "
    "after it (Am7, Bb/D), or N.C."
)
_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ROOT = re.compile(r"([A-G])(##?|bb?|♯|♭|x)?")
_SHIFT = {"": 0, "#": 1, "♯": 1, "##": 2, "x": 2, "b": -1, "♭": -1, "bb": -2}
_BASS = re.compile(r"/(?:[A-G][#b♯♭]?|[#b]*[1-7])$")  # a note, or a degree as in C:maj/3
_NONE = {"N", "NC", "N.C.", "N.C"}
#: What may follow a root, in any order, and what it says of the triad.
_PARTS = re.compile(
    r"(?P<half>hdim7?|ø7?|Ø7?)"
    r"|(?P<major>major|maj|Maj|ma(?!dd|ug|lt)|M|Δ|△|\^)"
    r"|(?P<minor>minor|min|mi|m)"
    r"|(?P<dim>dim|°|º|o)"
    r"|(?P<aug>augmented|aug)"
    r"|(?P<sus>sus(?:24|2|4)?)"
    r"|(?P<more>add|omit|no|dom|alt|/9)"
    r"|(?P<degree>[b#♭♯+\-]?(?:13|11|10|[2-9]))"
    r"|(?P<sign>[+\-])"
    r"|(?P<skip>[(),])"
)


def chord_class(symbol: str) -> int | None:
    """Return the class 0 to 48 of a chord symbol, also in Harte's way (``A:min7/b3``).

    None for what is no chord.
    """
    text = symbol.strip()
    if text.upper() in _NONE:
        return NO_CHORD
    found = _ROOT.match(text)
    if found is None:
        return None
    quality = _quality(_BASS.sub("", text[found.end() :].removeprefix(":")))
    return None if quality is None else 1 + 12 * quality + _pitch_class(found)


def _pitch_class(root: re.Match[str]) -> int:
    return (_NATURALS[root[1]] + _SHIFT[root[2] or ""]) % 12


def _quality(text: str) -> int | None:
    """Return the index into :data:`QUALITIES` of what follows a root.

    None for what is not understood.
    """
    said: set[str] = set()
    position = 0
    while position < len(text):
        part = _PARTS.match(text, position)
        # "C-7" and "C+9" say minor and augmented; further on the sign belongs to the degree.
        if position == 0 and text[0] in "+-":
            said.add("aug" if text[0] == "+" else "minor")
            position = 1
            continue
        if part is None or part.lastgroup is None:
            return None
        if part.lastgroup == "degree":
            said.add(
                {
                    "b5": "flat",
                    "♭5": "flat",
                    "-5": "flat",
                    "#5": "sharp",
                    "♯5": "sharp",
                    "+5": "sharp",
                }.get(part[0], "degree")
            )
        else:
            said.add("aug" if part[0] == "+" else part.lastgroup)
        position = part.end()
    minor = "minor" in said
    if said & {"half", "dim"} or (minor and "flat" in said):
        return 3
    if minor:
        return 1
    return 2 if said & {"aug", "sharp"} else 0


def chord_symbol(chord: int) -> str:
    """Return the symbol of a class: ``C``, ``F#m``, ``Bbaug``, ``N.C.``."""
    if chord == NO_CHORD:
        return "N.C."
    quality, root = divmod(chord - 1, 12)
    return NOTES[root] + QUALITIES[quality]


def tonic_of(text: str) -> tuple[int, bool]:
    """Return the tonic 0 to 11 of a key's name (``C``, ``F# minor``, ``Bbm``), and whether minor.

    Raises:
        UsageError: it is no key.
    """
    root = _ROOT.match(text.strip())
    mode = text.strip()[root.end() :].strip(" :") if root else ""
    if root is None or mode.lower() not in {"", "m", "min", "minor", "maj", "major"}:
        raise UsageError(f"key {text!r} is not known; write C, Am, 'F# minor' or 'Eb major'")
    return _pitch_class(root), mode == "m" or mode.lower() in {"min", "minor"}


def key_class(text: str) -> int:
    """Return the key 0 to 11 of a name: the root of the major scale with its notes.

    Raises:
        UsageError: it is no key.
    """
    tonic, minor = tonic_of(text)
    return (tonic + 3 * minor) % 12


def chord_controls(classes: NDArray[Any]) -> NDArray[np.float32]:
    """Return classes [...] (such as [T]) as what a model is told, one-hot [..., 49]."""
    numbers: NDArray[np.float32] = np.eye(CHORDS, dtype=np.float32)[classes]
    return numbers


def transposed_chords(classes: NDArray[Any], semitones: NDArray[Any]) -> NDArray[np.uint8]:
    """Return chord classes [N, ...] moved by semitones [N]; no chord stays no chord."""
    shift = np.asarray(semitones, np.int64).reshape(-1, *[1] * (classes.ndim - 1))
    quality, root = np.divmod(classes.astype(np.int64) - 1, 12)
    return np.where(classes == NO_CHORD, NO_CHORD, 1 + 12 * quality + (root + shift) % 12).astype(
        np.uint8
    )


def chord_pitches() -> NDArray[np.bool_]:
    """Return which pitch classes belong to each chord class [49, 12]; none to no chord."""
    table = np.zeros((CHORDS, 12), bool)
    for quality, triad in enumerate(TRIADS):
        for root in range(12):
            table[1 + 12 * quality + root, [(root + degree) % 12 for degree in triad]] = True
    return table


@dataclass(frozen=True)
class Progression:
    """Chords in order.

    Attributes:
        text: as it was written.
        chords: classes.
        bars: how long each lasts, in bars; None where nothing was said.
    """

    text: str
    chords: tuple[int, ...]
    bars: tuple[float, ...] | None = None

    @classmethod
    def parse(cls, text: str) -> Progression:
        """Read ``C Am F G``, ``C Am | F G`` (bars between lines) or ``C:2 Am:2 F G`` (bars after a
        colon; 1 where none).

        Raises:
            UsageError: a symbol is not understood (which, and where), a length is none, or there is
                no chord.
        """
        if not text.strip().strip("|"):
            raise UsageError(f"chords {text!r} names no chord; {_UNDERSTOOD}")
        lines = (
            [line.replace(",", " ").split() for line in text.strip().strip("|").split("|")]
            if "|" in text
            else None
        )
        words = (
            [word for line in lines for word in line] if lines else text.replace(",", " ").split()
        )
        chords, lengths = zip(
            *(_timed(word, place, text) for place, word in enumerate(words, start=1)), strict=True
        )
        timed = any(length is not None for length in lengths)
        if lines is None:
            return cls(text, chords, tuple(length or 1.0 for length in lengths) if timed else None)
        if timed or not all(lines):
            raise UsageError(
                f"chords {text!r}: between bar lines stands at least one chord, without a length "
                "of its own"
            )
        return cls(text, chords, tuple(1 / len(line) for line in lines for _ in line))

    @cached_property
    def length(self) -> int:
        """Bars of it, a chord a bar where nothing else was said; a part of a bar counts as one."""
        return int(np.ceil(round(sum(self.bars), 6))) if self.bars else len(self.chords)

    def steps(self, bars: int, steps_per_bar: int, spread: bool = False) -> NDArray[np.uint8]:
        """Return the class of each step of a piece, uint8 [bars * steps_per_bar].

        Args:
            bars: length of the piece.
            steps_per_bar: grid of it.
            spread: chords without lengths are spread evenly over the piece; else each has a bar.
                What is shorter than the piece repeats.

        Raises:
            UsageError: a chord would get no step.
        """
        total, count = bars * steps_per_bar, len(self.chords)
        if self.bars is None and spread:
            return self._placed(np.arange(total), np.arange(count + 1) * total // count)
        return self.at(np.arange(total), steps_per_bar)

    def at(self, steps: NDArray[Any], steps_per_bar: int) -> NDArray[np.uint8]:
        """Return the class at steps of any shape, counted from where the chords begin; they repeat.

        Raises:
            UsageError: a chord would get no step.
        """
        ends = np.cumsum([0.0, *(self.bars or [1.0] * len(self.chords))])
        return self._placed(steps, np.round(ends * steps_per_bar).astype(np.int64))

    def _placed(self, steps: NDArray[Any], edges: NDArray[np.int64]) -> NDArray[np.uint8]:
        if (np.diff(edges) < 1).any():
            raise UsageError(
                f"chords {self.text!r}: too many chords, or too short ones; each lasts a step of "
                "the grid at least"
            )
        place = np.searchsorted(edges, steps % edges[-1], side="right") - 1
        classes: NDArray[np.uint8] = np.array(self.chords, np.uint8)[place]
        return classes


def _timed(word: str, place: int, text: str) -> tuple[int, float | None]:
    """Return the class of a word of a progression, and its length in bars where it says one."""
    name, colon, number = word.rpartition(":")
    length = None
    if colon and re.fullmatch(r"\d+(\.\d+)?", number):
        word, length = name, float(number)
        if not 0 < length <= MAX_BARS:
            raise UsageError(
                f"chords {text!r}: chord {place} lasts {number} bars; more than 0 and at most "
                f"{MAX_BARS:,} make sense"
            )
    chord = chord_class(word)
    if chord is None:
        raise UsageError(f"chords {text!r}: chord {place}, {word!r}, is not known; {_UNDERSTOOD}")
    return chord, length
