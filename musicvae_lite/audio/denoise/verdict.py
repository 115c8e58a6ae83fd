"""Whether the cleaning of a whole sound can be believed.

A recording is louder than its noise. Where a mask would take far more of a sound than it leaves,
and what it takes is no steady noise, the sound itself was taken for noise: applause, rain that is
recorded for its own sake, a shaker alone.
"""

from __future__ import annotations

import math
from typing import NamedTuple

_MORE_DB = 4.0  # how much more goes than stays: no mixture at 0 dB comes near
_STEADY_DB = -18.0  # beyond the floor, beside what goes of it: steady noise lies below
_TINY = 1e-20


class Account(NamedTuple):
    """Powers of some frames, hum aside.

    Attributes:
        left: what stays.
        taken: what goes.
        beyond: what of that is more than the steady noise around it.
    """

    left: float
    taken: float
    beyond: float


class Verdict:
    """Adds up what stays and what goes of a sound."""

    def __init__(self) -> None:
        self._left = self._taken = self._beyond = 0.0

    def add(self, account: Account | None) -> None:
        """Count in some frames, if they were judged."""
        if account is None:
            return
        self._left += account.left
        self._taken += account.taken
        self._beyond += account.beyond

    @property
    def doubtful(self) -> bool:
        """Whether the sound was likely taken for noise."""
        more = _db(self._taken, self._left)
        return more > _MORE_DB and _db(self._beyond, self._taken - self._beyond) > _STEADY_DB

    def words(self, source: str) -> str:
        """Say so of a file."""
        share = 100 * self._taken / (self._taken + self._left + _TINY)
        return (
            f"{source}: {share:.0f} % of it would be taken for noise, and not steadily: it is left "
            "as it is; --insist cleans it all the same, --profile FROM-TO shows what noise is"
        )


def _db(one: float, other: float) -> float:
    return 10 * math.log10((one + _TINY) / (other + _TINY))
