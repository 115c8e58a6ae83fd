"""Start weights of `mel-16bar` or `trio-16bar` from models of two bars: eight windows side by side,
before any training.

    python tests/bench/start_16bar.py [--noise 1.3] mel-16bar CORPUS... START
    musae train mel-16bar --data CORPUS --init-from START ...

CORPUS was prepared for the same preset. A model of two bars reads and writes each voice: `mel-2bar`
melodies, and basses two octaves lower; `drums-2bar` drums. Of each window its posterior mean gives
the principal components, in units of its standard deviation; z has, for each wave of their cosine
transform over the eight windows, the principal components of all voices that vary most on CORPUS,
so that what a piece repeats is said once. What the decoder of two bars tells each step of z,
directly and by its
plan, becomes one plan: the best map of that rank. The recurrent layers over the windows start at
random and without effect. ``--noise``: how many times larger than those models' the noise of z is
to be.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from musicvae_lite.config import load_config
from musicvae_lite.core.autoencoder import Autoencoder, Batch
from musicvae_lite.core.medium import build_model
from musicvae_lite.model_dir.bundle import load_bundle, save_bundle
from musicvae_lite.music.codecs.melody import FIRST_NOTE
from musicvae_lite.music.data.corpus import Corpus
from musicvae_lite.music.evaluate.sequences import evaluate_windows
from musicvae_lite.nn.dct import cosines

WINDOWS = 1600
SOURCES = {
    "mel-16bar": [("mel-2bar", 0)],
    "trio-16bar": [("mel-2bar", 0), ("mel-2bar", 24), ("drums-2bar", 0)],
}


@dataclass(frozen=True)
class Voice:
    """A model of two bars and the codes it gives to the windows of a voice.

    Attributes:
        weights: of the model.
        events: class of the model that each class of the voice is.
        mean: of the posterior means, [Z].
        read: from a posterior mean less that to a code of mean 0 and variance 1, [K, Z].
        write: back, [Z, K].
        codes: [N, S, K].
        noise: standard deviation of the posterior in each number of a code, [K].
    """

    weights: dict[str, Tensor]
    events: Tensor
    mean: Tensor
    read: Tensor
    write: Tensor
    codes: Tensor
    noise: Tensor


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("preset")
    parser.add_argument("folders", nargs="+")
    wanted = parser.parse_args()
    preset, (*corpora, output) = wanted.preset, wanted.folders
    torch.manual_seed(0)
    config, corpus = load_config(preset), Corpus.open(corpora)
    large, sources = build_model(config, corpus.codec).eval(), SOURCES[preset]
    train, held_out = (corpus.split(name) for name in ("train", "valid"))
    windows = next(train.batches(min(WINDOWS, len(train)), seed=0, epoch=0)).target
    small = {name: load_bundle(name) for name, _ in sources}
    beta = {name: bundle.config.objective.beta.end for name, bundle in small.items()}
    # A model bears noise as it was charged for bits: the variance goes with beta (Alemi et al.
    # 2018).
    voices = [
        (small[name].model, shift, wanted.noise * (max(beta.values()) / beta[name]) ** 0.5)
        for name, shift in sources
    ]
    start(large, voices, torch.from_numpy(windows.astype(np.int64)))
    save_bundle(Path(output), config, large, {"init_from": ", ".join(sorted(small))}, {})
    measures = evaluate_windows(
        large, held_out.windows[:: -(-len(held_out) // 128)], codec=corpus.codec
    ).as_dict()
    print(", ".join(f"{key} {value:.4g}" for key, value in measures.items()))


@torch.inference_mode()
def start(
    large: Autoencoder, small: Sequence[tuple[Autoencoder, int, float]], tokens: Tensor
) -> None:
    """Fill a model of many windows.

    Args:
        large: of V voices.
        small: for each voice the model of one window, by how many semitones higher that is to read
            and write it, and how many times the noise of its posterior its codes are to have.
        tokens: examples, [N, T] or [N, T, V].
    """
    weights = dict(large.state_dict())
    size = weights["decoder.conductor.layers.0.weight_ih_l0"].shape[1]
    kept = large.encoder.output_size // large.decoder.segments // len(small)
    rows = tokens.view(len(tokens), large.decoder.segments, large.decoder.steps, len(small))
    voices = [voice_of(*source, rows[..., index], kept) for index, source in enumerate(small)]
    for index, voice in enumerate(voices):
        split = len(voices) > 1
        encoder, core = (
            (f"encoder.parts.{index}.", f"decoder.core.cores.{index}.")
            if split
            else ("encoder.", "decoder.core.")
        )
        copy_two_bars(weights, voice, encoder, core)
        copy_plan(weights, voice, core, index * kept, size)
    copy_codes(
        weights,
        torch.stack([voice.codes for voice in voices], 1),
        torch.stack([voice.noise for voice in voices]),
    )
    large.load_state_dict(weights)


def voice_of(small: Autoencoder, shift: int, noise: float, tokens: Tensor, kept: int) -> Voice:
    """Read windows [N, S, L] of a voice by a model, ``shift`` semitones higher.

    Notes above its range come in below.

    The noise of its codes is ``noise`` times that of its posterior.
    """
    weights = dict(small.state_dict())
    events = torch.arange(len(weights["decoder.output.bias"]))
    if shift:
        events[FIRST_NOTE:] = events[FIRST_NOTE:].roll(-shift)
    latents = [
        small.encode(Batch(part, part)).latent for part in events[tokens].flatten(0, 1).split(512)
    ]
    means = torch.cat([latent.mean for latent in latents])
    scale = torch.cat([latent.scale for latent in latents]).log().mean(0).exp()
    mean = means.mean(0)
    _, spread, axes = torch.linalg.svd((means - mean) / scale, full_matrices=False)
    spread = spread[:kept] / len(means) ** 0.5
    read, write = axes[:kept] / spread[:, None] / scale, scale[:, None] * axes[:kept].T * spread
    return Voice(
        weights,
        events,
        mean,
        read,
        write,
        ((means - mean) @ read.T).view(*tokens.shape[:2], kept),
        noise / spread,
    )


def copy_two_bars(weights: dict[str, Tensor], voice: Voice, encoder: str, core: str) -> None:
    """Take over what reads and writes the steps of two bars, and make the codes the encoder's
    output.
    """
    old, outputs = voice.weights, f"{encoder}projects.1."
    renamed = {f"{encoder}levels.0.": "encoder.stack.", f"{encoder}projects.0.": "encoder.project."}
    renamed |= {encoder: "encoder.", core: "decoder."}
    for key in weights:
        source = next(
            (key.replace(new, name, 1) for new, name in renamed.items() if key.startswith(new)),
            None,
        )
        if source in old and old[source].shape == weights[key].shape:
            weights[key] = old[source]
    none = torch.tensor([len(voice.events)])  # stands for nothing
    for key in (f"{encoder}tokens.embedding.weight", f"{core}tokens.embedding.weight"):
        weights[key] = weights[key][torch.cat([voice.events, none])]
    for key in (f"{core}output.weight", f"{core}output.bias"):
        weights[key] = weights[key][voice.events]
    unseen = (
        weights[f"{outputs}weight"].shape[1] - old["head.mean.weight"].shape[1]
    )  # the upper LSTM: no effect yet
    weights[f"{outputs}weight"] = F.pad(voice.read @ old["head.mean.weight"], (unseen, 0))
    weights[f"{outputs}bias"] = voice.read @ (old["head.mean.bias"] - voice.mean)


def copy_plan(weights: dict[str, Tensor], voice: Voice, core: str, first: int, size: int) -> None:
    """Say z and the plan of each step by one plan of the rank that the new model has.

    The voice's code begins at ``first`` of the ``size`` numbers that the decoder of a window gets
    after the conductor's output.
    """
    old, (latent, kept) = voice.weights, voice.write.shape
    steps, place = old["decoder.position"].shape
    inputs, own = (
        old["decoder.stack.layers.0.weight_ih_l0"],
        old["decoder.plan.weight"].view(steps, -1, latent),
    )
    token, z, plan, position = inputs.split(
        [inputs.shape[1] - latent - own.shape[1] - place, latent, own.shape[1], place], 1
    )
    maps = z + plan @ own
    spread = voice.codes.flatten(0, 1).std(0)
    whole = maps @ voice.write * spread
    left, values, right = torch.linalg.svd(whole.permute(1, 0, 2).flatten(1), full_matrices=False)
    rank = weights[f"{core}plan.bias"].shape[0] // steps
    told = (right[:rank] * values[:rank, None]).view(rank, steps, kept).permute(1, 0, 2) / spread
    scale = told.std()
    shape = left[:, :rank] * scale
    biases = old["decoder.plan.bias"].view(steps, -1) @ plan.T + maps @ voice.mean
    weights[f"{core}stack.layers.0.bias_ih_l0"] = old[
        "decoder.stack.layers.0.bias_ih_l0"
    ] + biases.mean(0)
    weights[f"{core}stack.layers.0.weight_ih_l0"] = torch.cat([token, shape, position], 1)
    start = old["decoder.start.weight"]
    rows = {
        "plan": (
            (told / scale).flatten(0, 1),
            ((biases - biases.mean(0)) @ torch.linalg.pinv(shape).T).flatten(),
        ),
        "start": (start @ voice.write, old["decoder.start.bias"] + start @ voice.mean),
    }
    for name, (weight, bias) in rows.items():
        embedding = weights[f"{core}{name}.weight"].shape[1]
        before = (
            embedding - size + first
        )  # the conductor's output and the other voices: no effect yet
        weights[f"{core}{name}.weight"] = F.pad(weight, (before, embedding - before - kept))
        weights[f"{core}{name}.bias"] = bias


def copy_codes(weights: dict[str, Tensor], codes: Tensor, noise: Tensor) -> None:
    """Make z the principal components of codes [N, V, S, K] of noise [V, K], and give the windows
    their codes back.
    """
    count, voices, segments, kept = codes.shape
    waves = torch.einsum("fs,nvsk->nfvk", cosines(segments), codes / noise[:, None]).flatten(2)
    _, spread, axes = torch.linalg.svd(waves.transpose(0, 1), full_matrices=False)
    size = weights["head.mean.bias"].numel() // segments
    # So that z, with noise of standard deviation 1 before, varies as the prior does.
    scale = (1 + spread[:, :size].square() / count).rsqrt()[..., None]
    axes = axes[:, :size]
    read, write = axes / noise.flatten() * scale, (axes * noise.flatten() / scale).transpose(1, 2)
    plan = "decoder.plan.maps"
    if f"{plan}.weight" not in weights:  # maps and transform in one matrix
        plan = "decoder.plan"
        read = (
            torch.einsum(
                "fs,fzvk->fzvsk", cosines(segments), read.view(segments, size, voices, kept)
            )
            .flatten(0, 1)
            .flatten(1)
        )
        write = torch.einsum("fs,fpz->spfz", cosines(segments), write).flatten(2)
    rows = weights[f"{plan}.weight"].view(segments, -1, write.shape[-1]).clone()
    rows[:, : voices * kept] = (
        write  # where there are more rows than numbers of a code, they start at random
    )
    noise_of_z = torch.log(torch.expm1(scale)).view(weights["head.scale.bias"].shape)
    filled = {"head.mean": (read, 0.0), "head.scale": (0.0 * read, noise_of_z), plan: (rows, 0.0)}
    for name, (weight, bias) in filled.items():
        weights[f"{name}.weight"] = weight.view(weights[f"{name}.weight"].shape)
        weights[f"{name}.bias"] = torch.zeros_like(weights[f"{name}.bias"]) + bias


if __name__ == "__main__":
    main()
