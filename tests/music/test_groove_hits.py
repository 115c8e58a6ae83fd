"""Every hit stays, in its track; timing and accents are a drummer's, level and place the file's."""

from dataclasses import replace

import numpy as np
import pytest

from musicvae_lite.media.midi import NOTE, Score, Track
from musicvae_lite.music.codecs.groove import GrooveCodec
from musicvae_lite.music.groove_windows import to_the_end
from musicvae_lite.music.verbs.groove_hits import Feel, blended, moved, with_drum
from musicvae_lite.music.windows import whole_melody

KICK, SNARE, HAT = 36, 38, 42
CODEC = to_the_end(GrooveCodec(hop_bars=2))


def kit() -> Score:
    """Two bars: kick, snare and hats on a track each; a roll of 32nds in the last beat."""
    rows = [(beat * 480, beat * 480 + 60, KICK, 100, 0) for beat in (0, 2, 4, 6)]
    rows += [(beat * 480, beat * 480 + 60, SNARE, 90, 1) for beat in (1, 3, 5)]
    rows += [(3360 + 60 * n, 3390 + 60 * n, SNARE, 60 + n, 1) for n in range(8)]
    rows += [(eighth * 240, eighth * 240 + 60, HAT, 70, 2) for eighth in range(16)]
    rows += [(0, 3840, 40, 80, 3)]
    tracks = (
        Track("Kick", 0, True),
        Track("Snare", 0, True),
        Track("Hats", 0, True),
        Track("Bass", 33),
    )
    return Score(480, np.array(rows, NOTE), tracks, source="kit")


def made_of(windows: np.ndarray) -> np.ndarray:
    """A drummer who plays 0.2 of half a step early, kicks softly and accents every other hit."""
    made = windows.copy()
    hit = windows[..., :9] > 0.5
    loud = np.where(np.cumsum(hit, axis=1) % 2, 0.5, 0.3)
    made[..., 9:18] = np.where(hit, loud, 0)
    made[..., 18:] = np.where(hit, 0.2 + 0.1 * np.where(np.cumsum(hit, axis=1) % 2, 1, -1), 0)
    return made


@pytest.mark.parametrize("feel", [Feel(), Feel(0.5), Feel(velocity=False), Feel(timing=False)])
def test_every_hit_stays_in_its_track(feel: Feel) -> None:
    piece = kit()
    passage = whole_melody(piece, CODEC, "tiny")
    windows = blended(passage.windows, made_of(passage.windows), feel)
    result = moved(passage, windows, CODEC)
    for track in range(4):
        before, after = (own.notes[own.notes["track"] == track] for own in (piece, result))
        assert len(before) == len(after)
        assert sorted(before["pitch"].tolist()) == sorted(after["pitch"].tolist())
        ratio = after["velocity"].mean() / before["velocity"].mean()
        assert 0.93 < ratio < 1.07  # of the kick, too, which the drummer plays softly
        shift = np.sort(after["start"]) - np.sort(before["start"])
        assert abs(shift).max() <= 60  # half a step
        if not feel.timing or track == 3:
            assert not shift.any()
        if not feel.velocity or track == 3:
            assert before["velocity"].tolist() == after["velocity"].tolist()
        elif track == 0:
            assert len(set(after["velocity"].tolist())) > 1


def test_the_timing_is_on_the_grid_on_average() -> None:
    passage = whole_melody(kit(), CODEC, "tiny")
    hit = passage.windows[..., :9] > 0.5
    windows = blended(passage.windows, made_of(passage.windows), Feel())
    assert abs(windows[..., 18:][hit].mean()) < 1e-6 and windows[..., 18:][hit].std() > 0.05
    half = blended(passage.windows, made_of(passage.windows), Feel(0.5))
    given = passage.windows[..., 18:][hit]
    assert np.allclose(half[..., 18:][hit] - given, (windows[..., 18:][hit] - given) / 2)
    assert np.array_equal(
        blended(passage.windows, made_of(passage.windows), Feel(0)), passage.windows
    )


def test_a_drum_is_added_and_nothing_else_touched() -> None:
    piece = kit()
    passage = whole_melody(piece, CODEC, "tiny")
    ride = CODEC.join(list(passage.windows))
    ride = replace(ride, notes=np.array([(0, 100, 51, 77, 0), (480 * 4, 2000, 51, 66, 0)], NOTE))
    assert ride.ticks_per_quarter == 1920
    result = with_drum(passage, ride, CODEC, 8)
    assert len(result.notes) == len(piece.notes) + 2
    added = result.notes[result.notes["pitch"] == 51]
    assert added["start"].tolist() == [0, 480] and added["velocity"].tolist() == [77, 66]
