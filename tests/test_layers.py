"""Imports point one way, and importing the package costs no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "musicvae_lite"

# From bottom to top. A folder may import from its own row and from the rows above it in this list.
LAYERS = [
    {"core"},
    {"config"},
    {"nn", "media"},
    {"model_dir"},
    {"images", "audio"},
    {"music"},
    {"training", "magenta"},
]
#: Imports that still point up, file and folder; none may be added.
UPWARD = {
    ("core/autoencoder.py", "audio"),
    ("core/autoencoder.py", "images"),
    ("core/autoencoder.py", "music"),
    ("core/autoencoder.py", "nn"),
    ("core/dataset.py", "config"),
    ("core/dataset.py", "audio"),
    ("core/dataset.py", "images"),
    ("core/dataset.py", "music"),
    ("model_dir/card.py", "music"),
    ("images/dataset.py", "music"),
    ("images/figures.py", "training"),
    ("images/plots.py", "music"),
    ("audio/plots.py", "music"),
    ("audio/recordings.py", "music"),
    ("audio/denoise/dataset.py", "music"),
    ("audio/timbre/dataset.py", "music"),
}
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
    known = {folder for file, folder in UPWARD if file == str(path.relative_to(PACKAGE))}
    names = imported(path) - {"__version__"} - known
    upward = {name for name in names if LEVEL[name] > LEVEL[module]}
    assert not upward, f"{module} imports {upward} from above"


def test_the_library_does_not_know_the_command():
    for path in PACKAGE.rglob("*.py"):
        assert "import musae" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "module",
    [
        "musicvae_lite",
        "musicvae_lite.model_dir.bundle",
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
