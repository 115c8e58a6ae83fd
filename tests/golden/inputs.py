"""The files that the recorded commands read: demo files of the project, and small generated ones.

Nothing here uses the library, so that two states of the program can be given the same inputs.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import mido
import numpy as np
import soundfile
from PIL import Image
from sklearn.datasets import load_digits

from tests.idx import mnist_folder
from tests.magenta.magenta_variables import variables

ROOT = Path(__file__).resolve().parents[2]
TICKS = 480  # a quarter
TINY_TIMBRE = (
    "codec={kind: sound, rate: 8000, seconds: 0.5}",
    "model={kind: timbre, latent_size: 4, rows: 24, encoder: {channels: [4, 8]}, "
    "decoder: {channels: [8, 4]}}",
)

#: Onset and length in sixteenths, pitch, velocity.
Notes = Iterable[tuple[float, float, int, int]]


def write_inputs(folder: Path) -> None:
    """Fill a folder that is not there yet."""
    folder.mkdir(parents=True)
    for source in ("midi", "drums"):
        for path in sorted((ROOT / "data" / source).glob("*.mid")):
            shutil.copyfile(path, folder / path.name)
    shutil.copyfile(ROOT / "data/audio/ode_to_joy_noisy.flac", folder / "demo.flac")
    _music(folder)
    _corpora(folder)
    _sounds(folder)
    _pictures(folder)
    _codes(folder)
    _checkpoint(folder / "magenta-js")
    _runs(folder)


def _music(folder: Path) -> None:
    # A band whose file holds more than notes: controllers, bends, lyrics, markers, a tempo that
    # changes. 18 bars: one window of 16 and some more.
    _save(folder / "band.mid", [_conductor(4, 4, 100, marks=True), *_band(18)])
    _save(folder / "band2.mid", [_conductor(4, 4, 132), *_band(16, step=5, program=73)])
    _save(folder / "lead.mid", [_conductor(4, 4, 90, marks=True), _tune(8, 16, 3)])
    _save(folder / "waltz.mid", [_conductor(3, 4, 120), _tune(8, 12, 1)])
    _save(folder / "jig.mid", [_conductor(6, 8, 120), _tune(8, 12, 2)])
    _save(folder / "chords.mid", [_conductor(4, 4, 120), _pads(8), _triplets(4)])
    _save(folder / "played.mid", [_conductor(4, 4, 96), _beat(4, played=True)])
    _save(folder / "taps.mid", [_conductor(4, 4, 96), _track("Taps", 0, 9, _taps(4))])
    _save(folder / "empty.mid", [_conductor(4, 4, 120)])
    changing = _conductor(4, 4, 120)
    changing.append(
        mido.MetaMessage("time_signature", numerator=3, denominator=4, time=4 * 4 * TICKS)
    )
    _save(folder / "changing.mid", [changing, _tune(8, 16, 4)])
    (folder / "broken.mid").write_bytes((folder / "lead.mid").read_bytes()[:150])
    (folder / "text.mid").write_text("no music\n")


def _corpora(folder: Path) -> None:
    for name, patterns in {
        "melodies": ["[a-f]*.mid", "ode*.mid", "yankee*.mid", "twinkle*.mid", "empty.mid"],
        "beats": ["rock.mid", "bossa.mid", "played.mid", "band.mid"],
    }.items():
        (folder / name).mkdir()
        for pattern in patterns:
            for path in sorted(folder.glob(pattern)):
                shutil.copyfile(path, folder / name / path.name)


def _save(path: Path, tracks: Sequence[mido.MidiTrack]) -> None:
    mido.MidiFile(type=1, ticks_per_beat=TICKS, tracks=list(tracks), charset="utf-8").save(path)


def _conductor(numerator: int, denominator: int, qpm: float, marks: bool = False) -> mido.MidiTrack:
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(qpm)))
    track.append(mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator))
    if marks:
        for number, chord in enumerate(["C", "Am", "F", "G7", "C", "Dm", "G", "C"]):
            later = 0 if number == 0 else 4 * TICKS
            track.append(mido.MetaMessage("marker", text=chord, time=later))
        track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(qpm + 20), time=0))
    return track


def _track(
    name: str, program: int, channel: int, notes: Notes, extra: Sequence[tuple[float, object]] = ()
) -> mido.MidiTrack:
    """Return a track; ``extra`` are further messages with their times in sixteenths."""
    unit = TICKS / 4
    timed = [(round(time * unit), 0, message) for time, message in extra]
    for onset, length, pitch, velocity in notes:
        on = mido.Message("note_on", note=pitch, velocity=velocity, channel=channel)
        off = mido.Message("note_off", note=pitch, channel=channel)
        timed += [(round(onset * unit), 2, on), (round((onset + length) * unit), 1, off)]
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    track.append(mido.Message("program_change", program=program, channel=channel))
    now = 0
    for time, _, message in sorted(timed, key=lambda item: item[:2]):
        track.append(message.copy(time=time - now))
        now = time
    return track


def _melody(bars: int, bar_steps: int, step: int) -> Notes:
    scale = [60, 62, 64, 65, 67, 69, 71, 72, 74, 76]
    lengths = [4, 2, 2, 4, 3, 1] if bar_steps == 16 else [2, 2, 2, 4, 2]
    time, number = 0, 0
    while time < bars * bar_steps:
        length = min(lengths[number % len(lengths)], bars * bar_steps - time)
        if number % 11 != 10:  # else a rest
            place = (number * step + number // 7) % 10
            yield time, length, scale[place], 70 + number * 7 % 40
        time, number = time + length, number + 1


def _tune(bars: int, bar_steps: int, step: int) -> mido.MidiTrack:
    return _track("Tune", 0, 0, _melody(bars, bar_steps, step))


def _band(bars: int, step: int = 3, program: int = 24) -> list[mido.MidiTrack]:
    def control(number: int, value: int) -> mido.Message:
        return mido.Message("control_change", control=number, value=value, channel=0)

    extra = [
        (0.0, control(7, 100)),
        (8.5, control(64, 127)),
        (15.25, control(64, 0)),
        (20.1, mido.Message("pitchwheel", pitch=1000, channel=0)),
        (24.0, mido.Message("pitchwheel", pitch=0, channel=0)),
        (32.0, mido.MetaMessage("lyrics", text="la ")),
    ]
    bass = ((t, 4, 36 + 7 * (t // 4 % 2) + t // 16 % 3 * 2, 90) for t in range(0, 16 * bars, 4))
    return [
        _track("Melodie é", program, 0, _melody(bars, 16, step), extra),
        _pads(bars),
        _track("Bass", 33, 2, bass),
        _beat(bars),
    ]


def _pads(bars: int) -> mido.MidiTrack:
    roots = [48, 45, 41, 43]
    thirds = {48: 4, 45: 3, 41: 4, 43: 4}
    notes = [
        (16 * bar, 15, roots[bar % 4] + above, 60)
        for bar in range(bars)
        for above in (0, thirds[roots[bar % 4]], 7)
    ]
    return _track("Pads", 48, 1, notes)


def _triplets(bars: int) -> mido.MidiTrack:
    notes = ((4 / 3 * n, 1.2, 60 + n * 5 % 13, 80) for n in range(12 * bars))
    return _track("Triplets", 4, 3, notes)


def _beat(bars: int, played: bool = False) -> mido.MidiTrack:
    notes = []
    for time in range(0, 16 * bars, 2):
        drums = [42] + ([36] if time % 8 in (0, 6) else []) + ([38] if time % 8 == 4 else [])
        for drum in [*drums, *([49] if time % 64 == 0 else [])]:
            late = 0.01 * (time * 7 % 30) if played else 0.0
            notes.append((time + late, 0.5, drum, 60 + time * 13 % 60 if played else 100))
    return _track("Drums", 0, 9, notes)


def _taps(bars: int) -> Notes:
    return ((t + 0.2, 0.5, 60, 90) for t in range(16 * bars) if t % 16 in (0, 3, 6, 10, 12, 14))


def _tone(hz: float, seconds: float, rate: int) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    wave = np.sin(2 * np.pi * hz * time) + 0.3 * np.sin(4 * np.pi * hz * time)
    return 0.3 * wave * np.exp(-4 * (time % 0.5))


def _sounds(folder: Path) -> None:
    generator = np.random.default_rng(0)

    def noise(*shape: int) -> np.ndarray:
        return 0.03 * generator.standard_normal(shape)

    stereo = np.stack([_tone(330, 2.5, 22050), _tone(440, 2.5, 22050)], 1)
    stereo[: 22050 // 2] = 0  # noise alone for half a second
    soundfile.write(folder / "noisy.wav", stereo + noise(*stereo.shape), 22050, "PCM_16")
    mono = _tone(262, 1.2, 48000)
    soundfile.write(folder / "mono.wav", mono + noise(len(mono)), 48000, "PCM_24")
    soundfile.write(folder / "silent.wav", np.zeros(8000), 8000, "PCM_16")
    soundfile.write(folder / "flute.wav", _tone(300, 1, 8000), 8000, "PCM_16")
    soundfile.write(folder / "bell.wav", np.stack([_tone(900, 1.5, 16000)] * 2, 1), 16000)
    (folder / "sounds").mkdir()
    for number in range(5):
        path = folder / "sounds" / f"{number}.wav"
        soundfile.write(path, _tone(200 * (number + 1), 2, 8000), 8000, "PCM_16")


def _pictures(folder: Path) -> None:
    small, labels = load_digits(return_X_y=True)
    images = np.kron(small[:64].reshape(-1, 8, 8) / 16, np.ones((3, 3)))
    images = np.pad(images, ((0, 0), (2, 2), (2, 2))).astype(np.float32)
    np.savez(folder / "digits.npz", images=images[:12], labels=labels[:12])
    pixels = np.round(images * 255).astype(np.uint8)
    noisy = images[:12] + np.random.default_rng(1).normal(0.3, 0.3, images[:12].shape)
    np.savez(folder / "noisy.npz", images=np.clip(noisy, 0, 1).astype(np.float32))
    (folder / "scans").mkdir()
    for number in range(3):
        Image.fromarray(pixels[number]).save(folder / f"{number}.png")
        Image.fromarray(pixels[number + 3]).save(folder / "scans" / f"{number}.png")
    Image.fromarray(pixels[5]).resize((40, 30)).convert("RGB").save(folder / "other.png")
    mnist_folder(folder / "mnist", pixels, labels[:64], end="")
    data = (folder / "mnist" / "t10k-images-idx3-ubyte").read_bytes()
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(data, mtime=0))


def _codes(folder: Path) -> None:
    """Latent vectors drawn from a normal distribution, three for each shipped model."""
    for size in (2, 128, 768, 1536):
        mean = np.random.default_rng(size).standard_normal((3, size)).astype(np.float32)
        np.savez(folder / f"z{size}.npz", mean=mean)
    code = np.random.default_rng(5).standard_normal((3, 8, 4, 4)).astype(np.float32)
    np.savez(folder / "zconv.npz", mean=code.reshape(3, -1))
    np.savez(folder / "other.npz", stranger=np.zeros(3))


def _checkpoint(folder: Path) -> None:
    """Weights of a small melody model as magenta-js has them."""
    folder.mkdir()
    weights = variables("cat-mel_2bar_small")
    (folder / "group1-shard1of1").write_bytes(
        b"".join(array.astype("<f4").tobytes() for array in weights.values())
    )
    entries = [
        {"name": name, "shape": list(array.shape), "dtype": "float32"}
        for name, array in weights.items()
    ]
    manifest = [{"paths": ["group1-shard1of1"], "weights": entries}]
    (folder / "weights_manifest.json").write_text(json.dumps(manifest))


def _runs(folder: Path) -> None:
    """Settings of runs that are too small to be of use."""
    (folder / "tiny.yaml").write_text(
        "extends: mel-2bar\nname: tiny\n"
        "model: {latent_size: 4, encoder: {sizes: [8]}, decoder: {sizes: [8]}}\n"
        "training: {steps: 6, batch_size: 8, valid_every: 3, save_every: 3, valid_windows: 8}\n"
    )
    (folder / "wrong.yaml").write_text("extends: mel-2bar\nmodel: {latent_sise: 4}\n")
    (folder / "timbre.yaml").write_text(
        "extends: timbre\nname: tiny-timbre\n"
        + "\n".join(line.replace("=", ": ", 1) for line in TINY_TIMBRE)
        + "\ntraining: {steps: 4, batch_size: 4, valid_every: 2, save_every: 2, "
        "valid_windows: 6, stored: float32}\n"
    )
