"""Noises made by program: each kind is drawn anew, so that what a model learns is a family and not
a recording.

Every function takes a random generator, a number of samples and a rate, and returns [samples] of
any level; :func:`synthesise` gives them one level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]
Random = np.random.Generator

_LOWEST_HZ, _TINY = 20.0, 1e-12


def frequencies_of(samples: int, rate: int) -> NDArray[np.float32]:
    """Return the frequencies in Hz of the spectrum of so many samples, none below 20 Hz, [samples
    // 2 + 1].
    """
    frequencies: NDArray[np.float32] = np.fft.rfftfreq(samples, 1 / rate).astype(np.float32)
    return np.maximum(frequencies, _LOWEST_HZ)


def shaped(wave: Wave, gain: NDArray[Any]) -> Wave:
    """Filter a wave [N] by a gain for each of its frequencies [N // 2 + 1]."""
    return np.fft.irfft(np.fft.rfft(wave) * gain, len(wave)).astype(np.float32)


def _white(random: Random, samples: int) -> Wave:
    return random.standard_normal(samples, np.float32)


def _tilted(random: Random, samples: int, rate: int, slope: float) -> Wave:
    """Return noise whose power goes as frequency to the power ``slope``: 0 white, -1 pink, -2
    brown.
    """
    frequencies = frequencies_of(samples, rate)
    return shaped(
        _white(random, samples), (frequencies / 1000) ** (slope / 2) * (frequencies > _LOWEST_HZ)
    )


def _slow(random: Random, samples: int, rate: int, hz: float, depth_db: float) -> Wave:
    """Return a gain [samples] that wanders by about ``depth_db`` at about ``hz``."""
    points = max(int(samples / rate * hz * 2), 1) + 3
    walk = random.standard_normal(points)
    at = np.arange(0, samples, 64) / samples * (points - 2) + random.uniform()
    coarse = np.interp(at, np.arange(points), walk)
    return (
        10 ** (depth_db / 20 * np.interp(np.arange(samples), np.arange(0, samples, 64), coarse))
    ).astype(np.float32)


def white(random: Random, samples: int, rate: int) -> Wave:
    """White noise."""
    return _white(random, samples)


def coloured(random: Random, samples: int, rate: int) -> Wave:
    """Noise with a random slope from brown to blue, sometimes in a band."""
    wave = _tilted(random, samples, rate, random.choice((-1.0, -2.0, random.uniform(-2.6, 0.8))))
    if random.random() < 0.3:
        low = 10 ** random.uniform(1.5, 3.3)
        wave = _band(wave, rate, low, low * 10 ** random.uniform(0.3, 2))
    return wave


def _band(wave: Wave, rate: int, low_hz: float, high_hz: float, order: float = 2.0) -> Wave:
    frequencies = frequencies_of(len(wave), rate)
    gain = 1 / np.sqrt(
        (1 + (low_hz / frequencies) ** (2 * order)) * (1 + (frequencies / high_hz) ** (2 * order))
    )
    return shaped(wave, gain)


def hiss(random: Random, samples: int, rate: int) -> Wave:
    """Tape hiss: noise that rises towards the treble and falls off above."""
    low = 10 ** random.uniform(2.3, 3.7)
    wave = _tilted(random, samples, rate, random.uniform(-0.3, 1.0))
    return _band(wave, rate, low, random.uniform(5000, 20000), random.uniform(0.5, 1.5))


def hum(random: Random, samples: int, rate: int) -> Wave:
    """Mains hum: 50 or 60 Hz with harmonics, from a soft drone to a sharp buzz, with some noise."""
    fundamental = random.choice((50.0, 60.0)) * random.normal(1, 0.002)
    count = int(random.integers(1, max(2, min(60, int(0.45 * rate / fundamental)))))
    falling = random.uniform(0.2, 2.0)
    odd, even = (
        (1.0, random.uniform(0, 1)) if random.random() < 0.6 else (random.uniform(0, 1), 1.0)
    )
    seconds = np.arange(samples, dtype=np.float32) / rate
    drift = np.float32(1 + 0.0005 * random.normal()) * seconds
    wave = np.zeros(samples, np.float32)
    for harmonic in range(1, count + 1):
        size = (
            (odd if harmonic % 2 else even) * harmonic**-falling * 10 ** (random.normal(0, 5) / 20)
        )
        wave += np.float32(size) * np.sin(
            np.float32(2 * np.pi * fundamental * harmonic) * drift
            + np.float32(random.uniform(0, 6.28))
        )
    level = 10 ** (-random.uniform(15, 50) / 20)
    return unit(wave) + np.float32(level) * unit(
        _tilted(random, samples, rate, random.uniform(-1.5, 0))
    )


def _impulses(random: Random, samples: int, per_second: float, rate: int, spread: float) -> Wave:
    """Return single samples at random times with sizes that spread over decades."""
    count = max(int(random.poisson(per_second * samples / rate)), 1)
    wave = np.zeros(samples, np.float32)
    sizes = np.exp(spread * random.standard_normal(count)) * random.choice((-1, 1), count)
    np.add.at(wave, random.integers(0, samples, count), sizes.astype(np.float32))
    return wave


def _ringing(
    random: Random, rate: int, samples: int, hz: float, milliseconds: float
) -> NDArray[np.complex64]:
    """Return the spectrum of a decaying tone that starts at once."""
    time = (
        np.arange(min(samples, max(int(rate * milliseconds / 1000 * 7), 2)), dtype=np.float32)
        / rate
    )
    kernel = np.exp(-time / (milliseconds / 1000)) * np.cos(
        2 * np.pi * hz * time + random.uniform(0, 6.28)
    )
    spectrum: NDArray[np.complex64] = np.fft.rfft(kernel, samples).astype(np.complex64)
    return spectrum


def crackle(random: Random, samples: int, rate: int) -> Wave:
    """Vinyl: clicks and pops over a quiet surface noise, sometimes with a thump per turn."""
    wave = np.zeros(samples, np.float32)
    for _ in range(int(random.integers(1, 4))):
        clicks = _impulses(
            random, samples, 10 ** random.uniform(0.3, 2.6), rate, random.uniform(0.4, 1.4)
        )
        kernel = _ringing(
            random, rate, samples, 10 ** random.uniform(2.2, 4), 10 ** random.uniform(-1.3, 0.7)
        )
        wave += unit(shaped(clicks, kernel)) * np.float32(random.uniform(0.2, 1))
    surface = unit(_tilted(random, samples, rate, random.uniform(-1.5, 0)))
    return unit(wave) + np.float32(10 ** (-random.uniform(6, 40) / 20)) * surface


def fire(random: Random, samples: int, rate: int) -> Wave:
    """Snaps in bursts over a soft roar."""
    snaps = _impulses(random, samples, 10 ** random.uniform(1, 2.3), rate, random.uniform(0.8, 1.6))
    body = shaped(
        snaps,
        _ringing(random, rate, samples, random.uniform(500, 6000), 10 ** random.uniform(-0.5, 1.2)),
    )
    roar = _tilted(random, samples, rate, random.uniform(-2.2, -0.8)) * _slow(
        random, samples, rate, 3, 3
    )
    snapping = unit(body * _slow(random, samples, rate, 2, 8))
    return snapping + np.float32(10 ** (random.uniform(-20, 6) / 20)) * unit(roar)


def drops(random: Random, samples: int, rate: int) -> Wave:
    """Rain and running water: many short blips over a broad noise."""
    wave = np.zeros(samples, np.float32)
    for _ in range(int(random.integers(2, 6))):
        blips = _impulses(
            random, samples, 10 ** random.uniform(1.5, 3.5), rate, random.uniform(0.4, 1.2)
        )
        wave += unit(
            shaped(
                blips,
                _ringing(
                    random, rate, samples, random.uniform(400, 8000), 10 ** random.uniform(-0.5, 1)
                ),
            )
        )
    rain = _band(
        _tilted(random, samples, rate, random.uniform(-1.2, 0.4)),
        rate,
        random.uniform(50, 1500),
        random.uniform(4e3, 2e4),
        1,
    )
    return unit(wave) + np.float32(10 ** (random.uniform(-10, 15) / 20)) * unit(rain)


def swell(random: Random, samples: int, rate: int) -> Wave:
    """Sea, wind, traffic and crowds far away: coloured noises that come and go at their own
    pace.
    """
    wave = np.zeros(samples, np.float32)
    for _ in range(int(random.integers(1, 4))):
        part = _tilted(random, samples, rate, random.uniform(-2.5, 0.2))
        if random.random() < 0.6:
            centre = 10 ** random.uniform(1.8, 3.6)
            part = _band(
                part,
                rate,
                centre / random.uniform(1.2, 6),
                centre * random.uniform(1.2, 6),
                random.uniform(1, 3),
            )
        wave += unit(
            part
            * _slow(random, samples, rate, 10 ** random.uniform(-0.7, 0.7), random.uniform(1, 8))
        )
    return wave


def _phase(random: Random, samples: int, rate: int, hz: float, wander: float) -> Wave:
    """Return turns [samples] of something that goes round at about ``hz``."""
    speed = hz * (1 + wander * np.log(_slow(random, samples, rate, random.uniform(0.5, 4), 8.7)))
    return np.asarray(np.cumsum(speed / rate, dtype=np.float64) % 1.0, dtype=np.float32)


def rotor(random: Random, samples: int, rate: int) -> Wave:
    """Helicopters, fans and trains: low noise and thumps in the rhythm of a rotor."""
    turn = _phase(random, samples, rate, 10 ** random.uniform(0.6, 1.6), random.uniform(0, 0.05))
    beat: Wave = np.exp(-turn * np.float32(random.uniform(1, 8))) + np.float32(
        random.uniform(0, 0.5)
    )
    roar = _band(
        _tilted(random, samples, rate, random.uniform(-2.2, -0.3)),
        rate,
        random.uniform(20, 200),
        10 ** random.uniform(2.7, 3.9),
    )
    thump = _band(
        np.diff(beat, prepend=beat[:1]).astype(np.float32), rate, 20, 10 ** random.uniform(1.9, 2.8)
    )
    whine = engine(random, samples, rate) * np.float32(random.uniform(0, 0.5))
    whole: Wave = unit(roar * beat) + np.float32(random.uniform(0, 1)) * unit(thump) + whine
    return whole


def engine(random: Random, samples: int, rate: int) -> Wave:
    """Chainsaws, motors and drills: a rough buzz whose speed wanders, through resonances, with
    noise in its rhythm.
    """
    turn = _phase(
        random, samples, rate, 10 ** random.uniform(1.5, 2.5), random.uniform(0.005, 0.15)
    )
    sharp = random.uniform(2, 30)
    pulse = np.exp(-turn * np.float32(sharp)) * _slow(
        random, samples, rate, random.uniform(2, 60), random.uniform(0, 4)
    )
    rough = pulse * (1 + np.float32(random.uniform(0, 1.5)) * _white(random, samples))
    frequencies = frequencies_of(samples, rate)
    gain = np.full(len(frequencies), random.uniform(0.02, 0.3), np.float32)
    for _ in range(int(random.integers(1, 5))):
        centre, width = 10 ** random.uniform(2, 3.8), random.uniform(0.1, 0.8)
        gain += np.float32(random.uniform(0.2, 1)) * np.exp(
            -((np.log(frequencies / np.float32(centre)) / np.float32(width)) ** 2)
        )
    return unit(shaped(rough.astype(np.float32), gain * (frequencies > 30)))


def voices(random: Random, samples: int, rate: int) -> Wave:
    """Babble without recordings: several voiced and breathy sources with moving formants and the
    rhythm of syllables.
    """
    wave = np.zeros(samples, np.float32)
    frequencies = frequencies_of(samples, rate)
    for _ in range(int(random.integers(3, 8))):
        turn = _phase(random, samples, rate, random.uniform(80, 280), random.uniform(0.05, 0.2))
        source = np.exp(-turn * 12) + np.float32(0.1) * _white(random, samples)
        part = np.zeros(samples, np.float32)
        for _ in range(3):  # vowels one after another, each with its own formants
            gain = np.zeros(len(frequencies), np.float32)
            for low, high in ((250, 900), (800, 2400), (2200, 3600)):
                centre = random.uniform(low, high)
                gain += np.exp(-(((frequencies - centre) / (0.12 * centre)) ** 2)) * (300 / centre)
            part += shaped(source, gain) * _slow(random, samples, rate, random.uniform(2, 5), 9)
        wave += unit(part) * np.float32(random.uniform(0.3, 1))
    return wave


def room(random: Random, samples: int, rate: int) -> Wave:
    """Quiet room: rumble, ventilation, faint hum, now and then a knock."""
    rumble = _tilted(random, samples, rate, random.uniform(-3, -1.5))
    air = _band(_tilted(random, samples, rate, -1), rate, 40, 10 ** random.uniform(2.3, 3.7), 1)
    wave = unit(rumble) + np.float32(random.uniform(0.1, 2)) * unit(air)
    if random.random() < 0.5:
        wave += np.float32(random.uniform(0, 0.7)) * unit(hum(random, samples, rate))
    if random.random() < 0.5:
        knocks = _impulses(random, samples, random.uniform(0.5, 4), rate, 0.7)
        kernel = _ringing(random, rate, samples, random.uniform(60, 1500), random.uniform(5, 60))
        wave += np.float32(random.uniform(0, 1)) * unit(shaped(knocks, kernel))
    return wave


SYNTHESISED: Mapping[str, Callable[[Random, int, int], Wave]] = {
    "white": white,
    "coloured": coloured,
    "hiss": hiss,
    "hum": hum,
    "crackle": crackle,
    "fire": fire,
    "drops": drops,
    "swell": swell,
    "rotor": rotor,
    "engine": engine,
    "voices": voices,
    "room": room,
}


def synthesise(kind: str, samples: int, rate: int, random: Random) -> Wave:
    """Return noise of a kind of :data:`SYNTHESISED`, [samples] with a root mean square of 1."""
    return unit(SYNTHESISED[kind](random, samples, rate))


def unit(wave: Wave) -> Wave:
    """Scale to a root mean square of 1."""
    return np.asarray(
        wave / np.float32(np.sqrt(np.mean(np.square(wave, dtype=np.float64)) + _TINY)), np.float32
    )
