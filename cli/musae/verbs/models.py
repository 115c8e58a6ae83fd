"""``musae models``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click

from musae.options import Console, console_options, examples

_EPILOG = examples(
    "musae models                what is shipped",
    "musae models runs/*/        what is in your own folders",
)
_HEADER_LIMIT = 100_000_000  # bytes; safetensors itself refuses longer headers


@click.command(epilog=_EPILOG)
@click.argument("folders", nargs=-1, metavar="[FOLDER...]")
@click.option("--model", "-m", "more", multiple=True, metavar="NAME|FOLDER", help="The same as FOLDER.")
@console_options
def models(folders: tuple[str, ...], more: tuple[str, ...], console: Console) -> int:
    """List the shipped models, or those in the folders named: what they are, their size, how good they are."""
    from musae.outputs import each
    from musicvae_lite.bundle import shipped_models

    names = [*folders, *more] or shipped_models()
    found: list[dict[str, Any]] = []

    def look(name: str) -> None:
        model = examine(name)
        found.append(model)
        size = f"{model['parameters']:,} parameters, {model['bytes'] / 1e6:.1f} MB"
        lines = (f"{name}: {model['description'] or model['preset']}", f"{size}{_quality(model['metrics'])}", model["folder"])
        console.answer("\n  ".join(lines))

    code = each(names, look, console.error, nothing="see above") if names else 0
    if not names:
        console.note("no model is shipped here; 'musae train' makes one")
    console.document({"models": found})
    return code


def examine(name: str) -> dict[str, Any]:
    """Return what a model folder says of itself.

    Raises:
        UsageError: no such model.
        MusaeError: the folder is foreign or damaged.
    """
    from musicvae_lite.bundle import WEIGHTS, describe
    from musicvae_lite.errors import MusaeError
    from musicvae_lite.files import reason

    model = describe(name)
    path = model.folder / WEIGHTS
    try:
        size, parameters = path.stat().st_size, _parameters(path)
    except OSError as error:
        raise MusaeError(f"{path}: cannot be read: {reason(error)}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MusaeError(f"{path}: is damaged or truncated; copy the folder again") from error
    return {
        "name": name,
        "folder": str(model.folder),
        "preset": model.config.name,
        "description": model.config.description,
        "parameters": parameters,
        "bytes": size,
        "metrics": model.metrics,
        "provenance": model.provenance,
    }


def _parameters(path: Path) -> int:
    """Count the numbers in a safetensors file by its header, without torch."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(_HEADER_LIMIT, path.stat().st_size):
            raise ValueError("no safetensors header")
        header = json.loads(file.read(length))
    return sum(math.prod(tensor["shape"]) for key, tensor in header.items() if key != "__metadata__")


def _quality(metrics: dict[str, Any]) -> str:
    parts = []
    for key, label in (("accuracy", "accuracy"), ("onset_accuracy", "of note starts"), ("kl_bits", "bits")):
        value = metrics.get(key)
        if isinstance(value, int | float):
            parts.append(f"{value:.1f} {label}" if key == "kl_bits" else f"{label} {value:.3f}")
    return "; held-out songs: " + ", ".join(parts) if parts else ""
