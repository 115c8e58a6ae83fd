"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development data: ``MUSAE_DATA``, or ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get("MUSAE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no development data at {folder} (set MUSAE_DATA)")
    return folder
