"""What is written of a model of images as ONNX: encoder and decoder.

Letters in shapes: B batch, C channels, H W image, Z latent size, K classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.images.codec import ImageCodec
from musicvae_lite.images.model import ImageAutoencoder
from musicvae_lite.model_dir.onnx import Export, Graph

if TYPE_CHECKING:
    from musicvae_lite.model_dir.bundle import Bundle

_TRACED, _CHECKED = 3, 5  # rows


class Encoder(nn.Module):
    """Images [B, C, H, W], brightness 0 to 1, and class [B, K] to the mean (and the scale, where
    there is one) of the code [B, Z].
    """

    def __init__(self, model: ImageAutoencoder, variational: bool) -> None:
        super().__init__()
        self.model, self.variational = model, variational

    def forward(self, image: Tensor, label: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return mean, or mean and scale [B, Z]."""
        latent = self.model.encode(Batch(image, image, condition=label)).latent
        return (latent.mean, latent.scale) if self.variational else (latent.mean,)


class Decoder(nn.Module):
    """Codes [B, Z], class [B, K] and, of a model that adds to its input, that [B, C, h, w] to the
    image that is expected, brightness 0 to 1 [B, C, H, W].
    """

    def __init__(self, model: ImageAutoencoder) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, z: Tensor, label: Tensor | None = None, image: Tensor | None = None
    ) -> tuple[Tensor]:
        """Return the image [B, C, H, W]."""
        model = self.model
        expected: Tensor = model.likelihood.mean(model.outputs(z, image, label))
        return (expected,)


@torch.no_grad()
def export(bundle: Bundle) -> Export:
    """Return the graphs of a model of images."""
    model, codec = bundle.model, bundle.codec
    assert isinstance(model, ImageAutoencoder) and isinstance(codec, ImageCodec)
    variational = bool(getattr(bundle.config.model, "variational", False))
    seen, made = model.input_shape, (codec.channels, codec.height, codec.width)

    def inputs(rows: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        generator = torch.Generator().manual_seed(rows)
        image = torch.rand(rows, *seen, generator=generator)
        z = torch.randn(rows, model.latent_size, generator=generator)
        label = torch.eye(model.classes).repeat(rows, 1)[:rows] if model.classes else None
        told = {} if label is None else {"label": label}
        extra = {"image": image} if model.residual else {}
        return {"image": image, **told}, {"z": z, **told, **extra}

    traced, checked, one = inputs(_TRACED), inputs(_CHECKED), inputs(1)
    rows = {name: {0: "batch"} for name in ("image", "label", "z")}
    outputs = ("mean", "scale") if variational else ("mean",)
    graphs = [
        Graph("encoder", Encoder(model, variational), traced[0], outputs, rows,
              [checked[0], one[0]]),
        Graph("decoder", Decoder(model), traced[1], ("expected",), rows, [checked[1], one[1]]),
    ]  # fmt: skip
    manifest: dict[str, Any] = {
        "latent_size": model.latent_size,
        "prior": "normal" if variational else None,
        "codec": codec.config(),
        "brightness": "0 (black) to 1",
        "reads": {"channels": seen[0], "height": seen[1], "width": seen[2]},
        "makes": {"channels": made[0], "height": made[1], "width": made[2]},
        "label": {"classes": model.classes} if model.classes else None,
    }
    return Export(graphs, manifest, _EXAMPLE)


_EXAMPLE = """import json
from pathlib import Path

import numpy as np
import onnxruntime as ort

about = json.loads(Path("musae.json").read_text())
run = {name: ort.InferenceSession(graph["file"]) for name, graph in about["graphs"].items()}

image = np.zeros((2, *about["reads"].values()), np.float32)
image[:, :, 4:-4, 4:-4] = 1
told = {}
if about["label"]:
    told["label"] = np.eye(about["label"]["classes"], dtype=np.float32)[[1, 0]]
mean = run["encoder"].run(["mean"], {"image": image, **told})[0]
feeds = {"z": mean, "image": image, **told}
wanted = {entry["name"] for entry in about["graphs"]["decoder"]["inputs"]}
feeds = {name: value for name, value in feeds.items() if name in wanted}
print(mean.shape, run["decoder"].run(None, feeds)[0].shape)
"""
