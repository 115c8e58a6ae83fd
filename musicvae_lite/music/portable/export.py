"""What is written of a model of music as ONNX: the graphs, and what their numbers mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.random import Noise
from musicvae_lite.model_dir.onnx import Arrays, Export, Graph, difference
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.conditioning.control import Control
from musicvae_lite.music.model import SequenceAutoencoder
from musicvae_lite.music.portable.graphs import Bits, Encoder, Finish, Start, Step, cores_of
from musicvae_lite.music.portable.loop import Decoding, Kind, decode
from musicvae_lite.music.portable.meanings import meanings
from musicvae_lite.music.portable.network import OnnxNetwork
from musicvae_lite.nn.dct import SpectralHead
from musicvae_lite.nn.heads import PosteriorHead
from musicvae_lite.nn.hierarchical import (
    HierarchicalDecoder,
    HierarchicalEncoder,
    SplitDecoder,
    SplitEncoder,
)
from musicvae_lite.nn.likelihood import Groove, Nade
from musicvae_lite.nn.lstm import LstmDecoder, LstmEncoder

if TYPE_CHECKING:
    from musicvae_lite.model_dir.bundle import Bundle

_TRACED, _CHECKED = 3, 5  # rows
_MANY = 2**40


@torch.no_grad()
def export(bundle: Bundle) -> Export:
    """Return the graphs of a model of music."""
    model, codec = bundle.model, bundle.codec
    assert isinstance(model, SequenceAutoencoder) and isinstance(codec, ScoreCodec)
    _check_parts(model, bundle.description.folder.name)
    how = decoding_of(model)
    manifest = {
        "latent_size": model.latent_size,
        "prior": "normal",
        "codec": codec.config(),
        "window": {"shape": list(codec.shape), "dtype": str(codec.dtype)},
        "grid": {
            "bars": codec.bars,
            "steps_per_bar": codec.steps_per_bar,
            "steps_per_quarter": codec.steps_per_quarter,
            "numerator": codec.numerator,
            "denominator": codec.denominator,
        },
        "classes": meanings(codec),
        "control": _control(bundle, codec),
        "decoding": how.as_dict(),
    }

    def check(run: Callable[[str, Arrays], list[NDArray[Any]]]) -> None:
        _check_decoding(model, codec, how, OnnxNetwork(run, how, model.frame is not None))

    return Export(_graphs(model, codec, how), manifest, _example(codec, model), check)


def _check_parts(model: SequenceAutoencoder, name: str) -> None:
    """Refuse parts of another package, whose graphs nobody here can draw.

    Raises:
        UsageError: naming the part.
    """
    known = {
        "encoder": (LstmEncoder, HierarchicalEncoder, SplitEncoder),
        "head": (PosteriorHead, SpectralHead),
        "decoder": (LstmDecoder, SplitDecoder, HierarchicalDecoder),
    }
    for part, kinds in known.items():
        found = getattr(model, part)
        if not isinstance(found, kinds):
            raise UsageError(f"{name}: its {part} ({type(found).__name__}) cannot be exported")


def decoding_of(model: SequenceAutoencoder) -> Decoding:
    """Say how the steps of a model's decoder are run."""
    decoder, cores = model.decoder, cores_of(model.decoder)
    tall = decoder if isinstance(decoder, HierarchicalDecoder) else None
    core = decoder if tall is None else tall.core
    likelihood = decoder.likelihood
    kind: Kind = "categorical"
    sizes: tuple[int, ...]
    if isinstance(likelihood, Nade):
        kind, sizes = "nade", (2,) * likelihood.bits
    elif isinstance(likelihood, Groove):
        kind, sizes = "groove", (likelihood.drums,)
    else:
        sizes = tuple(getattr(likelihood, "sizes", (likelihood.size,)))
    clock = model.clock
    nones = [np.atleast_1d(core.tokens.none.numpy()) for core in cores]
    return Decoding(
        segments=1 if tall is None else tall.segments,
        steps=cores[0].length if tall is None else tall.steps,
        carry=tall is not None and tall.carry,
        likelihood=kind,
        sizes=sizes,
        split=isinstance(core, SplitDecoder),
        nothing=tuple(np.concatenate(nones).tolist()),
        end=cores[0].end,
        hits_only=isinstance(likelihood, Groove) and likelihood.hits_only,
        shifts=None if clock is None else tuple(clock.shifts.tolist()[:-1]),
        chords=0 if clock is None else clock.chords,
    )


def _graphs(model: SequenceAutoencoder, codec: ScoreCodec, how: Decoding) -> list[Graph]:
    graphs = [_encoder(model, codec), *_start_and_step(model, codec, how)]
    if model.frame is not None:
        graphs.append(_finish(model, codec))
    if isinstance(model.decoder.likelihood, Nade):
        graphs.append(_bits(model.decoder.likelihood))
    return graphs


def _encoder(model: SequenceAutoencoder, codec: ScoreCodec) -> Graph:
    """Return the encoder: any batch, any lengths, and windows of fewer steps, too, where they are
    not read in segments.
    """
    steps = codec.steps
    timed = not isinstance(model.encoder, LstmEncoder) or codec.end is not None
    rows = {0: "batch"} if timed else {0: "batch", 1: "steps"}
    axes = {"windows": rows, "length": {0: "batch"}, "control": rows}

    def inputs(batch: int, count: int, seed: int) -> dict[str, Tensor]:
        windows = random_windows(codec, batch, seed)[:, :count]
        length = torch.full((batch,), count)
        if seed % 2 and codec.end is None:
            length = torch.arange(batch) % count + 1
        return {"windows": windows, "length": length, **_controls(model, codec, batch, count)}

    def expected(
        windows: Tensor, length: Tensor, control: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        full = bool((length == windows.shape[1]).all())
        batch = Batch(windows, windows, None if full else length, control)
        latent = model.encode(batch).latent
        return latent.mean, latent.scale

    shorter = steps if timed else max(1, steps // 2)
    checks = [inputs(_CHECKED, steps, 2), inputs(1, steps, 3), inputs(2, shorter, 4)]
    given = inputs(_TRACED, shorter, 1)
    module = Encoder(model, steps)
    outputs, largest = ("mean", "scale"), {"steps": steps}
    return Graph("encoder", module, given, outputs, axes, checks, expected, largest)


def _start_and_step(model: SequenceAutoencoder, codec: ScoreCodec, how: Decoding) -> list[Graph]:
    timed = model.clock is not None
    start, step = Start(model), Step(model)
    given = {"z": _codes(model, _TRACED, 1)}
    if not timed:
        given |= _controls(model, codec, _TRACED, how.segments * how.steps)
    begun = start(**given)
    rows = len(begun[0])
    event = _nothing(how, rows)
    one = {"event": event, "given": begun[0][:, 0], "h": begun[1], "c": begun[2]}
    if timed:
        one["told"] = torch.zeros(rows, model.control_size)
    other = {"z": _codes(model, _CHECKED, 2)}
    if not timed:
        other |= _controls(model, codec, _CHECKED, how.segments * how.steps)
    more = {key: torch.cat([value, value[:2] * 1]) for key, value in one.items()}
    batch = {"z": {0: "batch"}, "control": {0: "batch"}}
    each = {key: {0: "rows"} for key in one}
    names = ("outputs", "h_after", "c_after")
    return [
        Graph("decoder_start", start, given, ("given", "h", "c"), batch, [other]),
        Graph("decoder_step", step, one, names, each, [more]),
    ]


def _finish(model: SequenceAutoencoder, codec: ScoreCodec) -> Graph:
    events = random_windows(codec, _TRACED, 1)
    given = {"events": events, **_controls(model, codec, *events.shape[:2])}
    check = {"events": events[:2], "control": given["control"][:2]}
    axes = {"events": {0: "batch"}, "control": {0: "batch"}}
    return Graph("decoder_finish", Finish(model), given, ("heard",), axes, [check])


def _bits(nade: Nade) -> Graph:
    generator = torch.Generator().manual_seed(1)

    def given(rows: int) -> dict[str, Tensor]:
        return {
            "outputs": torch.randn(rows, nade.size, generator=generator),
            "uniform": torch.rand(rows, nade.bits, generator=generator),
            "temperature": torch.ones(1),
        }

    axes = {"outputs": {0: "rows"}, "uniform": {0: "rows"}}
    return Graph("decoder_bits", Bits(nade), given(3), ("bits",), axes, [given(5)])


def _check_decoding(
    model: SequenceAutoencoder, codec: ScoreCodec, how: Decoding, network: OnnxNetwork
) -> None:
    """Decode a few codes by onnxruntime and by torch, the likeliest events and drawn ones.

    Raises:
        MusaeError: they differ.
    """
    z = _codes(model, _CHECKED, 3)
    steps = codec.grid_steps if model.clock is not None else codec.steps
    control = _controls(model, codec, len(z), steps).get("control")
    told = None if control is None else control.numpy()
    with torch.no_grad():
        wanted = model.decode(z, codec.steps, 0.0, Noise(1), control).numpy()
    found = decode(network, how, z.numpy(), control=told)
    if how.floats:
        difference("decoder", found, wanted)
    elif not np.array_equal(found, wanted):
        raise MusaeError("decoder: onnxruntime decodes other events than the model")


def random_windows(codec: ScoreCodec, batch: int, seed: int) -> Tensor:
    """Return windows [B, T] (or [B, T, K]) of any classes, as a model reads them."""
    generator = np.random.default_rng(seed)
    shape = (batch, *codec.shape)
    if np.issubdtype(codec.dtype, np.floating):
        return torch.from_numpy(generator.random(shape, np.float32))
    windows = torch.from_numpy(generator.integers(0, codec.sizes, (*shape[:2], len(codec.sizes))))
    windows = windows if len(codec.shape) > 1 else windows[..., 0]
    if codec.end is None:
        return windows
    # After an end of a segment stands padding alone.
    cut = windows.view(-1, codec.segment)
    after = (cut == codec.end).long().cumsum(1) - (cut == codec.end).long() > 0
    return cut.masked_fill(after, codec.padding).view(windows.shape)


def _codes(model: SequenceAutoencoder, rows: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, model.latent_size, generator=generator)


def _controls(
    model: SequenceAutoencoder, codec: ScoreCodec, batch: int, steps: int
) -> dict[str, Tensor]:
    """Return a control input where the model has one."""
    if not model.control_size:
        return {}
    steps = codec.grid_steps if model.clock is not None else steps
    if codec.kind == "groove":
        return {"control": random_windows(codec, batch, 5)[:, :steps, : model.control_size]}
    classes = torch.arange(batch * steps).view(batch, steps) * 7 % model.control_size
    return {"control": nn.functional.one_hot(classes, model.control_size).float()}


def _nothing(how: Decoding, rows: int) -> Tensor:
    dtype = torch.float32 if how.floats else torch.int64
    nothing = torch.tensor(how.nothing, dtype=dtype)
    return (nothing if len(how.nothing) > 1 else nothing[0]).repeat(
        rows, *[1] * (len(how.nothing) > 1)
    )


def _control(bundle: Bundle, codec: ScoreCodec) -> dict[str, Any] | None:
    """Say what the numbers of the control input are, or None where there is none."""
    size = getattr(bundle.model, "control_size", 0)
    if not size:
        return None
    told = Control.of_config(bundle.config.control.model_dump())
    if not told:
        return {"size": size, "columns": [{"name": "hits", "first": 0, "count": size}]}
    from musicvae_lite.music.chords import CHORDS, KEYS, chord_symbol

    columns = []
    if told.chords:
        symbols = [chord_symbol(number) for number in range(CHORDS)]
        columns.append({"name": "chord", "first": 0, "count": CHORDS, "symbols": symbols})
    if told.key:
        columns.append({"name": "key", "first": CHORDS * told.chords, "count": KEYS})
    return {"size": size, "steps": codec.grid_steps, "columns": columns}


def _example(codec: ScoreCodec, model: SequenceAutoencoder) -> str:
    """Return a program that makes up a piece and reads it again."""
    control = "control" if model.control_size else ""
    if not control and model.clock is None and not isinstance(model.decoder.likelihood, Nade):
        return _SAMPLE
    return _ENCODE.format(control=model.control_size, steps=codec.grid_steps)


_SAMPLE = """import json
from pathlib import Path

import numpy as np
import onnxruntime as ort

about = json.loads(Path("musae.json").read_text())
run = {name: ort.InferenceSession(graph["file"]) for name, graph in about["graphs"].items()}
how = about["decoding"]

z = np.random.default_rng(1).standard_normal((4, about["latent_size"])).astype(np.float32)
given, h, c = run["decoder_start"].run(None, {"z": z})
groove = how["likelihood"] == "groove"
event = np.array([how["nothing"]] * len(given), np.float32 if groove else np.int64)
if len(how["nothing"]) == 1:
    event = event[:, 0]
events = []
for t in range(how["steps"]):
    feeds = {"event": event, "given": given[:, t], "h": h, "c": c}
    outputs, h, c = run["decoder_step"].run(None, feeds)
    if groove:
        hit, velocity, offset = np.split(outputs, 3, 1)
        hit = (hit > 0).astype(np.float32)
        sounds = hit if how["hits_only"] else 1
        event = np.concatenate([hit, sounds / (1 + np.exp(-velocity)), sounds * np.tanh(offset)], 1)
    else:
        parts = np.split(outputs, np.cumsum(how["sizes"])[:-1], 1)
        event = np.stack([part.argmax(1) for part in parts], 1)
        event = event[:, 0] if len(parts) == 1 else event
    events.append(event)
windows = np.stack(events, 1).reshape(len(z), *about["window"]["shape"])

length = np.full(len(windows), windows.shape[1])
mean, scale = run["encoder"].run(None, {"windows": windows, "length": length})
print(windows.shape, mean.shape)
"""

_ENCODE = """import json
from pathlib import Path

import numpy as np
import onnxruntime as ort

about = json.loads(Path("musae.json").read_text())
encoder = ort.InferenceSession(about["graphs"]["encoder"]["file"])
floats = about["window"]["dtype"] == "float32"
windows = np.zeros((4, *about["window"]["shape"]), np.float32 if floats else np.int64)
feeds = {{"windows": windows, "length": np.full(4, windows.shape[1])}}
if about["control"]:
    feeds["control"] = np.zeros((4, {steps}, about["control"]["size"]), np.float32)
    feeds["control"][:, :, 0] = 1
mean, scale = encoder.run(None, feeds)
print(windows.shape, mean.shape)
"""
