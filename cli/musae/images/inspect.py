"""``musae inspect`` of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from musae.images.files import (
    Input,
    PictureModel,
    changes,
    picture_model,
    read_input,
)
from musae.job import Job
from musae.outputs import each
from musae.words import counted


def inspect(job: Job, files: tuple[str, ...]) -> int:
    """Say what picture files hold and what the model would do to it."""
    name, console, model = job.model, job.console, picture_model(job.handle)
    found: list[dict[str, Any]] = []

    def look(file: str) -> None:
        report = _examine(read_input(file), model)
        found.append(report)
        sizes = " and ".join(
            f"{counted(size['pictures'], 'picture')} of {size['width']} x {size['height']}, "
            f"{size['colours']}"
            for size in report["sizes"]
        )
        labels = report["labels"]
        lines = [f"{file}: {sizes}", f"  {name}: {report['use']}"]
        if labels:
            lines.insert(
                1, "  labels " + ", ".join(f"{label}: {count:,}" for label, count in labels.items())
            )
        console.answer("\n".join(lines))

    code = each(files, look, console.error, nothing="see above")
    console.document({"model": name, "files": found})
    return code


def _examine(found: Input, model: PictureModel) -> dict[str, Any]:
    sizes = [
        {
            "pictures": len(group),
            "width": group.images.shape[2],
            "height": group.images.shape[1],
            "colours": "grey" if group.images.ndim == 3 else "colour",
        }
        for group in found.groups
    ]
    labels = (
        {}
        if found.labels is None
        else dict(zip(*np.unique(found.labels, return_counts=True), strict=True))
    )
    return {
        "file": found.name,
        "pictures": len(found),
        "sizes": sizes,
        "labels": {int(label): int(count) for label, count in labels.items()},
        "use": "; ".join(_use(found, model)),
    }


def _use(found: Input, model: PictureModel) -> list[str]:
    """Say what the model would do."""
    said = [changes(found, model) or "takes them as they are"]
    seen, made = model.seen, model.made
    if seen.shape != made.shape:
        smaller = all(
            group.images.shape[1] < made.height or group.images.shape[2] < made.width
            for group in found.groups
        )
        first = "" if smaller else f"shrinks to {seen.width} x {seen.height}, then "
        said.append(f"{first}enlarges to {made.width} x {made.height}")
    if model.classes and found.labels is None:
        said.append(f"wants a label for each: --label 0 to {model.classes - 1}")
    return said
