"""The errors a user can meet: each is one or two lines that say what, where and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from musicvae_lite.core.text import message


class MusaeError(Exception):
    """Something failed.

    The command prints the message without a traceback and exits with ``exit_code``. It is fit to be
    printed and of at most 500 characters, whatever the names and values in it.
    """

    exit_code = 1

    def __init__(self, told: object = "", *more: object) -> None:
        super().__init__(message(str(told)), *more)


class UsageError(MusaeError):
    """The request itself cannot be right (unknown name, contradictory options)."""

    exit_code = 2


class ArgumentError(UsageError, ValueError):
    """An argument of a function of the library cannot be right.

    Also Python's own kind of error for that.
    """


class NothingUsableError(MusaeError):
    """Nothing could be written: the input holds nothing that the model can use."""

    exit_code = 3


def suggest(name: str, valid: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the nearest valid name, or a list of the valid names."""
    names = sorted(valid)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return "valid: " + ", ".join(names) if names else "there is none"
