"""A score as sound: with FluidSynth where it is installed, else as plain tones."""

from __future__ import annotations

import io
import warnings
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.files import atomic_output
from musicvae_lite.media.midi import Score, midi_bytes

RATE_HZ = 44_100
_PEAK = 0.9


def write_wav(score: Score, path: Path, overwrite: bool) -> str:
    """Render a score to a 16-bit mono WAV file and return how it was rendered.

    Raises:
        UsageError: see :func:`musicvae_lite.files.check_output`.
        MusaeError: if the file system refuses.
    """
    samples, how = _render(midi_bytes(score))
    peak = float(np.abs(samples).max(initial=0.0))
    loudness = _PEAK / peak if peak > 0 else 0.0
    with atomic_output(path, overwrite) as part, wave.open(str(part), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((samples * loudness * 32767).astype("<i2").tobytes())
    return how


def _render(midi: bytes) -> tuple[NDArray[np.float64], str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pretty_midi warns about its own dependencies
        import pretty_midi

        piece: Any = pretty_midi.PrettyMIDI(io.BytesIO(midi))
        try:
            return piece.fluidsynth(fs=RATE_HZ), "FluidSynth"
        except Exception:  # not installed, no sound font, another version: tones do as well
            return piece.synthesize(fs=RATE_HZ), "plain tones (FluidSynth is not installed)"
