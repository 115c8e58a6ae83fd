"""Pictures of whole scores."""

from pathlib import Path

import numpy as np
import pytest

from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.midi import METRE, NOTE, Score, Track
from musicvae_lite.music.score_plots import MAX_BARS, check_stacked, stacked_rolls

TRACKS = (Track("piano"), Track("bass", 33), Track("", 0, True))


def score(bars=2, tracks=TRACKS):
    notes = [(bar * 1920, bar * 1920 + 480, 60, 64, n) for bar in range(bars) for n in range(3)]
    return Score(480, np.array(notes, NOTE), tracks, metres=np.array([(0, 4, 4)], METRE))


def test_a_row_for_each_piece():
    empty = Score(480, np.zeros(0, NOTE), (), metres=np.array([(0, 4, 4)], METRE))
    data = stacked_rolls([score(), empty], Path("x.svg"), ["given", "heard"], "a title").decode()
    assert data.startswith("<?xml") and "bass" in data.replace("\n", " ")
    assert stacked_rolls([score(MAX_BARS + 50)], Path("x.png"), ["long"])[:4] == b"\x89PNG"


def test_limits():
    with pytest.raises(UsageError, match="50 pieces"):
        check_stacked(Path("x.png"), 51)
    with pytest.raises(UsageError):
        check_stacked(Path("x.gif"), 1)
