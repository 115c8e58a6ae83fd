import numpy as np
import pytest

from musicvae_lite.config import GrooveInputSettings, load_config
from musicvae_lite.core.errors import UsageError
from musicvae_lite.music.codecs.groove import GrooveCodec
from musicvae_lite.music.conditioning.control import Control
from musicvae_lite.music.data.corpus import Corpus
from musicvae_lite.music.data.groove_inputs import (
    GrooveInputs,
    all_but_given,
    has_way,
    hits_given,
    shown,
    told,
)


@pytest.fixture
def windows():
    generator = np.random.default_rng(0)
    hits = (generator.random((40, 32, 9)) < 0.3).astype(np.float32)
    velocity = hits * generator.uniform(0.1, 1, hits.shape)
    return np.concatenate([hits, velocity, hits * generator.uniform(-1, 1, hits.shape)], -1).astype(
        np.float32
    )


def one(window, generator=None, **way):
    return shown(window, GrooveInputSettings(**way), generator or np.random.default_rng(1))


def test_humanizing_is_shown_hits_alone(windows):
    x = one(windows[0], humanize=True)
    assert np.array_equal(x[:, :9], windows[0][:, :9]) and not x[:, 9:].any()
    x = one(windows[0], fixed_velocity=True)
    assert not x[:, 9:18].any() and np.array_equal(x[:, 18:], windows[0][:, 18:])


def test_taps_are_the_loudest_hit_of_each_step(windows):
    x, window = one(windows[0], tap=True), windows[0]
    assert not np.delete(x, [3, 12, 21], axis=1).any()
    assert np.array_equal(x[:, 3] > 0, window[:, :9].any(1))
    loudest = window[:, 9:18].argmax(1)
    assert np.array_equal(x[:, 12], window[:, 9:18].max(1))
    assert np.array_equal(x[:, 21], window[np.arange(32), 18 + loudest])


def test_a_missing_drum(windows):
    x = one(windows[0], add=(2,))
    assert not x[:, 2::9].any() and np.array_equal(
        np.delete(x, [2, 11, 20], 1), np.delete(windows[0], [2, 11, 20], 1)
    )
    x = one(windows[0], add=(2,), unknown=True)
    assert (x[:, 2] == 0.5).all() and not x[:, [11, 20]].any()
    generator = np.random.default_rng(0)
    missing = {
        int(
            np.flatnonzero((one(windows[0], generator, add=(0, 4, 8), unknown=True) == 0.5).all(0))[
                0
            ]
        )
        for _ in range(30)
    }
    assert missing == {0, 4, 8}


def test_soft_notes_are_left_out_more_often(windows):
    inputs = GrooveInputs([GrooveInputSettings(note_dropout=1)])
    x = np.concatenate([inputs(windows, np.arange(40), 0, epoch) for epoch in range(20)])
    many = np.tile(windows, (20, 1, 1))
    hit, gone = many[..., :9] > 0, x[..., :9] < many[..., :9]
    soft, loud = (
        gone[hit & (many[..., 9:18] > 0.85)].mean(),
        gone[hit & (many[..., 9:18] < 0.3)].mean(),
    )
    assert loud == pytest.approx(0.4, abs=0.05) and soft == pytest.approx(0.1, abs=0.03)
    assert not x[..., 9:][np.concatenate([gone, gone], -1)].any()


def test_inputs_depend_on_seed_epoch_and_example_alone(windows):
    inputs = GrooveInputs(load_config("groove-2bar").data.inputs)
    rows = np.arange(40)
    x = inputs(windows, rows, 3, 5)
    assert np.array_equal(inputs(windows[7:9], rows[7:9], 3, 5), x[7:9])
    assert not np.array_equal(inputs(windows, rows, 3, 6), x) and not np.array_equal(
        inputs(windows, rows, 4, 5), x
    )
    kinds = [
        (window[:, 9:].any(), (window == 0.5).any(), np.array_equal(window, w))
        for window, w in zip(x, windows, strict=True)
    ]
    assert len(set(kinds)) >= 4  # humanize, tap, add, whole


def test_batches_of_a_corpus(windows):
    count = len(windows)
    zeros = np.zeros(count, np.int32)
    small = zeros.astype(np.int8)
    corpus = Corpus(
        GrooveCodec(),
        windows,
        small,
        small,
        zeros > 0,
        zeros,
        zeros,
        zeros.astype(np.uint16),
        zeros.astype(np.uint32),
        ("a",),
        ("a",),
        Control(),
        np.zeros((count, 32, 0), np.uint8),
    )
    inputs = GrooveInputs([GrooveInputSettings(humanize=True)])
    whole = list(corpus.batches(8, 1, 2, None, inputs=inputs))
    halves = [list(corpus.batches(8, 1, 2, None, rank, 2, inputs)) for rank in (0, 1)]
    for index, batch in enumerate(whole):
        assert not batch.x[..., 9:].any() and batch.target[..., 9:].any()
        parts = [half[index] for half in halves]
        assert np.array_equal(np.concatenate([part.x for part in parts]), batch.x)
        assert np.array_equal(np.concatenate([part.target for part in parts]), batch.target)


def test_what_presets_are_trained_for():
    tasks = {
        name: [
            task
            for task in ("reconstruct", "humanize", "tap", "add")
            if has_way(load_config(name), task)
        ]
        for name in (
            "groove-2bar",
            "groovae_4bar",
            "groovae_2bar_humanize",
            "groovae_2bar_tap_fixed_velocity",
            "groovae_2bar_add_closed_hh",
            "groovae_2bar_hits_control_tfds",
        )
    }
    assert list(tasks.values()) == [
        ["reconstruct", "humanize", "tap", "add"],
        ["reconstruct"],
        ["humanize"],
        ["tap"],
        ["add"],
        ["reconstruct"],
    ]


def test_what_a_model_is_told_and_given(windows):
    assert told(windows, load_config("groove-2bar")) is None
    assert np.array_equal(
        told(windows, load_config("groovae_2bar_hits_control_tfds")), windows[..., :9]
    )
    given = hits_given(windows)
    assert np.array_equal(given[..., :9], windows[..., :9]) and np.isnan(given[..., 9:]).all()
    assert np.isnan(all_but_given(windows, 4)).sum() == 40 * 32 * 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("data.inputs=[{add: [9]}]", "less than or equal to 8"),
        ("data.inputs=[{hum: true}]", "did you mean 'humanize'"),
        ("model.control_size=5", "control_size is 9 or 0"),
        ("model.encoder.token_size=8", "no tokens"),
        ("model.likelihood.kind=categorical", "likelihood groove go together"),
    ],
)
def test_settings_that_do_not_fit(change, message):
    with pytest.raises(UsageError, match=message):
        load_config("groove-2bar", [change])


def test_other_codecs_have_no_such_inputs():
    with pytest.raises(UsageError, match="codec kind 'groove'"):
        load_config("mel-2bar", ["data.inputs=[{humanize: true}]"])
