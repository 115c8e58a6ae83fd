"""The sequence model against magenta 2.1.4 itself: one of its checkpoints and what it computed from
it.
"""

import json

import numpy as np
import pytest
import torch

from musicvae_lite.config import DecoderSettings, EncoderSettings, RunConfig, SequenceModel
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.latent import Latent
from musicvae_lite.core.objective import Objective, Schedule
from musicvae_lite.music.model import build
from musicvae_lite.training.optimiser import clip_gradients, make_optimiser, set_rate
from tests.magenta.tf_checkpoint import read_checkpoint

CASE = "cat-mel_2bar"
CELL = "multi_rnn_cell/cell_{}/lstm_cell"


@pytest.fixture(scope="module")
def magenta(shared_data):
    folder = shared_data.parent / "magenta"
    if not folder.is_dir():
        pytest.skip(f"no Magenta fixtures at {folder}")
    settings = json.loads((folder / f"fixtures/{CASE}.json").read_text())
    values = dict(np.load(folder / f"fixtures/{CASE}.npz"))
    return settings, values, read_checkpoint(folder / settings["ckpt"])


def lstm_weights(kernel, bias, inputs, forget_bias):
    """Magenta's gate order i, j, f, o and its forget bias of 1 that is not stored, in the layout of
    torch.
    """
    i, j, f, o = np.split(kernel, 4, axis=1)
    rows = np.concatenate([i, f, j, o], axis=1).T
    bi, bj, bf, bo = np.split(bias, 4)
    bias = np.concatenate([bi, bf + forget_bias, bj, bo])
    return {
        "weight_ih": rows[:, :inputs],
        "weight_hh": rows[:, inputs:],
        "bias_ih": bias,
        "bias_hh": 0 * bias,
    }


def as_state_dict(weights, layers, forget_bias=1):
    """Magenta's variables (or their gradients, with ``forget_bias`` 0) under our names."""
    state = {}

    def cell(target, scope, suffix, inputs):
        kernel, bias = weights[f"{scope}/kernel"], weights[f"{scope}/bias"]
        for name, value in lstm_weights(kernel, bias, inputs, forget_bias).items():
            state[f"{target}.{name}_l0{suffix}"] = value

    for direction, suffix in (("fw", ""), ("bw", "_reverse")):
        scope = f"encoder/cell_0/bidirectional_rnn/{direction}/{CELL.format(0)}"
        cell("encoder.stack.layers.0", scope, suffix, 90)
    size = weights["decoder/output_projection/kernel"].shape[0]
    for layer in range(layers):
        scope = f"decoder/{CELL.format(layer)}"
        cell(f"decoder.stack.layers.{layer}", scope, "", weights[f"{scope}/kernel"].shape[0] - size)
    for ours, theirs in {
        "head.mean": "encoder/mu",
        "head.scale": "encoder/sigma",
        "decoder.start": "decoder/z_to_initial_state",
        "decoder.output": "decoder/output_projection",
    }.items():
        state[f"{ours}.weight"], state[f"{ours}.bias"] = (
            weights[f"{theirs}/kernel"].T,
            weights[f"{theirs}/bias"],
        )
    return {key: torch.from_numpy(np.array(value)) for key, value in state.items()}


@pytest.fixture
def model(magenta):
    settings, _, weights = magenta
    sizes = settings["hparams"]
    config = SequenceModel(
        latent_size=sizes["z_size"],
        encoder=EncoderSettings(sizes=sizes["enc_rnn_size"]),
        decoder=DecoderSettings(sizes=sizes["dec_rnn_size"]),
    )
    model = build(config, settings["output_depth"], sizes["max_seq_len"])
    model.load_state_dict(as_state_dict(weights, len(sizes["dec_rnn_size"])))
    return model


@pytest.fixture
def batch(magenta):
    tokens = torch.from_numpy(magenta[1]["in/index"])
    return Batch(tokens, tokens, torch.from_numpy(magenta[1]["in/lengths"]))


def close(ours, theirs, **tolerance):
    torch.testing.assert_close(
        ours.detach(), torch.from_numpy(np.array(theirs)), **({"atol": 1e-5, "rtol": 0} | tolerance)
    )


def within(batch):
    """Steps inside the length of each sequence; after it Magenta's logits are undefined."""
    return torch.arange(batch.target.shape[1]) < batch.length.unsqueeze(1)


def test_posterior(model, batch, magenta):
    latent = model.encode(batch).latent
    close(latent.mean, magenta[1]["train/mu"])
    close(latent.scale, magenta[1]["train/sigma"])
    close(latent.kl().sum(1), magenta[1]["train/kl_nats"], rtol=1e-5)


def test_teacher_forced_logits_and_losses(model, batch, magenta):
    values = magenta[1]
    for case, z in (("train", values["train/z"]), ("fixz", values["in/z"])):
        z = torch.from_numpy(z)
        inside = within(batch)
        close(
            model.logits(z, batch)[inside],
            torch.from_numpy(values[f"{case}/logits_tf"])[inside].numpy(),
        )
        close(model.nll(z, batch), values[f"{case}/r_loss"], rtol=1e-5)


@pytest.mark.parametrize("start", ["fixz", "mu"])
def test_greedy_decoding_is_the_same_symbol_by_symbol(model, magenta, start):
    values = magenta[1]
    z = torch.from_numpy(values["in/z" if start == "fixz" else "api/mu"])
    assert torch.equal(
        model.decode(z, 32), torch.from_numpy(values[f"api/greedy_from_{start}_index"])[..., 0]
    )


def test_total_loss_gradients_and_one_adam_step(model, batch, magenta):
    settings, values, weights = magenta
    hparams, step = settings["hparams"], settings["global_step"]
    beta = Schedule(end=hparams["max_beta"], shape="exponential", rate=hparams["beta_rate"])
    rate = Schedule(
        hparams["learning_rate"],
        hparams["min_learning_rate"],
        shape="exponential",
        rate=hparams["decay_rate"],
    )
    latent = model.encode(batch).latent
    z = Latent(latent.mean, latent.log_scale).at(torch.from_numpy(values["in/eps"]))
    loss = Objective(beta, hparams["free_bits"])(model.nll(z, batch), latent.penalties(), step)
    # Magenta raises 0.9999 to the step in float32; we do it in float64.
    assert loss.beta == pytest.approx(float(values["train/beta"]), rel=2e-4)
    assert loss.total.item() == pytest.approx(float(values["train/loss"]), rel=1e-5)
    assert rate(step) == pytest.approx(float(values["train/lr"]), rel=2e-4)

    loss.total.backward()
    layers = len(hparams["dec_rnn_size"])
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    gradients = as_state_dict(
        {k[5:]: v for k, v in values.items() if k.startswith("grad/")}, layers, forget_bias=0
    )
    for name, parameter in trained.items():
        close(parameter.grad, gradients[name].numpy(), rtol=1e-4)

    norm = clip_gradients(
        list(trained.values()), hparams["grad_clip"], hparams["grad_norm_clip_to_zero"]
    )
    assert norm == pytest.approx(float(values["train/grad_norm"]), rel=1e-4)
    optimiser = make_optimiser(model, RunConfig(name="parity"))
    set_rate(optimiser, float(values["train/lr"]), 1e-8, step=0)  # the fixture's Adam starts afresh
    optimiser.step()
    after = as_state_dict(
        {k[9:]: v for k, v in values.items() if k.startswith("w_after1/")}, layers
    )
    for name, parameter in trained.items():
        close(parameter, after[name].numpy(), atol=2e-6)
