"""Examples per second of ``musae train cat-mel_2bar_small`` against plain PyTorch code of the same
model.

    python tests/bench/bench_training.py [--batch 512] [--rounds 3] [--threads 2]

Every candidate runs in a process of its own, in turn, several times, so that drift of the machine
hits all alike; the best and the median of the rounds are printed. Teacher forcing, as at the start
of the preset's schedule. Plain PyTorch is what one
writes first: one-hot vectors, ``torch.nn.LSTM``, ``torch.optim.Adam``; in float32 and under
bfloat16 autocast.
"""

import argparse
import statistics
import subprocess
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

CANDIDATES = ("plain-fp32", "plain-bf16", "musae")
CLASSES, STEPS, LATENT, ENCODER, DECODER = 90, 32, 256, 512, 256


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(CLASSES, ENCODER, bidirectional=True, batch_first=True)
        self.mean, self.scale = nn.Linear(2 * ENCODER, LATENT), nn.Linear(2 * ENCODER, LATENT)
        self.start = nn.Linear(LATENT, 4 * DECODER)
        self.decoder = nn.LSTM(CLASSES + LATENT, DECODER, num_layers=2, batch_first=True)
        self.output = nn.Linear(DECODER, CLASSES)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = F.one_hot(tokens, CLASSES).float()
        _, (h, _) = self.encoder(x)
        h = torch.cat([h[0], h[1]], 1)
        mean, scale = self.mean(h), F.softplus(self.scale(h))
        z = mean + scale * torch.randn_like(mean)
        c0, h0 = torch.tanh(self.start(z)).view(-1, 2, 2, DECODER).permute(2, 1, 0, 3).contiguous()
        previous = F.pad(x, (0, 0, 1, 0))[:, :-1]
        out, _ = self.decoder(
            torch.cat([previous, z.unsqueeze(1).expand(-1, STEPS, -1)], -1), (h0, c0)
        )
        nll = F.cross_entropy(
            self.output(out).flatten(0, 1).float(), tokens.flatten(), reduction="sum"
        ) / len(tokens)
        kl = (0.5 * (mean.square() + scale.square() - 1) - scale.log()).sum(1).mean()
        return nll + 0.2 * kl


def plain_step(bf16: bool, batch: int):
    model = Plain()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step(tokens: torch.Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = model(tokens)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

    return step


def musae_step(batch: int):
    """The update of the real loop, on a run built without a corpus."""
    from lightning_fabric import Fabric

    from musicvae_lite.config import load_config
    from musicvae_lite.core.autoencoder import Batch
    from musicvae_lite.core.devices import keep_freed_memory, resolve_precision
    from musicvae_lite.core.random import Noise
    from musicvae_lite.music.model import build
    from musicvae_lite.training.optimiser import TrainStep, clip_gradients, make_optimiser

    config = load_config(
        "cat-mel_2bar_small", [f"training.batch_size={batch}", "teacher.sampling=0"]
    )
    keep_freed_memory()
    device = torch.device("cpu")
    fabric = Fabric(accelerator="cpu", devices=1, precision=resolve_precision("auto", device))
    model = build(config.model, CLASSES, STEPS)
    wrapped, optimiser = fabric.setup(TrainStep(model, config), make_optimiser(model, config))
    parameters = list(model.parameters())

    def step(tokens: torch.Tensor) -> None:
        optimiser.zero_grad(set_to_none=True)
        terms = wrapped(Batch(tokens, tokens), 1, Noise(0))
        fabric.backward(terms["loss"])
        clip_gradients(parameters, 1.0, 1e4)
        optimiser.step()

    return step


def measure(name: str, batch: int, threads: int, steps: int) -> float:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    step = musae_step(batch) if name == "musae" else plain_step(name == "plain-bf16", batch)
    tokens = torch.randint(0, CLASSES, (batch, STEPS))
    for _ in range(2):
        step(tokens)
    start = time.perf_counter()
    for _ in range(steps):
        step(tokens)
    return batch * steps / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", choices=CANDIDATES)
    options = parser.parse_args()
    if options.one:
        print(measure(options.one, options.batch, options.threads, options.steps))
        return
    speeds: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    for _ in range(options.rounds):
        for name in CANDIDATES:
            command = [sys.executable, __file__, "--one", name, "--batch", str(options.batch)]
            command += ["--steps", str(options.steps), "--threads", str(options.threads)]
            speeds[name].append(
                float(
                    subprocess.run(
                        command, capture_output=True, text=True, check=True
                    ).stdout.split()[-1]
                )
            )
    best = max(statistics.median(v) for k, v in speeds.items() if k != "musae")
    for name, values in speeds.items():
        median = statistics.median(values)
        print(
            f"{name:12} {median:7.0f} examples/s (best {max(values):.0f})   {median / best:.2f} x "
            "the best plain"
        )


if __name__ == "__main__":
    main()
