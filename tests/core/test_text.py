import pickle

import pytest

from musicvae_lite.core.errors import ArgumentError, MusaeError, UsageError
from musicvae_lite.core.text import MESSAGE, message, one_line, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Menuett in G, 2. Satz", "Menuett in G, 2. Satz"),
        ("夜に駆ける ♪", "夜に駆ける ♪"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b2J", r"\x9b2J"),  # the C1 form of the same, which xterm obeys
        ("a\rb", r"a\x0db"),
        ("a\x00b\x7f", r"a\x00b\x7f"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("x\udce9y", "x\ufffdy"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ],
)
def test_what_a_terminal_obeys_is_shown(text, expected):
    assert shown(text) == expected


def test_one_line_has_no_line_end():
    assert one_line("a\nb\tc\x1b") == r"a\nb\tc\x1b"


def test_messages_are_short_and_keep_both_ends():
    text = "x.mid: " + "n" * 10**7 + "; name a shorter file"
    cut = message(text)
    assert len(cut) <= MESSAGE
    assert cut.startswith("x.mid: nnn") and cut.endswith("nnn; name a shorter file")
    assert message("a" * MESSAGE) == "a" * MESSAGE


def test_escapes_count_as_they_are_written():
    assert len(message("\x1b" * MESSAGE)) <= MESSAGE


@pytest.mark.parametrize("kind", [MusaeError, UsageError, ArgumentError])
def test_errors_are_printable_short_and_travel_between_processes(kind):
    error = kind("\x1b[2J" + "z" * 1000)
    assert "\x1b" not in str(error) and len(str(error)) <= MESSAGE
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
