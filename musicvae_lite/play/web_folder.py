"""The page with a model as a folder of static files: no Python, no network, for any file host.

The model runs in the page (``page/src/web_model.js``), from the weights of its folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.files import check_output, reason, resource, write_files
from musicvae_lite.model_dir.bundle import WEIGHTS
from musicvae_lite.model_dir.handle import Handle
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.portable.meanings import meanings
from musicvae_lite.music.portable.model import decoding_of
from musicvae_lite.play.service import MusicService

PAGE = Path(__file__).parent / "page" / "app"
_SETUP = "/*setup*/"
_KINDS = ("melody", "drums", "groove")


def write_folder(handle: Handle, folder: Path, overwrite: bool = False) -> list[Path]:
    """Write the page and a model into a folder.

    Args:
        handle: of the model: of melodies, drums or grooves, that is told of nothing else.
        folder: made where it is missing.
        overwrite: replace files that are there.

    Returns:
        The files.

    Raises:
        UsageError: the page cannot run the model, or a file exists.
        MusaeError: the file system refuses; nothing is written then.
    """
    service = MusicService(handle.name) if handle.medium.name == "music" else None
    if service is None or not _runs(handle):
        raise UsageError(
            f"{handle.name}: the page runs models of melodies, drums and grooves that are told of "
            "no chords; 'musae play' has a page for others"
        )
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    setup = json.dumps({"backend": "web", "model": Path(handle.name).name, "seed": 0})
    files: dict[str, bytes] = {
        path.name: path.read_bytes() for path in sorted(PAGE.iterdir()) if path.suffix != ".sha256"
    }
    files |= {
        "index.html": page.replace(_SETUP, setup.replace("<", "\\u003c")).encode(),
        "soundfont.sf3": resource("data", "soundfont", "fluid-cut.sf3").read_bytes(),
        "model.json": json.dumps(_about(handle, service)).encode(),
        WEIGHTS: (handle.description.folder / WEIGHTS).read_bytes(),
    }
    files |= {f"corners/{path.name}": path.read_bytes() for path in service.corners}
    try:
        (folder / "corners").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MusaeError(f"{folder}: cannot be made: {reason(error)}") from error
    for name in files:
        check_output(folder / name, overwrite)
    write_files({folder / name: data for name, data in files.items()}, overwrite)
    return [folder / name for name in files]


def _runs(handle: Handle) -> bool:
    """Say whether the page can run a model."""
    codec, model = handle.codec, handle.config.model
    if not isinstance(codec, ScoreCodec) or codec.kind not in _KINDS:
        return False
    try:
        how = decoding_of(handle.config, codec)
    except UsageError:
        return False
    settings = codec.config()
    known = settings.get("form", "tokens") == "tokens" and settings.get("gap_bars", 1) >= 1
    learned = codec.kind == "groove" or (
        getattr(model, "encoder").token_size is not None  # noqa: B009 (a union of settings)
        and getattr(model, "decoder").token_size is not None  # noqa: B009
    )
    return known and learned and not how.carry and not getattr(model, "control_size", 0)


def _about(handle: Handle, service: MusicService) -> dict[str, Any]:
    """Return what the page is told of the model."""
    codec = handle.codec
    assert isinstance(codec, ScoreCodec)
    name = Path(handle.name).name
    description = service.about() | {
        "name": name,
        "models": [{"name": name, "medium": "music"}],
        "folder": None,
    }
    return {
        "model": handle.config.model.model_dump(mode="json"),
        "decoding": decoding_of(handle.config, codec).as_dict(),
        "window": {"shape": list(codec.shape)},
        "codec": codec.config(),
        "classes": meanings(codec),
        "description": description,
        "files": [path.name for path in service.corners],
    }
