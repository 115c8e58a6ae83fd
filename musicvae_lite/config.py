"""The settings of a run: read from YAML, checked, and complete. Imports no torch, so that mistakes are told at once.

A run file names codec, model, objective, optimiser and training. ``extends: NAME`` starts from another preset or file;
``--set a.b=c`` changes one value. An unknown key is an error that names the nearest valid one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from musicvae_lite.errors import UsageError, suggest
from musicvae_lite.files import resource


class Settings(BaseModel):
    """Base of every group of settings: no unknown keys, no change after checking."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ScheduleSettings(Settings):
    """Arguments of :class:`musicvae_lite.objective.Schedule`; a plain number stands for a constant.

    ``fraction`` gives the length as a part of the run's steps after the warm-up, in place of ``steps``.
    """

    start: float = 0.0
    end: float = 1.0
    steps: int = Field(0, ge=0)
    fraction: float | None = Field(None, gt=0, le=1)
    shape: Literal["constant", "linear", "cosine", "exponential", "cyclic", "inverse-sigmoid"] = "constant"
    rate: float = 0.0
    warmup: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _rate_fits_shape(self) -> ScheduleSettings:
        if self.shape == "exponential" and not 0 <= self.rate <= 1:
            raise ValueError("the rate of an exponential schedule lies in [0, 1]")
        if self.shape == "inverse-sigmoid" and self.rate < 1:
            raise ValueError("the rate of an inverse-sigmoid schedule is at least 1")
        if self.fraction is not None and self.steps:
            raise ValueError("give the length of a schedule by steps or by fraction, not by both")
        return self


def _number_is_constant(value: Any) -> Any:
    if isinstance(value, bool | dict | ScheduleSettings):
        return value
    try:
        return {"end": float(value)}  # also of a text: YAML 1.1 reads 1e-3 as one
    except (TypeError, ValueError):
        raise ValueError("a schedule is a number or a group of settings such as {shape: linear, end: 0.5, steps: 1000}") from None


ScheduleValue = Annotated[ScheduleSettings, BeforeValidator(_number_is_constant)]


class MelodyCodecSettings(Settings):
    """Arguments of :class:`musicvae_lite.codecs.melody.MelodyCodec`."""

    kind: Literal["melody"] = "melody"
    bars: int = Field(2, ge=1, le=64)
    steps_per_quarter: int = Field(4, ge=1, le=24)
    numerator: int = Field(4, ge=1, le=32)
    denominator: Literal[1, 2, 4, 8, 16, 32] = 4
    min_pitch: int = Field(21, ge=0, le=127)
    max_pitch: int = Field(108, ge=0, le=127)
    programs: tuple[int, int] | None = (0, 31)
    gap_bars: float = Field(1.0, gt=0)
    hop_bars: int = Field(1, ge=1)
    max_bars: int | None = Field(None, ge=1)
    pad_short: bool = True
    require_onset: bool = True


class EncoderSettings(Settings):
    """Bidirectional LSTM encoder; ``readout`` is described at :class:`musicvae_lite.models.lstm.LstmEncoder`."""

    sizes: tuple[Annotated[int, Field(ge=1)], ...] = Field((256,), min_length=1)
    token_size: int | None = Field(None, ge=1)
    readout: Literal["final", "steps"] = "final"
    readout_size: int = Field(32, ge=1)


class DecoderSettings(Settings):
    """LSTM decoder; z is part of the input of every step."""

    sizes: tuple[Annotated[int, Field(ge=1)], ...] = Field((256, 256), min_length=1)
    token_size: int | None = Field(None, ge=1)
    plan_size: int = Field(0, ge=0)
    position_size: int = Field(0, ge=0)


class SequenceModel(Settings):
    """A MusicVAE: sequence encoder, normal posterior, sequence decoder."""

    kind: Literal["sequence"] = "sequence"
    latent_size: int = Field(256, ge=1)
    encoder: EncoderSettings = EncoderSettings()
    decoder: DecoderSettings = DecoderSettings()
    dropout: float = Field(0.0, ge=0, lt=1)


ModelConfig = SequenceModel


class ObjectiveSettings(Settings):
    """Weight of the KL term by step and the bits that are free."""

    beta: ScheduleValue = ScheduleSettings(end=1.0)
    free_bits: float = Field(0.0, ge=0)
    per: Literal["total", "dim"] = "total"


class TeacherSettings(Settings):
    """What the decoder sees of the target's past: its own samples (``sampling``), nothing (``dropout``), the truth."""

    sampling: ScheduleValue = ScheduleSettings(end=0.0)
    dropout: float = Field(0.0, ge=0, lt=1)


class OptimiserSettings(Settings):
    """Adam with a scheduled rate; a gradient whose norm is at ``skip_norm`` or above counts as zero (Magenta)."""

    learning_rate: ScheduleValue = ScheduleSettings(end=1e-3)
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    skip_norm: float = Field(10_000.0, gt=0)
    average: float = Field(0.0, ge=0, lt=1)  # decay of the moving average of the weights that is kept; 0: none


class DataSettings(Settings):
    """How windows become batches."""

    transpose: tuple[int, int] | None = None  # semitones, both included, drawn anew for every window and epoch


class TrainingSettings(Settings):
    """Length and rhythm of a run. ``batch_size`` is the global one, over all devices."""

    steps: int = Field(10_000, ge=1)
    batch_size: int = Field(512, ge=1)
    precision: Literal["auto", "32", "bf16"] = "auto"
    valid_every: int = Field(1000, ge=1)
    valid_windows: int = Field(2000, ge=1)
    save_every: int = Field(1000, ge=1)
    log_every: int = Field(20, ge=1)
    stored: Literal["float32", "float16"] = "float32"  # of the weights in the model folder


class RunConfig(Settings):
    """One complete run: what a preset file holds."""

    name: str
    description: str = ""
    seed: int = Field(0, ge=0, lt=2**63)
    codec: MelodyCodecSettings = MelodyCodecSettings()
    model: ModelConfig = SequenceModel()
    objective: ObjectiveSettings = ObjectiveSettings()
    teacher: TeacherSettings = TeacherSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    data: DataSettings = DataSettings()
    training: TrainingSettings = TrainingSettings()


def preset_names() -> list[str]:
    """Return the names of the shipped presets."""
    return sorted(path.stem for path in resource("configs").glob("*.yaml"))


def load_config(name: str | Path, changes: Sequence[str] = ()) -> RunConfig:
    """Read a preset by name, or a YAML file by path, and apply ``a.b=c`` changes.

    Raises:
        UsageError: unknown preset, unreadable file, unknown key or unusable value; the message names the place.
    """
    tree = _read_tree(find_preset(name), ())
    for change in changes:
        _apply(tree, change)
    return parse_config(tree, where=str(name))


def parse_config(tree: Mapping[str, Any], where: str) -> RunConfig:
    """Check a tree of settings.

    Raises:
        UsageError: naming ``where`` and the key that does not fit.
    """
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        raise UsageError(f"{where}: " + "; ".join(_explain(error))) from None


def find_preset(name: str | Path) -> Path:
    """Return the file of a preset name or the path itself.

    Raises:
        UsageError: naming the nearest valid preset.
    """
    text = str(name)
    if text in preset_names():
        return resource("configs", f"{text}.yaml")
    path = Path(text)
    if path.suffix in {".yaml", ".yml"}:
        if path.is_file():
            return path
        raise UsageError(f"{path}: no such file")
    raise UsageError(f"no preset {text!r}; {suggest(text, preset_names())} ('musae presets' lists them)")


def _read_tree(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in seen:
        raise UsageError(f"{path}: extends itself")
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict):
        raise UsageError(f"{path}: holds no settings; a run file is a YAML mapping")
    base = tree.pop("extends", None)
    if base is None:
        return tree
    beside = path.parent / str(base)
    parent = beside if beside.is_file() else find_preset(str(base))
    return _merge(_read_tree(parent, (*seen, path.resolve())), tree)


def _merge(base: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``change`` laid over it, group by group; a schedule is replaced whole."""
    result = dict(base)
    for key, value in change.items():
        old = result.get(key)
        merged = isinstance(value, dict) and isinstance(old, dict) and "shape" not in value
        result[key] = _merge(old, value) if merged and isinstance(old, dict) else value
    return result


def _apply(tree: dict[str, Any], change: str) -> None:
    """Apply one ``a.b=c``; the value is read as YAML."""
    key, sign, text = change.partition("=")
    if not sign or not key.strip():
        raise UsageError(f"--set {change}: write it as key=value, for example training.steps=5000")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {change}: the value is not YAML") from error
    *groups, last = key.strip().split(".")
    node = tree
    for group in groups:
        child = node.get(group)
        if isinstance(child, int | float) and group is groups[-1] and last in ScheduleSettings.model_fields:
            child = {"end": float(child)}  # a constant schedule of which one argument changes
        if not isinstance(child, dict):
            child = {}
        node[group] = dict(child)
        node = node[group]
    node[last] = value


def _explain(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        place = [str(part) for part in problem["loc"]]
        if problem["type"] == "extra_forbidden":
            valid = _keys_at(place[:-1])
            yield f"unknown key {'.'.join(place)!r}; {suggest(place[-1], valid)}"
        else:
            message = problem["msg"].removeprefix("Value error, ")
            if problem["type"] in {"model_type", "model_attributes_type"}:
                message = f"is a group of settings; set one of its keys: {', '.join(_keys_at(place))}"
            yield f"{'.'.join(place) or 'settings'}: {message} (it is {problem['input']!r})"


def _keys_at(place: Sequence[str]) -> list[str]:
    """Return the valid keys of the group at ``place``."""
    group: Any = RunConfig
    for part in place:
        field = getattr(group, "model_fields", {}).get(part)
        if field is None:
            return []
        group = field.annotation
    return list(getattr(group, "model_fields", {}))
