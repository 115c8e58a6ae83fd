"""A model as ONNX graphs, and a JSON file that says how they are used.

Graphs are made by ``torch.onnx`` and run by onnxruntime at once, at other sizes than they were
traced with: a graph that froze a size would be found out. Weights are stored as float16 where that
loses nothing, as in model folders that were saved so.
"""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.files import check_output, reason, write_files

if TYPE_CHECKING:
    import onnx
    import onnxruntime
    from torch import Tensor, nn

    from musicvae_lite.model_dir.bundle import Bundle

FORMAT, VERSION = "musae-onnx", 1
MANIFEST, README = "musae.json", "README.md"
TOLERANCE = 1e-4  # of outputs, relative to the largest of a tensor; float32 in another order
_OPSET = 18
_SMALL = 256  # numbers; smaller weights stay float32

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Graph:
    """A part of a model that becomes one ONNX file.

    Attributes:
        name: of the file, without its suffix.
        module: what is traced; its outputs are tensors in the order of ``outputs``.
        inputs: examples to trace with, by the names of its arguments, in their order.
        outputs: their names.
        axes: names of the dimensions of inputs that may have any size: input, dimension, name.
        checks: other inputs, of other sizes, on which onnxruntime must give what ``expected`` does.
        expected: what the model itself gives; default ``module``.
        largest: of named sizes.
        multiples: what named sizes are multiples of.
    """

    name: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    axes: Mapping[str, Mapping[int, str]]
    checks: Sequence[Mapping[str, Tensor]] = ()
    expected: Callable[..., Sequence[Tensor]] | None = None
    largest: Mapping[str, int] = field(default_factory=dict)
    multiples: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Export:
    """All that is written of a model.

    Attributes:
        graphs: its parts.
        manifest: how they are used, plain data.
        example: Python lines that run them, for the README.
        check: compares what onnxruntime makes with the model as a whole; called with a function
            that runs a graph. Raises MusaeError where they differ.
    """

    graphs: Sequence[Graph]
    manifest: Mapping[str, Any]
    example: str
    check: Callable[[Callable[[str, Arrays], list[NDArray[Any]]]], None] | None = None


@runtime_checkable
class Exportable(Protocol):
    """A medium whose models can be exported."""

    def onnx(self, bundle: Bundle) -> Export:
        """Return the graphs of a model.

        Raises:
            UsageError: models of its kind cannot be exported.
        """
        ...


def export_onnx(bundle: Bundle, name: str, folder: Path, overwrite: bool = False) -> list[Path]:
    """Write a model as ONNX into a folder: one file a graph, ``musae.json`` and a README.

    Args:
        bundle: the model, on the CPU.
        name: what it is called.
        folder: made where it is missing.
        overwrite: replace files that are there.

    Returns:
        The files, the graphs first.

    Raises:
        UsageError: models of its kind cannot be exported, or a file exists.
        MusaeError: onnxruntime does not give what the model does; nothing is written then.
    """
    from musicvae_lite.core.medium import medium_of

    medium = medium_of(bundle.config)
    if not isinstance(medium, Exportable):
        raise UsageError(f"{name}: models of {medium.name} cannot be exported as ONNX")
    _need_packages()
    export = medium.onnx(bundle)
    for file in [*(f"{graph.name}.onnx" for graph in export.graphs), MANIFEST, README]:
        if folder.is_dir():
            check_output(folder / file, overwrite)
    protos = {graph.name: _halved(_traced(graph)) for graph in export.graphs}
    data = {key: proto.SerializeToString() for key, proto in protos.items()}
    sessions = {key: open_graph(content) for key, content in data.items()}
    for graph in export.graphs:
        _check(graph, sessions[graph.name])
    if export.check is not None:
        export.check(lambda key, arrays: run_graph(sessions[key], arrays))
    files = {folder / f"{key}.onnx": content for key, content in data.items()}
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "model": Path(name).name,
        "medium": medium.name,
        "weights_sha256": bundle.description.sha256,
        "graphs": {graph.name: _described(sessions[graph.name], graph) for graph in export.graphs},
        **export.manifest,
    }
    text = _README.format(name=Path(name).name, example=export.example)
    files[folder / MANIFEST] = (json.dumps(manifest, indent=1) + "\n").encode()
    files[folder / README] = text.encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MusaeError(f"{folder}: cannot be made: {reason(error)}") from error
    write_files(files, overwrite)
    return list(files)


def open_graph(source: Path | bytes) -> onnxruntime.InferenceSession:
    """Load a graph for use on one thread of the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    given = source if isinstance(source, bytes) else str(source)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def run_graph(session: onnxruntime.InferenceSession, arrays: Arrays) -> list[NDArray[Any]]:
    """Run a graph on arrays by the names of its inputs."""
    results: list[NDArray[Any]] = session.run(None, dict(arrays))
    return results


def _need_packages() -> None:
    """Refuse to begin without the packages that write and run ONNX.

    Raises:
        UsageError: one is missing.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        try:
            __import__(package)
        except ImportError as error:
            raise UsageError(
                f"exporting needs the package {package}; pip install {package}"
            ) from error


def _traced(graph: Graph) -> onnx.ModelProto:
    """Export a module by torch.onnx."""
    import torch

    sizes: dict[str, Any] = {}
    for axes in graph.axes.values():
        for axis in axes.values():
            if axis not in sizes:
                unit = graph.multiples.get(axis, 1)
                name = axis if unit == 1 else f"{axis}_of_{unit}"
                size = torch.export.Dim(name, max=graph.largest.get(axis))
                sizes[axis] = size if unit == 1 else unit * size
    shapes = {
        name: {place: sizes[axis] for place, axis in graph.axes.get(name, {}).items()}
        for name in graph.inputs
    }
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            graph.module.eval(),
            kwargs=dict(graph.inputs),
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            opset_version=_OPSET,
            external_data=False,
            optimize=False,  # onnxruntime does it when it loads; here it would only unfold weights
            verbose=False,
        )
    assert program is not None
    return program.model_proto


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter from speaking of optional packages and of its own future."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _halved(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Store weights as float16 where that loses nothing; onnxruntime widens them when it loads."""
    import onnx
    from onnx import numpy_helper

    graph, casts = proto.graph, []
    for weight in graph.initializer:
        array = numpy_helper.to_array(weight)
        if array.dtype != np.float32 or array.size < _SMALL:
            continue
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if np.array_equal(half.astype(np.float32), array):
            name = weight.name
            weight.CopyFrom(numpy_helper.from_array(half, f"{name}_float16"))
            casts.append(
                onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT)
            )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(proto)
    return proto


def _check(graph: Graph, session: onnxruntime.InferenceSession) -> None:
    """Compare onnxruntime with torch.

    Raises:
        MusaeError: they differ.
    """
    import torch

    expected = graph.expected or graph.module
    for inputs in graph.checks:
        with torch.no_grad():
            wanted = expected(**inputs)
        found = run_graph(session, {key: value.numpy() for key, value in inputs.items()})
        for name, one, other in zip(graph.outputs, found, wanted, strict=True):
            difference(f"{graph.name}, {name}", one, other.numpy())


def difference(what: str, found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Return by how much two arrays differ, relative to the largest number.

    Raises:
        MusaeError: it is more than :data:`TOLERANCE`, or they differ in shape.
    """
    if found.shape != wanted.shape:
        raise MusaeError(f"{what}: onnxruntime gives {found.shape}, the model {wanted.shape}")
    if not found.size:
        return 0.0
    scale = max(1.0, float(np.abs(wanted).max()))
    apart = float(np.abs(found.astype(np.float64) - wanted).max()) / scale
    if not apart <= TOLERANCE:
        raise MusaeError(f"{what}: onnxruntime and the model differ by {apart:.2g}")
    return apart


def _described(session: onnxruntime.InferenceSession, graph: Graph) -> dict[str, Any]:
    """Say what a graph takes and gives."""

    def sides(values: Sequence[Any]) -> list[dict[str, Any]]:
        return [
            {"name": value.name, "type": value.type, "shape": list(value.shape)} for value in values
        ]

    return {
        "file": f"{graph.name}.onnx",
        "inputs": sides(session.get_inputs()),
        "outputs": sides(session.get_outputs()),
    }


_README = """# {name}

A model of [musae](https://pypi.org/project/musae/) as ONNX graphs; it runs without torch and
without musae. `musae.json` says what each graph takes and gives and what the numbers mean. Weights
are stored as float16 where they were trained to be; all is computed in float32.

## How to run it

Needs `pip install numpy onnxruntime`.

```python
{example}```
"""
