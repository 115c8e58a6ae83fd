"""What every verb needs, once; and which presenter does the verb for the medium of a model.

A presenter is a function ``(job, request)`` that checks inputs and outputs, runs the model, writes,
and says what was done. Another package adds presenters for its medium by an entry point of the
group ``musicvae_lite.presenters``: the medium's name, and a mapping from verbs to functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import click

from musae.options import AUTO_MODEL, Console, console_options, model_options
from musae.presenters import PRESENTERS

if TYPE_CHECKING:
    from musicvae_lite.core.medium import Medium
    from musicvae_lite.model_dir.handle import Handle

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S")

#: Why a model that reads the right files cannot do a verb, where more is to be said than that.
_WHY = {
    ("denoise", "interpolate"): "{model} is a denoiser of sound: its codes make a mask, and a mask "
    "makes no sound by itself; 'musae train timbre' makes a model that does",
    ("timbre", "denoise"): "{model} is a model of timbre, not of sound",
}
_WHY |= {("denoise", verb): _WHY["denoise", "interpolate"] for verb in ("sample", "decode")}
_SHARED = ("model", "device", "seed", "output", "overwrite", "console", "label")


@dataclass(frozen=True)
class Job:
    """What every verb that uses a model was asked.

    Attributes:
        console: where to say what.
        model: name or folder, as the user wrote it.
        device: where the model runs.
        seed: of every draw.
        output: as the user wrote it, or None.
        overwrite: replace existing files.
        label: class for a conditional model of images, or None.
    """

    console: Console
    model: str
    device: str = "auto"
    seed: int = 0
    output: str | None = None
    overwrite: bool = False
    label: int | None = None

    @cached_property
    def handle(self) -> Handle:
        """The model folder, read once.

        Raises:
            UsageError: no such model.
            MusaeError: the folder is foreign or damaged.
        """
        from musicvae_lite.model_dir.handle import open_model

        return open_model(self.model)

    @property
    def medium(self) -> Medium:
        """What the model is of."""
        return self.handle.medium

    def load(self, kind: type[S], windows: int | None = None) -> S:
        """Load the weights; imports torch, unless it takes longer than computing some windows."""
        return self.handle.load_as(kind, self.device, self.seed, windows)


def job_options(default: str | None = None) -> Callable[[F], F]:
    """Add ``--model``, ``--device``, ``--seed`` and those of the console; the verb gets ``job``."""

    def decorate(function: F) -> F:
        options = model_options() if default is None else model_options(default)
        return options(console_options(with_job(function)))

    return decorate


def with_job(function: F) -> F:
    """Give a verb a :class:`Job` in place of the options that all verbs share."""

    @wraps(function)
    def invoke(*args: Any, **values: Any) -> Any:
        shared = {name: values.pop(name) for name in _SHARED if name in values}
        if shared.get("model") == AUTO_MODEL:
            shared["model"] = _fitting(values, shared["console"])
        return function(*args, job=Job(**shared), **values)

    return invoke  # type: ignore[return-value]


def _fitting(values: Mapping[str, Any], console: Console) -> str:
    """Return the shipped model that can use the MIDI files that a verb was given."""
    from musicvae_lite.model_dir.bundle import DEFAULT_MODEL

    given = [values.get(name) for name in ("a", "b", "file", "style", "like")]
    names = [*values.get("files", ()), *values.get("more", ()), *given]
    songs = [
        name for name in names if name and str(name).lower().endswith((".mid", ".midi", ".kar"))
    ]
    if not songs:
        return DEFAULT_MODEL
    from musicvae_lite.music.metres import model_for

    model, why = model_for(songs, DEFAULT_MODEL)
    if why:
        console.note(f"{songs[0]}: {why} (-m chooses another)")
    return model


def check_inputs(
    job: Job, files: Iterable[str] = (), only: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Refuse inputs and options that do not go with the medium of the model.

    Args:
        job: of the running verb.
        files: its inputs.
        only: by what models hold (``music``, ``pictures``, ``sound``) the parameters of the verb
            that are for such models alone.

    Raises:
        UsageError: no such model; a file or a given option of another kind, with the models that
            fit.
        MusaeError: the model folder is foreign or damaged.
    """
    from musae.kinds import kind_of_file, refuse_file

    content = job.medium.words.content
    for name in files:
        found = kind_of_file(name)
        if found is not None and found != content:
            refuse_file(name, found, job.model, content)
    context = click.get_current_context()
    for other, names in (only or {}).items():
        for parameter in names if other != content else ():
            if context.get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE:
                option = next(p.opts[0] for p in context.command.params if p.name == parameter)
                raise click.UsageError(
                    f"{option} is for models of {other}; {job.model} is a model of {content}",
                    context,
                )


def present(job: Job, verb: str, request: Any) -> Any:
    """Do a verb with the presenter of the model's medium.

    Raises:
        UsageError: there is none, with the models that can do it.
    """
    from musicvae_lite.core.errors import UsageError

    medium = job.medium
    presenters: Mapping[str, Any] = PRESENTERS.get(medium.name) or _installed(medium.name)
    place = presenters.get(verb)
    if place is None:
        why = _WHY.get((medium.name, verb))
        if why is None:
            from musae.kinds import models_with

            why = "{model} is a model of {content}; 'musae {verb}' is for {others}"
            raise UsageError(
                why.format(
                    model=job.model,
                    content=medium.words.content,
                    verb=verb,
                    others=models_with(verb),
                )
            )
        raise UsageError(why.format(model=job.model))
    if callable(place):
        return place(job, request)
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)(job, request)


def _installed(name: str) -> Mapping[str, Any]:
    """Return the presenters of another package's medium."""
    from musicvae_lite.core import registry

    found: Mapping[str, Any] = registry.load("presenters", name)
    return found
