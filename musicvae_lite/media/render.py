"""Scores played by a synthesizer: random orchestration, and rendering through a soundfont by
FluidSynth.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.files import shown
from musicvae_lite.media.audio import Audio, read_audio
from musicvae_lite.media.midi import TEMPO, Score, midi_bytes

SOUNDFONT_VARIABLE = "MUSAE_SOUNDFONT"
_FOLDERS = (
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
)
_SUFFIXES = (".sf2", ".sf3")
_MELODIC_PROGRAMS = (
    120  # the last eight of General MIDI are noises: a helicopter, applause, a gunshot
)
_DRUM_KITS = (0, 0, 8, 16, 24, 25, 32, 40)
# Organs, strings, choirs, brass, reeds and pads: they sound for as long as a note is held.
_STANDING_PROGRAMS = (
    *range(16, 24),
    *range(40, 45),
    *range(48, 55),
    *range(56, 59),
    *range(60, 64),
    70,
    71,
    *range(88, 96),
)
# share of performances that are slow, low and held: what a denoiser would take for hum if it never
# heard them
_STANDING = 0.12
_LOWEST_PITCH = 24
_SECONDS_LIMIT = 600
_SOFTEST, _LOUDEST = 20, 127


def find_soundfonts() -> list[Path]:
    """Return the soundfonts at hand: the one that the variable MUSAE_SOUNDFONT names, or the
    system's and pretty_midi's.

    Raises:
        UsageError: if the variable names no file.
    """
    named = os.environ.get(SOUNDFONT_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise UsageError(f"{shown(named)}: no such soundfont (named by {SOUNDFONT_VARIABLE})")
        return [Path(named)]
    found = {
        path.resolve()
        for folder in _FOLDERS
        for path in Path(folder).glob("*")
        if path.suffix.lower() in _SUFFIXES
    }
    spec = importlib.util.find_spec("pretty_midi")
    if spec is not None and spec.origin:
        found |= {path.resolve() for path in Path(spec.origin).parent.glob("*.sf2")}
    return sorted(found)


def find_synthesizer() -> Path:
    """Return the program FluidSynth.

    Raises:
        MusaeError: if it is not installed.
    """
    found = shutil.which("fluidsynth")
    if found is None:
        raise MusaeError(
            "fluidsynth is not installed, so that MIDI files cannot be played; install it (apt "
            "install fluidsynth, brew install "
            "fluid-synth) or name folders of recordings"
        )
    return Path(found)


def orchestrate(score: Score, random: np.random.Generator, seconds: float) -> Score:
    """Return a stretch of a score with other instruments, at another pitch and tempo: one song is
    many training examples.

    The stretch begins at or somewhat before a random note, so that it is not silence. Some
    performances stand still: slow, on organs, strings and pads, often an octave or two lower,
    without drums.
    """
    drums = np.array([track.is_drum for track in score.tracks])[score.notes["track"]]
    standing = random.random() < _STANDING and not drums.all()
    if standing:
        score = replace(score, notes=_held(score.notes[~drums], random))
    speed = random.uniform(0.3, 0.9) if standing else random.uniform(0.8, 1.3)
    qpm = float(np.clip(score.qpm * speed, 30, 300))
    length = round(seconds * qpm / 60 * score.ticks_per_quarter)
    first = max(round(int(random.choice(score.notes["start"])) - 0.3 * length), 0)
    inside = (score.notes["start"] >= first) & (score.notes["start"] < first + length)
    notes: NDArray[np.void] = score.notes[inside].copy()
    notes["start"] -= first
    notes["end"] -= first
    drums = np.array([track.is_drum for track in score.tracks])[notes["track"]]
    pitch = notes["pitch"].astype(np.int64)
    notes["pitch"] = np.where(drums, pitch, np.clip(pitch + random.integers(-5, 6), 0, 127))
    loudness = notes["velocity"] * random.uniform(0.6, 1.2) + random.normal(0, 8, len(notes))
    notes["velocity"] = np.clip(loudness, _SOFTEST, _LOUDEST)
    tracks = []
    for track in score.tracks:
        if track.is_drum:
            other = int(random.choice(_DRUM_KITS))
        else:
            other = int(
                random.choice(_STANDING_PROGRAMS)
                if standing
                else random.integers(_MELODIC_PROGRAMS)
            )
        tracks.append(
            track._replace(program=other)
            if track.is_drum or standing or random.random() < 0.6
            else track
        )
    tempos = np.array([(0, qpm)], TEMPO)
    return replace(score, notes=notes, tracks=tuple(tracks), tempos=tempos)


def _held(notes: NDArray[np.void], random: np.random.Generator) -> NDArray[np.void]:
    """Return notes that are held for up to three times as long, and sound up to two octaves
    lower.
    """
    notes = notes.copy()
    pitch = notes["pitch"].astype(np.int64) - int(random.choice((0, 0, 12, 12, 19, 24)))
    notes["pitch"] = np.clip(np.where(pitch < _LOWEST_PITCH, pitch + 12, pitch), 0, 127)
    length = (notes["end"] - notes["start"]) * random.uniform(1, 3)
    notes["end"] = notes["start"] + length.astype(notes["end"].dtype)
    return notes


def render(
    score: Score, soundfont: Path, rate: int, random: np.random.Generator | None = None
) -> Audio:
    """Play a score through a soundfont, [2, N] at ``rate``.

    ``random`` draws the reverberation and chorus.

    Raises:
        MusaeError: if FluidSynth is not installed, fails or takes more than ten minutes.
    """
    random = np.random.default_rng(0) if random is None else random
    program = find_synthesizer()
    with tempfile.TemporaryDirectory(prefix="musae-") as folder:
        midi, wave = Path(folder, "score.mid"), Path(folder, "score.wav")
        midi.write_bytes(midi_bytes(score))
        command = [
            str(program),
            *_options(random),
            "-r",
            str(rate),
            "-F",
            str(wave),
            str(soundfont),
            str(midi),
        ]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS_LIMIT, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MusaeError(
                f"{score.source}: fluidsynth cannot play it with {soundfont.name} ({error})"
            ) from error
        if done.returncode or not wave.is_file():
            told = " ".join(done.stderr.decode("utf-8", "replace").split())[-200:]
            raise MusaeError(
                f"{score.source}: fluidsynth cannot play it with {soundfont} "
                f"({told or done.returncode})"
            )
        return replace(read_audio(wave), source=score.source)


def _options(random: np.random.Generator) -> list[str]:
    room, level = random.uniform(0.1, 0.9, 2)
    return [
        "-niq",
        "-g",
        "0.5",
        "-R",
        str(int(random.random() < 0.7)),
        "-C",
        str(int(random.random() < 0.5)),
        "-o",
        f"synth.reverb.room-size={room:.2f}",
        "-o",
        f"synth.reverb.level={level:.2f}",
        "-o",
        "synth.dynamic-sample-loading=1",  # a large soundfont loads in a moment
    ]
