"""Models of music as ONNX: what onnxruntime makes is what torch makes, at any batch and length."""

import json
import runpy

import numpy as np
import onnx
import pytest
import torch

from musicvae_lite.config import load_config
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.random import Noise
from musicvae_lite.model_dir.bundle import load_bundle
from musicvae_lite.model_dir.onnx import export_onnx, open_graph, run_graph
from musicvae_lite.music.portable.export import random_windows
from musicvae_lite.music.portable.loop import Decoding, decode
from musicvae_lite.music.portable.network import OnnxNetwork
from tests.tiny import SETTINGS, save_random

_HIERARCHICAL = [
    "model.latent_size=8",
    "model.encoder.sizes=[8]",
    "model.decoder.sizes=[8]",
    "model.decoder.conductor=[6]",
]
PRESETS = {
    "mel-2bar": SETTINGS,
    "mel-2bar-chords": SETTINGS,
    "groove-2bar": SETTINGS,
    "nade-drums_2bar_reduced": SETTINGS,
    "trio-16bar": [*_HIERARCHICAL, "model.encoder.upper_sizes=[4]", "model.encoder.readout_size=4",
                   "model.decoder.conductor_plan=6"],
    "hier-trio_16bar": [*_HIERARCHICAL, "model.encoder.sizes=[8,8]"],
    "multitrack-1bar-chords": _HIERARCHICAL,
}  # fmt: skip


_SLOW = {"mel-2bar", "nade-drums_2bar_reduced", "trio-16bar"}  # much like one of the others


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name in _SLOW else []) for name in PRESETS
    ],
)
def exported(request, tmp_path_factory):
    """A tiny model of a preset, and the folder of its graphs."""
    folder = tmp_path_factory.mktemp("onnx")
    save_random(folder / "model", load_config(request.param, PRESETS[request.param]))
    bundle = load_bundle(folder / "model")
    export_onnx(bundle, request.param, folder / "onnx")
    return bundle, folder / "onnx"


def network_of(folder):
    about = json.loads((folder / "musae.json").read_text())
    graphs = {key: open_graph(folder / graph["file"]) for key, graph in about["graphs"].items()}
    how = Decoding.read(about["decoding"])
    return OnnxNetwork(lambda key, feeds: run_graph(graphs[key], feeds), how,
                       "decoder_finish" in graphs), how  # fmt: skip


def control_of(model, codec, count):
    if not model.control_size:
        return None
    return torch.rand(count, codec.grid_steps, model.control_size)


def test_other_batches_and_lengths_than_exported_give_the_same(exported):
    bundle, folder = exported
    model, codec = bundle.model, bundle.codec
    network, how = network_of(folder)
    for count in (1, 4, 7):
        windows, control = random_windows(codec, count, count), control_of(model, codec, count)
        told = None if control is None else control.numpy()
        length = torch.arange(count) * 5 % codec.steps + 1
        with torch.no_grad():
            latent = model.encode(Batch(windows, windows, length, control)).latent
        mean, scale = network.encode(windows.numpy(), length.numpy(), told)
        np.testing.assert_allclose(mean, latent.mean, atol=1e-5)
        np.testing.assert_allclose(scale, latent.scale, atol=1e-5)
        z = torch.randn(count, model.latent_size)
        wanted = model.decode(z, codec.steps, 0.0, None, control)
        np.testing.assert_allclose(decode(network, how, z.numpy(), control=told), wanted, atol=1e-5)


def test_what_is_written_is_small_and_said(exported):
    bundle, folder = exported
    about = json.loads((folder / "musae.json").read_text())
    assert about["codec"] == bundle.codec.config()
    assert {path.name for path in folder.iterdir()} == {
        "musae.json", "README.md", *(graph["file"] for graph in about["graphs"].values())
    }  # fmt: skip
    for graph in about["graphs"].values():
        proto = onnx.load(folder / graph["file"])
        operators = {node.op_type for node in proto.graph.node}
        assert not operators & {"Loop", "If", "Scan"}
        assert all(isinstance(entry["shape"][0], str | int) for entry in graph["inputs"])


def test_the_program_in_the_readme_runs(exported, monkeypatch, capsys):
    _, folder = exported
    text = (folder / "README.md").read_text()
    (folder.parent / "run.py").write_text(text.split("```python\n")[1].split("```")[0])
    monkeypatch.chdir(folder)
    runpy.run_path(str(folder.parent / "run.py"))
    assert "(4," in capsys.readouterr().out


def test_drawn_events_are_those_of_torch(exported):
    bundle, folder = exported
    model, codec = bundle.model, bundle.codec
    network, how = network_of(folder)
    z, control = torch.randn(3, model.latent_size), control_of(model, codec, 3)
    wanted = model.decode(z, codec.steps, 0.8, Noise(5), control)

    class Same:
        noise = Noise(5)

        def uniform(self, shape):
            return self.noise.uniform(shape, torch.device("cpu")).numpy()

    told = None if control is None else control.numpy()
    found = decode(network, how, z.numpy(), 0.8, Same(), told)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
