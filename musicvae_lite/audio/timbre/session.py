"""Using a trained model of timbre: sounds in, codes, morphs and new sounds out.

All mono, at the model's rate.

Letters in shapes: N samples, F frequency bins, R rows, T frames, W windows, Z latent size.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from musicvae_lite.audio.codec import SoundCodec
from musicvae_lite.audio.timbre.model import TimbreAutoencoder
from musicvae_lite.audio.timbre.phase import ROUNDS, griffin_lim
from musicvae_lite.core.batched import Blocks, Points
from musicvae_lite.core.devices import keep_freed_memory
from musicvae_lite.core.errors import NothingUsableError, UsageError
from musicvae_lite.core.latent import Latent, Path, interpolate
from musicvae_lite.core.random import Noise
from musicvae_lite.core.validation import seed_of, whole
from musicvae_lite.media.audio import Audio, check_finite, open_audio, read_audio, resample
from musicvae_lite.media.levels import clock
from musicvae_lite.media.spectrum import stft

if TYPE_CHECKING:
    from musicvae_lite.model_dir.bundle import Bundle

Sound = str | os.PathLike[str] | Audio

MOST_SECONDS = (
    600  # of a sound or result: phases are found for the whole of it at once, in 2 GB of memory
)
_SILENCE = 1e-6
_LOUDEST = 0.99
_MOST_DETAIL = 100.0  # 40 dB above what the code says
_TINY = 1e-12
_PRIOR, _PHASES = 1, 2  # what a draw is for, mixed into its seed


class _Ends(NamedTuple):
    """Two sounds of one length: their spectra [F, T], the means of their windows [W, Z], and their
    samples N.
    """

    spectra: list[Tensor]
    codes: list[Tensor]
    samples: int


class TimbreSession:
    """A model of timbre on one device.

    A sound becomes windows of the spectrogram as long as a clip of the training, each half a window
    after the last; what is decoded is faded from window to window.

    Args:
        bundle: the model; it stays on the device where it is.
        name: what messages call it.
        seed: of every draw.
    """

    unit = "timbre"

    def __init__(self, bundle: Bundle, name: str, seed: int = 0) -> None:
        if not isinstance(bundle.codec, SoundCodec) or not isinstance(
            bundle.model, TimbreAutoencoder
        ):
            raise UsageError(f"{name} is no model of timbre")
        self.bundle, self.name, self.seed = bundle, name, seed_of(seed)
        self.codec, self.model = bundle.codec, bundle.model.eval()
        self.prior = bundle.prior
        self.rate, self.grid = self.codec.rate, self.model.grid
        self.device = next(self.model.parameters()).device
        self._hop = max(self.model.frames // 2, 1)
        if self.device.type == "cpu":
            keep_freed_memory()

    def __repr__(self) -> str:
        return f"<TimbreSession {self.name}: latent size {self.latent_size}, {self.device}>"

    @property
    def latent_size(self) -> int:
        """Z, numbers of the code of a window."""
        return self.model.latent_size

    # Sounds in

    def encode(self, sound: Sound) -> Latent:
        """Return the posterior of each window of a sound, mean [W, Z].

        Silence fills a sound that is shorter.

        Raises:
            AudioError: if a file cannot be read or holds samples that are no numbers.
            NothingUsableError: if it is silent.
            UsageError: if it lasts longer than ten minutes.
        """
        return self._encode(self._spectrum(self._samples(sound)))

    def reconstruct(self, sound: Sound) -> Audio:
        """Return what the model makes of a sound, with the phases of the sound itself.

        Raises:
            AudioError, NothingUsableError, UsageError: see :meth:`encode`.
        """
        samples = self._samples(sound)
        spectrum = self._spectrum(samples)
        magnitudes = self._magnitudes(self._encode(spectrum).mean, spectrum.shape[1])
        return self._audio(
            griffin_lim(magnitudes, spectrum, self.grid, len(samples), 0), _named(sound)
        )

    def morph(self, a: Sound, b: Sound, path: Path = "slerp") -> Audio:
        """Return a sound that begins as ``a`` and ends as ``b``, as long as the longer one.

        The shorter goes round.

        The code moves along a path in latent space; what a code has no room for (single harmonics,
        the phases) is faded over.

        Raises:
            AudioError, NothingUsableError, UsageError: see :meth:`encode`.
        """
        ends = self._ends(a, b)
        windows = len(ends.codes[0])
        pairs = enumerate(zip(*ends.codes, strict=True))
        codes = torch.stack(
            [interpolate(x, y, max(windows, 2), path)[place] for place, (x, y) in pairs]
        )
        frames = ends.spectra[0].shape[1]
        return self._between(
            ends, codes, torch.linspace(0, 1, frames), f"{_named(a)} to {_named(b)}"
        )

    def interpolate(self, a: Sound, b: Sound, steps: int = 9, path: Path = "slerp") -> list[Audio]:
        """Return ``steps`` sounds from ``a`` to ``b``, each as long as the longer one.

        See :meth:`morph`, which makes one sound of the whole way.

        Raises:
            AudioError, NothingUsableError: see :meth:`encode`.
            UsageError: see there, too; all of them together are not longer than ten minutes.
        """
        ends = self._ends(a, b, steps)
        codes = torch.stack(
            [interpolate(x, y, steps, path) for x, y in zip(*ends.codes, strict=True)], 1
        )
        name = f"{_named(a)} to {_named(b)}"
        return [
            self._between(ends, z, share, name)
            for z, share in zip(codes, torch.linspace(0, 1, steps), strict=True)
        ]

    # Codes in

    def decode(self, z: Points, name: str = "codes") -> Audio:
        """Return the sound of windows [W, Z] one after another.

        Its phases are found by Griffin and Lim's method.

        Raises:
            UsageError: if the codes are of another size, or too many.
        """
        codes = torch.from_numpy(Blocks(self.model, self.name).latents(z))
        frames = self._hop * (len(codes) - 1) + self.model.frames
        samples = (frames - 1) * self.grid.hop
        _check_length(samples / self.rate, name)
        magnitudes = self._magnitudes(codes, frames)
        noise = Noise(self.seed, _PHASES)
        start = torch.complex(
            *(noise.normal(magnitudes.shape, magnitudes.device) for _ in range(2))
        )
        return self._audio(griffin_lim(magnitudes, start, self.grid, samples), name)

    def sample(self, count: int = 1) -> list[Audio]:
        """Return new sounds, a window each: codes drawn from the prior, decoded."""
        count = whole(count, 1, f"count is {count}; at least 1 sound can be drawn")
        z = self.prior.sample(count, Noise(self.seed, _PRIOR)).to(self.device)
        return [
            self.decode(z[number : number + 1], f"sample {number + 1}") for number in range(count)
        ]

    # Parts

    def _samples(self, sound: Sound) -> Tensor:
        """Return a sound as mono samples [N] at the model's rate."""
        if not isinstance(sound, Audio):
            with open_audio(sound) as reader:
                _check_length(reader.header.seconds, str(sound))
        audio = sound if isinstance(sound, Audio) else read_audio(sound)
        _check_length(audio.header.seconds, audio.source)
        check_finite(audio.samples, audio.rate, audio.source)
        mono = audio.samples.mean(0, keepdims=True)
        if np.abs(mono).max(initial=0.0) < _SILENCE:
            raise NothingUsableError(f"{audio.source}: is silent")
        return torch.from_numpy(np.ascontiguousarray(resample(mono, audio.rate, self.rate)[0]))

    def _spectrum(self, samples: Tensor) -> Tensor:
        return stft(samples.to(self.device), self.grid)

    @torch.inference_mode()
    def _encode(self, spectrum: Tensor) -> Latent:
        """Return the posterior of each window of a spectrum [F, T]."""
        levels = self.model.rows.levels(spectrum)
        size, count = self.model.frames, self._windows(spectrum.shape[1])
        padded = functional.pad(levels, (0, self._hop * (count - 1) + size - levels.shape[1]))
        latent = self.model.encode_levels(padded.unfold(1, size, self._hop).transpose(0, 1))
        return Latent(
            latent.mean.cpu(), None if latent.log_scale is None else latent.log_scale.cpu()
        )

    def _windows(self, frames: int) -> int:
        """Return how many windows cover so many frames."""
        return 1 + max(0, -(-(frames - self.model.frames) // self._hop))

    @torch.inference_mode()
    def _magnitudes(self, codes: Tensor, frames: int) -> Tensor:
        """Return magnitudes [F, frames] for the codes of windows [W, Z], faded from window to
        window.
        """
        size = self.model.frames
        pictures = self.model.decode(codes.to(self.device), size).mT
        place = torch.arange(size, device=self.device) + 0.5
        fade = torch.minimum(place, size - place)  # a triangle
        total = pictures.new_zeros(pictures.shape[1], self._hop * (len(codes) - 1) + size)
        weight = torch.zeros_like(total[0])
        for number, picture in enumerate(pictures):
            span = slice(number * self._hop, number * self._hop + size)
            total[:, span] += picture * fade
            weight[span] += fade
        return self.model.rows.magnitudes((total / weight)[:, :frames])

    def _ends(self, a: Sound, b: Sound, count: int = 1) -> _Ends:
        both = [self._samples(sound) for sound in (a, b)]
        length = max(map(len, both))
        _check_length(count * length / self.rate, f"{_named(a)} to {_named(b)}")
        spectra = [
            self._spectrum(torch.from_numpy(np.resize(samples.numpy(), length))) for samples in both
        ]
        return _Ends(spectra, [self._encode(spectrum).mean for spectrum in spectra], length)

    @torch.inference_mode()
    def _between(self, ends: _Ends, codes: Tensor, share: Tensor, name: str) -> Audio:
        """Decode the codes of windows [W, Z].

        ``share`` (of all, or of each frame) says how far the phases are those of b.
        """
        share = share.to(self.device)
        spectra = [
            spectrum / (spectrum.abs().square().mean().sqrt() + _TINY) for spectrum in ends.spectra
        ]
        start = (1 - share) * spectra[0] + share * spectra[1]
        details = [
            self._detail(spectrum, own)
            for spectrum, own in zip(ends.spectra, ends.codes, strict=True)
        ]
        magnitudes = self._magnitudes(codes, start.shape[1]) * (
            (1 - share) * details[0] + share * details[1]
        )
        return self._audio(griffin_lim(magnitudes, start, self.grid, ends.samples, ROUNDS), name)

    def _detail(self, spectrum: Tensor, codes: Tensor) -> Tensor:
        """Return how a spectrum [F, T] stands to what its own codes say: the single harmonics that
        they have no room for.
        """
        told = self._magnitudes(codes, spectrum.shape[1])
        return torch.where(told > 0, spectrum.abs() / told.clamp_min(_TINY), 0.0).clamp_max(
            _MOST_DETAIL
        )

    def _audio(self, samples: Tensor, name: str) -> Audio:
        """Return samples [N] as a sound that is nowhere louder than full scale."""
        wave = samples.cpu().numpy()[None]
        quieter = np.float32(1 / max(float(np.abs(wave).max(initial=0.0)) / _LOUDEST, 1.0))
        return Audio(wave * quieter, self.rate, source=name)


def _named(sound: Sound) -> str:
    return sound.source if isinstance(sound, Audio) else os.path.basename(os.fspath(sound))


def _check_length(seconds: float, source: str) -> None:
    if seconds > MOST_SECONDS:
        raise UsageError(
            f"{source}: lasts {clock(round(seconds))}; a model of timbre takes up to "
            f"{MOST_SECONDS // 60} minutes at once"
        )
