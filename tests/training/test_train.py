"""The loop: it learns, resumes exactly, shares a batch between processes, and says what
went wrong.
"""

import errno
import json
import math
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from musicvae_lite.config import parse_config
from musicvae_lite.core.autoencoder import FORCED, Batch, Teacher
from musicvae_lite.core.codec import build_codec
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.random import Noise
from musicvae_lite.evaluation import evaluate
from musicvae_lite.media.midi import write_midi
from musicvae_lite.model_dir.bundle import describe, load_bundle
from musicvae_lite.music.attribute_vectors import load_vectors
from musicvae_lite.music.data.corpus import Corpus
from musicvae_lite.music.data.prepare import prepare_corpus
from musicvae_lite.music.model import build
from musicvae_lite.training.checkpoint import STATE, read_progress
from musicvae_lite.training.events import Notice, Trained, Validated
from musicvae_lite.training.train import train
from tests.tiny import save_random

CODEC = {"kind": "melody", "bars": 1}


def settings(**changes):
    tree = {
        "name": "tiny",
        "codec": CODEC,
        "model": {
            "latent_size": 8,
            "encoder": {"sizes": [24], "token_size": 8, "readout": "steps", "readout_size": 4},
            "decoder": {"sizes": [24], "token_size": 8, "plan_size": 8, "position_size": 2},
        },
        "objective": {"beta": {"shape": "linear", "start": 0.0, "end": 0.1, "steps": 20}},
        "teacher": {"dropout": 0.2},
        "optimiser": {
            "learning_rate": {
                "shape": "cosine",
                "start": 1e-2,
                "end": 0.0,
                "steps": 40,
                "warmup": 4,
            },
            "average": 0.9,
        },
        "data": {"transpose": [-2, 2]},
        "training": {
            "steps": 12,
            "batch_size": 8,
            "precision": "32",
            "valid_every": 6,
            "save_every": 4,
            "log_every": 3,
            "valid_windows": 16,
        },
    }
    for key, value in changes.items():
        group, _, name = key.partition("__")
        tree[group] = tree[group] | {name: value} if name else value
    return parse_config(tree, "test")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Forty one-bar pieces, each a file of its own, prepared as a user would."""
    folder = tmp_path_factory.mktemp("midi")
    random, codec = np.random.default_rng(0), build_codec(CODEC)
    for number in range(40):
        tokens = np.zeros(16, np.uint8)
        tokens[::4] = random.integers(30, 60, 4)
        write_midi(codec.decode(tokens), folder / f"{number:02d}.mid")
    output = tmp_path_factory.mktemp("corpora") / "corpus"
    prepare_corpus([folder], codec.config(), output, workers=1, valid_fraction=0.2)
    return output


def weights(folder):
    return load_bundle(folder).model.state_dict()


def assert_same(ours, theirs, **tolerance):
    for key, value in ours.items():
        torch.testing.assert_close(
            value,
            theirs[key],
            **({"atol": 0, "rtol": 0} | tolerance),
            msg=lambda m, key=key: f"{key}: {m}",
        )


def test_a_run_leaves_models_metrics_and_board(corpus, tmp_path):
    events = []
    outcome = train(settings(), corpus, tmp_path / "run", on_event=events.append)
    run = tmp_path / "run"
    assert outcome.finished and outcome.step == 12
    assert {path.name for path in run.iterdir()} == {
        "model.safetensors",
        "config.json",
        "README.md",
        "last",
        "training.safetensors",
        "metrics.jsonl",
        "tensorboard",
        "attributes.json",
        "attributes.png",
    }
    assert [e.step for e in events if isinstance(e, Trained)] == [3, 6, 9, 12]
    validated = [e for e in events if isinstance(e, Validated)]
    assert [e.step for e in validated] == [6, 12]
    assert outcome.metrics == min(validated, key=lambda e: e.score).measures
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["event"] == "trained"] == [3, 6, 9, 12]
    vectors = load_vectors(run, describe(run).sha256, 8, "run")
    assert (
        "density" not in vectors.names and "register" in vectors.names
    )  # all pieces have four notes a bar
    assert "96 examples seen in 12 steps of 8" in (run / "last" / "README.md").read_text()
    assert list((run / "tensorboard").glob("events.*"))


def test_it_learns_a_few_windows_by_heart(corpus, tmp_path):
    config = settings(
        data={"transpose": None},
        teacher={"dropout": 0.0},
        optimiser={"learning_rate": 1e-2},
        training={
            "steps": 300,
            "batch_size": 16,
            "precision": "32",
            "valid_every": 300,
            "log_every": 300,
            "save_every": 300,
        },
    )
    train(config, corpus, tmp_path / "run")
    windows = Corpus.open(corpus).split("train").windows
    model = load_bundle(tmp_path / "run").model
    tokens = torch.from_numpy(windows.astype(np.int64))
    heard = model.decode(model.encode(Batch(tokens, tokens)).latent.mean, tokens.shape[1])
    assert (heard == tokens).float().mean() > 0.9


@pytest.mark.parametrize("stop_at", [4, 8])
def test_resuming_is_bit_equal_to_not_having_stopped(corpus, tmp_path, stop_at):
    config = settings(
        model=settings().model.model_dump() | {"dropout": 0.1},
        teacher={"dropout": 0.2, "sampling": 0.3},
    )
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(config, corpus, whole)

    def interrupt(event):
        if isinstance(event, Trained) and event.step >= stop_at:
            signal.raise_signal(signal.SIGINT)

    events = []
    outcome = train(config, corpus, parts, on_event=lambda e: (events.append(e), interrupt(e)))
    assert not outcome.finished and outcome.step < 12
    assert "--resume" in [e for e in events if isinstance(e, Notice)][-1].message
    assert train(config, corpus, parts, resume=True).finished
    assert_same(weights(whole / "last"), weights(parts / "last"))
    assert_same(weights(whole), weights(parts))
    steps = [json.loads(line) for line in (parts / "metrics.jsonl").read_text().splitlines()]
    assert [s["step"] for s in steps if s["event"] == "validated"] == [6, 12]


def test_resuming_after_a_kill_goes_on_from_the_last_save(corpus, tmp_path):
    """What is left of a killed run: the state of an earlier step, later lines of metrics, the last
    of them torn.
    """
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(settings(), corpus, whole)
    train(
        settings(),
        corpus,
        parts,
        on_event=lambda e: signal.raise_signal(signal.SIGTERM) if at(e, 6) else None,
    )
    state = (parts / STATE).read_bytes()
    train(
        settings(),
        corpus,
        parts,
        resume=True,
        on_event=lambda e: signal.raise_signal(signal.SIGTERM) if at(e, 9) else None,
    )
    (parts / STATE).write_bytes(state)
    with (parts / "metrics.jsonl").open("a") as file:
        file.write('{"event": "trai')
    train(settings(), corpus, parts, resume=True)
    assert_same(weights(whole / "last"), weights(parts / "last"))
    lines = [json.loads(line) for line in (parts / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["event"] == "trained"] == [3, 6, 9, 12]


def at(event, step):
    return isinstance(event, Trained) and event.step == step


def test_an_error_of_the_caller_loses_nothing(corpus, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(settings(), corpus, whole)

    def fail(event):
        if at(event, 9):
            raise RuntimeError("the window was closed")

    with pytest.raises(RuntimeError, match="window"):
        train(settings(training__save_every=100), corpus, parts, on_event=fail)
    train(settings(), corpus, parts, resume=True)
    assert_same(weights(whole / "last"), weights(parts / "last"))


@pytest.mark.parametrize("launcher", ["--devices", "torchrun"])
def test_two_processes_train_as_one(corpus, tmp_path, launcher):
    """The same global batch over two CPU processes: the same model but for the order of float
    additions.
    """
    train(settings(), corpus, tmp_path / "one")
    (tmp_path / "tiny.yaml").write_text(settings().model_dump_json())
    verb = [
        "train",
        str(tmp_path / "tiny.yaml"),
        "--data",
        str(corpus),
        "-o",
        str(tmp_path / "two"),
        "--device",
        "cpu",
        "--json",
    ]
    if launcher == "torchrun":
        command = [
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            "-m",
            "musae",
            *verb,
        ]
    else:
        command = ["musae", *verb, "--devices", "2"]
    done = subprocess.run(
        [sys.executable, "-m", *command], timeout=240, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["step"] == 12  # one document: one process speaks
    assert_same(
        weights(tmp_path / "one" / "last"), weights(tmp_path / "two" / "last"), atol=1e-5, rtol=1e-4
    )


def test_init_from_starts_with_those_weights(corpus, tmp_path):
    train(settings(), corpus, tmp_path / "first")
    still = settings(optimiser__learning_rate=0.0, training__steps=1)
    train(still, corpus, tmp_path / "second", init_from=tmp_path / "first")
    assert_same(weights(tmp_path / "first"), weights(tmp_path / "second"))
    other = settings(model={"latent_size": 4})
    with pytest.raises(MusaeError, match="does not fit"):
        train(other, corpus, tmp_path / "third", init_from=tmp_path / "first")


def test_a_folder_with_a_run_is_not_overwritten(corpus, tmp_path):
    train(settings(), corpus, tmp_path / "run")
    with pytest.raises(UsageError, match="--resume"):
        train(settings(), corpus, tmp_path / "run")
    with pytest.raises(UsageError, match="trained already"):
        train(settings(), corpus, tmp_path / "run", resume=True)
    with pytest.raises(UsageError, match="other settings"):
        train(settings(seed=5, training__steps=20), corpus, tmp_path / "run", resume=True)
    with pytest.raises(UsageError, match=r"objective.beta.end was 0.1, now it is 0.7"):
        train(
            settings(objective={"beta": 0.7}, training__steps=20),
            corpus,
            tmp_path / "run",
            resume=True,
        )
    with pytest.raises(MusaeError, match="no run to resume"):
        train(settings(), corpus, tmp_path / "nothing", resume=True)
    for name in ("README.md", "model.safetensors"):
        folder = tmp_path / f"has {name}"
        folder.mkdir()
        (folder / name).write_text("mine")
        with pytest.raises(UsageError, match=f"{name}: would be overwritten"):
            train(settings(), corpus, folder)
        assert (folder / name).read_text() == "mine"


def test_resuming_needs_the_same_corpus_and_keeps_where_the_run_came_from(corpus, tmp_path):
    train(settings(training__steps=2), corpus, tmp_path / "first")
    run = tmp_path / "run"
    train(settings(training__steps=2), corpus, run, init_from=tmp_path / "first")
    other = tmp_path / "other"
    midi = next(p for p in corpus.parent.parent.glob("midi*") if p.is_dir())
    prepare_corpus([midi], build_codec(CODEC).config(), other, workers=1, valid_fraction=0.4)
    with pytest.raises(UsageError, match="another corpus"):
        train(settings(training__steps=4), other, run, resume=True)
    train(settings(training__steps=4), corpus, run, resume=True)
    assert describe(run).provenance["init_from"] == str(tmp_path / "first")


def test_too_little_data_and_another_codec(corpus, tmp_path):
    with pytest.raises(MusaeError, match="fewer than one batch of 1000"):
        train(settings(training__batch_size=1000), corpus, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="bars is 1, the run needs 2"):
        train(settings(codec={"bars": 2}), corpus, tmp_path / "run")
    with pytest.raises(
        UsageError,
        match=(
            "than mel-2bar has .*bars is 1, the run needs 2.*; prepare it with --preset mel-2bar$"
        ),
    ):
        evaluate("mel-2bar", corpus)
    own = save_random(tmp_path / "own", settings(codec={"bars": 3}))
    with pytest.raises(
        UsageError, match="prepare it with the YAML file that the model was trained with"
    ):
        evaluate(own, corpus)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_what_was_saved(corpus, tmp_path):
    run, config = tmp_path / "run", settings()
    train(settings(training__steps=4), corpus, run)
    before = (run / STATE).read_bytes()
    broken = settings(training__steps=20, training__save_every=1)

    def poison(event):
        assert not isinstance(event, Trained), "the run should have stopped before it reports"

    from musicvae_lite.music.model import SequenceAutoencoder

    original = SequenceAutoencoder.weighted
    try:
        SequenceAutoencoder.weighted = lambda self, losses: original(self, losses) * float("nan")
        with pytest.raises(MusaeError, match=r"not a number at step 4.*learning_rate.start="):
            train(broken, corpus, run, resume=True, on_event=poison)
        with pytest.raises(
            MusaeError, match=r"not a number at step 0; nothing had been saved yet.*learning_rate="
        ):
            train(
                settings(optimiser__learning_rate=1e-3),
                corpus,
                run.parent / "constant",
                on_event=poison,
            )
    finally:
        SequenceAutoencoder.weighted = original
    assert (run / STATE).read_bytes() == before
    assert config.name == "tiny"


def test_a_full_disk_stops_the_run_and_keeps_what_was_saved(corpus, tmp_path, monkeypatch):
    run = tmp_path / "run"
    train(settings(training__steps=4), corpus, run)
    before = (run / STATE).read_bytes()

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(MusaeError, match="the disk is full"):
        train(settings(), corpus, run, resume=True)
    assert (run / STATE).read_bytes() == before
    assert not list(run.rglob("*.part"))


def test_a_collapsed_posterior_is_told(corpus, tmp_path):
    events = []
    train(settings(objective={"beta": 50.0}), corpus, tmp_path / "run", on_event=events.append)
    assert any("collapsed" in e.message for e in events if isinstance(e, Notice))


def test_steps_that_change_nothing_are_told_once(corpus, tmp_path):
    events = []
    config = settings(optimiser__skip_norm=1e-6, training__steps=3)
    train(config, corpus, tmp_path / "run", device="cpu", on_event=events.append)
    told = [
        event.message
        for event in events
        if isinstance(event, Notice) and "count as zero" in event.message
    ]
    assert len(told) == 1 and "optimiser.skip_norm" in told[0]


def test_the_best_so_far_is_judged_by_the_new_end_of_a_run(corpus, tmp_path):
    rising = {"beta": {"shape": "exponential", "start": 0.0, "end": 1.0, "rate": 0.99}}
    train(settings(objective=rising), corpus, tmp_path / "run")
    short = read_progress(tmp_path / "run" / STATE)
    events = []
    train(
        settings(objective=rising, training__steps=400),
        corpus,
        tmp_path / "run",
        resume=True,
        on_event=events.append,
    )
    nll, bits = short.best_terms
    nats = bits * math.log(2)
    assert short.best_score == pytest.approx(nll + (1 - 0.99**11) * nats)
    scores = [nll + (1 - 0.99**399) * nats]  # of the one before, as of the others
    for event in (event for event in events if isinstance(event, Validated)):
        assert event.best == (event.score < min(scores))
        scores.append(event.score)


def test_gradients_of_no_number_are_told(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "musicvae_lite.training.run.clip_gradients", lambda parameters, clip, skip: math.nan
    )
    events = []
    train(
        settings(training__steps=2), corpus, tmp_path / "run", device="cpu", on_event=events.append
    )
    assert (
        sum("count as zero" in event.message for event in events if isinstance(event, Notice)) == 1
    )


def test_a_name_too_long_for_the_disk_is_told(corpus, tmp_path):
    with pytest.raises(UsageError, match="cannot be used: file name too long"):
        train(settings(), corpus, tmp_path / ("x" * 300))


def test_no_song_held_out_is_told(tmp_path, corpus):
    folder = tmp_path / "all"
    source = next(p for p in corpus.parent.parent.glob("midi*") if p.is_dir())
    prepare_corpus([source], build_codec(CODEC).config(), folder, workers=1, valid_fraction=0.0)
    events = []
    train(settings(), folder, tmp_path / "run", on_event=events.append)
    assert any("no song is held out" in e.message for e in events if isinstance(e, Notice))


def test_training_works_outside_the_main_thread(corpus, tmp_path):
    outcomes = []
    thread = threading.Thread(
        target=lambda: outcomes.append(train(settings(training__steps=2), corpus, tmp_path / "run"))
    )
    thread.start()
    thread.join()
    assert outcomes[0].finished


def test_teachers_differ_only_where_they_say():
    model = build(settings().model, 90, 16)
    tokens = torch.randint(2, 60, (5, 16), generator=torch.Generator().manual_seed(0))
    batch, z, free = Batch(tokens, tokens), torch.randn(5, 8), Teacher(sampling=1.0)
    forced = model.nll(z, batch, FORCED)
    torch.testing.assert_close(
        model.nll(z, batch, Teacher(sampling=1e-9), Noise(0)), forced
    )  # step by step, the same inputs
    assert torch.equal(model.nll(z, batch, free, Noise(1)), model.nll(z, batch, free, Noise(1)))
    assert not torch.equal(model.nll(z, batch, free, Noise(1)), forced)
    assert not torch.equal(model.nll(z, batch, Teacher(dropout=0.9), Noise(1)), forced)
    with pytest.raises(ValueError, match="noise"):
        model.nll(z, batch, free)


def notices(events):
    return " | ".join(event.message for event in events if isinstance(event, Notice))


def test_resuming_by_name_keeps_the_length_of_the_run(corpus, tmp_path):
    whole, parts, file, events = tmp_path / "whole", tmp_path / "parts", tmp_path / "tiny.yaml", []
    file.write_text(settings(training__steps=5000).model_dump_json())
    train(settings(), corpus, whole)
    train(
        file,
        corpus,
        parts,
        changes=["training.steps=12"],
        on_event=lambda e: at(e, 6) and signal.raise_signal(signal.SIGINT),
    )
    outcome = train(file, corpus, parts, resume=True, on_event=events.append)
    assert outcome.finished and outcome.step == 12
    assert_same(weights(whole / "last"), weights(parts / "last"))
    assert f"training.steps is 12, not 5,000 as in {file} (--set changes it)" in notices(events)
    assert "6 steps, from 6 to 12" in notices(events)
    outcome = train(
        file, corpus, parts, changes=["training.steps=14"], resume=True, on_event=events.append
    )
    assert outcome.step == 14
    train(
        settings(training__steps=15), corpus, parts, resume=True, on_event=events.append
    )  # settings are taken whole
    assert "goes on with other settings: training.steps is 15, not 14 as before" in notices(events)


def test_what_is_no_run_is_refused(corpus, tmp_path):
    with pytest.raises(UsageError, match="did you mean 'mel-2bar'"):
        train("mel-2bra", corpus, tmp_path / "run")
    with pytest.raises(
        UsageError, match="the name of a preset, a YAML file or a RunConfig .*, not dict"
    ):
        train({"name": "x"}, corpus, tmp_path / "run")
    with pytest.raises(UsageError, match="data are the path of a prepared corpus, .*, not int"):
        train(settings(), 5, tmp_path / "run")


def test_a_run_that_died_before_its_first_save_is_no_hindrance(corpus, tmp_path, monkeypatch):
    run, events = tmp_path / "run", []
    monkeypatch.setattr("musicvae_lite.training.run.clip_gradients", lambda *_: [][0])
    with pytest.raises(IndexError):
        train(settings(), corpus, run)
    monkeypatch.undo()
    assert {path.name for path in run.iterdir()} == {"metrics.jsonl", "tensorboard"}
    (run / "notes.txt").write_text("mine")
    with pytest.raises(MusaeError, match="leave out --resume"):
        train(settings(), corpus, run, resume=True)
    assert train(settings(), corpus, run, on_event=events.append).finished
    assert "replaces the log of a run that ended before its first save" in notices(events)
    assert (
        len(list((run / "tensorboard").iterdir())) == 1
        and (run / "notes.txt").read_text() == "mine"
    )
    for name in ("metrics.jsonl", "tensorboard/own"):
        other = tmp_path / name.replace("/", "-")
        (other / "tensorboard").mkdir(parents=True)
        (other / "metrics.jsonl").write_text('{"event": "notice", "step": 0}\n')
        (other / name).write_text("mine\nmine\n")
        with pytest.raises(UsageError, match="metrics.jsonl: would be overwritten"):
            train(settings(), corpus, other)


@pytest.mark.parametrize("early", [False, True])
def test_the_vectors_of_the_end_can_be_left_out(corpus, tmp_path, monkeypatch, early):
    run, events = tmp_path / "run", []

    def learn(*_, **__):
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("it should have ended")

    monkeypatch.setattr("musicvae_lite.music.data.dataset.learn_vectors", learn)
    asked = isinstance if early else lambda *_: False  # also when it is asked for just before

    def hear(event):
        events.append(event)
        if asked(event, Notice) and event.message.startswith("learning"):
            signal.raise_signal(signal.SIGINT)

    outcome = train(settings(), corpus, run, on_event=hear)
    assert outcome.finished and load_bundle(run) and not (run / "attributes.json").exists()
    assert "the model is saved, Ctrl-C leaves this out" in notices(events)
    assert "'musae attribute --learn'" in notices(events)


def test_a_run_that_is_meant_to_go_on_from_a_model_says_so(corpus, tmp_path):
    config, events = settings(training__steps=2, training__starts_from="mel-2bar"), []
    train(config, corpus, tmp_path / "first", on_event=events.append)
    assert "starts from random weights (--init-from mel-2bar)" in notices(events)
    events.clear()
    train(config, corpus, tmp_path / "run", init_from=tmp_path / "first", on_event=events.append)
    more = settings(training__steps=4, training__starts_from="mel-2bar")
    with pytest.raises(
        UsageError, match=r"was started from .*first, not .*run; leave out --init-from"
    ):
        train(more, corpus, tmp_path / "run", init_from=tmp_path / "run", resume=True)
    train(
        more,
        corpus,
        tmp_path / "run",
        init_from=tmp_path / "first",
        resume=True,
        on_event=events.append,
    )
    assert "random weights" not in notices(events)
