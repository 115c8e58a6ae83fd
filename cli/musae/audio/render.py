"""A score as sound: with FluidSynth where it is installed, else as plain tones and simple drums."""

from __future__ import annotations

import io
import warnings
import wave
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musae.audio.drum_sounds import mix
from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.midi import Score, midi_bytes

RATE_HZ = 44_100
_PEAK = 0.9
_MAX_SECONDS = 1800  # a gigabyte of memory
_MAX_TICKS = 10_000_000  # pretty_midi takes a file that goes on for longer for damaged


def check_sound(name: str, seconds: float, quarters: float, ticks_per_quarter: int) -> None:
    """Refuse to render more than fits into memory, or than pretty_midi reads.

    Raises:
        UsageError: naming the limit.
    """
    if seconds > _MAX_SECONDS:
        found = f"{seconds / 60:,.0f}"
        raise UsageError(
            f"{name}: sound is rendered up to {_MAX_SECONDS // 60} minutes, not {found}; ask for "
            "fewer --steps"
        )
    if quarters * ticks_per_quarter > _MAX_TICKS:
        most = _MAX_TICKS // ticks_per_quarter
        raise UsageError(
            f"{name}: sound is rendered up to {most:,} quarter notes, not {quarters:,.0f}; ask "
            "for fewer --steps"
        )


def wav_bytes(score: Score) -> tuple[bytes, str]:
    """Render a score to a 16-bit mono WAV file; return its content and how it was rendered."""
    samples, how = _render(midi_bytes(score))
    peak = float(np.abs(samples).max(initial=0.0))
    loudness = _PEAK / peak if peak > 0 else 0.0
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((samples * loudness * 32767).astype("<i2").tobytes())
    return buffer.getvalue(), how


def _render(midi: bytes) -> tuple[NDArray[np.float64], str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pretty_midi warns about its own dependencies
        import pretty_midi

        piece: Any = pretty_midi.PrettyMIDI(io.BytesIO(midi))
        try:
            samples = piece.fluidsynth(fs=RATE_HZ)
        except Exception:  # not installed, no sound font, another version: tones do as well
            samples = np.full(1, np.nan)
    if np.isfinite(samples).all():  # it divides by the peak, 0 or not
        return samples, "FluidSynth"
    return _tones(piece), "plain tones (FluidSynth is not installed)"


def _tones(piece: Any) -> NDArray[np.float64]:
    """Return a piece as tones [S], its drums as drums: pretty_midi, which makes the tones, leaves
    drums silent.
    """
    parts = [own.synthesize(fs=RATE_HZ) for own in piece.instruments if not own.is_drum]
    hits = [
        (note.start, note.pitch, note.velocity)
        for own in piece.instruments
        if own.is_drum
        for note in own.notes
    ]
    parts.append(mix(hits, RATE_HZ))
    samples = np.zeros(max(map(len, parts)))
    for part in parts:
        samples[: len(part)] += part
    return samples
