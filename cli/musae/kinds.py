"""Which kind of thing a model is of, told before torch is loaded.

Files and options of another kind are refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import click

Kind = Literal["music", "pictures", "sound"]

_MUSIC = (".mid", ".midi", ".kar")
_SOUND = (".wav", ".flac", ".ogg", ".oga", ".aif", ".aiff", ".w64", ".caf", ".mp3")
_OF_MODEL: dict[str, Kind] = {
    "sequence": "music",
    "image": "pictures",
    "spectrogram": "sound",
    "timbre": "sound",
}
_ANY_PRESET = {"music": "mel-2bar", "pictures": "mnist-vae", "sound": "denoise-small"}


def kind_of(model: str) -> Kind:
    """Return what a model is of.

    Raises:
        UsageError: no such model.
        MusaeError: the folder is foreign or damaged.
    """
    from musicvae_lite.model_dir.bundle import describe

    return _OF_MODEL[describe(model).config.model.kind]


def choose_kind(
    model: str,
    files: Iterable[str] = (),
    music: Sequence[str] = (),
    pictures: Sequence[str] = (),
    sound: Sequence[str] = (),
) -> Kind:
    """Return what a model is of, after refusing what does not go with it.

    Args:
        model: name or folder.
        files: inputs of the running verb.
        music: parameters of the verb that are for models of music alone.
        pictures: the same for models of pictures.
        sound: the same for models of sound.

    Raises:
        UsageError: no such model; a file or a given option of another kind, with the models that
            fit.
        MusaeError: the model folder is foreign or damaged.
    """
    kind = kind_of(model)
    for name in files:
        found = _kind_of_file(name)
        if found is not None and found != kind:
            _refuse_file(name, found, model, kind)
    context = click.get_current_context()
    parameters: dict[Kind, Sequence[str]] = {"music": music, "pictures": pictures, "sound": sound}
    for other, names in parameters.items():
        for parameter in names if other != kind else ():
            if context.get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE:
                option = next(
                    known.opts[0] for known in context.command.params if known.name == parameter
                )
                raise click.UsageError(
                    f"{option} is for models of {other}; {model} is a model of {kind}", context
                )
    return kind


def is_timbre(model: str) -> bool:
    """Say whether a model of sound is one of timbre, which makes sounds of codes.

    A denoiser makes masks.
    """
    from musicvae_lite.model_dir.bundle import describe

    return describe(model).config.model.kind == "timbre"


def require_timbre(model: str) -> None:
    """Refuse a denoiser of sound where sound is to be made of codes.

    Raises:
        UsageError: saying why.
    """
    from musicvae_lite.core.errors import UsageError

    if not is_timbre(model):
        raise UsageError(
            f"{model} is a denoiser of sound: its codes make a mask, and a mask makes no sound by "
            "itself; "
            "'musae train timbre' makes a model that does"
        )


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
            if (kind := _kind_of_file(name) or _kind_of_folder(name)) is not None
        ),
        None,
    )


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

    names = [name for name in shipped_models() if kind_of(name) == kind]
    return (
        ", ".join(names)
        if names
        else f"none is shipped; 'musae train {_ANY_PRESET[kind]}' makes one"
    )


def _kind_of_file(name: str) -> Kind | None:
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


def _refuse_file(name: str, found: Kind, model: str, kind: Kind) -> None:
    from musicvae_lite.core.errors import UsageError

    what = {"music": "holds music", "pictures": "holds pictures", "sound": "holds sound"}[found]
    raise UsageError(
        f"{name}: {what}, and {model} is a model of {kind}; name a model of {found} with --model "
        f"({fitting_models(found)})"
    )
