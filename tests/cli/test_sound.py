"""``--wav``: what verbs write is also rendered, with instruments, with and without FluidSynth."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.media import synth
from musicvae_lite.media.midi import write_midi
from musicvae_lite.media.soundfont import shipped_soundfont, to_sf2, uncompressed_soundfont
from musicvae_lite.media.synth import play, seconds_of
from tests.grooves import beat
from tests.tiny import score

MELODY = [(0, 1, 60, 0), (1, 2, 64, 0), (2, 4, 67, 0)]


@pytest.fixture(params=["midirenderer", "FluidSynth"])
def player(request, monkeypatch):
    """Name the program that plays."""
    if request.param == "FluidSynth":
        if shutil.which("fluidsynth") is None:
            pytest.skip("FluidSynth is not installed")
    else:
        monkeypatch.setattr(synth.shutil, "which", lambda name: None)
    return request.param


def centre_hz(samples, rate):
    power = np.abs(np.fft.rfft(samples)) ** 2
    return (power * np.fft.rfftfreq(len(samples), 1 / rate)).sum() / power.sum()


def test_melodies_and_drums_sound(player):
    for piece in (score(MELODY), beat(2)):
        audio, how = play(piece)
        assert how == player and audio.samples.shape[0] == 2
        assert np.abs(audio.samples).max() == pytest.approx(0.9, abs=1e-3)
        assert audio.header.seconds > seconds_of(piece) + 0.5  # the last notes ring out


def test_programs_have_their_own_sound(player):
    piano = score(MELODY)
    flute = replace(piano, tracks=tuple(track._replace(program=73) for track in piano.tracks))
    (one, _), (other, _) = play(piano), play(flute)
    length = min(one.samples.shape[1], other.samples.shape[1])
    shared = np.corrcoef(one.samples[0, :length], other.samples[0, :length])[0, 1]
    assert abs(shared) < 0.5


def test_every_program_and_drum_of_general_midi_sounds(monkeypatch):
    monkeypatch.setattr(synth.shutil, "which", lambda name: None)
    piece = score([(0, 1, 60, 0)])
    for program in range(0, 128, 9):
        tracks = tuple(track._replace(program=program) for track in piece.tracks)
        audio, _ = play(replace(piece, tracks=tracks))
        assert np.abs(audio.samples).max() > 0.5, program


def test_silence_is_silence(player):
    audio, _ = play(score([]))
    assert not audio.samples.any()


def test_seconds_follow_the_tempos():
    piece = beat(2)
    assert seconds_of(piece) == pytest.approx(piece.end / piece.ticks_per_quarter * 60 / piece.qpm)


def test_a_soundfont_that_is_named_is_used(monkeypatch, tmp_path):
    monkeypatch.setattr(synth.shutil, "which", lambda name: None)
    monkeypatch.setenv("MUSAE_SOUNDFONT", str(tmp_path / "none.sf2"))
    with pytest.raises(UsageError, match="no such soundfont"):
        play(score(MELODY))
    damaged = tmp_path / "damaged.sf2"
    damaged.write_bytes(uncompressed_soundfont()[:1000])
    monkeypatch.setenv("MUSAE_SOUNDFONT", str(damaged))
    with pytest.raises(MusaeError, match="cannot be played"):
        play(score(MELODY))
    with pytest.raises(MusaeError, match="does not begin as a SoundFont"):
        to_sf2(b"RIFFxxxxWAVE")


def test_the_soundfont_is_kept_uncompressed(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = uncompressed_soundfont()
    assert len(list(tmp_path.rglob("*.sf2"))) == 1 and uncompressed_soundfont() == first
    assert len(first) > 5 * shipped_soundfont().stat().st_size


VERBS = {
    "reconstruct": ["reconstruct", "a.mid"],
    "keep-tracks": ["reconstruct", "a.mid", "--keep-tracks"],
    "interpolate": ["interpolate", "a.mid", "b.mid", "--steps", "2"],
    "sample": ["sample", "--count", "1"],
    "like": ["sample", "--like", "a.mid", "--count", "1"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_render_what_they_write(musae, folder, tiny, verb):
    run = musae(*VERBS[verb], "-m", tiny, "-o", "made.mid", "--wav", "heard.wav")
    assert run.code == 0, run.err
    assert soundfile.info("heard.wav").channels == 2 and (folder / "made.mid").is_file()
    again = musae(*VERBS[verb], "-m", tiny, "-o", "other.mid", "--wav", "heard.wav")
    assert again.code == 2 and "exists already" in again.err and not (folder / "other.mid").exists()


def test_decode_renders_too(musae, folder, tiny):
    assert musae("encode", "a.mid", "b.mid", "-m", tiny, "-o", "z.npz").code == 0
    run = musae("decode", "z.npz", "-m", tiny, "-o", "out/", "--wav", "sounds/")
    assert run.code == 0, run.err
    assert sorted(path.name for path in (folder / "sounds").iterdir()) == ["a.wav", "b.wav"]


def test_several_sounds_want_a_folder(musae, folder, tiny):
    run = musae("sample", "--count", "2", "-m", tiny, "--wav", "one.wav")
    assert run.code == 2 and "name a folder (one/)" in run.err and len(list(folder.iterdir())) == 2
    run = musae("sample", "--count", "2", "-m", tiny, "-o", "new/", "--wav", "wave/")
    assert run.code == 0 and len(list((folder / "wave").iterdir())) == 2
    run = musae("sample", "--count", "1", "-m", tiny, "--wav", "one.mp3")
    assert run.code == 2 and "ends in .wav" in run.err


def test_a_groove_is_rendered(musae, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_midi(beat(2), tmp_path / "beat.mid")
    run = musae("groove", "humanize", "beat.mid", "-o", "new.mid", "--wav", "new.wav")
    assert run.code == 0 and soundfile.info("new.wav").duration > 2
