"""How good a model of images is on images that it has not seen."""

from __future__ import annotations

from typing import Any

import torch

from musicvae_lite.core.autoencoder import Autoencoder
from musicvae_lite.core.errors import NothingUsableError
from musicvae_lite.core.evaluation import EvalRequest, Evaluation, Split, part_name, spread
from musicvae_lite.images.data.pictures import Split as Pictures
from musicvae_lite.images.dataset import ImageDataset
from musicvae_lite.images.evaluate.codes import against_components, neighbour_accuracy
from musicvae_lite.images.evaluate.pictures import (
    BATCH,
    PictureMeasures,
    codes_of,
    evaluate_pictures,
)
from musicvae_lite.model_dir.bundle import load_bundle
from musicvae_lite.model_dir.handle import Handle


def evaluate_images(handle: Handle, request: EvalRequest) -> Evaluation:
    """Measure a model of images; see :func:`musicvae_lite.evaluation.evaluate`."""
    description, split, limit = handle.description, request.split, request.limit
    device, seed = request.device, request.seed
    config = description.config
    material = ImageDataset.open(config, request.sources)
    corpus = material.corpus
    chosen: Split = split
    if split == "auto":
        trained_on = corpus.fingerprint in description.provenance.get("corpora", [])
        chosen = "valid" if corpus.divided or trained_on else "all"
    if chosen == "all":
        part = corpus.everything()
    else:
        part = corpus.test if part_name(chosen) == "valid" else corpus.train
    part = part.take(spread(len(part), limit))
    if not len(part):
        raise NothingUsableError(
            f"{corpus.name}: holds no pictures for the split {chosen!r}; try --split all"
        )
    model = load_bundle(description, device).model

    def measure(pictures: Pictures) -> PictureMeasures:
        return evaluate_pictures(
            model, material.on_device(pictures, device).in_order(BATCH, seed), seed
        )

    measures = measure(part)
    if not request.claims:
        return Evaluation(chosen, measures)
    others = {name: measure(kind).as_dict() for name, kind in material.other_kinds(part).items()}
    # Among the pictures that codes are compared with a picture would find itself.
    unseen = part if chosen == "valid" else corpus.test.take(spread(len(corpus.test), limit))
    return Evaluation(
        chosen, measures, _codes(model, material, unseen, device) if len(unseen) else {}, others
    )


def _codes(
    model: Autoencoder, material: ImageDataset, part: Pictures, device: torch.device
) -> dict[str, Any]:
    """Look at the codes as embeddings, where the input is the picture itself."""
    if material.corrupt is not None:
        return {}
    train = material.corpus.train
    found = against_components(
        model.latent_size, train.images, train.labels, part.images, part.labels
    )
    if train.labels is not None and part.labels is not None:
        codes, test_codes = (
            codes_of(model, material.on_device(pictures, device)) for pictures in (train, part)
        )
        found = {
            "neighbour_accuracy": neighbour_accuracy(codes, train.labels, test_codes, part.labels),
            **found,
        }
    return found
