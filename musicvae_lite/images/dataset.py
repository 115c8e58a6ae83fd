"""Pictures: MNIST, scikit-learn's digits or a user's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.config import ImageCodecSettings, ImageModel, RunConfig
from musicvae_lite.core.autoencoder import Autoencoder, Batch
from musicvae_lite.core.dataset import Dataset, Measured
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.images.codec import ImageCodec
from musicvae_lite.images.data.other_pictures import other_kinds
from musicvae_lite.images.data.pictures import PictureBatches, PictureCorpus, Split, open_pictures
from musicvae_lite.images.evaluate.pictures import BATCH, evaluate_pictures
from musicvae_lite.plotting import tile

_SHOWN = 12


class ImageDataset(Dataset):
    """One corpus of pictures; its test part (official where there is one) is held out."""

    unit = "pictures"

    def __init__(self, corpus: PictureCorpus, config: RunConfig) -> None:
        codec, model = config.codec, config.model
        if not isinstance(model, ImageModel) or not isinstance(codec, ImageCodecSettings):
            raise UsageError(f"{config.name} is no model of pictures")
        self.codec = ImageCodec(codec.height, codec.width, codec.channels)
        self.corpus, self.corrupt, self.classes = corpus, config.data.corrupt, model.classes
        self.held_out = bool(len(corpus.test))
        test = corpus.test if self.held_out else corpus.train
        self.valid = test.take(np.arange(min(len(test), config.training.valid_windows)))
        self.fingerprints = [corpus.fingerprint]
        self.sources = [
            {"name": corpus.name, "windows": len(corpus.train), "rights": corpus.rights}
        ]
        if corpus.resized:
            self.notice = (
                f"{corpus.name}: the pictures are resized to {codec.width} x {codec.height}"
            )
        self._on_device: dict[tuple[Split, torch.device], PictureBatches] = {}
        self.on_device(
            self.valid, torch.device("cpu")
        )  # what does not fit is told now, not after hours

    @classmethod
    def open(cls, config: RunConfig, sources: Sequence[str | Path]) -> ImageDataset:
        """Open one source, or the run's own where none is named.

        Raises:
            UsageError: none or several are named, or it does not fit the run.
            MusaeError: a damaged one, or one without training pictures.
        """
        if len(sources) > 1:
            raise UsageError(
                "a model of pictures learns from one source; name one folder or file with --data"
            )
        if not sources and config.data.source is None:
            raise UsageError(
                f"{config.name} needs pictures: a folder, an .npz or IDX files, with --data"
            )
        codec = ImageCodec(**config.codec.model_dump(exclude={"kind"}))
        corpus = open_pictures(
            sources[0] if sources else str(config.data.source), codec, config.data.pieces
        )
        if not len(corpus.train):
            raise MusaeError(f"{corpus.name}: holds no pictures to learn from")
        return cls(corpus, config)

    def __len__(self) -> int:
        return len(self.corpus.train)

    def batches(
        self, device: torch.device, size: int, seed: int, epoch: int, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """Yield the pictures of one epoch, corrupted as the run says; see
        :meth:`Dataset.batches`.
        """
        return self.on_device(self.corpus.train, device).shuffled(size, seed, epoch, rank, world)

    def measure(self, model: Autoencoder, seed: int) -> Measured:
        """Measure on held-out pictures.

        See :class:`musicvae_lite.images.evaluate.pictures.PictureMeasures`.
        """
        held_out = self.on_device(self.valid, next(model.parameters()).device)
        measures = evaluate_pictures(model, held_out.in_order(BATCH, seed), seed)
        return Measured(measures.as_dict(), measures.nll_nats, measures.kl_bits)

    @torch.inference_mode()
    def picture(self, model: Autoencoder) -> NDArray[np.float64]:
        """Show rows of input, output and target."""
        few = PictureBatches(
            self.valid.take(np.arange(min(_SHOWN, len(self.valid)))),
            _device(model),
            self.corrupt,
            self.classes,
        )
        batch = next(few.in_order(_SHOWN, 0))
        output = model.predict(model.encode(batch).latent.mean, batch)
        return tile(
            [planes.permute(0, 2, 3, 1).cpu().numpy() for planes in (batch.x, output, batch.target)]
        )

    def other_kinds(self, split: Split) -> dict[str, Split]:
        """Return pictures of other kinds, made from a split.

        See :func:`musicvae_lite.images.data.other_pictures.other_kinds`.

        A conditional model is told a class, which letters do not have.
        """
        kinds = other_kinds(split, self.codec)
        return {
            name: kind
            for name, kind in kinds.items()
            if not self.classes or kind.labels is not None
        }

    def on_device(self, split: Split, device: torch.device) -> PictureBatches:
        """Return the batches of a split, corrupted as the run says.

        They are kept on the device from their first use on.
        """
        key = split, device  # splits are compared as objects
        if key not in self._on_device:
            self._on_device[key] = PictureBatches(split, device, self.corrupt, self.classes)
        return self._on_device[key]


def _device(model: Autoencoder) -> torch.device:
    return next(model.parameters()).device
