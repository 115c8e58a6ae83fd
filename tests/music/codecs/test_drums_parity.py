"""Drum windows equal to those that magenta 2.1.4 extracts itself (shared/magenta/windows, see its
README).
"""

from pathlib import Path

import numpy as np
import pytest

from musicvae_lite.music.codecs.drums import DrumsCodec
from tests.music.codecs.test_melody_parity import score_of

MAGENTA = {"bars": 2, "max_bars": 100, "pad_short": False, "require_onset": False}


@pytest.fixture(scope="module")
def fixture(shared_data: Path) -> dict[str, np.ndarray]:
    path = shared_data.parent / "magenta" / "windows" / "drums2_testmidi.npz"
    if not path.is_file():
        pytest.skip(f"no Magenta fixture at {path}")
    with np.load(path) as arrays:
        return dict(arrays)


def test_from_the_notes_that_magenta_read(fixture: dict[str, np.ndarray]) -> None:
    tokens, roll = DrumsCodec(**MAGENTA), DrumsCodec(**MAGENTA, form="roll")
    found = 0
    keys = [key.split("/")[0] for key in fixture if key.endswith("/unique_all")]
    for key in keys:
        if not len(fixture[f"{key}/ns/notes"]):
            continue
        piece = score_of(fixture, key)
        ours, theirs = tokens.encode(piece).windows, fixture[f"{key}/unique_all"]
        assert {bytes(window.astype(np.int16)) for window in ours} == {
            bytes(window.astype(np.int16)) for window in theirs
        }, key
        inputs = fixture[f"{key}/unique_all/inputs"]
        bits = roll.encode(piece).windows
        assert {bytes(window) for window in bits} == {
            bytes(window[:, :9].astype(np.uint8)) for window in inputs
        }, key
        if len(theirs):
            table = np.array(tokens.table, np.uint8)
            np.testing.assert_array_equal(table[theirs], inputs)
        found += len(theirs)
    assert found == 67
