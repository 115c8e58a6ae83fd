"""Which kind of thing a file holds, by its name; which models take it. No torch."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

Kind = Literal["music", "pictures", "sound"]

_MUSIC = (".mid", ".midi", ".kar")
_SOUND = (
    *(".wav", ".flac", ".ogg", ".oga", ".aif", ".aiff", ".w64", ".caf", ".mp3"),
    *(".m4a", ".aac", ".wma", ".webm"),  # by FFmpeg, where that is installed
)
_ANY_PRESET = {"music": "mel-2bar", "pictures": "mnist-vae", "sound": "denoise-small"}


def kind_of_files(files: Iterable[str]) -> Kind | None:
    """Tell the kind of files by the name of the first that says it.

    Of folders by what lies in them.

    Raises:
        UsageError: a folder of sound.
    """
    return next(
        (
            kind
            for name in files
            if (kind := kind_of_file(name) or _kind_of_folder(name)) is not None
        ),
        None,
    )


def sounds_in(name: str) -> list[str]:
    """Return the sounds of a folder that holds some, sorted; of anything else itself."""
    if not os.path.isdir(name):
        return [name]
    inside = sorted(path for path in Path(name).glob("*") if path.suffix.lower() in _SOUND)
    return [str(path) for path in inside] or [name]


def _kind_of_folder(name: str) -> Kind | None:
    """Tell the kind of a folder: pictures, where there are some in it.

    None where it is no folder or holds nothing known.
    """
    from musicvae_lite.core.errors import UsageError
    from musicvae_lite.media.image import picture_paths

    if not os.path.isdir(name):
        return None
    sound = sorted(path for path in Path(name).glob("*") if path.suffix.lower() in _SOUND)
    if sound:
        raise UsageError(
            f"{name}: is a folder of sound; name its files, such as {sound[0]} or "
            f"{Path(name) / '*'}{sound[0].suffix}"
        )
    return "pictures" if picture_paths(Path(name)) else None


def fitting_models(kind: Kind) -> str:
    """Name the models that are of a kind: the shipped ones, or how to make one."""
    from musicvae_lite.model_dir.bundle import shipped_models
    from musicvae_lite.model_dir.handle import open_model

    names = [n for n in shipped_models() if open_model(n).medium.words.content == kind]
    if names:
        return ", ".join(names)
    return f"none is shipped; 'musae train {_ANY_PRESET[kind]}' makes one"


def models_with(verb: str) -> str:
    """Say which models can do a verb."""
    from musae.presenters import PRESENTERS
    from musicvae_lite.model_dir.bundle import shipped_models
    from musicvae_lite.model_dir.handle import open_model

    able = {name for name, verbs in PRESENTERS.items() if verb in verbs}
    names = [n for n in shipped_models() if open_model(n).medium.name in able]
    return f"models of {' and '.join(sorted(able))} ({', '.join(names)})"


def kind_of_file(name: str) -> Kind | None:
    """Tell the kind of a file by its name; None where that says nothing."""
    from musicvae_lite.media.image import looks_like_pictures

    if name.lower().endswith(_MUSIC):
        return "music"
    if name.lower().endswith(_SOUND):
        return "sound"
    plain, mark, index = name.rpartition("#")
    return (
        "pictures" if looks_like_pictures(plain if mark and index.isdecimal() else name) else None
    )


def refuse_file(name: str, found: Kind, model: str, kind: str) -> None:
    """Refuse a file of another kind than the model is of.

    Raises:
        UsageError: with the models that take it.
    """
    from musicvae_lite.core.errors import UsageError

    what = {"music": "holds music", "pictures": "holds pictures", "sound": "holds sound"}[found]
    raise UsageError(
        f"{name}: {what}, and {model} is a model of {kind}; name a model of {found} with --model "
        f"({fitting_models(found)})"
    )
