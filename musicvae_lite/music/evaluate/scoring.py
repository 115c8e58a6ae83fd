"""How good a model of music is on a corpus: which part of it is unseen, and the measures on
that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.config import RunConfig, fitting_preset
from musicvae_lite.core.devices import resolve_device
from musicvae_lite.core.errors import NothingUsableError, UsageError
from musicvae_lite.core.evaluation import EvalRequest, Evaluation, Split, part_name, spread
from musicvae_lite.core.locks import only_writer
from musicvae_lite.core.random import Noise
from musicvae_lite.core.validation import seed_of, whole
from musicvae_lite.model_dir.bundle import Description, describe, load_bundle
from musicvae_lite.model_dir.handle import Handle
from musicvae_lite.music.attribute_vectors import AttributeVectors
from musicvae_lite.music.codecs.groove import GrooveCodec
from musicvae_lite.music.codecs.multitrack import MultitrackCodec
from musicvae_lite.music.codecs.piano import PianoCodec
from musicvae_lite.music.data.corpus import Corpus, codec_differences, read_manifest
from musicvae_lite.music.data.dataset import Examples, condition_of
from musicvae_lite.music.evaluate.attributes import WINDOWS, keep_vectors, learn_vectors
from musicvae_lite.music.evaluate.chord_adherence import chord_following
from musicvae_lite.music.evaluate.draws import COUNT, DrawMeasures, measure_draws
from musicvae_lite.music.evaluate.grooves import evaluate_grooves
from musicvae_lite.music.evaluate.notes import evaluate_notes
from musicvae_lite.music.evaluate.paths import PAIRS, PathMeasures, measure_paths
from musicvae_lite.music.evaluate.sequences import evaluate_windows
from musicvae_lite.music.model import SequenceAutoencoder
from musicvae_lite.music.prior_training import tunes_of
from musicvae_lite.music.session import MusicSession


def evaluate_music(handle: Handle, request: EvalRequest) -> Evaluation:
    """Measure a model of music on prepared corpora; see
    :func:`musicvae_lite.evaluation.evaluate`.
    """
    description, model, folders = handle.description, handle.name, list(request.sources)
    split, limit, seed = request.split, request.limit, request.seed
    corpus = _corpus(description, model, folders)
    chosen = _unseen(description, folders) if split == "auto" else split
    if split == "auto" and chosen == "valid" and not corpus.valid.any():
        chosen = (
            "train"  # no song was held out: all that can be measured is what the model has seen
        )
    part = corpus if chosen == "all" else corpus.split(part_name(chosen))
    part = part.take(spread(len(part), limit))
    if not len(part):
        raise NothingUsableError(
            f"{folders[0]}: holds no windows for the split {chosen!r}; try --split all"
        )
    bundle, examples = (
        load_bundle(description, request.device),
        Examples.of_corpus(part, description.config),
    )
    measures = evaluate_windows(
        bundle.model,
        part.windows,
        seed,
        codec=corpus.codec,
        inputs=examples.inputs,
        condition=examples.condition,
    )
    grooves = {}
    if isinstance(corpus.codec, GrooveCodec) and isinstance(bundle.model, SequenceAutoencoder):
        train = corpus.split("train").windows
        grooves = evaluate_grooves(
            bundle.model, part.windows, train, description.config, corpus.codec
        )
    chords = {}
    if corpus.control.chords:
        chords = chord_following(
            bundle.model, corpus.codec, corpus.control, part.windows, part.told, seed
        )
    notes: dict[str, float | None] = {}
    if isinstance(corpus.codec, PianoCodec | MultitrackCodec):
        shown = examples.inputs, examples.condition
        notes = evaluate_notes(bundle.model, part.windows, corpus.codec, *shown)
    return Evaluation(chosen, measures, grooves=grooves, chords=chords, notes=notes)


def evaluate_paths(
    model: str | Path,
    data: str | Path | Sequence[str | Path],
    split: Split = "auto",
    pairs: int = PAIRS,
    device: str = "auto",
    seed: int = 0,
) -> tuple[Split, PathMeasures]:
    """Measure a model's paths between windows of prepared corpora, beside blending the windows
    themselves.

    Args:
        model: shipped name or folder.
        data: corpora; the n-gram model learns from their training songs.
        split: part that the ends come from; ``auto``: the validation songs, or the training songs
            where none was held out.
        pairs: of ends.
        device: auto, cpu, cuda or mps.
        seed: of the pairs and of the blending.

    Returns:
        The part that was used, and the measures.

    Raises:
        UsageError: unknown model or device, no music, no data, or a corpus of another codec.
        NothingUsableError: fewer than two windows.
        MusaeError: a damaged model or corpus.
    """
    where, description, seed = resolve_device(device), describe(model), seed_of(seed)
    pairs = whole(pairs, 1, f"pairs is {pairs}; at least 1 pair is measured")
    if description.config.model.kind != "sequence":
        raise UsageError(
            f"{model} is no model of music; paths are measured between windows of music"
        )
    if description.config.model.control_size:
        raise UsageError(
            f"{model} is told of things beside the music; paths of such models are not measured"
        )
    corpus = _corpus(
        description,
        model,
        [Path(data)] if isinstance(data, str | Path) else [Path(folder) for folder in data],
    )
    chosen: Split = ("valid" if corpus.valid.any() else "train") if split == "auto" else split
    windows = (corpus if chosen == "all" else corpus.split(part_name(chosen))).windows
    bundle = load_bundle(description, where)
    return chosen, measure_paths(
        bundle.model, corpus.codec, corpus.split("train").windows, windows, pairs, seed
    )


def evaluate_draws(
    model: str | Path,
    data: str | Path | Sequence[str | Path],
    split: Split = "auto",
    count: int = COUNT,
    prior: Literal["learned", "normal"] = "learned",
    temperature: float = 0.0,
    device: str = "auto",
    seed: int = 0,
) -> tuple[Split, DrawMeasures]:
    """Compare windows that a model makes up with those of prepared corpora.

    Of corpora whose tracks are scored, the tracks that the learned prior learned from count. A
    model that is told of chords draws over those of the real windows.

    Args:
        model: shipped name or folder.
        data: corpora; n-grams and copies are of their training songs.
        split: what draws are compared with; ``auto``: the validation songs, or the training songs
            where none was held out.
        count: of draws, and of real windows.
        prior: what is drawn from.
        temperature: of the decoder; 0 takes the likeliest event of every step.
        device: auto, cpu, cuda or mps.
        seed: of the draws and of the classifier.

    Returns:
        The part that was used, and the measures.

    Raises:
        UsageError: unknown model or device, no music, no data, or a corpus of another codec.
        NothingUsableError: next to no windows to compare with.
        MusaeError: a damaged model, prior or corpus.
    """
    where, description, seed = resolve_device(device), describe(model), seed_of(seed)
    count = whole(count, 1, f"count is {count}; at least 1 window is drawn")
    if description.config.model.kind != "sequence":
        raise UsageError(f"{model} is no model of music; draws are compared with windows of music")
    folders = [data] if isinstance(data, str | Path) else list(data)
    corpus = _corpus(description, model, [Path(folder) for folder in folders])
    bundle = load_bundle(description, where)
    session = MusicSession(bundle, str(model), seed)
    learned = session.learned_prior if prior == "learned" else None
    least = 0.0 if session.learned_prior is None else session.learned_prior.tune
    corpus = tunes_of(corpus, least)
    chosen: Split = ("valid" if corpus.valid.any() else "train") if split == "auto" else split
    part = corpus if chosen == "all" else corpus.split(part_name(chosen))
    order = np.random.default_rng(seed).permutation(len(part))[:count]
    real = part.take(order)
    if not len(real):
        raise NothingUsableError(f"{folders[0]}: holds no windows for the split {chosen!r}")
    rows = np.arange(count) % len(real)
    control = corpus.control.numbers(real.told[rows]) if corpus.control else None
    if learned is None:
        z = session.prior.sample(count, Noise(seed))
    else:
        z = learned.sample(count, Noise(seed), control=control)
    drawn = session.decode_windows(z, temperature, control, seed)
    train = corpus.split("train").windows
    return chosen, measure_draws(corpus.codec, train, real.windows, drawn, seed)


def learn_attributes(
    model: str | Path,
    data: str | Path | Sequence[str | Path],
    limit: int = WINDOWS,
    device: str = "auto",
    seed: int = 0,
) -> AttributeVectors:
    """Learn attribute vectors of a model from the training windows of prepared corpora, and keep
    them in its folder.

    Args:
        model: shipped name or folder.
        data: corpora; the effects of the vectors are measured on windows of their validation songs.
        limit: windows to learn from.
        device: auto, cpu, cuda or mps.
        seed: of the choice of windows.

    Raises:
        UsageError: unknown model or device, no music, no data, or a corpus of another codec.
        NothingUsableError: too few windows.
        MusaeError: a damaged model or corpus, or the folder cannot be written.
    """
    where, description, seed = resolve_device(device), describe(model), seed_of(seed)
    if description.config.model.kind != "sequence":
        raise UsageError(f"{model} is no model of music; attributes are those of windows of music")
    corpus = _corpus(
        description,
        model,
        [Path(data)] if isinstance(data, str | Path) else [Path(folder) for folder in data],
    )
    train, held_out = corpus.split("train"), corpus.split("valid")
    bundle = load_bundle(description, where)

    def shown(windows: NDArray[Any]) -> NDArray[Any]:
        return Examples.of(windows, description.config).inputs

    told = condition_of(train, description.config), condition_of(held_out, description.config)
    with only_writer(description.folder, "musae attribute --learn"):
        vectors = learn_vectors(
            bundle.model, corpus.codec, train.windows, held_out.windows, limit, seed, shown, told
        )
        keep_vectors(description, vectors)
    return vectors


def _corpus(description: Description, model: str | Path, folders: Sequence[Path]) -> Corpus:
    """Open prepared corpora that fit a model of music."""
    if not folders:
        raise UsageError(f"{model} is measured on a prepared corpus; name it with --data")
    corpus = Corpus.open(folders)
    config = description.config
    size = (
        config.model.control_size
        if config.model.kind == "sequence" and config.codec.kind != "groove"
        else 0
    )
    if corpus.control.config() != config.control.model_dump() or corpus.control.size != size:
        raise UsageError(
            f"{folders[0]}: tells of other things beside the music than {model} needs; "
            f"{_prepared(config)}"
        )
    differing = codec_differences(config, corpus)
    if differing:
        raise UsageError(
            f"{folders[0]}: was prepared with another codec than {model} has ({differing}); "
            f"{_prepared(config)}"
        )
    return corpus


def _prepared(config: RunConfig) -> str:
    """Say how to prepare a corpus for a model."""
    preset = fitting_preset(config)
    return (
        f"prepare it with --preset {preset}"
        if preset
        else "prepare it with the YAML file that the model was trained with"
    )


def _unseen(description: Description, folders: Sequence[Path]) -> Split:
    trained_on = set(description.provenance.get("corpora", []))
    known = any(read_manifest(folder).get("fingerprint") in trained_on for folder in folders)
    return "valid" if known else "all"
