"""Using a trained model of sound: files or samples in, cleaned files or samples out.

Letters in shapes: C channels, N samples, W clips, K bands, Z latent size, L frames of the latent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from musicvae_lite.audio.codec import SoundCodec
from musicvae_lite.audio.denoise.clicks import ClickCount
from musicvae_lite.audio.denoise.denoiser import Cleaner, Wish
from musicvae_lite.audio.denoise.diagnosis import Diagnosis, diagnose
from musicvae_lite.audio.denoise.model import SpectrogramAutoencoder
from musicvae_lite.audio.denoise.preview import beside, excerpt
from musicvae_lite.audio.denoise.profile import NoiseProfile, quietest
from musicvae_lite.audio.denoise.short import least_samples
from musicvae_lite.audio.denoise.stages import check_stages
from musicvae_lite.audio.denoise.verdict import Verdict
from musicvae_lite.audio.denoise.view import View, noise_mean_square
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.batched import Floats
from musicvae_lite.core.devices import keep_freed_memory
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.latent import Latent
from musicvae_lite.core.validation import seed_of
from musicvae_lite.media.audio import (
    Audio,
    Header,
    Reader,
    Samples,
    check_finite,
    create_audio,
    open_audio,
    read_audio,
    resample,
)
from musicvae_lite.media.levels import (
    ClipCounter,
    LevelMeter,
    Stretch,
    clock,
    dbfs,
    level_change_db,
    parse_stretch,
)
from musicvae_lite.media.spectrum import grid_of

if TYPE_CHECKING:
    from musicvae_lite.model_dir.bundle import Bundle

Sound = str | os.PathLike[str] | Audio
Profile = str | Stretch | Audio | NoiseProfile | None


_NO_SOUND = (
    "{model} is a denoiser of sound: its codes make a mask, and a mask makes no sound by itself; "
    "'musae train timbre' makes a model that does"
)


@dataclass(frozen=True)
class Cleaned:
    """What happened to a sound.

    Attributes:
        source: its name.
        seconds: its length.
        rate: samples per second.
        channels: C.
        noise_dbfs: level of what the model took for noise, in dB below full scale, before strength
            and limits.
        level_change_db: how much louder the result is (negative: quieter).
        real_time_factor: seconds of sound for each second of computing.
        warning: what the user should know of the input, or "".
        clicks: how many clicks were replaced.
    """

    source: str
    seconds: float
    rate: int
    channels: int
    noise_dbfs: float
    level_change_db: float
    real_time_factor: float
    warning: str = ""
    clicks: int = 0


class _Tally:
    """Measures a sound while it is cleaned."""

    def __init__(self, reader: Reader, watch: Callable[[View], None] | None) -> None:
        self.header, self.source, self._watch = reader.header, reader.source, watch
        self._damage = reader.warning
        self.verdict, self.clicks = Verdict(), ClickCount()
        self.before, self.after, self.clipped = (
            LevelMeter(),
            LevelMeter(),
            ClipCounter(reader.header.channels),
        )
        self.samples, self._noise, self._frames = 0, 0.0, 0
        self._grid = grid_of(reader.header.rate)
        self._begun = time.perf_counter()

    def take(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        for block in blocks:
            self.samples += block.shape[1]
            self.before.add(block)
            self.clipped.add(block)
            yield block

    def view(self, view: View) -> None:
        self._noise += noise_mean_square(view, self._grid)
        self._frames += len(view.noise)
        self.verdict.add(view.account)
        if self._watch is not None:
            self._watch(view)

    @property
    def noise_dbfs(self) -> float:
        """Level of what was taken for noise."""
        return dbfs(self._noise / max(self._frames, 1))

    def result(self) -> Cleaned:
        seconds, channels = self.samples / self.header.rate, self.header.channels
        spent = max(time.perf_counter() - self._begun, 1e-9)
        change = level_change_db(self.before, self.after)
        words = (self._damage, self.clipped.warning(self.source), self._short(seconds))
        warning = "; ".join(filter(None, words))
        return Cleaned(
            self.source,
            seconds,
            self.header.rate,
            channels,
            self.noise_dbfs,
            change,
            seconds / spent,
            warning,
            self.clicks.clicks,
        )

    def _short(self, seconds: float) -> str:
        """Say that a sound is too short, where it is."""
        if not 0 < self.samples < least_samples(self._grid):
            return ""
        return (
            f"{self.source}: lasts {seconds:.3g} s, too short to tell noise from sound; it is left "
            "as it is"
        )


class _Outputs(NamedTuple):
    """Files of one cleaning."""

    source: str | os.PathLike[str]
    output: str | os.PathLike[str]
    residual: str | os.PathLike[str] | None
    overwrite: bool


class _Doubtful(Exception):
    """A sound was likely taken for noise.

    Args:
        words: what to say of it.
        noise_dbfs: level of what was taken for noise.
    """

    def __init__(self, words: str, noise_dbfs: float) -> None:
        super().__init__(words)
        self.noise_dbfs = noise_dbfs


def _told(
    tally: _Tally, doubt: _Doubtful | None, loudest: float, output: str | os.PathLike[str]
) -> Cleaned:
    """Return what happened to a file whose result goes up to ``loudest``."""
    result = tally.result()
    words = [result.warning]
    if doubt is not None:
        words.append(str(doubt))
        result = replace(result, noise_dbfs=doubt.noise_dbfs)
    elif loudest > 1.001:  # what rounding and a mask add to sound at full scale is not heard
        words.append(
            f"{output}: goes up to {loudest:.2f} times full scale and is clipped there; "
            "a .wav of floats would hold it"
        )
    return replace(result, warning="; ".join(filter(None, words)))


class DenoiseSession:
    """A model of sound on one device.

    Args:
        bundle: the model; it stays on the device where it is.
        name: what messages call it.
        seed: not used; nothing is drawn.
    """

    unit = "sound"

    def __init__(self, bundle: Bundle, name: str, seed: int = 0) -> None:
        if not isinstance(bundle.codec, SoundCodec) or not isinstance(
            bundle.model, SpectrogramAutoencoder
        ):
            raise UsageError(f"{name} is no model of sound")
        self.bundle, self.name, self.seed = bundle, name, seed_of(seed)
        self.codec, self.model = bundle.codec, bundle.model
        self.prior = bundle.prior
        self.cleaner = Cleaner(self.model.network)
        self.device = self.cleaner.device
        if self.device.type == "cpu":
            keep_freed_memory()

    def __repr__(self) -> str:
        return f"<DenoiseSession {self.name}: latent size {self.latent_size}, {self.device}>"

    @property
    def latent_size(self) -> int:
        """Z, numbers for each step of the code."""
        return self.model.latent_size

    # Sounds in, sounds out

    def denoise(
        self,
        sound: Sound,
        strength: float = 1.0,
        max_reduction_db: float | None = None,
        profile: Profile = None,
        insist: bool = False,
        only: Collection[str] | None = None,
    ) -> Audio:
        """Return a sound without its noise, with the same rate, channels and length.

        A place that is hardly noisy passes almost unchanged; so does a sound that would be taken
        for noise as a whole.

        Args:
            sound: a file, or samples with their rate; any rate and number of channels.
            strength: 0 leaves it as it is, 1 takes away all that is found to be noise.
            max_reduction_db: nothing becomes quieter by more than that.
            profile: where in the sound there is noise alone (``"0:01-0:02"``), or a sound of the
                same rate that is noise alone, or what :meth:`learn_noise` learned, or ``"auto"``
                for its quietest stretches.
            insist: clean also what would be taken for noise as a whole; so with a profile.
            only: what is mended, some of ``crackle``, ``hum`` and ``noise``; by default all.

        Raises:
            AudioError: if a file cannot be read or holds samples that are no numbers.
            NothingUsableError: if it holds no samples.
            UsageError: if an option does not fit.
        """
        wish = Wish(strength, max_reduction_db, only=check_stages(only))
        audio = sound if isinstance(sound, Audio) else read_audio(sound)
        check_finite(audio.samples, audio.rate, audio.source)
        if profile is not None:
            wish = replace(
                wish, profile=self._profile([audio.samples], audio.header, audio.source, profile)
            )
        verdict = Verdict()
        parts = list(
            self.cleaner.stream(
                [audio.samples], audio.rate, wish, lambda view: verdict.add(view.account)
            )
        )
        if not parts or (verdict.doubtful and not insist and profile is None):
            return audio
        return replace(audio, samples=np.concatenate(parts, 1))

    def denoise_file(
        self,
        source: str | os.PathLike[str],
        output: str | os.PathLike[str],
        strength: float = 1.0,
        max_reduction_db: float | None = None,
        profile: Profile = None,
        residual: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        watch: Callable[[View], None] | None = None,
        progress: Callable[[float], None] | None = None,
        insist: bool = False,
        only: Collection[str] | None = None,
    ) -> Cleaned:
        """Clean a file of any length in constant memory.

        Rate, channels and, where the format allows, encoding are kept.

        Args:
            source: the file.
            output: where the result goes; it appears when it is whole.
            strength: see :meth:`denoise`.
            max_reduction_db: see :meth:`denoise`.
            profile: see :meth:`denoise`.
            residual: file for what was taken away.
            overwrite: replace existing files.
            watch: called with every stretch of the spectrum.
            progress: called with the seconds that are done.
            insist: see :meth:`denoise`.
            only: see :meth:`denoise`.

        Raises:
            AudioError, NothingUsableError, UsageError: see :meth:`denoise`; also if an output
                exists.
            MusaeError: if the file system refuses.
        """
        wish = Wish(strength, max_reduction_db, only=check_stages(only))
        if profile is not None:
            with open_audio(source) as reader:
                told = self._profile(reader.blocks(), reader.header, reader.source, profile)
            wish = replace(wish, profile=told)
        insist = insist or profile is not None
        outputs = _Outputs(source, output, residual, overwrite)
        try:
            return self._written(outputs, wish, watch, progress, insist)
        except _Doubtful as doubt:
            return self._written(outputs, replace(wish, strength=0.0), None, progress, True, doubt)

    def _written(
        self,
        files: _Outputs,
        wish: Wish,
        watch: Callable[[View], None] | None,
        progress: Callable[[float], None] | None,
        insist: bool,
        doubt: _Doubtful | None = None,
    ) -> Cleaned:
        """Write what becomes of a file; with ``doubt`` it is copied.

        Raises:
            _Doubtful: nothing was written, the cleaning cannot be believed.
        """
        with ExitStack() as stack:
            reader = stack.enter_context(open_audio(files.source))
            writer = stack.enter_context(create_audio(files.output, reader.header, files.overwrite))
            rest = (
                None
                if files.residual is None
                else stack.enter_context(
                    create_audio(files.residual, reader.header, files.overwrite)
                )
            )
            tally, waiting, done = _Tally(reader, watch), _Waiting(), 0
            blocks = tally.take(reader.blocks())
            blocks = blocks if rest is None else waiting.copy(blocks)
            cleaned = (
                blocks
                if doubt
                else self.cleaner.stream(blocks, reader.header.rate, wish, tally.view, tally.clicks)
            )
            for block in cleaned:
                tally.after.add(block)
                writer.write(block)
                if rest is not None:
                    rest.write(waiting.take(block.shape[1]) - block)
                done += block.shape[1]
                if progress is not None:
                    progress(done / reader.header.rate)
            if tally.verdict.doubtful and not insist:
                raise _Doubtful(tally.verdict.words(reader.source), tally.noise_dbfs)
            loudest = tally.after.peak if writer.clips else 0.0
        return _told(tally, doubt, loudest, files.output)

    def _profile(
        self,
        blocks: Any,
        header: Header,
        source: str,
        profile: str | Stretch | Audio | NoiseProfile,
    ) -> Tensor:
        """Measure the noise that a profile marks."""
        if isinstance(profile, NoiseProfile):
            return profile.at(header.rate)
        if profile == "auto":
            return quietest(blocks, header.rate, source, self.cleaner.profile).power
        if isinstance(profile, Audio):
            if profile.rate != header.rate:
                raise UsageError(
                    f"{source}: the profile has {profile.rate} samples per second, the sound "
                    f"{header.rate}"
                )
            return self.cleaner.profile(profile.samples, header.rate)
        stretch = parse_stretch(profile) if isinstance(profile, str) else profile
        place = stretch.samples(header.rate)
        parts: list[Samples] = []
        first = 0
        for block in blocks:
            begin, end = max(place.start - first, 0), min(place.stop - first, block.shape[1])
            if begin < end:
                parts.append(block[:, begin:end])
            first += block.shape[1]
            if first >= place.stop:
                break
        else:
            asked = f"{clock(stretch.start)}-{clock(stretch.end)}"
            raise UsageError(
                f"{source}: lasts {clock(first / header.rate)}, so that it has no stretch {asked}"
            )
        return self.cleaner.profile(np.concatenate(parts, 1), header.rate)

    def learn_noise(
        self, source: str | os.PathLike[str], profile: str | Stretch = "auto"
    ) -> NoiseProfile:
        """Measure noise in a file, to be known again in others.

        Args:
            source: the file.
            profile: the stretch that is noise alone; by default its quietest stretches are taken.

        Raises:
            AudioError, NothingUsableError, UsageError: see :meth:`denoise`.
        """
        with open_audio(source) as reader:
            power = self._profile(reader.blocks(), reader.header, reader.source, profile)
            return NoiseProfile(power.cpu(), reader.header.rate, reader.source)

    def preview(
        self,
        source: str | os.PathLike[str],
        start: float,
        wish: Wish,
        profile: Profile = None,
        watch: Callable[[View], None] | None = None,
    ) -> Audio:
        """Return ten seconds of a file, a beep, and the same cleaned.

        Args:
            source: the file.
            start: where they begin, in seconds.
            wish: how much is to be cleaned.
            profile: see :meth:`denoise`.
            watch: called with every stretch of the spectrum.

        Raises:
            AudioError, NothingUsableError, UsageError: see :meth:`denoise`; also if the file ends
                before.
        """
        if profile is not None:
            with open_audio(source) as reader:
                told = self._profile(reader.blocks(), reader.header, reader.source, profile)
            wish = replace(wish, profile=told)
        with open_audio(source) as reader:
            header = reader.header
            samples = excerpt(reader.blocks(), header.rate, start, reader.source)
        before = Audio(samples, header.rate, header.format, header.subtype, str(source))
        parts = list(self.cleaner.stream([samples], header.rate, wish, watch))
        return beside(before, replace(before, samples=np.concatenate(parts, 1)))

    def diagnose(
        self, source: str | os.PathLike[str], watch: Callable[[View], None] | None = None
    ) -> Diagnosis:
        """Say what is wrong with a file; of a long one eight parts of twelve seconds are heard.

        Args:
            source: the file.
            watch: called with every stretch of the spectrum that is heard, one after another.

        Raises:
            AudioError, NothingUsableError: see :meth:`denoise`.
        """
        with open_audio(source) as reader:
            return diagnose(reader, self.cleaner, watch)

    # Codes

    def encode(self, sound: Sound) -> Latent:
        """Return the code of each clip of a sound (mixed to mono, at the model's rate), mean [W, Z,
        L].

        Clips follow one another and are as long as those of the training; silence fills the last
        one.
        """
        clips = torch.from_numpy(self._clips(sound))
        means: list[Tensor] = []
        scales: list[Tensor] = []
        with torch.inference_mode():
            for clip in clips:
                x = clip[None].to(self.device)
                latent = self.model.encode(Batch(x, x)).latent
                means.append(latent.mean.cpu())
                if isinstance(latent, Latent) and latent.log_scale is not None:
                    scales.append(latent.log_scale.cpu())
        return Latent(torch.cat(means), torch.cat(scales) if scales else None)

    def reconstruct(self, sound: Sound) -> Audio:
        """Return what the model makes of a sound by itself: the whole of its mask, without care for
        clean places.
        """
        audio = sound if isinstance(sound, Audio) else read_audio(sound)
        check_finite(audio.samples, audio.rate, audio.source)
        parts = list(
            self.cleaner.stream(
                [audio.samples], audio.rate, Wish(careful=False, only=frozenset({"hum", "noise"}))
            )
        )
        return replace(audio, samples=np.concatenate(parts, 1) if parts else audio.samples)

    def decode(self, z: Any, /) -> Any:
        """Refuse: the codes of a denoiser make no sound.

        Raises:
            UsageError: always; it says what does.
        """
        raise UsageError(_NO_SOUND.format(model=self.name))

    def sample(self, count: int = 1) -> Any:
        """Refuse; see :meth:`decode`."""
        return self.decode(None)

    def interpolate(self, a: Any, b: Any, /, steps: int = 9) -> Any:
        """Refuse; see :meth:`decode`."""
        return self.decode(None)

    def _clips(self, sound: Sound) -> Floats:
        audio = sound if isinstance(sound, Audio) else read_audio(sound)
        check_finite(audio.samples, audio.rate, audio.source)
        mono = resample(audio.samples.mean(0, keepdims=True), audio.rate, self.codec.rate)[0]
        return self.codec.encode(mono)


class _Waiting:
    """Samples that went in and whose results have not come out."""

    def __init__(self) -> None:
        self._parts: list[Samples] = []

    def copy(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        for block in blocks:
            self._parts.append(block)
            yield block

    def take(self, count: int) -> Samples:
        taken: list[Samples] = []
        while count:
            part = self._parts.pop(0)
            if part.shape[1] > count:
                self._parts.insert(0, part[:, count:])
                part = part[:, :count]
            taken.append(part)
            count -= part.shape[1]
        return np.concatenate(taken, 1)
