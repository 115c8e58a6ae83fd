"""Scores played on instruments: by FluidSynth where it is installed, else by midirenderer.

Both play the SoundFont that comes with the project, or the one that ``MUSAE_SOUNDFONT`` names.
midirenderer (RustySynth) runs in a process of its own: native code that meets a broken SoundFont
must not end the program with files half done.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.files import shown
from musicvae_lite.media.audio import Audio
from musicvae_lite.media.midi import TEMPO, Score, midi_bytes
from musicvae_lite.media.render import SOUNDFONT_VARIABLE
from musicvae_lite.media.soundfont import shipped_soundfont, to_sf2, uncompressed_soundfont

RATE_HZ = 48_000  # the one rate at which midirenderer plays
_PEAK = 0.9
_SECONDS_LIMIT = 600
_TAIL_SECONDS = 1.5  # in which the last notes ring out
_FLUIDSYNTH = "fluidsynth"
_CHILD = (
    "import sys, midirenderer as m; font, = sys.argv[1:]; "
    "sys.stdout.buffer.write(m.render_wave_from(open(font, 'rb').read(), sys.stdin.buffer.read()))"
)


def play(score: Score) -> tuple[Audio, str]:
    """Return a score as stereo sound [2, N] at :data:`RATE_HZ`, and what played it.

    The loudest sample is at 0.9 of full scale; silence stays silent.

    Raises:
        UsageError: ``MUSAE_SOUNDFONT`` names no file.
        MusaeError: the piece cannot be played; the message says why.
    """
    named = _named_soundfont()
    if not len(score.notes):
        return _silence(score), "no notes"
    program = shutil.which(_FLUIDSYNTH)
    if program is not None:
        wave = _fluidsynth(program, named or shipped_soundfont(), score)
        if wave is not None:
            return _levelled(wave, score), "FluidSynth"
    return _levelled(_midirenderer(named, score), score), "midirenderer"


def seconds_of(score: Score) -> float:
    """Return how long a score lasts at its tempos, to the end of its last note."""
    end = score.end
    marks = [(0, 120.0), *((int(tick), float(qpm)) for tick, qpm in score.tempos.tolist())]
    stops = [*(min(tick, end) for tick, _ in marks[1:]), end]
    quarters = [
        (max(stop - tick, 0) / score.ticks_per_quarter, qpm)
        for (tick, qpm), stop in zip(marks, stops, strict=True)
    ]
    return sum(length * 60 / qpm for length, qpm in quarters)


def _named_soundfont() -> Path | None:
    """Return the SoundFont that the user's environment names."""
    named = os.environ.get(SOUNDFONT_VARIABLE)
    if not named:
        return None
    if not Path(named).is_file():
        raise UsageError(f"{shown(named)}: no such soundfont (named by {SOUNDFONT_VARIABLE})")
    return Path(named)


def _silence(score: Score) -> Audio:
    return Audio(np.zeros((2, 1), np.float32), RATE_HZ, source=score.source)


def _levelled(wave: bytes, score: Score) -> Audio:
    """Read a WAV file and bring its loudest sample to the level of all sounds here."""
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(wave), dtype="float32", always_2d=True)
    peak = float(np.abs(samples).max(initial=0.0))
    scaled = samples.T * (_PEAK / peak if peak > 0 else 0.0)
    return Audio(np.ascontiguousarray(scaled, np.float32), rate, source=score.source)


def _fluidsynth(program: str, soundfont: Path, score: Score) -> bytes | None:
    """Play with FluidSynth; None where the one that is installed fails, such as on an SF3."""
    with tempfile.TemporaryDirectory(prefix="musae-") as folder:
        midi, wave = Path(folder, "score.mid"), Path(folder, "score.wav")
        midi.write_bytes(midi_bytes(score))
        options = ["-niq", "-g", "0.5", "-o", "synth.dynamic-sample-loading=1"]
        output = ["-r", str(RATE_HZ), "-F", str(wave), str(soundfont), str(midi)]
        try:
            done = subprocess.run(
                [program, *options, *output],
                capture_output=True,
                timeout=_SECONDS_LIMIT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        failed = done.returncode or b"Failed to load SoundFont" in done.stderr
        return None if failed or not wave.is_file() else wave.read_bytes()


def _midirenderer(named: Path | None, score: Score) -> bytes:
    """Play with midirenderer, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="musae-") as folder:
        font = Path(folder, "font.sf2")
        font.write_bytes(_uncompressed(named))
        command = [sys.executable, "-c", _CHILD, str(font)]
        try:
            done = subprocess.run(
                command,
                input=midi_bytes(_with_tail(score)),
                capture_output=True,
                timeout=_SECONDS_LIMIT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MusaeError(f"{score.source}: cannot be played ({error})") from error
        if done.returncode or done.stdout[:4] != b"RIFF":
            told = " ".join(done.stderr.decode("utf-8", "replace").split())[-200:]
            raise MusaeError(f"{score.source}: cannot be played ({told or done.returncode})")
        return done.stdout


def _with_tail(score: Score) -> Score:
    """Return a score that lasts a little longer: midirenderer stops at the last event."""
    qpm = float(score.tempos["qpm"][-1]) if len(score.tempos) else 120.0
    tail = round(_TAIL_SECONDS * qpm / 60 * score.ticks_per_quarter)
    last = max(score.end, int(score.tempos["tick"].max(initial=0)))
    return replace(score, tempos=np.append(score.tempos, np.array([(last + tail, qpm)], TEMPO)))


def _uncompressed(named: Path | None) -> bytes:
    """Return a SoundFont as midirenderer reads it."""
    if named is None:
        return uncompressed_soundfont()
    data = named.read_bytes()
    return to_sf2(data) if named.suffix.lower() == ".sf3" else data
