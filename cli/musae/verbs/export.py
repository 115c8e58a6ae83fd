"""``musae export``."""

from __future__ import annotations

from pathlib import Path

import click

from musae.options import Console, console_options, examples

_EPILOG = examples(
    "musae export mel-2bar -o mel-2bar.onnx/     encoder, decoder step, what the numbers mean",
    "musae export runs/mine/ -o mine.onnx/       a model of your own",
)


@click.command(epilog=_EPILOG)
@click.argument("model", metavar="MODEL")
@click.option("--output", "-o", metavar="DIR", required=True, help="Folder; made if missing.")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@console_options
def export(model: str, output: str, overwrite: bool, console: Console) -> None:
    """Write a model so that it runs without torch: ONNX graphs for onnxruntime, a JSON file that
    says what their numbers mean, and a README with a program that uses them.

    MODEL is a shipped model or a model folder. Sequences are decoded step by step: the graph of the
    decoder is one step, and the program that calls it chooses the notes. What onnxruntime computes
    is compared with torch before anything is written.
    """
    from musae.outputs import check_folder
    from musicvae_lite.model_dir.bundle import describe

    description, folder = describe(model), Path(output)
    check_folder(folder)
    console.note(f"exporting {model}; this takes up to a minute")
    from musicvae_lite.core.batched import one_thread
    from musicvae_lite.model_dir.bundle import load_bundle
    from musicvae_lite.model_dir.onnx import export_onnx

    with one_thread():
        files = export_onnx(load_bundle(description), model, folder, overwrite)
    sizes = {path.name: path.stat().st_size for path in files}
    for path in files:
        console.show(f"{path}: {_size(sizes[path.name])}")
    console.document({"model": model, "output": str(folder), "files": sizes})


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.0f} kB"
