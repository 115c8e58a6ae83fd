"""Dataset for mixtures: folders of recordings and of MIDI files become segments of one rate on
disk, mapped into memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.core.files import atomic_output, shown
from musicvae_lite.media.audio import Samples, open_audio, resample
from musicvae_lite.media.midi import MidiError, read_midi
from musicvae_lite.media.render import find_soundfonts, find_synthesizer, orchestrate, render
from musicvae_lite.media.sources import MidiFile, list_sources

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".aif", ".aiff", ".mp3")
SEGMENT_SECONDS = 30.0
_SHORTEST_SECONDS = 0.5
_SILENCE = 1e-3
_PEAK = 30000  # of 32767

Report = Callable[[str], None]


def list_recordings(paths: Sequence[Path]) -> list[Path]:
    """List the sound files of folders (with their subfolders) and single files, in order of name.

    Raises:
        UsageError: if no path is named.
        MusaeError: if one does not exist.
        NothingUsableError: if one holds no sound file.
    """
    if not paths:
        raise UsageError("name at least one folder of recordings or sound file")
    return [file for path in paths for file in _list(path)]


def _list(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise MusaeError(f"{path}: no such file or folder")
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )
    if not files:
        raise NothingUsableError(
            f"{path}: holds no sound files ({', '.join('*' + suffix for suffix in SUFFIXES)})"
        )
    return files


def record(
    paths: Sequence[Path], cache: Path, rate: int, report: Report | None = None
) -> list[NDArray[np.int16]]:
    """Return the recordings as mono segments of up to 30 s, int16 [N] each, mapped from files in
    ``cache``.

    A file that was converted before is not converted again. What cannot be read is reported and
    left out.

    Raises:
        NothingUsableError: if nothing can be used.
        MusaeError, UsageError: see :func:`list_recordings`.
    """
    files = list_recordings(paths)
    _create(cache)
    found: list[NDArray[np.int16]] = []
    for file in files:
        facts = file.stat()
        key = zlib.crc32(
            f"{file.resolve()} {facts.st_size} {facts.st_mtime_ns} {rate}".encode(
                "utf-8", "surrogateescape"
            )
        )
        found += _kept(cache, f"sound-{key:08x}", partial(_segments, file, rate), report)
    if not found:
        raise NothingUsableError(
            f"{', '.join(map(str, paths))}: no sound file can be used (silent, too short or "
            "damaged)"
        )
    return found


def perform(
    paths: Sequence[Path],
    cache: Path,
    rate: int,
    count: int,
    seed: int,
    report: Report | None = None,
    wanted: Callable[[MidiFile], bool] | None = None,
) -> list[NDArray[np.int16]]:
    """Return ``count`` stretches of MIDI files, each in a random orchestration, as :func:`record`
    returns recordings.

    Which stretch, song, instruments and soundfont one is depends on ``seed`` and its number alone.
    ``wanted`` chooses among the files.

    Raises:
        MusaeError: if FluidSynth or a soundfont is missing, or a path does not exist.
        NothingUsableError: if there is no MIDI file, or none can be played.
    """
    find_synthesizer()
    fonts = find_soundfonts()
    if not fonts:
        raise MusaeError(
            "no soundfont found; install one (apt install fluid-soundfont-gm) or name it by "
            "MUSAE_SOUNDFONT"
        )
    files = [
        file
        for source in list_sources(paths)
        for file in source.files
        if wanted is None or wanted(file)
    ]
    if not files:
        raise NothingUsableError(
            f"{', '.join(map(str, paths))}: holds no MIDI file of those that are wanted"
        )
    key = zlib.crc32(
        " ".join(
            [*(f"{file.name} {file.crc}" for file in files), *map(str, fonts), str(rate)]
        ).encode()
    )
    _create(cache)
    found: list[NDArray[np.int16]] = []
    for number in range(count):
        found += _kept(
            cache,
            f"midi-{key:08x}-{seed}-{number:05d}",
            partial(_play, files, fonts, rate, (seed, number)),
            report,
        )
    if not found:
        raise NothingUsableError(f"{', '.join(map(str, paths))}: no MIDI file can be played")
    return found


def _create(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MusaeError(
            f"{folder}: cannot be created ({error.strerror or error}); choose another folder"
        ) from error


def _kept(
    cache: Path, name: str, make: Callable[[], Iterator[Samples]], report: Report | None
) -> list[NDArray[np.int16]]:
    """Return the segments that are kept under a name, made first where they are not."""
    path = cache / f"{name}.npy"
    index = cache / f"{name}.ends"
    if not index.is_file():
        try:
            _keep(path, index, [_as_int16(wave) for wave in make()])
        except MusaeError as error:
            if report is not None:
                report(str(error))
            return []
    ends = [int(line) for line in index.read_text(encoding="ascii").split()]
    if not ends:
        return []
    whole = np.load(path, mmap_mode="r", allow_pickle=False)
    return [whole[first:end] for first, end in zip([0, *ends], ends, strict=False)]


def _keep(path: Path, index: Path, waves: list[NDArray[np.int16]]) -> None:
    joined = np.concatenate(waves) if waves else np.zeros(0, np.int16)
    with atomic_output(path, overwrite=True) as temporary, open(temporary, "wb") as file:
        np.save(file, joined, allow_pickle=False)
    ends = np.cumsum([len(wave) for wave in waves])
    with atomic_output(
        index, overwrite=True
    ) as temporary:  # last: it says that the samples are whole
        temporary.write_text("\n".join(map(str, ends)), encoding="ascii")


def _as_int16(wave: Samples) -> NDArray[np.int16]:
    return np.round(wave * (_PEAK / max(float(np.abs(wave).max()), _SILENCE))).astype(np.int16)


def _segments(file: Path, rate: int) -> Iterator[Samples]:
    """Yield the stretches of a file that are not silent, mono [N] at ``rate``."""
    with open_audio(file) as reader:
        size = int(SEGMENT_SECONDS * reader.header.rate)
        for block in reader.blocks(size):
            mono = block.mean(0, keepdims=True)
            if (
                mono.shape[1] >= _SHORTEST_SECONDS * reader.header.rate
                and np.abs(mono).max() > _SILENCE
            ):
                yield resample(mono, reader.header.rate, rate)[0]


def _play(
    files: Sequence[MidiFile], fonts: Sequence[Path], rate: int, seed: tuple[int, int]
) -> Iterator[Samples]:
    random = np.random.default_rng(seed)
    file = files[int(random.integers(len(files)))]
    try:
        score = read_midi(file.read(), source=shown(file.name))
    except MidiError as error:
        raise MusaeError(str(error)) from error
    played = render(
        orchestrate(score, random, SEGMENT_SECONDS),
        fonts[int(random.integers(len(fonts)))],
        rate,
        random,
    )
    side = random.uniform()
    wave: NDArray[Any] = side * played.samples[0] + (1 - side) * played.samples[-1]
    wave = wave[: int(SEGMENT_SECONDS * rate)].astype(np.float32)
    if np.abs(wave).max(initial=0) > _SILENCE:
        yield wave
