"""What all measurements of models share: what is asked for, what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError

if TYPE_CHECKING:
    import torch

Split = Literal["auto", "valid", "train", "all"]


class Measures(Protocol):
    """The measures of one medium."""

    def as_dict(self) -> dict[str, Any]:
        """Return all of them by name."""
        ...


@dataclass(frozen=True)
class EvalRequest:
    """What is to be measured, and how.

    Attributes:
        sources: prepared corpora, images or recordings; empty for those that the model names.
        split: which part of them.
        limit: measure on so many examples, spread evenly; None for all.
        device: where the model runs.
        seed: of what is drawn.
        claims: for images also look at the codes as embeddings and at images of other kinds.
    """

    sources: tuple[Path, ...]
    split: Split
    limit: int | None
    device: torch.device
    seed: int
    claims: bool = True


@dataclass(frozen=True)
class Evaluation:
    """Measures and what they are of.

    Attributes:
        split: the part of the data.
        measures: of the model on it.
        codes: how good the codes are as embeddings, beside principal components; of images, the
            held-out ones.
        others: measures on images of other kinds than the model was trained on, by kind.
        grooves: what a groove model adds to drums, by task, and what it takes to do better; see
            :func:`musicvae_lite.music.evaluate.grooves.evaluate_grooves`.
        chords: how many notes keep to the chords that a model is conditioned on; see
            :func:`musicvae_lite.music.evaluate.chord_adherence.chord_following`.
        notes: what a model of many voices gives back of notes; see
            :mod:`musicvae_lite.music.evaluate.notes`.
    """

    split: Split
    measures: Measures
    codes: dict[str, Any] = field(default_factory=dict)
    others: dict[str, dict[str, Any]] = field(default_factory=dict)
    grooves: dict[str, dict[str, float]] = field(default_factory=dict)
    chords: dict[str, float] = field(default_factory=dict)
    notes: dict[str, float | None] = field(default_factory=dict)


def part_name(split: str) -> Literal["train", "valid"]:
    """Check the name of a part.

    Raises:
        UsageError: it is none.
    """
    if split in {"train", "valid"}:
        return "train" if split == "train" else "valid"
    raise UsageError(f"split {split!r} is not known; valid: auto, valid, train, all")


def spread(count: int, limit: int | None) -> NDArray[np.int64]:
    """Return the places of ``limit`` of ``count`` examples, spread evenly."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.arange(limit) * count // limit
