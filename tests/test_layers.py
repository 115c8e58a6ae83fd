"""Imports point one way, and importing the package costs no torch."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "musicvae_lite"

# From bottom to top. A folder (or module of the root) imports from rows above its own in this list
# and from itself; the media are on one row, and know nothing of one another.
LAYERS = [
    {"core"},
    {"config"},
    {"plotting"},
    {"nn", "media"},
    {"model_dir"},
    {"images", "audio", "music"},
    {"evaluation", "training", "magenta"},
    {"play"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def without_type_checking(path: Path) -> ast.Module:
    """The code of a file, but for what only the type checker reads."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        for name, body in ast.iter_fields(node):
            if name == "body" and isinstance(body, list):
                node.body = [
                    n
                    for n in body
                    if not (isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
                ]
    return tree


def imported(path: Path) -> set[str]:
    """Names of our folders that a file imports when it runs or is called."""
    tree = without_type_checking(path)
    found = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("musicvae_lite")
        ):
            parts = node.module.split(".")[1:]
            found |= {parts[0]} if parts else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {
                a.name.split(".")[1] for a in node.names if a.name.startswith("musicvae_lite.")
            }
    return found


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_imports_point_downwards(path):
    module = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if module == "__init__":
        return
    assert module in LEVEL, f"put {module} into LAYERS"
    upward = {
        name for name in imported(path) - {"__version__", module} if LEVEL[name] >= LEVEL[module]
    }
    assert not upward, f"{module} imports {upward} from above"


def modules() -> dict[str, Path]:
    """Every module of ours by its name."""
    found = {}
    for base, name in ((PACKAGE, "musicvae_lite"), (ROOT / "cli" / "musae", "musae")):
        for path in base.rglob("*.py"):
            parts = [name, *path.relative_to(base).with_suffix("").parts]
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def uses(path: Path, known: dict[str, Path]) -> set[str]:
    """Names of our modules that a file imports; not what only the type checker reads."""
    found = set()
    for node in ast.walk(without_type_checking(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found |= {full if full in known else node.module} & known.keys()
    return found


def test_no_files_import_each_other_in_a_circle():
    known = modules()
    graph = {name: uses(path, known) - {name} for name, path in known.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises a CycleError that names the circle


def test_the_library_does_not_know_the_command():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) musae\b", text, re.MULTILINE), path


@pytest.mark.parametrize(
    "module",
    [
        "musicvae_lite",
        "musicvae_lite.model_dir.handle",
        "musicvae_lite.music.codec",
        "musicvae_lite.media.midi",
    ],
)
def test_light_modules_import_nothing_heavy(module):
    heavy = (
        "torch",
        "matplotlib",
        "pyarrow",
        "symusic",
        "pretty_midi",
        "librosa",
        "lightning_fabric",
    )
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )
