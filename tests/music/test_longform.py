import json
from dataclasses import replace

import numpy as np
import pytest

from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.model_dir.bundle import describe
from musicvae_lite.model_dir.prior_file import save_prior
from musicvae_lite.music.codec import score_codec
from musicvae_lite.music.longform.file import STEM, has_longform, need_longform
from musicvae_lite.music.longform.form import FORMS, draw_form, read_form, repeats
from musicvae_lite.music.longform.learning import Learner, measure, prepare
from musicvae_lite.music.longform.line import line_of
from musicvae_lite.music.longform.masks import missing
from musicvae_lite.music.longform.model import Manner, facts_of, load_longform
from musicvae_lite.music.longform.pieces import compose, fill_in, going_on, vary
from musicvae_lite.music.windows import whole_melody
from tests.music.data.test_corpus import corpus_of
from tests.tiny import codec, melody, save_tiny_model

SCALE = np.array([0, 2, 4, 5, 7, 9, 11, 12])


def tunes(count, bars=4, seed=0):
    draws = np.random.default_rng(seed)
    windows = np.zeros((count, bars * 16), np.uint8)
    windows[:, ::4] = SCALE[draws.integers(0, 8, (count, bars * 4))] + 60 - 21 + 2
    return windows


def add_longform(folder, steps=1, bars=4):
    """Give a model folder a model of long pieces, learned from quarter notes in C."""
    own = score_codec({**codec().config(), "bars": bars})
    corpus = corpus_of(own, tunes(64, bars))
    network, features, facts = prepare(corpus, (-2, 2), hidden=24, token_size=8)
    learner = Learner(network, features, corpus, 16, rate=0.02, average=0.9)
    costs = [learner.step(step / steps) for step in range(steps)]
    measured = measure(learner.average, features, corpus, 8)
    save_prior(describe(folder), facts_of(facts, measured), learner.average.state_dict(), STEM)
    return costs


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    folder = save_tiny_model(tmp_path_factory.mktemp("long") / "tiny")
    assert not has_longform(folder)
    costs = add_longform(folder, 120)
    assert np.mean(costs[-10:]) < 0.6 * np.mean(costs[:5])
    return folder


@pytest.fixture(scope="module")
def model(learned):
    return load_longform(describe(learned), "tiny")


def test_a_piece_is_like_what_was_learned_in_its_key_and_form(model):
    piece = compose(model, 8, 0, 0, Manner(key=0, outside=30.0), "AABA", 1)
    events = piece.events[:, 0]
    pitches = events[events >= 2] + 19
    assert events.shape == (128,) and np.isin(pitches % 12, SCALE).all()
    assert (events.reshape(-1, 4)[:, 1:] < 2).mean() > 0.6
    bars = events.reshape(4, 2, 16)
    assert np.array_equal(bars[0, 0], bars[1, 0]) and np.array_equal(bars[0, 0], bars[3, 0])
    first, again = (compose(model, 8, 3, 1) for _ in range(2))
    assert np.array_equal(first.events, again.events) and first.key == again.key


def test_long_pieces_are_whole(model):
    piece = compose(model, 24, 0, 0, candidates=1)
    assert piece.events.shape == (384, 1) and (piece.events >= 0).all()


def test_a_gap_is_filled_and_the_rest_stays(model):
    piece = melody(8)
    line = line_of(whole_melody(piece, codec(), "tiny"), codec(), 0)
    gone = np.zeros(line.tokens.shape, bool)
    gone[48:80] = True
    made = fill_in(model, line, gone, 0, 3)
    assert made.costs == tuple(sorted(made.costs)) and made.bars == (4, 5) and len(made.scores) == 3
    kept = {tuple(n) for n in piece.notes.tolist() if not 48 * 120 <= n[0] < 80 * 120}
    for score, new in zip(made.scores, made.notes, strict=True):
        rows = {tuple(n) for n in score.notes.tolist()}
        assert kept <= rows and len(rows) == len(kept) + new
        assert all(48 * 120 <= row[0] < 80 * 120 for row in rows - kept)


def test_a_piece_goes_on(model):
    piece = melody(5)
    line = line_of(whole_melody(piece, codec(), "tiny"), codec(), 4)
    made = going_on(model, line, 3, 0)
    rows, before = ({tuple(n) for n in s.notes.tolist()} for s in (made.scores[0], piece))
    assert before <= rows and made.bars == (6, 7, 8)
    assert all(row[0] >= 5 * 1920 and row[1] <= 8 * 1920 for row in rows - before)


def test_a_variation_changes_a_share(model):
    piece = melody(8)
    line = line_of(whole_melody(piece, codec(), "tiny"), codec(), 0)
    made = vary(model, line, 0.25, 0, 2)
    notes = piece.notes.tolist()
    for score in made.scores:
        same = len({tuple(n) for n in score.notes.tolist()} & {tuple(n) for n in notes})
        assert len(notes) - 8 <= same < len(notes)
        assert tuple(notes[0]) in {tuple(n) for n in score.notes.tolist()}
    with pytest.raises(UsageError, match="above 0"):
        vary(model, line, 0.0, 0)


def test_nothing_is_left_where_a_note_sounds_through(model):
    piece = melody(4)
    piece.notes["end"][0] = 4 * 1920
    line = line_of(whole_melody(piece, codec(), "tiny"), codec(), 0)
    one = replace(
        line, notes=(line.notes[0][:1],), onsets=(line.onsets[0][:1],), offs=(np.array([64]),)
    )
    gone = np.zeros(line.tokens.shape, bool)
    gone[16:32] = True
    with pytest.raises(NothingUsableError, match="nothing is left to fill"):
        fill_in(model, one, gone, 0)


def test_forms():
    draws = np.random.default_rng(0)
    assert all(abs(sum(table.values()) - 1) < 1e-9 for table in FORMS.values())
    for bars in (2, 4, 7, 8, 12, 16, 32, 64, 256):
        form = draw_form(bars, draws)
        assert form[0] == "A" and bars % len(form) == 0
    assert read_form("aaba", 16) == "AABA"
    assert [first for first, _ in repeats("ABAC", draws, 0.5)] == [-1, -1, 0, -1]
    for text, bars, says in (("A-B", 8, "not known"), ("AAB", 16, "cannot be divided")):
        with pytest.raises(UsageError, match=says):
            read_form(text, bars)


def test_masks_leave_something_to_write():
    gone = missing(200, 8, 16, 3, np.random.default_rng(0))
    assert gone.any((1, 2)).all() and gone.all((1, 2)).any() and not gone.all((1, 2)).all()


def test_a_damaged_or_foreign_file_is_told(learned, tmp_path):
    with pytest.raises(UsageError, match="no model of long pieces"):
        need_longform(describe(save_tiny_model(tmp_path / "other")), "other", "infill")
    other = add_copy(learned, tmp_path / "copy")
    tree = json.loads((other / f"{STEM}.json").read_text())
    for key, value, says in (
        ("kind", "odd", "is damaged"),
        ("model_sha256", "0", "of another model"),
        ("sha256", "0", "checksum"),
    ):
        (other / f"{STEM}.json").write_text(json.dumps({**tree, key: value}))
        with pytest.raises(MusaeError, match=says):
            load_longform(describe(other), "copy")


def add_copy(folder, to):
    import shutil

    shutil.copytree(folder, to)
    return to
