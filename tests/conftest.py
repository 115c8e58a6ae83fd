"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

import tests.checking  # noqa: F401 (found by its name)

# The models of the tests are tiny: a second thread only waits for the first, and far longer where
# the machine is busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Shapes and types of these modules are checked at every call (jaxtyping, beartype). In the others
# annotations name what only the type checker imports.
os.environ["MUSAE_CHECK_SHAPES"] = "1"
CHECKED = (
    "core.prior",
    "nn.conv",
    "nn.discriminator",
    "nn.heads",
    "nn.kernels",
    "nn.likelihood",
)
install_import_hook([f"musicvae_lite.{name}" for name in CHECKED], "tests.checking.checked")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development data: ``MUSAE_DATA``, or ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get("MUSAE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no development data at {folder} (set MUSAE_DATA)")
    return folder
