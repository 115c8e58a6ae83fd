"""Where the model of long pieces is in a model folder: ``longform.safetensors``, ``longform.json``.

No torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from musicvae_lite.core.errors import UsageError
from musicvae_lite.model_dir.bundle import Description, describe, shipped_models
from musicvae_lite.model_dir.swap import current

STEM = "longform"


def has_longform(folder: Path) -> bool:
    """Say whether a model folder has a model of long pieces."""
    return current(folder, f"{STEM}.json").exists()


def need_longform(description: Description, name: str, what: str) -> None:
    """Refuse a model without a model of long pieces.

    Args:
        description: of the model.
        name: what messages call it.
        what: what needs it, such as ``infill``.

    Raises:
        UsageError: naming the models that have one.
    """
    if has_longform(description.folder):
        return
    there = ", ".join(models_with_longform()) or "none"
    raise UsageError(f"{name} has no model of long pieces, which {what} needs; those have: {there}")


def models_with_longform(names: Iterable[str] | None = None) -> list[str]:
    """Return the shipped models that have one."""
    names = shipped_models() if names is None else names
    return [name for name in names if has_longform(describe(name).folder)]
