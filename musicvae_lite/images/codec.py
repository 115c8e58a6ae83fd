"""Pictures of one size as arrays of brightness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.codec import Codec
from musicvae_lite.core.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

_NEAR = 24  # of 255: a difference from the border that is noise


class ImageCodec(Codec):
    """Grey or colour pictures of ``height`` x ``width`` pixels.

    Brightness 0 to 255 in files, 0..1 for the model.

    Args:
        height: pixels H.
        width: pixels W.
        channels: 1 for grey, 3 for red, green, blue.
    """

    kind = "image"

    def __init__(self, height: int = 28, width: int = 28, channels: int = 1) -> None:
        if min(height, width) < 1 or channels not in (1, 3):
            raise UsageError(
                "codec 'image': height and width start at 1, channels are 1 (grey) or 3 (colour)"
            )
        self.height, self.width, self.channels = height, width, channels

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W), or (H, W, 3)."""
        return (
            (self.height, self.width)
            if self.channels == 1
            else (self.height, self.width, self.channels)
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""
        return np.dtype(np.uint8)

    def config(self) -> dict[str, Any]:
        """Return plain data from which an equal codec is built."""
        return {
            "kind": self.kind,
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
        }

    def smaller(self, factor: int) -> ImageCodec:
        """Return the codec of pictures shrunk by a whole factor.

        Raises:
            UsageError: if the size cannot be divided by it.
        """
        if self.height % factor or self.width % factor:
            raise UsageError(
                f"pictures of {self.width} x {self.height} cannot be shrunk by {factor} without a "
                "rest"
            )
        return ImageCodec(self.height // factor, self.width // factor, self.channels)

    def encode(self, pictures: NDArray[Any]) -> NDArray[np.uint8]:
        """Bring pictures of any size to the model's: resized (bicubic, antialiased), colour to grey
        or grey to colour.

        Shapes are kept: of a picture that is wider or higher than the model's an empty border is
        cut off, and where that is not enough the shorter sides get more of it (:func:`fitted`).

        Args:
            pictures: [N, h, w] or [N, h, w, 3], uint8 or floats 0..1.

        Returns:
            uint8 [N, H, W] or [N, H, W, 3].
        """
        from PIL import Image

        bytes_ = as_bytes(pictures)
        if bytes_.shape[1:] == self.shape:
            return bytes_
        mode = "L" if self.channels == 1 else "RGB"
        size = (self.width, self.height)
        rows = []
        for picture in bytes_:
            image = Image.fromarray(picture).convert(mode)
            if image.size != size:
                image = fitted(image, *size).resize(size, Image.Resampling.BICUBIC)
            rows.append(np.asarray(image))
        return np.stack(rows) if rows else np.zeros((0, *self.shape), np.uint8)

    def recoloured(self, pictures: NDArray[Any]) -> NDArray[np.uint8]:
        """Bring pictures [N, h, w] or [N, h, w, 3] to the model's grey or colour in their own size,
        as bytes.
        """
        return ImageCodec(pictures.shape[1], pictures.shape[2], self.channels).encode(pictures)

    def decode(self, windows: NDArray[Any]) -> NDArray[np.uint8]:
        """Return pictures as bytes, from brightness 0..1 (or bytes)."""
        return as_bytes(windows)


def fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return a picture in the proportions of ``width`` to ``height``, nothing in it stretched.

    Rows or columns of the border's colour are cut off, about evenly, as far as nothing else is lost
    and the proportions ask for it; what is then still too wide or too high is filled up with that
    colour.
    """
    from PIL import Image

    own_width, own_height = image.size
    # Where the proportions differ by less than a pixel of the model there is nothing to mend.
    if abs(own_width * height - own_height * width) <= max(own_width, own_height):
        return image
    border = _border(image)
    left, top, right, bottom = _content(image, border)
    if own_width * height > own_height * width:
        keep = max(-(-own_height * width // height), right - left)
        left, right = _span(own_width, keep, left, right)
        box = (left, 0, right, own_height)
    else:
        keep = max(-(-own_width * height // width), bottom - top)
        top, bottom = _span(own_height, keep, top, bottom)
        box = (0, top, own_width, bottom)
    cut = image.crop(box)
    full = (
        max(cut.width, -(-cut.height * width // height)),
        max(cut.height, -(-cut.width * height // width)),
    )
    if full == cut.size:
        return cut
    whole = Image.new(image.mode, full, border)
    whole.paste(cut, ((full[0] - cut.width) // 2, (full[1] - cut.height) // 2))
    return whole


def _border(image: Image.Image) -> Any:
    """Return the colour of a picture's border: the median of its outermost pixels."""
    pixels = np.asarray(image)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colour = np.median(edge, axis=0).astype(int)
    return int(colour) if colour.ndim == 0 else tuple(colour.tolist())


def _content(image: Image.Image, border: Any) -> tuple[int, int, int, int]:
    """Return the box (left, top, right, bottom) outside of which all is as the border, nearly; the
    middle where that is all.
    """
    from PIL import Image, ImageChops

    far = ImageChops.difference(image, Image.new(image.mode, image.size, border))
    box = far.point(lambda value: 255 * (value > _NEAR)).getbbox()
    middle = image.width // 2, image.height // 2
    return box or (*middle, *middle)


def _span(size: int, keep: int, first: int, last: int) -> tuple[int, int]:
    """Return where ``keep`` of ``size`` pixels lie: in the middle, or as near to it as still holds
    the content from ``first`` to ``last``.
    """
    start = min(max((size - keep) // 2, last - keep), first)
    start = min(max(start, 0), size - keep)
    return start, start + keep


def as_bytes(pictures: NDArray[Any]) -> NDArray[np.uint8]:
    """Return brightness as uint8: bytes as they are, floats 0..1 times 255, rounded."""
    if pictures.dtype == np.uint8:
        return pictures
    scaled: NDArray[np.uint8] = np.rint(np.clip(pictures, 0, 1) * 255).astype(np.uint8)
    return scaled
