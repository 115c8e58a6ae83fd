"""What is said of errors that are no fault of the program: the system's, and of memory."""

from __future__ import annotations

import os
import sys

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import reason

_NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory", "Unable to allocate")


def explain(error: BaseException, place: str = "") -> str | None:
    """Say in a line what went wrong, or return None for an error that nobody has thought of.

    Args:
        error: what was raised.
        place: what was worked on.
    """
    if isinstance(error, MusaeError):
        return str(error)
    if isinstance(error, OSError):
        return f"{_named(error) or place or 'a file'}: {reason(error)}"
    at = f"{place}: " if place else ""
    text = str(error).split("\n")[0]
    if isinstance(error, MemoryError) or any(words in text for words in _NO_MEMORY):
        return (
            f"{at}takes more memory than there is; try smaller inputs or a smaller model"
            if at
            else "there is not enough memory; try smaller inputs or a smaller model"
        )
    if isinstance(error, RecursionError):
        return (
            f"{at}something in it is nested too deeply" if at else "an input is nested too deeply"
        )
    if isinstance(error, RuntimeError) and "Symlink loop" in text:  # of pathlib before Python 3.13
        name = text.partition("Symlink loop from ")[2].strip("'")
        return f"{name or place}: is a link that leads to itself"
    if isinstance(error, OverflowError):
        return f"{at}a number is too large ({text})"
    if isinstance(error, ValueError) and "null byte" in text:
        return f"{at}a name has a null character"
    return None


def _named(error: OSError) -> str:
    name = error.filename
    return os.fsdecode(name) if isinstance(name, str | bytes) else ""


def open_standard_streams() -> None:
    """Open those of the standard streams that are closed on the null device.

    Otherwise the next file that is opened has the number of one of them, and what a library says on
    that goes into the file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (for as long as we run)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
