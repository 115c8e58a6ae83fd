"""Sound: samples with their rate, read and written with libsndfile.

Only this module imports soundfile. Files are read and written in blocks, so that an hour of stereo
costs no more memory than a minute.

Letters in shapes: C channels, N samples.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core import registry
from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.core.files import atomic_output, reason
from musicvae_lite.core.limits import check_regular
from musicvae_lite.media.containers import advice, container_of, decoded
from musicvae_lite.media.riff import MendedWav, WavState, wav_state

Samples = NDArray[np.float32]

MAX_CHANNELS = 32
LOWEST_HZ, HIGHEST_HZ = 1000, 768000
BLOCK_SAMPLES = 2**16
_PCM_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
_UNPACKED = ("PCM", "FLOAT", "DOUBLE", "ULAW", "ALAW")  # a block is a sample of all channels
_LOUDEST = 1e12  # times full scale; the square of more is soon no number
_TAGS_BYTES = (
    1500  # of all tags together; with some thousands libsndfile writes files that cannot be read
)
_MANY_PHASES = 10**6  # of a resampling; ordinary rates have up to 141,120

# What is written where a file's own name ends so; a file that comes from another one keeps that
# one's subtype if it can.
FORMATS = {
    ".wav": "WAV",
    ".flac": "FLAC",
    ".ogg": "OGG",
    ".oga": "OGG",
    ".aif": "AIFF",
    ".aiff": "AIFF",
    ".w64": "W64",
    ".caf": "CAF",
}
DEFAULT_SUBTYPES = {"OGG": "VORBIS", "WAV": "PCM_16", "FLAC": "PCM_16"}
_WAV_BYTES = (
    2**32 - 2**16
    # a WAV file counts its bytes in 32 bits; a longer one is written as RF64, which readers take
    # for
    # WAV
)


class AudioError(MusaeError):
    """A file that cannot be read as sound."""


class Header(NamedTuple):
    """What a sound file says of itself: its rate in Hz, channels, samples of each channel, how it
    stores them, and its tags.

    ``tags`` are names and values as libsndfile knows them: title, artist, album, date, comment ...
    """

    rate: int
    channels: int
    samples: int
    format: str = "WAV"
    subtype: str = "PCM_16"
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.samples / self.rate


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound in memory.

    Attributes:
        samples: [C, N] float32, full scale is 1.
        rate: samples per second.
        format: libsndfile's name of the container it came in (WAV, FLAC, OGG).
        subtype: libsndfile's name of the encoding (PCM_16, PCM_24, FLOAT, VORBIS).
        source: where it came from, for messages.
    """

    samples: Samples
    rate: int
    format: str = "WAV"
    subtype: str = "PCM_16"
    source: str = "sound"

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples)
        if samples.ndim != 2:
            raise UsageError(
                f"{self.source}: samples are [channels, samples], not an array of {samples.ndim} "
                "dimension(s)"
            )
        if samples.shape[0] > MAX_CHANNELS:
            hint = "; transpose the array" if samples.shape[1] <= MAX_CHANNELS else ""
            raise UsageError(
                f"{self.source}: {samples.shape[0]} channels; at most {MAX_CHANNELS} can be "
                f"used{hint}"
            )
        check_rate(self.rate, self.source)
        object.__setattr__(self, "samples", samples.astype(np.float32, copy=False))

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a spectrogram and a player."""
        shown: str = registry.load("displays", "audio")(self)
        return shown

    @property
    def header(self) -> Header:
        """The same facts as of a file."""
        return Header(
            self.rate, self.samples.shape[0], self.samples.shape[1], self.format, self.subtype
        )


def check_rate(rate: int, source: str) -> None:
    """Refuse a rate that no sound has.

    Raises:
        UsageError: below 1 kHz or above 768 kHz.
    """
    if not LOWEST_HZ <= rate <= HIGHEST_HZ:
        raise UsageError(
            f"{source}: {rate} samples per second; {LOWEST_HZ} to {HIGHEST_HZ} can be used"
        )


# --- files
# --------------------------------------------------------------------------------------------------
# -------------


class Reader:
    """An open sound file, read in blocks; see :func:`open_audio`.

    Attributes:
        header: what it says of itself.
        source: its name.
        warning: what the user should know of damage that it can be read in spite of, or "".
    """

    def __init__(self, file: Any, header: Header, source: str, warning: str = "") -> None:
        self.header, self.source, self.warning = header, source, warning
        self._file = file

    def blocks(self, size: int = BLOCK_SAMPLES) -> Iterator[Samples]:
        """Yield the samples from the first to the last, [C, up to ``size``] each.

        Raises:
            AudioError: if the file is damaged, or holds samples that are no numbers.
        """
        import soundfile

        done = 0
        while True:
            try:
                block = self._file.read(size, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise AudioError(
                    f"{self.source}: is damaged after {done / self.header.rate:.2f} s "
                    f"({_told(error)})"
                ) from error
            if not len(block):
                return
            check_finite(block.T, self.header.rate, self.source, done)
            done += len(block)
            yield np.ascontiguousarray(block.T)


@contextmanager
def open_audio(path: str | os.PathLike[str]) -> Iterator[Reader]:
    """Open a sound file of any kind that libsndfile knows (WAV, FLAC, Ogg, AIFF, MP3 ...).

    A WAV file whose recorder never wrote the length is read to its end. M4A, AAC, WMA and WebM are
    read where FFmpeg is installed.

    Raises:
        AudioError: in one line, if there is no such file or it is not sound.
        NothingUsableError: if it holds no samples.
        UsageError: for more than 32 channels or an impossible rate.
    """
    path = Path(path)
    _check_file(path)
    kind = container_of(path)
    with ExitStack() as stack:
        if kind is None:
            state = wav_state(path)
            file = stack.enter_context(_sound_file(path, state))
        else:
            state, place = None, stack.enter_context(decoded(path))
            if isinstance(place, str):
                raise AudioError(f"{path}: is {kind}; {place}; {advice(path)}")
            file = stack.enter_context(_sound_file(place, None))
        header = _header(file)
        if header.channels > MAX_CHANNELS:
            raise UsageError(
                f"{path}: {header.channels} channels; at most {MAX_CHANNELS} can be used"
            )
        check_rate(header.rate, str(path))
        if not header.samples:
            raise NothingUsableError(f"{path}: holds no samples")
        yield Reader(file, header, str(path), _damage(path, header, state))


@contextmanager
def _sound_file(path: Path, state: WavState | None) -> Iterator[Any]:
    """Open a file with libsndfile, a WAV file that was never finished by a mended header."""
    import soundfile

    with ExitStack() as stack:
        mended = state is not None and state.unfinished
        source: Any = stack.enter_context(MendedWav(path, state)) if mended and state else None
        try:
            file = soundfile.SoundFile(_name(path) if source is None else source)
        except soundfile.LibsndfileError as error:
            raise AudioError(
                f"{path}: not a sound file, or a damaged one ({_told(error)}); WAV, FLAC and Ogg "
                "can be read"
            ) from error
        yield stack.enter_context(file)


def _header(file: Any) -> Header:
    return Header(
        file.samplerate,
        file.channels,
        file.frames,
        file.format,
        file.subtype,
        tuple(file.copy_metadata().items()),
    )


def _damage(path: Path, header: Header, state: WavState | None) -> str:
    """Say what is wrong with the lengths of a WAV file that can be read all the same."""
    if state is None:
        return ""
    if state.unfinished:
        return (
            f"{path}: its header was never finished (length 0); all {header.samples:,} samples "
            "that are there are read"
        )
    if state.missing and header.subtype.startswith(_UNPACKED):
        seconds = state.missing / header.rate
        return (
            f"{path}: is cut short: {state.missing:,} samples ({seconds:.3g} s) that its header "
            f"promises are missing; {header.samples:,} are there"
        )
    return ""


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise AudioError(f"{path}: is a folder; name a sound file")
        check_regular(path)
        if not path.stat().st_size:
            raise AudioError(f"{path}: is an empty file")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file") from None
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {reason(error)}") from error


def _name(path: Path) -> str | bytes:
    """Return a path as soundfile takes it: on POSIX names may be no text."""
    return os.fsencode(path) if os.name == "posix" else str(path)


def _told(error: Exception) -> str:
    """Return what libsndfile says of an error, without the path and in one line."""
    text = str(getattr(error, "error_string", error)).strip().rstrip(".")
    return " ".join(text.split()).lower()


def read_audio(path: str | os.PathLike[str]) -> Audio:
    """Read a whole file.

    Raises:
        AudioError, NothingUsableError, UsageError: see :func:`open_audio`.
    """
    with open_audio(path) as reader:
        # Joined from blocks: a damaged header may promise gigabytes that are not there.
        blocks = list(reader.blocks())
        header = reader.header
    if not blocks:
        raise NothingUsableError(f"{path}: holds no samples")
    return Audio(np.concatenate(blocks, 1), header.rate, header.format, header.subtype, str(path))


def check_finite(samples: Samples, rate: int, source: str, first: int = 0) -> None:
    """Refuse samples [C, N] that are no numbers, or beyond all measure.

    ``first`` counts the samples before these.

    Raises:
        AudioError: naming the first such place.
    """
    bad = ~(np.abs(samples) < _LOUDEST)
    if bad.any():
        place = int(bad.any(0).argmax())
        channel = int(bad[:, place].argmax()) + 1
        seconds = (first + place) / rate
        value = float(samples[channel - 1, place])
        what = f"{value:.0e} times full scale" if math.isfinite(value) else "NaN or infinity"
        raise AudioError(
            f"{source}: channel {channel} holds {what} at {seconds:.3f} s; repair or cut the file "
            "there"
        )


class Writer:
    """A sound file that is being written in blocks; see :func:`create_audio`."""

    def __init__(self, file: Any, path: Path) -> None:
        self._file, self._path = file, path
        self._bits = _PCM_BITS.get(file.subtype)

    @property
    def clips(self) -> bool:
        """Whether what lies beyond full scale cannot be written."""
        return self._file.subtype not in ("FLOAT", "DOUBLE")

    def write(self, samples: Samples) -> None:
        """Append samples [C, N].

        What lies beyond full scale is clipped in formats that cannot hold it.

        Raises:
            MusaeError: if the file system refuses (disk full).
        """
        import soundfile

        rows = np.ascontiguousarray(samples.T)
        if self.clips and self._bits is None:  # libsndfile lets some encodings wrap round
            rows = rows.clip(-1, 1)
        try:
            self._file.write(rows if self._bits is None else _as_integers(rows, self._bits))
        except (
            soundfile.LibsndfileError,
            OSError,
            AssertionError,
        ) as error:  # a short write is an AssertionError there
            raise _refused(self._path, error) from error


def _as_integers(samples: Samples, bits: int) -> NDArray[np.int32]:
    """Round samples to so many bits, at the top of 32: libsndfile itself cuts them off below, half
    a step too low on average.
    """
    whole = np.rint(samples.astype(np.float64) * 2 ** (bits - 1))
    inside: NDArray[np.int32] = np.clip(whole, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).astype(
        np.int32
    )
    return np.left_shift(inside, 32 - bits)


@contextmanager
def create_audio(
    path: str | os.PathLike[str], like: Header, overwrite: bool = False
) -> Iterator[Writer]:
    """Write a sound file with the rate, channels, tags and, where the format of its name allows,
    the encoding of ``like``.

    It appears under its name when the block succeeds. ``like.samples`` may be an estimate: it
    decides whether a WAV file needs 64-bit lengths.

    Raises:
        UsageError: if the file exists and ``overwrite`` is false, or its name ends in no known
            format.
        MusaeError: if the file system refuses.
    """
    path = Path(path)
    with atomic_output(path, overwrite) as temporary, _opened(temporary, path, like) as writer:
        yield writer


def write_sounds(files: Mapping[Path, Audio], overwrite: bool = False) -> None:
    """Write sounds, all or none: each moves into place when all are written.

    Raises:
        UsageError, MusaeError: see :func:`create_audio`.
    """
    with ExitStack() as stack:
        for path, audio in files.items():
            temporary = stack.enter_context(atomic_output(path, overwrite))
            with _opened(temporary, path, audio.header) as writer:
                writer.write(audio.samples)


@contextmanager
def _opened(temporary: Path, path: Path, like: Header) -> Iterator[Writer]:
    """Write a sound file at ``temporary`` that will be ``path``."""
    import soundfile

    container, subtype = encoding(path, like)
    try:
        file = soundfile.SoundFile(
            _name(temporary), "w", like.rate, like.channels, subtype, format=container
        )
    except (soundfile.LibsndfileError, ValueError) as error:
        what = f"{like.channels} channels at {like.rate} Hz as {container} {subtype}"
        raise MusaeError(
            f"{path}: cannot hold {what} ({_told(error)}); try a name that ends in .wav"
        ) from error
    size = 0
    for name, value in like.tags:
        size += len(value.encode("utf-8", "replace"))
        if size > _TAGS_BYTES:
            continue
        with suppress(soundfile.LibsndfileError):  # a format may have no place for it
            setattr(file, name, value)
    writer = Writer(file, path)
    try:
        yield writer
    finally:
        _close(file, path)


def _close(file: Any, path: Path) -> None:
    import soundfile

    try:
        file.close()
    except (soundfile.LibsndfileError, OSError) as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: Exception) -> MusaeError:
    why = reason(error) if isinstance(error, OSError) else _told(error)
    why = "the disk may be full" if why in ("", "system error") else why
    return MusaeError(
        f"{path}: cannot be written: {why}; free some space or choose another output with -o"
    )


def encoding(path: Path, like: Header) -> tuple[str, str]:
    """Return libsndfile's names of the container and encoding for a file of that name made from
    ``like``.

    Raises:
        UsageError: if the name ends in no known format.
    """
    import soundfile

    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(
            f"{path}: names no format that can be written; end the name in {', '.join(FORMATS)}"
        )
    container = FORMATS[suffix]
    if container == "WAV" and like.format in ("WAVEX", "RF64", "WAV"):
        container = like.format
    if container in ("WAV", "WAVEX") and like.samples * like.channels * 4 > _WAV_BYTES:
        container = "RF64"
    known = soundfile.available_subtypes(container)
    kept = like.subtype in known and not like.subtype.startswith(
        "MPEG"
    )  # listed for WAV, but not written
    subtype = like.subtype if kept else DEFAULT_SUBTYPES.get(container, "PCM_16")
    if like.subtype in ("FLOAT", "DOUBLE", "PCM_32") and container == "FLAC":
        subtype = "PCM_24"  # the finest that FLAC holds here
    return container, subtype


def write_audio(audio: Audio, path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Write sound; rate, channels, and encoding where the format of the name allows, are kept.

    Raises:
        UsageError, MusaeError: see :func:`create_audio`.
    """
    check_finite(audio.samples, audio.rate, audio.source)
    with create_audio(path, audio.header, overwrite) as writer:
        for first in range(0, audio.samples.shape[1], BLOCK_SAMPLES):
            writer.write(audio.samples[:, first : first + BLOCK_SAMPLES])


# --- rates
# --------------------------------------------------------------------------------------------------
# -------------


def resample(samples: Samples, rate: int, new_rate: int) -> Samples:
    """Return samples [C, N] at another rate, [C, ceil(N * new_rate / rate)], by a windowed sinc
    (torchaudio's, or soxr's).

    Raises:
        UsageError: for an impossible rate.
    """
    check_rate(rate, "resample")
    check_rate(new_rate, "resample")
    if rate == new_rate:
        return samples
    common = math.gcd(rate, new_rate)
    if rate // common * (new_rate // common) > _MANY_PHASES:
        return _resample_odd(samples, rate, new_rate)
    import torch

    from musicvae_lite.media.torchaudio import load_torchaudio

    functional = load_torchaudio().functional
    result: Samples = functional.resample(
        torch.from_numpy(samples), rate, new_rate, lowpass_filter_width=32, rolloff=0.96
    ).numpy()
    return result


def _resample_odd(samples: Samples, rate: int, new_rate: int) -> Samples:
    """Do the same for rates with hardly a common divisor, for which torchaudio needs a table of
    gigabytes.
    """
    import soxr

    result: Samples = soxr.resample(samples.T, rate, new_rate, "VHQ").T
    wanted = -(-samples.shape[1] * new_rate // rate)
    padded = np.pad(result[:, :wanted], ((0, 0), (0, max(wanted - result.shape[1], 0))))
    return np.ascontiguousarray(padded, dtype=np.float32)
