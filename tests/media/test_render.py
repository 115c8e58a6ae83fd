from pathlib import Path

import numpy as np
import pytest

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media import render
from musicvae_lite.media.midi import NOTE, Score, Track

TUNE = [(k * 240, k * 240 + 200, 60 + k % 12, 90, 0) for k in range(64)]
BEAT = [(k * 480, k * 480 + 60, 36, 100, 1) for k in range(32)]
SONG = Score(
    480, np.array(TUNE + BEAT, NOTE), (Track("Tune", 5), Track("Drums", 0, True)), source="song.mid"
)


def fake_synthesizer(folder: Path, text: str) -> None:
    program = folder / "fluidsynth"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def test_orchestration_is_a_stretch_of_the_song() -> None:
    seen = set()
    for seed in range(10):
        other = render.orchestrate(SONG, np.random.default_rng(seed), 4.0)
        assert len(other.notes) and other.notes["start"].min() >= 0
        assert other.end / 480 / other.qpm * 60 < 4.0 + 1
        drums = other.notes[other.notes["track"] == 1]
        assert set(drums["pitch"]) <= {36} and other.tracks[1].is_drum
        assert all(track.program < 120 for track in other.tracks)
        seen.add((other.tracks[0].program, other.qpm))
    assert len(seen) > 5
    again = render.orchestrate(SONG, np.random.default_rng(3), 4.0)
    assert again == render.orchestrate(SONG, np.random.default_rng(3), 4.0)


def test_some_performances_stand_still() -> None:
    drawn = [render.orchestrate(SONG, np.random.default_rng(seed), 4.0) for seed in range(100)]
    standing = [score for score in drawn if not (score.notes["track"] == 1).any()]
    assert 4 < len(standing) < 25
    assert all(
        score.qpm < 0.9 * SONG.qpm and score.tracks[0].program in render._STANDING_PROGRAMS
        for score in standing
    )
    assert min(score.notes["pitch"].min() for score in standing) < 45  # the tune is never below 60
    only_drums = Score(480, SONG.notes[SONG.notes["track"] == 1], SONG.tracks, source="drums.mid")
    assert all(
        len(render.orchestrate(only_drums, np.random.default_rng(seed), 4.0).notes)
        for seed in range(20)
    )


def test_a_missing_synthesizer_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MusaeError, match="fluidsynth is not installed.*apt install fluidsynth"):
        render.render(SONG, tmp_path / "a.sf2", 44100)


def test_a_synthesizer_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fake_synthesizer(tmp_path, "echo no such soundfont >&2; exit 1")
    with pytest.raises(
        MusaeError, match=r"song.mid: fluidsynth cannot play it with .*a.sf2 \(no such soundfont\)"
    ):
        render.render(SONG, tmp_path / "a.sf2", 44100)


def test_soundfonts_are_found_or_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    font = tmp_path / "mine.sf2"
    monkeypatch.setenv(render.SOUNDFONT_VARIABLE, str(font))
    with pytest.raises(UsageError, match="mine.sf2: no such soundfont"):
        render.find_soundfonts()
    font.touch()
    assert render.find_soundfonts() == [font]
    monkeypatch.delenv(render.SOUNDFONT_VARIABLE)
    assert any(path.name == "TimGM6mb.sf2" for path in render.find_soundfonts())


def test_a_real_synthesizer_plays() -> None:
    try:
        render.find_synthesizer()
    except MusaeError:
        pytest.skip("fluidsynth is not installed")
    font = next(path for path in render.find_soundfonts() if path.name == "TimGM6mb.sf2")
    played = render.render(render.orchestrate(SONG, np.random.default_rng(0), 2.0), font, 22050)
    assert played.rate == 22050 and played.samples.shape[0] == 2 and played.samples.shape[1] > 22050
    assert np.abs(played.samples).max() > 0.01
