"""Reading and writing pictures: IDX files (MNIST's format), NumPy archives, PNG, JPEG and folders
of them.

Letters in shapes: N pictures, H W pixels.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.core.files import reason
from musicvae_lite.core.limits import check_regular, check_unpacked
from musicvae_lite.media.arrays import read_arrays
from musicvae_lite.media.picture import PICTURES as PICTURES
from musicvae_lite.media.picture import read_picture as read_picture

_IDX_UINT8 = 0x08
_PIECE_BYTES = 2**20
_LOSSY, _QUALITY = (".jpg", ".jpeg", ".webp"), 95


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of one size.

    Attributes:
        images: uint8 (or floats 0..1) [N, H, W] or [N, H, W, 3].
        labels: class of each [N], or None.
        names: name of each, for messages and file names.
        source: where they came from.
        places: place of each in its source, from 0 [N]; in a folder by the order of the paths,
            whatever the sizes.
    """

    images: NDArray[Any]
    labels: NDArray[np.int64] | None
    names: tuple[str, ...]
    source: str
    places: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)


def read_pictures(
    path: str | os.PathLike[str], report: Callable[[MusaeError], None] | None = None
) -> list[Pictures]:
    """Read an IDX file (plain or gzipped), a NumPy archive, a picture or a folder of pictures.

    Args:
        path: of them.
        report: is told of the pictures of a folder that cannot be used, which are left out; default
            the first one is raised.

    Returns:
        One group for each size of picture, in the order of their first pictures.

    Raises:
        MusaeError: the file is absent, damaged or of another kind; which and what is wrong is said.
        NothingUsableError: a folder without pictures, an empty array.
    """
    place = Path(path)
    if os.path.isdir(place):
        return read_folder(place, report)
    name = place.name.lower()
    if name.endswith(".npz"):
        return [read_archive(place)]
    if name.endswith(PICTURES):
        image = read_picture(place)
        return [Pictures(image[None], None, (place.stem,), str(place), np.arange(1))]
    if is_idx(place) or "idx" in name or not os.path.exists(place):
        images = read_idx(place)
        if images.ndim != 3:
            raise MusaeError(
                f"{place}: holds {images.ndim}-dimensional data; pictures are [N, H, W]"
            )
        if not images.size:
            raise NothingUsableError(f"{place}: holds no pictures")
        labels = read_labels_beside(place, len(images))
        return [Pictures(images, labels, _numbers(len(images)), str(place), np.arange(len(images)))]
    raise MusaeError(
        f"{place}: is no picture, no .npz and no IDX file; known are {', '.join(PICTURES[:3])}, "
        ".npz, IDX"
    )


def looks_like_pictures(path: str | os.PathLike[str]) -> bool:
    """Say by the name alone whether a file holds pictures."""
    name = Path(path).name.lower()
    return name.endswith((*PICTURES, ".npz")) or "idx" in name


def is_idx(path: Path) -> bool:
    """Say whether a file starts as an IDX file of bytes does (also inside gzip)."""
    try:
        with _opened(path) as file:
            head = file.read(4)
    except (MusaeError, OSError, EOFError, zlib.error):
        return False
    return len(head) == 4 and head[:3] == bytes([0, 0, _IDX_UINT8]) and 1 <= head[3] <= 4


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of bytes (the format of MNIST; gzipped or not).

    Returns:
        uint8, of the shape that the file states.

    Raises:
        MusaeError: absent, no IDX file, or shorter or longer than it states.
    """
    try:
        with _opened(path) as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0":
                raise MusaeError(
                    f"{path}: is no IDX file (it starts with {magic.hex(' ') or 'nothing'})"
                )
            if magic[2] != _IDX_UINT8:
                raise MusaeError(
                    f"{path}: is an IDX file of type 0x{magic[2]:02x}; only bytes (0x08) are read"
                )
            sizes = file.read(4 * magic[3])
            if len(sizes) < 4 * magic[3] or not magic[3]:
                raise MusaeError(f"{path}: is truncated in its header; copy the file again")
            shape = struct.unpack(f">{magic[3]}I", sizes)
            count = math.prod(shape)
            check_unpacked(path, count)
            data, found = _read_into(file, count)
            more = bool(file.read(1))
    except FileNotFoundError:
        raise MusaeError(f"{path}: no such file") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise MusaeError(
            f"{path}: is damaged or truncated ({error}); copy the file again"
        ) from error
    except OSError as error:
        raise MusaeError(f"{path}: cannot be read: {reason(error)}") from error
    if found != count or more:
        told = f"holds {found:,} bytes" if found < count else "goes on"
        raise MusaeError(
            f"{path}: is damaged: it states {' x '.join(map(str, shape))} = {count:,} bytes, but "
            f"{told}"
        )
    return data.reshape(shape)


def _read_into(file: IO[bytes], count: int) -> tuple[NDArray[np.uint8], int]:
    """Return ``count`` bytes of a file and how many of them were there.

    No second copy is made, and memory is taken as it is filled: a file may state far more than it
    has.
    """
    data, found = np.empty(count, np.uint8), 0
    while found < count and (piece := file.read(min(_PIECE_BYTES, count - found))):
        data[found : found + len(piece)] = np.frombuffer(piece, np.uint8)
        found += len(piece)
    return data, found


def _opened(path: Path) -> IO[bytes]:
    check_regular(path)
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    opened: Any = gzip.open(path) if zipped else path.open("rb")
    file_: IO[bytes] = opened
    return file_


def read_labels_beside(path: Path, count: int) -> NDArray[np.int64] | None:
    """Read the labels that belong to an IDX file of images by its name, or return None where there
    are none.

    Raises:
        MusaeError: if they are damaged or not as many.
    """
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    places = [
        path.with_name(name),
        path.with_name(name.removesuffix(".gz")),
        path.with_name(name + ".gz"),
    ]
    beside = next((place for place in places if name != path.name and place.is_file()), None)
    if beside is None:
        return None
    labels = read_idx(beside)
    if labels.shape != (count,):
        raise MusaeError(
            f"{beside}: holds {labels.size:,} labels for {count:,} pictures; copy both files again"
        )
    return labels.astype(np.int64)


def picture_paths(folder: Path) -> list[Path]:
    """Return all pictures below a folder, in the order in which they are read."""
    return sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in PICTURES and path.is_file()
    )


def read_folder(folder: Path, report: Callable[[MusaeError], None] | None = None) -> list[Pictures]:
    """Read all pictures below a folder.

    The names of subfolders are classes, numbered in alphabetical order.

    Args:
        folder: of them.
        report: see :func:`read_pictures`.

    Returns:
        One group for each size (and grey or colour).

    Raises:
        MusaeError: a damaged picture, where nobody is told of it; all of them are damaged.
        NothingUsableError: no picture.
    """
    paths = picture_paths(folder)
    if not paths:
        data = sorted(
            path.name for path in folder.iterdir() if path.is_file() and looks_like_pictures(path)
        )
        cure = f"; name one of its files, such as {data[0]}" if data else ""
        raise NothingUsableError(
            f"{folder}: holds no pictures ({', '.join(PICTURES[:3])} ...){cure}"
        )
    inner = [path.parent.relative_to(folder).as_posix() for path in paths]
    classes = (
        {name: index for index, name in enumerate(sorted(set(inner)))}
        if len(set(inner)) > 1
        else {}
    )
    images: dict[int, NDArray[np.uint8]] = {}
    total = 0
    for place, path in enumerate(paths):
        try:
            images[place] = read_picture(path)
            total += images[place].nbytes
        except MusaeError as error:
            if report is None or len(paths) == 1:
                raise
            report(error)
        check_unpacked(folder, total)
    if not images:
        raise MusaeError(f"{folder}: none of its {len(paths):,} pictures can be used")
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, image in images.items():
        groups.setdefault(image.shape, []).append(place)
    return [
        Pictures(
            np.stack([images.pop(place) for place in places]),
            np.array([classes[inner[place]] for place in places]) if classes else None,
            tuple(paths[place].stem for place in places),
            str(folder),
            np.array(places),
        )
        for places in groups.values()
    ]


def read_archive(path: Path, images: str = "images", labels: str = "labels") -> Pictures:
    """Read pictures from a NumPy archive: ``images`` [N, H, W] or [N, H, W, 3], bytes or floats
    0..1, and ``labels`` [N].

    Where there is no ``images`` the only array of such a shape is taken.

    Raises:
        MusaeError: absent, damaged, or without such an array.
    """
    arrays = read_arrays(path)
    if images not in arrays:
        fitting = [name for name, array in arrays.items() if array.ndim in (3, 4)]
        if len(fitting) != 1:
            raise MusaeError(
                f"{path}: holds no array {images!r} [N, H, W] or [N, H, W, 3]; it has "
                f"{', '.join(arrays) or 'none'}"
            )
        images = fitting[0]
    pictures = checked(arrays[images], f"{path}: {images!r}")
    found = arrays.get(labels)
    if found is not None and (found.shape != (len(pictures),) or found.dtype.kind not in "iu"):
        raise MusaeError(
            f"{path}: {labels!r} is {found.dtype} {list(found.shape)}; there must be one whole "
            "number a picture"
        )
    labels_ = None if found is None else found.astype(np.int64)
    return Pictures(pictures, labels_, _numbers(len(pictures)), str(path), np.arange(len(pictures)))


def checked(array: NDArray[Any], what: str) -> NDArray[Any]:
    """Return an array of pictures as uint8 or float32 0..1, [N, H, W] or [N, H, W, 3].

    A last axis of 1 is dropped.

    Raises:
        MusaeError: another shape, type or range; ``what`` begins the message.
        NothingUsableError: no picture in it.
    """
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] != 3):
        raise MusaeError(f"{what} is {list(array.shape)}; pictures are [N, H, W] or [N, H, W, 3]")
    if not array.size:
        raise NothingUsableError(f"{what} holds no pictures")
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind not in "fiu":
        raise MusaeError(
            f"{what} is {array.dtype}; pictures are bytes, or real numbers from 0 to 1"
        )
    if not np.isfinite(array).all():
        raise MusaeError(f"{what} has numbers that are not finite")
    low, high = float(array.min()), float(array.max())
    if array.dtype.kind in "iu" and 0 <= low and 1 < high <= 255:
        return array.astype(np.uint8)
    if low < 0 or high > 1:
        raise MusaeError(
            f"{what} has values from {low:g} to {high:g}; brightness is 0..1, or bytes 0..255"
        )
    return array.astype(np.float32)


def png_bytes(picture: NDArray[np.uint8]) -> bytes:
    """Return a picture [H, W] or [H, W, 3] as the content of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def image_bytes(picture: NDArray[np.uint8], path: Path) -> bytes:
    """Return a picture as the content of a file of the kind that the suffix says.

    Raises:
        UsageError: a suffix that is none of a picture.
        MusaeError: a kind that cannot hold so large a picture, or that Pillow does not write here.
    """
    from PIL import Image

    suffix = path.suffix.lower()
    if suffix not in PICTURES:
        raise UsageError(f"{path}: a picture ends in {', '.join(PICTURES[:3])} ...")
    buffer = io.BytesIO()
    settings = {"quality": _QUALITY} if suffix in _LOSSY else {}
    try:
        Image.fromarray(picture).save(
            buffer, format=Image.registered_extensions()[suffix], **settings
        )
    except (KeyError, OSError, ValueError, struct.error) as error:
        height, width = picture.shape[:2]
        raise MusaeError(
            f"{path}: {width} x {height} pixels cannot be written as {suffix} ({error}); try .png"
        ) from error
    return buffer.getvalue()


def _numbers(count: int) -> tuple[str, ...]:
    digits = len(str(max(count - 1, 0)))
    return tuple(f"{number:0{digits}}" for number in range(count))
