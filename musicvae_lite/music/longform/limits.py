"""How long pieces are. No torch."""

from __future__ import annotations

from musicvae_lite.core.errors import UsageError

LEAST_BARS, MOST_BARS = 2, 256


def check_bars(bars: int, what: str) -> int:
    """Refuse a number of bars that is not made.

    Raises:
        UsageError: saying which are.
    """
    if not LEAST_BARS <= bars <= MOST_BARS:
        raise UsageError(f"{what} {bars}: {LEAST_BARS} to {MOST_BARS} bars are made at once")
    return bars
