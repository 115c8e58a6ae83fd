"""What is told by time, for sequences of events: an event is told what holds at the time at which
it stands.

Letters in shapes: G steps of the grid of time in a window, L events of a segment, S segments, C
control numbers, V classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Clock(nn.Module):
    """Knows how events move on in time; time starts anew with every segment.

    The first event of a segment names its instrument and is told no chord, as in Magenta's
    ``data_hierarchical.py``. An end is
    told what the event before it is: they stand at one time, since nothing moves on to an end.

    Args:
        shifts: steps of the grid by which each class moves on [V].
        events: L.
        chords: number of control numbers that say the chord, the first of them none; 0 where no
            chord is told.
    """

    shifts: Tensor

    def __init__(self, shifts: Sequence[int], events: int, chords: int) -> None:
        super().__init__()
        self.events, self.chords = events, chords
        # The class one past the last stands for nothing.
        self.register_buffer("shifts", torch.tensor([*shifts, 0]), persistent=False)

    def tell(self, events: Tensor, by_time: Tensor) -> Tensor:
        """Return what each event is told [B, T, C].

        Args:
            events: classes [B, T], T a number of whole segments.
            by_time: what holds at each step of the grid [B, G, C].
        """
        moves = F.embedding(events.long(), self.shifts.unsqueeze(1)).view(
            events.shape[0], -1, self.events
        )
        now = (moves.cumsum(2) - moves).clamp_max(by_time.shape[1] - 1)
        told = by_time.gather(1, now.flatten(1).unsqueeze(2).expand(-1, -1, by_time.shape[2]))
        told[:, :: self.events] = self.first(by_time).unsqueeze(1)
        return told

    def first(self, by_time: Tensor) -> Tensor:
        """Return what the first event of a segment is told [B, C]."""
        first = by_time[:, 0].clone()
        if self.chords:
            first[:, : self.chords] = 0
            first[:, 0] = 1
        return first


class Running:
    """A clock at work while a decoder says the events of segments, one a call.

    Args:
        clock: of the events.
        by_time: what holds at each step of the grid [B, G, C].

    Attributes:
        told: what the next event is told [B, C].
    """

    def __init__(self, clock: Clock, by_time: Tensor) -> None:
        self._shifts, self._by_time = clock.shifts, by_time
        self._rows = torch.arange(len(by_time), device=by_time.device)
        self._now = torch.zeros_like(self._rows)
        self.told = clock.first(by_time)

    def hear(self, event: Tensor) -> None:
        """Go on after an event [B]."""
        self._now = self._now + self._shifts[event.long()]
        self.told = self._by_time[self._rows, self._now.clamp_max(self._by_time.shape[1] - 1)]
