"""Pictures of one size as arrays of brightness."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.codec import Codec
from musicvae_lite.core.errors import UsageError


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
            rows.append(
                np.asarray(
                    image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)
                )
            )
        return np.stack(rows) if rows else np.zeros((0, *self.shape), np.uint8)

    def recoloured(self, pictures: NDArray[Any]) -> NDArray[np.uint8]:
        """Bring pictures [N, h, w] or [N, h, w, 3] to the model's grey or colour in their own size,
        as bytes.
        """
        return ImageCodec(pictures.shape[1], pictures.shape[2], self.channels).encode(pictures)

    def decode(self, windows: NDArray[Any]) -> NDArray[np.uint8]:
        """Return pictures as bytes, from brightness 0..1 (or bytes)."""
        return as_bytes(windows)


def as_bytes(pictures: NDArray[Any]) -> NDArray[np.uint8]:
    """Return brightness as uint8: bytes as they are, floats 0..1 times 255, rounded."""
    if pictures.dtype == np.uint8:
        return pictures
    scaled: NDArray[np.uint8] = np.rint(np.clip(pictures, 0, 1) * 255).astype(np.uint8)
    return scaled
