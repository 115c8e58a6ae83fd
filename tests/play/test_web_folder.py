"""The page as a folder of files: its codecs and network are Python's, and it plays in Chromium."""

import json
import shutil
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest

from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.midi import METRE, NOTE, TEMPO, Score, Track, midi_bytes, read_midi
from musicvae_lite.model_dir.handle import open_model
from musicvae_lite.music.portable.engine import NumpyEngine
from musicvae_lite.music.portable.meanings import meanings
from musicvae_lite.play.web_folder import PAGE, write_folder

NODE = shutil.which("node")
SOURCES = PAGE.parent / "src"
CODECS = ("mel-2bar", "waltz-2bar", "jig-2bar", "drums-2bar", "groove-2bar")
MODELS = {"mel-2bar": 8, "drums-2bar": 8, "groove-2bar": 8, "mel-16bar": 2}
_DRUMS = (35, 36, 38, 42, 46, 49, 51, 45, 50, 60)
_METRES = ((4, 4), (3, 4), (6, 8), (2, 2))


def any_score(draw: np.random.Generator) -> Score:
    """A piece of random notes, tracks and metres."""
    quarter = int(draw.choice([96, 120, 220, 480]))
    tracks, rows = [], []
    for track in range(int(draw.integers(1, 4))):
        drum = bool(draw.random() < 0.5)
        tracks.append(Track(f"t{track}", 0 if drum else int(draw.integers(0, 60)), drum))
        for start in draw.integers(0, quarter * 48, int(draw.integers(5, 150))).tolist():
            pitch = draw.choice(_DRUMS) if drum else draw.integers(15, 112)
            end = start + int(draw.integers(1, quarter * 3))
            rows.append((start, end, int(pitch), int(draw.integers(1, 128)), track))
    notes = np.zeros(len(rows), NOTE)
    for place, name in enumerate(("start", "end", "pitch", "velocity", "track")):
        notes[name] = [row[place] for row in rows]
    metres = [(0, *_METRES[draw.integers(4)])] if draw.random() < 0.5 else [(0, 4, 4)]
    if draw.random() < 0.4:
        metres.append((quarter * int(draw.integers(8, 24)), *_METRES[draw.integers(3)]))
    tempos = np.array([(0, 120.0)], TEMPO)
    return Score(quarter, notes, tuple(tracks), tempos, np.array(metres, METRE), "any")


def codec_cases(name, files):
    codec = open_model(name).codec
    cases = []
    for path in files:
        encoded = codec.encode(read_midi(path))
        rows = zip(encoded.windows, encoded.origin, strict=True)
        made = [
            {"values": np.asarray(window, float).ravel().tolist(), "bar": int(origin["bar"]),
             "tick": int(origin["tick"]), "track": int(origin["track"])}
            for window, origin in rows
        ]  # fmt: skip
        decoded = [steps_of(codec.decode(window), codec) for window in encoded.windows[:20]]
        cases.append({"midi": str(path), "made": made, "decoded": decoded})
    return {"about": {"codec": codec.config(), "classes": meanings(codec)}, "cases": cases}


def steps_of(score, codec):
    step = score.ticks_per_quarter / codec.steps_per_quarter
    rows = [
        [note["start"] / step, note["end"] / step, int(note["pitch"]), int(note["velocity"])]
        for note in score.notes
    ]
    return sorted(rows, key=lambda row: (row[0], row[2]))


def model_cases(name, count, seed=1):
    handle = open_model(name)
    engine = NumpyEngine(handle.description, handle.codec)
    points = np.random.default_rng(seed).standard_normal((count, engine.latent_size))
    windows = engine.decode(points.astype(np.float32), 0.0, 0, None, None)
    floats = np.issubdtype(handle.codec.dtype, np.floating)
    means, _ = engine.encode(windows.astype(np.float32 if floats else np.int64), None, None)
    about = {
        "name": name,
        "model": handle.config.model.model_dump(mode="json"),
        "decoding": engine.model.how.as_dict(),
        "window": {"shape": list(handle.codec.shape)},
    }
    return {
        "about": about,
        "weights": str(handle.description.folder / "model.safetensors"),
        "points": points.astype(np.float32).tolist(),
        "decoded": windows.reshape(count, -1).astype(float).tolist(),
        "means": means.tolist(),
    }


def checked(folder, codecs, models):
    if NODE is None:
        pytest.skip("Node.js is not installed (apt install nodejs)")
    cases = folder / "cases.json"
    cases.write_text(json.dumps({"codecs": codecs, "models": models}))
    script = PAGE.parents[3] / "tests" / "play" / "web_check.mjs"
    command = [NODE, str(script), str(SOURCES), str(cases)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def scores(folder, count, seed):
    draw, paths = np.random.default_rng(seed), []
    for number in range(count):
        path = folder / f"{number}.mid"
        path.write_bytes(midi_bytes(any_score(draw)))
        paths.append(path)
    return paths


def test_codecs_and_networks_of_the_page_are_pythons(tmp_path):
    files = scores(tmp_path, 30, 0)
    codecs = [codec_cases(name, files) for name in CODECS]
    models = [model_cases(name, count) for name, count in MODELS.items()]
    found = checked(tmp_path, codecs, models)
    assert found["wrong"] == [] and found["windows"] > 200


@pytest.mark.slow
def test_a_thousand_windows_of_each_codec(tmp_path):
    files = scores(tmp_path, 1000, 1)
    for name in CODECS:
        case = codec_cases(name, files)
        assert sum(len(one["made"]) for one in case["cases"]) >= 1000
        assert checked(tmp_path, [case], [])["wrong"] == []
    for name in ("mel-2bar", "drums-2bar", "groove-2bar"):
        assert checked(tmp_path, [], [model_cases(name, 1000, 2)])["wrong"] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A web folder, served as any file host would."""
    folder = tmp_path_factory.mktemp("site")
    write_folder(open_model("mel-2bar"), folder)
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        port = int(server.stdout.readline().split(" port ")[1].split()[0])
        url = f"http://127.0.0.1:{port}/"
        urllib.request.urlopen(url, timeout=10).close()
        yield folder, url
        server.terminate()


def test_a_web_folder_is_small_and_plays_without_python(site, open_page):
    folder, url = site
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 12e6
    begun = time.monotonic()
    page = open_page(url).ready()
    page.wait("musae.app.current.notes.length > 0")
    assert time.monotonic() - begun < 20
    page.wait("musae.app.cells.pieces.length >= 25")
    page.page.keyboard.press("Space")
    page.wait("(musae.app.player.sound?.level ?? 0) > 0.002")
    assert all(address.startswith((url, "data:", "blob:")) for address in page.requests)
    points = "musae.app.model.decode([musae.app.current.z]).then(([piece]) => piece.notes.length)"
    assert page.value(points) > 0


@pytest.mark.parametrize("name", ["mel-2bar-chords", "trio-16bar", "mnist-vae"])
def test_a_model_that_the_page_cannot_run_is_refused(name, tmp_path):
    with pytest.raises(UsageError, match="melodies, drums and grooves"):
        write_folder(open_model(name), tmp_path / "site")
    assert not (tmp_path / "site").exists()
