"""From the variables of Magenta's MusicVAE to the weights of our sequence models: names, layout,
sizes.

What is where is told by the structure that a preset has (flat or hierarchical, split or not, with
NADE or not); sizes are read from the variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.config import GrooveSettings, RunConfig, SequenceModel, parse_config
from musicvae_lite.core.errors import UsageError
from musicvae_lite.magenta.source import CheckpointError, Weights

Arrays = dict[str, NDArray[np.float32]]
Shapes = Mapping[str, tuple[int, ...]]

_CELL = "multi_rnn_cell/cell_{}/lstm_cell"
_FLAT, _HIERARCHICAL = "decoder", "decoder/hierarchical_level_0"


@dataclass(frozen=True)
class Stack:
    """A stack of LSTM layers: our module, Magenta's scope of a layer (and direction), whether it
    goes both ways.
    """

    ours: str
    theirs: str
    both: bool = False

    def cells(self, layer: int) -> Iterator[tuple[str, str]]:
        """Yield Magenta's scope and our suffix of the weights, for each direction."""
        if self.both:
            yield self.theirs.format(layer, "fw"), ""
            yield self.theirs.format(layer, "bw"), "_reverse"
        else:
            yield self.theirs.format(layer), ""


@dataclass(frozen=True)
class Layout:
    """The variables of one structure.

    Attributes:
        encoders: the stacks of the encoder, one a level.
        conductor: the stack above the segments, or None.
        cores: the stacks that make the steps, one or one a voice.
        dense: our layers and Magenta's scopes of linear maps.
        nade: whether there is a NADE at the end.
    """

    encoders: tuple[Stack, ...]
    conductor: Stack | None
    cores: tuple[Stack, ...]
    dense: Mapping[str, str]
    nade: bool

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """All stacks."""
        return (*self.encoders, *([self.conductor] if self.conductor else []), *self.cores)


def layout(model: SequenceModel, voices: int) -> Layout:
    """Return the layout of a model whose steps have ``voices`` numbers."""
    both = "cell_{}/bidirectional_rnn/{}/multi_rnn_cell/cell_0/lstm_cell"
    if model.encoder.kind == "hierarchical":
        levels = range(len(model.encoder.levels))
        encoders = [
            Stack(f"encoder.levels.{k}", f"encoder/hierarchical_level_{k}/{both}", True)
            for k in levels
        ]
    else:
        encoders = [Stack("encoder.stack", f"encoder/{both}", True)]
    dense = {"head.mean": "encoder/mu", "head.scale": "encoder/sigma"}
    ours, theirs, conductor = "decoder", "decoder", None
    if model.decoder.kind == "hierarchical":
        conductor = Stack("decoder.conductor", f"{_HIERARCHICAL}/cell_{{}}/lstm_cell")
        dense["decoder.start"] = f"{_HIERARCHICAL}/initial_state"
        ours, theirs = "decoder.core", "core_decoder/decoder"
    pairs = [(ours, theirs)]
    if model.decoder.split:
        scope = "core_decoder/core_decoder_{}/decoder" if conductor else "core_decoder_{}/decoder"
        pairs = [(f"{ours}.cores.{voice}", scope.format(voice)) for voice in range(voices)]
    cores = []
    for own, scope in pairs:
        cores.append(Stack(f"{own}.stack", f"{scope}/{_CELL}"))
        dense |= {
            f"{own}.start": f"{scope}/z_to_initial_state",
            f"{own}.output": f"{scope}/output_projection",
        }
    return Layout(tuple(encoders), conductor, tuple(cores), dense, model.likelihood.kind == "nade")


def with_sizes(config: RunConfig, weights: Weights, voices: int) -> RunConfig:
    """Return the run with the sizes that the variables have.

    Raises:
        CheckpointError: the variables are of another structure than the run's.
        UsageError: the run is not of a kind that Magenta has.
    """
    model = config.model
    if not isinstance(model, SequenceModel) or not _as_magenta(model):
        raise UsageError(
            f"{config.name} has parts that Magenta's MusicVAE has not; name one of its "
            "configurations as the preset"
        )
    tree = config.model_dump(mode="json")
    plan = layout(model, voices)
    _check_structure(plan, weights, config.name)
    changes: dict[str, object] = {
        "latent_size": _bias(weights, "encoder/mu"),
        "control_size": model.control_size,
    }
    encoder = {"sizes": _sizes(weights, plan.encoders[0])}
    decoder = {"sizes": _sizes(weights, plan.cores[0])}
    if plan.conductor is not None:
        decoder["conductor"] = _sizes(weights, plan.conductor)
    if plan.nade:
        shape = weights.shapes["decoder/nade/w_enc"]
        changes["likelihood"] = {"kind": "nade", "size": shape[-1] if shape else 0}
        single = {61, 63}  # later versions of Magenta count two drums more
        if shape and {tree["codec"].get("classes"), shape[0]} <= single:
            tree["codec"]["classes"] = shape[0]
    tree["model"] |= changes
    tree["model"]["encoder"] |= encoder
    tree["model"]["decoder"] |= decoder
    tree["training"]["stored"] = "float32"
    try:
        return parse_config(tree, weights.where)
    except UsageError as error:
        raise CheckpointError(f"{error}; the sizes of the variables make no model") from error


def _as_magenta(model: SequenceModel) -> bool:
    """Say whether a model has no part that Magenta's models have not."""
    plain = all(part.token_size is None for part in (model.encoder, model.decoder))
    plain &= not model.encoder.split and not model.spectral
    plain &= (
        model.decoder.latent_input
        and model.encoder.readout == "final"
        and not model.decoder.plan_size
        and not model.decoder.position_size
    )
    if model.likelihood.kind == "groove":
        plain &= model.likelihood == GrooveSettings()
    if model.decoder.kind == "hierarchical":
        plain &= model.decoder.carry and not model.decoder.conductor_plan
    return plain


def _check_structure(plan: Layout, weights: Weights, preset: str) -> None:
    """Refuse variables that are missing for the structure, or too many, naming them."""
    first = [scope for stack in plan.stacks for scope, _ in stack.cells(0)]
    wanted = {
        f"{scope}/{part}" for scope in (*first, *plan.dense.values()) for part in ("kernel", "bias")
    }
    wanted |= {"decoder/nade/w_enc", "decoder/nade/w_dec_t"} if plan.nade else set()
    missing = sorted(wanted - weights.shapes.keys())
    known = {
        f"{scope}/{part}" for scope in _scopes(plan, weights.shapes) for part in ("kernel", "bias")
    } | wanted
    foreign = sorted(weights.shapes.keys() - known)
    if not missing and not foreign:
        return
    parts = []
    if missing:
        parts.append(f"it lacks {_some(missing)}")
    if foreign:
        parts.append(f"the preset has no place for {_some(foreign)}")
    found = f"; {seems}" if (seems := describe(weights.shapes)) else ""
    raise CheckpointError(
        f"{weights.where}: is no checkpoint of {preset}: {', and '.join(parts)}{found}"
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return " and ".join(names[:2]) + more if not more else ", ".join(names[:2]) + more


def _scopes(plan: Layout, shapes: Shapes) -> Iterator[str]:
    """Yield the scopes of every layer that is there, layer after layer without a gap."""
    for stack in plan.stacks:
        for layer in range(len(shapes)):
            scopes = [scope for scope, _ in stack.cells(layer)]
            if f"{scopes[0]}/kernel" not in shapes:
                break
            yield from scopes


def describe(shapes: Shapes) -> str:
    """Say what kind of model some variables are of, or "" where they are none of a MusicVAE."""
    if "encoder/mu/kernel" not in shapes:
        return ""
    names = "\n".join(shapes)
    encoder = "a hierarchical" if "encoder/hierarchical_level_" in names else "a flat"
    decoder = "a hierarchical" if _HIERARCHICAL in names else "a flat"
    voices = len(set(re.findall(r"core_decoder_(\d+)/", names)))
    outputs = [
        shapes[name][-1]
        for name in shapes
        if name.endswith("output_projection/bias") and shapes[name]
    ]
    split = f" of {voices} voices" if voices else ""
    nade = " with NADE" if "decoder/nade/" in names else ""
    return f"it looks like {encoder} encoder and {decoder} decoder{split}{nade}, outputs {outputs}"


def _bias(weights: Weights, scope: str) -> int:
    shape = weights.shapes.get(f"{scope}/bias", ())
    if len(shape) != 1:
        raise CheckpointError(
            f"{weights.where}: {scope}/bias is {list(shape)}; it must have one dimension"
        )
    return shape[0]


def _sizes(weights: Weights, stack: Stack) -> list[int]:
    """Return the hidden size of every layer of a stack."""
    sizes: list[int] = []
    while f"{(scope := next(stack.cells(len(sizes)))[0])}/kernel" in weights.shapes:
        gates = _bias(weights, scope)
        if gates < 4 or gates % 4:
            raise CheckpointError(
                f"{weights.where}: {scope}/bias has {gates} numbers, which are no four gates"
            )
        sizes.append(gates // 4)
    return sizes


def convert(plan: Layout, weights: Weights, expected: Shapes) -> Arrays:
    """Return the weights under our names, with the shapes that our model has.

    Args:
        plan: of the model.
        weights: Magenta's variables.
        expected: name and shape of each weight of our model.

    Raises:
        CheckpointError: a variable has another shape than the model needs; it is named.
    """
    state: Arrays = {}
    for stack in plan.stacks:
        layer = 0
        while f"{stack.ours}.layers.{layer}.weight_ih_l0" in expected:
            for scope, suffix in stack.cells(layer):
                ours = f"{stack.ours}.layers.{layer}.{{}}_l0{suffix}"
                state |= _cell(weights, scope, ours, expected)
            layer += 1
    for ours, theirs in plan.dense.items():
        outputs, inputs = expected[f"{ours}.weight"]
        state[f"{ours}.weight"] = _read(weights, f"{theirs}/kernel", (inputs, outputs)).T
        state[f"{ours}.bias"] = _read(weights, f"{theirs}/bias", (outputs,))
    if plan.nade:
        bits, hidden = expected["decoder.likelihood.encode"]
        state["decoder.likelihood.encode"] = _read(
            weights, "decoder/nade/w_enc", (bits, 1, hidden)
        )[:, 0]
        state["decoder.likelihood.decode"] = _read(
            weights, "decoder/nade/w_dec_t", (bits, hidden, 1)
        )[:, :, 0]
    return state


def _cell(weights: Weights, scope: str, ours: str, expected: Shapes) -> Arrays:
    """Return one LSTM cell: gates i, j, f, o become i, f, g, o, and the forget bias of 1 that
    Magenta adds when it runs.
    """
    gates, inputs = expected[ours.format("weight_ih")]
    size = gates // 4
    kernel = _read(weights, f"{scope}/kernel", (inputs + size, gates))
    bias = _read(weights, f"{scope}/bias", (gates,))
    i, j, f, o = np.split(kernel, 4, axis=1)
    rows = np.concatenate([i, f, j, o], axis=1).T
    bias_i, bias_j, bias_f, bias_o = np.split(bias, 4)
    return {
        ours.format("weight_ih"): rows[:, :inputs],
        ours.format("weight_hh"): rows[:, inputs:],
        ours.format("bias_ih"): np.concatenate([bias_i, bias_f + np.float32(1), bias_j, bias_o]),
        ours.format("bias_hh"): np.zeros(gates, np.float32),
    }


def check_shapes(plan: Layout, weights: Weights, expected: Shapes) -> None:
    """Refuse variables of other shapes than the model needs, before any is read.

    Raises:
        CheckpointError: naming the first, and how many there are.
    """
    wrong = []
    for name, wanted in _wanted(plan, expected).items():
        found = weights.shapes.get(name)
        if found != wanted:
            wrong.append(
                f"{name} is {'missing' if found is None else list(found)}, the preset needs "
                f"{list(wanted)}"
            )
    if wrong:
        more = f" (and {len(wrong) - 1} more do not fit)" if len(wrong) > 1 else ""
        raise CheckpointError(f"{weights.where}: does not fit the preset: {wrong[0]}{more}")


def _wanted(plan: Layout, expected: Shapes) -> dict[str, tuple[int, ...]]:
    """Return the shape that each of Magenta's variables must have for our model."""
    wanted: dict[str, tuple[int, ...]] = {}
    for stack in plan.stacks:
        layer = 0
        while (shape := expected.get(f"{stack.ours}.layers.{layer}.weight_ih_l0")) is not None:
            gates, inputs = shape
            for scope, _ in stack.cells(layer):
                wanted |= {
                    f"{scope}/kernel": (inputs + gates // 4, gates),
                    f"{scope}/bias": (gates,),
                }
            layer += 1
    for ours, theirs in plan.dense.items():
        outputs, inputs = expected[f"{ours}.weight"]
        wanted |= {f"{theirs}/kernel": (inputs, outputs), f"{theirs}/bias": (outputs,)}
    if plan.nade:
        bits, hidden = expected["decoder.likelihood.encode"]
        wanted |= {
            "decoder/nade/w_enc": (bits, 1, hidden),
            "decoder/nade/w_dec_t": (bits, hidden, 1),
        }
    return wanted


def _read(weights: Weights, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    values = weights.read(name)
    if values.shape != shape:
        raise CheckpointError(
            f"{weights.where}: {name} is {list(values.shape)}, the preset needs {list(shape)}"
        )
    return values
