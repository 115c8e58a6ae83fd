"""Training speed on pictures, images/s: musae against a plain PyTorch loop as the lesson has it, in
one run.

    python tests/bench/bench_pictures.py [--threads 2] [--rounds 3] [--presets mnist-vae]

The plain loop reads MNIST-sized pictures through a DataLoader, each made a tensor by itself (PIL to
tensor, as torchvision's ToTensor does), and trains the lesson's model with Adam in float32. Both
use the preset's batch size, here the lesson's 256. Candidates take turns, each in a process of its
own.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

BATCH, PICTURES = 256, 12_800


def random_pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (PICTURES, 28, 28), dtype=np.uint8)


class Items(torch.utils.data.Dataset):
    """What torchvision's ``MNIST`` with ``ToTensor`` does for every item, operation by operation
    (version 0.28).

    torchvision itself, which checks the kind of picture besides, takes as long or longer.
    """

    def __init__(self) -> None:
        self.data = torch.from_numpy(random_pictures())
        self.targets = torch.zeros(len(self.data), dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        picture, target = self.data[index], int(self.targets[index])
        image = Image.fromarray(picture.numpy(), mode="L")
        tensor = torch.from_numpy(np.array(image, np.uint8, copy=True))
        tensor = (
            tensor.view(image.size[1], image.size[0], len(image.getbands()))
            .permute((2, 0, 1))
            .contiguous()
        )
        return tensor.to(dtype=torch.get_default_dtype()).div(255), target


class LessonAutoencoder(nn.Module):
    """lesson.md A1, plain convolutional autoencoder."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [
                nn.Conv2d(1, 16, 3, padding=1),
                nn.Conv2d(16, 8, 3, padding=1),
                nn.Conv2d(8, 8, 3, padding=1),
            ]
        )
        self.up = nn.ModuleList(
            [nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 16, 3)]
        )
        self.last = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer, padding in zip(self.down, (0, 0, 1), strict=True):
            x = F.max_pool2d(torch.relu(layer(x)), 2, padding=padding)
        for layer in self.up:
            x = F.interpolate(torch.relu(layer(x)), scale_factor=2)
        return torch.sigmoid(self.last(x))


class LessonVae(nn.Module):
    """lesson.md A1, fully connected VAE; its loss is returned with the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.mean, self.log = nn.Linear(784, 512), nn.Linear(512, 2), nn.Linear(512, 2)
        self.back, self.out = nn.Linear(2, 512), nn.Linear(512, 784)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.hidden(x.flatten(1)))
        mean, log = self.mean(h), self.log(h)
        z = mean + torch.exp(log) * torch.randn_like(mean)
        picture = torch.sigmoid(self.out(torch.relu(self.back(z))))
        kl = -0.5 * torch.sum(1 + log - mean**2 - torch.exp(log), dim=1)
        return (F.mse_loss(picture, x.flatten(1)) * 784 + kl).mean()


def plain(preset: str) -> float:
    """Train one epoch as the lesson does; return images/s."""
    loader = torch.utils.data.DataLoader(Items(), batch_size=BATCH, shuffle=True, drop_last=True)
    model = LessonAutoencoder() if preset == "mnist-ae" else LessonVae()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-8)

    def epoch() -> int:
        seen = 0
        for x, _ in loader:
            loss = (
                model.loss(x)
                if isinstance(model, LessonVae)
                else F.binary_cross_entropy(model(x), x)
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss.item()
            seen += len(x)
        return seen

    return timed(epoch)


def ours(preset: str) -> float:
    """Train with the real loop, as ``musae train`` does; return images/s as it reports them."""
    from musicvae_lite.config import load_config
    from musicvae_lite.training.events import Trained
    from musicvae_lite.training.train import train

    steps = 4 * PICTURES // BATCH
    changes = [
        "training.epochs=null",
        f"training.steps={steps}",
        f"training.batch_size={BATCH}",
        f"training.log_every={steps // 2}",
    ]
    speeds: list[float] = []

    def note(event: object) -> None:
        if isinstance(event, Trained):
            speeds.append(event.examples_per_second)

    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "pictures.npz", images=random_pictures())
        fewer = [
            *changes,
            f"training.valid_every={steps}",
            f"training.save_every={steps}",
            "training.valid_windows=100",
        ]
        train(
            load_config(preset, fewer),
            Path(folder) / "pictures.npz",
            Path(folder) / "run",
            on_event=note,
        )
    return speeds[-1]  # the first half warms up


def timed(epoch: Callable[[], int]) -> float:
    epoch()
    start = time.perf_counter()
    return epoch() / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--presets", nargs="+", default=["mnist-ae", "mnist-vae"])
    parser.add_argument("--one", nargs=2, metavar=("CANDIDATE", "PRESET"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.one:
        print({"plain": plain, "musae": ours}[options.one[0]](options.one[1]))
        return
    for preset in options.presets:
        speeds: dict[str, list[float]] = {"plain": [], "musae": []}
        for _ in range(options.rounds):
            for candidate, values in speeds.items():
                command = [
                    sys.executable,
                    __file__,
                    "--threads",
                    str(options.threads),
                    "--one",
                    candidate,
                    preset,
                ]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                values.append(float(done.stdout.split()[-1]))
        medians = {candidate: statistics.median(values) for candidate, values in speeds.items()}
        times = [
            ours / theirs for ours, theirs in zip(speeds["musae"], speeds["plain"], strict=True)
        ]
        print(
            f"{preset:10} plain {medians['plain']:,.0f} images/s, musae {medians['musae']:,.0f} "
            "images/s: "
            f"{statistics.median(times):.2f} times ({min(times):.2f} to {max(times):.2f} in "
            f"{len(times)} pairs)"
        )


if __name__ == "__main__":
    main()
