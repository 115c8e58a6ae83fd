"""``musae encode`` and ``musae decode`` of images.

Letters in shapes: N images, H W pixels, Z latent size.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musae.images.files import (
    Input,
    PictureModel,
    known,
    labels_for,
    npz_bytes,
    origin,
    read_fitting,
    split_index,
    target_of,
)
from musae.job import Job
from musae.latents import read_latents
from musae.outputs import check_files, each, shortened, write_together
from musae.words import counted
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.files import atomic_output

if TYPE_CHECKING:
    from musae.verbs.latents import DecodeRequest, EncodeRequest
    from musicvae_lite.images.session import ImageSession

_MAX_STEM = 120  # bytes of each name in A__B.png


def encode(job: Job, request: EncodeRequest) -> int:
    """Write the codes of pictures as arrays."""
    files, model = request.files, known(job)
    path = Path(str(job.output))
    check_files([path], job.overwrite, [split_index(name)[0] for name in files])
    inputs: list[Input] = []
    code = each(
        files, lambda name: inputs.append(read_fitting(job, name, model)), job.console.error
    )
    from musicvae_lite.images.session import ImageSession

    session = job.load(ImageSession)
    tables = [_codes(session, found, labels_for(found, model, job.label)) for found in inputs]
    arrays = {key: np.concatenate([table[key] for table in tables]) for key in tables[0]}
    if (arrays["label"] < 0).all():
        del arrays["label"]
    with atomic_output(path, job.overwrite) as part:
        part.write_bytes(npz_bytes({**arrays, "model": np.array(job.model)}))
    count = len(arrays["mean"])
    of = f"{counted(count, 'picture')} of {counted(len(inputs), 'file')}"
    job.console.show(f"wrote {path}: {of}, {session.latent_size} numbers each")
    listed = [{"file": found.name, "pictures": len(found)} for found in inputs]
    job.console.document(
        {
            "model": job.model,
            "files": listed,
            "pictures": count,
            "latent_size": session.latent_size,
            "output": str(path),
        }
    )
    return max(code, 1 if job.console.failures else 0)


def _codes(
    session: ImageSession, found: Input, labels: NDArray[np.int64] | None
) -> dict[str, NDArray[Any]]:
    """Return the rows of one input: mean and scale [N, Z], source, index and label [N]."""
    seen = found.in_order([session.prepare(group.images) for group in found.groups])
    mean, scale = session.encode_windows(seen, condition=labels)
    known = labels if labels is not None else found.labels
    return {
        "mean": mean,
        "scale": scale,
        **origin(found),
        "label": np.full(len(found), -1) if known is None else known,
    }


def decode(job: Job, request: DecodeRequest) -> None:
    """Turn codes back into pictures."""
    latents, model = request.latents, known(job)
    table = read_latents(Path(latents))
    names = [""] * len(table.mean)
    for stem, rows in table.groups():
        own = _own_names(table.index[rows])
        for row, name in zip(rows.tolist(), own, strict=True):
            names[row] = f"{stem}-{name}" if len(rows) > 1 else stem
    target = target_of(
        job.output or f"{shortened(Path(latents).stem, _MAX_STEM)}.decoded.png",
        names,
        job.overwrite,
        [latents],
    )
    labels = _labels_of(latents, table.label, model, job.label)
    table.warn_of_other(job, latents)
    from musicvae_lite.images.session import ImageSession

    pictures = job.load(ImageSession).decode_windows(table.mean, condition=labels)
    more = {"source": table.source, "index": table.index} if (table.index >= 0).all() else {}
    write_together(
        target.files(pictures, None, {**more, **({} if labels is None else {"labels": labels})}),
        job.overwrite,
    )
    job.console.show(f"wrote {target.shown}: {counted(len(pictures), 'picture')}")
    outputs = [str(path) for path in target.paths]
    job.console.document(
        {
            "model": job.model,
            "input": latents,
            "pictures": len(pictures),
            "outputs": outputs,
            "seed": job.seed,
        }
    )


def _own_names(index: NDArray[np.int64]) -> list[str]:
    """Return numbers for the pictures of one source: their places in it, or one after another where
    those are not known.
    """
    known = bool((index >= 0).all()) and len(np.unique(index)) == len(index)
    numbers = index if known else np.arange(len(index))
    digits = max(2, len(str(int(numbers.max()))))
    return [f"{number:0{digits}}" for number in numbers.tolist()]


def _labels_of(
    name: str, labels: NDArray[np.int64], model: PictureModel, label: int | None
) -> NDArray[np.int64] | None:
    """Return the class of each code for a conditional model."""
    if not model.classes:
        return None
    if label is not None:
        return np.full(len(labels), label)
    last = model.classes - 1
    if labels.min() < 0 or labels.max() > last:
        raise UsageError(
            f"{name}: has no 'label' from 0 to {last} for each row; give --label for {model.name}"
        )
    return labels
