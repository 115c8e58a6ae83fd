"""A prepared corpus that may lie about itself: its manifest, the sizes of its parts and the numbers
in them are checked when it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError

if TYPE_CHECKING:
    from musicvae_lite.music.codec import ScoreCodec
    from musicvae_lite.music.conditioning.control import Control

_MOST_PARTS = 10**6  # 256 million files
#: Windows of a part differ from one another, and where each is from is told beside it: there is no
#: way to write four of them in a byte.
_WINDOWS_PER_BYTE = 4
_COUNTS = ("files", "used", "windows", "distinct")
#: What the manifest of a finished corpus has beside the rest.
_TOTALS = (*_COUNTS, "train", "valid", "valid_in_train")


def check_manifest(tree: Mapping[str, Any], path: Path) -> None:
    """Refuse a manifest whose entries are not what they must be.

    Raises:
        MusaeError: naming the first.
    """
    wrong = _wrong_entry(tree)
    if wrong:
        raise MusaeError(f"{path}: is damaged ({wrong}); prepare the corpus again with --overwrite")


def check_totals(tree: Mapping[str, Any], path: Path) -> None:
    """Refuse the manifest of a finished corpus without its counts.

    Raises:
        MusaeError: naming what is missing.
    """
    missing = {*_TOTALS, "sources", "dropped", "fingerprint"} - tree.keys()
    if missing:
        raise MusaeError(
            f"{path}: is damaged (no {min(missing)}); prepare the corpus again with --overwrite"
        )


def _wrong_entry(tree: Mapping[str, Any]) -> str:
    if not _is_count(tree.get("parts"), _MOST_PARTS):
        return f"parts is {_told(tree.get('parts'))}, not a number of files"
    for key, kind in (("codec", dict), ("control", dict), ("complete", bool), ("rights", str)):
        if not isinstance(tree.get(key, kind()), kind):
            return f"{key} is {_told(tree[key])}"
    if not isinstance(tree.get("fingerprint", ""), str):
        return f"fingerprint is {_told(tree['fingerprint'])}"
    if any(not _is_count(tree.get(key, 0)) for key in _TOTALS):
        return "a count of files or windows is no number"
    sources, dropped = tree.get("sources", {}), tree.get("dropped", {})
    if not isinstance(dropped, dict) or not all(map(_is_count, dropped.values())):
        return "dropped does not hold numbers"
    if not isinstance(sources, dict) or not all(map(_is_source, sources.values())):
        return "sources do not hold numbers of files and windows"
    return ""


def _is_source(counts: Any) -> bool:
    return (
        isinstance(counts, dict)
        and set(counts) == set(_COUNTS)
        and all(map(_is_count, counts.values()))
    )


def _is_count(value: Any, most: int = 2**53) -> bool:
    return type(value) is int and 0 <= value <= most


def _told(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:36]} ..."


def check_size(path: Path, rows: int, row_bytes: int) -> int:
    """Refuse a part that states more windows than its file can hold; return their bytes in memory.

    Args:
        path: of the part.
        rows: number of windows that it states.
        row_bytes: bytes of one.

    Raises:
        ValueError: it states more.
    """
    if rows > _WINDOWS_PER_BYTE * path.stat().st_size:
        raise ValueError(f"it states {rows:,} windows, more than a file of its size can hold")
    return rows * row_bytes


def check_columns(columns: Mapping[str, Any], codec: ScoreCodec, control: Control) -> None:
    """Refuse windows that the codec of a corpus cannot have made, and numbers beside them that
    cannot be.

    Args:
        columns: of :class:`~musicvae_lite.music.data.corpus.Corpus`.
        codec: of the corpus.
        control: of the corpus.

    Raises:
        ValueError: saying which.
    """
    windows, told = columns["windows"], columns["told"]
    if windows.shape[1:] != codec.shape:
        raise ValueError(f"windows are {list(windows.shape[1:])}, the codec's {list(codec.shape)}")
    if told.shape[2] != len(control.sizes) or (control and told.shape[1] != codec.grid_steps):
        raise ValueError("what is told of the windows does not fit the manifest")
    if codec.dtype.kind == "f":
        if windows.dtype.kind != "f" or not bool((np.abs(windows) <= 1).all()):  # nor nan
            raise ValueError("a window holds numbers outside of -1 to 1")
    else:
        padding = codec.end is not None
        _check_classes(windows, [size + padding for size in codec.sizes], "tokens")
    if control.sizes:
        _check_classes(told, control.sizes, "chords or keys")
    for name in ("source", "group"):
        _check_range(columns[name], 0, len(columns[name + "s"]) - 1, name)
    for name, low, high in (("low", -127, 0), ("high", 0, 127), ("track", 0, 2**16 - 1)):
        _check_range(columns[name], low, high, name)
    _check_range(columns["bar"], 0, 2**32 - 1, "bar")
    if columns["valid"].dtype != np.bool_:
        raise ValueError(f"valid holds {columns['valid'].dtype}")


def _check_classes(array: NDArray[Any], sizes: Any, name: str) -> None:
    if array.dtype.kind not in "iu" or array.dtype.itemsize > 4:
        raise ValueError(f"{name} are {array.dtype}")
    if len(sizes) == 1:
        _check_range(array, 0, sizes[0] - 1, name)
        return
    for number, size in enumerate(sizes):
        _check_range(array[..., number], 0, size - 1, name)


def _check_range(array: NDArray[Any], low: int, high: int, name: str) -> None:
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} holds {array.dtype}, or nothing in some rows")
    if array.size and not low <= int(array.min()) <= int(array.max()) <= high:
        raise ValueError(
            f"{name} goes from {array.min()} to {array.max()}, outside of {low} to {high}"
        )
