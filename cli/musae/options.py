"""The options that verbs share, and where what they say goes: results to stdout, the rest to
stderr.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TextIO, TypeVar

import click

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import json_text, reason, shown

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_MODEL = (
    "mel-2bar"  # bundle.DEFAULT_MODEL, which would import pydantic; a test compares them
)

#: A file that is read; the library says what is wrong with it, in its own words.
FILE = click.Path(path_type=str)


def echo(text: str, err: bool = False) -> None:
    """Print; what nobody reads any more is no reason to stop, for there may be files left
    to write.
    """
    try:
        click.echo(shown(text), err=err)
    except OSError:  # a pipe that is closed, a disk that is full
        mute(sys.stderr if err else sys.stdout)


def deliver(text: str) -> None:
    """Print what a verb was asked for.

    Raises:
        BrokenPipeError: nobody reads it any more.
        MusaeError: it cannot be written.
    """
    try:
        click.echo(shown(text))
    except BrokenPipeError:
        raise
    except OSError as error:
        mute(sys.stdout)
        raise MusaeError(f"the standard output cannot be written: {reason(error)}") from error


def mute(stream: TextIO) -> None:
    """Send what is said on a closed pipe nowhere, also what the interpreter flushes when it
    ends.
    """
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (AttributeError, OSError, ValueError):  # AttributeError: it was closed from the start
        pass


@dataclass(frozen=True)
class Console:
    """What a verb says."""

    json: bool
    quiet: bool
    verbose: bool
    failures: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)

    def show(self, text: str) -> None:
        """Say a result on stdout; not beside JSON and not when quiet."""
        self.results.append(text)
        if not self.json and not self.quiet:
            echo(text)

    def answer(self, text: str) -> None:
        """Give what was asked for (a list, a table) on stdout, also when quiet; not beside JSON.

        A closed pipe ends the verb.
        """
        if not self.json:
            deliver(text)

    def document(self, tree: dict[str, Any]) -> None:
        """Write the one JSON document to stdout, if that is wanted.

        What could not be computed (NaN) is null in it. That it cannot be written is a failure where
        it is all that the verb was asked for, and nothing was shown before.
        """
        if self.json:
            failures = {"failures": self.failures} if self.failures else {}
            text = json_text({**tree, **failures}, indent=2)
            (echo if self.results else deliver)(text)

    def note(self, text: str) -> None:
        """Say something on stderr, unless quiet."""
        if not self.quiet:
            echo(text, err=True)

    def detail(self, text: str) -> None:
        """Say something on stderr when verbose."""
        if self.verbose:
            echo(text, err=True)

    def warn(self, text: str) -> None:
        """Warn on stderr, unless quiet."""
        self.note(f"musae: warning: {text}")

    def error(self, text: str) -> None:
        """Report on stderr one failure of several; it also stands in the document."""
        self.failures.append(text)
        echo(f"musae: {text}", err=True)

    @property
    def draws(self) -> bool:
        """Whether a progress bar may be drawn."""
        return not self.quiet and sys.stderr.isatty()


def _together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Join decorators into one; the first one comes first in the help."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def console_options(function: F) -> F:
    """Add ``--json``, ``-q`` and ``-v``; the verb gets them as ``console``."""

    def gather(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
        given = ctx.meta.setdefault("musae.console", {})
        given[parameter.name] = value
        return value

    def option(*names: str, text: str) -> Callable[[F], F]:
        return click.option(*names, is_flag=True, expose_value=False, callback=gather, help=text)

    @wraps(function)  # it copies the options that are attached so far, too
    def invoke(*args: Any, **values: Any) -> Any:
        return function(*args, console=console(), **values)

    decorate = _together(
        option("--json", text="Print one JSON document on stdout."),
        option("--quiet", "-q", text="Say only what was asked for, and errors."),
        option("--verbose", "-v", text="Say more; show where an error came from."),
    )
    return decorate(invoke)  # type: ignore[arg-type]


def console() -> Console:
    """Return the console that the options of the running verb ask for."""
    given = click.get_current_context().meta.get("musae.console", {})
    json_, quiet, verbose = (bool(given.get(name, False)) for name in ("json", "quiet", "verbose"))
    return Console(json_, quiet, verbose)


#: In place of the name of a model: the shipped one that can use the files.
AUTO_MODEL = "auto"


def model_option(default: str = DEFAULT_MODEL) -> Callable[[F], F]:
    """Add ``--model``."""
    text = "Shipped model or model folder ('musae models' lists them)."
    if default == AUTO_MODEL:
        text += f" auto: {DEFAULT_MODEL}, or the one that can use the files."
    return click.option(
        "--model", "-m", default=default, show_default=True, metavar="NAME|FOLDER", help=text
    )


def device_option(function: F) -> F:
    """Add ``--device``."""
    choice = click.Choice(["auto", "cpu", "cuda", "mps"])
    return click.option(
        "--device", type=choice, default="auto", show_default=True, help="Where the model runs."
    )(function)


def seed_option(function: F) -> F:
    """Add ``--seed``."""
    numbers = click.IntRange(0, 2**63 - 1)
    text = "Makes every draw repeatable."
    return click.option(
        "--seed", type=numbers, default=0, show_default=True, metavar="INTEGER", help=text
    )(function)


class Number(click.FloatRange):
    """A number in a range; "nan", which no comparison refuses, is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse and check one value."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


def temperature_option(default: float) -> Callable[[F], F]:
    """Add ``--temperature``."""
    return click.option(
        "--temperature",
        type=Number(0, 100),
        default=default,
        show_default=True,
        metavar="FLOAT",
        help="Of notes: 0 takes the likeliest of every step, 1 draws as the model was trained.",
    )


def output_option(text: str, **more: Any) -> Callable[[F], F]:
    """Add ``-o`` and ``--overwrite``."""
    return _together(
        click.option("--output", "-o", metavar="PATH", help=text, **more),
        click.option("--overwrite", is_flag=True, help="Replace existing files."),
    )


def model_options(default: str = AUTO_MODEL) -> Callable[[F], F]:
    """Add what every verb that runs a model has: ``--model``, ``--device``, ``--seed``."""
    return _together(model_option(default), device_option, seed_option)


def join_option(function: F) -> F:
    """Add ``--no-join``: bars of another metre are not joined to those of the model."""

    def leave(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            from musicvae_lite.music.windows import joining

            ctx.with_resource(joining(False))

    return click.option(
        "--no-join",
        is_flag=True,
        expose_value=False,
        callback=leave,
        help="Do not hear two bars of 2/4 as one of 4/4 (6/4 as 3/4, 12/8 as 6/8).",
    )(function)


def wav_option(function: F) -> F:
    """Add ``--wav``; :func:`musae.audio.render.sounds_asked` says where the sounds go."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        ctx.meta["musae.wav"] = value
        return value

    return click.option(
        "--wav",
        metavar="W.wav",
        expose_value=False,
        callback=keep,
        help="Also render what is written as sound, with instruments; DIR/ for a file each.",
    )(function)


def plot_option(function: F) -> F:
    """Add ``--plot``; :func:`musae.music.pictures.pictures_asked` says where the picture goes."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        ctx.meta["musae.plot"] = value
        return value

    return click.option(
        "--plot",
        metavar="P.png",
        expose_value=False,
        callback=keep,
        help="Also draw what is written as piano rolls, a row a file (PNG, SVG or PDF).",
    )(function)


def label_option(function: F) -> F:
    """Add ``--label``."""
    text = "Class of the pictures, for a conditional model. [default: the labels in the file]"
    return click.option("--label", type=click.IntRange(0), metavar="N", help=text)(function)


def accompany_option(function: F) -> F:
    """Add ``--accompany``, for models that are told of chords."""
    return click.option(
        "--accompany",
        type=click.Choice(["block", "arpeggio", "stride"]),
        help="Play the chords, too, on a track of their own.",
    )(function)


def chords_options(text: str, multiple: bool = False) -> Callable[[F], F]:
    """Add ``--chords`` and ``--key``, for models that are told of them."""
    key = (
        "For a model told of the key, and for Roman numerals (I V vi IV): C, Am, 'F# minor' ... "
        "[default: what the chords fit best]"
    )
    return _together(
        click.option(
            "--chords",
            metavar='"C Am F G"',
            multiple=multiple,
            help=f"For a model told of chords: {text}",
        ),
        click.option("--key", metavar="KEY", help=key),
    )


MAX_INPUTS = 4


def numbers_each(
    ctx: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, ...] | None:
    """Parse ``N`` (for every input), ``N,M`` or ``N,M,O,P`` (one for each), from 1.

    A callback of click options.
    """
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if len(parts) not in (1, 2, MAX_INPUTS) or not all(
        part.isascii() and part.isdigit() and int(part) > 0 for part in parts
    ):
        raise click.BadParameter(f"{value!r} is not N or N,M with numbers from 1", ctx, parameter)
    return tuple(map(int, parts))


def for_each(values: tuple[int, ...] | None, option: str, inputs: int) -> tuple[int | None, ...]:
    """Return a number for each of some inputs from what :func:`numbers_each` parsed.

    Raises:
        UsageError: if there are neither one nor as many.
    """
    if values is None or len(values) == 1:
        return (None if values is None else values[0],) * inputs
    if len(values) != inputs:
        given = ",".join(map(str, values))
        raise click.UsageError(
            f"{option} {given}: give one number, or one for each of the {inputs} inputs"
        )
    return values


def role_option(function: F) -> F:
    """Add ``--role ROLE=N`` (``ROLE=N,M`` for two inputs).

    The verb gets ``roles``, one mapping for each of four inputs.
    """
    return _role_option(MAX_INPUTS)(function)


def one_role_option(function: F) -> F:
    """Add ``--role ROLE=N`` for verbs of one input; the verb gets ``roles``, a mapping."""
    return _role_option(1)(function)


def _role_option(inputs: int) -> Callable[[F], F]:
    """Add ``--role``; the verb gets a mapping for each of ``inputs``, or the mapping of the one."""

    def parse(
        ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
    ) -> tuple[dict[str, int], ...] | dict[str, int]:
        roles: tuple[dict[str, int], ...] = tuple({} for _ in range(inputs))
        for value in values:
            role, sign, numbers = value.partition("=")
            found = numbers_each(ctx, parameter, numbers) if sign and role.strip() else None
            if found is None or len(found) > inputs:
                raise click.BadParameter(f"{value!r} is not ROLE=N, such as bass=3", ctx, parameter)
            for own, number in zip(roles, found + found[-1:] * inputs, strict=False):
                own[role.strip()] = number
        return roles if inputs > 1 else roles[0]

    text = "Track of a voice (melody, bass, drums), whatever its program; may be repeated."
    return click.option(
        "--role", "roles", multiple=True, callback=parse, metavar="ROLE=N", help=text
    )


def track_option(function: F) -> F:
    """Add ``--track`` for verbs of one track of a piece."""
    return click.option(
        "--track",
        type=click.IntRange(1),
        metavar="N",
        help="Track to use. [default: the one most like a tune]",
    )(function)


def attempts_option(function: F) -> F:
    """Add ``--attempts`` for verbs that write something new into a piece."""
    return click.option(
        "--attempts",
        type=click.IntRange(1, 64),
        default=1,
        show_default=True,
        metavar="N",
        help="How many to write, the likeliest first.",
    )(function)


def piece_options(function: F) -> F:
    """Add what the verbs that write into a piece share: in which key, how freely, which track."""
    return _together(
        click.option("--key", metavar="KEY", help="Such as Am. [default: that of the piece]"),
        temperature_option(1.0),
        track_option,
        one_role_option,
        join_option,
    )(function)


def examples(*lines: str) -> str:
    """Return the end of a verb's help."""
    return "\b\nExamples:\n" + "".join(f"  {line}\n" for line in lines)
