"""Writes the tables of docs/lesson-parity.md from trained run folders.

    python tests/bench/lesson_parity.py RUNS --data MNIST > tables.md

RUNS holds one folder a run, as docs/lesson-parity.md lists them (``musae train PRESET -o
RUNS/NAME``); runs that are missing are left out. Everything is counted on the 10,000 official test
pictures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import musicvae_lite as mv
from musicvae_lite.core.evaluation import Evaluation
from musicvae_lite.images.codec import ImageCodec
from musicvae_lite.images.data.pictures import Split, open_pictures

# name of the run, what the lesson calls it, key of the figure, the lesson's figures
PARITY = [
    (
        "mnist-ae",
        "convolutional autoencoder",
        "bce_mean",
        "0.0953 (TF, 25 epochs), 0.104 (PyTorch, 30)",
    ),
    (
        "mnist-denoise",
        "denoiser, noise sd 0.5",
        "bce_mean",
        "0.1398 (TF, fitted further from the autoencoder)",
    ),
    (
        "mnist-denoise-03",
        "denoiser, noise sd 0.3",
        "bce_mean",
        "0.133 (PyTorch, 100 epochs, 256 noise patterns)",
    ),
    ("mnist-superres", "super-resolution 14 to 28", "bce_mean", "0.0955 (TF), 0.103 (PyTorch)"),
    ("mnist-vae", "fully connected VAE, 2 numbers", "lesson_loss", "35.73 (TF), 35.6 (PyTorch)"),
    (
        "mnist-aae",
        "adversarial autoencoder, 150 numbers",
        "bce_mean",
        "0.0945 (PyTorch, discriminator never trained)",
    ),
]


def measures(folder: Path, data: Path, claims: bool = False) -> Evaluation:
    return mv.evaluate(folder, data, claims=claims)


def parity(runs: Path, data: Path) -> Iterator[str]:
    yield "| preset | lesson's model | figure | the lesson | musae | MSE | PSNR | SSIM |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, title, key, recorded in PARITY:
        if not (runs / name / "config.json").exists():
            continue
        found = measures(runs / name, data).measures.as_dict()
        rest = f"{found['mse_mean']:.4f} | {found['psnr_db']:.2f} dB | {found['ssim']:.3f}"
        yield f"| `{name}` | {title} | {key} | {recorded} | **{found[key]:.4f}** | {rest} |"


def variational(runs: Path, data: Path) -> Iterator[str]:
    yield (
        "| run | latent numbers | ELBO, nats | reconstruction, nats | KL, bits "
        "| lesson's formula | MSE |"
    )
    yield "|---|---|---|---|---|---|---|"
    for name in ("mnist-vae", "mnist-conv-vae", "mnist-vae-16", "mnist-conv-vae-16", "mnist-cvae"):
        if (runs / name / "config.json").exists():
            found = measures(runs / name, data).measures.as_dict()
            size = mv.load(runs / name, device="cpu").latent_size
            figures = " | ".join(
                f"{found[key]:.2f}" for key in ("elbo_nats", "nll_nats", "kl_bits", "lesson_loss")
            )
            yield f"| `{name}` | {size} | {figures} | {found['mse_mean']:.4f} |"


def embeddings(runs: Path, data: Path) -> Iterator[str]:
    yield "| code | MSE, musae | MSE, PCA | kNN accuracy, musae | kNN accuracy, PCA |"
    yield "|---|---|---|---|---|"
    for name in ("mnist-ae-2d", "embed-2", "embed-8", "embed-32", "embed-128", "mnist-ae"):
        if (runs / name / "config.json").exists():
            result = measures(runs / name, data, claims=True)
            ours, codes = result.measures.as_dict(), result.codes
            size = mv.load(runs / name, device="cpu").latent_size
            errors = f"{ours['mse_mean']:.4f} | {codes['pca_mse_mean']:.4f}"
            near = f"{codes['neighbour_accuracy']:.3f} | {codes['pca_neighbour_accuracy']:.3f}"
            yield f"| `{name}`, {size} | {errors} | {near} |"


def against_doing_nothing(runs: Path, data: Path) -> Iterator[str]:
    yield "| run | PSNR | SSIM | BCE | without a model |"
    yield "|---|---|---|---|---|"
    for name in ("mnist-denoise", "mnist-denoise-03", "mnist-superres"):
        if (runs / name / "config.json").exists():
            found = measures(runs / name, data).measures
            rest = "; ".join(
                f"{kind}: {v['psnr_db']:.2f} dB, SSIM {v['ssim']:.3f}, BCE {v['bce_mean']:.3f}"
                for kind, v in found.baselines.items()
            )
            own = f"{found.psnr_db:.2f} dB | {found.ssim:.3f} | {found.bce_mean:.4f}"
            yield f"| `{name}` | {own} | {rest} |"


def other_kinds(runs: Path, data: Path) -> Iterator[str]:
    yield "| run | digits | rotated | letters | inverted |"
    yield "|---|---|---|---|---|"
    for name in ("mnist-ae", "mnist-vae", "mnist-aae"):
        if (runs / name / "config.json").exists():
            result = measures(runs / name, data, claims=True)
            figures = [
                result.measures.mse_mean,
                *(result.others[kind]["mse_mean"] for kind in ("rotated", "letters", "inverted")),
            ]
            yield f"| `{name}` | " + " | ".join(f"{figure:.4f}" for figure in figures) + " |"


def rate_distortion(runs: Path, data: Path) -> Iterator[str]:
    yield "| beta | KL, bits a picture | MSE | PSNR | active numbers of 16 |"
    yield "|---|---|---|---|---|"
    for folder in sorted(runs.glob("rd-*/"), key=lambda path: float(path.name[3:])):
        found = measures(folder, data).measures
        rest = f"{found.mse_mean:.4f} | {found.psnr_db:.2f} dB | {found.active_units}"
        yield f"| {folder.name[3:]} | {found.kl_bits:.1f} | {rest} |"


def adversarial(runs: Path, data: Path) -> Iterator[str]:
    yield "| run | codes and prior told apart (0.5 is chance) | MMD squared of codes to prior |"
    yield "|---|---|---|"
    for name, title in (
        ("mnist-aae", "trained against the discriminator"),
        ("aae-without", "the same without one"),
    ):
        if (runs / name / "config.json").exists():
            found = measures(runs / name, data).measures.as_dict()
            mmd = found.get("prior_mmd") or _mmd(runs / name, data)
            told_apart = found.get("discriminator_accuracy", float("nan"))
            yield f"| {title} | {told_apart:.3f} | {mmd:.4f} |"
    log = runs / "mnist-aae" / "metrics.jsonl"
    if log.exists():
        told = [json.loads(line) for line in log.read_text().splitlines()]
        curve = [(row["step"], row["terms"]["told"]) for row in told if row["event"] == "trained"]
        chosen = [curve[i] for i in np.linspace(0, len(curve) - 1, 8).astype(int)]
        yield ""
        yield "Told apart during training, by step: " + ", ".join(
            f"{step:,}: {value:.2f}" for step, value in chosen
        )


def _mmd(folder: Path, data: Path) -> float:
    from musicvae_lite.images.evaluate.pictures import mmd

    session = mv.load(folder, device="cpu")
    mean, _ = session.encode_windows(open_pictures(data, ImageCodec()).test.images[:2000])
    drawn = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    return float(mmd(torch.from_numpy(mean), drawn))


class Classifier(nn.Module):
    """A small convolutional classifier of digits."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.hidden, self.out = nn.Linear(32 * 49, 64), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in (self.first, self.second):
            x = F.max_pool2d(torch.relu(layer(x)), 2)
        return self.out(torch.relu(self.hidden(x.flatten(1))))


def conditional(runs: Path, data: Path) -> Iterator[str]:
    if not (runs / "mnist-cvae" / "config.json").exists():
        return
    torch.manual_seed(0)
    corpus = open_pictures(data, ImageCodec())
    model = Classifier()
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(2):
        for rows in torch.randperm(len(corpus.train)).split(128):
            part: Split = corpus.train.take(rows.numpy())
            loss = F.cross_entropy(
                model(torch.from_numpy(part.images).unsqueeze(1) / 255),
                torch.from_numpy(part.labels),
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    labels = np.arange(2000) % 10
    drawn = mv.load(runs / "mnist-cvae", device="cpu").sample(2000, seed=0, condition=labels)
    with torch.inference_mode():
        test = model(torch.tensor(corpus.test.images).unsqueeze(1) / 255).argmax(1).numpy()
        seen = model(torch.from_numpy(drawn).unsqueeze(1)).argmax(1).numpy()
    right = (test == corpus.test.labels).mean()
    yield (
        f"A classifier that has {100 * right:.1f} % of the test digits right agrees with the digit "
        "that was asked for on "
    )
    yield f"{100 * (seen == labels).mean():.1f} % of 2,000 samples of `mnist-cvae`."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only")
    options = parser.parse_args()
    tables = (
        parity,
        variational,
        embeddings,
        against_doing_nothing,
        rate_distortion,
        other_kinds,
        adversarial,
        conditional,
    )
    for table in tables:
        if options.only in (None, table.__name__):
            print(
                f"### {table.__name__}\n",
                *table(options.runs, options.data),
                "",
                sep="\n",
                flush=True,
            )


if __name__ == "__main__":
    main()
