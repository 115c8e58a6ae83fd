"""Drums made of sines and noise, for where no FluidSynth is: simple, but a kick is a kick and a
ride rings.

Letters in shapes: S samples.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.music.codecs.drums import GROUPS

Floats = NDArray[np.float64]

_SILENT_AFTER = 7.0  # decay times; e^-7 is 61 dB down
_ATTACK_SECONDS = 0.001  # no click
_FALL_SECONDS = 0.03  # the time in which a drum head falls to its pitch


class _Sound(NamedTuple):
    """A drum: a sine that falls from one pitch to another, and noise of a band, each with its share
    and its time of decay.
    """

    tone: float = 0.0
    from_hz: float = 0.0
    to_hz: float = 0.0
    tone_seconds: float = 0.1
    noise: float = 0.0
    low_hz: float = 0.0
    high_hz: float = 20_000.0
    noise_seconds: float = 0.1


_SOUNDS = {
    "kick": _Sound(1.4, 160, 48, 0.12, 0.1, 500, 4_000, 0.008),
    "snare": _Sound(0.4, 260, 185, 0.06, 0.8, 1_000, 9_000, 0.07),
    "closed hi-hat": _Sound(noise=0.5, low_hz=7_000, noise_seconds=0.02),
    "open hi-hat": _Sound(noise=0.5, low_hz=6_000, noise_seconds=0.13),
    "low tom": _Sound(1.1, 150, 90, 0.16, 0.1, 300, 3_000, 0.02),
    "mid tom": _Sound(1.1, 210, 130, 0.14, 0.1, 300, 3_000, 0.02),
    "high tom": _Sound(1.1, 290, 180, 0.12, 0.1, 300, 3_000, 0.02),
    "crash": _Sound(noise=0.7, low_hz=3_000, noise_seconds=0.35),
    "ride": _Sound(0.06, 3_100, 3_100, 0.25, 0.35, 5_000, 12_000, 0.2),
}
_OTHER = _Sound(
    0.3, 600, 500, 0.04, 0.3, 1_500, 6_000, 0.03
)  # a knock, for pitches that General MIDI gives no drum
_KINDS = {pitch: kind for kind, pitches in GROUPS.items() for pitch in pitches}


@cache
def drum_sound(pitch: int, rate_hz: int) -> Floats:
    """Return the sound [S] of a drum of General MIDI, the same every time; its peak is about 1."""
    sound = _SOUNDS.get(_KINDS.get(pitch, ""), _OTHER)
    length = round(
        _SILENT_AFTER
        * max(sound.tone_seconds if sound.tone else 0.0, sound.noise_seconds)
        * rate_hz
    )
    seconds = np.arange(length) / rate_hz
    samples = np.zeros(length)
    if sound.tone:
        # The phase is the integral of a frequency that falls exponentially.
        fall = (sound.from_hz - sound.to_hz) * _FALL_SECONDS * -np.expm1(-seconds / _FALL_SECONDS)
        samples += (
            sound.tone
            * np.sin(2 * np.pi * (sound.to_hz * seconds + fall))
            * np.exp(-seconds / sound.tone_seconds)
        )
    if sound.noise:
        samples += (
            sound.noise
            * _noise(pitch, length, sound, rate_hz)
            * np.exp(-seconds / sound.noise_seconds)
        )
    return np.minimum(seconds / _ATTACK_SECONDS, 1.0) * samples


def _noise(pitch: int, length: int, sound: _Sound, rate_hz: int) -> Floats:
    """Return noise [S] of the band of a sound with a peak of 1.

    A rim shot's is another than a snare's.
    """
    spectrum = np.fft.rfft(np.random.default_rng(pitch).standard_normal(length))
    hz = np.fft.rfftfreq(length, 1 / rate_hz)
    spectrum[(hz < sound.low_hz) | (hz > sound.high_hz)] = 0
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise / np.abs(noise).max())


def mix(hits: list[tuple[float, int, int]], rate_hz: int) -> Floats:
    """Return hits (second, pitch, velocity) as sound [S], as loud as their velocity says."""
    placed = [
        (round(second * rate_hz), drum_sound(pitch, rate_hz), velocity)
        for second, pitch, velocity in hits
    ]
    samples = np.zeros(max((start + len(sound) for start, sound, _ in placed), default=0))
    for start, sound, velocity in placed:
        samples[start : start + len(sound)] += velocity * sound
    return samples
