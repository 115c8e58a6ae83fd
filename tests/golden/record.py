r"""Records all that the command writes, from a tree of your choice, and compares two records.

    python tests/golden/record.py record --tree DIR -o RECORD     all of commands.txt, in minutes
    python tests/golden/record.py compare BEFORE AFTER            exit code 1 if anything differs
    python tests/golden/record.py update                          renews expected/ (test_golden.py)

DIR is a checkout (by default this one); its library and command are used, with the commands and
inputs of this file's folder. RECORD/NAME/ holds what a case's commands said (said.txt) and each
file that they wrote. ``--only PATTERN`` records some cases, and those that they read from.
``--isolated`` runs each case in a process of its own, to check that no command changes the next.

``compare`` is of bytes. Of run logs and cards, which hold times, the rest is compared.
A difference is shown as text: notes of MIDI files, fields of JSON, arrays by name.
"""

from __future__ import annotations

import argparse
import difflib
import fnmatch
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.golden.describing import described, same  # noqa: E402
from tests.golden.expecting import CODES, EXPECTED, case_text  # noqa: E402
from tests.golden.running import (  # noqa: E402
    SURROUNDINGS,
    outputs,
    read_cases,
    run_case,
    with_needs,
)

SAID = "said.txt"
_LINES = 40  # of a difference that are shown


def main() -> int:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    record = commands.add_parser("record")
    record.add_argument("--tree", type=Path, default=ROOT)
    record.add_argument("-o", "--output", type=Path, required=True)
    record.add_argument("--only", default="*")
    record.add_argument("--isolated", action="store_true")
    record.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    compare = commands.add_parser("compare")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    compare.add_argument("--lines", type=int, default=_LINES, help="of each difference")
    update = commands.add_parser("update")
    update.add_argument("--tree", type=Path, default=ROOT)
    update.add_argument("--only", default="*")
    update.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.command == "compare":
        return compare_records(given.before, given.after, given.lines)
    if given.command == "update":
        return _update(given) if given.work is None else _update_here(given)
    return _record(given) if given.work is None else _record_here(given)


def _record(given: argparse.Namespace) -> int:
    """Write the inputs, then run the cases in another process that sees the tree alone."""
    if given.output.exists():
        print(f"{given.output}: is there; name a new folder", file=sys.stderr)
        return 2
    given.output.mkdir(parents=True)
    tree = given.tree.resolve()
    cases = read_cases()
    names = [case.name for case in with_needs(fnmatch.filter(cases, given.only), cases)]
    names += [CODES] if fnmatch.fnmatch(CODES, given.only) else []
    fixed = ["record", "--tree", str(tree), "-o", str(given.output)]
    fixed += ["--isolated"] if given.isolated else []
    return _run_in(
        tree, [[*fixed, "--only", o] for o in (names if given.isolated else [given.only])]
    )


def _update(given: argparse.Namespace) -> int:
    tree = given.tree.resolve()
    return _run_in(tree, [["update", "--tree", str(tree), "--only", given.only]])


def _run_in(tree: Path, commands: Sequence[Sequence[str]]) -> int:
    """Run commands of this file in processes that see a tree alone, over the same inputs."""
    from tests.golden.inputs import write_inputs

    paths = os.pathsep.join([str(tree), str(tree / "cli")])
    surroundings = {**os.environ, **SURROUNDINGS, "PYTHONPATH": paths}
    with tempfile.TemporaryDirectory(prefix="golden-") as work:
        write_inputs(Path(work) / "in")
        for command in commands:
            line = [sys.executable, __file__, *command, "--work", work]
            subprocess.run(line, env=surroundings, check=True)
    return 0


def _update_here(given: argparse.Namespace) -> int:
    """Write the texts of the cases that are tests, and remove those that are of no case."""
    from tests.golden.decoding import decoded

    _see_only(given.tree)
    cases = read_cases()
    suite = [name for name, case in cases.items() if case.suite]
    names = fnmatch.filter(suite, given.only)
    EXPECTED.mkdir(exist_ok=True)
    for case in with_needs(names, cases):
        ran = run_case(case, given.work)
        if case.name in names:
            text = case_text(ran, given.work / "cases" / case.name)
            (EXPECTED / f"{case.name}.txt").write_text(text, encoding="utf-8")
    if fnmatch.fnmatch(CODES, given.only):
        text = decoded(given.work / "in")
        (EXPECTED / f"{CODES}.txt").write_text(text, encoding="utf-8")
    for path in EXPECTED.iterdir():
        if path.stem not in [*suite, CODES]:
            path.unlink()
    return 0


def _record_here(given: argparse.Namespace) -> int:
    """Run cases in this process."""
    _see_only(given.tree)
    cases = read_cases()
    names = fnmatch.filter(cases, given.only)
    for case in [cases[n] for n in names] if given.isolated else with_needs(names, cases):
        began = time.perf_counter()
        ran = run_case(case, given.work)
        place = given.output / case.name
        place.mkdir()
        (place / SAID).write_text("\n".join(run.text() for run in ran), encoding="utf-8")
        for name, path in outputs(given.work / "cases" / case.name):
            (place / "files" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place / "files" / name)
        codes = " ".join(str(run.code) for run in ran)
        print(f"{case.name}: {time.perf_counter() - began:.1f} s, exit codes {codes}", flush=True)
    if fnmatch.fnmatch(CODES, given.only):
        from tests.golden.decoding import decoded

        (given.output / CODES).mkdir()
        text = decoded(given.work / "in", exact=True)
        (given.output / CODES / SAID).write_text(text, encoding="utf-8")
    return 0


def _see_only(tree: Path) -> None:
    """Import the library from a tree; the tests of this checkout are imported by now."""
    sys.path.remove(str(ROOT))
    import musicvae_lite

    if tree not in Path(musicvae_lite.__file__).parents:
        sys.exit(f"{musicvae_lite.__file__} is not of {tree}")


def compare_records(before: Path, after: Path, lines: int = _LINES) -> int:
    """Print where two records differ; return 1 if they do."""
    files = [{str(p.relative_to(r)) for p in r.rglob("*") if p.is_file()} for r in (before, after)]
    differing = 0
    for name in sorted(files[0] | files[1]):
        if name not in files[1] or name not in files[0]:
            print(f"{name}: only {'before' if name in files[0] else 'after'}")
        elif not same(before / name, after / name):
            print(f"{name}: differs")
            _show(before / name, after / name, lines)
        else:
            continue
        differing += 1
    count = len(files[0] | files[1])
    print(
        f"{count - differing} of {count} files are equal, byte by byte (logs but for their times)"
    )
    return int(differing > 0)


def _show(before: Path, after: Path, limit: int) -> None:
    texts = [described(path, exact=True).splitlines() for path in (before, after)]
    found = list(difflib.unified_diff(*texts, "before", "after", lineterm="", n=1))
    for line in found[2 : 2 + limit] or ["the same but for bytes that are not shown"]:
        print(f"    {line[:300]}")
    if len(found) > limit + 2:
        print(f"    ... {len(found) - limit - 2} lines more")


if __name__ == "__main__":
    sys.exit(main())
