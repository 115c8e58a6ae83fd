"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

# The models of the tests are tiny: a second thread only waits for the first, and far longer where
# the machine is busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development data: ``MUSAE_DATA``, or ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get("MUSAE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no development data at {folder} (set MUSAE_DATA)")
    return folder
