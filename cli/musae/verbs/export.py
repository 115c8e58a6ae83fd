"""``musae export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from musae.options import Console, console_options, examples

if TYPE_CHECKING:
    from musicvae_lite.model_dir.handle import Handle

_EPILOG = examples(
    "musae export mel-2bar -o mel-2bar.onnx/     encoder, decoder step, what the numbers mean",
    "musae export runs/mine/ -o mine.onnx/       a model of your own",
    "musae export mel-2bar --web -o site/        a page that plays it, for any file host",
)


@click.command(epilog=_EPILOG)
@click.argument("model", metavar="MODEL")
@click.option("--output", "-o", metavar="DIR", required=True, help="Folder; made if missing.")
@click.option("--web", is_flag=True, help="Write the page of 'musae play' and the model, no ONNX.")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@console_options
def export(model: str, output: str, web: bool, overwrite: bool, console: Console) -> None:
    """Write a model so that it runs without torch: ONNX graphs for onnxruntime, a JSON file that
    says what their numbers mean, and a README with a program that uses them.

    MODEL is a shipped model or a model folder. Sequences are decoded step by step: the graph of the
    decoder is one step, and the program that calls it chooses the notes. What onnxruntime computes
    is compared with torch before anything is written.

    With --web: a folder of static files, which a browser plays without Python and without network;
    to try it: python -m http.server -d DIR.
    """
    from musae.outputs import check_folder
    from musicvae_lite.model_dir.handle import open_model

    handle, folder = open_model(model), Path(output)
    check_folder(folder)
    files = _page(handle, folder, overwrite) if web else _graphs(handle, folder, overwrite, console)
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in files}
    for name, size in sizes.items():
        console.show(f"{folder / name}: {_size(size)}")
    console.document({"model": model, "output": str(folder), "files": sizes})


def _page(handle: Handle, folder: Path, overwrite: bool) -> list[Path]:
    from musicvae_lite.play.web_folder import write_folder

    return write_folder(handle, folder, overwrite)


def _graphs(handle: Handle, folder: Path, overwrite: bool, console: Console) -> list[Path]:
    console.note(f"exporting {handle.name}; this takes up to a minute")
    from musicvae_lite.core.batched import one_thread
    from musicvae_lite.model_dir.bundle import load_bundle
    from musicvae_lite.model_dir.onnx import export_onnx

    with one_thread():
        return export_onnx(load_bundle(handle.description), handle.name, folder, overwrite)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.0f} kB"
