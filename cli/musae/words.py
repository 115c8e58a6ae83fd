"""Numbers and counts as verbs say them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Write ``1 window``, ``2 windows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(fraction: float) -> str:
    """Write a fraction as a percentage without rounding up to 100."""
    return f"{int(fraction * 1000) / 10:g} %"
