"""The group of verbs, and how errors end the program.

Imports nothing heavy: a verb's module is imported when its verb is named, and what it needs when it
has something to do.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module

import click

from musae.failures import explain, open_standard_streams
from musae.options import echo, mute
from musicvae_lite import __version__
from musicvae_lite.core.errors import MusaeError, suggest
from musicvae_lite.core.text import message as shortened

#: Verb to module and the line that ``musae --help`` shows.
VERBS = {
    "interpolate": (
        "interpolate",
        "Turn one melody, picture or sound into another in a few steps.",
    ),
    "reconstruct": ("reconstruct", "Write what a model makes of MIDI files, pictures or sound."),
    "groove": ("groove", "Humanize drums, make a beat of taps, add a drum, transfer a groove."),
    "denoise": ("denoise", "Clean noisy recordings or pictures."),
    "play": ("play", "Hear, see and steer a model on a page in the browser."),
    "sample": ("sample", "Make up new melodies, pictures or sounds."),
    "continue": ("continue_", "Go on from where a piece ends."),
    "infill": ("infill", "Write bars of a piece anew, between those that stay."),
    "vary": ("vary", "Write a share of a piece anew: the same tune, otherwise."),
    "personalize": ("personalize", "Make a model draw music like yours."),
    "encode": ("latents", "Write the latent vectors of MIDI files, pictures or sounds as arrays."),
    "decode": ("latents", "Turn latent vectors back into MIDI files, pictures or sounds."),
    "attribute": ("attribute", "Give a melody more or less of something: notes, syncopation ..."),
    "inspect": ("inspect", "Show what a model can use of files, and why not the rest."),
    "plot": ("plot", "Draw what a model of pictures has learned."),
    "prepare": ("prepare", "Make a training corpus from folders of MIDI files."),
    "train": ("train", "Train a model on a prepared corpus, pictures or sound."),
    "prior": ("prior", "Learn where a model draws new music from."),
    "evaluate": ("evaluate", "Measure a model on what it has not seen."),
    "import-magenta": ("import_magenta", "Make a model of a checkpoint of Magenta's MusicVAE."),
    "export": ("export", "Write a model as ONNX, to run without torch."),
    "models": ("models", "List models, shipped or in folders."),
    "presets": ("presets", "List the settings to train with, or print one."),
}

#: Functions that cannot have the name of their verb, which Python or the library has.
_FUNCTIONS = {"inspect": "inspect_", "continue": "continue_"}

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it

_EPILOG = """\b
Examples:
  musae interpolate a.mid b.mid           a.mid becomes b.mid, in a__b.mid
  musae inspect song.mid                  what can be used of song.mid
  musae reconstruct 3.png -m mnist-ae     what a model of digits makes of a picture
  musae interpolate --help                all options of a verb
"""


class Verbs(click.Group):
    """Commands that are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        if cmd_name not in VERBS:
            return None
        module = import_module(f"musae.verbs.{VERBS[cmd_name][0]}")
        command: click.Command = getattr(
            module, _FUNCTIONS.get(cmd_name, cmd_name.replace("-", "_"))
        )
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; an unknown one is answered with the nearest."""
        if args and not args[0].startswith("-") and args[0] not in VERBS:
            raise click.UsageError(f"no verb {args[0]!r}; {suggest(args[0], VERBS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])


@click.group(
    cls=Verbs,
    epilog=_EPILOG,
    subcommand_metavar="VERB ...",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="musae", message="%(prog)s %(version)s")
def cli() -> None:
    """Autoencoders for music, pictures and sound: melodies, digits or tones that turn into one
    another.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing to write.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; errors are one or two lines on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    open_standard_streams()
    _leave_tidily()
    try:
        # click wants its own exit handling off to let errors through; what comes back is a verb's
        # exit code or None.
        result = cli.main(given, prog_name="musae", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except BrokenPipeError:
        mute(sys.stdout)
        return 0
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    except Exception as error:
        return _failed(error, traceback="-v" in given or "--verbose" in given)


def _leave_tidily() -> None:
    """Let what asks the process to end unwind the stack, so that files that are half written go."""
    if threading.current_thread() is not threading.main_thread():
        return

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if (
            number is not None and signal.getsignal(number) == signal.SIG_DFL
        ):  # nohup has it ignored
            signal.signal(number, leave)


def _failed(error: Exception, traceback: bool) -> int:
    """Report an error and return the exit code."""
    if (
        isinstance(error, click.UsageError) and type(error).__name__ == "NoArgsIsHelpError"
    ):  # of click 8.2 and later
        echo(error.ctx.get_help() if error.ctx else "")
        return 0 if error.ctx is not None and error.ctx.parent is None else 2
    if traceback and not isinstance(error, click.ClickException):
        import traceback as tracebacks

        tracebacks.print_exception(error)
    if isinstance(error, click.UsageError):
        where = f" ({error.ctx.command_path} --help)" if error.ctx is not None else ""
        return _say(_lower(error.format_message()).rstrip(".") + where, error.exit_code)
    if isinstance(error, click.ClickException):
        return _say(error.format_message(), error.exit_code)
    if isinstance(error, MusaeError):
        return _say(str(error), error.exit_code)
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        return _say("this needs torch, which is not installed; pip install musae has it", 1)
    known = explain(error)
    if known is not None:
        mute(sys.stdout)  # it may be what failed, and is flushed once more when the program ends
        return _say(known, 1)
    hint = "" if traceback else "; -v shows where"
    return _say(
        f"unexpected {type(error).__name__}: {' '.join(str(error).split()) or 'no message'}{hint}",
        1,
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _say(message: str, code: int) -> int:
    echo(f"musae: {shortened(message)}", err=True)
    return code
