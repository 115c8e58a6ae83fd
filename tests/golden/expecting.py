"""The stored texts of the cases that are tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.golden.describing import described, shortened
from tests.golden.running import Ran, outputs

EXPECTED = Path(__file__).with_name("expected")
#: The name of the text of what drawn codes decode to (decoding.py).
CODES = "codes"


def case_text(ran: Sequence[Ran], folder: Path) -> str:
    """Return what the commands of a case said and the files that they left in ``folder``."""
    parts = [shortened(run.text()) for run in ran]
    parts += [f"== {name}\n{described(path)}" for name, path in outputs(folder)]
    return "\n".join(parts)
