"""Your own style: the priors of a model learned a little further on a few songs.

The autoencoder stays; what draws windows and long pieces is trained for some seconds, from where it
was, on the songs in all transpositions. Letters in shapes: N windows.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.core.files import reason
from musicvae_lite.media.midi import Score, read_midi
from musicvae_lite.media.sources import MidiFile
from musicvae_lite.model_dir.bundle import CARD, Description, load_bundle
from musicvae_lite.model_dir.prior_file import STEM as PRIOR
from musicvae_lite.model_dir.prior_file import describe_prior, has_prior, save_prior
from musicvae_lite.music.codec import ORIGIN, ScoreCodec
from musicvae_lite.music.conditioning.control import Control
from musicvae_lite.music.data.corpus import Corpus
from musicvae_lite.music.longform.file import STEM, has_longform
from musicvae_lite.music.longform.learning import Learner
from musicvae_lite.music.longform.model import LongForm, load_longform
from musicvae_lite.music.prior import load_prior
from musicvae_lite.music.prior_features import Features
from musicvae_lite.music.prior_training import Windows, fit
from musicvae_lite.music.windows import encode_tune
from musicvae_lite.nn.event_model import EventModel

#: Bars without which there is no manner to learn, and below which little of it is learned.
LEAST_BARS, FEW_BARS = 8, 64
#: Steps, learning rates and batch sizes of windows and of long pieces.
_STEPS, _RATE, _BATCH = 120, 6e-4, 48
_LONG_STEPS, _LONG_RATE, _LONG_BATCH = 60, 6e-4, 8

#: Called with what is learned and how much of it is done, 0 to 1.
OnStep = Callable[[str, float], None]


@dataclass(frozen=True)
class Learned:
    """What a model was personalized with.

    Attributes:
        songs: how many files gave something.
        bars: bars of their tracks.
        windows: windows of the prior.
        parts: what was learned: ``prior``, ``longform``.
    """

    songs: int
    bars: int
    windows: int
    parts: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def read_songs(
    files: Sequence[MidiFile], codec: ScoreCodec, model: str, refuse: Callable[[str], None]
) -> list[Score]:
    """Read the files in which a model hears something.

    Args:
        files: MIDI files.
        codec: of the model.
        model: what messages call it.
        refuse: told of each file that cannot be used.

    Raises:
        NothingUsableError: none can, or they are too short to learn from.
    """
    songs, bars = list[Score](), 0
    for file in files:
        try:
            score = read_midi(file.read(), source=file.name)
            encoded = encode_tune(score, codec, model)
        except MusaeError as error:
            refuse(str(error))
            continue
        songs.append(score)
        bars += bars_of(encoded.origin, codec)
    if not songs:
        raise NothingUsableError(
            f"none of the {len(files)} files has something that {model} can learn from"
        )
    if bars < LEAST_BARS:
        of = "1 song" if len(songs) == 1 else f"{len(songs)} songs"
        raise NothingUsableError(
            f"{bars} bars of {of} are too little to learn a manner from: they would be learned by "
            f"heart; give {LEAST_BARS} bars or more, better {FEW_BARS}"
        )
    return songs


def bars_of(origin: NDArray[np.void], codec: ScoreCodec) -> int:
    """Return how many bars windows cover that are from ``origin`` [N]."""
    bars = origin["bar"].astype(np.int64)
    return len(np.unique(bars[:, None] + np.arange(codec.bars)))


def corpus_of(songs: Sequence[Score], codec: ScoreCodec, model: str) -> Corpus:
    """Return the windows of the tracks of songs that a model takes."""
    parts = [encode_tune(song, codec, model) for song in songs]
    windows = np.concatenate([part.windows for part in parts])
    origin = np.concatenate([part.origin for part in parts])
    low, high = codec.transposition_limits(windows)
    count = len(windows)
    source = np.repeat(np.arange(len(parts)), [len(part.windows) for part in parts])
    return Corpus(
        codec,
        windows,
        low,
        high,
        np.zeros(count, bool),
        source.astype(np.int32),
        source.astype(np.int32),
        origin["track"],
        origin["bar"],
        tuple(song.source or "song" for song in songs),
        tuple(str(number) for number in range(len(songs))),
        Control(),
        np.zeros((count, codec.grid_steps, 0), np.uint8),
    )


def personalize(
    description: Description,
    name: str,
    songs: Sequence[Score],
    folder: Path,
    seed: int = 0,
    on_step: OnStep | None = None,
    overwrite: bool = False,
) -> Learned:
    """Write a model folder with the weights of a model and priors of its own.

    Args:
        description: of the model to begin with.
        name: what messages call it.
        songs: to learn from, see :func:`read_songs`.
        folder: to make, all of it or nothing.
        seed: of all that is drawn.
        on_step: told how far it is.
        overwrite: replace a model folder that is there.

    Raises:
        UsageError: the model has no prior to begin with, or is told of chords.
        MusaeError: the folder cannot be written.
    """
    check_model(description, name)
    part = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        ignored = shutil.ignore_patterns(f"{PRIOR}.*", f"{STEM}.*")
        shutil.copytree(description.folder, part, ignore=ignored)
        own = replace(description, folder=part)
        learned = _learn(description, own, name, songs, seed, on_step)
        _tell_card(part / CARD, name, learned)
        if overwrite:
            shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except OSError as error:
        raise MusaeError(f"{folder}: cannot be written: {reason(error)}") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(part, ignore_errors=True)
    return learned


def check_model(description: Description, name: str) -> None:
    """Refuse a model that cannot be personalized.

    Raises:
        UsageError: saying why.
    """
    if not (has_prior(description.folder) or has_longform(description.folder)):
        raise UsageError(
            f"{name} has no prior to learn further from; 'musae prior {name} --data CORPUS' learns "
            "one"
        )
    control = description.config.control.model_dump()
    if any(control.values()):
        raise UsageError(f"{name} is told of chords or key; such a model cannot be personalized")


def _learn(
    base: Description,
    own: Description,
    name: str,
    songs: Sequence[Score],
    seed: int,
    on_step: OnStep | None,
) -> Learned:
    """Learn what the model has further, and keep it in the folder of ``own``."""
    bundle = load_bundle(base)
    codec = bundle.codec
    assert isinstance(codec, ScoreCodec)
    corpus, parts = corpus_of(songs, codec, name), list[str]()
    bars = bars_of(_origin(corpus), codec)
    if has_prior(base.folder):
        prior = load_prior(bundle, name)
        assert prior is not None
        network = adapt_windows(prior.events.network, corpus, prior.features, base, seed, on_step)
        tree = describe_prior(base, name)
        save_prior(own, _facts(tree, len(corpus), len(songs)), network.state_dict())
        parts.append(PRIOR)
    if has_longform(base.folder):
        model = load_longform(base, name)
        long = corpus_of(songs, model.codec, name)
        adapted = adapt_long(model, long, seed, on_step)
        tree = describe_prior(base, name, STEM)
        save_prior(own, _facts(tree, len(long), len(songs)), adapted.network.state_dict(), STEM)
        parts.append(STEM)
    return Learned(len(songs), bars, len(corpus), tuple(parts))


def _origin(corpus: Corpus) -> NDArray[np.void]:
    origin = np.zeros(len(corpus), ORIGIN)
    # Bars of different songs are different bars.
    origin["bar"] = corpus.bar + corpus.source.astype(np.int64) * 100_000
    return origin


def _facts(tree: dict[str, Any], windows: int, songs: int) -> dict[str, Any]:
    kept = {
        key: value
        for key, value in tree.items()
        if key not in ("format", "version", "sha256", "model_sha256")
    }
    return {**kept, "personal": {"windows": windows, "songs": songs}}


def adapt_windows(
    network: EventModel,
    corpus: Corpus,
    features: Features,
    base: Description,
    seed: int = 0,
    on_step: OnStep | None = None,
    steps: int = _STEPS,
    rate: float = _RATE,
) -> EventModel:
    """Return a network of windows that was trained a little further on a corpus."""
    start = copy.deepcopy(network).train()
    settings = base.config.prior.model_copy(
        update={"batch_size": _BATCH, "learning_rate": rate, "tune_weight": 0.0, "average": 0.98}
    )

    def tell(done: int, total: int, cost: float) -> None:
        if on_step is not None:
            on_step("two bars", done / total)

    return fit(start, Windows.of_corpus(corpus), features, settings, steps, seed, tell)


def adapt_long(
    model: LongForm,
    corpus: Corpus,
    seed: int = 0,
    on_step: OnStep | None = None,
    steps: int = _LONG_STEPS,
    rate: float = _LONG_RATE,
) -> LongForm:
    """Return a model of long pieces that was trained a little further on a corpus."""
    start = copy.deepcopy(model.network).train()
    learner = Learner(start, model.features, corpus, _LONG_BATCH, seed, rate, average=0.98)
    for step in range(steps):
        learner.step(step / steps)
        if on_step is not None:
            on_step("long pieces", (step + 1) / steps)
    return LongForm(learner.average, model.features, model.codec, model.name)


def _tell_card(card: Path, name: str, learned: Learned) -> None:
    """Say in the card of the folder what it is."""
    text = card.read_text(encoding="utf-8") if card.exists() else ""
    songs = "1 song" if learned.songs == 1 else f"{learned.songs} songs"
    more = (
        f"\n## Personalized\n\nThe autoencoder is that of `{name}`; what draws music "
        f"({', '.join(learned.parts)}) was learned further on {songs}, {learned.bars} bars, by "
        "`musae personalize`. The figures above are of the model that it began with.\n"
    )
    card.write_text(text.rstrip("\n") + "\n" + more, encoding="utf-8")
