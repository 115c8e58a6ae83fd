"""Do torch, NumPy and onnxruntime decode the same notes? And how long does each take?

    python tests/bench/bench_portable.py [MODEL ...] [--windows 1000] [--onnx FOLDER]

Windows are drawn from each model; each back end encodes them and decodes the means it found. With
``--onnx`` FOLDER/MODEL holds what ``musae export`` wrote.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from musicvae_lite.model_dir.bundle import load_bundle
from musicvae_lite.model_dir.handle import open_model
from musicvae_lite.music.conditioning.control import Control
from musicvae_lite.music.data import groove_inputs
from musicvae_lite.music.portable.engine import NumpyEngine
from musicvae_lite.music.portable.loop import Decoding, decode
from musicvae_lite.music.portable.network import OnnxNetwork
from musicvae_lite.music.torch_engine import TorchEngine

MODELS = "mel-2bar drums-2bar groove-2bar mel-2bar-chords waltz-2bar jig-2bar mel-16bar trio-16bar"
_AT_ONCE = 32


class OnnxEngine:
    """An exported folder."""

    def __init__(self, folder: Path) -> None:
        from musicvae_lite.model_dir.onnx import open_graph, run_graph

        about = json.loads((folder / "musae.json").read_text())
        graphs = {key: open_graph(folder / graph["file"]) for key, graph in about["graphs"].items()}
        self.how = Decoding.read(about["decoding"])
        self.network = OnnxNetwork(
            lambda key, feeds: run_graph(graphs[key], feeds), self.how, "decoder_finish" in graphs
        )

    def encode(self, windows, length, condition):
        return self.network.encode(windows, np.full(len(windows), windows.shape[1]), condition)

    def decode(self, z, temperature, seed, condition, given):
        return decode(self.network, self.how, z, control=condition)


def told(config, codec, count):
    """Return chords of all kinds for a model that is told of them."""
    control = Control.of_config(config.control.model_dump())
    if not control:
        return None
    chords = np.arange(count * codec.bars * 2).reshape(count, -1) * 7 % 49
    steps = np.repeat(chords, codec.grid_steps // chords.shape[1], 1)
    return control.numbers(control.join(steps.astype(np.uint8), np.zeros_like(steps, np.uint8)))


def same(one, other, floats):
    """Count the rows that agree."""
    if floats:
        return int((np.abs(one - other) < 1e-4).reshape(len(one), -1).all(1).sum())
    return int((one == other).reshape(len(one), -1).all(1).sum())


def compare(name: str, count: int, onnx: Path | None) -> None:
    handle = open_model(name)
    bundle = load_bundle(handle.description)
    engines = {
        "torch": TorchEngine(bundle, handle.codec, name),
        "NumPy": NumpyEngine(handle.description, handle.codec),
    }
    if onnx is not None:
        engines["onnxruntime"] = OnnxEngine(onnx / name)
    codec, floats = handle.codec, np.issubdtype(handle.codec.dtype, np.floating)
    z = np.random.default_rng(1).standard_normal((count, bundle.model.latent_size))
    found = {key: ([], 0.0, 0.0) for key in engines}
    for start in range(0, count, _AT_ONCE):
        rows = z[start : start + _AT_ONCE].astype(np.float32)
        chords = told(handle.config, codec, len(rows))
        windows = engines["torch"].decode(rows, 0.0, 0, chords, None)
        windows = windows.astype(np.float32 if floats else np.int64)
        condition = groove_inputs.told(windows, handle.config) if chords is None else chords
        for key, engine in engines.items():
            begin = time.perf_counter()
            mean, _ = engine.encode(windows, None, condition)
            middle = time.perf_counter()
            made, encoding, decoding = found[key]
            made.append(engine.decode(mean, 0.0, 0, condition, None))
            seconds = time.perf_counter() - middle
            found[key] = (made, encoding + middle - begin, decoding + seconds)
    wanted = np.concatenate(found["torch"][0])
    for key, (made, encoding, decoding) in found.items():
        equal = same(np.concatenate(made), wanted, floats)
        print(
            f"{name:16} {key:12} same {equal:5} of {count}; {_AT_ONCE} at once, ms a window: "
            f"encode {1e3 * encoding / count:.2f}, decode {1e3 * decoding / count:.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=MODELS.split())
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--onnx", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.models:
        compare(name, arguments.windows, arguments.onnx)


if __name__ == "__main__":
    main()
