"""The verbs on polyphonic piano, as a user calls them."""

import numpy as np
import pytest

from musicvae_lite.media.midi import Track, read_midi
from tests.tiny import save, save_tiny_model, score

HANDS = (Track("right", 0), Track("left", 0))


def piano(bars, tracks=HANDS, metre=(4, 4)):
    """Chords above a bass, in quarter notes."""
    rows = [
        (beat, beat + 0.75, pitch + (5 * beat) % 7, track)
        for beat in range(4 * bars)
        for track, pitches in ((0, (60, 64, 67)), (1, (40,)))
        for pitch in pitches
    ]
    return score(rows, tracks, metre)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model with random weights."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "piano", "piano-2bar")


@pytest.fixture(autouse=True)
def songs(tmp_path, monkeypatch):
    """Three songs in the current folder."""
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        save(piano(5 + number), tmp_path / f"song{number}.mid")


def test_the_verbs_of_music_work_on_piano(model, musae):
    assert musae("interpolate", "song0.mid", "song1.mid", "-m", model, "--plot", "p.png").code == 0
    assert (
        musae(
            "sample", "-m", model, "--count", 2, "--bars", 4, "--plot", "d.svg", "-o", "drawn/"
        ).code
        == 0
    )
    like = musae("sample", "-m", model, "--like", "song0.mid", "--count", 2, "-o", "like/")
    assert like.code == 0, like.err
    assert musae("reconstruct", "song2.mid", "-m", model, "--plot", "r.png").code == 0
    two = musae("reconstruct", "song0.mid", "song1.mid", "-m", model, "--plot", "s.png")
    assert two.code == 2 and "one piece" in two.err
    again = musae("sample", "-m", model, "--plot", "r.png", "-o", "more/")
    assert again.code == 2 and "r.png" in again.err
    kept = musae("reconstruct", "song2.mid", "-m", model, "--keep-tracks", "-o", "kept.mid")
    assert kept.code == 0, kept.err
    assert musae("encode", "song0.mid", "-m", model, "-o", "z.npz").code == 0
    assert musae("decode", "z.npz", "-m", model, "-o", "back.mid").code == 0
    inspected = musae("inspect", "song0.mid", "-m", model, "--json")
    assert inspected.code == 0
    songs = [f"song{number}.mid" for number in range(3)]
    made = musae("prepare", *songs, "--preset", "piano-2bar", "-o", "corpus", "--workers", 1)
    assert made.code == 0, made.err
    measured = musae("evaluate", model, "--data", "corpus", "--split", "all", "--json")
    assert measured.code == 0, measured.err
    assert set(measured.json["notes"]) == {"onset_f1", "note_f1", "velocity_error"}
    for name in ("p.png", "r.png"):
        with open(name, "rb") as file:
            assert file.read(4) == b"\x89PNG"


def test_both_hands_are_heard_and_replaced(model, musae, tmp_path):
    run = musae("reconstruct", "song2.mid", "-m", model, "--keep-tracks", "-o", "kept.mid")
    assert run.code == 0 and "tracks 1-2 (right, left)" in run.out and "dropped" in run.out
    assert run.err == ""
    piece, kept = read_midi(tmp_path / "song2.mid"), read_midi(tmp_path / "kept.mid")
    same = np.isin(kept.notes[kept.notes["track"] == 1], piece.notes)
    assert not same.all() or not len(same)  # the left hand, too, is what the model made


def test_no_piano_is_allowed_and_drums_alone_are_not(model, musae, tmp_path):
    save(piano(3, (Track("flute", 73), Track("cello", 42))), tmp_path / "winds.mid")
    run = musae("reconstruct", "winds.mid", "-m", model, "-o", "heard.mid")
    assert run.code == 0, run.err
    assert "no piano, organ or guitar" in run.err and "tracks 1-2 (flute, cello)" in run.out
    save(score([(0, 1, 36, 0)], (Track("kit", 0, True),)), tmp_path / "kit.mid")
    run = musae("reconstruct", "kit.mid", "-m", model, "-o", "none.mid")
    assert run.code == 3
    assert "drums alone" in run.err and len(run.err.strip().splitlines()) == 1


def test_a_waltz_is_refused_with_its_metre(model, musae, tmp_path):
    save(piano(3, metre=(3, 4)), tmp_path / "waltz.mid")
    run = musae("interpolate", "waltz.mid", "song0.mid", "-m", model)
    assert run.code == 3
    assert "metre 3/4 (the model needs 4/4)" in run.err
