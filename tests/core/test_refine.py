import torch

import musicvae_lite as mv
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.refine import refined
from tests.tiny import save_tiny_model


def test_a_refined_code_makes_its_window_likelier(tmp_path) -> None:
    model = mv.load(save_tiny_model(tmp_path / "tiny"), device="cpu").model
    windows = torch.randint(2, 90, (5, 32))
    batch = Batch(windows, windows)
    with torch.no_grad():
        start = model.encode(batch).latent.mean
        code = refined(model, start, batch, steps=5)
        assert (model.nll(code, batch) < model.nll(start, batch)).all()
        assert torch.equal(refined(model, start, batch, steps=0), start)
