"""Run folders: which may be begun in, and with which settings a run goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from musicvae_lite.config import (
    RunConfig,
    TrainingSettings,
    change_config,
    is_changed,
    load_config,
    parse_config,
)
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.files import clear_parts, reason
from musicvae_lite.model_dir import swap
from musicvae_lite.model_dir.bundle import CARD, CONFIG, METRICS, WEIGHTS
from musicvae_lite.model_dir.swap import NEW
from musicvae_lite.training.checkpoint import STATE, read_progress
from musicvae_lite.training.logger import BOARD

LAST = "last"
_BOARD_FILES = "events.out.tfevents."


def settings_of(
    config: RunConfig | str | Path, changes: Sequence[str], output: Path, resume: bool
) -> tuple[RunConfig, str]:
    """Return the settings of a run, and what to say of those that are another than one may think,
    or "".

    Where a run goes on and ``config`` is a name or file, what ``changes`` do not say under
    ``training.`` is as the run in ``output`` was saved with; a :class:`RunConfig` is taken whole.

    Raises:
        UsageError: ``config`` is none of these, or holds what cannot be; a change that cannot be
            made.
        MusaeError: there is no run to go on with.
    """
    changes = [changes] if isinstance(changes, str) else changes
    if isinstance(config, RunConfig):
        asked, named = (change_config(config, changes) if changes else config), ""
    elif isinstance(config, str | Path):
        asked, named = load_config(config, changes), str(config)
    else:
        kind = type(config).__name__
        raise UsageError(
            "a run is the name of a preset, a YAML file or a RunConfig ('musae presets' lists "
            f"them), not {kind}"
        )
    if not resume:
        return asked, ""
    path = output / STATE
    saved = parse_config(read_progress(path).run, str(path))
    if not named:
        changed = _differences(asked.training, saved.training)
        return (
            asked,
            f"{output} goes on with other settings: {', '.join(changed)} as before"
            if changed
            else "",
        )
    own = [change for change in changes if is_changed(change, "training")]
    config = change_config(asked.model_copy(update={"training": saved.training}), own)
    changed = _differences(config.training, asked.training)
    return (
        config,
        f"{output} goes on as it began: {', '.join(changed)} as in {named} (--set changes it)"
        if changed
        else "",
    )


def _differences(now: TrainingSettings, other: TrainingSettings) -> list[str]:
    """Name the settings that are others now.

    The length of a run is told in the unit in which it is given.
    """
    found, there = now.model_dump(), other.model_dump()
    for tree in (found, there):
        del tree["epochs" if tree["epochs"] is None else "steps"]
    keys = [key for key in found if found[key] != there.get(key)]
    return [
        f"training.{key} is {_told(found[key])}"
        + (f", not {_told(there[key])}" if key in there else "")
        for key in keys
    ]


def _told(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def check_folder(output: Path, resume: bool) -> None:
    """Refuse a folder that a run cannot be begun or gone on in.

    What a run leaves that ended before its first save is no hindrance: see :func:`clear_leftovers`.

    Raises:
        UsageError: it holds a run or something else that would be overwritten, or cannot be made.
        MusaeError: there is no run to go on with.
    """
    if resume:
        read_progress(output / STATE)
        return
    try:
        output.exists()
    except OSError as error:
        raise UsageError(f"{output}: cannot be used: {reason(error)}") from error
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output}: is a file; name a folder with -o")
    if (output / STATE).exists():
        raise UsageError(
            f"{output}: holds a run already; --resume continues it, or choose another folder with "
            "-o"
        )
    names = (CONFIG, WEIGHTS, CARD, LAST, NEW, *(() if _is_left_over(output) else (METRICS, BOARD)))
    for name in names:
        if (output / name).exists():
            raise UsageError(
                f"{output / name}: would be overwritten by the run; choose another folder with -o"
            )
    if not output.parent.is_dir():
        raise UsageError(
            f"{output.parent}: no such folder; create it first or choose another output with -o"
        )


def clear_leftovers(output: Path) -> bool:
    """Remove the log of a run that ended before its first save, which there is no way to go on
    from; return whether it was there.

    Raises:
        MusaeError: if the file system refuses.
    """
    if not _is_left_over(output):
        return False
    try:
        for path in (output / METRICS, *(output / BOARD).glob("*")):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise MusaeError(f"{output}: cannot be written: {reason(error)}") from error
    return True


def tidy(output: Path) -> None:
    """Remove from a run folder what a killed run had half written, and finish what it had not moved
    into place.

    Raises:
        MusaeError: if the file system refuses.
    """
    try:
        for folder in (output, output / LAST):
            swap.clear_parts(folder)
            clear_parts(folder)
            swap.settle(folder)
        if (output / LAST).is_dir() and not any((output / LAST).iterdir()):
            (output / LAST).rmdir()
    except OSError as error:
        raise MusaeError(f"{output}: cannot be written: {reason(error)}") from error


def _is_left_over(output: Path) -> bool:
    """Say whether a folder without a run holds the log of one, and that log alone under the names
    that a run writes to.
    """
    log, board = output / METRICS, output / BOARD
    if not (log.is_file() or board.is_dir()) or any(
        (output / name).exists() for name in (STATE, CONFIG, WEIGHTS, CARD, LAST, NEW)
    ):
        return False
    try:
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        found = list(board.iterdir()) if board.exists() else []
    except (OSError, UnicodeDecodeError):
        return False
    whole = lines[:-1] if len(lines) > 1 else lines  # the last one may be cut off
    return all(map(_is_event, whole)) and all(
        path.name.startswith(_BOARD_FILES) and path.is_file() for path in found
    )


def _is_event(line: str) -> bool:
    try:
        tree = json.loads(line)
    except ValueError:
        return False
    return isinstance(tree, dict) and {"event", "step"} <= tree.keys()


def check_same_run(saved: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Refuse to resume with settings that would make the continuation another run.

    Length and rhythm may change.

    Raises:
        UsageError: naming the first setting that differs.
    """
    before, now = dict(_leaves(saved)), dict(_leaves(wanted))
    free = ("name", "description", "training.")
    for key in sorted(before.keys() | now.keys()):
        if key != "training.batch_size" and key.startswith(free):
            continue
        if before.get(key) != now.get(key):
            was = f"{key} was {before.get(key)}, now it is {now.get(key)}"
            raise UsageError(
                f"the run was started with other settings ({was}); --resume needs the same"
            )


def _leaves(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
