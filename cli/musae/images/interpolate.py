"""``musae interpolate`` of images: a strip, a folder or a grid of steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from musae.images.files import (
    Floats,
    Target,
    decibels_of,
    known,
    mean_squared_error,
    one_label,
    single,
    split_index,
    stem_of,
    target_of,
)
from musae.job import Job
from musae.outputs import check_files, shortened, step_names, write_together
from musicvae_lite.core.errors import UsageError

if TYPE_CHECKING:
    from musae.verbs.interpolate import Request

_MAX_STEM = 120  # bytes of each name in A__B.png


def interpolate(job: Job, request: Request) -> None:
    """Turn one picture into another, in steps along a path in latent space.

    Or four into one another, in a grid.
    """
    names, steps, grid = request.files, request.length, request.grid
    path, plot = request.plain_path, request.plot
    model = known(job)
    target = _path_target(job, names, steps, grid, plot)
    inputs = [single(job, name, model) for name in names]
    label = one_label(inputs, model, job.label)
    from musicvae_lite.images.session import ImageSession

    session = job.load(ImageSession)
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
