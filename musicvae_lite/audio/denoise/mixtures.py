"""Noisy mixtures made on the fly: clean sound plus recorded or synthesised noise, a pure function
of (seed, epoch, index).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.audio.denoise.noises import (
    SYNTHESISED,
    Random,
    Wave,
    frequencies_of,
    shaped,
    synthesise,
    unit,
)

_VOICE_DB = (-4.0, 10.0)  # level of a voice in relation to the music under it
_IN_A_ROOM = 0.4  # of all babble: voices of a café or a hall, not of a studio


@dataclass(frozen=True)
class Recipe:
    """How mixtures are drawn.

    Attributes:
        seconds: length of a clip.
        rate: samples per second of everything.
        snr_db: from and to, uniform.
        clean: share of clips with (almost) no noise.
        level_db: from and to, root mean square of the clean part in dB below full scale.
        synthesised: share of noises made by program, of the rest that are recorded.
        babble: share of noises that are several voices at once.
        voice_over: share of clean clips over which a voice sounds, so that a voice in front is not
            taken for babble.
        second: share of noises that two noises make up.
        kinds: weights of the kinds of :data:`SYNTHESISED`; 1 where not named.
    """

    seconds: float = 4.0
    rate: int = 44100
    snr_db: tuple[float, float] = (-5.0, 25.0)
    clean: float = 0.05
    level_db: tuple[float, float] = (-45.0, -10.0)
    synthesised: float = 0.6
    babble: float = 0.06
    voice_over: float = 0.0
    second: float = 0.25
    kinds: Mapping[str, float] = field(default_factory=dict)


class Mixture(NamedTuple):
    """One clip: its clean part and its noise, both [N], and what the noise is made of."""

    clean: Wave
    noise: Wave
    kind: str


class Segments:
    """Recordings at one rate, int16 or float32 [N] each (memory-mapped files are fine), in groups
    with weights.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[NDArray[Any]]],
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.groups = {name: list(waves) for name, waves in groups.items() if len(waves)}
        self.names = sorted(self.groups)
        sizes = np.array([(weights or {}).get(name, 1.0) for name in self.names])
        self.shares = sizes / sizes.sum() if len(sizes) else sizes

    def __len__(self) -> int:
        return sum(len(waves) for waves in self.groups.values())

    def draw(self, random: Random, samples: int, speed: float = 1.0, loop: bool = False) -> Wave:
        """Return a random stretch that is not silent, [samples].

        Short recordings lie in silence, or go round with ``loop``.
        """
        wave = np.zeros(samples, np.float32)
        for _ in range(8):
            waves = self.groups[self.names[int(random.choice(len(self.names), p=self.shares))]]
            wave = self._cut(waves[int(random.integers(len(waves)))], random, samples, speed, loop)
            if np.abs(wave).max() > 1e-3:
                break
        return wave

    @staticmethod
    def _cut(source: NDArray[Any], random: Random, samples: int, speed: float, loop: bool) -> Wave:
        need = int(samples * speed) + 1
        first = int(random.integers(0, max(len(source) - need, 0) + 1))
        part = np.asarray(source[first : first + need], np.float32)
        if source.dtype == np.int16:
            part = part / np.float32(32768)
        if len(part) < need and loop:
            part = np.resize(np.roll(part, int(random.integers(len(part)))), need)
        elif len(part) < need:
            part = np.pad(part, (0, need - len(part)))
            part = np.roll(part, int(random.integers(0, max(need - len(source), 1))))
        if speed == 1.0:
            return np.asarray(part[:samples], np.float32)
        faster: Wave = np.interp(np.arange(samples) * speed, np.arange(need), part).astype(
            np.float32
        )
        return faster


class Noisy:
    """Mixtures of clean segments with noises.

    Args:
        clean: music, speech, anything that is to stay.
        noise: recorded noises; may be empty.
        speech: voices for babble and to lie over clean clips; may be empty.
        recipe: how they are drawn.
        seed: of the run.
    """

    def __init__(
        self, clean: Segments, noise: Segments, speech: Segments, recipe: Recipe, seed: int
    ) -> None:
        self.clean, self.noise, self.speech, self.recipe, self.seed = (
            clean,
            noise,
            speech,
            recipe,
            seed,
        )
        self.samples = round(recipe.seconds * recipe.rate)
        weights = np.array([recipe.kinds.get(kind, 1.0) for kind in SYNTHESISED])
        self.kinds, self.shares = list(SYNTHESISED), weights / weights.sum()

    def mixture(self, epoch: int, index: int) -> Mixture:
        """Return clip ``index`` of an epoch; the same arguments give the same samples."""
        random = np.random.default_rng((self.seed, epoch, index))
        recipe = self.recipe
        clean = _equalised(self._clean(random), recipe.rate, random, 4.0)
        noise, kind = self._noise(random)
        if random.random() < recipe.second:
            other, name = self._noise(random)
            noise = noise + other * np.float32(10 ** (random.uniform(-15, 0) / 20))
            kind = f"{kind}+{name}"
        if random.random() < 0.3:
            clean, noise = _muffled(clean, noise, recipe.rate, random)
        none = random.random() < recipe.clean
        snr = random.uniform(40, 70) if none else random.uniform(*recipe.snr_db)
        level = 10 ** (random.uniform(*recipe.level_db) / 20)
        clean, noise = (
            unit(clean) * np.float32(level),
            unit(noise) * np.float32(level * 10 ** (-snr / 20)),
        )
        return Mixture(clean, noise, "none" if none else kind)

    def _clean(self, random: Random) -> Wave:
        """Return a clean clip of any level, with a voice over it now and then."""
        wave = self.clean.draw(random, self.samples)
        if self.recipe.voice_over and len(self.speech) and random.random() < self.recipe.voice_over:
            voice = unit(self.speech.draw(random, self.samples, loop=True))
            wave = unit(wave) + voice * np.float32(10 ** (random.uniform(*_VOICE_DB) / 20))
        return wave

    def _noise(self, random: Random) -> tuple[Wave, str]:
        """Return noise of unit level and what it is."""
        recipe, draw = self.recipe, random.random()
        if draw < recipe.babble and len(self.speech):
            parts = [
                unit(self.speech.draw(random, self.samples, loop=True))
                for _ in range(int(random.integers(3, 9)))
            ]
            sizes = random.uniform(0.4, 1, len(parts)).astype(np.float32)
            wave, kind = (
                np.sum([size * part for size, part in zip(sizes, parts, strict=True)], axis=0),
                "babble",
            )
            if random.random() < _IN_A_ROOM:
                wave = _reverberant(wave, recipe.rate, random)
        elif draw > recipe.babble + recipe.synthesised and len(self.noise):
            speed = 1.0 if random.random() < 0.5 else 10 ** random.uniform(-0.15, 0.15)
            wave, kind = self.noise.draw(random, self.samples, speed, loop=True), "recorded"
        else:
            kind = self.kinds[int(random.choice(len(self.kinds), p=self.shares))]
            wave = synthesise(kind, self.samples, recipe.rate, random)
        return unit(_equalised(np.asarray(wave, np.float32), recipe.rate, random, 3.0)), kind


def _equalised(wave: Wave, rate: int, random: Random, depth_db: float) -> Wave:
    """Colour a wave by a smooth random curve, as rooms and microphones do.

    Every other one is left alone.
    """
    if random.random() < 0.5:
        return wave
    points = np.log(np.array([20, 80, 320, 1280, 5120, 20480], np.float32))
    frequencies = frequencies_of(len(wave), rate)
    curve = np.interp(np.log(frequencies), points, random.normal(0, depth_db, len(points)))
    return shaped(wave, 10 ** (curve / 20))


def _reverberant(wave: Wave, rate: int, random: Random) -> Wave:
    """Let a wave sound in a room: its response is a noise that falls by 60 dB in 0.3 to 1.2 s,
    after the direct sound.
    """
    seconds = random.uniform(0.3, 1.2)
    time = np.arange(min(round(seconds * rate), len(wave)), dtype=np.float32) / rate
    decay = np.exp(-time * np.float32(np.log(1000) / seconds))
    response = unit(random.standard_normal(len(time), np.float32) * decay)
    response[0] += np.float32(np.sqrt(len(time)) * random.uniform(0.2, 3))
    size = len(wave) + len(time) - 1
    whole = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(response, size), size)
    return np.asarray(whole[: len(wave)], np.float32)


def _muffled(clean: Wave, noise: Wave, rate: int, random: Random) -> tuple[Wave, Wave]:
    """Cut the treble of both, as 8, 11, 16, 22 and 32 kHz recordings lack it, or of the clean part
    alone.
    """
    top = random.choice((4000.0, 5500.0, 8000.0, 8000.0, 11025.0, 16000.0)) * random.uniform(0.9, 1)
    gain = 1 / (1 + np.minimum(frequencies_of(len(clean), rate) / np.float32(top), 2) ** 80)
    return shaped(clean, gain), (shaped(noise, gain) if random.random() < 0.8 else noise)
