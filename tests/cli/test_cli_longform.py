"""sample --bars, continue, infill, vary and personalize."""

import numpy as np
import pytest

from musicvae_lite.media.midi import Track, read_midi
from tests.music.test_longform import add_longform
from tests.tiny import melody, save, save_tiny_model, score


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    folder = save_tiny_model(tmp_path_factory.mktemp("models") / "long")
    add_longform(folder, 30)
    return folder


def rows(name):
    return {tuple(row) for row in read_midi(name).notes.tolist()}


def test_sample_bars(musae, folder, long):
    run = musae(
        "sample", "-m", long, "--count", 2, "--bars", 8, "--key", "Am", "-o", "new/", "--json"
    )
    assert run.code == 0, run.err
    assert [piece["key"] for piece in run.json["pieces"]] == ["A minor"] * 2
    assert read_midi(run.json["outputs"][0]).bars <= 8
    again = musae("sample", "-m", long, "--bars", 8, "--key", "Am", "-o", "two/", "--form", "AB")
    assert again.code == 0 and "A minor, form AB" in again.out


def test_infill_keeps_what_is_locked(musae, folder, long):
    run = musae("infill", "a.mid", "--bars", "2-3", "--keep", "3.1", "-m", long, "--attempts", 2)
    assert run.code == 0, run.err
    assert "new in bars 2-3" in run.out and "wrote a.filled-2.mid" in run.out
    locked = {
        row for row in rows("a.mid") if not 1920 <= row[0] < 3 * 1920 or 3840 <= row[0] < 4320
    }
    for name in ("a.filled-1.mid", "a.filled-2.mid"):
        assert locked <= rows(name)


def test_continue_and_vary(musae, folder, long):
    run = musae("continue", "a.mid", "--bars", 2, "-m", long, "--json")
    assert run.code == 0 and run.json["bars"] == [6, 7]
    assert rows("a.mid") <= rows("a.continued.mid")
    run = musae("vary", "a.mid", "--amount", 0.5, "-m", long, "-o", "other.mid")
    assert run.code == 0 and rows("other.mid") != rows("a.mid")


def test_personalize(musae, folder, long, monkeypatch):
    monkeypatch.setattr("musicvae_lite.music.longform.personal._LONG_STEPS", 2)
    (folder / "songs").mkdir()
    save(melody(16), folder / "songs" / "one.mid")
    (folder / "songs" / "bad.mid").write_bytes(b"no")
    run = musae("personalize", "songs", "-m", long, "-o", "mine/", "--json")
    assert run.code == 0 and run.json["parts"] == ["longform"] and run.json["bars"] == 16
    assert "bad.mid" in run.err and "16 bars are little" in run.err
    assert "Personalized" in (folder / "mine" / "README.md").read_text()
    assert musae("sample", "-m", "mine", "--bars", 4, "--count", 1).code == 0
    assert musae("personalize", "songs", "-m", long, "-o", "mine").code == 2
    assert musae("personalize", "songs", "-m", long, "-o", "mine", "--overwrite").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("sample", "--bars", 10000), 2, "2 to 256 bars"),
        (("sample", "--bars", 8, "--key", "H"), 2, "key 'H' is not known"),
        (("sample", "--bars", 8, "--form", "AB", "--like", "a.mid"), 2, "does not go with --like"),
        (("sample", "--form", "AB"), 2, "--form goes with --bars"),
        (("continue", "a.mid", "--bars", 10000), 2, "2 to 256 bars"),
        (("infill", "a.mid", "--bars", "9"), 2, "there is no bar 9"),
        (("infill", "a.mid", "--bars", "5-9"), 2, "has bars 1 to 5"),
        (("infill", "a.mid", "--bars", "2", "--keep", "2.1-2.4"), 2, "keeps all"),
        (("infill", "a.mid", "--bars", "2", "--voice", "bass"), 2, "no voice 'bass'"),
        (("infill", "beat.mid", "--bars", "1"), 3, "drum track"),
        (("vary", "a.mid", "--amount", 0), 2, "0"),
        (("personalize", "a.mid", "-o", "mine/"), 3, "5 bars of 1 song are too little"),
        (("personalize", "none", "-o", "mine/"), 1, "none"),
    ],
)
def test_bad_input(musae, folder, long, arguments, code, says):
    beat = [(at, at + 0.25, 36, 0) for at in range(8)]
    save(score(beat, (Track("Drums", 0, True),)), folder / "beat.mid")
    run = musae(*arguments, "-m", long)
    assert (run.code, says in run.err) == (code, True), run.err
    assert len(run.err.splitlines()) <= 2
    assert sorted(path.name for path in folder.iterdir()) == ["a.mid", "b.mid", "beat.mid"]


def test_a_model_without_long_pieces_names_those_that_have_them(musae, folder, tiny):
    run = musae("infill", "a.mid", "--bars", "2", "-m", tiny)
    assert run.code == 2 and "has no model of long pieces" in run.err and "mel-2bar" in run.err
    assert np.array_equal(read_midi("a.mid").notes["pitch"][:1], [60])
