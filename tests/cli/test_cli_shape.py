"""Help, names, exit codes; what holds for every verb."""

import json
import subprocess
import sys

import click
import numpy as np
import pytest
from musae.app import VERBS, Verbs, cli
from musae.options import DEFAULT_MODEL, Console

import musicvae_lite
from musicvae_lite.model_dir.bundle import DEFAULT_MODEL as LIBRARY_DEFAULT

HEAVY = ("torch", "symusic", "matplotlib", "pyarrow", "pydantic", "rich", "numpy")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["interpolate", "--help"], 0),
        (["train", "--help"], 0),
        (["denoise", "--help"], 0),
        (["plot", "--help"], 0),
        (["plot", "x", "--only", "everything"], 2),
        (["interpolat"], 2),
        (["interpolate", "a.mid", "b.mid", "--steps", "-3"], 2),
        (["prepare", "x", "-o", "y", "--shard", "3/2"], 2),
    ],
)
def test_help_and_usage_errors_import_nothing_heavy(arguments, code):
    program = f"""if True:
        import sys
        from musae.app import main
        code = main({arguments!r})
        print([name for name in {HEAVY!r} if name in sys.modules], code)"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == f"[] {code}", done.stdout + done.stderr


def test_bad_input_is_told_before_torch_is_loaded(tiny, tmp_path):
    (tmp_path / "no.mid").write_text("this is text")
    program = f"""if True:
        import sys
        from musae.app import main
        code = main(["interpolate", {str(tmp_path / "no.mid")!r}, "b.mid", "-m", {str(tiny)!r}])
        print("torch" in sys.modules, code)"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False 1\n" and "not a MIDI file" in done.stderr


def test_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "musae", "reconstrct"], capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stdout == ""
    assert (
        done.stderr == "musae: no verb 'reconstrct'; did you mean 'reconstruct'? (musae --help)\n"
    )


def test_closed_pipe_is_no_error():
    program = f"{sys.executable} -m musae presets cat-mel_2bar_big | head -c 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {program}"], capture_output=True, text=True
    )
    assert done.stderr == "" and done.returncode == 0


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_examples_and_the_common_options(musae, verb):
    run = musae(verb, "--help")
    assert run.code == 0 and f"musae {verb}" in run.out.split("Examples:")[1]
    group = cli
    assert isinstance(group, Verbs)
    command = group.get_command(click.Context(group), verb)
    assert command is not None and command.name == verb
    own = (
        [[verb, name] for name in command.commands]
        if isinstance(command, click.Group)
        else [[verb]]
    )
    for names in own:
        text = musae(*names, "--help").out
        assert all(option in text for option in ("--json", "--quiet", "--verbose"))


@pytest.mark.parametrize(
    "verb", ["interpolate", "reconstruct", "denoise", "sample", "encode", "decode"]
)
def test_verbs_that_use_a_model_share_options(musae, verb):
    text = musae(verb, "--help").out
    assert all(
        option in text for option in ("--model", "--device", "--seed", "--output", "--overwrite")
    )


def test_no_arguments_show_the_help(musae):
    run = musae()
    assert run.code == 0 and "interpolate" in run.out and run.err == ""


def test_version_is_that_of_the_package(musae):
    assert musae("--version").out == f"musae {musicvae_lite.__version__}\n"
    assert DEFAULT_MODEL == LIBRARY_DEFAULT


def test_options_that_are_wrong_name_themselves(musae):
    for arguments, word in [
        (("interpolate", "a.mid"), "B.mid"),
        (("interpolate", "a.mid", "b.mid", "--steps", "1"), "--steps"),
        (("interpolate", "a.mid", "b.mid", "--stps", "9"), "--steps"),
        (("interpolate", "a.mid", "b.mid", "--bar", "1,2,3"), "--bar"),
        (("interpolate", "a.mid", "b.mid", "--track", "0"), "--track"),
        (("interpolate", "a.mid", "b.mid", "--device", "tpu"), "--device"),
        (("interpolate", "a.mid", "b.mid", "--temperature", "-1"), "--temperature"),
        (("interpolate", "a.mid", "b.mid", "--seed", "-1"), "--seed"),
        (("sample", "--count", "0"), "--count"),
    ]:
        run = musae(*arguments)
        assert (
            run.code == 2 and run.out == "" and word in run.err and run.err.startswith("musae: ")
        ), arguments
        assert len(run.err.splitlines()) <= 2


def test_unexpected_failure_is_one_line_unless_verbose(musae, monkeypatch):
    def fail():
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("musicvae_lite.config.preset_names", fail)
    run = musae("presets")
    assert (
        run.code == 1 and run.err == "musae: unexpected ZeroDivisionError: oops; -v shows where\n"
    )
    assert "Traceback" in musae("presets", "-v").err


def test_interrupt_ends_quietly(musae, monkeypatch):
    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr("musicvae_lite.config.preset_names", stop)
    run = musae("presets")
    assert (
        run.code == 130 and run.out == run.err.strip() == ""
    )  # click ends the line on which ^C stands


def test_documents_hold_no_number_that_json_does_not_know(capsys):
    Console(json=True, quiet=False, verbose=False).document(
        {"a": float("nan"), "b": [1.5, (float("-inf"),)], "c": {"d": np.float64("inf")}}
    )
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "a": None,
        "b": [1.5, [None]],
        "c": {"d": None},
    }
