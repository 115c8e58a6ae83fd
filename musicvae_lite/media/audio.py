"""Sound: samples with their rate, read and written with libsndfile, and their spectrograms.

Only this module imports soundfile. Files are read and written in blocks, so that an hour of stereo costs no more memory than a
minute; spectra are changed chunk by chunk with the same result for every length of the chunks.

Letters in shapes: C channels, N samples, F frequency bins, T frames.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.files import atomic_output, reason

if TYPE_CHECKING:
    from torch import Tensor

Samples = NDArray[np.float32]

MAX_CHANNELS = 32
LOWEST_HZ, HIGHEST_HZ = 1000, 768000
BLOCK_SAMPLES = 2**16
FULL_SCALE = 0.9999  # the largest 16-bit sample is 0.99997; a converter that is overdriven stays there

# What is written where a file's own name ends so; a file that comes from another one keeps that one's subtype if it can.
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
_WAV_BYTES = 2**32 - 2**16  # a WAV file counts its bytes in 32 bits; a longer one is written as RF64, which readers take for WAV

# Frames are as long as 6144 samples at 44.1 kHz at every rate, so that a bin is 7.2 Hz wide whatever the rate.
HOP_SECONDS = 1536 / 44100
OVERLAP = 4
# Frames that share what is measured of their surroundings (noise floor, hum): 0.56 s. For the same result however a sound is cut
# it is cut at multiples of this.
BLOCK = 16


class AudioError(MusaeError):
    """A file that cannot be read as sound."""


class Header(NamedTuple):
    """What a sound file says of itself: its rate in Hz, channels, samples of each channel, and how it stores them."""

    rate: int
    channels: int
    samples: int
    format: str = "WAV"
    subtype: str = "PCM_16"

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
            raise UsageError(f"{self.source}: samples are [channels, samples], not an array of {samples.ndim} dimension(s)")
        if samples.shape[0] > MAX_CHANNELS:
            hint = "; transpose the array" if samples.shape[1] <= MAX_CHANNELS else ""
            raise UsageError(f"{self.source}: {samples.shape[0]} channels; at most {MAX_CHANNELS} can be used{hint}")
        check_rate(self.rate, self.source)
        object.__setattr__(self, "samples", samples.astype(np.float32, copy=False))

    @property
    def header(self) -> Header:
        """The same facts as of a file."""
        return Header(self.rate, self.samples.shape[0], self.samples.shape[1], self.format, self.subtype)


def check_rate(rate: int, source: str) -> None:
    """Refuse a rate that no sound has.

    Raises:
        UsageError: below 1 kHz or above 768 kHz.
    """
    if not LOWEST_HZ <= rate <= HIGHEST_HZ:
        raise UsageError(f"{source}: {rate} samples per second; {LOWEST_HZ} to {HIGHEST_HZ} can be used")


# --- files ---------------------------------------------------------------------------------------------------------------


class Reader:
    """An open sound file, read in blocks; see :func:`open_audio`."""

    def __init__(self, file: Any, header: Header, source: str) -> None:
        self.header, self.source = header, source
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
                raise AudioError(f"{self.source}: is damaged after {done / self.header.rate:.2f} s ({_told(error)})") from error
            if not len(block):
                return
            check_finite(block.T, self.header.rate, self.source, done)
            done += len(block)
            yield np.ascontiguousarray(block.T)


@contextmanager
def open_audio(path: str | os.PathLike[str]) -> Iterator[Reader]:
    """Open a sound file of any kind that libsndfile knows (WAV, FLAC, Ogg, AIFF, MP3 ...).

    Raises:
        AudioError: in one line, if there is no such file or it is not sound.
        NothingUsableError: if it holds no samples.
        UsageError: for more than 32 channels or an impossible rate.
    """
    import soundfile

    path = Path(path)
    _check_file(path)
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: not a sound file, or a damaged one ({_told(error)}); WAV, FLAC and Ogg can be read") from error
    with file:
        header = Header(file.samplerate, file.channels, file.frames, file.format, file.subtype)
        if header.channels > MAX_CHANNELS:
            raise UsageError(f"{path}: {header.channels} channels; at most {MAX_CHANNELS} can be used")
        check_rate(header.rate, str(path))
        if not header.samples:
            raise NothingUsableError(f"{path}: holds no samples")
        yield Reader(file, header, str(path))


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise AudioError(f"{path}: is a folder; name a sound file")
        if not path.stat().st_size:
            raise AudioError(f"{path}: is an empty file")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file") from None
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {reason(error)}") from error


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
    """Refuse samples [C, N] that are no numbers; ``first`` counts the samples before these.

    Raises:
        AudioError: naming the first such place.
    """
    bad = ~np.isfinite(samples)
    if bad.any():
        place = int(bad.any(0).argmax())
        channel = int(bad[:, place].argmax()) + 1
        seconds = (first + place) / rate
        raise AudioError(f"{source}: channel {channel} holds NaN or infinity at {seconds:.3f} s; repair or cut the file there")


def clipped_share(samples: Samples) -> float:
    """Return the share of samples [C, N] at full scale for at least three in a row: what an overdriven converter leaves."""
    full = np.abs(samples) >= FULL_SCALE
    if full.shape[-1] < 3 or not full.any():
        return 0.0
    runs = full[:, 2:] & full[:, 1:-1] & full[:, :-2]
    return float(runs.sum() / samples.size)


class Writer:
    """A sound file that is being written in blocks; see :func:`create_audio`."""

    def __init__(self, file: Any, path: Path) -> None:
        self._file, self._path = file, path

    def write(self, samples: Samples) -> None:
        """Append samples [C, N]; what lies beyond full scale is clipped in formats that cannot hold it.

        Raises:
            MusaeError: if the file system refuses (disk full).
        """
        import soundfile

        try:
            self._file.write(np.ascontiguousarray(samples.T))
        except (soundfile.LibsndfileError, OSError, AssertionError) as error:  # a short write is an AssertionError there
            raise _refused(self._path, error) from error


@contextmanager
def create_audio(path: str | os.PathLike[str], like: Header, overwrite: bool = False) -> Iterator[Writer]:
    """Write a sound file with the rate, channels and, where the format of its name allows, the encoding of ``like``.

    It appears under its name when the block succeeds. ``like.samples`` may be an estimate: it decides whether a WAV file
    needs 64-bit lengths.

    Raises:
        UsageError: if the file exists and ``overwrite`` is false, or its name ends in no known format.
        MusaeError: if the file system refuses.
    """
    import soundfile

    path = Path(path)
    container, subtype = encoding(path, like)
    with atomic_output(path, overwrite) as temporary:
        try:
            file = soundfile.SoundFile(temporary, "w", like.rate, like.channels, subtype, format=container)
        except (soundfile.LibsndfileError, ValueError) as error:
            what = f"{like.channels} channels at {like.rate} Hz as {container} {subtype}"
            raise MusaeError(f"{path}: cannot hold {what} ({_told(error)}); try a name that ends in .wav") from error
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
    why = reason(error) if isinstance(error, OSError) else _told(error) or "the disk may be full"
    return MusaeError(f"{path}: cannot be written: {why}; free some space or choose another output with -o")


def encoding(path: Path, like: Header) -> tuple[str, str]:
    """Return libsndfile's names of the container and encoding for a file of that name made from ``like``.

    Raises:
        UsageError: if the name ends in no known format.
    """
    import soundfile

    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(f"{path}: names no format that can be written; end the name in {', '.join(FORMATS)}")
    container = FORMATS[suffix]
    if container == "WAV" and like.format in ("WAVEX", "RF64", "WAV"):
        container = like.format
    if container in ("WAV", "WAVEX") and like.samples * like.channels * 4 > _WAV_BYTES:
        container = "RF64"
    known = soundfile.available_subtypes(container)
    subtype = like.subtype if like.subtype in known else DEFAULT_SUBTYPES.get(container, "PCM_16")
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


# --- spectra -------------------------------------------------------------------------------------------------------------


class Grid(NamedTuple):
    """Where the frames of a spectrogram lie: every ``hop`` samples, each ``window`` samples long."""

    hop: int
    window: int

    @property
    def bins(self) -> int:
        """Number of frequencies from 0 to half the rate, both included."""
        return self.window // 2 + 1

    def frames(self, samples: int) -> int:
        """Return how many frames cover ``samples`` samples; frame t is centred on sample ``t * hop``."""
        return -(-samples // self.hop) + 1


def grid_of(rate: int, hop_seconds: float = HOP_SECONDS) -> Grid:
    """Return frames four times as long as the step from one to the next.

    By default 139 ms every 35 ms: bins 7.18 Hz wide (within 0.3 %) at every rate from 8 kHz on.
    """
    hop = max(round(rate * hop_seconds), 1)
    return Grid(hop, OVERLAP * hop)


def stft(samples: Tensor, grid: Grid) -> Tensor:
    """Return the spectrogram of ``samples`` [..., N] under a Hann window, complex [..., F, T]; silence lies outside."""
    import torch

    half, count = grid.window // 2, samples.shape[-1]
    frames = grid.frames(count)
    padded = torch.nn.functional.pad(samples, (half, (frames - 1) * grid.hop + half - count))
    return _transform(padded, grid)


def _transform(samples: Tensor, grid: Grid) -> Tensor:
    """Return the spectra of all frames that lie inside ``samples`` [..., N], [..., F, T]."""
    import torch

    window = torch.hann_window(grid.window, device=samples.device)
    flat = samples.reshape(-1, samples.shape[-1])
    spectrum = torch.stft(flat, grid.window, grid.hop, window=window, center=False, return_complex=True)
    return spectrum.reshape(*samples.shape[:-1], *spectrum.shape[1:])


def istft(spectrum: Tensor, grid: Grid, samples: int) -> Tensor:
    """Return the ``samples`` samples [..., N] whose spectrogram is nearest to ``spectrum`` [..., F, T] (Griffin & Lim 1984)."""
    summed, weight = _overlap_add(spectrum, grid)
    half = grid.window // 2
    return (summed / weight.clamp_min(1e-8))[..., half : half + samples]


def _overlap_add(spectrum: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Return the sum of the windowed frames, [..., (T - 1) * hop + window], and of the squared windows, [the same]."""
    import torch

    window = torch.hann_window(grid.window, device=spectrum.device)
    frames = torch.fft.irfft(spectrum.transpose(-1, -2), grid.window) * window
    count = frames.shape[-2]
    length = (count - 1 + OVERLAP) * grid.hop
    summed = frames.new_zeros(*frames.shape[:-2], length)
    weight = frames.new_zeros(length)
    for part in range(OVERLAP):
        span = slice(part * grid.hop, (part + 1) * grid.hop)
        inner = slice(part * grid.hop, (part + count) * grid.hop)
        summed[..., inner] += frames[..., span].flatten(-2)
        weight[inner] += window[span].square().repeat(count)
    return summed, weight


Change = Callable[["Tensor", slice], "Tensor"]


@dataclass(frozen=True)
class Chunks:
    """How a long sound is cut for its spectrum to be changed.

    Attributes:
        frames: in a chunk; a multiple of ``align``.
        before: frames of the past that the change looks at; a multiple of ``align``.
        after: frames of the future that it looks at.
        align: chunks and what they see begin at multiples of this.
    """

    frames: int
    before: int = 0
    after: int = 0
    align: int = 1

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames % self.align or self.before % self.align:
            raise ValueError(f"{self.frames} frames a chunk and {self.before} before are no multiples of {self.align}")


def change_spectrum(blocks: Iterable[Samples], grid: Grid, chunks: Chunks, change: Change) -> Iterator[Samples]:
    """Pass sound through its spectrogram in constant memory.

    The result does not depend on how the sound is cut, as long as a frame of the result depends on no more than
    ``chunks.before`` and ``chunks.after`` frames around it. As many samples come out as go in, none late.

    Args:
        blocks: [C, any number of samples] one after another.
        grid: of the frames.
        chunks: how to cut.
        change: from the complex spectrum of a chunk with what surrounds it, [C, F, T], and the place of the chunk in it, to
            the chunk's new spectrum, [C, F, length of that place].

    Yields:
        [C, n] samples, as many in all as there were.
    """
    source = _Window(iter(blocks))
    adder = _Adder(grid)
    first = 0
    while True:
        start, stop = max(first - chunks.before, 0), first + chunks.frames + chunks.after
        source.fill((stop - 1) * grid.hop + grid.window // 2)
        if source.total is not None:
            stop = min(stop, grid.frames(source.total))
        last = min(first + chunks.frames, stop)
        if not source.channels:
            return
        spectrum = source.spectrum(start, stop, grid)
        ended = source.total is not None and last == grid.frames(source.total)
        ready = adder.add(change(spectrum, slice(first - start, last - start)), source.total if ended else None)
        if ready.shape[-1]:
            yield ready.numpy()
        if ended:
            return
        first = last
        source.drop((first - chunks.before) * grid.hop - grid.window // 2)


class _Window:
    """The part of a stream of samples that is still needed."""

    def __init__(self, blocks: Iterator[Samples]) -> None:
        self._blocks = blocks
        self._parts: list[Samples] = []
        self.first, self.end = 0, 0  # the samples that are kept
        self.channels = 0
        self.total: int | None = None  # known at the end of the stream

    def fill(self, end: int) -> None:
        """Read until sample ``end`` (excluded) is there, or the stream ends."""
        while self.end < end and self.total is None:
            block = next(self._blocks, None)
            if block is None:
                self.total = self.end
            elif block.shape[1]:
                self._parts.append(block)
                self.channels = block.shape[0]
                self.end += block.shape[1]

    def drop(self, first: int) -> None:
        """Forget the samples before ``first``."""
        while self._parts and self.first + self._parts[0].shape[1] <= first:
            self.first += self._parts.pop(0).shape[1]

    def spectrum(self, start: int, stop: int, grid: Grid) -> Tensor:
        """Return frames ``start`` to ``stop`` (excluded), [C, F, T]; silence lies outside the stream."""
        import torch

        low, high = start * grid.hop - grid.window // 2, (stop - 1) * grid.hop + grid.window // 2
        samples = torch.zeros(self.channels, high - low)
        at = self.first
        for part in self._parts:
            begin, end = max(at, low), min(at + part.shape[1], high)
            if begin < end:
                samples[:, begin - low : end - low] = torch.from_numpy(part[:, begin - at : end - at])
            at += part.shape[1]
        return _transform(samples, grid)


class _Adder:
    """Overlap-add of spectra that come chunk by chunk."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._tail: tuple[Tensor, Tensor] | None = None
        self._done = -(grid.window // 2)  # frame 0 begins half a window before the first sample

    def add(self, spectrum: Tensor, total: int | None) -> Tensor:
        """Add the next frames [C, F, T] and return the samples that no later frame reaches; all, where ``total`` is known."""
        summed, weight = _overlap_add(spectrum, self._grid)
        if self._tail is not None:
            size = self._tail[1].shape[0]
            summed[..., :size] += self._tail[0]
            weight[:size] += self._tail[1]
        ready = spectrum.shape[-1] * self._grid.hop if total is None else total - self._done
        self._tail = summed[..., ready:].clone(), weight[ready:].clone()
        samples = summed[..., :ready] / weight[:ready].clamp_min(1e-8)
        first = max(-self._done, 0)
        self._done += ready
        return samples[..., first:]


# --- rates ---------------------------------------------------------------------------------------------------------------


def resample(samples: Samples, rate: int, new_rate: int) -> Samples:
    """Return samples [C, N] at another rate, [C, ceil(N * new_rate / rate)], by a windowed sinc (torchaudio's, or its like).

    Raises:
        UsageError: for an impossible rate.
    """
    import torch

    from musicvae_lite.media.torchaudio import load_torchaudio

    check_rate(rate, "resample")
    check_rate(new_rate, "resample")
    if rate == new_rate:
        return samples
    functional = load_torchaudio().functional
    result: Samples = functional.resample(
        torch.from_numpy(samples), rate, new_rate, lowpass_filter_width=32, rolloff=0.96
    ).numpy()
    return result
