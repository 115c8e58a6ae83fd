import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import musicvae_lite as mv
from musicvae_lite.config import load_config
from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.core.random import Noise
from musicvae_lite.model_dir.bundle import describe
from musicvae_lite.model_dir.prior_file import FILE, WEIGHTS
from musicvae_lite.music.codec import score_codec
from musicvae_lite.music.evaluate.scoring import evaluate_draws
from musicvae_lite.music.keys import best_keys, class_counts, key_number
from musicvae_lite.music.prior_features import Features, Wish, read_wish
from musicvae_lite.music.prior_training import Windows, learn_prior, learn_prior_of, moved, tunes_of
from tests.music.data.test_corpus import corpus_of
from tests.tiny import SETTINGS, save_random, save_tiny_model

SMALL = [
    "prior.hidden=32",
    "prior.token_size=8",
    "prior.batch_size=32",
    "prior.average=0.9",
    "prior.learning_rate=0.02",
]
SCALE = [0, 2, 4, 5, 7, 9, 11, 12]


def tunes(count: int, seed: int = 0):
    """Return windows of quarter notes in C major."""
    draws = np.random.default_rng(seed)
    windows = np.zeros((count, 32), np.uint8)
    windows[:, ::4] = np.array(SCALE)[draws.integers(0, 8, (count, 8))] + 60 - 21 + 2
    return windows


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A model with a prior learned from quarter notes, and the corpus."""
    config = load_config("mel-2bar", [*SETTINGS, *SMALL])
    folder = save_random(tmp_path_factory.mktemp("prior") / "tiny", config)
    corpus = corpus_of(score_codec(config.codec.model_dump()), tunes(200))
    corpus = replace(corpus, valid=np.arange(200) % 10 == 0)
    told = []
    measured = learn_prior(
        describe(folder), corpus.split("train"), corpus.split("valid"), 300, 0,
        lambda *progress: told.append(progress),
    )  # fmt: skip
    assert measured["n"] == 20 and measured["held_out"] and measured["nll_nats"] < 30
    assert told[-1][:2] == (300, 300) and told[-1][2] < told[0][2]
    return folder, corpus


def test_draws_are_like_what_was_learned_from(learned):
    session = mv.load(learned[0], device="cpu")
    prior = session.learned_prior
    windows = prior.events.windows(64, Noise(0), prior.condition(64)).numpy()[..., 0]
    assert (windows[:, ::4] >= 2).mean() > 0.8
    assert (windows.reshape(64, 8, 4)[..., 1:] == 0).mean() > 0.8
    pitches = windows[windows >= 2] + 19
    assert np.isin(pitches % 12, SCALE).mean() > 0.8


def test_draw_i_does_not_depend_on_how_many_there_are(learned):
    prior = mv.load(learned[0], device="cpu").learned_prior
    few, many = prior.sample(3, Noise(1)), prior.sample(70, Noise(1))
    assert torch.allclose(few, many[:3], atol=1e-5) and many.shape == (70, 4)


def test_the_session_draws_from_it_and_from_the_normal_one_where_asked(learned):
    session = mv.load(learned[0], device="cpu", seed=3)
    learned_draws, normal = session.sample(2), session.sample(2, prior="normal")
    assert learned_draws[0] != normal[0]
    assert session.sample(5)[1] == learned_draws[1]
    assert session.sample(1, bars=4, key="D")[0].notes["end"].max() <= 4 * 4 * 480
    with pytest.raises(UsageError, match="prior 'odd' is not known"):
        session.sample(1, prior="odd")


def test_a_key_moves_the_draws(learned):
    prior = mv.load(learned[0], device="cpu").learned_prior
    wish = Wish(key=key_number("Eb"))
    windows = prior.events.windows(64, Noise(0), prior.condition(64, wish)).numpy()[..., 0]
    plain = prior.events.windows(64, Noise(0), prior.condition(64)).numpy()[..., 0]
    inside = [(np.isin((w[w >= 2] + 19 - 3) % 12, SCALE)).mean() for w in (windows, plain)]
    assert inside[0] > inside[1]


def test_likelihood_prefers_what_was_learned_from(learned):
    prior = mv.load(learned[0], device="cpu").learned_prior
    odd = np.random.default_rng(0).integers(2, 90, (8, 32)).astype(np.uint8)
    assert prior.log_likelihood(tunes(8, 9)).min() > prior.log_likelihood(odd).max()


def test_a_prior_of_another_model_is_refused_and_a_damaged_one(learned, tmp_path):
    other = save_random(
        tmp_path / "other", load_config("mel-2bar", [*SETTINGS, "model.decoder.sizes=[9]"])
    )
    for name in (FILE, WEIGHTS):
        (other / name).write_bytes((learned[0] / name).read_bytes())
    tree = json.loads((other / FILE).read_text())
    with pytest.raises(UsageError, match="prior of another model"):
        mv.load(other, device="cpu").sample(1)
    assert mv.load(other, device="cpu").sample(1, prior="normal")
    tree["model_sha256"] = describe(other).sha256
    tree["network"]["hidden"] = 8
    (other / FILE).write_text(json.dumps(tree))
    with pytest.raises(MusaeError, match="its prior is damaged"):
        mv.load(other, device="cpu").sample(1)
    (other / WEIGHTS).write_bytes(b"nothing")
    with pytest.raises(MusaeError, match="is damaged or truncated"):
        mv.load(other, device="cpu").sample(1)
    (other / FILE).write_text("{")
    with pytest.raises(MusaeError, match="prior.json"):
        mv.load(other, device="cpu").sample(1)


def test_wishes_are_checked_before_torch(learned, tmp_path):
    description = describe(learned[0])
    assert read_wish(description, "m", "F# minor", 60.0) == Wish(18, 60.0)
    with pytest.raises(UsageError, match="key 'H' is not known"):
        read_wish(description, "m", "H")
    with pytest.raises(UsageError, match="leave out --prior normal"):
        read_wish(description, "m", register=60.0, learned=False)
    bare = describe(save_tiny_model(tmp_path / "bare"))
    with pytest.raises(UsageError, match="'musae prior m' learns one"):
        read_wish(bare, "m", register=60.0)
    blind = Features((), (), (), keys=False)
    with pytest.raises(UsageError, match=r"cannot be told of key \(but of nothing\)"):
        blind.check(Wish(key=1), "m")


def test_features_leave_open_what_is_not_told():
    features = Features(("register",), (60.0,), (5.0,), True, (-2, 3))
    numbers = features.numbers(
        2, {"register": np.array([65, np.nan])}, np.array([13, -1]), np.array([-2, 4])
    )
    assert numbers.shape == (2, features.size) == (2, 24 + 2 + 6)
    assert numbers[0].nonzero()[0].tolist() == [13, 24, 25, 26]
    assert not numbers[1].any()
    assert Features.of_tree(json.loads(json.dumps(features.__dict__))) == features


def test_transposed_examples_say_so(learned):
    windows = Windows.of_corpus(learned[1])
    features = Features.of_windows(learned[1].codec, learned[1].windows, (-5, 6))
    events, condition = windows.batch(np.arange(60), features, np.random.default_rng(0))
    original = torch.from_numpy(learned[1].windows[:60].astype(np.int64))[..., None]
    shift = torch.where(events >= 2, events - original, 0).amax(1)[:, 0]
    shift = torch.where(
        shift == 0, torch.where(events >= 2, events - original, 0).amin(1)[:, 0], shift
    )
    told = condition[:, 0, -12:]
    for row in range(60):
        if told[row].any():
            assert int(told[row].argmax()) - 5 == shift[row]
    assert moved(np.array([11, 23]), np.array([2, 2])).tolist() == [1, 13]


def test_keys():
    codec = score_codec(load_config("mel-2bar").codec.model_dump())
    counts = class_counts(codec, tunes(50)).sum(0, keepdims=True)
    assert best_keys(counts)[0] in (0, 21)
    assert best_keys(np.zeros((1, 12))).tolist() == [-1]
    assert [key_number(name) for name in ("C", "Am", "Bb", "F# minor")] == [0, 21, 10, 18]


def test_tunes_of_keeps_what_was_not_scored(learned):
    corpus = learned[1]
    scored = replace(corpus, tune=np.where(np.arange(200) < 50, 0.2, np.nan).astype(np.float32))
    assert len(tunes_of(scored, 0.5)) == 150 and len(tunes_of(corpus, 0.5)) == 200


def test_too_little_to_learn_from(learned, tmp_path):
    corpus = learned[1].take(np.arange(3))
    with pytest.raises(NothingUsableError, match="8 windows or more, not from 3"):
        learn_prior(describe(learned[0]), corpus, corpus, 1)
    with pytest.raises(UsageError, match="name a prepared corpus|at least one corpus"):
        learn_prior_of(str(learned[0]), [], 1)


def test_draws_are_compared_with_held_out_windows(learned, monkeypatch):
    from musicvae_lite.music.evaluate import scoring

    monkeypatch.setattr(scoring, "_corpus", lambda *_: learned[1])
    split, measures = evaluate_draws(learned[0], ["x"], count=20)
    tree = measures.as_dict()
    assert split == "valid" and tree["real"] == 20 and tree["drawn"] == 20
    assert tree["features"]["note starts"]["real"] == 8 and 0 <= tree["auc"] <= 1
