"""Sound: clean recordings or MIDI files, mixed with recorded and synthesised noises on the fly."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.audio.denoise.evaluate import evaluate_batches
from musicvae_lite.audio.denoise.mixtures import Mixture, Noisy, Recipe, Segments
from musicvae_lite.audio.denoise.network import band_powers, statistics
from musicvae_lite.audio.denoise.noises import SYNTHESISED
from musicvae_lite.audio.recordings import SUFFIXES, list_recordings, perform, record
from musicvae_lite.config import MixtureSettings, RunConfig, SoundCodecSettings
from musicvae_lite.core.autoencoder import Autoencoder, Batch
from musicvae_lite.core.dataset import Dataset, Measured
from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError, suggest
from musicvae_lite.core.files import cache_folder
from musicvae_lite.media.sources import SUFFIXES as MIDI_SUFFIXES
from musicvae_lite.media.sources import MidiFile, list_sources
from musicvae_lite.media.spectrum import grid_of, stft
from musicvae_lite.plotting import tile

_SHOWN = 3
MEASURED_EPOCH = (
    2**31 - 1
)  # no epoch of a run has this number, so that no clip is both learned from and measured on
_BATCH = 4
_TOLD_FILES = 5  # files left out that are named
_TOLD = 1  # mixed into the seed of the draw of clips for which the noise is told
_RANGE_DB = 80.0

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Part:
    """The clean sounds, noises and voices of one side of the split."""

    clean: Segments
    noise: Segments
    speech: Segments

    def mixtures(self, recipe: Recipe, seed: int) -> Noisy:
        """Return the clips that are drawn from them."""
        return Noisy(self.clean, self.noise, self.speech, recipe, seed)


def shares(clips: int, size: int, rank: int, world: int) -> Iterator[range]:
    """Yield the clips of an epoch that process ``rank`` of ``world`` has in each batch of ``size``.

    What is left over is dropped.

    Raises:
        UsageError: a batch cannot be divided.
        MusaeError: the epoch is shorter than a batch.
    """
    if size % world:
        raise UsageError(f"a batch of {size} cannot be divided over {world} processes")
    if clips < size:
        raise MusaeError(
            f"an epoch of {clips} clips is shorter than a batch of {size}; set data.mixture.epoch"
        )
    share = size // world
    for first in range(rank * share, clips - clips % size, size):
        yield range(first, first + share)


def ahead(make: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield ``make(item)`` for each item in order, the next one made by a second thread while one
    is in use.
    """
    with ThreadPoolExecutor(1) as pool:
        made: Future[R] | None = None
        for item in items:
            following = pool.submit(make, item)
            if made is not None:
                yield made.result()
            made = following
        if made is not None:
            yield made.result()


class DenoiseDataset(Dataset):
    """Mixtures of one rate and length.

    Other clean files and, where there are enough, other noises are held out.

    Args:
        train: what is learned from.
        valid: what is measured on.
        config: the run.
        sources: see :class:`Dataset`.
        fingerprints: see :class:`Dataset`.
        held_out: whether ``valid`` holds other files than ``train``.
    """

    unit = "clips"

    def __init__(
        self,
        train: Part,
        valid: Part,
        config: RunConfig,
        sources: list[dict[str, Any]],
        fingerprints: list[str],
        held_out: bool,
        notice: str = "",
    ) -> None:
        codec = config.codec
        if not isinstance(codec, SoundCodecSettings):
            raise UsageError(f"{config.name} is no model of sound")
        self.train, self.valid = train, valid
        self.settings = config.data.mixture or MixtureSettings()
        self.recipe = recipe_of(self.settings, codec)
        self.count = min(config.training.valid_windows, 1000)
        self.sources, self.fingerprints, self.held_out, self.notice = (
            sources,
            fingerprints,
            held_out,
            notice,
        )
        self.grid = grid_of(codec.rate)

    @classmethod
    def open(cls, config: RunConfig, sources: Sequence[str | Path]) -> DenoiseDataset:
        """Open folders of clean recordings or MIDI files, and the run's noises.

        The first time each file is converted (MIDI files are played) and kept in the cache folder.

        Raises:
            UsageError: no source is named, or a kind of noise is not known.
            NothingUsableError: a folder holds nothing that can be used.
            MusaeError: a path does not exist, or FluidSynth is needed and missing.
        """
        if not sources:
            raise UsageError(
                f"{config.name} learns from clean sound; name a folder of recordings or MIDI "
                "files with --data"
            )
        codec, settings = config.codec, config.data.mixture or MixtureSettings()
        if not isinstance(codec, SoundCodecSettings):
            raise UsageError(f"{config.name} is no model of sound")
        shelf = Shelf(cache_folder() / "sound", codec.rate, settings, config.seed)
        clean = shelf.clean([Path(source) for source in sources])
        noise = shelf.recorded(config.data.noise, "data.noise")
        speech = shelf.recorded(config.data.speech, "data.speech")
        train = Part(clean[0], noise[0], speech[0])
        held_out = len(clean[1]) > 0
        valid = Part(*(unseen if len(unseen) else seen for seen, unseen in (clean, noise, speech)))
        named = [*map(str, sources), *filter(None, (config.data.noise, config.data.speech))]
        facts = [{"name": Path(name).name, "windows": 0, "rights": ""} for name in named]
        for fact, count in zip(facts, shelf.counts, strict=True):
            fact["windows"] = count
        return cls(
            train,
            valid,
            config,
            facts,
            [fingerprint(Path(name)) for name in named],
            held_out,
            shelf.notice,
        )

    def __len__(self) -> int:
        return self.settings.epoch

    def batches(
        self, device: torch.device, size: int, seed: int, epoch: int, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """Yield the clips of one epoch; see :meth:`Dataset.batches`."""
        mixtures = self.train.mixtures(self.recipe, seed)

        def make(places: range) -> _Clips:
            return self._batch(
                [mixtures.mixture(epoch, index) for index in places], (seed, epoch, places.start)
            )

        for clips in ahead(make, shares(len(self), size, rank, world)):
            yield clips.on(device)

    def _batch(self, drawn: Sequence[Mixture], seed: tuple[int, ...]) -> _Clips:
        """Put clips together, with the noise's profile for some of them."""
        clean, noise = (
            torch.from_numpy(np.stack([mixture[part] for mixture in drawn])) for part in (0, 1)
        )
        condition = None
        if self.settings.profile:
            told = np.random.default_rng((*seed, _TOLD)).random(len(drawn)) < self.settings.profile
            low = statistics(band_powers(stft(noise, self.grid))).low[..., 0]
            condition = torch.where(torch.from_numpy(told).unsqueeze(1), low, torch.nan)
        return _Clips(Batch(clean + noise, clean, condition=condition))

    def held_out_clips(self, count: int, seed: int = 0) -> Iterator[Mixture]:
        """Yield mixtures of what is held out; the same ones every time."""
        recipe = replace(self.recipe, clean=0.0, snr_db=(0.0, 15.0))
        mixtures = self.valid.mixtures(recipe, seed)
        yield from (mixtures.mixture(MEASURED_EPOCH, index) for index in range(count))

    def measure(self, model: Autoencoder, seed: int) -> Measured:
        """Measure on mixtures at 0 to 15 dB of what is held out.

        See :class:`musicvae_lite.audio.denoise.evaluate.SoundMeasures`.
        """
        device, count = next(model.parameters()).device, self.count
        clips = list(self.held_out_clips(count, seed))
        batches = (
            (
                _plain(clips[first : first + _BATCH]).on(device),
                [mixture.kind for mixture in clips[first : first + _BATCH]],
            )
            for first in range(0, count, _BATCH)
        )
        measures, nll, kl_bits = evaluate_batches(model, batches, self.recipe.rate)
        return Measured(measures.as_dict(), nll, kl_bits)

    @torch.inference_mode()
    def picture(self, model: Autoencoder) -> NDArray[np.float64]:
        """Show spectrograms of a few held-out clips, one a column: noisy, cleaned, clean."""
        clips = list(self.held_out_clips(min(_SHOWN, self.count)))
        batch = _plain(clips).on(next(model.parameters()).device)
        encoding = model.encode(batch)
        cleaned = model.predict(encoding.latent.mean, batch, encoding.skips)
        return tile([self._brightness(wave) for wave in (batch.x, cleaned, batch.target)])

    def _brightness(self, waves: torch.Tensor) -> NDArray[np.float64]:
        """Return the levels of bands of waves [B, N] as brightness, low notes at the bottom, [B, K,
        T, 1].
        """
        power = band_powers(stft(waves.cpu(), self.grid)).flip(1).double()
        decibels = (
            10
            * (power / power.amax((1, 2), keepdim=True).clamp_min(1e-20)).clamp_min(1e-20).log10()
        )
        shown: NDArray[np.float64] = (1 + decibels / _RANGE_DB).clamp(0, 1).unsqueeze(-1).numpy()
        return shown


@dataclass(frozen=True)
class _Clips:
    """A batch that is not on its device yet."""

    batch: Batch

    def on(self, device: torch.device) -> Batch:
        batch = self.batch
        told = None if batch.condition is None else batch.condition.to(device)
        return Batch(batch.x.to(device), batch.target.to(device), condition=told)


def _plain(drawn: Sequence[Mixture]) -> _Clips:
    clean, noise = (
        torch.from_numpy(np.stack([mixture[part] for mixture in drawn])) for part in (0, 1)
    )
    return _Clips(Batch(clean + noise, clean))


def recipe_of(settings: MixtureSettings, codec: SoundCodecSettings) -> Recipe:
    """Return how clips are drawn by settings.

    Raises:
        UsageError: if a kind of noise is not known, or none has a weight.
    """
    for kind in settings.kinds:
        if kind not in SYNTHESISED:
            raise UsageError(f"data.mixture.kinds: no noise {kind!r}; {suggest(kind, SYNTHESISED)}")
    if not any(settings.kinds.get(kind, 1.0) for kind in SYNTHESISED):
        raise UsageError("data.mixture.kinds: one kind of noise has a weight above 0")
    shared = {
        field.name: getattr(settings, field.name)
        for field in fields(Recipe)
        if hasattr(settings, field.name)
    }
    return Recipe(seconds=codec.seconds, rate=codec.rate, **shared)


class Shelf:
    """Where converted sounds are kept, and which of them are held out.

    Args:
        cache: folder of converted sounds.
        rate: of all of them.
        settings: how many are made and held out.
        seed: of what MIDI files are played as.

    Attributes:
        told: why files cannot be used.
        counts: segments of each source, in the order in which they are opened.
    """

    def __init__(self, cache: Path, rate: int, settings: MixtureSettings, seed: int) -> None:
        self.cache, self.rate, self.settings, self.seed = cache, rate, settings, seed
        self.told: list[str] = []
        self.counts: list[int] = []

    @property
    def notice(self) -> str:
        """What the user should know of files that cannot be used, or ""."""
        if not self.told:
            return ""
        more = f" and {len(self.told) - _TOLD_FILES} more" if len(self.told) > _TOLD_FILES else ""
        return f"left out: {'; '.join(self.told[:_TOLD_FILES])}{more}"

    def clean(self, paths: Sequence[Path]) -> tuple[Segments, Segments]:
        """Return the segments of folders of recordings and of MIDI files, those to learn from and
        those held out.
        """
        groups: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        for path in paths:
            sides = self._source(path)
            self.counts.append(len(sides[0]) + len(sides[1]))
            for group, waves in zip(groups, sides, strict=True):
                group[str(path)] = waves
        return Segments(groups[0]), Segments(groups[1])

    def recorded(self, name: str | None, key: str) -> tuple[Segments, Segments]:
        """Return the segments of a folder of recordings that the setting ``key`` names.

        None where it names none.
        """
        if name is None:
            return Segments({}), Segments({})
        try:
            sides = self._recordings(Path(name))
        except MusaeError as error:
            raise type(error)(f"{key}: {error}") from error
        self.counts.append(len(sides[0]) + len(sides[1]))
        return Segments({name: sides[0]}), Segments({name: sides[1]})

    def _source(self, path: Path) -> tuple[list[Any], list[Any]]:
        """Return what is learned from and what is held out of one source."""
        if not path.exists():
            raise MusaeError(f"{path}: no such file or folder")
        sides: tuple[list[Any], list[Any]] = ([], [])
        scores = (
            (*MIDI_SUFFIXES, ".zip") if path.is_file() else MIDI_SUFFIXES
        )  # a zip among recordings is something else
        for suffixes, load in ((SUFFIXES, self._recordings), (scores, self._played)):
            if _has(path, suffixes):
                for side, waves in zip(sides, load(path), strict=True):
                    side += waves
        if not sides[0]:
            raise NothingUsableError(
                f"{path}: holds neither recordings ({', '.join(SUFFIXES)}) nor MIDI files"
            )
        return sides

    def _recordings(self, path: Path) -> tuple[list[Any], list[Any]]:
        usable: dict[Path, list[Any]] = {}
        for file in list_recordings([path]):
            told = len(self.told)
            try:
                usable[file] = record([file], self.cache, self.rate, self.told.append)
            except NothingUsableError:
                if told == len(self.told):
                    self.told.append(f"{file}: is silent or too short")
        if not usable:
            raise NothingUsableError(
                f"{path}: no sound file can be used (silent, too short or damaged)"
            )
        unseen = self._unseen([file.name for file in usable])
        sides: tuple[list[Any], list[Any]] = ([], [])
        for file, waves in usable.items():
            sides[file.name in unseen].extend(waves)
        return sides

    def _played(self, path: Path) -> tuple[list[Any], list[Any]]:
        unseen = self._unseen(
            [_song(file) for source in list_sources([path]) for file in source.files]
        )
        count = self.settings.performances
        few = max(1, round(count * self.settings.held_out)) if unseen else 0
        learned = self._perform(path, count, lambda file: _song(file) not in unseen)
        return learned, (
            self._perform(path, few, lambda file: _song(file) in unseen) if few else []
        )

    def _perform(self, path: Path, count: int, wanted: Any) -> list[Any]:
        return perform([path], self.cache, self.rate, count, self.seed, self.told.append, wanted)

    def _unseen(self, names: Sequence[str]) -> set[str]:
        """Return which names are held out: about the share of the settings, one at least where
        there are four or more.
        """
        ordered = sorted(
            set(names), key=lambda name: zlib.crc32(name.encode("utf-8", "surrogateescape"))
        )
        share = self.settings.held_out
        return (
            set(ordered[: max(1, round(share * len(ordered)))])
            if share and len(ordered) >= 4
            else set()
        )


def _song(file: MidiFile) -> str:
    return file.group or file.name


def _has(path: Path, suffixes: Sequence[str]) -> bool:
    if path.is_file():
        return path.suffix.lower() in suffixes
    return any(
        file.suffix.lower() in suffixes and not file.name.startswith(".")
        for file in path.rglob("*")
    )


def fingerprint(path: Path) -> str:
    """Return a checksum of the names and sizes of the files of a source."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    text = "\n".join(f"{file.name} {file.stat().st_size}" for file in files)
    return f"{zlib.crc32(text.encode('utf-8', 'surrogateescape')):08x}"
