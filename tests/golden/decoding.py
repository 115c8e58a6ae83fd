"""What each shipped model of music makes of three drawn codes: its classes, as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.golden.describing import statistics

#: Models by the size of their codes.
MODELS = {
    "mel-2bar": 128,
    "drums-2bar": 128,
    "groove-2bar": 128,
    "waltz-2bar": 128,
    "jig-2bar": 128,
    "mel-2bar-chords": 128,
    "mel-16bar": 768,
    "trio-16bar": 1536,
}
_CHORDS = 49  # classes of chords; the first is none


def decoded(inputs: Path, exact: bool = False) -> str:
    """Decode the codes of the inputs, and encode the windows that come out."""
    return "\n".join(line for model in MODELS for line in _lines(model, inputs, exact)) + "\n"


def _lines(name: str, inputs: Path, exact: bool) -> Iterator[str]:
    import musicvae_lite as mv

    session = mv.load(name, device="cpu")
    z = np.load(inputs / f"z{MODELS[name]}.npz")["mean"]
    told = np.eye(_CHORDS, dtype=np.float32)[np.full((3, 32), 1)] if "chords" in name else None
    windows = session.decode_windows(z, condition=told)
    mean, scale = session.encode_windows(windows, condition=told)
    yield f"{name}: {windows.dtype} {list(windows.shape)}"
    for window in windows if windows.dtype.kind in "iu" else []:
        steps = window.reshape(len(window), -1)
        for start in range(0, len(steps), 32):
            rows = steps[start : start + 32]
            yield "  " + " ".join(",".join(str(int(value)) for value in row) for row in rows)
    if windows.dtype.kind == "f":
        yield from (f"  {statistics(window, exact)}" for window in windows)
    yield f"  encoded: mean {statistics(mean, exact)}"
    yield f"  encoded: scale {statistics(scale, exact)}"
