"""Start weights of `mel-16bar` from `mel-2bar`: eight of its windows side by side, before any training.

    python tests/bench/start_mel_16bar.py CORPUS... START
    musae train mel-16bar --data CORPUS --init-from START ...

CORPUS was prepared for mel-16bar. The 64 numbers of mel-2bar's posterior mean that carry most bits on it become z, window after
window; the decoder of two bars gets them back by a linear map. What mel-2bar tells each step of z, directly and by its plan,
becomes one plan: the best map of that rank. The recurrent layers over the windows start at random and without effect.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from musicvae_lite.bundle import describe, load_weights, save_bundle
from musicvae_lite.codecs import build_codec
from musicvae_lite.config import load_config
from musicvae_lite.corpora.store import Corpus
from musicvae_lite.latent import Latent
from musicvae_lite.models import Autoencoder, Batch, build_model
from musicvae_lite.noise import Noise

SEGMENTS, STEPS, KEPT, WINDOWS = 8, 32, 64, 400


def model_of(preset: str) -> Autoencoder:
    config = load_config(preset)
    return build_model(config, build_codec(config.codec.model_dump())).eval()


@torch.inference_mode()
def main() -> None:
    *corpora, output = map(Path, sys.argv[1:])
    torch.manual_seed(0)
    small, large = model_of("mel-2bar"), model_of("mel-16bar")
    load_weights(small, describe("mel-2bar"))
    train = Corpus.open(corpora).split("train").windows
    tokens = torch.from_numpy(train[np.random.default_rng(0).permutation(len(train))[:WINDOWS]].astype(np.int64))
    rows = tokens.view(-1, STEPS)
    latent = small.encode(Batch(rows, rows))
    weights = dict(large.state_dict())
    copy_two_bars(weights, small.state_dict())
    copy_codes(weights, small.state_dict(), latent)
    copy_plan(weights, small.state_dict(), latent)
    large.load_state_dict(weights)
    batch = Batch(tokens[:64], tokens[:64])
    posterior = large.encode(batch)
    sampled = large.nll(posterior.sample(Noise(0)), batch).mean().item() / tokens.shape[1]
    right = (large.decode(posterior.mean, tokens.shape[1]) == batch.x).double().mean().item()
    print(f"{posterior.kl().sum(1).mean() / math.log(2):.0f} bits, {sampled:.3f} nats a step, {right:.4f} of steps right")
    save_bundle(output, load_config("mel-16bar"), large, {"init_from": "mel-2bar"}, {})


def copy_two_bars(weights: dict[str, Tensor], old: dict[str, Tensor]) -> None:
    """Take over what reads and writes the steps of two bars."""
    renamed = {"encoder.levels.0.": "encoder.stack.", "encoder.projects.0.": "encoder.project.", "decoder.core.": "decoder."}
    for key in weights:
        source = next((key.replace(new, name) for new, name in renamed.items() if key.startswith(new)), key)
        if source in old and old[source].shape == weights[key].shape:
            weights[key] = old[source]


def copy_codes(weights: dict[str, Tensor], old: dict[str, Tensor], latent: Latent) -> None:
    """Make z the busiest numbers of each window's mean, and give them back to each window; others keep their mean."""
    busy = latent.kl().mean(0).argsort(descending=True)[:KEPT]
    outputs = weights["encoder.projects.1.weight"].shape[1] - old["head.mean.weight"].shape[1]
    weights["encoder.projects.1.weight"] = torch.nn.functional.pad(old["head.mean.weight"][busy], (outputs, 0))
    weights["encoder.projects.1.bias"] = old["head.mean.bias"][busy]
    size = SEGMENTS * KEPT
    weights["head.mean.weight"], weights["head.mean.bias"] = torch.eye(size), torch.zeros(size)
    weights["head.scale.weight"] = torch.zeros(size, size)
    weights["head.scale.bias"] = torch.log(torch.expm1(latent.scale.mean(0)[busy])).repeat(SEGMENTS)
    plan = torch.zeros(SEGMENTS, latent.mean.shape[1], size)
    rest = latent.mean.mean(0).repeat(SEGMENTS, 1)
    for segment in range(SEGMENTS):
        plan[segment, busy, segment * KEPT + torch.arange(KEPT)] = 1.0
    rest[:, busy] = 0.0
    weights["decoder.plan.weight"], weights["decoder.plan.bias"] = plan.flatten(0, 1), rest.flatten()


def copy_plan(weights: dict[str, Tensor], old: dict[str, Tensor], latent: Latent) -> None:
    """Say z and the plan of each step by one plan of the rank that the new model has."""
    inputs = old["decoder.stack.layers.0.weight_ih_l0"]
    token, z, plan, position = inputs.split([64, latent.mean.shape[1], old["decoder.plan.weight"].shape[0] // STEPS, 16], 1)
    maps = old["decoder.plan.weight"].view(STEPS, plan.shape[1], -1)
    spread = latent.mean.std(0)
    whole = torch.stack([z + plan @ own for own in maps]) * spread
    left, values, right = torch.linalg.svd(whole.permute(1, 0, 2).flatten(1), full_matrices=False)
    rank = weights["decoder.core.plan.bias"].shape[0] // STEPS
    told = (right[:rank] * values[:rank, None]).view(rank, STEPS, -1).permute(1, 0, 2) / spread
    size = told.std()
    shape = left[:, :rank] * size
    biases = old["decoder.plan.bias"].view(STEPS, -1) @ plan.T
    weights["decoder.core.stack.layers.0.bias_ih_l0"] = old["decoder.stack.layers.0.bias_ih_l0"] + biases.mean(0)
    weights["decoder.core.stack.layers.0.weight_ih_l0"] = torch.cat([token, shape, position], 1)
    rows = {
        "plan": ((told / size).flatten(0, 1), ((biases - biases.mean(0)) @ torch.linalg.pinv(shape).T).flatten()),
        "start": (old["decoder.start.weight"], old["decoder.start.bias"]),
    }
    for name, (weight, bias) in rows.items():
        unseen = weights[f"decoder.core.{name}.weight"].shape[1] - weight.shape[1]  # the conductor's output: no effect yet
        weights[f"decoder.core.{name}.weight"] = torch.nn.functional.pad(weight, (unseen, 0))
        weights[f"decoder.core.{name}.bias"] = bias


if __name__ == "__main__":
    main()
