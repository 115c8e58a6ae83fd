"""Recordings that were dropped on the page: as they were and cleaned, with both spectrograms.

A denoiser's gain is linear in its strength: between the sound and what it is at strength 1, every
strength is a blend. So the page hears any strength at once, and only what is saved is made anew.
"""

from __future__ import annotations

import base64
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media.audio import Header, encoding, open_audio, read_audio, write_audio
from musicvae_lite.media.levels import Stretch, clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from musicvae_lite.audio.plots import SpectrogramRecorder
    from musicvae_lite.play.kept import Kept
    from musicvae_lite.play.models import Models

DEFAULT_DENOISER = "denoise"
_KEPT = 6  # recordings at a time; the one that was used longest ago goes
_MAX_SECONDS = 900  # what a page can hold in memory, several times over
_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".aif", ".aiff", ".w64", ".caf", ".mp3")
_RANGE_DB = 80.0  # of a picture, from its loudest place down
_PARTS = {"before": "before.wav", "after": "after.wav"}


@dataclass
class Recording:
    """One recording.

    Attributes:
        folder: where its files are.
        source: the file as it was dropped.
        name: that it was dropped with.
        profile: stretch of noise alone that was marked, or None.
    """

    folder: Path
    source: Path
    name: str
    header: Header
    profile: Stretch | None = None


class Recordings:
    """Recordings by number, in a folder that goes when the program ends.

    Args:
        models: of which the denoiser comes.
    """

    def __init__(self, models: Models) -> None:
        self._models = models
        self._folder = Path(tempfile.mkdtemp(prefix="musae-play-"))
        self._finalizer = weakref.finalize(self, shutil.rmtree, self._folder, True)
        self._open: OrderedDict[int, Recording] = OrderedDict()
        self._lock = threading.Lock()
        self._count = 0

    def close(self) -> None:
        """Remove all of them."""
        self._finalizer()

    def open(self, name: str, data: bytes) -> dict[str, Any]:
        """Keep and clean a recording; return what the page shows of it.

        Raises:
            AudioError, NothingUsableError: it cannot be read.
            UsageError: it lasts too long.
        """
        suffix = Path(name).suffix.lower()
        with self._lock:
            self._count += 1
            number = self._count
        folder = self._folder / str(number)
        folder.mkdir()
        source = folder / f"source{suffix if suffix in _SUFFIXES else '.wav'}"
        source.write_bytes(data)
        try:
            with _named(source, name):
                recording = Recording(folder, source, name, _header(source, name))
                write_audio(read_audio(source), folder / _PARTS["before"])
                told = self._clean(recording)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        with self._lock:
            self._open[number] = recording
            while len(self._open) > _KEPT:
                _, old = self._open.popitem(last=False)
                shutil.rmtree(old.folder, ignore_errors=True)
        header = recording.header
        facts = {"seconds": header.seconds, "rate": header.rate, "channels": header.channels}
        return {"id": number, "name": name, **facts, **told}

    def clean(self, number: int, tree: Mapping[str, Any]) -> dict[str, Any]:
        """Clean a recording again, with a stretch of noise alone or without one.

        Raises:
            UsageError: no such recording, or a stretch that it does not have.
        """
        recording = self._get(number)
        recording.profile = _profile(tree.get("profile"))
        with _named(recording.source, recording.name):
            return self._clean(recording)

    def wav(self, number: int, part: str) -> bytes:
        """Return the sound ``before`` or ``after`` as WAV.

        Raises:
            UsageError: no such recording or part.
        """
        recording = self._get(number)
        if part not in _PARTS:
            raise UsageError(f"a recording has no part {part[:20]!r}")
        return (recording.folder / _PARTS[part]).read_bytes()

    def save(self, number: int, tree: Mapping[str, Any], kept: Kept) -> Path:
        """Write a recording, cleaned at a strength, as ``musae denoise`` would.

        Raises:
            UsageError: no such recording, or a strength out of range.
            MusaeError: if the file system refuses.
        """
        from musicvae_lite.play.service import number as number_of

        recording = self._get(number)
        strength = number_of(tree, "strength", 1.0)
        stem, suffix = Path(recording.name).stem, recording.source.suffix
        suffix = ".wav" if suffix == ".mp3" else suffix
        output = recording.folder / f"saved{suffix}"
        with _named(recording.source, recording.name):
            self._session.denoise_file(
                recording.source,
                output,
                strength,
                profile=recording.profile,
                overwrite=True,
            )
        path = kept.write(f"{stem} denoised", suffix, output.read_bytes())
        output.unlink()
        return path

    @property
    def _session(self) -> Any:
        first = self._models.get(None)
        service = first if first.medium == "sound" else self._models.get(DEFAULT_DENOISER)
        return service.session

    def _clean(self, recording: Recording) -> dict[str, Any]:
        """Make the cleaned sound and both pictures."""
        from musicvae_lite.audio.plots import SpectrogramRecorder
        from musicvae_lite.media.spectrum import grid_of

        header = recording.header
        recorder = SpectrogramRecorder(header.samples, grid_of(header.rate), header.rate)

        def watch(view: Any) -> None:
            powers = (part.abs().square().cpu().numpy() for part in (view.before, view.after))
            recorder.add(view.first, *powers)

        told = self._session.denoise_file(
            recording.source,
            recording.folder / _PARTS["after"],
            profile=recording.profile,
            overwrite=True,
            watch=watch,
        )
        return {
            "noise": told.noise_dbfs,
            "change": told.level_change_db,
            "warning": told.warning.replace(str(recording.source), recording.name),
            **_pictures(recorder),
        }

    def _get(self, number: int) -> Recording:
        with self._lock:
            if number not in self._open:
                raise UsageError("this recording is no longer open; drop it again")
            self._open.move_to_end(number)
            return self._open[number]


def _header(source: Path, name: str) -> Header:
    """Read what a file says of itself, and refuse one that is too long for a page."""
    encoding(source.with_suffix(".wav"), Header(44_100, 1, 1))
    with open_audio(source) as reader:
        header = reader.header
    if header.seconds > _MAX_SECONDS:
        raise UsageError(
            f"{name}: lasts {clock(header.seconds)}; the page takes up to {clock(_MAX_SECONDS)}, "
            f"'musae denoise {name}' any length"
        )
    return header


def _profile(told: Any) -> Stretch | None:
    """Read a stretch, ``[first, last]`` in seconds.

    Raises:
        UsageError: it is none.
    """
    if told is None:
        return None
    valid = isinstance(told, list) and len(told) == 2
    if not valid or not all(isinstance(second, int | float) for second in told):
        raise UsageError("a stretch of noise is two times in seconds")
    return Stretch(float(told[0]), float(told[1]))


def _pictures(recorder: SpectrogramRecorder) -> dict[str, Any]:
    """Return both pictures, a byte a pixel, rows from high to low frequencies."""
    before, after, _ = recorder.pictures()
    rows_hz = recorder.rows_hz[::-1]
    return {
        "width": before.shape[1],
        "height": before.shape[0],
        "highest": float(rows_hz[0]),
        "lowest": float(rows_hz[-1]),
        "before": _bytes(before),
        "after": _bytes(after),
    }


def _bytes(levels: NDArray[np.float64]) -> str:
    scaled = np.clip(1 + levels[::-1] / _RANGE_DB, 0, 1) * 255
    return base64.b64encode(scaled.astype(np.uint8).tobytes()).decode()


@contextmanager
def _named(source: Path, name: str) -> Iterator[None]:
    """Let messages call a file as the user does."""
    try:
        yield
    except MusaeError as error:
        text = str(error).replace(str(source), name)
        raise type(error)(text) from error
