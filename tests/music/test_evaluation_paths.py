"""The n-gram model, and paths measured with it."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from musicvae_lite.config import load_config
from musicvae_lite.core.errors import NothingUsableError, UsageError
from musicvae_lite.core.medium import build_model
from musicvae_lite.model_dir.bundle import load_bundle
from musicvae_lite.music.codec import score_codec
from musicvae_lite.music.evaluate.attributes import learn_vectors
from musicvae_lite.music.evaluate.ngrams import NGrams
from musicvae_lite.music.evaluate.paths import blend, measure_paths, paths_picture
from tests.tiny import save_tiny_model


def plain_cost(train, windows, vocabulary, order):
    """Witten-Bell with dictionaries, one step at a time."""
    counts = defaultdict(Counter)
    for row in train.tolist():
        row = [None] * (order - 1) + row
        for place in range(order - 1, len(row)):
            for length in range(order):
                counts[tuple(row[place - length : place])][row[place]] += 1

    def probability(history, step):
        if history is None:
            return 1 / vocabulary
        lower = probability(history[1:] if history else None, step)
        followed = counts.get(history)
        if not followed:
            return lower
        return (followed[step] + len(followed) * lower) / (followed.total() + len(followed))

    costs = []
    for row in windows.tolist():
        row = [None] * (order - 1) + row
        each = [
            -math.log(probability(tuple(row[place - order + 1 : place]), row[place]))
            for place in range(order - 1, len(row))
        ]
        costs.append(np.mean(each))
    return costs


@pytest.mark.parametrize("order", [1, 2, 5])
def test_cost_is_that_of_plain_code(order):
    random = np.random.default_rng(0)
    train, others = random.integers(0, 4, (30, 9)), random.integers(0, 6, (12, 9))
    np.testing.assert_allclose(
        NGrams(train, 6, order).cost(others), plain_cost(train, others, 6, order), rtol=1e-12
    )


def test_probabilities_add_up_to_one():
    random = np.random.default_rng(1)
    grams = NGrams(random.integers(0, 5, (20, 8)), 7)
    rows = random.integers(0, 5, (1, 8)).repeat(7, axis=0)
    rows[:, -1] = np.arange(7)
    steps = grams.cost(rows) * 8
    before = grams.cost(rows[:1, :-1]) * 7
    assert np.exp(-(steps - before)).sum() == pytest.approx(1)


def test_steps_of_several_numbers_are_one_symbol():
    random = np.random.default_rng(2)
    symbols = random.integers(0, 4, (20, 8))
    pairs = np.stack([symbols // 2, symbols % 2], -1)
    np.testing.assert_allclose(
        NGrams(pairs, 4).cost(pairs[:5]), NGrams(symbols, 4).cost(symbols[:5])
    )


def test_what_was_learned_costs_less_than_noise():
    random = np.random.default_rng(3)
    train = np.tile(np.arange(8), (50, 4))
    grams = NGrams(train, 90)
    assert grams.cost(train[:1])[0] < 0.1 < 2 < grams.cost(random.integers(0, 90, (5, 32))).min()


def test_blending_takes_steps_from_either():
    a, b = np.zeros((200, 16), np.uint8), np.ones((200, 16), np.uint8)
    path = blend(a, b, np.linspace(0, 1, 5), np.random.default_rng(0))
    assert path.shape == (200, 5, 16) and path.dtype == np.uint8
    np.testing.assert_allclose(path.mean((0, 2)), [0, 0.25, 0.5, 0.75, 1], atol=0.03)
    several = blend(
        np.zeros((3, 4, 2)), np.ones((3, 4, 2)), np.array([0.5]), np.random.default_rng(0)
    )
    assert np.array_equal(several[..., 0], several[..., 1])  # a step is taken whole


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return load_bundle(save_tiny_model(tmp_path_factory.mktemp("model") / "tiny"))


def test_paths_between_pairs(bundle):
    windows = np.random.default_rng(0).integers(0, 90, (40, 32)).astype(np.uint8)
    measures = measure_paths(
        bundle.model, bundle.codec, windows[:30], windows[30:], pairs=20, seed=1, points=5
    )
    again = measure_paths(
        bundle.model, bundle.codec, windows[:30], windows[30:], pairs=20, seed=1, points=5
    )
    assert measures.as_dict() == again.as_dict() and measures.pairs == 20
    blended = measures.blended
    assert blended.from_start[0] == blended.from_end[-1] == 0
    assert blended.from_end[0] == blended.from_start[-1] == measures.apart > 0.9
    assert (blended.relative_cost[0] + blended.relative_cost[-1]) / 2 == pytest.approx(1)
    assert measures.latent.cost.shape == (5,) and measures.latent.moved.shape == (4,)
    assert paths_picture(measures, "t")[:4] == b"\x89PNG"
    with pytest.raises(NothingUsableError, match="two ends"):
        measure_paths(bundle.model, bundle.codec, windows, windows[:1])
    with pytest.raises(UsageError, match="whole numbers"):
        measure_paths(bundle.model, bundle.codec, windows, windows.astype(np.float32))


@pytest.mark.parametrize(
    ("preset", "changes"),
    [
        (
            "drums-2bar",
            ["model.latent_size=4", "model.encoder.sizes=[8]", "model.decoder.sizes=[8]"],
        ),
        (
            "flat-trio_16bar",
            [
                "codec.bars=2",
                "model.latent_size=4",
                "model.encoder.sizes=[8]",
                "model.decoder.sizes=[8]",
            ],
        ),
    ],
)
def test_drums_and_trios_too(preset, changes):
    config = load_config(preset, changes)
    codec = score_codec(config.codec.model_dump())
    model, random = build_model(config, codec), np.random.default_rng(0)
    sizes = codec.sizes if len(codec.shape) > 1 else codec.sizes[0]
    windows = random.integers(0, sizes, (40, *codec.shape)).astype(codec.dtype)
    measures = measure_paths(model, codec, windows[:30], windows[30:], pairs=4, points=3)
    assert np.isfinite(measures.latent.cost).all() and measures.blended.from_start[0] == 0
    vectors = learn_vectors(model, codec, windows)
    assert "density" in vectors.names and vectors.vectors.shape == (len(vectors.names), 4)
