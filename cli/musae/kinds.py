"""Which kind of thing a model is of, told before torch is loaded; files and options of another kind are refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import click

Kind = Literal["music", "pictures"]

_MUSIC = (".mid", ".midi", ".kar")
_OF_CODEC: dict[str, Kind] = {"melody": "music", "image": "pictures"}
_ANY_PRESET = {"music": "mel-2bar", "pictures": "mnist-vae"}


def kind_of(model: str) -> Kind:
    """Return what a model is of.

    Raises:
        UsageError: no such model.
        MusaeError: the folder is foreign or damaged.
    """
    from musicvae_lite.bundle import describe

    return _OF_CODEC[describe(model).config.codec.kind]


def choose_kind(model: str, files: Iterable[str] = (), music: Sequence[str] = (), pictures: Sequence[str] = ()) -> Kind:
    """Return what a model is of, after refusing what does not go with it.

    Args:
        model: name or folder.
        files: inputs of the running verb.
        music: parameters of the verb that are for models of music alone.
        pictures: the same for models of pictures.

    Raises:
        UsageError: no such model; a file or a given option of another kind, with the models that fit.
        MusaeError: the model folder is foreign or damaged.
    """
    kind = kind_of(model)
    for name in files:
        found = _kind_of_file(name)
        if found is not None and found != kind:
            _refuse_file(name, found, model, kind)
    context = click.get_current_context()
    for parameter in pictures if kind == "music" else music:
        if context.get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE:
            other: Kind = "pictures" if kind == "music" else "music"
            option = "--" + parameter.replace("_", "-")
            raise click.UsageError(f"{option} is for models of {other}; {model} is a model of {kind}", context)
    return kind


def fitting_models(kind: Kind) -> str:
    """Name the models that are of a kind: the shipped ones, or how to make one."""
    from musicvae_lite.bundle import shipped_models

    names = [name for name in shipped_models() if kind_of(name) == kind]
    return ", ".join(names) if names else f"none is shipped; 'musae train {_ANY_PRESET[kind]}' makes one"


def _kind_of_file(name: str) -> Kind | None:
    """Tell the kind of a file by its name; None where that says nothing."""
    from musicvae_lite.media.image import looks_like_pictures

    if name.lower().endswith(_MUSIC):
        return "music"
    plain, mark, index = name.rpartition("#")
    return "pictures" if looks_like_pictures(plain if mark and index.isdecimal() else name) else None


def _refuse_file(name: str, found: Kind, model: str, kind: Kind) -> None:
    from musicvae_lite.errors import UsageError

    what = "holds music" if found == "music" else "holds pictures"
    raise UsageError(
        f"{name}: {what}, and {model} is a model of {kind}; name a model of {found} with --model ({fitting_models(found)})"
    )
