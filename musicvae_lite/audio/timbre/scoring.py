"""How good a model of timbre is on clips of sounds."""

from __future__ import annotations

from musicvae_lite.audio.timbre.dataset import TimbreDataset
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.evaluation import EvalRequest, Evaluation
from musicvae_lite.model_dir.bundle import load_bundle
from musicvae_lite.model_dir.handle import Handle


def evaluate_timbre(handle: Handle, request: EvalRequest) -> Evaluation:
    """Measure on clips of sounds, of those that the run would hold out where there are enough.

    Raises:
        UsageError: no data, or a split.
    """
    description, folders, split = handle.description, request.sources, request.split
    if not folders:
        raise UsageError(
            f"{description.config.name} is measured on sounds; name a folder of recordings with "
            "--data"
        )
    if split not in ("auto", "valid"):
        raise UsageError(
            f"{description.config.name} is measured on what a run would hold out; leave out the "
            f"split {split!r}"
        )
    material = TimbreDataset.open(description.config, folders)
    return Evaluation(
        "valid" if material.held_out else "train",
        material.measure_clips(
            load_bundle(description, request.device).model, request.seed, request.limit
        ),
    )
