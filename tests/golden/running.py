"""Runs the recorded commands in this process: torch is imported once for all of them."""

from __future__ import annotations

import glob
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

TABLE = Path(__file__).with_name("commands.txt")
#: What is the same on every machine; set before anything heavy is imported.
SURROUNDINGS = {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "MPLBACKEND": "agg", "TERM": "dumb"}
LINKS = ("in", "from")


@dataclass(frozen=True)
class Case:
    """Commands that run one after another in a folder of their own."""

    name: str
    lines: tuple[str, ...]
    suite: bool

    @property
    def needs(self) -> list[str]:
        """The earlier cases whose outputs this one reads."""
        return sorted({name for line in self.lines for name in re.findall(r"from/([\w-]+)", line)})


@dataclass(frozen=True)
class Ran:
    """What a command said."""

    line: str
    code: int
    out: str
    err: str

    def text(self) -> str:
        """Return all of it as text."""
        parts = [f"$ musae {self.line}", self.out.rstrip("\n")]
        parts += [f"! {line}" for line in self.err.splitlines()] + [f"exit code {self.code}"]
        return "\n".join(part for part in parts if part) + "\n"


def read_cases(path: Path = TABLE) -> dict[str, Case]:
    """Read the table of commands."""
    found: dict[str, tuple[list[str], bool]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"\[([\w-]+)\]( suite)?", line):
            assert match[1] not in found, f"two cases are named {match[1]}"
            lines: list[str] = []
            found[match[1]] = lines, match[2] is not None
        elif line and not line.startswith("#"):
            lines.append(line)
    return {name: Case(name, tuple(lines), suite) for name, (lines, suite) in found.items()}


def with_needs(names: Sequence[str], cases: dict[str, Case]) -> list[Case]:
    """Return cases and those that they read from, in the order of the table."""
    wanted = set(names)
    while more := {need for name in wanted for need in cases[name].needs} - wanted:
        wanted |= more
    return [case for name, case in cases.items() if name in wanted]


def run_case(case: Case, work: Path) -> list[Ran]:
    """Run the commands of a case in ``work/cases/NAME``; ``work/in`` holds the inputs."""
    folder = work / "cases" / case.name
    folder.mkdir(parents=True)
    for link, target in zip(LINKS, (work / "in", work / "cases"), strict=True):
        (folder / link).symlink_to(target)
    with _inside(folder):
        return [_run(line, work) for line in case.lines]


def outputs(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a case with their names, in order; names that hold a time are made plain.

    The links to inputs and to other cases are not followed.
    """
    found: dict[str, Path] = {}
    for top, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not (Path(top) / name).is_symlink()]
        for name in sorted(files, key=lambda name: [int(n) for n in re.findall(r"\d+", name)]):
            path = Path(top) / name
            shown = str(path.relative_to(folder))
            if match := _TIMED_NAME.search(shown):
                count = sum(other.startswith(shown[: match.end(1)]) for other in found)
                shown = f"{shown[: match.end(1)]}-{count + 1}"
            found[shown] = path
    yield from sorted(found.items())


_TIMED_NAME = re.compile(r"(events\.out\.tfevents)\..*")


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _run(line: str, work: Path) -> Ran:
    from musae.app import main

    out, err = io.StringIO(), io.StringIO()
    arguments = list(_arguments(line))
    # Cards of models repeat the command that made them.
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        mock.patch.object(sys, "argv", ["musae", *arguments]),
    ):
        code = main(arguments)
    return Ran(line, code, normal(out.getvalue(), work), normal(err.getvalue(), work))


def _arguments(line: str) -> Iterator[str]:
    for word in shlex.split(line):
        yield from sorted(glob.glob(word)) if "*" in word else [word]


def normal(text: str, work: Path) -> str:
    """Replace what differs from run to run: folders, and how long something took."""
    import musicvae_lite

    tree = Path(musicvae_lite.__file__).parents[1]
    for place, name in ((work, "WORK"), (tree, "TREE"), (Path(sys.prefix), "PYTHON")):
        text = text.replace(str(place.resolve()), name).replace(str(place), name)
    return TIMES.sub("TIME", text)


TIMES = re.compile(
    r"\d[\d,.]* (?:windows|pictures|examples|clips|files)/s"
    r"|(?<=\bin )\d[\d,.]* (?:s|seconds|minutes|ms)\b"
    r"|\d+(?:\.\d+)?(?= times real time)"
    r"|\b\d+:\d\d:\d\d\b"
    r'|(?<=^  "seconds": )[\d.e-]+|(?<="real_time_factor": )[\d.e-]+'
    r"|(?<=^real_time_factor)[ ]+\d[\d.]*",
    re.MULTILINE,
)
