"""How good a model is: measured on what it has not seen, whatever the medium."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from musicvae_lite.core.devices import resolve_device
from musicvae_lite.core.evaluation import EvalRequest, Evaluation, Split
from musicvae_lite.core.validation import seed_of, whole
from musicvae_lite.model_dir.handle import open_model


def evaluate(
    model: str | Path,
    data: str | Path | Sequence[str | Path] | None = None,
    split: Split = "auto",
    limit: int | None = None,
    device: str = "auto",
    seed: int = 0,
    claims: bool = True,
) -> Evaluation:
    """Measure a model (shipped name or folder) on prepared corpora, images or recordings.

    Args:
        model: shipped name or model folder.
        data: for music one prepared corpus or several; for images a source; for sound a folder of
            noisy and clean recordings (see :func:`musicvae_lite.audio.denoise.pairs.find_pairs`),
            or folders of clean ones or MIDI files, which are mixed with synthesised noises, or
            heard as they are by a model of timbre; None for the one the model names itself.
        split: ``valid`` (the held-out songs; the test images), ``train``, ``all``; ``auto``: what
            is held out of corpora that the model was trained on (what it was trained on where
            nothing was held out), everything of other corpora; of images the test part where
            there is one, or what was held out of the source that the model was trained on, all of
            another; of sound, for a denoiser everything, for a model of timbre what a run would
            hold out (all, where that is nothing), and nothing else.
        limit: measure on so many windows or images, spread evenly over the corpus; None for all.
        device: auto, cpu, cuda or mps.
        seed: of what is drawn.
        claims: for images also look at the codes as embeddings and at images of other kinds.

    Raises:
        UsageError: unknown model, device or split, no data, or a corpus of another codec.
        NothingUsableError: the split holds no window.
        MusaeError: a damaged model or corpus.
    """
    where, seed = resolve_device(device), seed_of(seed)
    if limit is not None:
        limit = whole(limit, 1, f"limit is {limit}; at least 1 example is measured")
    named = [] if data is None else [data] if isinstance(data, str | Path) else data
    sources = tuple(Path(source) for source in named)
    handle = open_model(model)
    request = EvalRequest(sources, split, limit, where, seed, claims)
    return handle.medium.evaluate(handle, request)
