"""What the verbs do where the model is one of pictures.

Torch is loaded when the input has been read.

Letters in shapes: N pictures, H W pixels, Z latent size.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from musae.images.files import (
    Floats,
    Input,
    Job,
    PictureModel,
    Target,
    changes,
    decibels_of,
    labels_for,
    mean_squared_error,
    npz_bytes,
    origin,
    picture_model,
    read_fitting,
    read_input,
    split_index,
    stem_of,
    target_of,
)
from musae.music.reading import counted
from musae.options import Console
from musae.outputs import check_files, each, shortened, step_names, write_together
from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.files import atomic_output

if TYPE_CHECKING:
    from musicvae_lite.images.session import ImageSession

_MAX_STEM = 120  # bytes of each name in A__B.png


# interpolate


def interpolate(
    job: Job,
    names: tuple[str, ...],
    steps: int,
    grid: int | None,
    path: Literal["slerp", "lerp"] | None,
    plot: str | None,
) -> None:
    """Turn one picture into another, in steps along a path in latent space.

    Or four into one another, in a grid.
    """
    model = job.known()
    target = _path_target(job, names, steps, grid, plot)
    inputs = [_single(job, name, model) for name in names]
    label = _one_label(inputs, model, job.label)
    session = job.session()
    ends = [found.groups[0].images[0] for found in inputs]
    if grid is None:
        latents, pictures = session.interpolate(ends[0], ends[1], steps, path, label)
        words, corners = ["from", "to  "], [0, steps - 1]
    else:
        latents, pictures = session.grid(ends, grid, path, label)
        corners = [0, grid - 1, grid * (grid - 1), grid * grid - 1]
        words = [step_names(steps, grid)[corner] for corner in corners]
    pairs = [session.pair(found.groups[0].images) for found in inputs]
    files = target.files(pictures, grid or steps, {"z": latents})
    if plot:
        seen = [pair[0][0] for pair in pairs]
        files[Path(plot)] = (
            _plot_path(plot, names, seen, pictures)
            if grid is None
            else _plot_grid(plot, names, pictures, grid)
        )
    write_together(files, job.overwrite)
    facts = []
    for word, name, (_, wanted), made in zip(words, names, pairs, pictures[corners], strict=True):
        mse = None if wanted is None else mean_squared_error(made, wanted[0])
        facts.append(
            {"file": name, "mse": mse, "psnr_db": None if mse is None else decibels_of(mse)}
        )
        job.console.show(
            f"{word} {name}"
            + (
                f": reconstructed with a PSNR of {decibels_of(mse):.2f} dB"
                if mse is not None
                else ""
            )
        )
    job.console.show(f"wrote {', '.join([target.shown, *([plot] if plot else [])])}")
    outputs = [str(path) for path in target.paths]
    size = {} if grid is None else {"grid": grid}
    job.console.document(
        {
            "model": job.model,
            "inputs": facts,
            "steps": len(pictures),
            **size,
            "path": path or session.path,
            "label": label,
            "seed": job.seed,
            "outputs": outputs,
            "plot": plot,
        }
    )


def _path_target(
    job: Job, names: tuple[str, ...], steps: int, grid: int | None, plot: str | None
) -> Target:
    """Return where the steps go, after checking that all outputs can be written."""
    from musicvae_lite.plotting import check_picture

    output = (
        job.output
        or "__".join(shortened(stem_of(name), _MAX_STEM // (len(names) // 2)) for name in names)
        + ".png"
    )
    target = target_of(output, step_names(steps, grid), job.overwrite, names)
    if plot:
        check_picture(Path(plot), steps if grid is None else grid * grid)
        if (
            Path(plot).parent.is_dir()
            or Path(plot).parent.resolve() != target.paths[0].parent.resolve()
        ):
            check_files([Path(plot)], job.overwrite, [split_index(name)[0] for name in names])
        if Path(plot) in target.paths:
            raise UsageError(f"{plot}: two results would have this name; choose another for --plot")
    return target


def _plot_path(plot: str, names: tuple[str, ...], ends: list[Floats], pictures: Floats) -> bytes:
    from musicvae_lite.images.plots import Row, draw_rows

    steps = len(pictures)
    title = f"A: {names[0]}    1 to {steps}: decoded    B: {names[1]}"
    row = Row("", [ends[0], *pictures, ends[1]])
    return draw_rows(
        [row], ["A", *(str(step + 1) for step in range(steps)), "B"], title, Path(plot).suffix
    )


def _plot_grid(plot: str, names: tuple[str, ...], pictures: Floats, grid: int) -> bytes:
    from musicvae_lite.images.plots import Row, draw_rows

    rows = [Row(str(row + 1), list(pictures[row * grid : (row + 1) * grid])) for row in range(grid)]
    title = f"above {names[0]} and {names[1]}, below {names[2]} and {names[3]}, decoded"
    return draw_rows(rows, [str(column + 1) for column in range(grid)], title, Path(plot).suffix)


def _single(job: Job, name: str, model: PictureModel) -> Input:
    """Read an input that must be one picture."""
    found = read_input(name)
    if len(found) > 1:
        raise UsageError(
            f"{name}: holds {len(found):,} pictures; choose one of them, such as {name}#0"
        )
    said = changes(found, model)
    if said:
        job.console.note(f"{name}: {said}")
    return found


def _one_label(inputs: list[Input], model: PictureModel, label: int | None) -> int | None:
    """Return the one class of a path through a conditional model."""
    if not model.classes:
        return None
    labels = {
        int(found[0]) for item in inputs if (found := labels_for(item, model, label)) is not None
    }
    if len(labels) > 1:
        both = " and ".join(map(str, sorted(labels)))
        raise UsageError(
            f"{model.name} draws one class along the path, and these are {both}; choose with "
            "--label"
        )
    return labels.pop()


# sample


def sample(job: Job, count: int, like: str | None = None, similarity: float = 0.0) -> None:
    """Draw new pictures from the prior, or pictures that are like one."""
    model = job.known()
    digits = max(2, len(str(count)))
    names = [f"sample-{number:0{digits}}" for number in range(1, count + 1)]
    target = target_of(
        job.output or "samples.png", names, job.overwrite, [] if like is None else [like]
    )
    found = None if like is None else _single(job, like, model)
    label = job.label if found is None else _one_label([found], model, job.label)
    session = job.session()
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


# encode, decode


def encode(job: Job, files: tuple[str, ...]) -> int:
    """Write the codes of pictures as arrays."""
    model = job.known()
    path = Path(str(job.output))
    check_files([path], job.overwrite, [split_index(name)[0] for name in files])
    inputs: list[Input] = []
    code = each(
        files, lambda name: inputs.append(read_fitting(job, name, model)), job.console.error
    )
    session = job.session()
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


def decode(job: Job, latents: str) -> None:
    """Turn codes back into pictures."""
    from musae.music.latents import read_latents

    model = job.known()
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
    if table.model not in ("", job.model):
        job.console.warn(f"{latents} was encoded with model {table.model}, not with {job.model}")
    pictures = job.session().decode_windows(table.mean, condition=labels)
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


# inspect


def inspect(files: tuple[str, ...], name: str, console: Console) -> int:
    """Say what picture files hold and what the model would do to it."""
    model = picture_model(name)
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
