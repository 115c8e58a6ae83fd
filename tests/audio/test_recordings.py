from pathlib import Path

import numpy as np
import pytest

from musicvae_lite.audio import recordings
from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.media.audio import Audio, write_audio
from musicvae_lite.media.midi import NOTE, Score, Track, write_midi

RATE = 16000


def tone(seconds: float, rate: int = RATE, channels: int = 1) -> Audio:
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    return Audio(np.tile(wave.astype(np.float32), (channels, 1)), rate)


def test_recordings_become_mono_segments_of_one_rate_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = tmp_path / "in", tmp_path / "cache"
    (folder / "deep").mkdir(parents=True)
    write_audio(tone(2, 8000, 2), folder / "a.wav")
    write_audio(tone(1), folder / "deep" / "b.FLAC")
    write_audio(Audio(np.zeros((1, RATE), np.float32), RATE), folder / "silent.wav")
    write_audio(tone(0.1), folder / "short.wav")
    (folder / "damaged.wav").write_text("not sound")
    (folder / "notes.txt").write_text("not for us")
    told: list[str] = []
    found = recordings.record([folder], cache, RATE, told.append)
    assert [len(wave) for wave in found] == [2 * RATE, RATE]
    assert all(wave.dtype == np.int16 and np.abs(wave).max() > 25000 for wave in found)
    assert len(told) == 1 and "damaged.wav: not a sound file" in told[0]
    monkeypatch.setattr(recordings, "_segments", lambda *_: pytest.fail("it was converted again"))
    (folder / "damaged.wav").unlink()
    again = recordings.record([folder], cache, RATE)
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))


def test_long_recordings_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "SEGMENT_SECONDS", 1.0)
    write_audio(tone(2.7), tmp_path / "a.wav")
    assert [
        len(wave) for wave in recordings.record([tmp_path / "a.wav"], tmp_path / "c", RATE)
    ] == [RATE, RATE, 11200]


def test_nothing_to_record_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name at least one"):
        recordings.record([], tmp_path, RATE)
    with pytest.raises(MusaeError, match="no such file or folder"):
        recordings.record([tmp_path / "absent"], tmp_path, RATE)
    with pytest.raises(NothingUsableError, match="holds no sound files"):
        recordings.record([tmp_path], tmp_path, RATE)
    write_audio(tone(0.1), tmp_path / "short.wav")
    with pytest.raises(NothingUsableError, match="can be used"):
        recordings.record([tmp_path], tmp_path / "cache", RATE)
    with pytest.raises(MusaeError, match="cannot be created"):
        recordings.record([tmp_path], tmp_path / "short.wav" / "x", RATE)


def songs(folder: Path) -> Path:
    folder.mkdir()
    notes = np.array([(k * 240, k * 240 + 200, 60 + k % 7, 90, 0) for k in range(40)], NOTE)
    for name in ("a", "b"):
        write_midi(Score(480, notes, (Track("Tune"),)), folder / f"{name}.mid")
    (folder / "damaged.mid").write_text("not MIDI")
    return folder


def test_songs_are_performed_once_and_by_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "find_synthesizer", lambda: Path("fluidsynth"))
    monkeypatch.setattr(
        recordings,
        "render",
        lambda score, font, rate, random: tone(1 + len(score.notes) / 100, rate, 2),
    )
    told: list[str] = []
    few = recordings.perform(
        [songs(tmp_path / "songs")], tmp_path / "cache", RATE, 6, 1, told.append
    )
    assert len(few) + len(told) == 6 and told and "damaged.mid" in told[0]
    more = recordings.perform([tmp_path / "songs"], tmp_path / "cache", RATE, 9, 1)
    assert all(np.array_equal(a, b) for a, b in zip(few, more, strict=False))


def test_no_synthesizer_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MusaeError, match="fluidsynth is not installed"):
        recordings.perform([songs(tmp_path / "songs")], tmp_path / "cache", RATE, 1, 0)
