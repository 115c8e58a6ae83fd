"""A model folder: ``model.safetensors``, ``config.json`` and ``README.md`` (the card).

Nothing else is needed to use it.

``config.json`` holds format, version, the whole run configuration, provenance, metrics and the
checksum of the weights. Nothing is pickled. Reading the description of a folder needs no torch.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicvae_lite.config import RunConfig, parse_config
from musicvae_lite.core.errors import MusaeError, UsageError, suggest
from musicvae_lite.core.files import read_json, resource
from musicvae_lite.model_dir.swap import current, replace_together
from musicvae_lite.model_dir.weights import (
    DamagedError,
    check_finite,
    check_shapes,
    no_larger_than,
    read_shapes,
    read_tensors,
)

if TYPE_CHECKING:
    import torch

    from musicvae_lite.core.autoencoder import Autoencoder
    from musicvae_lite.core.codec import Codec
    from musicvae_lite.core.prior import Prior

FORMAT = "musae-model"
VERSION = 1
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
METRICS = "metrics.jsonl"  # what a run folder has beside them: one JSON object a line
DEFAULT_MODEL = "mel-2bar"


@dataclass(frozen=True)
class Description:
    """What a model folder says of itself.

    Attributes:
        folder: where it is.
        config: the run that made the model.
        provenance: data, command, examples seen, version of the program.
        metrics: measures on held-out material, by name.
        sha256: checksum of the weights file.
        parameters: number of weights that were trained.
    """

    folder: Path
    config: RunConfig
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    parameters: int = 0


@dataclass(frozen=True)
class Bundle:
    """A model ready for use.

    Attributes:
        description: what its folder says.
        model: on the device where it is used, in eval mode.
        codec: what its arrays mean.
        prior: what its codes are drawn from.
    """

    description: Description
    model: Autoencoder
    codec: Codec
    prior: Prior

    @property
    def config(self) -> RunConfig:
        """The run that made the model."""
        return self.description.config


def shipped_models() -> list[str]:
    """Return the names of the models that come with the project."""
    return sorted(path.parent.name for path in resource("data", "models").glob(f"*/{CONFIG}"))


def find_model(name: str | Path) -> Path:
    """Return the folder of a shipped model's name or of a path.

    Raises:
        UsageError: if there is neither; the nearest shipped name is suggested.
    """
    text = str(name)
    path = Path(text)
    if text in shipped_models():
        if (path / CONFIG).exists():
            raise UsageError(
                f"{text} is a shipped model and a model folder here; write ./{text} for the folder"
            )
        return resource("data", "models", text)
    if os.path.isdir(path):  # Path.is_dir raises where a name is too long
        return path
    if os.path.exists(path):
        raise UsageError(f"{path}: is a file; a model is a folder with {CONFIG} and {WEIGHTS}")
    raise UsageError(
        f"no model {text!r}; {suggest(text, shipped_models())} (or name a model folder; 'musae "
        "models' lists them)"
    )


def describe(name: str | Path) -> Description:
    """Read what a model folder says of itself, without its weights and without torch.

    Raises:
        UsageError: no such model.
        MusaeError: the folder is no model folder, of another version, or damaged.
    """
    folder = find_model(name)
    path = current(folder, CONFIG)
    absent = f"{folder}: is not a model folder (no {CONFIG}); 'musae train -o FOLDER' makes one"
    tree = read_json(path, absent, "copy the model folder again")
    if tree.get("format") != FORMAT:
        raise MusaeError(
            f"{folder}: is not a musae model folder ({CONFIG} does not say format {FORMAT!r})"
        )
    if tree.get("version") != VERSION:
        raise MusaeError(
            f"{folder}: has model format version {tree.get('version')}; this musae reads version "
            f"{VERSION}"
        )
    try:
        groups = [tree[key] for key in ("run", "provenance", "metrics", "weights")]
        sha256, parameters = str(groups[3]["sha256"]), groups[3]["parameters"]
    except (KeyError, TypeError) as error:
        raise MusaeError(f"{path}: is damaged (no {error}); copy the model folder again") from error
    if not all(isinstance(group, dict) for group in groups):
        raise MusaeError(
            f"{path}: is damaged (a group is no JSON object); copy the model folder again"
        )
    if type(parameters) is not int or not 0 <= parameters < 2**53:
        raise MusaeError(
            f"{path}: is damaged (weights.parameters is {parameters!r}, not a number of weights); "
            "copy the model folder again"
        )
    run, provenance, metrics, _ = groups
    return Description(
        folder, parse_config(run, where=str(path)), provenance, metrics, sha256, parameters
    )


def load_bundle(
    name: str | Path | Description, device: torch.device | str = "cpu", codec: Codec | None = None
) -> Bundle:
    """Load a model for use.

    Args:
        name: shipped name, model folder, or what :func:`describe` said of one.
        device: where the weights go.
        codec: the model's, where it is built already.

    Raises:
        UsageError: no such model.
        MusaeError: the folder is foreign, truncated or damaged.
    """
    from musicvae_lite.core.codec import build_codec
    from musicvae_lite.core.medium import build_model
    from musicvae_lite.core.prior import NormalPrior
    from musicvae_lite.nn.lstm import filled_later

    description = name if isinstance(name, Description) else describe(name)
    codec = codec or build_codec(description.config.codec.model_dump())
    path = current(description.folder, WEIGHTS)
    shapes = read_shapes(path)
    with no_larger_than(shapes, path), filled_later():
        model = build_model(description.config, codec)
    check_shapes(path, model.state_dict(), shapes)
    _fill(model, _read_weights(description), description)
    prior = NormalPrior(model.latent_size)
    return Bundle(description, model.to(device).eval(), codec, prior)


def start_from(model: Autoencoder, description: Description) -> None:
    """Copy the weights of a folder into ``model``, which may be told of chords and key where that
    one is told of nothing.

    The numbers that are new to it are the last inputs of the first layers; they start without
    effect.

    Raises:
        MusaeError: the file is missing, damaged, or of a model of another structure; what does not
            fit is named.
    """
    from torch.nn.functional import pad

    read_shapes(current(description.folder, WEIGHTS))
    before, tensors = description.config.model, _read_weights(description)
    new = 0 if getattr(before, "control_size", 0) else getattr(model, "control_size", 0)
    for key, value in model.state_dict().items():
        old = tensors.get(key)
        if (
            new
            and old is not None
            and old.ndim == 2
            and value.shape == (old.shape[0], old.shape[1] + new)
        ):
            tensors[key] = pad(old, (0, new))
    _fill(model, tensors, description)


def _read_weights(description: Description) -> dict[str, torch.Tensor]:
    """Read the weights of a folder, once more where it was replaced since it was described."""
    folder = description.folder
    try:
        return read_tensors(current(folder, WEIGHTS), description.sha256)
    except DamagedError:
        now = describe(folder)
        if now.sha256 == description.sha256 or now.config != description.config:
            raise
        return read_tensors(current(folder, WEIGHTS), now.sha256)


def _fill(model: Autoencoder, tensors: dict[str, torch.Tensor], description: Description) -> None:
    """Copy tensors into ``model`` after checking their names and shapes."""
    path = description.folder / WEIGHTS
    shapes = {key: tuple(value.shape) for key, value in tensors.items()}
    check_shapes(path, model.state_dict(), shapes)
    model.load_state_dict(tensors)
    check_finite(path, model.state_dict())


def save_bundle(
    folder: str | Path,
    config: RunConfig,
    model: Autoencoder,
    provenance: dict[str, Any],
    metrics: dict[str, Any],
) -> None:
    """Write a model folder.

    The files are replaced as one; see :mod:`musicvae_lite.model_dir.swap`.

    Weights are stored as ``config.training.stored`` says; float16 halves the file. Buffers (running
    means, counts) are few and stay as they are.

    Raises:
        MusaeError: if the file system refuses; the folder keeps what it had.
    """
    import torch
    from safetensors.torch import save

    from musicvae_lite.model_dir.card import write_card

    stored = {"float32": torch.float32, "float16": torch.float16}[config.training.stored]
    weights = {name for name, _ in model.named_parameters()}
    tensors = {
        key: value.detach().to("cpu", stored if key in weights else value.dtype).contiguous()
        for key, value in model.state_dict().items()
    }
    data = save(
        tensors, metadata={"format": f"{FORMAT} {VERSION}"}
    )  # one entry: their order is not fixed
    parameters = sum(value.numel() for value in model.parameters() if value.requires_grad)
    tree = {
        "format": FORMAT,
        "version": VERSION,
        "run": config.model_dump(mode="json"),
        "provenance": provenance,
        "metrics": metrics,
        "weights": {
            "file": WEIGHTS,
            "sha256": hashlib.sha256(data).hexdigest(),
            "dtype": config.training.stored,
            "parameters": parameters,
        },
    }
    card = write_card(config, provenance, metrics, parameters)
    files = {
        WEIGHTS: data,
        CARD: card.encode(),
        CONFIG: (json.dumps(tree, indent=1) + "\n").encode(),
    }
    replace_together(Path(folder), files)
