"""How good a model is on a corpus: which part of it is unseen, and the measures on that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.audio.denoise.dataset import SoundMaterial
from musicvae_lite.audio.denoise.evaluate import Example, SoundMeasures, evaluate_examples, family
from musicvae_lite.audio.denoise.pairs import Pair, find_pairs, read_pair
from musicvae_lite.audio.timbre.dataset import TimbreMaterial
from musicvae_lite.audio.timbre.evaluate import TimbreMeasures
from musicvae_lite.config import MixtureSettings, RunConfig, fitting_preset
from musicvae_lite.core.autoencoder import Autoencoder
from musicvae_lite.core.devices import resolve_device
from musicvae_lite.core.errors import NothingUsableError, UsageError
from musicvae_lite.core.validation import seed_of, whole
from musicvae_lite.images.data.pictures import Split as Pictures
from musicvae_lite.images.dataset import PictureMaterial
from musicvae_lite.images.evaluate.codes import against_components, neighbour_accuracy
from musicvae_lite.images.evaluate.pictures import (
    BATCH,
    PictureMeasures,
    codes_of,
    evaluate_pictures,
)
from musicvae_lite.model_dir.bundle import Description, describe, load_bundle
from musicvae_lite.music.attribute_vectors import AttributeVectors
from musicvae_lite.music.codecs.groove import GrooveCodec
from musicvae_lite.music.data.corpus import Corpus, read_manifest
from musicvae_lite.music.data.dataset import Examples, codec_differences, condition_of
from musicvae_lite.music.evaluate.attributes import WINDOWS, keep_vectors, learn_vectors
from musicvae_lite.music.evaluate.chord_adherence import chord_following
from musicvae_lite.music.evaluate.grooves import evaluate_grooves
from musicvae_lite.music.evaluate.paths import PAIRS, PathMeasures, measure_paths
from musicvae_lite.music.evaluate.sequences import Measures, evaluate_windows
from musicvae_lite.music.model import SequenceAutoencoder

_MIXTURES, _PERFORMANCES = (
    120,
    20,
)  # clips that are measured, and stretches that MIDI files are played for

Split = Literal["auto", "valid", "train", "all"]


@dataclass(frozen=True)
class Evaluation:
    """Measures and what they are of.

    Attributes:
        split: the part of the corpus.
        measures: of the model on it.
        codes: how good the codes are as embeddings, beside principal components; of pictures, the
            held-out ones.
        others: measures on pictures of other kinds than the model was trained on, by kind.
        grooves: what a groove model adds to drums, by task, and what it takes to do better; see
            :func:`musicvae_lite.music.evaluate.grooves.evaluate_grooves`.
        chords: how many notes keep to the chords that a model is told of; see
            :func:`musicvae_lite.music.evaluate.chord_adherence.chord_following`.
    """

    split: Split
    measures: Measures | PictureMeasures | SoundMeasures | TimbreMeasures
    codes: dict[str, Any] = field(default_factory=dict)
    others: dict[str, dict[str, Any]] = field(default_factory=dict)
    grooves: dict[str, dict[str, float]] = field(default_factory=dict)
    chords: dict[str, float] = field(default_factory=dict)


def evaluate(
    model: str | Path,
    data: str | Path | Sequence[str | Path] | None = None,
    split: Split = "auto",
    limit: int | None = None,
    device: str = "auto",
    seed: int = 0,
    claims: bool = True,
) -> Evaluation:
    """Measure a model (shipped name or folder) on prepared corpora or pictures.

    Args:
        model: shipped name or model folder.
        data: for music one prepared corpus or several; for pictures a source; for sound a folder of
            noisy and clean recordings (see :func:`musicvae_lite.audio.denoise.pairs.find_pairs`),
            or folders of clean ones or MIDI files, which are mixed with synthesised noises, or
            heard as they are by a model of timbre; None for the one the model names itself.
        split: ``valid`` (the held-out songs; the test pictures), ``train``, ``all``; ``auto``: what
            is held out of corpora that the model was trained on (what it was trained on where
            nothing was held out), everything of other corpora; of pictures the test part where
            there is one, or what was held out of the source that the model was trained on, all of
            another; of sound, for a denoiser everything, for a model of timbre what a run would
            hold out (all, where that is nothing), and nothing else.
        limit: measure on so many windows or pictures, spread evenly over the corpus; None for all.
        device: auto, cpu, cuda or mps.
        seed: of what is drawn.
        claims: for pictures also look at the codes as embeddings and at pictures of other kinds.

    Raises:
        UsageError: unknown model, device or split, no data, or a corpus of another codec.
        NothingUsableError: the split holds no window.
        MusaeError: a damaged model or corpus.
    """
    where, seed = resolve_device(device), seed_of(seed)
    limit = (
        None
        if limit is None
        else whole(limit, 1, f"limit is {limit}; at least 1 example is measured")
    )
    folders = (
        []
        if data is None
        else [Path(data)]
        if isinstance(data, str | Path)
        else [Path(folder) for folder in data]
    )
    description = describe(model)
    if description.config.codec.kind == "image":
        return _evaluate_pictures(description, folders, split, limit, where, seed, claims)
    if description.config.model.kind == "timbre":
        return _evaluate_timbre(description, folders, split, limit, where, seed)
    if description.config.codec.kind == "sound":
        if split not in ("auto", "all"):
            raise UsageError(
                f"{model} is measured on all recordings that are named; leave out the split "
                f"{split!r}"
            )
        return _evaluate_sound(description, folders, limit, where, seed)
    corpus = _corpus(description, model, folders)
    chosen = _unseen(description, folders) if split == "auto" else split
    if split == "auto" and chosen == "valid" and not corpus.valid.any():
        chosen = (
            "train"  # no song was held out: all that can be measured is what the model has seen
        )
    part = corpus if chosen == "all" else corpus.split(_name(chosen))
    part = part.take(_spread(len(part), limit))
    if not len(part):
        raise NothingUsableError(
            f"{folders[0]}: holds no windows for the split {chosen!r}; try --split all"
        )
    bundle, examples = load_bundle(model, where), Examples.of_corpus(part, description.config)
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
    return Evaluation(chosen, measures, grooves=grooves, chords=chords)


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
    windows = (corpus if chosen == "all" else corpus.split(_name(chosen))).windows
    bundle = load_bundle(description.folder, where)
    return chosen, measure_paths(
        bundle.model, corpus.codec, corpus.split("train").windows, windows, pairs, seed
    )


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
    bundle = load_bundle(description.folder, where)

    def shown(windows: NDArray[Any]) -> NDArray[Any]:
        return Examples.of(windows, description.config).inputs

    told = condition_of(train, description.config), condition_of(held_out, description.config)
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


def _evaluate_pictures(
    description: Description,
    sources: Sequence[Path],
    split: Split,
    limit: int | None,
    device: torch.device,
    seed: int,
    claims: bool,
) -> Evaluation:
    config = description.config
    material = PictureMaterial.open(config, sources)
    corpus = material.corpus
    chosen: Split = split
    if split == "auto":
        trained_on = corpus.fingerprint in description.provenance.get("corpora", [])
        chosen = "valid" if corpus.divided or trained_on else "all"
    if chosen == "all":
        part = corpus.everything()
    else:
        part = corpus.test if _name(chosen) == "valid" else corpus.train
    part = part.take(_spread(len(part), limit))
    if not len(part):
        raise NothingUsableError(
            f"{corpus.name}: holds no pictures for the split {chosen!r}; try --split all"
        )
    model = load_bundle(description.folder, device).model

    def measure(pictures: Pictures) -> PictureMeasures:
        return evaluate_pictures(
            model, material.on_device(pictures, device).in_order(BATCH, seed), seed
        )

    measures = measure(part)
    if not claims:
        return Evaluation(chosen, measures)
    others = {name: measure(kind).as_dict() for name, kind in material.other_kinds(part).items()}
    # Among the pictures that codes are compared with a picture would find itself.
    unseen = part if chosen == "valid" else corpus.test.take(_spread(len(corpus.test), limit))
    return Evaluation(
        chosen, measures, _codes(model, material, unseen, device) if len(unseen) else {}, others
    )


def _evaluate_sound(
    description: Description,
    folders: Sequence[Path],
    limit: int | None,
    device: torch.device,
    seed: int,
) -> Evaluation:
    """Measure on pairs of recordings, or on mixtures of clean ones with synthesised (or the run's)
    noises.
    """
    from musicvae_lite.audio.denoise.denoiser import Cleaner, Wish
    from musicvae_lite.audio.denoise.model import SpectrogramAutoencoder

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
        else mixture_examples(description, folders, limit, seed)
    )
    model = load_bundle(description.folder, device).model
    assert isinstance(model, SpectrogramAutoencoder)
    cleaner = Cleaner(model.network)

    def denoise(samples: NDArray[Any], rate: int) -> NDArray[Any]:
        return np.concatenate(list(cleaner.stream([samples], rate, Wish())), 1)

    return Evaluation("all", evaluate_examples(examples, denoise))


def _evaluate_timbre(
    description: Description,
    folders: Sequence[Path],
    split: Split,
    limit: int | None,
    device: torch.device,
    seed: int,
) -> Evaluation:
    """Measure on clips of sounds, of those that the run would hold out where there are enough."""
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
    material = TimbreMaterial.open(description.config, folders)
    return Evaluation(
        "valid" if material.held_out else "train",
        material.measure_clips(load_bundle(description.folder, device).model, seed, limit),
    )


def pair_examples(pairs: Sequence[Pair], limit: int | None) -> Iterator[Example]:
    """Yield ``limit`` of the pairs, spread evenly.

    See :func:`musicvae_lite.audio.denoise.pairs.read_pair` for what it raises.
    """
    for index in _spread(len(pairs), limit):
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
    material = SoundMaterial.open(config.model_copy(update={"data": data}), folders)
    for number, drawn in enumerate(material.held_out_clips(limit or _MIXTURES, seed)):
        clean, noisy = drawn.clean[None], (drawn.clean + drawn.noise)[None]
        yield Example(f"clip {number + 1}", family(drawn.kind), material.recipe.rate, clean, noisy)


def _codes(
    model: Autoencoder, material: PictureMaterial, part: Pictures, device: torch.device
) -> dict[str, Any]:
    """Look at the codes as embeddings, where the input is the picture itself."""
    if material.corrupt is not None:
        return {}
    train = material.corpus.train
    found = against_components(
        model.latent_size, train.images, train.labels, part.images, part.labels
    )
    if train.labels is not None and part.labels is not None:
        codes, test_codes = (
            codes_of(model, material.on_device(pictures, device)) for pictures in (train, part)
        )
        found = {
            "neighbour_accuracy": neighbour_accuracy(codes, train.labels, test_codes, part.labels),
            **found,
        }
    return found


def _unseen(description: Description, folders: Sequence[Path]) -> Split:
    trained_on = set(description.provenance.get("corpora", []))
    known = any(read_manifest(folder).get("fingerprint") in trained_on for folder in folders)
    return "valid" if known else "all"


def _name(split: str) -> Literal["train", "valid"]:
    if split in {"train", "valid"}:
        return "train" if split == "train" else "valid"
    raise UsageError(f"split {split!r} is not known; valid: auto, valid, train, all")


def _spread(count: int, limit: int | None) -> NDArray[np.int64]:
    """Return the places of ``limit`` of ``count`` examples, spread evenly."""
    return (
        np.arange(count) if limit is None or limit >= count else np.arange(limit) * count // limit
    )
