"""How good a model is on a prepared corpus: which windows are unseen, and the measures on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.bundle import Description, describe, load_bundle
from musicvae_lite.corpora.store import Corpus, read_manifest
from musicvae_lite.devices import resolve_device
from musicvae_lite.errors import NothingUsableError, UsageError
from musicvae_lite.evaluation.sequences import Measures, evaluate_windows

Split = Literal["auto", "valid", "train", "all"]


@dataclass(frozen=True)
class Evaluation:
    """Measures and the split of the corpus that they are of."""

    split: Split
    measures: Measures


def evaluate(
    model: str | Path,
    corpora: str | Path | Sequence[str | Path],
    split: Split = "auto",
    limit: int | None = None,
    device: str = "auto",
    seed: int = 0,
) -> Evaluation:
    """Measure a model (shipped name or folder) on prepared corpora.

    Args:
        model: shipped name or model folder.
        corpora: one corpus folder or several.
        split: ``valid`` (the held-out songs), ``train``, ``all``; ``auto``: the held-out songs of corpora that the model was
            trained on (the training songs where none was held out), everything of others.
        limit: measure on so many windows, spread evenly over the corpus; None for all.
        device: auto, cpu, cuda or mps.
        seed: of what is drawn.

    Raises:
        UsageError: unknown model, device or split, or a corpus of another codec.
        NothingUsableError: the split holds no window.
        MusaeError: a damaged model or corpus.
    """
    where = resolve_device(device)
    folders = [Path(corpora)] if isinstance(corpora, str | Path) else [Path(folder) for folder in corpora]
    description = describe(model)
    corpus = Corpus.open(folders)
    if corpus.codec.config() != description.config.codec.model_dump(mode="json"):
        raise UsageError(f"{folders[0]}: was prepared with another codec than {model} has; prepare it with the model's preset")
    chosen = _unseen(description, folders) if split == "auto" else split
    if split == "auto" and chosen == "valid" and not corpus.valid.any():
        chosen = "train"  # no song was held out: all that can be measured is what the model has seen
    windows = _thin_out((corpus if chosen == "all" else corpus.split(_name(chosen))).windows, limit)
    if not len(windows):
        raise NothingUsableError(f"{folders[0]}: holds no windows for the split {chosen!r}; try --split all")
    return Evaluation(chosen, evaluate_windows(load_bundle(model, where).model, windows, seed, codec=corpus.codec))


def _unseen(description: Description, folders: Sequence[Path]) -> Split:
    trained_on = set(description.provenance.get("corpora", []))
    known = any(read_manifest(folder).get("fingerprint") in trained_on for folder in folders)
    return "valid" if known else "all"


def _name(split: str) -> Literal["train", "valid"]:
    if split in {"train", "valid"}:
        return "train" if split == "train" else "valid"
    raise UsageError(f"split {split!r} is not known; valid: auto, valid, train, all")


def _thin_out(windows: NDArray[Any], limit: int | None) -> NDArray[Any]:
    if limit is None or limit >= len(windows):
        return windows
    return windows[np.arange(limit) * len(windows) // limit]
