"""How usual a sequence is: an n-gram model of the windows of a corpus, on NumPy alone.

Interpolated Witten-Bell smoothing (Witten & Bell 1991, IEEE Trans. Inf. Theory 37; as Chen &
Goodman 1998 write it): with c(h) the number of times that history h was followed by something and
t(h) by how many different things,

    p(w | h) = (c(h w) + t(h) p(w | h without its oldest)) / (c(h) + t(h))

and below the empty history all steps are equally likely. Letters in shapes: N windows, T steps, V
different steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Order:
    """The histories of one length, and what followed them.

    Keys are sorted, a place in ``histories`` is a history's number.

    A history is known by the number of the next shorter one and the step before it, what follows by
    history and step.
    """

    histories: Ints
    total: Floats
    types: Floats
    followed: Ints
    counts: Floats


class NGrams:
    """An n-gram model of windows of whole numbers.

    Args:
        windows: to learn from [N, T], or [N, T, K] where a step has several numbers: each
            combination is a symbol.
        vocabulary: number of different steps that there could be; it sets how unlikely one is that
            never occurred.
        order: n; 5 looks at four steps before each.
    """

    def __init__(self, windows: NDArray[Any], vocabulary: float, order: int = 5) -> None:
        self.order, self.vocabulary = order, vocabulary
        self.symbols = np.unique(_packed(windows))
        # Two more: one for a step that never occurred, one for what is before the window.
        self.base = len(self.symbols) + 2
        steps = self._numbers(windows)
        history, self.orders = np.zeros(steps.size, np.int64), list[_Order]()
        for length in range(order):
            keys = history * self.base + self._before(steps, length) if length else history
            histories, history = np.unique(keys, return_inverse=True)
            followed, counts = np.unique(history * self.base + steps.ravel(), return_counts=True)
            owner = followed // self.base
            total, types = (
                np.bincount(owner, weights, len(histories)).astype(np.float64)
                for weights in (counts, None)
            )
            self.orders.append(_Order(histories, total, types, followed, counts.astype(np.float64)))

    def cost(self, windows: NDArray[Any]) -> Floats:
        """Return the mean cost of a step of each window [N]: minus the natural logarithm of its
        probability, nats.
        """
        steps = self._numbers(windows)
        probability = np.full(steps.size, 1 / self.vocabulary)
        history, known = np.zeros(steps.size, np.int64), np.ones(steps.size, bool)
        for length, order in enumerate(self.orders):
            keys = history * self.base + self._before(steps, length) if length else history
            history, found = _find(order.histories, keys)
            known &= found
            place, seen = _find(order.followed, history * self.base + steps.ravel())
            count = np.where(seen, order.counts[place], 0.0)
            total, types = order.total[history], order.types[history]
            probability = np.where(
                known, (count + types * probability) / (total + types), probability
            )
        costs: Floats = -np.log(probability).reshape(steps.shape).mean(1)
        return costs

    def _numbers(self, windows: NDArray[Any]) -> Ints:
        """Return each step as the number of its symbol [N, T]."""
        packed = _packed(windows)
        place, known = _find(self.symbols, packed.ravel())
        return np.where(known, place, self.base - 2).reshape(packed.shape)

    def _before(self, steps: Ints, distance: int) -> Ints:
        """Return the step so far before each step [N * T]."""
        padded = np.pad(steps, ((0, 0), (distance, 0)), constant_values=self.base - 1)
        return padded[:, : steps.shape[1]].ravel()


def _find(table: NDArray[Any], keys: NDArray[Any]) -> tuple[Ints, NDArray[np.bool_]]:
    """Return where keys are in a sorted table, and whether they are there at all (else the place
    means nothing).
    """
    place = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return place, table[place] == keys


def _packed(windows: NDArray[Any]) -> NDArray[Any]:
    """Return each step as one value that can be sorted [N, T]: itself, or the bytes of its several
    numbers.
    """
    if windows.ndim == 2:
        return windows.astype(np.int64)
    rows = np.ascontiguousarray(windows.astype(np.uint16))
    return rows.view(np.dtype((np.void, rows.shape[-1] * rows.itemsize)))[..., 0]
