"""Keys by Albrecht and Shanahan's profiles; figures on corpora: tests/bench/bench_keys.py."""

import numpy as np
import pytest

from musicvae_lite.media.midi import NOTE, Score, Track, read_midi
from musicvae_lite.music.key_of_piece import Key, find_key


def scale(*pitches: int, last: int = 0) -> Score:
    rows = [(240 * n, 240 * n + 240, pitch, 80, 0) for n, pitch in enumerate(pitches)]
    return Score(480, np.array(rows, NOTE), (Track(),))


@pytest.mark.parametrize(
    "tune, key",
    [
        ("ode_to_joy", "C major"),
        ("twinkle_twinkle", "C major"),
        ("amazing_grace", "C major"),
        ("drunken_sailor", "D minor (Dorian)"),
    ],
)
def test_keys_of_tunes(tune: str, key: str) -> None:
    found = find_key(read_midi(f"data/midi/{tune}.mid"))
    assert str(found) == key


def test_a_minor_is_not_e_minor() -> None:
    """A harmonic minor tune over its triads."""
    tune = [69, 71, 72, 76, 74, 72, 71, 68, 69, 72, 76, 77, 76, 74, 72, 71, 69, 68, 69, 69]
    assert find_key(scale(*tune)) == Key(9, "minor")


def test_drums_and_silence() -> None:
    drums = Score(480, np.array([(0, 10, 36, 80, 0)], NOTE), (Track("", 0, True),))
    assert find_key(drums) == Key(0, "major")
