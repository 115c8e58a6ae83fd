"""Latent vectors in .npz files: written, and read from files that may come from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musae.outputs import shortened
from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import atomic_output
from musicvae_lite.media.arrays import read_arrays

if TYPE_CHECKING:
    from musae.job import Job
    from musicvae_lite.music.conditioning.conditions import Conditions

_MAX_BAR = _MAX_INDEX = 2**32 - 1
_MAX_NAME = 200  # bytes; file systems take 255, and a number and a suffix follow


def save_latents(
    path: Path, tables: Sequence[Mapping[str, NDArray[Any]]], model: str, overwrite: bool
) -> dict[str, NDArray[Any]]:
    """Write the tables one after another and return the joined arrays.

    The same rows give the same bytes.
    """
    arrays = {key: np.concatenate([table[key] for table in tables]) for key in tables[0]}
    with atomic_output(path, overwrite) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, model=np.array(model), **arrays)
    return arrays


@dataclass(frozen=True, eq=False)
class Table:
    """Latent vectors and where they came from; N rows.

    Attributes:
        mean: [N, Z].
        source: names of files [N].
        bar: first bar of each window, 1-based [N]; 0 where that is not known.
        qpm: tempo [N].
        program: General MIDI program [N].
        index: place of each picture in its source [N]; -1 where that is not known.
        label: class of each picture [N]; -1 where that is not known.
        model: the model that made them, or "".
        told: what the model was told of each window, classes [N, G, K]; None where that is not
            known.
    """

    mean: NDArray[np.float32]
    source: NDArray[np.str_]
    bar: NDArray[np.int64]
    qpm: NDArray[np.float64]
    program: NDArray[np.int64]
    index: NDArray[np.int64]
    label: NDArray[np.int64]
    model: str
    told: NDArray[Any] | None = None

    def warn_of_other(self, job: Job, name: str) -> None:
        """Warn where another model made the codes of the file ``name``."""
        if self.model not in ("", job.model):
            job.console.warn(f"{name} was encoded with model {self.model}, not with {job.model}")

    def told_to(self, conditions: Conditions, name: str) -> NDArray[np.uint8]:
        """Return what a model is to be told of each window, classes [N, G, K].

        No chord where the file ``name`` does not say.

        Raises:
            MusaeError: what the file says does not fit the model.
        """
        silent = conditions.over(None, len(self.mean))
        if self.told is None or not conditions.control:
            return silent
        sizes = np.array(conditions.control.sizes)
        if (
            self.told.shape != silent.shape
            or self.told.dtype.kind not in "iu"
            or not ((self.told >= 0) & (self.told < sizes)).all()
        ):
            found = f"{self.told.dtype} {list(self.told.shape)}"
            wanted = f"classes below {sizes.tolist()}, {list(silent.shape)}"
            raise MusaeError(f"{name}: 'told' is {found}; {conditions.name} is told {wanted}")
        return self.told.astype(np.uint8)

    def groups(self) -> list[tuple[str, NDArray[np.int64]]]:
        """Return a file name (without suffix) and the rows of every source, in order of the
        sources' first rows.

        Where two sources give one name, the later ones are numbered: x, x-2.
        """
        names, first, place = np.unique(self.source, return_index=True, return_inverse=True)
        order = np.argsort(first).tolist()
        stems = numbered([safe_stem(str(names[i])) for i in order])
        return [(stem, np.flatnonzero(place == i)) for stem, i in zip(stems, order, strict=True)]

    def bars(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return the bars of some rows if they rise from row to row, else None."""
        bars = self.bar[rows]
        return bars if bars[0] > 0 and bool((np.diff(bars) > 0).all()) else None


def safe_stem(source: str) -> str:
    """Return a file name without suffix and without anything that could lead elsewhere."""
    stem = PurePosixPath(source.replace("\\", "/")).stem
    clean = "".join(c if c.isprintable() and c not in '/:*?"<>|' else "_" for c in stem)
    return shortened(clean, _MAX_NAME).strip(". ") or "latent"


def numbered(stems: list[str]) -> list[str]:
    """Make names differ, also where upper and lower case are one.

    A name that occurs once stays as it is.
    """
    taken = {stem.casefold() for stem in stems}
    seen: set[str] = set()
    result = []
    for stem in stems:
        name, number = stem, 2
        if stem.casefold() in seen:
            while (name := f"{stem}-{number}").casefold() in taken:
                number += 1
        seen.add(name.casefold())
        taken.add(name.casefold())
        result.append(name)
    return result


def read_latents(path: Path) -> Table:
    """Read latents that ``musae encode`` (or anyone's ``numpy.savez``) wrote.

    Pickled objects are refused.

    Raises:
        MusaeError: no such file, no .npz file, or its arrays do not fit together; which one is
            named.
    """
    arrays = read_arrays(path)
    if "mean" not in arrays:
        raise MusaeError(f"{path}: holds no array 'mean'; 'musae encode' writes such files")
    mean = arrays["mean"]
    if mean.ndim != 2 or not len(mean) or not np.issubdtype(mean.dtype, np.floating):
        raise MusaeError(
            f"{path}: 'mean' is {mean.dtype} {list(mean.shape)}; it must be real numbers [N, Z]"
        )
    if not np.isfinite(mean).all():
        raise MusaeError(f"{path}: 'mean' has numbers that are not finite")
    if np.abs(mean).max() > np.finfo(np.float32).max:
        raise MusaeError(
            f"{path}: 'mean' has numbers beyond 3.4e38, which models (float32) cannot hold"
        )
    count = len(mean)
    column = _Columns(path, arrays, count)
    model = arrays.get("model", np.array(""))
    return Table(
        mean.astype(np.float32),
        column.text("source", path.stem),
        column.whole("bar", 0, _MAX_BAR, 0),
        column.real("qpm", 1.0, 1e5, 120.0),
        column.whole("program", 0, 127, 0),
        column.whole("index", -1, _MAX_INDEX, -1),
        column.whole("label", -1, _MAX_INDEX, -1),
        str(model) if model.ndim == 0 and model.dtype.kind == "U" else "",
        arrays.get("told"),
    )


@dataclass(frozen=True)
class _Columns:
    """The arrays beside ``mean``, each of N values in a range, or a default."""

    path: Path
    arrays: dict[str, NDArray[Any]]
    count: int

    def whole(self, name: str, low: int, high: int, default: int) -> NDArray[np.int64]:
        return self._get(name, default, "iu", low, high).astype(np.int64)

    def real(self, name: str, low: float, high: float, default: float) -> NDArray[np.float64]:
        return self._get(name, default, "fiu", low, high).astype(np.float64)

    def text(self, name: str, default: str) -> NDArray[np.str_]:
        return self._get(name, default, "U", None, None)

    def _get(
        self, name: str, default: Any, kinds: str, low: float | None, high: float | None
    ) -> NDArray[Any]:
        array = self.arrays.get(name)
        if array is None:
            return np.full(self.count, default)
        if array.shape != (self.count,) or array.dtype.kind not in kinds:
            found = f"{array.dtype} {list(array.shape)}"
            raise MusaeError(
                f"{self.path}: {name!r} is {found}; there must be one value for each of "
                f"{self.count} rows"
            )
        if low is not None and high is not None and not ((array >= low) & (array <= high)).all():
            raise MusaeError(f"{self.path}: {name!r} has values outside {low:g} to {high:g}")
        return array
