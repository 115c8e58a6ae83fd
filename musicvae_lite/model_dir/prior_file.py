"""The learned prior in a model folder: ``prior.safetensors``, and ``prior.json``, which says what
it is and whose. No torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.files import read_json
from musicvae_lite.model_dir.swap import current, replace_together
from musicvae_lite.model_dir.weights import check_finite, read_shapes, read_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from musicvae_lite.model_dir.bundle import Description

FORMAT, VERSION = "musae-prior", 1
STEM = "prior"
FILE, WEIGHTS = f"{STEM}.json", f"{STEM}.safetensors"
_CURE = "learn it with 'musae prior {} --data CORPUS', or draw with --prior normal"


def has_prior(folder: Path) -> bool:
    """Say whether a model folder has a learned prior."""
    return current(folder, FILE).exists()


def is_prior_of(folder: Path, sha256: str) -> bool:
    """Say whether a model folder has a prior of the weights of that checksum."""
    try:
        return read_json(current(folder, FILE), "", "").get("model_sha256") == sha256
    except MusaeError:
        return False


def _files(stem: str) -> tuple[str, str]:
    """Return the names of the two files."""
    return f"{stem}.json", f"{stem}.safetensors"


def _cure(name: str, stem: str) -> str:
    return _CURE.format(name) if stem == STEM else "copy the model folder again"


def save_prior(
    description: Description,
    facts: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    stem: str = STEM,
) -> None:
    """Write a prior into the folder of its model, both files or none.

    Args:
        description: of the model.
        facts: ``kind``, ``network``, ``condition`` and what else its reader needs; plain data.
        weights: of the network; they are stored as float16.
        stem: of the names of the files.

    Raises:
        MusaeError: if the file system refuses; the folder keeps what it had.
    """
    import torch
    from safetensors.torch import save

    tensors = {
        key: value.detach().to("cpu", torch.float16).contiguous() for key, value in weights.items()
    }
    data = save(tensors, metadata={"format": f"{FORMAT} {VERSION}"})
    tree = {
        "format": FORMAT,
        "version": VERSION,
        "model_sha256": description.sha256,
        "sha256": hashlib.sha256(data).hexdigest(),
        **facts,
    }
    name, weights_name = _files(stem)
    files = {weights_name: data, name: (json.dumps(tree, indent=1) + "\n").encode()}
    replace_together(description.folder, files)


def describe_prior(description: Description, name: str, stem: str = STEM) -> dict[str, Any]:
    """Read what the prior of a model folder says of itself.

    Raises:
        UsageError: it is of another model.
        MusaeError: it is damaged, or of another version.
    """
    path, cure = current(description.folder, _files(stem)[0]), _cure(name, stem)
    tree = read_json(path, f"{path}: is gone; {cure}", cure)
    if tree.get("format") != FORMAT or tree.get("version") != VERSION:
        raise MusaeError(f"{path}: is not a file of {FORMAT} version {VERSION}; {cure}")
    if tree.get("model_sha256") != description.sha256:
        raise UsageError(
            f"{path}: is the prior of another model, or of other weights of this one; {cure}"
        )
    return tree


def read_prior_weights(description: Description, name: str, stem: str = STEM) -> dict[str, Tensor]:
    """Read the weights of the prior of a model folder, float32.

    Raises:
        UsageError: see :func:`describe_prior`.
        MusaeError: they are damaged.
    """
    tree = describe_prior(description, name, stem)
    facts, weights_name = _files(stem)
    path = current(description.folder, weights_name)
    read_shapes(path)
    weights = {
        key: value.float() for key, value in read_tensors(path, tree.get("sha256"), facts).items()
    }
    check_finite(path, weights)
    return weights
