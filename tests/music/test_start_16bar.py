"""The start weights of the models of 16 bars do what the models of two bars do, window by
window.
"""

import pytest
import torch

from musicvae_lite.config import load_config
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.medium import build_model
from tests.bench.start_16bar import start

BARS, CODE = 4, 6  # two windows of 32 steps, all numbers of their latents kept


def model(preset, *changes):
    config = load_config(preset, ["model.encoder.sizes=[7]", "model.decoder.sizes=[8]", *changes])
    return build_model(config, build_codec(config.codec.model_dump())).eval()


def small(preset):
    made = model(
        preset,
        f"model.latent_size={CODE}",
        "model.decoder.plan_size=3",
        "model.encoder.readout_size=4",
    )
    with torch.no_grad():  # z must count, and differ from window to window
        made.head.mean.weight.mul_(1000)
        made.head.scale.bias.uniform_(-2, 0)
        made.decoder.plan.weight.mul_(5)
    return made


@pytest.mark.parametrize(("preset", "shifts"), [("mel-16bar", [0]), ("trio-16bar", [0, 24, 0])])
def test_all_windows_are_read_and_written_as_by_the_models_of_two_bars(preset, shifts):
    torch.manual_seed(3)
    voices = [
        (small(name), shift, 1.3)
        for name, shift in zip(["mel-2bar", "mel-2bar", "drums-2bar"], shifts, strict=False)
    ]
    segments, size = BARS // 2, CODE * len(voices)
    large = model(
        preset,
        f"codec.bars={BARS}",
        f"model.latent_size={segments * size}",
        f"model.encoder.levels=[32, {segments}]",
        f"model.encoder.readout_size=[4, {CODE}]",
        f"model.decoder.levels=[{segments}, 32]",
        "model.decoder.conductor=[5]",
        f"model.decoder.conductor_plan={size + 2}",
        f"model.decoder.plan_size={CODE + 3}",
    )
    tokens = torch.stack(
        [torch.randint(0, len(one.decoder.output.bias), (40, 32 * segments)) for one, *_ in voices],
        -1,
    )
    start(large, voices, tokens if len(voices) > 1 else tokens[..., 0])
    rows = tokens[:5]
    batch = Batch(*2 * [rows if len(voices) > 1 else rows[..., 0]])
    latent = large.encode(batch).latent
    wanted, bits = [], 0.0
    for index, (one, shift, _) in enumerate(voices):
        parts = rows[..., index].reshape(-1, 32)
        own = torch.where(parts >= 2, (parts - 2 + shift) % 88 + 2, parts) if shift else parts
        each = Batch(own, own)
        code = one.encode(each).latent
        bits += code.mean.std()
        logits = one.logits(code.mean, each)
        if shift:
            logits = torch.cat([logits[..., :2], logits[..., 2:].roll(-shift, -1)], -1)
        wanted.append(logits.reshape(5, 32 * segments, -1))
    assert bits > 0.1
    torch.testing.assert_close(
        large.logits(latent.mean, batch), torch.cat(wanted, -1), atol=2e-3, rtol=1e-3
    )
    assert (latent.mean.std(0) > 0).all()


def test_noise_of_z_is_that_of_the_codes_and_z_varies_as_the_prior_does():
    torch.manual_seed(4)
    one = small("mel-2bar")
    large = model(
        "mel-16bar",
        "codec.bars=4",
        "model.latent_size=8",
        "model.encoder.levels=[32, 2]",
        f"model.encoder.readout_size=[4, {CODE}]",
        "model.decoder.levels=[2, 32]",
        "model.decoder.plan_size=9",
    )
    tokens = torch.randint(0, 90, (300, 64))
    start(large, [(one, 0, 1.0)], tokens)
    latent = large.encode(Batch(tokens, tokens)).latent
    spread = (
        latent.mean.var(0, unbiased=False)
        + latent.mean.mean(0) ** 2
        + latent.scale.square().mean(0)
    )
    torch.testing.assert_close(spread, torch.ones(8), atol=2e-2, rtol=0)
