"""Windows equal to those that magenta 2.1.4 extracts itself (shared/magenta/windows, see its
README).
"""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from musicvae_lite.media.midi import METRE, NOTE, TEMPO, Score, Track, read_midi
from musicvae_lite.music.codecs.melody import MelodyCodec

# Magenta keeps windows in which one note is held all through, and gives nothing for short pieces.
MAGENTA = MelodyCodec(bars=2, max_bars=100, pad_short=False, require_onset=False)


@pytest.fixture(scope="module")
def fixture(shared_data: Path) -> dict[str, np.ndarray]:
    path = shared_data.parent / "magenta" / "windows" / "mel2_nottingham_first60.npz"
    if not path.is_file():
        pytest.skip(f"no Magenta fixture at {path}")
    with np.load(path) as arrays:
        return dict(arrays)


def score_of(fixture: dict[str, np.ndarray], key: str) -> Score:
    """The NoteSequence of the fixture, seconds turned into ticks."""
    tpq, table = int(fixture[f"{key}/ns/tpq"]), fixture[f"{key}/ns/notes"]
    (_, qpm), *more = fixture[f"{key}/ns/tempos"]
    assert not more

    def ticks(seconds: np.ndarray) -> np.ndarray:
        return np.rint(seconds * qpm / 60 * tpq).astype(np.int64)

    notes = np.zeros(len(table), NOTE)
    notes["start"], notes["end"] = ticks(fixture[f"{key}/ns/times"]).T
    notes["pitch"], notes["velocity"], notes["track"] = table[:, 0], table[:, 1], table[:, 3]
    tracks = []
    for instrument in range(table[:, 3].max() + 1):
        _, _, program, _, is_drum = table[table[:, 3] == instrument][0].tolist()
        tracks.append(Track("", program, bool(is_drum)))
    metres = [
        (int(ticks(time)), int(num), int(den)) for time, num, den in fixture[f"{key}/ns/timesigs"]
    ]
    return Score(tpq, notes, tuple(tracks), np.array([(0, qpm)], TEMPO), np.array(metres, METRE))


def check(fixture: dict[str, np.ndarray], key: str, score: Score) -> int:
    ours, theirs = MAGENTA.encode(score).windows, fixture[f"{key}/ordered_all"]
    assert len(ours) == len(theirs), key
    if len(ours):
        np.testing.assert_array_equal(ours, theirs, err_msg=key)
        unique = {bytes(window) for window in fixture[f"{key}/unique_all"].astype(np.uint8)}
        assert {bytes(window) for window in ours} == unique
    return len(ours)


def test_from_the_notes_that_magenta_read(fixture: dict[str, np.ndarray]) -> None:
    keys = [f"{number:03d}" for number in range(len(fixture["files"]))]
    assert sum(check(fixture, key, score_of(fixture, key)) for key in keys) == 1967


def test_from_the_midi_files(fixture: dict[str, np.ndarray], shared_data: Path) -> None:
    checked = 0
    with zipfile.ZipFile(shared_data / "midi" / "nottingham" / "train.zip") as archive:
        members = set(archive.namelist())
        for number, source in enumerate(fixture["files"].tolist()):
            member = source.replace("/MIDI/", "/")
            if member in members:
                checked += check(
                    fixture, f"{number:03d}", read_midi(archive.read(member), source=member)
                )
    assert checked > 1000
