"""Scores as sound where no FluidSynth is."""

import io
import wave

import numpy as np
import pytest
from musae.audio.drum_sounds import drum_sound, mix
from musae.audio.render import RATE_HZ, wav_bytes

from tests.grooves import beat
from tests.tiny import score


@pytest.fixture(autouse=True)
def no_fluidsynth(monkeypatch):
    import pretty_midi

    def missing(*_, **__):
        raise ImportError

    monkeypatch.setattr(pretty_midi.PrettyMIDI, "fluidsynth", missing)


def samples(piece):
    data, how = wav_bytes(piece)
    assert how.startswith("plain tones")
    with wave.open(io.BytesIO(data)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)


def centre_hz(sound):
    power = np.abs(np.fft.rfft(sound)) ** 2
    return (power * np.fft.rfftfreq(len(sound), 1 / RATE_HZ)).sum() / power.sum()


def test_drums_sound_without_fluidsynth():
    made = samples(beat(2))
    assert np.abs(made).max() > 20_000 and np.array_equal(made, samples(beat(2)))


def test_silence_is_silence():
    silent = samples(score([]))
    assert not silent.any()


def test_every_drum_has_its_colour_and_its_length():
    kick, snare, closed, opened, ride = (
        drum_sound(pitch, RATE_HZ) for pitch in (36, 38, 42, 46, 51)
    )
    assert centre_hz(kick) < 150 < 1_000 < centre_hz(snare) < 6_000 < centre_hz(closed)
    assert len(closed) < len(snare) < len(opened) < len(ride)
    assert all(np.isfinite(drum_sound(pitch, RATE_HZ)).all() for pitch in range(128))
    falls = np.diff(
        np.flatnonzero(np.diff(np.signbit(kick[441:4_410])))
    )  # half periods of the kick, click past
    assert falls[-1] > 1.5 * falls[0]


def test_a_louder_hit_is_louder():
    soft, loud = (np.abs(mix([(0.0, 38, velocity)], RATE_HZ)).max() for velocity in (30, 120))
    assert loud == pytest.approx(4 * soft)


def test_tones_and_drums_are_mixed():
    piece, toneless = beat(2), beat(2)
    toneless = type(piece)(
        480, piece.notes[piece.notes["track"] == 0], piece.tracks[:1], piece.tempos, piece.metres
    )
    assert not np.array_equal(samples(piece)[:44_100], samples(toneless)[:44_100])
