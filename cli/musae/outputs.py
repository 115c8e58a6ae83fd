"""Where results go: names of output files, refused before any work when they cannot be written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from musae.failures import explain
from musae.options import echo
from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.core.files import check_output, reason, write_files

if TYPE_CHECKING:
    from musae.audio.render import Sounds
    from musae.options import Console
    from musicvae_lite.media.midi import Score

_MIDI = (".mid", ".midi")
MAX_NAME = 255  # bytes of a file name


def is_folder(output: str) -> bool:
    """Say whether an ``-o`` names a folder: it ends with a slash or is one."""
    return output.endswith("/") or os.path.isdir(
        output
    )  # Path.is_dir raises where a name is too long


def shortened(stem: str, size: int) -> str:
    """Cut a name to ``size`` bytes, at a character."""
    data = os.fsencode(stem)
    return stem if len(data) <= size else data[:size].decode("utf-8", "ignore")


def midi_file(output: str) -> Path:
    """Return the path of a MIDI output.

    Raises:
        UsageError: if it does not end as a MIDI file does.
    """
    path = Path(output)
    if path.suffix.lower() not in _MIDI:
        raise UsageError(f"{output}: a MIDI file ends in .mid; a folder ends with /")
    return path


def joined_name(stems: Sequence[str], suffix: str) -> str:
    """Return a name of all inputs, ``A__B.mid``; each is cut where it would be too long."""
    name = "__".join(stems) + suffix
    if len(os.fsencode(name)) <= MAX_NAME:
        return name
    room = (MAX_NAME - len(suffix) - 2 * (len(stems) - 1)) // len(stems)
    return "__".join(shortened(stem, room) for stem in stems) + suffix


def step_names(steps: int, grid: int | None = None) -> list[str]:
    """Return names of steps: ``00``, ``01`` ...

    Of a path, row and column from 1 (``1-1``, ``1-2`` ...) of a grid.
    """
    if grid is None:
        return [f"{step:0{max(2, len(str(steps - 1)))}}" for step in range(steps)]
    from musicvae_lite.music.results import step_labels

    return list(step_labels(grid * grid, grid))


def check_files(paths: Sequence[Path], overwrite: bool, inputs: Iterable[str] = ()) -> None:
    """Refuse outputs that exist, coincide, would replace an input, or have no place to be.

    The folder of an output may be missing when its own parent exists: it is made when the first
    file is written.

    Raises:
        UsageError: naming the first output that cannot be.
    """
    # Not Path.resolve, which raises for links that lead to themselves.
    read = {os.path.realpath(name) for name in inputs}
    seen: set[str] = set()
    for path in paths:
        place = os.path.realpath(path)
        if place in seen:
            raise UsageError(f"{path}: two results would have this name; give them one at a time")
        if place in read:
            raise UsageError(f"{path}: is also an input; choose another output with -o")
        seen.add(place)
        check_output(path, overwrite)


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made.

    Raises:
        UsageError: if it is a file, or its parent does not exist.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder}: is a file; choose another folder with -o")
        if not folder.is_dir() and not folder.parent.is_dir():
            raise UsageError(
                f"{folder.parent}: no such folder; create it first or choose another output with -o"
            )
    except OSError as error:
        raise UsageError(
            f"{folder}: cannot be written: {reason(error)}; choose another output with -o"
        ) from error


def check_in_folder(
    folder: Path, names: Sequence[str], overwrite: bool, inputs: Iterable[str] = ()
) -> list[Path]:
    """Return the paths of ``names`` in a folder that is there or can be made.

    Raises:
        UsageError: see :func:`check_files` and :func:`check_folder`.
    """
    check_folder(folder)
    paths = [folder / name for name in names]
    if len({path.name for path in paths}) < len(paths):
        double = next(path for index, path in enumerate(paths) if path in paths[:index])
        raise UsageError(
            f"{double}: two inputs would be written to this file; give them one at a time"
        )
    if folder.is_dir():
        check_files(paths, overwrite, inputs)
    return paths


def one_each(
    output: str | None, stems: Sequence[str], kind: str, overwrite: bool, inputs: Sequence[str]
) -> list[Path]:
    """Return the outputs of a verb that writes one MIDI file for each of ``stems``.

    They are ``OUTPUT/STEM.mid``, by default ``STEM.KIND.mid`` here; a single one may be named
    itself.

    Raises:
        UsageError: see :func:`check_files` and :func:`check_folder`.
    """
    if output is None:
        end = f".{kind}.mid"
        return check_in_folder(
            Path(),
            [shortened(stem, MAX_NAME - len(end)) + end for stem in stems],
            overwrite,
            inputs,
        )
    if is_folder(output) or Path(output).suffix.lower() not in _MIDI:
        return check_in_folder(Path(output), [f"{stem}.mid" for stem in stems], overwrite, inputs)
    if len(stems) > 1:
        raise UsageError(
            f"{output}: one file cannot hold {len(stems)} results; name a folder "
            f"({Path(output).stem}/)"
        )
    check_files([Path(output)], overwrite, inputs)
    return [Path(output)]


def make_folder(folder: Path) -> None:
    """Make an output folder.

    Raises:
        MusaeError: if the file system refuses.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise MusaeError(f"{folder}: cannot be made: {reason(error)}") from error


def write_together(files: Mapping[Path, bytes], overwrite: bool) -> None:
    """Write files, all or none; their folder is made where it is missing.

    Raises:
        UsageError: see :func:`musicvae_lite.core.files.check_output`.
        MusaeError: if the file system refuses.
    """
    folder = next(iter(files)).parent
    made = not folder.is_dir()
    make_folder(folder)
    try:
        write_files(files, overwrite)
    except BaseException:
        if made:
            with suppress(OSError):
                folder.rmdir()
        raise


def write_each(files: Mapping[Path, bytes], overwrite: bool) -> None:
    """Write files that may lie in several folders, all or none; folders are made where missing.

    Raises:
        UsageError, MusaeError: see :func:`write_together`.
    """
    first = next(iter(files)).parent
    for folder in {path.parent for path in files} - {first}:
        make_folder(folder)
    write_together(files, overwrite)


def write_pieces(
    scores: Sequence[Score],
    paths: Sequence[Path],
    overwrite: bool,
    console: Console,
    sounds: Sounds | None = None,
) -> None:
    """Write scores to MIDI files, with their sounds, all or none, and say where they are.

    Raises:
        UsageError: see :func:`write_together`.
        MusaeError: if the file system refuses.
    """
    from musicvae_lite.media.midi import midi_bytes

    files = {path: midi_bytes(score) for path, score in zip(paths, scores, strict=True)}
    for path, score in zip(paths, scores, strict=True):
        files |= sounds.of(path, score) if sounds else {}
    write_each(files, overwrite)
    console.show("wrote " + (f"{paths[0]}" if len(paths) == 1 else f"{paths[0]} ... {paths[-1]}"))


def each(
    inputs: Sequence[str],
    work: Callable[[str], None],
    report: Callable[[str], None],
    nothing: str = "nothing was written",
    of: int | None = None,
    more: bool = False,
) -> int:
    """Do ``work`` for every input, reporting those that fail, and return the exit code.

    0: all worked; 1: some. Where there is but one input its error is raised; where all of several
    fail, one with the exit code that the failures have in common, or with 1.

    Args:
        inputs: what is worked on.
        work: raises a MusaeError for an input that fails.
        report: is told of each failure.
        nothing: what to say where all failed.
        of: how many inputs there were before some of them failed in an earlier pass.
        more: whether another pass follows, which will say how many failed.
    """
    failures: list[MusaeError] = []
    count = len(inputs) if of is None else of
    for name in inputs:
        try:
            work(name)
        except BrokenPipeError:
            raise
        except Exception as raised:
            known = explain(raised, name)
            if known is None or (count == 1 and isinstance(raised, MusaeError)):
                raise
            error = raised if isinstance(raised, MusaeError) else MusaeError(known)
            if count == 1:
                raise error from raised
            failures.append(error)
            report(str(error))
    failed = len(failures) + count - len(inputs)
    if not failed:
        return 0
    if len(failures) < len(inputs):
        if not more:
            echo(f"musae: {failed} of {count} files failed", err=True)
        return 1
    codes = {error.exit_code for error in failures}
    kinds = (NothingUsableError, UsageError) if len(codes) == 1 else ()
    kind = next((kind for kind in kinds if kind.exit_code in codes), MusaeError)
    raise kind(f"none of the {count} files could be used; {nothing}")
