import numpy as np
import pytest
import torch

from musicvae_lite.config import SequenceModel
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.objective import NATS_PER_BIT
from musicvae_lite.music.evaluate.sequences import evaluate_windows
from musicvae_lite.music.model import build


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build(SequenceModel(latent_size=4), 90, 32)


@pytest.fixture(scope="module")
def windows():
    return np.random.default_rng(0).integers(0, 90, (21, 32)).astype(np.uint8)


def test_measures_are_what_they_say(model, windows):
    measures = evaluate_windows(model, windows)
    tokens = torch.from_numpy(windows.astype(np.int64))
    batch = Batch(tokens, tokens)
    with torch.no_grad():
        latent = model.encode(batch).latent
        right = model.decode(latent.mean, 32) == tokens
    assert measures.n == 21
    assert measures.kl_bits == pytest.approx(
        latent.kl().sum(1).mean().item() / NATS_PER_BIT, rel=1e-5
    )
    assert measures.accuracy == pytest.approx(right.float().mean().item())
    assert measures.onset_accuracy == pytest.approx(right[tokens >= 2].float().mean().item())
    assert measures.exact == right.all(1).float().mean().item()
    assert 140 < measures.nll_nats < 150  # an untrained model: 32 steps of about log(90)


def test_batch_size_does_not_change_what_is_not_drawn(model, windows):
    whole, parts = evaluate_windows(model, windows), evaluate_windows(model, windows, batch_size=4)
    assert whole.accuracy == parts.accuracy
    assert whole.kl_bits == pytest.approx(parts.kl_bits, rel=1e-5)
    assert evaluate_windows(model, windows, seed=1) == evaluate_windows(model, windows, seed=1)


def test_nothing_to_measure(model):
    with pytest.raises(ValueError, match="no window"):
        evaluate_windows(model, np.zeros((0, 32), np.uint8))
