"""Pictures of every kind are read as what they show, and damaged ones are told in one line."""

import gzip

import numpy as np
import pytest
from PIL import Image

from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.media.image import (
    image_bytes,
    is_idx,
    looks_like_pictures,
    png_bytes,
    read_idx,
    read_picture,
    read_pictures,
)
from tests.idx import idx_bytes as idx

GREY = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7


@pytest.fixture
def digits():
    return np.random.default_rng(0).integers(0, 256, (6, 5, 7), dtype=np.uint8)


def test_modes_of_a_picture(tmp_path):
    colour = np.stack([GREY, GREY[::-1], 255 - GREY], -1)
    clear = np.full_like(GREY, 255)
    clear[0] = 0  # the first row is transparent
    black = GREY.copy()
    black[0] = 0
    cases = {
        "L": (Image.fromarray(GREY), GREY),
        "RGB": (Image.fromarray(colour), colour),
        "grey as RGB": (Image.fromarray(GREY).convert("RGB"), GREY),
        "palette": (Image.fromarray(GREY).convert("P"), GREY),
        "RGBA": (
            Image.fromarray(np.dstack([colour, clear])),
            np.where(clear[..., None] > 0, colour, 0),
        ),
        "LA": (Image.fromarray(np.dstack([GREY, clear])), black),
        "16 bit": (Image.fromarray(GREY.astype(np.uint16) * 256 + 9), GREY),
        "one bit": (Image.fromarray(GREY > 100), (GREY > 100) * np.uint8(255)),
    }
    for name, (image, expected) in cases.items():
        image.save(tmp_path / "p.png")
        found = read_picture(tmp_path / "p.png")
        assert found.dtype == np.uint8 and np.array_equal(found, expected), name


def test_cmyk_float_and_turned_pictures(tmp_path):
    Image.new("CMYK", (7, 5), (0, 255, 255, 0)).save(tmp_path / "p.jpg")
    red = read_picture(tmp_path / "p.jpg")
    assert red.shape == (5, 7, 3) and red[0, 0, 0] > 200 > 100 > red[0, 0, 1]
    Image.fromarray((GREY / 255).astype(np.float32)).save(tmp_path / "p.tif")
    assert np.array_equal(read_picture(tmp_path / "p.tif"), GREY)
    Image.fromarray(np.full((5, 7), np.nan, np.float32)).save(tmp_path / "p.tif")
    with pytest.raises(MusaeError, match="brightness"):
        read_picture(tmp_path / "p.tif")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    Image.fromarray(GREY).save(tmp_path / "p.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "p.png"), np.rot90(GREY, -1))


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_with_labels_beside(tmp_path, digits, zipped):
    pack, end = (gzip.compress, ".gz") if zipped else (bytes, "")
    path = tmp_path / f"t10k-images-idx3-ubyte{end}"
    path.write_bytes(pack(idx(digits)))
    assert is_idx(path) and looks_like_pictures(path)
    (group,) = read_pictures(path)
    assert (
        np.array_equal(group.images, digits)
        and group.labels is None
        and group.places.tolist() == list(range(6))
    )
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    labels.write_bytes(idx(np.arange(6, dtype=np.uint8)))
    assert read_pictures(path)[0].labels.tolist() == list(range(6))
    labels.write_bytes(idx(np.arange(5, dtype=np.uint8)))
    with pytest.raises(MusaeError, match="5 labels for 6 pictures"):
        read_pictures(path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:-9], "holds 201 bytes"),
        (lambda data: data + b"x", "goes on"),
        (lambda data: data[:9], "truncated in its header"),
        (lambda data: b"", "no IDX file"),
        (lambda data: b"text" + data, "no IDX file"),
        (lambda data: data[:2] + b"\x0d" + data[3:], "only bytes"),
        (lambda data: gzip.compress(data)[:-40], "damaged or truncated"),
        (lambda data: data[:4] + b"\xff" * 12, "up to 1 GB are read"),
        (lambda data: idx(np.zeros(9, np.uint8)), "1-dimensional"),
        (lambda data: idx(np.zeros((0, 5, 7), np.uint8)), "holds no pictures"),
    ],
)
def test_damaged_idx(tmp_path, digits, damage, words):
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(damage(idx(digits)))
    with pytest.raises(MusaeError, match=words) as told:
        read_pictures(path)
    assert str(told.value).startswith(str(path)) and "\n" not in str(told.value)


def test_damaged_pictures(tmp_path):
    path = tmp_path / "p.png"
    for data in (
        b"",
        b"this is text",
        png_bytes(GREY)[:40],
        png_bytes(np.tile(GREY, (40, 40)))[:-300],
    ):
        path.write_bytes(data)
        with pytest.raises(MusaeError, match=r"p\.png: is ") as told:
            read_pictures(path)
        assert "\n" not in str(told.value)
    for name in ("nowhere.png", "nowhere", "nowhere.npz", "nowhere.gz"):
        with pytest.raises(MusaeError, match=rf"{name}: no such file"):
            read_pictures(tmp_path / name)
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(MusaeError, match="no picture, no .npz and no IDX"):
        read_pictures(tmp_path / "notes.txt")


def test_folder_of_several_sizes_and_classes(tmp_path):
    for name, shape in (
        ("b/2.png", (5, 7)),
        ("a/1.png", (5, 7)),
        ("a/3.png", (4, 4)),
        ("b/5.png", (5, 7)),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png_bytes(np.full(shape, int(path.stem), np.uint8)))
    first, second = read_pictures(tmp_path)
    assert first.names == ("1", "2", "5") and second.names == ("3",)
    assert first.places.tolist() == [0, 2, 3] and second.places.tolist() == [1]
    assert first.labels.tolist() == [0, 1, 1] and second.labels.tolist() == [0]
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingUsableError, match="holds no pictures"):
        read_pictures(tmp_path / "empty")


ARCHIVES = {
    "no images": ({"x": np.zeros(3)}, "no array 'images'"),
    "two that could be": ({"x": np.zeros((2, 4, 4)), "y": np.zeros((2, 4, 4))}, "it has x, y"),
    "one axis too few": ({"images": np.zeros((4, 4))}, "pictures are"),
    "four channels": ({"images": np.zeros((2, 4, 4, 4))}, "pictures are"),
    "text": ({"images": np.full((2, 4, 4), "a")}, "bytes, or real numbers"),
    "complex": ({"images": np.zeros((2, 4, 4), complex)}, "bytes, or real numbers"),
    "nan": ({"images": np.full((2, 4, 4), np.nan)}, "not finite"),
    "0 to 255 as floats": ({"images": np.full((2, 4, 4), 255.0)}, "from 255 to 255"),
    "negative": ({"images": np.full((2, 4, 4), -1)}, "from -1 to -1"),
    "empty": ({"images": np.zeros((0, 4, 4))}, "holds no pictures"),
    "labels of another length": (
        {"images": np.zeros((2, 4, 4)), "labels": np.zeros(3, int)},
        "one whole number a picture",
    ),
    "pickled": ({"images": np.array([{}], dtype=object)}, "pickled"),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives_that_cannot_be_used(tmp_path, kind):
    arrays, words = ARCHIVES[kind]
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(MusaeError, match=words) as told:
        read_pictures(tmp_path / "x.npz")
    assert "x.npz" in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.ones((2, 4, 4, 1), np.float16), np.ones((2, 4, 4), np.float32)),
        (np.full((2, 4, 4), 255), np.full((2, 4, 4), 255, np.uint8)),
        (np.ones((2, 4, 4), bool), np.full((2, 4, 4), 255, np.uint8)),
        (np.zeros((2, 4, 4, 3)), np.zeros((2, 4, 4, 3), np.float32)),
    ],
)
def test_archives_of_several_types(tmp_path, array, expected):
    np.savez(tmp_path / "x.npz", digits=array, labels=np.array([1, 2]))
    (group,) = read_pictures(tmp_path / "x.npz")
    assert group.images.dtype == expected.dtype and np.array_equal(group.images, expected)
    assert group.labels.tolist() == [1, 2]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".gif", ".jpg"])
def test_written_pictures_are_read_again(tmp_path, suffix):
    path = tmp_path / f"p{suffix}"
    path.write_bytes(image_bytes(GREY, path))
    assert np.abs(read_picture(path).astype(int) - GREY).max() <= (12 if suffix == ".jpg" else 0)


def test_pictures_that_cannot_be_written(tmp_path):
    with pytest.raises(UsageError, match="a picture ends in"):
        image_bytes(GREY, tmp_path / "p.txt")
    with pytest.raises(MusaeError, match=r"70000 x 1 pixels cannot be written as \.jpg"):
        image_bytes(np.zeros((1, 70_000), np.uint8), tmp_path / "p.jpg")


def test_idx_of_another_shape_is_data_all_the_same(tmp_path):
    path = tmp_path / "labels-idx1-ubyte"
    path.write_bytes(idx(np.arange(4, dtype=np.uint8)))
    assert read_idx(path).tolist() == [0, 1, 2, 3]
