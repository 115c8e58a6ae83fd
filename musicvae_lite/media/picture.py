"""Reading one picture as grey or colour, whatever its mode, in little more memory than the result
takes.

Letters in shapes: H W pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import reason
from musicvae_lite.core.limits import check_regular

if TYPE_CHECKING:
    from PIL import Image

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
#: What Pillow may take a file for: no format that runs another program (EPS) or names other files.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
_MAX_PIXELS = 80_000_000  # of one picture; as colour they take 240 MB
_BAND_PIXELS = 2**20  # of rows that are looked at together
_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")
#: Of 255: opacity of what can be seen, spread of one colour, mean brightness that black would hide.
_SEEN, _EVEN, _DARK = 16, 16, 64


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture as grey [H, W] or colour [H, W, 3], upright.

    What is drawn on a transparent ground stays visible: dark ink of one colour is read as white ink
    on black (its opacity), other dark pictures are laid on white, light ones on black. 16 bits are
    cut to 8.

    Raises:
        MusaeError: absent, damaged, too large, or no picture.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        check_regular(path)
        with (
            warnings.catch_warnings(action="ignore"),  # of Pillow, about metadata and size
            Image.open(path, formats=_FORMATS) as image,
        ):
            if image.width * image.height > _MAX_PIXELS:
                raise MusaeError(
                    f"{path}: has {image.width} x {image.height} pixels; up to {_MAX_PIXELS:,} "
                    "are read"
                )
            ImageOps.exif_transpose(image, in_place=True)  # as a camera was held
            return _as_bytes(image)
    except MusaeError:
        raise
    except FileNotFoundError:
        raise MusaeError(f"{path}: no such file") from None
    except UnidentifiedImageError:
        raise MusaeError(f"{path}: is no picture, whatever its name says") from None
    except Exception as error:  # of a damaged file Pillow raises nearly all that there are
        why = (
            reason(error)
            if isinstance(error, OSError) and error.errno
            else str(error).split("\n")[0] or type(error).__name__
        )
        raise MusaeError(f"{path}: is damaged or cannot be read ({why})") from error


def _as_bytes(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith(("I", "F")):
        return _deep_grey(np.asarray(image))
    ground: str | None = None
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        ground = _ground(image)
    if ground == "opacity":
        return np.concatenate([np.asarray(band)[..., 3] for band in _bands(image, "RGBA")])
    grey = image.mode in ("1", "L") or all(
        _is_grey(_laid(band, ground)) for band in _bands(image, "RGBA" if ground else "RGB")
    )
    mode = "L" if grey else "RGB"
    pixels = np.empty((image.height, image.width) + (() if grey else (3,)), np.uint8)
    row = 0
    for band in _bands(image, "RGBA" if ground else image.mode):
        pixels[row : row + band.height] = np.asarray(_laid(band, ground).convert(mode))
        row += band.height
    return pixels


def _bands(image: Image.Image, mode: str) -> Iterator[Image.Image]:
    """Yield the rows of a picture, some at a time, in a mode of Pillow's."""
    height = max(1, _BAND_PIXELS // max(image.width, 1))
    for top in range(0, image.height, height):
        band = image.crop((0, top, image.width, min(top + height, image.height)))
        yield band if band.mode == mode else band.convert(mode)


def _laid(band: Image.Image, ground: str | None) -> Image.Image:
    """Lay a band on a colour; None for one without transparency."""
    from PIL import Image

    if ground is None:
        return band
    return Image.alpha_composite(Image.new("RGBA", band.size, ground), band).convert("RGB")


def _is_grey(band: Image.Image) -> bool:
    pixels = np.asarray(band)
    return bool((pixels == pixels[..., :1]).all())


def _ground(image: Image.Image) -> Literal["white", "black", "opacity"]:
    """Choose what a transparent picture is laid on, so that what is drawn can be seen: white for
    dark ink, black for light; its opacity alone is the picture where the ink is dark and of one
    colour.
    """
    low, high = np.full(3, 255), np.zeros(3, np.int64)
    clear = False
    light = weight = 0.0
    for band in _bands(image, "RGBA"):
        pixels = np.asarray(band)
        alpha = pixels[..., 3]
        seen = pixels[..., :3][alpha >= _SEEN]
        clear = clear or bool((alpha < _SEEN).any())
        light += float((pixels[..., :3].mean(-1) * alpha).sum())
        weight += float(alpha.sum(dtype=np.int64))
        if len(seen):
            low, high = np.minimum(low, seen.min(0)), np.maximum(high, seen.max(0))
    if not clear or not weight or light / weight >= _DARK:
        return "black"
    return "opacity" if bool((high - low <= _EVEN).all()) else "white"


def _deep_grey(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return grey of more than 8 bits [H, W] as bytes: of 16 bits the high byte, of numbers 0..1
    that part of 255.

    Raises:
        ValueError: numbers that are no brightness.
    """
    low, high = float(pixels.min(initial=0)), float(pixels.max(initial=0))
    if not 0 <= low <= high <= 65535:  # nor nan
        raise ValueError(
            f"its numbers go from {low:g} to {high:g}; brightness is 0..1, or of 8 or 16 bits"
        )
    grey = np.empty(pixels.shape, np.uint8)
    factor = 255 if high <= 1 else 1 if high <= 255 else 1 / 257
    wide = pixels.dtype.itemsize == 2 or high > 255
    for row, line in enumerate(pixels):  # row by row: of large pictures copies are larger still
        grey[row] = (
            np.rint(line * factor) if pixels.dtype.kind == "f" else line >> 8 if wide else line
        )
    return grey
