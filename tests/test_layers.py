"""Imports point one way, and importing the package costs no torch."""

import ast
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


def imported(path: Path) -> set[str]:
    """Names of our modules that a file imports when it runs or is called.

    Not what only the type checker reads.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        for name, body in ast.iter_fields(node):
            if name == "body" and isinstance(body, list):
                node.body = [
                    n
                    for n in body
                    if not (isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
                ]
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
