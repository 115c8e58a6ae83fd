"""The state of a run that is not finished: everything an exact continuation needs, in one
safetensors file.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import atomic_output, reason

FORMAT = "musae-run"
VERSION = 1
STATE = "training.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass
class Progress:
    """Where a run is.

    Attributes:
        step: updates done.
        best_score: lowest validation score so far (the objective at its final weights), or None.
        best_terms: nll in nats and KL in bits that it was made of, for a run whose end is moved;
            none in older states.
        best_metrics: measures of the model that had it.
        validated: step of the last validation, -1 for none; None where a state does not say.
        run: the settings of the run.
        corpora: fingerprints of the corpora it is trained on.
        command: what started it.
        init_from: model whose weights it started from, or None.
    """

    step: int = 0
    best_score: float | None = None
    best_terms: list[float] = field(default_factory=list)
    best_metrics: dict[str, float] = field(default_factory=dict)
    validated: int | None = -1
    run: dict[str, Any] = field(default_factory=dict)
    corpora: list[str] = field(default_factory=list)
    command: str = ""
    init_from: str | None = None


def kept_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return all that a model keeps in a file, by name: its parameters, and the buffers that
    training changes.

    Such are the running means of batch normalisation and its counts of batches. They are the
    model's own tensors.
    """
    return dict(model.state_dict(keep_vars=True))


def averaged_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return those of :func:`kept_tensors` that a moving average is taken of: all but counts."""
    return {
        name: tensor for name, tensor in kept_tensors(model).items() if tensor.is_floating_point()
    }


def save_state(
    path: Path,
    model: nn.Module,
    average: list[Tensor],
    optimiser: torch.optim.Adam,
    progress: Progress,
) -> None:
    """Write weights and buffers, their average, Adam's moments and the progress.

    The file is replaced whole.

    Args:
        path: the file.
        model: it is of.
        average: of each of :func:`averaged_tensors`.
        optimiser: of its parameters.
        progress: where the run is.

    Raises:
        MusaeError: if the file system refuses; the earlier file stays.
    """
    tensors = {f"weight/{name}": tensor.detach() for name, tensor in kept_tensors(model).items()}
    tensors |= {
        f"average/{name}": mean for name, mean in zip(averaged_tensors(model), average, strict=True)
    }
    for name, parameter in model.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            tensors[f"{key}/{name}"] = value
    tensors = {key: value.to("cpu").contiguous() for key, value in tensors.items()}
    metadata = {"format": FORMAT, "version": str(VERSION), "progress": json.dumps(asdict(progress))}
    with atomic_output(path, overwrite=True, durable=True) as part:
        try:
            save_file(tensors, part, metadata)
        except SafetensorError as error:  # it wraps the operating system's error in its own words
            raise MusaeError(f"{path}: cannot be written: {reason(error)}") from error


def read_progress(path: Path) -> Progress:
    """Return the progress that a state file holds.

    Raises:
        MusaeError: there is no such file, or it is damaged or foreign.
    """
    if not path.is_file():
        raise MusaeError(
            f"{path.parent}: holds no run to resume (no {STATE}); leave out --resume to start one"
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT or metadata.get("version") != str(VERSION):
            raise MusaeError(
                f"{path}: is not the state of a musae run (format {FORMAT}, version {VERSION})"
            )
        # A state that an earlier version saved says nothing of its last validation.
        return Progress(**{"validated": None, **json.loads(metadata["progress"])})
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise MusaeError(f"{path}: is damaged ({error}); start again without --resume") from error


def load_state(
    path: Path, model: nn.Module, average: list[Tensor], optimiser: torch.optim.Adam
) -> None:
    """Copy a saved state into model, average (see :func:`save_state`) and optimiser.

    Raises:
        MusaeError: if the file is of a model of another structure, or damaged.
    """
    fused = optimiser.param_groups[0][
        "fused"
    ]  # such an Adam counts its steps on the device of the weights
    with torch.no_grad():
        try:
            with safe_open(path, "pt") as file:
                keys = set(file.keys())
                for name, tensor in kept_tensors(model).items():
                    tensor.copy_(file.get_tensor(f"weight/{name}"))
                for name, mean in zip(averaged_tensors(model), average, strict=True):
                    mean.copy_(file.get_tensor(f"average/{name}"))
                for name, parameter in model.named_parameters():
                    if f"step/{name}" in keys:
                        optimiser.state[parameter] = {
                            key: file.get_tensor(f"{key}/{name}").to(
                                "cpu" if key == "step" and not fused else parameter.device
                            )
                            for key in _MOMENTS
                        }
        except (SafetensorError, RuntimeError) as error:
            raise MusaeError(
                f"{path}: does not fit this model ({error}); start again without --resume"
            ) from error
