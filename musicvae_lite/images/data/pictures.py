"""Pictures to train on: MNIST, scikit-learn's digits, or a user's own.

Kept whole on the device, drawn in reproducible batches.

Letters in shapes: N pictures, B batch, C channels, H W picture, K classes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.random import Noise
from musicvae_lite.images.codec import ImageCodec
from musicvae_lite.media.arrays import read_arrays
from musicvae_lite.media.image import (
    Pictures,
    checked,
    is_idx,
    read_idx,
    read_labels_beside,
    read_pictures,
)

if TYPE_CHECKING:
    from musicvae_lite.config import Corruption

BUILT_IN = ("mnist", "digits")
_TEST_SHARE = 10  # one picture in so many is held out where the source does not say
_NAMES = {
    "train": ("train-images-idx3-ubyte", "train-images.idx3-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"),
}


@dataclass(frozen=True, eq=False)
class Split:
    """Pictures of the model's size.

    Attributes:
        images: uint8 [N, H, W] or [N, H, W, 3].
        labels: class of each [N], or None.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: NDArray[Any]) -> Split:
        """Return the pictures at ``rows`` (indices or mask)."""
        return Split(self.images[rows], None if self.labels is None else self.labels[rows])


@dataclass(frozen=True, eq=False)
class PictureCorpus:
    """What a run learns from and what it is measured on.

    Attributes:
        train: pictures to learn from.
        test: the official test pictures, or one in ten.
        name: where they came from.
        rights: what is known of their licence.
        resized: whether the source had other sizes than the model.
        divided: whether the source itself says which pictures are for testing.
    """

    train: Split
    test: Split
    name: str
    rights: str = ""
    resized: bool = False
    divided: bool = True

    def everything(self) -> Split:
        """Return the training pictures followed by the test ones."""
        both = self.train.labels is not None and self.test.labels is not None
        labels = (
            np.concatenate([np.asarray(part.labels) for part in (self.train, self.test)])
            if both
            else None
        )
        return Split(np.concatenate([self.train.images, self.test.images]), labels)

    @property
    def fingerprint(self) -> str:
        """Checksum of the training pictures, to tell whether two runs saw the same."""
        return hashlib.sha256(np.ascontiguousarray(self.train.images).tobytes()).hexdigest()[:32]


def open_pictures(
    source: str | os.PathLike[str], codec: ImageCodec, pieces: bool = False
) -> PictureCorpus:
    """Open a source of pictures.

    Args:
        source: ``mnist`` (fetched once), ``digits``, a folder of MNIST's IDX files, an IDX file, a
            NumPy archive (``images``, or ``x_train`` and ``x_test``) or a folder of pictures.
        codec: the size that the model reads; other sizes are resized.
        pieces: cut larger pictures into pieces of that size in place of resizing them.

    Raises:
        UsageError: no such source.
        MusaeError: a damaged or foreign file.
        NothingUsableError: no picture in it.
    """
    text = str(source)
    if text == "mnist" and not os.path.exists(text):
        from musicvae_lite.images.data.download import fetch_mnist

        return _idx_folder(
            fetch_mnist(),
            codec,
            "mnist",
            "no licence stated by its authors (LeCun, Cortes, Burges)",
        )
    if text == "digits" and not os.path.exists(text):
        return _digits(codec)
    path = Path(text)
    if not os.path.exists(path):
        raise UsageError(
            f"{path}: no such file or folder; pictures come from one, or from "
            f"{' or '.join(BUILT_IN)}"
        )
    if os.path.isdir(path) and _idx(path, "train") is not None:
        return _idx_folder(path, codec, path.name)
    if path.name.lower().endswith(".npz"):
        arrays = read_arrays(path)
        if {"x_train", "x_test"} <= arrays.keys():
            return _named_arrays(arrays, path, codec)
    groups = read_pictures(path)
    split, resized = _together(groups, codec, pieces)
    held = np.arange(len(split)) % _TEST_SHARE == _TEST_SHARE - 1
    return PictureCorpus(
        split.take(~held), split.take(held), path.name, resized=resized, divided=False
    )


def _idx(folder: Path, part: str) -> Path | None:
    """Return the IDX file of a part of MNIST in a folder, by any of its usual names."""
    candidates = (folder / (name + end) for name in _NAMES[part] for end in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def _idx_folder(folder: Path, codec: ImageCodec, name: str, rights: str = "") -> PictureCorpus:
    splits = []
    resized = False
    for part in ("train", "test"):
        path = _idx(folder, part)
        if path is None:
            raise MusaeError(f"{folder}: has no {_NAMES[part][0]}[.gz]; MNIST is four files")
        images = read_idx(path)
        if images.ndim != 3 or not is_idx(path):
            raise MusaeError(
                f"{path}: holds {images.ndim}-dimensional data; pictures are [N, H, W]"
            )
        resized |= images.shape[1:] != codec.shape
        splits.append(Split(codec.encode(images), read_labels_beside(path, len(images))))
    return PictureCorpus(splits[0], splits[1], name, rights, resized)


def _digits(codec: ImageCodec) -> PictureCorpus:
    """Open scikit-learn's 1,797 digits of 8 x 8 pixels (of UCI's Optical Recognition set).

    The last fifth is held out.
    """
    from sklearn.datasets import load_digits

    data, labels = load_digits(return_X_y=True)
    images = np.rint(data.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    split = Split(codec.encode(images), labels.astype(np.int64))
    first = np.arange(len(split)) < len(split) * 4 // 5
    rights = "CC BY 4.0 (UCI Optical Recognition of Handwritten Digits, shipped with scikit-learn)"
    return PictureCorpus(
        split.take(first), split.take(~first), "digits", rights, images.shape[1:] != codec.shape
    )


def _named_arrays(arrays: dict[str, NDArray[Any]], path: Path, codec: ImageCodec) -> PictureCorpus:
    splits = []
    resized = False
    for part in ("train", "test"):
        images = checked(arrays[f"x_{part}"], f"{path}: 'x_{part}'")
        labels = arrays.get(f"y_{part}")
        resized |= images.shape[1:] != codec.shape
        splits.append(
            Split(
                codec.encode(images),
                None if labels is None else labels.reshape(len(images)).astype(np.int64),
            )
        )
    return PictureCorpus(splits[0], splits[1], path.name, resized=resized)


def _together(groups: Sequence[Pictures], codec: ImageCodec, pieces: bool) -> tuple[Split, bool]:
    """Bring groups of several sizes to the model's; say whether any had to be resized."""
    images = [
        codec.encode(_pieces(group.images, codec)) if pieces else codec.encode(group.images)
        for group in groups
    ]
    resized = not pieces and any(group.images.shape[1:] != codec.shape for group in groups)
    if pieces or any(group.labels is None for group in groups):
        return Split(np.concatenate(images), None), resized
    return Split(
        np.concatenate(images), np.concatenate([np.asarray(group.labels) for group in groups])
    ), resized


def _pieces(images: NDArray[Any], codec: ImageCodec) -> NDArray[Any]:
    """Cut pictures [N, h, w(, 3)] into pieces of the model's size, from the upper left.

    A smaller one stays as it is.
    """
    height, width = images.shape[1:3]
    rows, columns = height // codec.height, width // codec.width
    if not rows or not columns:
        return images
    cut = images[:, : rows * codec.height, : columns * codec.width]
    parts = cut.reshape(len(images), rows, codec.height, columns, codec.width, *images.shape[3:])
    return parts.swapaxes(2, 3).reshape(-1, codec.height, codec.width, *images.shape[3:])


class PictureBatches:
    """The pictures of one split on one device.

    Args:
        split: the pictures.
        device: where they are kept.
        corrupt: what is done to the input, not to the target.
        classes: size of the one-hot condition; 0 for none.

    Raises:
        UsageError: if a condition is wanted and there are no labels, or a label is out of range.
    """

    def __init__(
        self, split: Split, device: torch.device, corrupt: Corruption | None, classes: int = 0
    ) -> None:
        images = torch.from_numpy(
            np.array(split.images, order="C")
        )  # a copy: what was read from a file cannot be written to
        self.images = (
            (images.unsqueeze(1) if images.dim() == 3 else images.permute(0, 3, 1, 2))
            .contiguous()
            .to(device)
        )
        self.corrupt, self.classes = corrupt, classes
        self.labels: Tensor | None = None
        if classes:
            if split.labels is None:
                raise UsageError("a conditional model needs labels; these pictures have none")
            if len(split) and not 0 <= int(split.labels.min()) <= int(split.labels.max()) < classes:
                raise UsageError(
                    f"labels run from 0 to {classes - 1}; these go up to {split.labels.max()}"
                )
            self.labels = torch.from_numpy(split.labels).to(device)

    def __len__(self) -> int:
        return len(self.images)

    def shuffled(
        self, size: int, seed: int, epoch: int, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """Yield the batches of one epoch in random order, what is left over at the end dropped.

        A function of its arguments.

        Raises:
            MusaeError: if there are fewer pictures than ``size``.
            UsageError: if ``size`` cannot be divided by ``world``.
        """
        if size % world:
            raise UsageError(f"a batch of {size} cannot be divided over {world} processes")
        if len(self) < size:
            count = "1 picture" if len(self) == 1 else f"{len(self)} pictures"
            raise MusaeError(
                f"to learn from there are {count}, fewer than one batch of {size}; set "
                "training.batch_size"
            )
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
        order = torch.from_numpy(generator.permutation(len(self))).to(self.images.device)
        share = size // world
        for index, start in enumerate(range(rank * share, len(self) - len(self) % size, size)):
            noise = Noise(seed, epoch, index, rank=rank, world=world, device=self.images.device)
            yield self._batch(order[start : start + share], noise)

    def in_order(self, size: int, seed: int) -> Iterator[Batch]:
        """Yield all pictures in order.

        The corruption depends on ``seed`` and the place of the picture's batch alone.
        """
        for start in range(0, len(self), size):
            rows = torch.arange(start, min(start + size, len(self)), device=self.images.device)
            yield self._batch(rows, Noise(seed, start, device=self.images.device))

    def _batch(self, rows: Tensor, noise: Noise) -> Batch:
        target = self.images.index_select(0, rows).float().div_(255)
        condition = (
            None if self.labels is None else F.one_hot(self.labels[rows], self.classes).float()
        )
        return Batch(corrupted(target, self.corrupt, noise), target, condition=condition)


def corrupted(pictures: Tensor, settings: Corruption | None, noise: Noise) -> Tensor:
    """Return what the encoder sees of clean pictures [B, C, H, W] in 0..1.

    Noise: [B, C, H, W], the sum cut to 0..1. Shrinking: [B, C, H / factor, W / factor], means of
    squares.
    """
    if settings is None:
        return pictures
    if settings.kind == "shrink":
        return F.avg_pool2d(pictures, settings.factor)
    drawn = noise.normal(pictures.shape, pictures.device)
    return drawn.mul_(settings.sd).add_(settings.mean).add_(pictures).clamp_(0, 1)
