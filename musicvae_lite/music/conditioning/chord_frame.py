"""Pitches numbered from the root of the chord that is told.

Letters in shapes: B batch, T steps, K numbers of an event, V classes, C control numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from musicvae_lite.music.chords import CHORDS

#: First class that is a pitch, and how many follow one another.
Pitches = tuple[int, int]


class ChordFrame:
    """Moves the notes of each step down by the root of its chord, C 0, F sharp 6, G -5 semitones.

    Without a chord by none.

    A model that sees and draws such notes follows chords by its very shape: what its code says of
    pitch is said of degrees of the chord. Within the range of pitches the move goes round, so that
    nothing is lost and the likelihood stays that of the notes; what goes round lies within half an
    octave of the ends of the range.

    Args:
        sizes: classes of each number of an event [K].
        pitches: which of those classes are pitches; None for a number that has none (drums).
    """

    def __init__(self, sizes: Sequence[int], pitches: Sequence[Pitches | None]) -> None:
        self.sizes, self.pitches = list(sizes), tuple(pitches)

    def enter(self, events: Tensor, control: Tensor) -> Tensor:
        """Return events [B, T] (or [B, T, K]) as the model sees them, told of control [B, T, C],
        chords first.
        """
        return self._moved(events, -_shifts(control))

    def leave(self, events: Tensor, control: Tensor) -> Tensor:
        """Return events as they are heard, given as the model drew them."""
        return self._moved(events, _shifts(control))

    def outputs(self, logits: Tensor, control: Tensor) -> Tensor:
        """Return the model's logits [B, T, V] in the order of the classes as they are heard."""
        shift = -_shifts(control).unsqueeze(-1)
        parts = []
        for part, pitches in zip(torch.split(logits, self.sizes, -1), self.pitches, strict=True):
            classes = torch.arange(part.shape[-1], device=part.device).expand(part.shape)
            parts.append(part.gather(-1, _turned(classes, shift, pitches)))
        return torch.cat(parts, -1)

    def _moved(self, events: Tensor, shift: Tensor) -> Tensor:
        if len(self.pitches) == 1:
            return _turned(events, shift, self.pitches[0])
        numbers = zip(events.unbind(-1), self.pitches, strict=True)
        return torch.stack([_turned(number, shift, pitches) for number, pitches in numbers], -1)


def _shifts(control: Tensor) -> Tensor:
    """Return by how many semitones each step's root lies above C, -5 to 6, [B, T]."""
    chord = control[..., :CHORDS].argmax(-1)
    return torch.where(chord == 0, 0, (chord + 4) % 12 - 5)


def _turned(classes: Tensor, shift: Tensor, pitches: Pitches | None) -> Tensor:
    if pitches is None:
        return classes
    first, count = pitches
    inside = (classes >= first) & (classes < first + count)
    return torch.where(inside, first + (classes - first + shift) % count, classes)
