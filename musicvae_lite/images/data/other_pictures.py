"""Pictures of another kind than a model was trained on, to see how much it depends on the kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.images.codec import ImageCodec
from musicvae_lite.images.data.pictures import Split

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FONTS = ("DejaVuSans", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSansMono")


def other_kinds(split: Split, codec: ImageCodec) -> dict[str, Split]:
    """Return pictures of other kinds: the given ones ``inverted`` and ``rotated`` by a quarter, and
    ``letters`` drawn anew.

    Letters are drawn for grey pictures alone; of a picture that is no square no rotated one is
    made.
    """
    images = split.images
    kinds = {"inverted": Split(255 - images, split.labels)}
    if codec.height == codec.width:
        kinds["rotated"] = Split(np.rot90(images, axes=(1, 2)).copy(), split.labels)
    if codec.channels == 1:
        kinds["letters"] = Split(draw_letters(codec), None)
    return kinds


def draw_letters(codec: ImageCodec) -> NDArray[np.uint8]:
    """Draw A to Z, white on black, in five typefaces as large as digits are in MNIST (20 of 28
    pixels): uint8 [130, H, W].
    """
    from PIL import Image, ImageDraw, ImageFont

    pictures = []
    for name in _FONTS:
        font = ImageFont.truetype(str(_font_folder() / f"{name}.ttf"), 112)
        for letter in _LETTERS:
            image = Image.new("L", (112, 112))  # four times the size, for smooth edges
            ImageDraw.Draw(image).text((56, 56), letter, fill=255, font=font, anchor="mm")
            left, upper, right, lower = image.getbbox() or (0, 0, 112, 112)
            scale = 80 / max(right - left, lower - upper)
            size = (max(1, round((right - left) * scale)), max(1, round((lower - upper) * scale)))
            letter_image = image.crop((left, upper, right, lower)).resize(
                size, Image.Resampling.BICUBIC
            )
            canvas = Image.new("L", (112, 112))
            canvas.paste(letter_image, ((112 - size[0]) // 2, (112 - size[1]) // 2))
            pictures.append(
                np.asarray(canvas.resize((codec.width, codec.height), Image.Resampling.BICUBIC))
            )
    return np.stack(pictures)


def _font_folder() -> Path:
    """Return where matplotlib keeps the typefaces that come with it."""
    import matplotlib

    return Path(matplotlib.get_data_path(), "fonts", "ttf")
