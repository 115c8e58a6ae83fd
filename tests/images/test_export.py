"""Models of images as ONNX: onnxruntime makes what torch makes, at any batch."""

import json
import runpy

import numpy as np
import pytest
import torch

from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.model_dir.bundle import load_bundle
from musicvae_lite.model_dir.onnx import export_onnx, open_graph, run_graph
from tests.tiny import save_picture_model


@pytest.mark.parametrize("special", ["ae", "residual", "conditional"])
def test_other_batches_than_exported_give_the_same(special, tmp_path, monkeypatch, capsys):
    bundle = load_bundle(save_picture_model(tmp_path / "model", special))
    folder, model = tmp_path / "onnx", bundle.model
    export_onnx(bundle, special, folder)
    about = json.loads((folder / "musae.json").read_text())
    image = torch.rand(4, *about["reads"].values())
    label = torch.eye(model.classes)[[1, 3, 5, 7]] if model.classes else None
    told = {} if label is None else {"label": label.numpy()}
    with torch.no_grad():
        latent = model.encode(Batch(image, image, condition=label)).latent
        wanted = model.predict(latent.mean, Batch(image, image, condition=label))
    encoder, decoder = (open_graph(folder / f"{name}.onnx") for name in ("encoder", "decoder"))
    mean, *scale = run_graph(encoder, {"image": image.numpy(), **told})
    np.testing.assert_allclose(mean, latent.mean, atol=1e-5)
    if scale:
        np.testing.assert_allclose(scale[0], latent.scale, atol=1e-5)
    given = {"image": image.numpy()} if model.residual else {}
    made = run_graph(decoder, {"z": mean, **told, **given})[0]
    if not model.residual:
        wanted = model.decode(latent.mean, condition=label).detach()
    np.testing.assert_allclose(made, wanted, atol=1e-5)
    monkeypatch.chdir(folder)
    text = (folder / "README.md").read_text()
    (tmp_path / "run.py").write_text(text.split("```python\n")[1].split("```")[0])
    runpy.run_path(str(tmp_path / "run.py"))
    assert capsys.readouterr().out.startswith("(2, ")
