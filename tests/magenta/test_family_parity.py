"""Checkpoints of magenta 2.1.4 itself, imported: the same numbers and the same music through the
public interface.
"""

import json

import numpy as np
import pytest
import torch

import musicvae_lite as mv
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.objective import Objective, Schedule

CASES = {
    "cat-mel_2bar": "cat-mel_2bar_small",
    "cat-drums_2bar": "cat-drums_2bar_small",
    "hierdec-mel_16bar": "hierdec-mel_16bar",
    "hierdec-trio_16bar": "hierdec-trio_16bar",
    "groovae_2bar": "groovae_2bar_humanize",
}


def windows_of(values, side="outputs"):
    """What the encoder sees (``inputs``) or the decoder must give: classes, or the numbers of a
    groove.
    """
    return values["in/index"] if "in/index" in values else values[f"in/{side}"].astype(np.float32)


@pytest.fixture(scope="module", params=CASES)
def magenta(request, shared_data, tmp_path_factory):
    folder = shared_data.parent / "magenta"
    if not folder.is_dir():
        pytest.skip(f"no Magenta fixtures at {folder}")
    settings = json.loads((folder / f"fixtures/{request.param}.json").read_text())
    values = dict(np.load(folder / f"fixtures/{request.param}.npz"))
    output = tmp_path_factory.mktemp("model") / request.param
    imported = mv.import_magenta(folder / settings["ckpt"], CASES[request.param], output)
    assert imported.step == settings["global_step"]
    return settings, values, mv.load(output, device="cpu")


def test_posterior(magenta):
    _, values, session = magenta
    mean, scale = session.encode_windows(windows_of(values, "inputs"), lengths=values["in/lengths"])
    for name in ("train", "api"):
        np.testing.assert_allclose(mean, values[f"{name}/mu"], atol=1e-5, rtol=0)
        np.testing.assert_allclose(scale, values[f"{name}/sigma"], atol=1e-5, rtol=0)


def test_logits_when_the_past_is_given(magenta):
    _, values, session = magenta
    windows, lengths = windows_of(values), values["in/lengths"]
    inside = (
        np.arange(windows.shape[1]) < lengths[:, None]
    )  # after it Magenta's logits are undefined
    for name, z in (("train", values["train/z"]), ("fixz", values["in/z"])):
        logits = session.teacher_forced(z, windows)
        np.testing.assert_allclose(
            logits[inside], values[f"{name}/logits_tf"][inside], atol=1e-5, rtol=0
        )


def test_losses(magenta):
    settings, values, session = magenta
    hparams = settings["hparams"]
    x, target = (torch.from_numpy(windows_of(values, side)) for side in ("inputs", "outputs"))
    batch = Batch(x, target, torch.from_numpy(values["in/lengths"]).long())
    latent = session.model.encode(batch).latent
    z = latent.at(torch.from_numpy(values["in/eps"]))
    nll = session.model.nll(z, batch)
    np.testing.assert_allclose(nll.detach(), values["train/r_loss"], rtol=1e-4)
    np.testing.assert_allclose(latent.kl().sum(1).detach(), values["train/kl_nats"], rtol=1e-4)
    beta = Schedule(end=hparams["max_beta"], shape="exponential", rate=hparams["beta_rate"])
    loss = Objective(beta, hparams["free_bits"])(nll, latent.penalties(), settings["global_step"])
    assert loss.total.item() == pytest.approx(float(values["train/loss"]), rel=1e-4)


@pytest.mark.parametrize("start", ["fixz", "mu"])
def test_greedy_decoding_is_the_same_symbol_by_symbol(magenta, start):
    _, values, session = magenta
    heard = session.decode_windows(values["in/z" if start == "fixz" else "api/mu"])
    if "in/index" in values:
        np.testing.assert_array_equal(
            heard, values[f"api/greedy_from_{start}_index"].reshape(heard.shape)
        )
        return
    theirs = values[f"api/greedy_from_{start}"]
    np.testing.assert_array_equal(heard[..., :9], theirs[..., :9])
    np.testing.assert_allclose(heard, theirs, atol=1e-5, rtol=0)
