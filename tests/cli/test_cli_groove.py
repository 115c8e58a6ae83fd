import pytest

from musicvae_lite.media.midi import read_midi
from musicvae_lite.music.codecs.groove import GrooveCodec
from tests.grooves import beat, save_groove_model, windows
from tests.media.smf import metre, off, on, smf, tempo
from tests.tiny import save


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_groove_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(beat(), tmp_path / "beat.mid")
    save(beat(3, 140), tmp_path / "other.mid")
    save(beat(drums=False), tmp_path / "none.mid")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["humanize", "beat.mid"], "beat.humanized.mid"),
        (["tap", "beat.mid"], "beat.beat.mid"),
        (["add", "beat.mid", "--drum", "low tom"], "beat.added.mid"),
        (["transfer", "other.mid", "beat.mid"], "beat.grooved.mid"),
    ],
)
def test_every_verb_writes_a_file_and_says_so(musae, here, model, arguments, output):
    run = musae("groove", *arguments, "--model", model, "--json")
    assert run.code == 0 and run.json["files"][0]["output"] == output
    assert run.json["files"][0]["windows"] == 3
    assert [track.is_drum for track in read_midi(output).tracks] == [True]
    assert musae("groove", *arguments, "--model", model).code == 2  # it is there already
    assert musae("groove", *arguments, "--model", model, "--overwrite", "--keep-tracks").code == 0
    assert [track.name for track in read_midi(output).tracks][1:] == ["Bass"]


def test_adding_says_what_was_added_in_place_of_what(musae, here, model):
    run = musae("groove", "add", "beat.mid", "-m", model)
    assert run.code == 0 and "; closed hi-hat: " in run.out and " added in place of 40" in run.out


def test_a_drum_that_is_never_played_is_not_written(musae, here, model, monkeypatch):
    monkeypatch.setattr(
        "musicvae_lite.nn.likelihood.Groove.sample",
        lambda own, outputs, *_: outputs.new_zeros(outputs.shape),
    )
    run = musae("groove", "add", "beat.mid", "--drum", "ride", "-m", model)
    assert (
        (run.code, run.out) == (3, "")
        and "plays no ride" in run.err
        and not (here / "beat.added.mid").exists()
    )


def test_everything_but_the_drums_is_kept(musae, here, model):
    lyric, bend, key = b"\xff\x05\x02la", b"\xe1\x00\x50", b"\xff\x59\x02\x02\x00"
    bar = [(24 * (quarter > 0), on(36 if quarter % 2 == 0 else 38, 9)) for quarter in range(4)]
    hits = [
        event for _ in range(4) for event in [*bar, (24, on(27, 9))]
    ]  # the last a pitch of no drum
    drums = [(time - (place > 0) * (time > 0), hit) for place, (time, hit) in enumerate(hits)]
    chunk = [part for time, hit in drums for part in ((time, hit), (1, off(hit[1], 9)))]
    bass = [(0, b"\xc1\x21"), (0, on(40, 1)), (10, bend), (380, off(40, 1)), (0, lyric)]
    (here / "coarse.mid").write_bytes(
        smf([(0, metre(4, 2)), (0, tempo(500_000)), (0, key)], chunk, bass, division=24)
    )
    for verb in ("humanize", "tap"):
        assert (
            musae(
                "groove", verb, "coarse.mid", "-m", model, "--keep-tracks", "-o", f"{verb}.mid"
            ).code
            == 0
        )
        data = (here / f"{verb}.mid").read_bytes()
        assert all(event in data for event in (lyric, bend, key))
        before, after = read_midi("coarse.mid", texts=True), read_midi(f"{verb}.mid", texts=True)
        assert after.ticks_per_quarter == 480 and after.tracks == before.tracks
        factor = 480 // 24
        kept = [score.notes[score.notes["track"] == 1] for score in (before, after)]
        assert (kept[0]["start"] * factor == kept[1]["start"]).all() and (
            kept[0]["end"] * factor == kept[1]["end"]
        ).all()
        assert [text.tick for text in after.texts] == [text.tick * factor for text in before.texts]
        # What is no drum is not heard and stays; of taps the pitch does not count.
        assert (27 in after.notes["pitch"]) == (verb == "humanize")


def test_several_files(musae, here, model):
    run = musae(
        "groove", "humanize", "beat.mid", "none.mid", "other.mid", "-o", "made/", "--model", model
    )
    assert run.code == 1 and "none.mid: no groove" in run.err and "1 of 3 files failed" in run.err
    assert sorted(path.name for path in (here / "made").iterdir()) == ["beat.mid", "other.mid"]


def test_bad_input_is_one_line_and_writes_nothing(musae, here, model, tiny):
    before = sorted(here.iterdir())
    cases = [
        (["humanize", "none.mid", "-m", model], 3, "has no drum track (channel 10)"),
        (["humanize", "gone.mid", "-m", model], 1, "gone.mid: no such file"),
        (["add", "beat.mid", "--drum", "cowbell", "-m", model], 2, "there is no drum 'cowbell'"),
        (["humanize", "beat.mid", "-m", tiny], 2, "is no groove model"),
        (["humanize", "beat.mid", "-m", "nothing"], 2, "no model 'nothing'"),
        (["humanize", "beat.mid", "--track", "3", "-m", model], 2, "there is no track 3"),
        (["humanize", "a.wav", "-m", model], 2, "holds sound"),
        (["transfer", "none.mid", "beat.mid", "-m", model], 3, "none.mid: no groove"),
        (["transfer", "beat.mid", "-m", model], 2, "missing argument"),
        (["humanize"], 2, "missing argument"),
    ]
    for arguments, code, message in cases:
        run = musae("groove", *arguments)
        assert (
            (run.code, run.out) == (code, "") and message in run.err and run.err.count("\n") == 1
        ), run
    assert sorted(here.iterdir()) == before


def test_the_help_names_the_verbs(musae):
    run = musae("groove", "--help")
    assert run.code == 0 and all(verb in run.out for verb in ("humanize", "tap", "add", "transfer"))


def test_verbs_of_all_models_work_with_grooves(musae, here, model):
    assert musae("reconstruct", "beat.mid", "-m", model).code == 0
    assert musae("interpolate", "beat.mid", "other.mid", "-m", model, "--steps", "3").code == 0
    assert (
        musae("sample", "-m", model, "--count", "1", "--temperature", "1", "-o", "s.mid").code == 0
    )
    assert musae("inspect", "beat.mid", "-m", model, "--json").json["files"][0]["windows"] == 4
    assert musae("encode", "beat.mid", "-m", model, "-o", "z.npz").code == 0
    assert musae("decode", "z.npz", "-o", "back.mid", "-m", model).code == 0


def test_prepare_train_and_evaluate(musae, here, model):
    files = here / "files"
    files.mkdir()
    for number in range(8):
        save(GrooveCodec().join(list(windows(2, seed=number))), files / f"{number}.mid")
    assert (
        musae(
            "prepare", files, "--preset", "groove-2bar", "-o", "corpus", "--valid-fraction", "0.3"
        ).code
        == 0
    )
    sizes = [
        "model.latent_size=4",
        "model.encoder.sizes=[8]",
        "model.decoder.sizes=[8]",
        "training.steps=2",
    ]
    settings = [part for size in [*sizes, "training.batch_size=2"] for part in ("--set", size)]
    assert musae("train", "groove-2bar", "--data", "corpus", "-o", "run", *settings).code == 0
    run = musae("evaluate", "run", "--data", "corpus", "--json", "--split", "all")
    grooves = run.json["grooves"]
    assert list(grooves) == [
        "reconstruct",
        "humanize",
        "tap",
        "add",
        "humanize (grid)",
        "humanize (position mean)",
    ]
    assert set(grooves["humanize (grid)"]) == {"timing_ms", "velocity", "velocity_mean"}
    assert (
        20 < grooves["humanize (grid)"]["timing_ms"] < 40
        and grooves["humanize (position mean)"]["velocity"] > 5
    )
    assert set(grooves["humanize"]) == {"hit_f1", "timing_ms", "velocity"}
    assert (
        "humanize (grid): timing_ms"
        in musae("evaluate", "run", "--data", "corpus", "--split", "all").out
    )
