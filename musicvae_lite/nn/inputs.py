"""Events to vectors: what an encoder or a decoder sees of one step.

An event is the content of a step: one class, several classes (a trio), bits (a roll) or other
numbers (a groove). Letters in
shapes: K numbers of an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from musicvae_lite.nn.piano_roll import PianoInput


def as_events(windows: NDArray[Any]) -> Tensor:
    """Return windows as a tensor of events: int64 for classes and bits, float32 for other
    numbers.
    """
    wanted = np.float32 if np.issubdtype(windows.dtype, np.floating) else np.int64
    return torch.from_numpy(windows.astype(wanted))


class TokenInput(nn.Module):
    """Token classes to vectors: an embedding, or fixed vectors where ``size`` is None (one-hot
    ones: Magenta's form).

    The class ``tokens`` (one past the last) stands for "nothing": the start of a piece or a hidden
    input. It is a zero vector.

    Args:
        tokens: number of classes V.
        size: size of a learned embedding.
        table: fixed vectors of the classes [V, D] in place of one-hot ones.

    Attributes:
        size: numbers of a vector.
        none: the event that stands for nothing, a number.
    """

    one_hot: Tensor
    none: Tensor

    def __init__(self, tokens: int, size: int | None, table: Tensor | None = None) -> None:
        super().__init__()
        self.tokens = tokens
        self.embedding = (
            None if size is None else nn.Embedding(tokens + 1, size, padding_idx=tokens)
        )
        if size is None:
            fixed = torch.eye(tokens) if table is None else table
            self.size = fixed.shape[1]
            self.register_buffer("one_hot", F.pad(fixed, (0, 0, 0, 1)), persistent=False)
        else:
            self.size = size
        self.register_buffer("none", torch.tensor(tokens), persistent=False)

    def forward(self, events: Tensor) -> Tensor:
        """Return [B, T, size] for classes [B, T]; any leading shape will do."""
        if self.embedding is not None:
            vectors: Tensor = self.embedding(events.long())
            return vectors
        return F.embedding(events.long(), self.one_hot)


class JointInput(nn.Module):
    """Several classes a step, their vectors one after another.

    Attributes:
        size: numbers of a vector.
        none: the event that stands for nothing [K].
    """

    none: Tensor

    def __init__(self, parts: Sequence[TokenInput]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.size = sum(part.size for part in parts)
        self.register_buffer("none", torch.stack([part.none for part in parts]), persistent=False)

    def forward(self, events: Tensor) -> Tensor:
        """Return [B, T, size] for classes [B, T, K]; any leading shape will do."""
        return torch.cat([part(events[..., index]) for index, part in enumerate(self.parts)], -1)


class RollInput(nn.Module):
    """Bits (or other numbers) as they are; with ``silence`` one bit more, 1 where no other is.

    Attributes:
        size: numbers of a vector.
        none: the event that stands for nothing [K], no bit set.
    """

    none: Tensor

    def __init__(self, bits: int, silence: bool = False) -> None:
        super().__init__()
        self.silence = silence
        self.size = bits + silence
        self.register_buffer("none", torch.zeros(bits, dtype=torch.long), persistent=False)

    def forward(self, events: Tensor) -> Tensor:
        """Return [B, T, size] for bits or numbers [B, T, K]; any leading shape will do."""
        bits = events.float()
        return (
            torch.cat([bits, (bits.sum(-1, keepdim=True) == 0).float()], -1)
            if self.silence
            else bits
        )


EventInput = TokenInput | JointInput | RollInput | PianoInput
