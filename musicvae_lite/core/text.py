"""Text from anywhere, made fit to be printed and stored: no escape codes, no endless messages."""

from __future__ import annotations

import re

#: Characters of a message; a longer one is cut in its middle.
MESSAGE = 500

# What a terminal obeys (C0 and C1 but tab and line feed, DEL), what turns the direction of writing
# (Trojan Source, CVE-2021-42574), line ends that are none, and surrogates, which are how Python
# holds bytes of a file name that are not UTF-8.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")


def shown(text: str) -> str:
    r"""Return text that can be printed and stored, whoever wrote it.

    Control characters but tab and line feed become ``\x1b`` or ``\u202e``, bytes of file names that
    are not UTF-8 become U+FFFD.
    """
    if text.isprintable():  # the usual case, and quick; surrogates are not printable either
        return text
    return _OBEYED.sub(_named, _SURROGATES.sub("\ufffd", text))


def one_line(text: str) -> str:
    r"""Return :func:`shown` text without line feeds and tabs (``\n``, ``\t``): for a cell of a
    table or a name in a line.
    """
    return shown(text).replace("\n", "\\n").replace("\t", "\\t")


def message(text: str) -> str:
    """Return :func:`shown` text of at most :data:`MESSAGE` characters; its beginning (what and
    where) and its end (what to do) stay.
    """
    if len(text) <= MESSAGE:
        text = shown(text)
    if len(text) <= MESSAGE:
        return text
    # Cut before and after: text of any length is not searched whole, and an escape counts four.
    first, last = shown(text[:MESSAGE]), shown(text[-MESSAGE:])
    return first[: MESSAGE * 3 // 5 - 5] + " ... " + last[-MESSAGE * 2 // 5 :]


def _named(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
