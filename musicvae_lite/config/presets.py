"""Reading runs from YAML: presets and files, what is set on top, and what is told of mistakes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from musicvae_lite.config.groups import ScheduleSettings, Settings
from musicvae_lite.config.run import RunConfig
from musicvae_lite.config.yaml_files import parse_yaml, read_yaml
from musicvae_lite.core.errors import UsageError, suggest
from musicvae_lite.core.files import resource

_GENERATIONS = 20  # of run files that extend one another


def preset_names() -> list[str]:
    """Return the names of the shipped presets."""
    return sorted(path.stem for path in resource("configs").glob("*.yaml"))


def fitting_preset(config: RunConfig) -> str | None:
    """Return the name of a preset whose corpora are those of ``config`` (codec, chords and key),
    its own name where that fits.
    """
    wanted = config.codec, config.control
    fits = [
        name
        for name in preset_names()
        if (found := load_config(name)).codec == wanted[0] and found.control == wanted[1]
    ]
    return config.name if config.name in fits else next(iter(fits), None)


def load_config(name: str | Path, changes: Sequence[str] = ()) -> RunConfig:
    """Read a preset by name, or a YAML file by path, and apply ``a.b=c`` changes.

    Raises:
        UsageError: unknown preset, unreadable file, unknown key or unusable value; the message
            names the place.
    """
    tree = _read_tree(find_preset(name), ())
    for change in changes:
        _apply(tree, change)
    config = parse_config(tree, where=str(name))
    for change in changes:
        _refuse_idle_start(config, change)
    return config


def change_config(config: RunConfig, changes: Sequence[str]) -> RunConfig:
    """Apply ``a.b=c`` changes to settings.

    Raises:
        UsageError: a change that cannot be made.
    """
    tree = config.model_dump(mode="json")
    for change in changes:
        _apply(tree, change)
    return parse_config(tree, where=config.name)


def is_changed(change: str, group: str) -> bool:
    """Say whether a change ``a.b=c`` is one of a group of settings."""
    return change.partition("=")[0].strip().split(".")[0] == group


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
        if os.path.exists(path):  # Path.exists raises where a name is too long
            return path
        raise UsageError(f"{path}: no such file")
    raise UsageError(
        f"no preset {text!r}; {suggest(text, preset_names())} ('musae presets' lists them)"
    )


def _read_tree(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if Path(os.path.realpath(path)) in seen:
        raise UsageError(f"{path}: extends itself")
    tree = read_yaml(path)
    if not isinstance(tree, dict):
        raise UsageError(f"{path}: holds no settings; a run file is a YAML mapping")
    wrong = next((key for key in tree if not isinstance(key, str)), None)
    if wrong is not None:
        raise UsageError(f"{path}: has the key {wrong!r}; the keys of a run file are words")
    base = tree.pop("extends", None)
    if base is None:
        return tree
    if len(seen) >= _GENERATIONS:
        raise UsageError(f"{path}: has more than {_GENERATIONS} run files above it (extends)")
    beside = path.parent / str(base)
    parent = beside if os.path.isfile(beside) else find_preset(str(base))
    return _merge(_read_tree(parent, (*seen, Path(os.path.realpath(path)))), tree)


def _merge(
    base: dict[str, Any], change: Mapping[str, Any], group: type[Settings] | None = RunConfig
) -> dict[str, Any]:
    """Return ``base`` with ``change`` laid over it, group by group.

    A schedule and a group of another kind are replaced whole.

    ``group`` is the class of these settings, where it is known.
    """
    result = dict(base)
    if "steps" in change and "epochs" not in change:
        result.pop("epochs", None)  # the other way of giving the length of a run
    for key, value in change.items():
        old = result.get(key)
        if isinstance(old, int | float) and isinstance(_default(group, key), ScheduleSettings):
            old = {"end": float(old)}  # a constant schedule
        result[key] = value
        if isinstance(value, dict) and isinstance(old, dict) and "shape" not in value:
            usual = _usual_kind(group, key)
            if value.get("kind") in (None, old.get("kind", usual)):
                result[key] = _merge(old, value, _group(group, key, old))
    return result


def _apply(tree: dict[str, Any], change: str) -> None:
    """Apply one ``a.b=c``; the value is read as YAML."""
    key, sign, text = change.partition("=")
    if not sign or not key.strip():
        raise UsageError(f"--set {change}: write it as key=value, for example training.steps=5000")
    value = parse_yaml(text, f"--set {change}")
    *names, last = key.strip().split(".")
    node, usual = tree, None
    group: type[Settings] | None = RunConfig
    for number, name in enumerate(names, 1):
        child = node.get(name)
        if (
            name not in node
        ):  # one setting changes; the others are those of the default, not of its class
            child = _written(_default(group, name))
        if (
            isinstance(child, int | float)
            and number == len(names)
            and last in ScheduleSettings.model_fields
        ):
            child = {"end": float(child)}  # a constant schedule of which one argument changes
        if not isinstance(child, dict):
            child = {}
        usual, group = _usual_kind(group, name), _group(group, name, child)
        node[name] = dict(child)
        node = node[name]
    if last == "kind" and node.get("kind", usual) != value:
        node.clear()  # the settings of another kind
    if last == "steps":
        node.pop("epochs", None)
    node[last] = value


def _refuse_idle_start(config: RunConfig, change: str) -> None:
    """Refuse the start of a schedule that has no way from there to its end.

    Such a setting would say nothing.
    """
    *names, last = change.partition("=")[0].strip().split(".")
    group: Any = config
    for name in names:
        group = getattr(group, name, None)
    if (
        last == "start"
        and isinstance(group, ScheduleSettings)
        and group.shape == "constant"
        and group.start != group.end
    ):
        key = ".".join(names)
        raise UsageError(
            f"--set {change}: {key} is constant ({group.end:g}) and has no start; set {key}= a "
            f"number, or {key}.shape= too"
        )


def _default(group: type[Settings] | None, key: str) -> Any:
    """Return what the setting ``key`` of a group is where nothing is written.

    None where that is not known.
    """
    field = _fields(group).get(key)
    return None if field is None else field.default


def _written(settings: Any) -> dict[str, Any]:
    """Return settings as they would stand in a file: what they were made with.

    Nothing for anything else.
    """
    return (
        settings.model_dump(mode="json", exclude_unset=True)
        if isinstance(settings, Settings)
        else {}
    )


def _usual_kind(group: type[Settings] | None, key: str) -> str | None:
    """Return the kind of the settings ``key`` of a group where they name none."""
    return getattr(_default(group, key), "kind", None)


def _group(
    group: type[Settings] | None, key: str, tree: Mapping[str, Any]
) -> type[Settings] | None:
    """Return the class of the settings ``key`` of a group, as the kind in their tree says.

    None where it is not known.
    """
    field = _fields(group).get(key)
    if field is None:
        return None
    kind = tree.get("kind", _usual_kind(group, key))
    annotation: Any = field.annotation if kind is None else _members(field.annotation).get(kind)
    if hasattr(annotation, "__metadata__"):  # a member of a union, with its tag
        annotation = get_args(annotation)[0]
    return annotation if isinstance(annotation, type) and issubclass(annotation, Settings) else None


def _explain(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        keys, group = _walk(problem["loc"])
        place, found = ".".join(keys), problem["input"]
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            _, parent = _walk(problem["loc"][:-1])
            yield f"unknown key {place!r}; {suggest(keys[-1], _fields(parent))}"
            continue
        if problem["type"] == "union_tag_invalid":
            place, found = f"{place}.kind", problem["ctx"]["tag"]
            message = f"is not known; valid: {', '.join(_members(group))}"
        elif problem["type"] in {"model_type", "model_attributes_type"}:
            message = f"is a group of settings; set one of its keys: {', '.join(_fields(group))}"
        told = "" if isinstance(found, dict) else f" (it is {found!r})"
        yield f"{place or 'settings'}: {message}{told}"


def _walk(location: Sequence[Any]) -> tuple[list[str], Any]:
    """Return the keys that lead to a place, as a user writes them, and the annotation there."""
    group: Any = RunConfig
    keys: list[str] = []
    for part in location:
        members = _members(group)
        if part in members:  # pydantic names the member of a union that was chosen; a user does not
            group = members[part]
            continue
        keys.append(str(part))
        if isinstance(part, int):  # a place in a list: the group is that of its items
            continue
        field = _fields(group).get(part)
        group = None if field is None else field.annotation
    return keys, group


def _fields(group: Any) -> dict[str, Any]:
    """Return the fields of a group of settings, by name; none for anything else."""
    choices = [member for member in get_args(group) if hasattr(member, "model_fields")]
    group = choices[0] if len(choices) == 1 else group  # of a group that may be null
    return dict(getattr(group, "model_fields", {}))


def _members(annotation: Any) -> dict[str, type[Settings]]:
    """Return the settings classes of a union by their kind; none for anything else."""
    found: dict[str, type[Settings]] = {}
    for member in get_args(annotation):
        kind = _fields(member).get("kind")
        found |= {kind.default: member} if kind is not None else _members(member)
    return found
