"""A denoiser as ONNX: features and mask are those of torch, for other sounds and lengths."""

import runpy

import numpy as np
import torch

from musicvae_lite.audio.denoise.export import CHUNK
from musicvae_lite.audio.denoise.network import features, to_bins
from musicvae_lite.config import load_config
from musicvae_lite.model_dir.bundle import load_bundle
from musicvae_lite.model_dir.onnx import export_onnx, open_graph, run_graph
from tests.tiny import save_random


def test_other_lengths_than_exported_give_the_same(tmp_path, monkeypatch, capsys):
    changes = ["model.channels=[2,4,4,4]", "model.blocks=[1,1,1,1]", "model.latent_size=4"]
    bundle = load_bundle(save_random(tmp_path / "model", load_config("denoise-small", changes)))
    folder, model = tmp_path / "onnx", bundle.model
    export_onnx(bundle, "denoise", folder)
    spectrum = torch.randn(1, model.grid.bins, CHUNK, dtype=torch.complex64) * torch.linspace(
        1e-3, 10, CHUNK
    )
    with torch.no_grad():
        seen = features(spectrum)
        wanted = to_bins(model.network(seen), model.grid.bins)
    parts = torch.stack([spectrum.real, spectrum.imag], 1).numpy()
    (found,) = run_graph(open_graph(folder / "features.onnx"), {"spectrum": parts})
    np.testing.assert_allclose(found, seen, atol=2e-4)
    mask = open_graph(folder / "mask.onnx")
    (gain,) = run_graph(mask, {"features": seen.numpy()})
    np.testing.assert_allclose(gain, wanted, atol=1e-4)
    monkeypatch.chdir(folder)
    text = (folder / "README.md").read_text()
    (tmp_path / "run.py").write_text(text.split("```python\n")[1].split("```")[0])
    runpy.run_path(str(tmp_path / "run.py"))
    assert capsys.readouterr().out
