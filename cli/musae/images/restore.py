"""``musae reconstruct`` and ``musae denoise`` where the model is one of pictures.

Letters in shapes: N pictures, H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musae.images.files import (
    Floats,
    Input,
    Target,
    decibels_of,
    form_of,
    known,
    labels_for,
    mean_squared_error,
    npz_bytes,
    one_each,
    origin,
    picture_model,
    read_fitting,
)
from musae.job import Job
from musae.outputs import each, write_together
from musae.words import counted
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.files import atomic_output
from musicvae_lite.images.codec import as_bytes
from musicvae_lite.media.image import image_bytes

if TYPE_CHECKING:
    from musae.verbs.denoise import Request as DenoiseRequest
    from musae.verbs.reconstruct import Request as ReconstructRequest
    from musicvae_lite.images.session import ImageSession


@dataclass(frozen=True)
class Restored:
    """What a model made of an input.

    Attributes:
        pictures: the result, floats 0..1 [N, H, W] or [N, H, W, 3].
        seen: what the encoder saw.
        target: what the result is compared with, or None where that is not known.
        noisy: whether noise was added to what the encoder saw.
    """

    pictures: Floats
    seen: Floats
    target: Floats | None
    noisy: bool

    def compared(self) -> dict[str, Any]:
        """Return the error against the target, and which that is."""
        if self.target is None:
            return {"compared_with": None, "mse": None, "psnr_db": None}
        same_size = self.seen.shape == self.target.shape
        mse = mean_squared_error(self.pictures, self.target)
        compared_with = "original" if self.noisy or not same_size else "input"
        facts = {"compared_with": compared_with, "mse": mse, "psnr_db": decibels_of(mse)}
        if self.noisy and same_size:
            facts["noisy_psnr_db"] = decibels_of(mean_squared_error(self.seen, self.target))
        return facts


def restore(
    session: ImageSession, found: Input, labels: NDArray[np.int64] | None, noise_sd: float | None
) -> Restored:
    """Give the pictures of an input to a model, with noise added where that is asked for."""
    if session.pieces and len(found.groups) > 1:
        raise UsageError(
            f"{found.name}: holds pictures of several sizes; give the pictures one by one "
            f"({found.path}/*)"
        )
    pairs = [session.pair(group.images) for group in found.groups]
    clean = found.in_order([seen for seen, _ in pairs])
    targets = [target for _, target in pairs if target is not None]
    seen = clean if noise_sd is None else session.add_noise(clean, noise_sd)
    target = found.in_order(targets) if len(targets) == len(pairs) else None
    return Restored(session.restore_windows(seen, labels), seen, target, noise_sd is not None)


def reconstruct(job: Job, request: ReconstructRequest) -> int:
    """Write what the model makes of pictures, and how far off it is."""

    def work(
        session: ImageSession, found: Input, labels: NDArray[np.int64] | None
    ) -> tuple[Restored, dict[str, Any]]:
        result = restore(session, found, labels, request.noise_sd)
        return result, result.compared()

    return _each_file(job, request.files, "reconstructed", work)


def denoise(job: Job, request: DenoiseRequest) -> int:
    """Write cleaned pictures; a model that was not trained to clean is refused.

    Raises:
        UsageError: the model is no denoiser.
    """
    corrupt = picture_model(job.handle).config.data.corrupt
    if corrupt is None or corrupt.kind != "noise":
        raise UsageError(
            f"{job.model} was not trained to remove noise; 'musae reconstruct' shows what it "
            "makes of a picture"
        )

    def work(
        session: ImageSession, found: Input, labels: NDArray[np.int64] | None
    ) -> tuple[Restored, dict[str, Any]]:
        result = restore(session, found, labels, None)
        blend = result.seen + np.float32(request.strength) * (result.pictures - result.seen)
        return Restored(blend, result.seen, None, False), {"strength": request.strength}

    return _each_file(job, request.files, "denoised", work)


Work = Callable[["ImageSession", Input, NDArray[np.int64] | None], tuple[Restored, dict[str, Any]]]


def _each_file(job: Job, files: tuple[str, ...], kind: str, work: Work) -> int:
    """Do ``work`` on every input and write what it returns: a file (or folder) each, or all as
    arrays in one.
    """
    model = known(job)
    paths = dict(zip(files, one_each(job.output, files, kind, job.overwrite), strict=True))
    joined = (
        job.output is not None
        and job.output.lower().endswith(".npz")
        and Path(job.output) in paths[files[0]]
    )
    inputs: dict[str, Input] = {}
    code = each(
        files,
        lambda name: inputs.update({name: read_fitting(job, name, model)}),
        job.console.error,
        more=True,
    )
    from musicvae_lite.images.session import ImageSession

    session = job.load(ImageSession)
    results: list[dict[str, Any]] = []
    tables: list[dict[str, NDArray[Any]]] = []

    def write(name: str) -> None:
        found = inputs[name]
        labels = labels_for(found, model, job.label)
        result, facts = work(session, found, labels)
        # Of a folder some pictures may be missing, those that cannot be used.
        own = (
            [paths[name][place] for place in found.places]
            if form_of(name) == "folder" and not joined
            else paths[name]
        )
        arrays = {
            "images": result.pictures,
            **({"noisy": result.seen} if result.noisy else {}),
            **_labels(found),
        }
        if joined:
            tables.append({**arrays, **origin(found)})
        else:
            _write_one(own, arrays, job.overwrite)
        written = [str(path) for path in own]
        results.append({"file": name, "pictures": len(found), **facts, "outputs": written})
        said = "" if joined else f"{Target('each', own).shown}: "
        job.console.show(f"{said or f'{name}: '}{counted(len(found), 'picture')}{_quality(facts)}")

    code = max(
        code,
        each(list(inputs), write, job.console.error, of=len(set(files))),
        1 if job.console.failures else 0,
    )
    if joined:
        arrays = _join(tables, files)
        with atomic_output(Path(str(job.output)), job.overwrite) as part:
            part.write_bytes(npz_bytes(arrays))
        job.console.show(
            f"wrote {job.output}: "
            f"{', '.join(f'{key} {list(a.shape)}' for key, a in arrays.items())}"
        )
    job.console.document({"model": job.model, "seed": job.seed, "files": results})
    return code


def _labels(found: Input) -> dict[str, NDArray[Any]]:
    return {} if found.labels is None else {"labels": found.labels}


def _join(tables: list[dict[str, NDArray[Any]]], files: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Put the arrays of all inputs one after another.

    The source of each picture is told where there are several inputs.
    """
    keys = [key for key in tables[0] if all(key in table for table in tables)]
    wanted = [key for key in keys if len(files) > 1 or key not in ("source", "index")]
    return {key: np.concatenate([table[key] for table in tables]) for key in wanted}


def _write_one(paths: list[Path], arrays: dict[str, NDArray[Any]], overwrite: bool) -> None:
    """Write what was made of one input: arrays, or a picture each."""
    if paths[0].suffix.lower() == ".npz":
        files = {paths[0]: npz_bytes(arrays)}
    else:
        pictures = as_bytes(arrays["images"])
        files = {
            path: image_bytes(picture, path) for path, picture in zip(paths, pictures, strict=True)
        }
    write_together(files, overwrite)


def _quality(facts: dict[str, Any]) -> str:
    """Say how far off a result is, and from what."""
    if "compared_with" not in facts:
        return ""
    if facts["compared_with"] is None:
        return "; the original in this size is not known"
    before = f" (noisy {facts['noisy_psnr_db']:.2f} dB)" if "noisy_psnr_db" in facts else ""
    return (
        f"; MSE {facts['mse']:.5f}, PSNR {facts['psnr_db']:.2f} dB against the "
        f"{facts['compared_with']}{before}"
    )
