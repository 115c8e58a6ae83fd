"""Where pictures come from, and how they become batches."""

import hashlib

import numpy as np
import pytest
import torch

from musicvae_lite.config import NoiseSettings, ShrinkSettings
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.random import Noise
from musicvae_lite.images.codec import ImageCodec
from musicvae_lite.images.data import download
from musicvae_lite.images.data.other_pictures import other_kinds
from musicvae_lite.images.data.pictures import PictureBatches, Split, corrupted, open_pictures
from musicvae_lite.media.image import png_bytes
from tests.idx import mnist_folder, write_idx

CPU = torch.device("cpu")
LABELS = np.arange(20) % 10


def random_images(count=20, size=28):
    return np.random.default_rng(0).integers(0, 256, (count, size, size), dtype=np.uint8)


@pytest.mark.parametrize("end", [".gz", ""])
def test_a_folder_of_idx_files_has_the_official_split(tmp_path, end):
    corpus = open_pictures(
        mnist_folder(tmp_path / "mnist", random_images(), LABELS, end), ImageCodec()
    )
    assert (len(corpus.train), len(corpus.test)) == (15, 5)
    np.testing.assert_array_equal(corpus.everything().images, random_images())
    np.testing.assert_array_equal(corpus.everything().labels, np.arange(20) % 10)
    assert not corpus.resized


def test_digits_come_with_the_project():
    corpus = open_pictures("digits", ImageCodec(8, 8))
    assert (len(corpus.train), len(corpus.test)) == (1437, 360)
    assert corpus.train.images.shape == (1437, 8, 8) and corpus.train.images.max() == 255
    assert set(corpus.test.labels) == set(range(10))


def test_archives_with_and_without_a_split(tmp_path):
    images = random_images()
    np.savez(tmp_path / "plain.npz", images=images)
    np.savez(
        tmp_path / "keras.npz",
        x_train=images[:15],
        x_test=images[15:],
        y_train=np.zeros(15, int),
        y_test=np.ones(5, int),
    )
    plain = open_pictures(tmp_path / "plain.npz", ImageCodec())
    assert (len(plain.train), len(plain.test)) == (18, 2) and plain.train.labels is None
    keras = open_pictures(tmp_path / "keras.npz", ImageCodec())
    assert (len(keras.train), len(keras.test)) == (15, 5) and set(keras.test.labels) == {1}


def test_a_folder_of_pictures_of_several_sizes_is_resized(tmp_path):
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
    for number, size in enumerate((28, 28, 40, 12)):
        picture = random_images(1, size)[0]
        (tmp_path / "ab"[number % 2] / f"{number}.png").write_bytes(png_bytes(picture))
    corpus = open_pictures(tmp_path, ImageCodec())
    assert corpus.resized and len(corpus.everything()) == 4
    assert sorted(corpus.everything().labels) == [0, 0, 1, 1]


def test_large_pictures_can_be_cut_into_pieces(tmp_path):
    picture = np.arange(40 * 30 * 3, dtype=np.uint32).astype(np.uint8).reshape(40, 30, 3)
    (tmp_path / "0.png").write_bytes(png_bytes(picture))
    pieces = open_pictures(tmp_path, ImageCodec(10, 10, 3), pieces=True).everything().images
    assert pieces.shape == (12, 10, 10, 3)
    np.testing.assert_array_equal(pieces[4], picture[10:20, 10:20])


def test_sources_that_cannot_be_used_say_why(tmp_path):
    with pytest.raises(UsageError, match=r"no such file or folder.*mnist or digits"):
        open_pictures(tmp_path / "none", ImageCodec())
    folder = mnist_folder(tmp_path / "mnist", random_images(), LABELS, "")
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MusaeError, match="15 x 28 x 28 = 11,760 bytes, but holds 11,759"):
        open_pictures(folder, ImageCodec())
    write_idx(path, random_images(14))
    with pytest.raises(MusaeError, match="15 labels for 14 pictures"):
        open_pictures(folder, ImageCodec())


def split(labels=True):
    return Split(random_images(), np.arange(20) % 10 if labels else None)


def epoch(batches, **arguments):
    return list(batches.shuffled(**({"size": 8, "seed": 1, "epoch": 0} | arguments)))


def test_batches_are_a_function_of_seed_and_epoch():
    batches = PictureBatches(split(), CPU, NoiseSettings(), classes=10)
    first, again, later = epoch(batches), epoch(batches), epoch(batches, epoch=1)
    assert len(first) == 2
    for a, b in zip(first, again, strict=True):
        assert (
            torch.equal(a.x, b.x)
            and torch.equal(a.target, b.target)
            and torch.equal(a.condition, b.condition)
        )
    assert not torch.equal(first[0].target, later[0].target)
    seen = torch.cat([batch.target for batch in first]).mul(255).round().to(torch.uint8)
    assert len({bytes(row.numpy().tobytes()) for row in seen}) == 16


def test_processes_share_a_batch():
    batches = PictureBatches(split(), CPU, NoiseSettings())
    whole = epoch(batches)
    parts = [epoch(batches, rank=rank, world=2) for rank in (0, 1)]
    for batch, halves in zip(whole, zip(*parts, strict=True), strict=True):
        assert torch.equal(batch.x, torch.cat([half.x for half in halves]))
        assert torch.equal(batch.target, torch.cat([half.target for half in halves]))


def test_noise_is_drawn_afresh_and_cut():
    clean = torch.full((4, 1, 28, 28), 0.5)
    settings = NoiseSettings(mean=0.5, sd=0.5)
    first, second = (corrupted(clean, settings, Noise(seed)) for seed in (0, 1))
    assert not torch.equal(first, second) and not torch.equal(first[0], first[1])
    assert first.min() == 0 and first.max() == 1
    raw = Noise(0).normal(clean.shape, CPU) * 0.5 + 0.5 + clean
    torch.testing.assert_close(first, raw.clamp(0, 1))


def test_shrinking_averages_squares():
    picture = torch.arange(16.0).view(1, 1, 4, 4)
    small = corrupted(picture, ShrinkSettings(factor=2), Noise(0))
    assert small.flatten().tolist() == [2.5, 4.5, 10.5, 12.5]


def test_conditions_need_labels_in_range():
    with pytest.raises(UsageError, match="needs labels"):
        PictureBatches(split(labels=False), CPU, None, classes=10)
    with pytest.raises(UsageError, match="labels run from 0 to 4"):
        PictureBatches(split(), CPU, None, classes=5)
    with pytest.raises(MusaeError, match="20 pictures, fewer than one batch of 64"):
        epoch(PictureBatches(split(), CPU, None), size=64)


def test_other_kinds_are_made_from_the_pictures():
    kinds = other_kinds(split(), ImageCodec())
    np.testing.assert_array_equal(kinds["inverted"].images, 255 - random_images())
    np.testing.assert_array_equal(kinds["rotated"].images[:, 0], random_images()[:, :, -1])
    letters = kinds["letters"].images
    assert letters.shape == (130, 28, 28) and len({letter.tobytes() for letter in letters}) == 130
    assert "letters" not in other_kinds(
        Split(np.zeros((2, 4, 4, 3), np.uint8), None), ImageCodec(4, 4, 3)
    )


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A folder that serves as a mirror, with four small files that are the right ones."""
    folder = mnist_folder(tmp_path / "mirror", random_images(), LABELS)
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    monkeypatch.setattr(download, "MNIST", sums)
    monkeypatch.setenv("MUSAE_CACHE", str(tmp_path / "cache"))
    return folder


def test_mnist_is_fetched_once(mirror, tmp_path):
    folder = download.fetch_mnist(mirrors=[f"{mirror.as_uri()}/"])
    assert folder == tmp_path / "cache" / "mnist" and len(list(folder.iterdir())) == 4
    assert download.fetch_mnist(mirrors=[]) == folder  # no mirror is asked again
    assert len(open_pictures("mnist", ImageCodec()).train) == 15


def test_a_mirror_with_wrong_files_is_passed_over(mirror, tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    for path in mirror.iterdir():
        (bad / path.name).write_bytes(b"something else")
    with pytest.raises(MusaeError, match=r"has the wrong checksum.*--data"):
        download.fetch_mnist(mirrors=[f"{bad.as_uri()}/"])
    assert not list((tmp_path / "cache" / "mnist").iterdir())
    assert (
        len(
            list(
                download.fetch_mnist(mirrors=[f"{bad.as_uri()}/", f"{mirror.as_uri()}/"]).iterdir()
            )
        )
        == 4
    )


def test_without_a_network_the_way_out_is_named(mirror, tmp_path):
    with pytest.raises(
        MusaeError, match=r"cannot be fetched.*put its four .gz files into a folder"
    ):
        download.fetch_mnist(mirrors=[f"{(tmp_path / 'nowhere').as_uri()}/"])
