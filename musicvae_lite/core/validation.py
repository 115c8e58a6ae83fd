"""Arguments of the Python API, checked: whole numbers, also NumPy's, and tempos."""

from __future__ import annotations

import operator
from typing import Any

from musicvae_lite.core.errors import ArgumentError

SLOWEST, FASTEST = 4.0, 1000.0  # quarter notes a minute; MIDI has a limit of its own a little below


def whole(value: Any, least: int, told: str) -> int:
    """Return a whole number of any integer type as Python's own.

    Args:
        value: the argument.
        least: the lowest that can be.
        told: what to say of another.

    Raises:
        ArgumentError: it is no whole number, or is below ``least``.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise ArgumentError(told) from None
    if number < least:
        raise ArgumentError(told)
    return number


def seed_of(seed: Any, usual: int = 0) -> int:
    """Return the seed of draws, ``usual`` for None.

    Raises:
        ArgumentError: it is no whole number from 0 on.
    """
    return (
        usual
        if seed is None
        else whole(seed, 0, f"seed is {seed!r}; it is a whole number from 0 on")
    )


def check_tempo(qpm: float | None) -> None:
    """Refuse a tempo that no MIDI file can have; None is one that is not given.

    Raises:
        ArgumentError: naming it.
    """
    if qpm is None:
        return
    try:
        fits = bool(SLOWEST <= qpm <= FASTEST)  # nan does not
    except TypeError:
        fits = False
    if not fits:
        raise ArgumentError(
            f"qpm is {qpm}; a tempo is {SLOWEST:g} to {FASTEST:g} quarter notes a minute"
        )
