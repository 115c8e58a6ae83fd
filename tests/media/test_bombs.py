"""Small files that would be large in memory are refused before they are unpacked."""

import gzip
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.images.codec import ImageCodec
from musicvae_lite.media.archives import check_zip
from musicvae_lite.media.arrays import read_arrays
from musicvae_lite.media.image import read_idx, read_picture
from musicvae_lite.media.sources import list_sources


def member(shape, dtype="<f4", body=b""):
    data = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(data, header)
    return data.getvalue() + body


def npz(path: Path, *members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, data in enumerate(members):
            archive.writestr(f"a{number}.npy", data)
    return path


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (member((10**12,)), "has not the bytes of an array"),
        (member((2,), body=bytes(12)), "has not the bytes of an array"),
        (member((1,), "<U1", b"\xff\xff\xff\x7f"), "holds text that is none"),
        (member((1,), "|O", bytes(8)), "pickled objects are not read"),
        (member((1,), [("a", "<f4")], bytes(4)), "neither numbers nor text"),
    ],
)
def test_arrays_that_lie(tmp_path, data, words):
    with pytest.raises(MusaeError, match=words):
        read_arrays(npz(tmp_path / "x.npz", data))


def test_an_archive_that_unpacks_to_much(tmp_path):
    path = npz(tmp_path / "x.npz", member((1,), body=bytes(4)))
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<L", 2 * 10**9)  # the size that the table states
    path.write_bytes(data)
    with pytest.raises(MusaeError, match="would take 2 GB of memory unpacked; up to 1 GB"):
        read_arrays(path)


def test_idx_files_that_state_much(tmp_path):
    path = tmp_path / "x-idx3-ubyte.gz"
    head = bytes([0, 0, 8, 3])
    path.write_bytes(gzip.compress(head + struct.pack(">3I", 60_000, 1000, 1000)))
    with pytest.raises(MusaeError, match="would take 60 GB"):
        read_idx(path)
    path.write_bytes(gzip.compress(head + struct.pack(">3I", 900, 1000, 1000) + bytes(9)))
    with pytest.raises(MusaeError, match="holds 9 bytes"):
        read_idx(path)


def test_tables_of_zip_files(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.mid", b"MThd")
        archive.writestr("index.csv", b"\0" * (2**24 + 1))
    with pytest.raises(MusaeError, match=r"index.csv: cannot be read .* would unpack to"):
        list_sources([path])
    with path.open("wb") as file:  # 40 MB of table, without taking them on the disk
        file.truncate(40 * 2**20)
        file.seek(0, 2)
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 40 * 2**20, 0, 0))
    with pytest.raises(MusaeError, match="the table of this zip file has 41,943,040 bytes"):
        check_zip(path)


def test_a_picture_of_too_many_pixels(tmp_path):
    Image.new("1", (9000, 9000)).save(tmp_path / "x.png")
    with pytest.raises(MusaeError, match="9000 x 9000 pixels; up to 80,000,000"):
        read_picture(tmp_path / "x.png")


def stroke():
    ink = np.zeros((28, 28), np.uint8)
    ink[4:24, 10:18] = 250
    ink[4:24, 9] = 90
    return ink


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (10, 0, 60)])
def test_ink_of_one_colour_on_a_clear_ground(tmp_path, colour):
    picture = np.zeros((28, 28, 4), np.uint8)
    picture[..., :3], picture[..., 3] = colour, stroke()
    Image.fromarray(picture).save(tmp_path / "x.png")
    found = read_picture(tmp_path / "x.png")
    assert np.abs(found.astype(int) - stroke()).max() <= 1


def test_dark_ink_of_several_colours_is_laid_on_white(tmp_path):
    picture = np.zeros((28, 28, 4), np.uint8)
    picture[..., 3] = 255 * (stroke() > 0)
    picture[:14, :, 0] = 120
    Image.fromarray(picture).save(tmp_path / "x.png")
    found = read_picture(tmp_path / "x.png")
    assert found[0, 0].tolist() == [255] * 3 and found[20, 12].tolist() == [0] * 3


def test_wide_and_high_pictures_keep_their_shapes():
    wide = np.zeros((28, 56), np.uint8)
    wide[:, 14:42] = stroke()
    codec = ImageCodec()
    assert np.array_equal(codec.encode(wide[None])[0], stroke())
    assert np.array_equal(codec.encode(np.rot90(wide)[None])[0], np.rot90(stroke()))
    full = np.zeros((28, 56), np.uint8)
    full[4:24, 2:54] = 200  # wider than high, 52 to 20: made smaller in both directions alike
    rows, columns = np.nonzero(codec.encode(full[None])[0] > 100)
    width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
    assert width == 28 and abs(height - width * 20 / 52) <= 1
