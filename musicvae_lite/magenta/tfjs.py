"""Weights as magenta-js publishes them: weights_manifest.json and binary shards beside it,
quantised or not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.files import reason
from musicvae_lite.magenta.source import (
    Blob,
    CheckpointError,
    Weights,
    base_name,
    check_numbers,
    of_model,
    whole_number,
)

MANIFEST = "weights_manifest.json"
_MAX_MANIFEST = 64 * 2**20
_DTYPES = {"float32": "<f4", "int32": "<i4", "uint8": "u1", "bool": "u1"}
_QUANTISED = {"uint8": "u1", "uint16": "<u2", "float16": "<f2"}


@dataclass(frozen=True)
class _Weight:
    """One tensor: its stored type, shape, place in the shards of its group (put together), and how
    to undo the quantising.
    """

    stored: str
    shape: tuple[int, ...]
    offset: int
    scale: float
    least: float

    @property
    def size(self) -> int:
        return math.prod(self.shape) * np.dtype(self.stored).itemsize


def is_tfjs(path: Path) -> bool:
    """Say whether a path is a manifest or a folder that holds one."""
    return path.name == MANIFEST or (path / MANIFEST).is_file()


def read_tfjs(path: Path) -> Weights:
    """Open the weights of a folder or a manifest.

    Raises:
        CheckpointError: the manifest or a shard is missing, damaged or too short, or a shard lies
            outside the folder.
    """
    manifest = path if path.name == MANIFEST else path / MANIFEST
    groups = _groups(manifest)
    places: dict[str, tuple[_Weight, list[Blob]]] = {}
    files = [MANIFEST]
    for number, group in enumerate(groups):
        blobs = [_shard(manifest, name) for name in group["paths"]]
        files += [base_name(blob.name) for blob in blobs]
        end = 0
        for name, weight in _weights(manifest, number, group["weights"]):
            if name in places:
                raise CheckpointError(f"{manifest}: names the weight {name} twice")
            places[name] = weight, blobs
            end = weight.offset + weight.size
        there = sum(blob.size for blob in blobs)
        if end > there:
            raise CheckpointError(
                f"{manifest}: a shard is truncated (the weights need {end:,} bytes, the shards "
                f"have {there:,})"
            )
    own = {name: place for name, place in places.items() if of_model(name)}
    check_numbers(str(manifest), (weight.shape for weight, _ in own.values()))
    shapes = {name: weight.shape for name, (weight, _) in own.items()}
    return Weights(
        str(path),
        "weights of magenta-js",
        shapes,
        partial(_read, manifest, own),
        None,
        tuple(files),
    )


def _groups(manifest: Path) -> list[dict[str, Any]]:
    import json

    blob = Blob.of(manifest)
    if blob.size > _MAX_MANIFEST:
        raise CheckpointError(f"{manifest}: has {blob.size:,} bytes; it is no manifest of weights")
    try:
        groups = json.loads(blob.read())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{manifest}: is damaged (not JSON)") from error
    if isinstance(
        groups, dict
    ):  # of later versions of TensorFlow.js: the manifest inside a model description
        groups = groups.get("weightsManifest")
    if not isinstance(groups, list) or not all(_is_group(group) for group in groups):
        raise CheckpointError(
            f"{manifest}: is no manifest of weights (a list of groups with paths and weights)"
        )
    return groups


def _is_group(group: Any) -> bool:
    if (
        not isinstance(group, dict)
        or not isinstance(group.get("paths"), list)
        or not isinstance(group.get("weights"), list)
    ):
        return False
    return all(isinstance(path, str) for path in group["paths"]) and all(
        isinstance(weight, dict) for weight in group["weights"]
    )


def _shard(manifest: Path, name: str) -> Blob:
    """Return a shard, which must lie beside the manifest."""
    if not name or name != base_name(name) or name in (".", ".."):
        raise CheckpointError(f"{manifest}: names the shard {name!r}, which is not in its folder")
    try:
        if not (manifest.parent / name).is_file():
            raise CheckpointError(f"{manifest}: the shard {name} is missing; copy all files")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{manifest}: the shard {name!r} cannot be read: {error}") from error
    return Blob.of(manifest.parent / name)


def _weights(
    manifest: Path, number: int, rows: list[dict[str, Any]]
) -> Iterator[tuple[str, _Weight]]:
    """Yield name and place of the weights of a group; they follow one another."""
    offset = 0
    for row in rows:
        name, shape, dtype = row.get("name"), row.get("shape"), row.get("dtype", "float32")
        if (
            not isinstance(name, str)
            or not isinstance(shape, list)
            or len(shape) > 8
            or not all(map(whole_number, shape))
        ):
            raise CheckpointError(
                f"{manifest}: is damaged (a weight of group {number} has no name or shape)"
            )
        quantisation = row.get("quantization")
        scale, least = 1.0, 0.0
        stored = _DTYPES.get(dtype) if isinstance(dtype, str) else None
        if quantisation is not None:
            how = quantisation if isinstance(quantisation, dict) else {}
            kind = how.get("dtype")
            stored = _QUANTISED.get(kind) if isinstance(kind, str) else None
            if stored is not None and kind != "float16":
                scale, least = (
                    _number(manifest, name, how.get("scale")),
                    _number(manifest, name, how.get("min")),
                )
        if stored is None:
            raise CheckpointError(
                f"{manifest}: the weight {name} is of the type {quantisation or dtype}, which is "
                "not known"
            )
        weight = _Weight(stored, tuple(shape), offset, scale, least)
        offset += weight.size
        yield name, weight


def _number(manifest: Path, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CheckpointError(f"{manifest}: the quantisation of {name} has no scale or min")
    return float(value)


def _read(
    manifest: Path, places: Mapping[str, tuple[_Weight, list[Blob]]], name: str
) -> NDArray[np.float32]:
    """Read a weight, which may go over the end of a shard."""
    weight, blobs = places[name]
    parts, begin = [], 0
    low, high = weight.offset, weight.offset + weight.size
    try:
        for blob in blobs:
            first, last = max(low - begin, 0), min(high - begin, blob.size)
            if first < last:
                parts.append(blob.read(first, last - first))
            begin += blob.size
    except OSError as error:
        raise CheckpointError(f"{manifest}: cannot be read: {reason(error)}") from error
    values = np.frombuffer(b"".join(parts), weight.stored).reshape(weight.shape)
    if weight.scale != 1.0 or weight.least != 0.0:
        values = values.astype(np.float64) * weight.scale + weight.least
    result = values.astype(np.float32)
    if not np.isfinite(result).all():
        raise CheckpointError(f"{manifest}: the weight {name} has numbers that are not finite")
    return result
