"""``musae sample`` of images: draws from the prior, or what is similar to an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from musae.images.files import (
    known,
    one_label,
    single,
    target_of,
)
from musae.job import Job
from musae.outputs import write_together
from musae.words import counted

if TYPE_CHECKING:
    from musae.verbs.sample import Request

_COUNT = 25


def sample(job: Job, request: Request) -> None:
    """Draw new pictures from the prior, or pictures that are like one."""
    count, like, similarity = request.count or _COUNT, request.like, request.similarity
    model = known(job)
    digits = max(2, len(str(count)))
    names = [f"sample-{number:0{digits}}" for number in range(1, count + 1)]
    target = target_of(
        job.output or "samples.png", names, job.overwrite, [] if like is None else [like]
    )
    found = None if like is None else single(job, like, model)
    label = job.label if found is None else one_label([found], model, job.label)
    from musicvae_lite.images.session import ImageSession

    session = job.load(ImageSession)
    columns, labels = None, None
    if model.classes:
        labels = np.arange(count) % model.classes if label is None else np.full(count, label)
        columns = min(count, model.classes) if label is None else None
    if found is None:
        pictures = session.sample(count, condition=labels)
    else:
        pictures = session.similar(found.groups[0].images[0], similarity, count, condition=label)
    write_together(
        target.files(pictures, columns, {} if labels is None else {"labels": labels}), job.overwrite
    )
    turns = (
        f"; labels 0 to {model.classes - 1} in turn" if labels is not None and label is None else ""
    )
    said = "" if like is None else f", like {like} (similarity {similarity:g})"
    job.console.show(f"wrote {target.shown}: {counted(count, 'picture')}{said}{turns}")
    facts: dict[str, Any] = {} if labels is None else {"labels": labels.tolist()}
    if like is not None:
        facts |= {"like": {"file": like}, "similarity": similarity}
    outputs = [str(path) for path in target.paths]
    job.console.document(
        {"model": job.model, "count": count, "seed": job.seed, **facts, "outputs": outputs}
    )
