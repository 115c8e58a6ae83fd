"""How good a denoiser is: on pairs of recordings, or on mixtures of clean ones with noises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.audio.denoise.dataset import DenoiseDataset
from musicvae_lite.audio.denoise.denoiser import Cleaner, Wish
from musicvae_lite.audio.denoise.evaluate import Example, evaluate_examples, family
from musicvae_lite.audio.denoise.model import SpectrogramAutoencoder
from musicvae_lite.audio.denoise.pairs import Pair, find_pairs, read_pair
from musicvae_lite.config import MixtureSettings
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.evaluation import EvalRequest, Evaluation, spread
from musicvae_lite.model_dir.bundle import Description, load_bundle
from musicvae_lite.model_dir.handle import Handle

_MIXTURES, _PERFORMANCES = 120, 20  # clips measured, and stretches that MIDI files are played for


def evaluate_denoiser(handle: Handle, request: EvalRequest) -> Evaluation:
    """Measure on pairs of recordings, or on mixtures of clean ones with synthesised noises.

    Raises:
        UsageError: a split, no data, or folders with pairs beside folders without.
    """
    description, folders, limit = handle.description, request.sources, request.limit
    if request.split not in ("auto", "all"):
        raise UsageError(
            f"{handle.name} is measured on all recordings that are named; leave out the split "
            f"{request.split!r}"
        )
    if not folders:
        raise UsageError(
            f"{description.config.name} is measured on sound; name clean recordings, or noisy and "
            "clean ones"
        )
    each = [find_pairs(folder) for folder in folders]
    if any(each) and not all(each):
        without = next(folder for folder, found in zip(folders, each, strict=True) if not found)
        raise UsageError(
            f"{without}: holds no pairs of noisy and clean recordings, as the other folders do; "
            "measure it by itself"
        )
    pairs = [pair for found in each for pair in found]
    examples = (
        pair_examples(pairs, limit)
        if pairs
        else mixture_examples(description, folders, limit, request.seed)
    )
    model = load_bundle(description, request.device).model
    assert isinstance(model, SpectrogramAutoencoder)
    cleaner = Cleaner(model.network)

    def denoise(samples: NDArray[Any], rate: int) -> NDArray[Any]:
        return np.concatenate(list(cleaner.stream([samples], rate, Wish())), 1)

    return Evaluation("all", evaluate_examples(examples, denoise))


def pair_examples(pairs: Sequence[Pair], limit: int | None) -> Iterator[Example]:
    """Yield ``limit`` of the pairs, spread evenly.

    See :func:`musicvae_lite.audio.denoise.pairs.read_pair` for what it raises.
    """
    for index in spread(len(pairs), limit):
        noisy, clean = read_pair(pairs[index])
        yield Example(pairs[index].name, "recorded", noisy.rate, clean.samples, noisy.samples)


def mixture_examples(
    description: Description, folders: Sequence[Path], limit: int | None, seed: int
) -> Iterator[Example]:
    """Yield mixtures of all files with synthesised noises.

    The recorded ones of the run are not those of whoever measures.
    """
    config = description.config
    mixture = (config.data.mixture or MixtureSettings()).model_copy(
        update={"held_out": 0.0, "performances": _PERFORMANCES}
    )
    data = config.data.model_copy(update={"mixture": mixture, "noise": None, "speech": None})
    material = DenoiseDataset.open(config.model_copy(update={"data": data}), folders)
    for number, drawn in enumerate(material.held_out_clips(limit or _MIXTURES, seed)):
        clean, noisy = drawn.clean[None], (drawn.clean + drawn.noise)[None]
        yield Example(f"clip {number + 1}", family(drawn.kind), material.recipe.rate, clean, noisy)
