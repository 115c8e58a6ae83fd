"""The form of a piece: which of its sections repeat an earlier one. No torch.

Letters in shapes: T steps.
"""

from __future__ import annotations

import re

import numpy as np

from musicvae_lite.core.errors import UsageError

#: Forms that tunes have, with how often one is drawn: by sections of four bars, or of two in pieces
#: of up to eight bars.
FORMS = {
    1: {"A": 1.0},
    2: {"AA": 0.35, "AB": 0.65},
    3: {"AAB": 0.4, "ABA": 0.4, "ABC": 0.2},
    4: {"AABA": 0.3, "ABAC": 0.25, "AABB": 0.15, "ABAB": 0.1, "AABC": 0.1, "ABCD": 0.1},
}
_LONGEST = 26
_FORM = re.compile(rf"[A-Z]{{1,{_LONGEST}}}")


def read_form(text: str, bars: int) -> str:
    """Check a form that a user names, such as ``AABA``.

    Raises:
        UsageError: it is no form, or the bars cannot be divided into its sections.
    """
    form = text.upper()
    if not _FORM.fullmatch(form):
        raise UsageError(f"form {text!r} is not known; write a letter a section, such as AABA")
    if bars % len(form):
        raise UsageError(
            f"{bars} bars cannot be divided into the {len(form)} sections of {form}; take a "
            f"multiple of {len(form)}"
        )
    return form


def draw_form(bars: int, draws: np.random.Generator) -> str:
    """Draw a form for a piece of so many bars: sections of four bars, of two up to eight bars."""
    size = section_bars(bars)
    if not size:
        return "A"
    number, parts = bars // size, list[str]()
    while number:
        table = FORMS[min(number, 4)]
        part = str(draws.choice(list(table), p=np.array(list(table.values()))))
        if parts:
            # Sixteen bars later the first of them come back in half of the pieces.
            shift = 0 if draws.random() < 0.5 else len(set("".join(parts)))
            part = "".join(chr(ord(letter) + shift) for letter in part)
        parts.append(part)
        number -= len(part)
    letters = dict.fromkeys("".join(parts))
    names = {letter: chr(ord("A") + index % _LONGEST) for index, letter in enumerate(letters)}
    return "".join(names[letter] for letter in "".join(parts))


def section_bars(bars: int) -> int:
    """Return the bars of a section: 4, or 2 in short pieces; 0 where they do not divide."""
    size = 2 if bars <= 8 else 4
    return size if bars % size == 0 and bars >= 2 * size else 0


def repeats(form: str, draws: np.random.Generator, varied: float) -> list[tuple[int, float]]:
    """Return of each section which earlier one it repeats, -1 for none, and how much of it is the
    same, from its start.

    Args:
        form: a letter a section.
        draws: what is random.
        varied: how often a section that comes back ends otherwise.
    """
    found = []
    for place, letter in enumerate(form):
        first = form.index(letter)
        if first == place:
            found.append((-1, 0.0))
        else:
            found.append((first, 0.75 if draws.random() < varied else 1.0))
    return found
