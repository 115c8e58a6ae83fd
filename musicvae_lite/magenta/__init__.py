"""Magenta's MusicVAE checkpoints become model folders: read in NumPy, without TensorFlow.

Nothing here runs what a file says; a damaged, truncated or crafted file is a
:class:`~musicvae_lite.magenta.source.CheckpointError`.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from musicvae_lite import __version__
from musicvae_lite.config import RunConfig, load_config
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.files import reason
from musicvae_lite.core.locks import only_writer
from musicvae_lite.magenta.source import CheckpointError, Weights
from musicvae_lite.magenta.tensorflow import read_tensorflow
from musicvae_lite.magenta.tfjs import is_tfjs, read_tfjs
from musicvae_lite.model_dir.bundle import CONFIG, save_bundle
from musicvae_lite.model_dir.swap import current

if TYPE_CHECKING:
    from musicvae_lite.music.model import SequenceAutoencoder


@dataclass(frozen=True)
class Imported:
    """A model folder that was made from Magenta's weights.

    Attributes:
        folder: where it is.
        config: its run: the preset with the sizes of the weights.
        parameters: number of weights.
        step: training steps behind them, or None where that is not known.
        source: what it was made from, in words.
    """

    folder: Path
    config: RunConfig
    parameters: int
    step: int | None
    source: str


def import_magenta(
    checkpoint: str | Path, preset: str | Path, output: str | Path, overwrite: bool = False
) -> Imported:
    """Make a model folder from a checkpoint of Magenta's MusicVAE.

    Args:
        checkpoint: a TensorFlow checkpoint (folder, prefix or .tar file), or the weights of
            magenta-js (a folder with weights_manifest.json).
        preset: the configuration that it was trained with, by name or as a YAML file; sizes are
            taken from the weights.
        output: the folder to make.
        overwrite: replace a model that is there.

    Raises:
        UsageError: no such checkpoint or preset, or there is a model in ``output`` already.
        CheckpointError: the checkpoint is damaged, or of another structure than the preset; what
            does not fit is named.
    """
    config, folder = load_config(preset), Path(output)
    if os.path.exists(current(folder, CONFIG)) and not overwrite:
        raise UsageError(
            f"{folder}: holds a model already; choose another folder with -o or pass --overwrite"
        )
    if os.path.isfile(folder):
        raise UsageError(f"{folder}: is a file; a model is a folder")
    weights = open_weights(Path(checkpoint))
    config, model = build_from(config, weights)
    source = f"{weights.kind} ({weights.files[0]}" + (
        f", {weights.step:,} steps)" if weights.step is not None else ")"
    )
    provenance = {
        "imported": source,
        "preset": config.name,
        "files": list(weights.files),
        "step": weights.step,
        "steps": weights.step or 0,
        "musae": __version__,
    }
    config = config.model_copy(
        update={"description": f"Magenta's {config.name}, imported from {weights.kind}."}
    )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MusaeError(f"{folder}: cannot be made: {reason(error)}") from error
    with only_writer(folder, "musae import-magenta"):
        save_bundle(folder, config, model, provenance, {})
    parameters = sum(value.numel() for value in model.parameters() if value.requires_grad)
    return Imported(folder, config, parameters, weights.step, source)


def open_weights(path: Path) -> Weights:
    """Open a checkpoint of either kind.

    Raises:
        UsageError: there is none.
        CheckpointError: it is damaged.
    """
    try:
        return read_tfjs(path) if is_tfjs(path) else read_tensorflow(path)
    except MusaeError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {reason(error)}") from error
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:  # what a file says of itself may be of any type and size
        raise CheckpointError(f"{path}: is damaged ({error or type(error).__name__})") from error


def build_from(config: RunConfig, weights: Weights) -> tuple[RunConfig, SequenceAutoencoder]:
    """Build the model of a preset with the sizes and values of some weights.

    Raises:
        UsageError, CheckpointError: see :func:`import_magenta`.
    """
    import torch

    from musicvae_lite.core.medium import build_model
    from musicvae_lite.magenta.mapping import check_shapes, convert, layout, with_sizes
    from musicvae_lite.music.codec import score_codec
    from musicvae_lite.music.model import SequenceAutoencoder
    from musicvae_lite.nn.lstm import filled_later

    if config.model.kind != "sequence":
        raise UsageError(
            f"{config.name} is no preset of music; name one of Magenta's configurations"
        )
    voices = len(score_codec(config.codec.model_dump()).sizes)
    config = with_sizes(config, weights, voices)
    codec = score_codec(config.codec.model_dump())
    assert config.model.kind == "sequence"
    plan = layout(config.model, voices)
    with torch.device("meta"), filled_later():  # no memory before all shapes are known to fit
        shapes = {
            key: tuple(value.shape)
            for key, value in build_model(config, codec).state_dict().items()
        }
    check_shapes(plan, weights, shapes)
    with filled_later():
        model = build_model(config, codec)
    assert isinstance(model, SequenceAutoencoder)
    arrays = convert(plan, weights, shapes)
    model.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in arrays.items()})
    return config, model
