"""What is written of a denoiser as ONNX: features of a spectrum, and the mask network.

``musae denoise`` does more than these graphs: it looks for hum, leaves places alone that are
clean, and joins chunks so that no seam is heard. Letters in shapes: B batch, F frequency bins, K
bands, T frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from musicvae_lite.audio.denoise.model import SpectrogramAutoencoder
from musicvae_lite.audio.denoise.network import (
    BANDS,
    FEATURES,
    LAYOUT,
    REACH,
    MaskNetwork,
    features,
    to_bins,
)
from musicvae_lite.media.spectrum import BLOCK, grid_of
from musicvae_lite.model_dir.onnx import Export, Graph

if TYPE_CHECKING:
    from musicvae_lite.model_dir.bundle import Bundle

CHUNK = 16 * BLOCK  # frames of the features' graph, 9 s: what is measured of noise needs a stretch
_NAMES = (
    "level",
    "above the noise floor",
    "above the median",
    "evenness of the phase along time",
    "evenness of the phase along frequency",
    "whether the noise is known",
    "place of the band",
    "harmonics of 50 Hz",
    "harmonics of 60 Hz",
)


class _Spectrum:
    """Real and imaginary part side by side: ONNX has no complex numbers."""

    def __init__(self, parts: Tensor) -> None:
        self.real, self.imag = parts[:, 0], parts[:, 1]

    def is_complex(self) -> bool:
        return True


class Features(nn.Module):
    """Spectra [B, 2, F, T], real and imaginary part, to what the network sees [B, 9, K, T]."""

    def forward(self, spectrum: Tensor) -> tuple[Tensor]:
        """Return the features."""
        return (features(_Spectrum(spectrum)),)  # type: ignore[arg-type]


class Mask(nn.Module):
    """Features [B, 9, K, T] to a gain 0 to 1 for each bin of a spectrum [B, F, T]."""

    def __init__(self, network: MaskNetwork, bins: int) -> None:
        super().__init__()
        self.network, self.bins = network, bins

    def forward(self, features: Tensor) -> tuple[Tensor]:
        """Return the gains."""
        latent, passed = self.network.encode(features)
        logits = self.network.decode(latent.mean, passed, features.shape[-1])
        return (to_bins(logits.sigmoid(), self.bins),)


@torch.no_grad()
def export(bundle: Bundle) -> Export:
    """Return the graphs of a denoiser."""
    model = bundle.model
    assert isinstance(model, SpectrogramAutoencoder)
    grid, network = model.grid, model.network

    def spectrum(rows: int, seed: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        return {"spectrum": torch.randn(rows, 2, grid.bins, CHUNK, generator=generator)}

    def seen(rows: int, frames: int, seed: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        return {"features": torch.randn(rows, FEATURES, BANDS, frames, generator=generator)}

    rows = {0: "batch"}
    short = 4 * network.time_stride
    graphs = [
        Graph("features", Features(), spectrum(2, 1), ("features",), {"spectrum": rows},
              [spectrum(1, 2)]),
        Graph("mask", Mask(network, grid.bins), seen(2, short, 1), ("gain",),
              {"features": {0: "batch", 3: "frames"}},
              [seen(1, 2 * short, 2), seen(3, network.time_stride, 3)],
              multiples={"frames": network.time_stride}),
    ]  # fmt: skip
    manifest: dict[str, Any] = {
        "codec": bundle.codec.config(),
        "spectrum": {
            "rate_hz": model.rate,
            "hop": grid.hop,
            "window": grid.window,
            "shape": "hann, periodic",
            "bins": grid.bins,
            "first_frame": "centred on sample 0; silence lies before it",
            "hop_at_other_rates": [grid_of(rate).hop for rate in (22050, 48000)],
        },
        "features": {
            "names": list(_NAMES),
            "frames": CHUNK,
            "bands": [{"bins": width, "count": count} for width, count in LAYOUT],
            "depends_on_frames_to_each_side": REACH + BLOCK,
        },
        "mask": {
            "frames_multiple_of": network.time_stride,
            "depends_on_frames_to_each_side": network.reach,
        },
    }
    return Export(graphs, manifest, _EXAMPLE)


_EXAMPLE = """import json
from pathlib import Path

import numpy as np
import onnxruntime as ort

about = json.loads(Path("musae.json").read_text())
run = {name: ort.InferenceSession(graph["file"]) for name, graph in about["graphs"].items()}
hop, size = about["spectrum"]["hop"], about["spectrum"]["window"]
frames = about["features"]["frames"]

# One chunk of a recording at about["spectrum"]["rate_hz"], mono, -1 to 1; here noise.
count = (frames - 1) * hop
sound = np.random.default_rng(1).normal(0, 0.1, count).astype(np.float32)

window = np.hanning(size + 1)[:-1].astype(np.float32)
padded = np.pad(sound, size // 2)
cut = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
spectrum = np.fft.rfft(cut * window).T
parts = np.stack([spectrum.real, spectrum.imag])[None].astype(np.float32)
seen = run["features"].run(None, {"spectrum": parts})[0]
gain = run["mask"].run(None, {"features": seen})[0][0]

clean = np.fft.irfft((spectrum * gain).T, size) * window
summed, weight = np.zeros(len(padded)), np.zeros(len(padded))
for number, frame in enumerate(clean):
    place = slice(number * hop, number * hop + size)
    summed[place] += frame
    weight[place] += window**2
denoised = (summed / np.maximum(weight, 1e-8))[size // 2 : size // 2 + count]
print(sound.std(), denoised.std())
"""
