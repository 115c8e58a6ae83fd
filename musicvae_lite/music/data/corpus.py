"""Prepared corpora: Parquet parts with a manifest in a folder, loaded whole into memory, drawn from
in reproducible batches.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.config import RunConfig
from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.files import read_json
from musicvae_lite.core.limits import UNPACKED_BYTES, check_regular, check_unpacked
from musicvae_lite.music.codec import ScoreCodec, score_codec
from musicvae_lite.music.conditioning.control import Control
from musicvae_lite.music.data.checks import check_columns, check_manifest, check_size, check_totals

#: Makes inputs of windows that are the examples (rows) of an epoch: (windows, rows [N], seed,
#: epoch) to windows.
MakeInputs = Callable[[NDArray[Any], NDArray[np.int64], int, int], NDArray[Any]]

FORMAT = "musae-corpus"
VERSION = 1
MANIFEST = "manifest.json"
#: Columns of one number a window.
_NUMBERS = ("track", "bar", "low", "high", "valid", "tune")


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's data.

    Attributes:
        x: what the encoder sees [B, T] or [B, T, K].
        target: what the decoder is asked for, same shape.
        length: steps of each example [B], or None when all are whole.
        condition: what both are told [B, G, C] (G steps of time: T, but where steps are events), or
            None.
    """

    x: NDArray[Any]
    target: NDArray[Any]
    length: NDArray[Any] | None = None
    condition: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class Corpus:
    """Distinct windows with where they came from.

    Attributes:
        codec: the codec that made the windows and can read them.
        windows: [N, T] (or [N, T, K]).
        low: lowest transposition in semitones that keeps the window in range, int8 [N], <= 0.
        high: highest, int8 [N], >= 0.
        valid: whether the window belongs to the validation songs [N]; one that also occurs in a
            training song does not.
        source: index into ``sources`` [N].
        group: index into ``groups`` [N]; windows of one group are of one song.
        track: index of the track in its file [N].
        bar: 0-based bar of the piece [N].
        sources: names of the files.
        groups: names of the song groups.
        control: what is told beside the windows.
        tune: how much the track is like a tune, 0 to 1 [N]; NaN where it was not scored: drums, and
            corpora of earlier versions. See :mod:`musicvae_lite.music.tune`.
        told: classes of that, uint8 [N, G, K], at each step of time; K is 0 where nothing is told.
    """

    codec: ScoreCodec
    windows: NDArray[Any]
    low: NDArray[np.int8]
    high: NDArray[np.int8]
    valid: NDArray[np.bool_]
    source: NDArray[np.int32]
    group: NDArray[np.int32]
    track: NDArray[np.uint16]
    bar: NDArray[np.uint32]
    sources: tuple[str, ...]
    groups: tuple[str, ...]
    control: Control
    told: NDArray[np.uint8]
    tune: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    def __post_init__(self) -> None:
        if len(self.tune) != len(self.windows):
            unscored = np.full(len(self.windows), np.nan, np.float32)
            object.__setattr__(self, "tune", unscored)

    def __len__(self) -> int:
        return len(self.windows)

    @classmethod
    def open(cls, path: str | Path | Sequence[str | Path]) -> Corpus:
        """Load one prepared corpus, or several of one codec and control joined.

        Exact duplicates across parts and folders are kept once, the first training copy before any
        validation copy, so that the result does not depend on how the preparation was divided.

        Raises:
            MusaeError: if a folder is no corpus, damaged, not prepared to the end, or holds no
                windows.
            UsageError: if the corpora were prepared with different codecs or controls.
        """
        paths = [Path(path)] if isinstance(path, str | Path) else [Path(p) for p in path]
        if not paths:
            raise UsageError("name at least one corpus")
        manifests = [read_manifest(folder) for folder in paths]
        for folder, manifest in zip(paths[1:], manifests[1:], strict=True):
            if control_of(manifest) != control_of(manifests[0]):
                raise UsageError(
                    f"{folder}: tells of other things (chords, key) beside the music than "
                    f"{paths[0]}; see its preset"
                )
            if manifest["codec"] != manifests[0]["codec"]:
                raise UsageError(
                    f"{folder}: was prepared with another codec than {paths[0]}: "
                    f"{_difference(manifests)}"
                )
        parts = [
            part
            for folder, manifest in zip(paths, manifests, strict=True)
            for part in _all_parts(folder, manifest)
        ]
        codec, control = score_codec(manifests[0]["codec"]), control_of(manifests[0])
        columns = _join(_checked_parts(parts, codec, control)) if parts else {}
        if not columns or not len(columns["windows"]):
            raise MusaeError(
                f"{paths[0]}: the corpus holds no windows; look at the reasons that `musae "
                "prepare` gives"
            )
        corpus = cls(codec=codec, control=control, **columns)
        return corpus.take(distinct(as_bytes(corpus.windows, corpus.told), corpus.valid))

    def take(self, rows: NDArray[Any]) -> Corpus:
        """Return the windows at ``rows`` (indices or mask)."""
        names = ("windows", "told", "source", "group", *_NUMBERS)
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def split(self, name: Literal["train", "valid"]) -> Corpus:
        """Return the training or the validation windows.

        Songs are on one side or the other, never on both.

        Raises:
            UsageError: for another name.
        """
        if name not in ("train", "valid"):
            raise UsageError(f"split {name!r} is not known; valid: train, valid")
        return self.take(self.valid if name == "valid" else ~self.valid)

    def batches(
        self,
        size: int,
        seed: int,
        epoch: int,
        transpose: tuple[int, int] | None = (-5, 6),
        rank: int = 0,
        world: int = 1,
        inputs: MakeInputs | None = None,
    ) -> Iterator[Batch]:
        """Yield the batches of one epoch: all windows in random order, what is left over at the end
        dropped.

        A function of its arguments: the same ones give the same batches, so that resuming is exact.

        Args:
            size: examples of a batch over all ranks.
            seed: of the run.
            epoch: number of the pass, from 0.
            transpose: semitones (first, last) to draw a transposition from, within each window's
                own limits; None for none.
            rank: which slice of every batch to give, 0 to world - 1.
            world: number of slices.
            inputs: makes what the encoder sees; default the windows themselves.

        Raises:
            MusaeError: if there are fewer windows than ``size``.
            UsageError: if ``size`` cannot be divided by ``world``.
        """
        if size < 1 or world < 1 or size % world or not 0 <= rank < world:
            raise UsageError(
                f"a batch of {size} cannot be divided over {world} processes (this is number "
                f"{rank})"
            )
        if len(self) < size:
            advice = (
                f"prepare more files or set a batch of {len(self)} or less"
                if len(self)
                else "prepare more files"
            )
            raise MusaeError(
                f"the corpus has {len(self)} windows here, fewer than one batch of {size}; {advice}"
            )
        return self._batches(size, seed, epoch, transpose, rank, world, inputs)

    def _batches(
        self,
        size: int,
        seed: int,
        epoch: int,
        transpose: tuple[int, int] | None,
        rank: int,
        world: int,
        inputs: MakeInputs | None,
    ) -> Iterator[Batch]:
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
        order = generator.permutation(len(self))
        draw = generator.random(len(self))
        share = size // world
        for start in range(rank * share, len(self) - len(self) % size, size):
            rows = order[start : start + share]
            x, told = self.windows[rows], self.told[rows]
            if transpose is not None:
                # No transposition at all is always allowed, also where the range does not hold it.
                low = np.clip(self.low[rows].astype(np.int64), min(transpose[0], 0), 0)
                high = np.clip(self.high[rows].astype(np.int64), 0, max(transpose[1], 0))
                semitones = low + np.floor(draw[start : start + share] * (high - low + 1)).astype(
                    np.int64
                )
                x, told = (
                    self.codec.transpose(x, semitones),
                    self.control.transposed(told, semitones),
                )
            condition = self.control.numbers(told) if self.control else None
            yield Batch(
                x if inputs is None else inputs(x, rows, seed, epoch), x, condition=condition
            )


def distinct(rows: Sequence[bytes], valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return which windows to keep, given as bytes, so that every one occurs once, in order.

    Of equal windows the first training one stays; the first validation one if there is none.
    """
    first: dict[bytes, int] = {}
    for index in np.concatenate([np.flatnonzero(~valid), np.flatnonzero(valid)]).tolist():
        first.setdefault(rows[index], index)
    return np.sort(np.fromiter(first.values(), np.int64, len(first)))


def as_bytes(windows: NDArray[Any], told: NDArray[np.uint8]) -> list[bytes]:
    """Return each window, with what is told beside it, as bytes, to compare and hash it."""
    rows = _bytes(windows)
    return [row + more for row, more in zip(rows, _bytes(told), strict=True)] if told.size else rows


def _bytes(array: NDArray[Any]) -> list[bytes]:
    data = np.ascontiguousarray(array).tobytes()
    size = int(np.prod(array.shape[1:])) * array.itemsize
    return [data[start : start + size] for start in range(0, len(data), size)]


def control_of(manifest: dict[str, Any]) -> Control:
    """Return what a corpus tells beside its windows.

    The manifest of one that tells nothing does not speak of it.
    """
    return Control.of_config(manifest.get("control"))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest of a corpus.

    Raises:
        MusaeError: if there is no corpus, it is damaged, or it was written by a newer version.
    """
    path = folder / MANIFEST
    if not os.path.isdir(folder):  # Path.is_dir raises where a name is too long
        raise MusaeError(
            f"{folder}: no such folder; prepare a corpus with `musae prepare FOLDER -o {folder}`"
        )
    absent = f"{folder}: is no prepared corpus (no {MANIFEST}); make one with `musae prepare`"
    manifest = read_json(path, absent, "prepare the corpus again with --overwrite")
    if manifest.get("format") != FORMAT or not {"codec", "parts"} <= manifest.keys():
        raise MusaeError(f"{path}: is not the manifest of a corpus (its format is not {FORMAT!r})")
    if manifest.get("version") != VERSION:
        found = manifest.get("version")
        raise MusaeError(
            f"{path}: has format version {found}, this program reads {VERSION}; prepare the "
            "corpus again"
        )
    check_manifest(manifest, path)
    return manifest


def codec_differences(config: RunConfig, corpus: Corpus) -> str:
    """Say in which settings the codec of a corpus is not that of a run, or return ""."""
    wanted, there = config.codec.model_dump(mode="json"), corpus.codec.config()
    keys = [key for key in {**wanted, **there} if wanted.get(key) != there.get(key)]
    return ", ".join(f"{key} is {there.get(key)}, the run needs {wanted.get(key)}" for key in keys)


def part_path(folder: Path, number: int) -> Path:
    """Return where a part of a corpus is."""
    return folder / f"part-{number:05d}.parquet"


def _all_parts(folder: Path, manifest: dict[str, Any]) -> list[Path]:
    """Return the parts of a corpus, which must all be there and belong to it."""
    count, fingerprint = manifest["parts"], manifest.get("fingerprint")
    there = set(
        os.listdir(folder)
    )  # a manifest may name more parts than can be asked for one by one
    paths = [
        path
        for path in (part_path(folder, number) for number in range(min(count, len(there))))
        if path.name in there
    ]
    # Parts of earlier versions name no fingerprint.
    parts = [
        path for path in paths if read_facts(path).get("fingerprint", fingerprint) == fingerprint
    ]
    if len(parts) < count or not manifest.get("complete"):
        cure = "run the same `musae prepare` again (or the missing shards)"
        raise MusaeError(
            f"{folder}: the corpus is incomplete: {len(parts)} of {count} parts; {cure}"
        )
    if parts:
        check_totals(manifest, folder / MANIFEST)
    return parts


def load_writer() -> None:
    """Import pyarrow now, so that the first part need not wait for it."""
    import pyarrow.parquet  # noqa: F401


def write_part(path: Path, table: dict[str, Any], facts: dict[str, Any]) -> None:
    """Write the rows of one part.

    ``table`` holds the columns of a :class:`Corpus`, names (not indices) for source and group.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    windows = np.ascontiguousarray(table["windows"])
    width = int(np.prod(windows.shape[1:]))
    columns = {"tokens": pa.FixedSizeListArray.from_arrays(pa.array(windows.ravel()), width)}
    told = np.ascontiguousarray(table["told"])
    shapes = {"shape": list(windows.shape[1:])}
    if told.shape[-1]:
        shapes["told"] = list(told.shape[1:])
        columns["told"] = pa.FixedSizeListArray.from_arrays(
            pa.array(told.ravel()), int(np.prod(told.shape[1:]))
        )
    for name in ("source", "sha256", "group"):
        codes, names = _without_repeats(*table[name])
        columns[name] = pa.DictionaryArray.from_arrays(
            pa.array(codes, pa.int32()), pa.array(names, pa.string())
        )
    for name in _NUMBERS:
        columns[name] = pa.array(table[name])
    metadata = {"musae": json.dumps({**shapes, **facts}, sort_keys=True)}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path, compression="zstd")


def _without_repeats(codes: NDArray[Any], names: list[str]) -> tuple[NDArray[np.int32], list[str]]:
    """Name every name once, and only those in use.

    A dictionary with repeats is not written the same way every time.
    """
    index: dict[str, int] = {}
    new = np.zeros(len(names), np.int32)
    for code in dict.fromkeys(codes.tolist()):
        new[code] = index.setdefault(names[code], len(index))
    return new[codes], list(index)


def read_facts(path: Path) -> dict[str, Any]:
    """Return what :func:`write_part` was told about a part."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        check_regular(path)
        facts: dict[str, Any] = json.loads(pq.read_schema(path).metadata[b"musae"])
        if not isinstance(facts, dict):
            raise TypeError("its facts are no JSON object")
        return facts
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def read_windows(path: Path) -> tuple[list[bytes], NDArray[np.bool_]]:
    """Return the windows of a part as bytes (see :func:`as_bytes`), and which of them are of
    validation songs.
    """
    columns = _read_part(path, names=(), numbers=("valid",))
    return as_bytes(columns["windows"], columns["told"]), columns["valid"]


def _checked_parts(
    parts: Sequence[Path], codec: ScoreCodec, control: Control
) -> Iterator[dict[str, Any]]:
    """Yield the columns of parts, whose numbers are such as the codec makes."""
    left = UNPACKED_BYTES
    for path in parts:
        columns = _read_part(path, left=left)
        left -= columns["windows"].nbytes + columns["told"].nbytes
        flat = {
            **columns,
            **{name: columns[name][0] for name in ("source", "group")},
            **{name + "s": columns[name][1] for name in ("source", "group")},
        }
        try:
            check_columns(flat, codec, control)
        except ValueError as error:
            raise _damaged(path, error) from error
        yield columns


def _read_part(
    path: Path,
    names: tuple[str, ...] = ("source", "group"),
    numbers: tuple[str, ...] = _NUMBERS,
    left: int = UNPACKED_BYTES,
) -> dict[str, Any]:
    """Read the windows of a part with the columns of names (codes and dictionary) and of numbers
    that are wanted.

    ``left``: bytes of memory that its windows may take.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        check_regular(path)
        file = pq.ParquetFile(path)
        shapes = json.loads(file.schema_arrow.metadata[b"musae"])
        stated = sum(
            check_size(path, file.metadata.num_rows, _row_bytes(file.schema_arrow, column))
            for column in ("tokens", "told")
            if column in file.schema_arrow.names
        )
        check_unpacked(path, stated, left)
        lists = {"windows": ("tokens", shapes["shape"])} | (
            {"told": ("told", shapes["told"])} if "told" in shapes else {}
        )
        # read_table would import pyarrow.dataset, which takes longer than the reading
        there = [name for name in numbers if name in file.schema_arrow.names or name != "tune"]
        table = file.read([*(column for column, _ in lists.values()), *names, *there])
        columns: dict[str, Any] = {
            "told": np.zeros((table.num_rows, shapes["shape"][0], 0), np.uint8)
        }
        for name, (column, shape) in lists.items():
            cells = table[column].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            columns[name] = cells.reshape(-1, *shape)
        for name in names:
            column = table[name].combine_chunks()
            columns[name] = (
                column.indices.to_numpy(zero_copy_only=False),
                column.dictionary.to_pylist(),
            )
        if "tune" in numbers:  # parts of earlier versions have none
            columns["tune"] = np.full(table.num_rows, np.nan, np.float32)
        for name in there:
            columns[name] = table[name].to_numpy()
        if any(table[name].null_count for name in table.column_names):
            raise ValueError("some of its columns are empty in places")
    except MusaeError:
        raise
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from error
    except (IndexError, MemoryError, OverflowError, RecursionError) as error:
        raise _damaged(path, error) from error
    return columns


def _row_bytes(schema: Any, column: str) -> int:
    """Return the bytes of one row of a column of lists of one length.

    Raises:
        TypeError: it is another column.
    """
    kind = schema.field(column).type
    width, bits = getattr(kind, "list_size", None), getattr(kind.value_type, "bit_width", None)
    if width is None or bits is None:
        raise TypeError(f"{column} holds {kind}")
    return -(-int(width) * int(bits) // 8)


def _damaged(path: Path, error: Exception) -> MusaeError:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return MusaeError(
        f"{path}: damaged part of a corpus ({said}); delete it and run `musae prepare` again to "
        "make it anew"
    )


def _join(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Put the parts one after another, with common names for sources and groups."""
    parts = list(found)
    columns: dict[str, Any] = {}
    for name in ("windows", "told", *_NUMBERS):
        columns[name] = np.concatenate([part[name] for part in parts])
    for name, names in (("source", "sources"), ("group", "groups")):
        index: dict[str, int] = {}
        codes = []
        for part in parts:
            old, words = part[name]
            codes.append(
                np.array([index.setdefault(word, len(index)) for word in words], np.int32)[old]
            )
        columns[name], columns[names] = np.concatenate(codes), tuple(index)
    return columns


def _difference(manifests: list[dict[str, Any]]) -> str:
    """Name the codec settings that are not the same."""
    first = manifests[0]["codec"]
    for manifest in manifests[1:]:
        other = manifest["codec"]
        keys = [key for key in sorted({*first, *other}) if first.get(key) != other.get(key)]
        if keys:
            return ", ".join(f"{key} {other.get(key)} and {first.get(key)}" for key in keys)
    return ""
