"""Attribute vectors: learned, kept, read, and what is wrong with a folder."""

import json

import numpy as np
import pytest
import torch

from musicvae_lite.core.autoencoder import Autoencoder, Encoding
from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.core.latent import Latent
from musicvae_lite.model_dir.bundle import describe, load_bundle
from musicvae_lite.music.attribute_vectors import FILE, HEADING, load_vectors, with_section
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.evaluate.attributes import effects_picture, keep_vectors, learn_vectors
from tests.tiny import save_tiny_model


class Ladder(Autoencoder):
    """A model whose code is the number of notes and the pitch of a window, and nothing else."""

    latent_size = 2

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def encode(self, batch):
        starts = batch.x >= 2
        return Encoding(Latent(torch.stack([starts.sum(1), batch.x.max(1).values], 1).float()))

    def decode(self, z, length, temperature=0.0, noise=None, condition=None):
        count, token = z.round().long().unbind(1)
        steps = torch.arange(length) // 2
        return torch.where(
            (torch.arange(length) % 2 == 0) & (steps < count[:, None]), token[:, None], 0
        )

    def losses(self, z, batch, teacher=None, noise=None, skips=()):
        raise NotImplementedError

    def predict(self, z, batch, skips=()):
        raise NotImplementedError


def ladder_windows(count=40):
    random = np.random.default_rng(0)
    numbers, tokens = random.integers(2, 8, count), random.integers(20, 60, count)
    return (
        Ladder()
        .decode(torch.from_numpy(np.stack([numbers, tokens], 1)).float(), 32)
        .numpy()
        .astype(np.uint8)
    )


@pytest.fixture(scope="module")
def learned():
    return learn_vectors(Ladder(), MelodyCodec(), ladder_windows())


def test_vectors_point_to_more(learned):
    assert set(learned.names) >= {"density", "register"}
    density, register = (learned.names.index(name) for name in ("density", "register"))
    # A vector adds about a standard deviation of its own attribute, and little of the others.
    own = np.diag(learned.effects) / learned.spread
    assert (own[[density, register]] > 0.5).all()
    beside = learned.effects / learned.spread / own[:, None]
    assert abs(beside[density, register]) < 0.3 and abs(beside[register, density]) < 0.3
    assert learned.learned == {"windows": 40, "probes": 40, "held_out": False, "seed": 0}
    assert "interval" not in learned.names  # one pitch a window: it is the same everywhere


def test_sum_of_vectors(learned):
    total = learned.direction({"density": 0.5, "register": -1})
    density, register = (learned.names.index(name) for name in ("density", "register"))
    np.testing.assert_allclose(
        total, 0.5 * learned.vectors[density] - learned.vectors[register], rtol=1e-6
    )
    assert learned.expected({"density": 2})["density"] == pytest.approx(
        2 * learned.effects[density, density]
    )
    with pytest.raises(
        UsageError, match="no vector for 'dens'; did you mean 'density'.*has density"
    ):
        learned.direction({"dens": 1})


def test_same_seed_same_vectors(learned):
    again = learn_vectors(Ladder(), MelodyCodec(), ladder_windows())
    assert np.array_equal(again.vectors, learned.vectors) and np.array_equal(
        again.effects, learned.effects
    )


def test_too_little_to_learn_from():
    with pytest.raises(NothingUsableError, match="8 windows or more, not from 3"):
        learn_vectors(Ladder(), MelodyCodec(), ladder_windows()[:3])
    same = ladder_windows()[:1].repeat(20, axis=0)
    with pytest.raises(NothingUsableError, match="no attribute differs"):
        learn_vectors(Ladder(), MelodyCodec(), same)


def test_they_live_in_the_folder_of_the_model(tmp_path):
    folder = save_tiny_model(tmp_path / "tiny")
    with pytest.raises(
        UsageError,
        match="tiny: the model has no attribute vectors; learn them with 'musae attribute --learn",
    ):
        load_vectors(folder, describe(folder).sha256, 4, "tiny")
    bundle = load_bundle(folder)
    vectors = learn_vectors(bundle.model, bundle.codec, ladder_windows(), ladder_windows(9))
    assert vectors.learned["held_out"] and vectors.learned["probes"] == 9
    keep_vectors(describe(folder), vectors)
    keep_vectors(describe(folder), vectors)  # again: the card holds one section
    back = load_vectors(folder, describe(folder).sha256, 4, "tiny")
    np.testing.assert_allclose(back.vectors, vectors.vectors, rtol=1e-5)
    assert back.names == vectors.names and np.array_equal(back.effects, vectors.effects)
    card = (folder / "README.md").read_text()
    assert (
        card.count(HEADING) == 1
        and card.index(HEADING) < card.index("## Limits")
        and "| +1 of | density |" in card
    )
    assert (folder / "attributes.png").read_bytes()[:4] == b"\x89PNG"
    assert effects_picture(vectors, "t") == effects_picture(vectors, "t")
    assert load_bundle(folder).description == describe(folder)


def test_damaged_files_are_told_of(tmp_path, learned):
    folder = save_tiny_model(tmp_path / "tiny")
    bundle = load_bundle(folder)
    keep_vectors(bundle.description, learn_vectors(bundle.model, bundle.codec, ladder_windows()))
    sha256, path = bundle.description.sha256, folder / FILE
    good = json.loads(path.read_text())
    with pytest.raises(UsageError, match="other weights"):
        load_vectors(folder, "0" * 64, 4, "tiny")
    with pytest.raises(MusaeError, match="damaged"):
        load_vectors(folder, sha256, 5, "tiny")
    infinite = [[float("inf")] * 4] * len(good["names"])
    for change in (
        {"version": 2},
        {"format": "x"},
        {"vectors": "x"},
        {"vectors": infinite},
        {"effects": [[1]]},
        {"learned": 3},
    ):
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(MusaeError, match="attributes.json: is "):
            load_vectors(folder, sha256, 4, "tiny")
    path.write_text("{")
    with pytest.raises(MusaeError, match="not JSON"):
        load_vectors(folder, sha256, 4, "tiny")


def test_shipped_vectors_do_what_they_say():
    found = describe("mel-2bar")
    vectors = load_vectors(found.folder, found.sha256, 128, "mel-2bar")
    assert vectors.names == (
        "density",
        "syncopation",
        "syncopation8",
        "diatonic",
        "interval",
        "register",
    )
    assert vectors.learned["held_out"]
    # Each attribute rises, and by no other vector as much as by its own.
    assert (np.diag(vectors.effects) > 0).all() and vectors.effects.argmax(0).tolist() == list(
        range(6)
    )


def test_section_of_a_card():
    text = HEADING + "\n\nnew\n"
    assert with_section("", text) == text
    assert with_section("# m\n", text) == "# m\n\n" + text
    assert (
        with_section("# m\n\n## Limits\n\n* x\n", text) == "# m\n\n" + text + "\n## Limits\n\n* x\n"
    )
    old = "# m\n\n" + HEADING + "\n\nold\n\n## Limits\n"
    assert with_section(old, text) == "# m\n\n" + text + "\n## Limits\n"
    assert with_section("# m\n\n" + HEADING + "\n\nold\n", text) == "# m\n\n" + text
