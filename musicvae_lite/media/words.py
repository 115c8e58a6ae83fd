"""Words in files of the wild.

Decoded from whatever code page they were written in, and safe to print.

What is no UTF-8 is decoded with one code page for all words of a file. Names are short, and a
detector that knows statistics of long texts takes most of them for something else ("Für Elise" for
Chinese). So the script is looked at first: kana, Hangul, Cyrillic, and accented letters that stand
alone among others. What is none of these goes to charset-normalizer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# Accented letters, quotes and signs of Windows' Latin-1, at most two in a row.
_LATIN = re.compile(
    rb"[\x00-\x7f]*(?:[\x85\x91-\x97\x99\xa0\xa1\xa9\xab\xae\xb0\xb4\xbb\xbf-\xff]{1,2}(?:[\x00-\x7f]+|$))+"
)
_HALF_KANA = "\uff61-\uff9f"
# A code page, and what all words read in it look like.
_SCRIPTS = (
    (
        "shift_jis",
        re.compile(
            "[\x00-\x7f\u3000-\u30ff\u4e00-\u9fff\uff01-\uff5e]*[\u3041-\u30fe][^\x80-\u2fff\ue000-\uf8ff]*"
        ),
    ),
    ("euc_kr", re.compile("[\x00-\x7f\u3000-\u303f\uac00-\ud7a3]+")),
    ("shift_jis", re.compile("[\x00-\x7f\u3000-\u303f\u4e00-\u9fff\uff01-\uff5e]+")),
    ("cp949", re.compile("[\x00-\x7f\u3000-\u303f\uac00-\ud7a3]+")),
    ("shift_jis", re.compile(f"[\x00-\x7f{_HALF_KANA}]+")),
    (
        "cp1251",
        re.compile(
            "(?:[\x00-\x7f]|\u00b9|\\b[\u0401\u0410-\u044f\u0451][\u0430-\u044f\u0451]*\\b|[\u0410-\u042f]+)+"
        ),
    ),
)
# A detector that may choose among a hundred code pages finds Latin-1 names to be Baltic.
_CODE_PAGES = ["shift_jis", "cp949", "cp1252", "big5", "gb18030", "cp1251", "cp1250"]
_ENOUGH = 4000  # bytes that are looked at
# Controls (C0, C1 and delete), marks that change the direction of what follows, and halves of
# characters.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


def decoded(words: Sequence[bytes]) -> list[str]:
    """Return the words of a file as text, those that are not UTF-8 all from one code page."""
    foreign = [word for word in dict.fromkeys(words) if _as(word, "utf-8") is None]
    page = _code_page(b"\n".join(foreign)[:_ENOUGH]) if foreign else "utf-8"
    return [_decoded(word, page) for word in words]


def printable(text: str) -> str:
    """Return text on one line without control characters: what is printed can steer a terminal."""
    return _CONTROLS.sub(" ", text).strip()


def _decoded(word: bytes, page: str) -> str:
    found = (_as(word, codec) for codec in ("utf-8", page, "latin-1"))
    return next(text for text in found if text is not None)


def _as(word: bytes, codec: str) -> str | None:
    try:
        return word.decode(codec)
    except UnicodeDecodeError:
        return None


def _code_page(sample: bytes) -> str:
    if _LATIN.fullmatch(sample):
        return "cp1252"
    for page, script in _SCRIPTS:
        text = _as(sample, page)
        if text is not None and script.fullmatch(text):
            return page
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=_CODE_PAGES, threshold=0.5).best()
    return best.encoding if best is not None else "latin-1"
