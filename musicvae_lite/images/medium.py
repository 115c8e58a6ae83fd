"""Images as a medium: autoencoders of pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from musicvae_lite.core.medium import CardText, Words, misfit

if TYPE_CHECKING:
    from musicvae_lite.config import RunConfig
    from musicvae_lite.core.autoencoder import Autoencoder
    from musicvae_lite.core.codec import Codec
    from musicvae_lite.core.evaluation import EvalRequest, Evaluation
    from musicvae_lite.images.dataset import ImageDataset
    from musicvae_lite.images.session import ImageSession
    from musicvae_lite.model_dir.bundle import Bundle
    from musicvae_lite.model_dir.handle import Handle
    from musicvae_lite.model_dir.onnx import Export


class Images:
    """Pictures in, pictures out. See :class:`musicvae_lite.core.medium.Medium`."""

    name = "images"
    words = Words("pictures", "pictures", "a picture", "mnist-vae")
    suffixes = (".png", ".jpg", ".jpeg", ".npz", ".gz", ".bmp", ".tif", ".tiff", ".webp")

    def model(self, config: RunConfig, codec: Codec) -> Autoencoder:
        """Build an autoencoder of images."""
        from musicvae_lite.images.codec import ImageCodec
        from musicvae_lite.images.model import build

        if config.model.kind != "image" or not isinstance(codec, ImageCodec):
            raise misfit(config, codec)
        return build(config.model, codec, config.data.corrupt)

    def dataset(
        self, config: RunConfig, sources: Sequence[str | Path], tell: Callable[[str], None]
    ) -> ImageDataset:
        """Open images: MNIST, digits, folders, files."""
        from musicvae_lite.images.dataset import ImageDataset

        return ImageDataset.open(config, sources)

    def evaluate(self, handle: Handle, request: EvalRequest) -> Evaluation:
        """Measure on images that were held out."""
        from musicvae_lite.images.evaluate.scoring import evaluate_images

        return evaluate_images(handle, request)

    def session(self, bundle: Bundle, name: str, seed: int) -> ImageSession:
        """Return a model ready for use."""
        from musicvae_lite.images.session import ImageSession

        return ImageSession(bundle, name, seed)

    def onnx(self, bundle: Bundle) -> Export:
        """Return the graphs of a model: encoder and decoder."""
        from musicvae_lite.images.export import export

        return export(bundle)

    def card(self, config: RunConfig) -> CardText:
        """Return what a card says of a model of images."""
        from musicvae_lite.images.card import card_text

        return card_text(config)


IMAGES = Images()
