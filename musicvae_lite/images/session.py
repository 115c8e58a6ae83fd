"""Using a trained model of pictures: pictures in, pictures out.

Letters in shapes: N pictures, H W pixels, Z latent size, S steps of a path, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from musicvae_lite.config import NoiseSettings
from musicvae_lite.core.autoencoder import Batch
from musicvae_lite.core.batched import Blocks, Floats, Points
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.geometry import check_similar
from musicvae_lite.core.latent import Latent, grid, interpolate, towards
from musicvae_lite.core.random import Noise
from musicvae_lite.core.validation import seed_of, whole
from musicvae_lite.images.codec import ImageCodec
from musicvae_lite.images.data.pictures import corrupted
from musicvae_lite.images.model import ImageAutoencoder
from musicvae_lite.media.image import checked

if TYPE_CHECKING:
    from musicvae_lite.model_dir.bundle import Bundle

# What a draw is for, mixed into its seed, so that no two kinds of draw see the same numbers.
_PRIOR, _CORRUPTION = 2, 3


class ImageSession:
    """A model of pictures with its codec, on one device.

    Args:
        bundle: the model; it stays on the device where it is.
        name: what messages call it.
        seed: of every draw for which no other seed is given.
    """

    unit = "pictures"

    def __init__(self, bundle: Bundle, name: str, seed: int = 0) -> None:
        if not isinstance(bundle.codec, ImageCodec) or not isinstance(
            bundle.model, ImageAutoencoder
        ):
            raise UsageError(f"{name} is no model of pictures")
        self.bundle, self.name, self.seed = bundle, name, seed_of(seed)
        self.codec, self.model = bundle.codec, bundle.model
        self.prior = bundle.prior
        self.blocks = Blocks(bundle.model, name)
        self.device = self.blocks.device
        self.corrupt = bundle.config.data.corrupt

    def __repr__(self) -> str:
        size = f"{self.codec.width} x {self.codec.height}"
        return (
            f"<ImageSession {self.name}: pictures of {size}, latent size {self.latent_size}, "
            f"{self.device}>"
        )

    @property
    def latent_size(self) -> int:
        """Z."""
        return self.model.latent_size

    @property
    def input_codec(self) -> ImageCodec:
        """The size of picture that the encoder sees: smaller than the output for super-
        resolution.
        """
        if self.corrupt is not None and self.corrupt.kind == "shrink":
            return self.codec.smaller(self.corrupt.factor)
        return self.codec

    @property
    def pieces(self) -> bool:
        """Whether the model was trained on pieces of pictures, and restores pictures of any size
        piece by piece.
        """
        return self.bundle.config.data.pieces

    # Pictures in, pictures out

    def prepare(self, pictures: NDArray[Any]) -> Floats:
        """Return what the encoder sees of pictures, floats 0..1; see :meth:`pair`."""
        return self.pair(pictures)[0]

    def pair(self, pictures: NDArray[Any]) -> tuple[Floats, Floats | None]:
        """Bring pictures to the model's size: what the encoder sees, and what its output is to be
        compared with.

        Both are the same, but for super-resolution: there the encoder sees a copy that is shrunk as
        in training. Pictures that are smaller than the output are what it sees themselves; what
        they should become is not known. A model that was trained on pieces of pictures takes any
        size as it is.

        Args:
            pictures: [N, h, w] or [N, h, w, 3], bytes or floats 0..1; other sizes than the model's
                are resized.

        Returns:
            Two arrays of floats 0..1, [N, H, W] or [N, H, W, 3]; None in place of the second where
            it is not known.

        Raises:
            UsageError: another shape.
            MusaeError: another type, or numbers that are no brightness.
        """
        array = np.asarray(pictures)
        if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] != 3):
            raise UsageError(
                f"pictures are [N, H, W] or [N, H, W, 3]; these are {list(array.shape)}"
            )
        array = checked(array, "the array of pictures") if array.size else array
        seen, whole = self.input_codec, self.codec
        if self.pieces:
            return _unit(whole.recoloured(array)), None
        if seen.shape == whole.shape:
            resized = _resized(array, whole)
            return resized, resized
        if array.shape[1] < whole.height or array.shape[2] < whole.width:
            return _resized(array, seen), None
        target = _resized(array, whole)
        return _from_planes(corrupted(_to_planes(target), self.corrupt, Noise(0))), target

    def add_noise(
        self, pictures: Floats, sd: float, mean: float | None = None, seed: int | None = None
    ) -> Floats:
        """Return pictures [N, H, W] or [N, H, W, 3] with normal noise, cut to 0..1.

        ``mean`` as in the model's training.

        Picture i gets the same noise however many there are.
        """
        if mean is None:
            mean = (
                self.corrupt.mean
                if self.corrupt is not None and self.corrupt.kind == "noise"
                else 0.5
            )
        draws = seed_of(seed, self.seed)
        planes = _to_planes(pictures)
        settings = NoiseSettings(mean=mean, sd=sd)
        rows = [
            corrupted(row[None], settings, Noise(draws, _CORRUPTION, index))
            for index, row in enumerate(planes)
        ]
        return _from_planes(torch.cat(rows)) if rows else pictures

    def reconstruct(self, pictures: NDArray[Any], condition: NDArray[Any] | None = None) -> Floats:
        """Return what the model makes of pictures: reconstructed, cleaned or enlarged, as it was
        trained; floats 0..1.

        Args:
            pictures: see :meth:`prepare`.
            condition: class of each picture [N], for a conditional model.

        Returns:
            [N, H, W] or [N, H, W, 3].
        """
        return self.restore_windows(self.prepare(pictures), condition)

    def interpolate(
        self,
        a: NDArray[Any],
        b: NDArray[Any],
        steps: int = 9,
        path: Literal["slerp", "lerp"] | None = None,
        condition: int | None = None,
    ) -> tuple[Floats, Floats]:
        """Go from picture ``a`` [h, w] (or [h, w, 3]) to ``b`` in ``steps`` steps, along the
        posterior means.

        ``path`` is by default the great circle for a variational model, whose codes lie about a
        sphere, and a straight line for another.

        Returns:
            Points [S, Z] and pictures [S, H, W] or [S, H, W, 3].

        Raises:
            UsageError: too few steps.
        """
        steps = whole(steps, 2, f"an interpolation has at least 2 steps, not {steps}")
        mean = self._means([a, b], condition)
        return self._decoded(interpolate(mean[0], mean[1], steps, path or self.path), condition)

    def grid(
        self,
        corners: Sequence[NDArray[Any]],
        size: int = 5,
        path: Literal["slerp", "lerp"] | None = None,
        condition: int | None = None,
    ) -> tuple[Floats, Floats]:
        """Fill a grid of ``size`` x ``size`` pictures between four, along the posterior means.

        Corners are top left, top right, bottom left, bottom right, each [h, w] or [h, w, 3]; see
        :func:`musicvae_lite.core.latent.grid`, and :meth:`interpolate` for the other arguments.

        Returns:
            Points [S, Z] and pictures [S, H, W] or [S, H, W, 3], S = size * size, row by row.

        Raises:
            UsageError: not four pictures, or too small a grid.
        """
        told = (
            f"a grid has 4 corners and at least 2 rows and columns, not {len(corners)} and {size}"
        )
        size = whole(size, 2, told)
        if len(corners) != 4:
            raise UsageError(told)
        return self._decoded(
            grid(self._means(corners, condition), size, size, path or self.path).flatten(0, 1),
            condition,
        )

    def similar(
        self,
        picture: NDArray[Any],
        similarity: float,
        count: int = 1,
        seed: int | None = None,
        condition: int | None = None,
    ) -> Floats:
        """Draw pictures that are like ``picture`` [h, w] or [h, w, 3].

        Each is at the fraction ``similarity`` of the great circle from a draw from the prior to the
        picture's posterior mean: 1 is the mean itself, 0 has nothing to do with it (what
        :meth:`sample` draws with the same seed).

        Raises:
            UsageError: a similarity or count out of range, or a model whose codes follow no prior.
        """
        check_similar(similarity, count)
        draws = self._draws(count, seed_of(seed, self.seed))
        return self._decoded(
            towards(draws, self._means([picture], condition)[0], similarity), condition
        )[1]

    def _means(self, pictures: Sequence[NDArray[Any]], condition: int | None) -> Tensor:
        """Return the posterior means [N, Z] of pictures of any sizes."""
        rows = np.concatenate([self.prepare(np.asarray(picture)[None]) for picture in pictures])
        mean, _ = self.encode_windows(
            rows, condition=None if condition is None else np.full(len(rows), condition)
        )
        return torch.from_numpy(mean)

    def _decoded(self, latents: Tensor, condition: int | None) -> tuple[Floats, Floats]:
        """Return points [S, Z] and what they decode to, all of one class."""
        points = latents.numpy()
        return points, self.decode_windows(
            points, condition=None if condition is None else np.full(len(points), condition)
        )

    def _draws(self, count: int, seed: int) -> Tensor:
        """Return draws from the prior [N, Z]; draw i is the same for every ``count`` above i.

        Raises:
            UsageError: a model whose codes follow no prior.
        """
        if not self.has_prior:
            raise UsageError(
                f"{self.name} is a plain autoencoder: its codes follow no prior to draw from; use "
                "a variational model"
            )
        noise = Noise(seed, _PRIOR)
        return torch.cat([self.prior.sample(1, noise) for _ in range(count)])

    @property
    def has_prior(self) -> bool:
        """Whether codes follow a normal distribution that can be drawn from."""
        model = self.bundle.config.model
        return model.kind == "image" and (model.variational or model.adversary is not None)

    @property
    def path(self) -> Literal["slerp", "lerp"]:
        """The way between two codes where none is asked for: a great circle only where codes lie
        about a sphere.
        """
        return "slerp" if self.has_prior else "lerp"

    def encode(self, pictures: NDArray[Any], condition: NDArray[Any] | None = None) -> Latent:
        """Return the posterior of pictures, mean [N, Z]."""
        mean, scale = self.encode_windows(self.prepare(pictures), condition=condition)
        return Latent(
            torch.from_numpy(mean),
            torch.from_numpy(scale).clamp_min(1e-38).log() if self.has_prior else None,
        )

    def decode(self, z: Points, condition: NDArray[Any] | None = None) -> Floats:
        """Return points [Z] or [N, Z] as pictures; see :meth:`decode_windows`."""
        return self.decode_windows(z, condition=condition)

    def sample(
        self, count: int = 1, seed: int | None = None, condition: NDArray[Any] | None = None
    ) -> Floats:
        """Draw pictures from the prior: picture i is the same for every ``count`` above i.

        Raises:
            UsageError: a count below 1, or a model whose codes follow no prior.
        """
        count = whole(count, 1, f"count is {count}; at least 1 picture can be drawn")
        z = self._draws(count, seed_of(seed, self.seed)).numpy()
        return self.decode_windows(z, condition=condition)

    # Arrays in, arrays out

    def encode_windows(
        self, windows: NDArray[Any], lengths: None = None, condition: NDArray[Any] | None = None
    ) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of each picture's posterior, float32 [N, Z] each.

        Zeros for a plain code.

        Args:
            windows: what the encoder sees, floats 0..1 (or bytes) [N, H, W] or [N, H, W, 3].
            lengths: not used; pictures have no length.
            condition: class of each picture [N], or one-hot [N, K].

        Raises:
            UsageError: if a shape or a value does not fit the model.
        """
        x = self._seen(windows)

        def block(start: int, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
            latent = self.model.encode(Batch(x, x, condition=condition)).latent
            return latent.mean, latent.scale

        arrays: dict[str, NDArray[Any] | None] = {
            "x": x,
            "condition": self._classes(condition, len(x)),
        }
        mean, scale = self.blocks.run(block, len(x), arrays, [(self.latent_size,)] * 2)
        return mean, scale

    def decode_windows(
        self,
        z: Points,
        temperature: float = 0.0,
        condition: NDArray[Any] | None = None,
        seed: int | None = None,
    ) -> Floats:
        """Return the pictures that are expected at points [N, Z], floats 0..1 [N, H, W] or [N, H,
        W, 3].

        ``temperature`` and ``seed`` have no effect: pixels are not drawn.

        Raises:
            UsageError: if a shape or a value does not fit the model, or its codes alone make no
                picture.
        """
        if self.model.residual:
            raise UsageError(
                f"{self.name} adds to the picture that it is given; its codes alone make none"
            )
        points = self.blocks.latents(z)

        def block(start: int, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor]:
            return (self.model.decode(z, condition=condition),)

        arrays: dict[str, NDArray[Any] | None] = {
            "z": points,
            "condition": self._classes(condition, len(points)),
        }
        return self._pictures(self.blocks.run(block, len(points), arrays, [self._planes])[0])

    def restore_windows(
        self, windows: NDArray[Any], condition: NDArray[Any] | None = None
    ) -> Floats:
        """Return what the model makes of what the encoder sees (see :meth:`encode_windows`), at the
        posterior mean.

        A model that was trained on pieces takes pictures of any size [N, h, w] or [N, h, w, 3].
        """
        if self.pieces and np.asarray(windows).shape[1:] != self.input_codec.shape:
            return np.stack([self._by_pieces(picture) for picture in np.asarray(windows)])
        x = self._seen(windows)

        def block(start: int, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor]:
            batch = Batch(x, x, condition=condition)
            return (self.model.predict(self.model.encode(batch).latent.mean, batch),)

        arrays: dict[str, NDArray[Any] | None] = {
            "x": x,
            "condition": self._classes(condition, len(x)),
        }
        return self._pictures(self.blocks.run(block, len(x), arrays, [self._planes])[0])

    def _by_pieces(self, picture: Floats) -> Floats:
        """Restore one picture [h, w] or [h, w, 3] piece by piece.

        A quarter of each piece on every side is context alone.
        """
        size, factor = self.input_codec, self.codec.height // self.input_codec.height
        margins = size.height // 4, size.width // 4
        steps = size.height - 2 * margins[0], size.width - 2 * margins[1]
        counts = [-(-length // step) for length, step in zip(picture.shape, steps, strict=False)]
        around = [
            (margin, margin + count * step - length)
            for margin, count, step, length in zip(
                margins, counts, steps, picture.shape, strict=False
            )
        ]
        padded = np.pad(picture, around + [(0, 0)] * (picture.ndim - 2), mode="edge")
        corners = [
            (row * steps[0], column * steps[1])
            for row in range(counts[0])
            for column in range(counts[1])
        ]
        pieces = np.stack(
            [
                padded[row : row + size.height, column : column + size.width]
                for row, column in corners
            ]
        )
        rows, columns = (
            slice(factor * margin, factor * (margin + step))
            for margin, step in zip(margins, steps, strict=True)
        )
        inner = self.restore_windows(pieces)[:, rows, columns]
        grid = inner.reshape(*counts, *inner.shape[1:]).swapaxes(1, 2)
        whole: Floats = grid.reshape(
            counts[0] * inner.shape[1], counts[1] * inner.shape[2], *inner.shape[3:]
        )
        return whole[: factor * picture.shape[0], : factor * picture.shape[1]]

    @property
    def _planes(self) -> tuple[int, int, int]:
        return self.codec.channels, self.codec.height, self.codec.width

    def _pictures(self, planes: NDArray[Any]) -> Floats:
        return _from_planes(torch.from_numpy(planes))

    def _seen(self, windows: NDArray[Any]) -> Floats:
        """Check what the encoder is to see and return it as planes [N, C, H, W]."""
        array, shape = np.asarray(windows), self.input_codec.shape
        if array.shape[1:] != shape:
            wanted = "N, " + ", ".join(map(str, shape))
            raise UsageError(
                f"{self.name} reads pictures [{wanted}]; these are {list(array.shape)}"
            )
        array = _unit(array)
        if array.size and not (np.isfinite(array).all() and 0 <= array.min() and array.max() <= 1):
            raise UsageError("brightness is 0..1 (or bytes); these pictures have other values")
        return np.ascontiguousarray(_to_planes(array).numpy())

    def _classes(self, condition: NDArray[Any] | None, count: int) -> Floats | None:
        """Return one-hot classes [N, K] of a conditional model."""
        classes = self.model.classes
        if not classes:
            if condition is not None:
                raise UsageError(f"{self.name} is not conditional; it takes no class")
            return None
        if condition is None:
            raise UsageError(f"{self.name} wants the class of each picture, 0 to {classes - 1}")
        array = np.asarray(condition)
        if array.shape == (count, classes):
            return array.astype(np.float32)
        if (
            array.shape != (count,)
            or array.dtype.kind not in "iu"
            or (array.size and not 0 <= array.min() <= array.max() < classes)
        ):
            raise UsageError(
                f"classes are {count} whole numbers from 0 to {classes - 1}; these are "
                f"{array.dtype} {list(array.shape)}"
            )
        one_hot: Floats = (
            F.one_hot(torch.from_numpy(array.astype(np.int64)), classes).float().numpy()
        )
        return one_hot


def _unit(array: NDArray[Any]) -> Floats:
    """Return bytes as floats 0..1, floats as float32."""
    return (
        array.astype(np.float32) / np.float32(255)
        if array.dtype == np.uint8
        else array.astype(np.float32)
    )


def _resized(array: NDArray[Any], codec: ImageCodec) -> Floats:
    """Return pictures as floats of the codec's size; those that have it keep their numbers."""
    return _unit(array if array.shape[1:] == codec.shape else codec.encode(array))


def _to_planes(pictures: Floats) -> Tensor:
    """Return [N, H, W] or [N, H, W, 3] as [N, C, H, W]."""
    tensor = torch.from_numpy(np.ascontiguousarray(pictures))
    return tensor.unsqueeze(1) if tensor.dim() == 3 else tensor.permute(0, 3, 1, 2)


def _from_planes(planes: Tensor) -> Floats:
    """Return [N, C, H, W] as [N, H, W] or [N, H, W, 3]."""
    array: Floats = (
        (planes[:, 0] if planes.shape[1] == 1 else planes.permute(0, 2, 3, 1)).contiguous().numpy()
    )
    return array
