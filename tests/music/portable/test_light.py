"""Models of music without torch: NumPy makes the same notes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from musicvae_lite.config import load_config
from musicvae_lite.core.errors import MusaeError
from musicvae_lite.model_dir.bundle import load_bundle
from musicvae_lite.model_dir.handle import open_model
from musicvae_lite.music.portable.engine import NumpyEngine
from musicvae_lite.music.portable.export import decoding_of, random_windows
from musicvae_lite.music.portable.light import sooner
from musicvae_lite.music.torch_engine import TorchEngine
from tests.music.portable.test_export import PRESETS
from tests.tiny import SETTINGS, save, save_random

ROOT = Path(__file__).resolve().parents[3]
MORE = {
    **PRESETS,
    "cat-mel_2bar_big": [
        "model.latent_size=8", "model.encoder.sizes=[6]", "model.decoder.sizes=[6,5,4]"
    ],
    "flat-trio_16bar": [
        "model.latent_size=8", "model.encoder.sizes=[6]", "model.decoder.sizes=[6,5]"
    ],
    "drums-2bar": SETTINGS,
    "groovae_2bar_add_closed_hh": [
        "model.latent_size=8", "model.encoder.sizes=[6]", "model.decoder.sizes=[6,5]"
    ],
}  # fmt: skip


@pytest.fixture(scope="module", params=MORE)
def engines(request, tmp_path_factory):
    folder = save_random(
        tmp_path_factory.mktemp("light") / "model", load_config(request.param, MORE[request.param])
    )
    handle = open_model(folder)
    bundle = load_bundle(folder)
    return TorchEngine(bundle, handle.codec, "x"), NumpyEngine(handle.description, handle.codec)


def condition(engine, codec, count):
    if not engine.control_size:
        return None
    steps = codec.grid_steps if engine.timed else codec.steps
    return np.random.default_rng(3).random((count, steps, engine.control_size), np.float32)


def test_encoding_and_decoding_are_torchs(engines):
    torch, light = engines
    assert light.model.how == decoding_of(torch.model)
    codec, count = torch.codec, 5
    windows, told = random_windows(codec, count, 1).numpy(), condition(torch, codec, count)
    for length in (None, np.arange(count) * 5 % codec.steps + 1):
        for one, other in zip(
            torch.encode(windows, length, told), light.encode(windows, length, told), strict=True
        ):
            np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)
    z = np.random.default_rng(2).standard_normal((count, torch.latent_size)).astype(np.float32)
    for temperature in (0.0, 0.7):
        wanted = torch.decode(z, temperature, 5, told, None)
        np.testing.assert_allclose(light.decode(z, temperature, 5, told, None), wanted, atol=1e-5)
    np.testing.assert_allclose(light.draws(3, 4), torch.draws(3, 4), atol=1e-5)


def test_known_hits_stay(tmp_path):
    folder = save_random(tmp_path / "model", load_config("groove-2bar", SETTINGS))
    handle = open_model(folder)
    torch = TorchEngine(load_bundle(folder), handle.codec, "x")
    light = NumpyEngine(handle.description, handle.codec)
    z = np.random.default_rng(2).standard_normal((3, 4)).astype(np.float32)
    given = np.full((3, *handle.codec.shape), np.nan, np.float32)
    given[:, ::4, 0] = 1
    wanted = torch.decode(z, 0.0, 5, None, given)
    np.testing.assert_allclose(light.decode(z, 0.0, 5, None, given), wanted, atol=1e-5)


def test_damaged_weights_say_so(tmp_path):
    folder = save_random(tmp_path / "model", load_config("mel-2bar", SETTINGS))
    handle = open_model(folder)
    (folder / "model.safetensors").write_bytes(b"x")
    with pytest.raises(MusaeError, match="damaged"):
        handle.medium.light(handle.description, handle.codec, "x", 0)


def test_many_windows_are_for_torch():
    handle = open_model("mel-2bar")
    assert sooner(handle.description, handle.codec, 9)
    assert not sooner(handle.description, handle.codec, 100_000)


_WITHOUT = """
import sys
sys.modules["torch"] = None
from musae.app import main
for line in sys.stdin.read().splitlines():
    code = main(line.split())
    if code:
        sys.exit(code)
"""

_VERBS = """interpolate a.mid b.mid -o {0}/path.mid -q
reconstruct a.mid -o {0}/ -q
sample --count 3 -o {0}/ --seed 4 --prior normal -q
encode a.mid b.mid -o {0}/z.npz -q
decode {0}/z.npz -o {0}/decoded/ -q
interpolate a.mid b.mid -m mel-2bar-chords --temperature 0.5 -o {0}/chords.mid -q
"""


def run(code, text, cwd):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'cli'}"}
    return subprocess.run(
        [sys.executable, "-c", code], input=text, cwd=cwd, env=environment, text=True,
        capture_output=True,
    )  # fmt: skip


def test_verbs_write_the_same_without_torch(tmp_path):
    from tests.tiny import melody

    save(melody(5, 90, "A"), tmp_path / "a.mid")
    save(melody(3, 150, "B", 70), tmp_path / "b.mid")
    for name, code in (
        ("light", _WITHOUT),
        ("full", _WITHOUT.replace('sys.modules["torch"] = None', "import torch")),
    ):
        (tmp_path / name).mkdir()
        made = run(code, _VERBS.format(name), tmp_path)
        assert made.returncode == 0, made.stderr
    light = {path.relative_to(tmp_path / "light") for path in (tmp_path / "light").rglob("*.mid")}
    assert len(light) == 8
    for path in light:
        assert (tmp_path / "light" / path).read_bytes() == (tmp_path / "full" / path).read_bytes()
    one, other = (np.load(tmp_path / name / "z.npz") for name in ("light", "full"))
    np.testing.assert_allclose(one["mean"], other["mean"], atol=1e-5)


def test_what_needs_torch_says_so(tmp_path):
    made = run(_WITHOUT, "sample -m mnist-vae -o x.png", tmp_path)
    assert made.returncode == 1 and "needs torch" in made.stderr and "Traceback" not in made.stderr


def test_a_path_of_two_bars_is_made_before_torch_is_loaded(tmp_path):
    from tests.tiny import melody

    save(melody(5, 90, "A"), tmp_path / "a.mid")
    save(melody(3, 150, "B", 70), tmp_path / "b.mid")
    code = _WITHOUT.replace('sys.modules["torch"] = None', "") + "print('torch' in sys.modules)"
    made = run(code, "interpolate a.mid b.mid -q", tmp_path)
    assert made.stdout == "False\n", made.stderr
