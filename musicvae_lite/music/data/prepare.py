"""From MIDI files to a prepared corpus: in parallel, resumable, the same bytes for any number of
workers or shards.

The files are divided into parts of :data:`PART_FILES` files in order of name, no part across two
sources. A part becomes one Parquet file; which process or machine writes it makes no difference.
``shard=(i, n)`` writes every n-th part, into one folder.

Exact duplicates are dropped inside a part when it is written (one training and one validation copy
can stay), and across parts
when the corpus is opened: see :meth:`musicvae_lite.music.data.corpus.Corpus.open`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.config import RunConfig, load_config
from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.core.files import atomic_output, reason
from musicvae_lite.core.locks import LOCK, only_writer
from musicvae_lite.core.text import one_line
from musicvae_lite.media.midi import MidiError, Score, read_midi
from musicvae_lite.media.sources import MidiFile, Source, list_sources
from musicvae_lite.music.codec import Drop, Encoded, ScoreCodec, score_codec
from musicvae_lite.music.conditioning.control import Control
from musicvae_lite.music.data.corpus import (
    FORMAT,
    MANIFEST,
    VERSION,
    as_bytes,
    load_writer,
    part_path,
    read_facts,
    read_manifest,
    read_windows,
    write_part,
)
from musicvae_lite.music.data.pool import Crash, run_units
from musicvae_lite.music.tune import tune_scores

PART_FILES = 256
UNIT_FILES = 32
DROPPED = "dropped.csv"
_NO_WINDOW = "file: no window"
_FAULTS = "file: read in spite of faults"
DROPPED_COLUMNS = ("source", "track", "first_bar", "last_bar", "reason", "count", "detail")


@dataclass(frozen=True)
class Progress:
    """How far a preparation is; files of parts that an earlier run finished are counted as done."""

    files_done: int
    files_total: int
    files_per_second: float
    windows: int
    dropped_files: int


@dataclass(frozen=True)
class SourceCounts:
    """Files, files with at least one window, windows, and distinct windows of one source."""

    files: int
    used: int
    windows: int
    distinct: int


@dataclass(frozen=True)
class Report:
    """What a prepared corpus holds.

    Attributes:
        output: its folder.
        complete: whether all parts are there (other shards may still be at work).
        files: MIDI files looked at.
        used: files with at least one window.
        windows: windows found, duplicates included.
        distinct: different windows; ``train`` + ``valid``.
        train: of these, windows of training songs.
        valid: of these, windows of validation songs only.
        valid_in_train: distinct windows of validation songs that also occur in training songs and
            so are not in ``valid``.
        dropped: notes per reason; a reason that begins with ``file`` counts files, with ``window``
            windows.
        sources: counts per source.
        seconds: wall-clock time of this run.
    """

    output: Path
    complete: bool
    files: int
    used: int
    windows: int
    distinct: int
    train: int
    valid: int
    valid_in_train: int
    dropped: dict[str, int]
    sources: dict[str, SourceCounts]
    seconds: float = 0.0


class _Part(NamedTuple):
    number: int
    label: str
    files: list[MidiFile]


class _Cut(NamedTuple):
    """How files are cut; it is sent to the worker processes."""

    codec: ScoreCodec
    control: Control
    tune: float = 0.0


@dataclass
class _Found:
    """What some files gave; ``file`` is the position of a window's file among them."""

    windows: NDArray[Any]
    told: NDArray[np.uint8]
    file: NDArray[np.int32]
    track: NDArray[np.uint16]
    bar: NDArray[np.uint32]
    low: NDArray[np.int8]
    high: NDArray[np.int8]
    tune: NDArray[np.float32]
    sha256: list[str] = field(default_factory=list)
    drops: list[tuple[int, Drop, str]] = field(default_factory=list)


def prepare_corpus(
    sources: str | Path | Sequence[str | Path],
    codec_config: Mapping[str, Any] | RunConfig | str | Path,
    output: str | Path,
    workers: int | None = None,
    shard: tuple[int, int] = (1, 1),
    valid_fraction: float = 0.05,
    overwrite: bool = False,
    rights: str = "",
    on_event: Callable[[Progress], None] | None = None,
    control: Mapping[str, Any] | None = None,
) -> Report:
    """Cut MIDI files into windows and store them as a corpus.

    A run that was stopped goes on where it was when it is started again with the same arguments; a
    finished one gives its report (and takes on new ``rights``).

    Args:
        sources: folders, zip files, single files; one or several.
        codec_config: whose codec cuts the files: the name of a preset, a YAML file, settings of a
            run, or those of a codec alone (see :func:`musicvae_lite.music.codec.score_codec`).
        output: folder to make or go on with; only files named ``part-*``, ``dropped*`` and
            ``manifest.json`` are touched in it.
        workers: processes; default one per CPU core available.
        shard: (i, n), 1-based: write only every n-th part, starting with the i-th. All n runs must
            see the same sources.
        valid_fraction: share of the song groups that is kept for validation.
        overwrite: drop an earlier corpus in ``output``.
        rights: licence of the files, in words; model cards repeat it.
        on_event: called with a :class:`Progress` after every few files.
        control: what is told beside the music, see
            :meth:`musicvae_lite.music.conditioning.control.Control.of_config`; default what the run
            says, where there is one.

    Raises:
        UsageError: wrong arguments, an unknown preset, or ``output`` holds another corpus.
        NothingUsableError: if no window was found; ``dropped.csv`` in the output says why.
        MusaeError: if a source cannot be read or the output not be written.
    """
    begun = time.monotonic()
    shard_number, shards = shard
    if (
        not 1 <= shard_number <= shards
        or not 0 <= valid_fraction < 1
        or (workers is not None and workers < 1)
    ):
        raise UsageError(
            f"shard {shard}, valid_fraction {valid_fraction}, workers {workers}: out of range"
        )
    if overwrite and shards > 1:
        raise UsageError(
            "overwrite would delete what other shards wrote; delete the output folder before the "
            "first shard starts"
        )
    folder = Path(output)
    codec, told, tune = _settings(codec_config)
    told = told if control is None else control
    cut = _Cut(score_codec(codec), Control.of_config(told), tune)
    listed = list_sources(
        [Path(source) for source in ([sources] if isinstance(sources, str | Path) else sources)]
    )
    parts = _plan(listed)
    # Shards write other parts of one corpus, and do so at the same time.
    lock = LOCK if shards == 1 else f"{LOCK}-{shard_number}-of-{shards}"
    with only_writer(folder, "musae prepare", lock):
        manifest = _open_folder(
            folder, _manifest(cut, valid_fraction, listed, parts) | {"rights": rights}, overwrite
        )
        if not manifest["complete"]:
            mine = [part for part in parts if part.number % shards == shard_number - 1]
            _write_parts(
                folder,
                mine,
                manifest["fingerprint"],
                cut,
                valid_fraction,
                workers or _cores(),
                on_event,
            )
            manifest = _finish(folder, manifest)
    report = _report(folder, manifest, time.monotonic() - begun)
    if report.complete and not report.windows:
        # That a file has no window says nothing: it has none for one of the other reasons.
        why = max(
            report.dropped,
            key=lambda r: (r != _NO_WINDOW, report.dropped[r], r),
            default="no files",
        )
        raise NothingUsableError(
            f"no window in {report.files} files; most often: {why}; all reasons are in "
            f"{folder / DROPPED}"
        )
    return report


def _settings(
    config: Mapping[str, Any] | RunConfig | str | Path,
) -> tuple[Mapping[str, Any], Mapping[str, Any] | None, float]:
    """Return the settings of a codec, of what is told beside the music, where that is known, and
    how much like a tune a track must be.
    """
    if isinstance(config, str | Path):
        config = load_config(config)
    if isinstance(config, RunConfig):
        return config.codec.model_dump(), config.control.model_dump(), config.data.tune
    if not isinstance(config, Mapping):
        kind = type(config).__name__
        raise UsageError(
            "a codec is the name of a preset, a YAML file, a RunConfig or the settings of a "
            f"codec, not {kind}"
        )
    return config, None, 0.0


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _plan(sources: Sequence[Source]) -> list[_Part]:
    pieces = [
        (s.label, s.files[i : i + PART_FILES])
        for s in sources
        for i in range(0, len(s.files), PART_FILES)
    ]
    return [_Part(number, label, files) for number, (label, files) in enumerate(pieces)]


def _manifest(
    cut: _Cut, valid_fraction: float, sources: Sequence[Source], parts: list[_Part]
) -> dict[str, Any]:
    """Describe the work; the fingerprint tells whether two runs do the same."""
    codec, control = cut.codec, {"control": cut.control.config()} if cut.control else {}
    listing = [
        [source.label, [[file.name, file.size, file.crc, file.group] for file in source.files]]
        for source in sources
    ]
    work = [VERSION, PART_FILES, codec.config(), valid_fraction, listing, *control.values()]
    work += [cut.tune] if cut.tune else []
    return {
        "format": FORMAT,
        "version": VERSION,
        "codec": codec.config(),
        **control,
        "valid_fraction": valid_fraction,
        "fingerprint": hashlib.sha256(json.dumps(work).encode()).hexdigest(),
        "parts": len(parts),
        "complete": False,
    }


def _dropped_path(folder: Path, number: int) -> Path:
    return folder / f"dropped-{number:05d}.csv"


def _is_there(folder: Path, number: int, fingerprint: str) -> bool:
    """Say whether a part is there that the same work made.

    A damaged one, or one that another work left, is written anew.
    """
    path = part_path(folder, number)
    try:
        return path.exists() and read_facts(path).get("fingerprint") == fingerprint
    except MusaeError:
        return False


def _open_folder(folder: Path, manifest: dict[str, Any], overwrite: bool) -> dict[str, Any]:
    """Make the output folder ready and return the manifest: that of the finished corpus of the same
    work, if it holds one.
    """
    try:
        folder.mkdir(exist_ok=True)
        if overwrite:
            _clear(folder)
        elif (folder / MANIFEST).exists():
            found = read_manifest(folder)
            if found.get("fingerprint") != manifest["fingerprint"]:
                raise UsageError(
                    f"{folder}: holds a corpus of other files or settings; choose another -o or "
                    "pass --overwrite"
                )
            manifest = {**manifest, "rights": manifest["rights"] or found.get("rights", "")}
            if found["complete"] and all(
                _is_there(folder, n, found["fingerprint"]) for n in range(manifest["parts"])
            ):
                manifest = {**found, "rights": manifest["rights"]}
            if found == manifest:
                return manifest
    except FileNotFoundError:
        raise UsageError(
            f"{folder.parent}: no such folder; create it first or choose another output with -o"
        ) from None
    except FileExistsError:
        raise UsageError(f"{folder}: is a file; a corpus is a folder") from None
    except OSError as error:
        raise MusaeError(f"{folder}: cannot be written: {reason(error)}") from error
    _write_json(folder / MANIFEST, manifest)
    return manifest


def _clear(folder: Path) -> None:
    """Remove an earlier corpus, the manifest first, so that nothing half-deleted passes for one."""
    (folder / MANIFEST).unlink(missing_ok=True)
    for pattern in ("part-*.parquet", "dropped-*.csv", DROPPED):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def _write_json(path: Path, data: dict[str, Any]) -> None:
    with atomic_output(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _write_parts(
    folder: Path,
    parts: list[_Part],
    fingerprint: str,
    cut: _Cut,
    valid_fraction: float,
    workers: int,
    on_event: Callable[[Progress], None] | None,
) -> None:
    """Write the parts that are not there yet."""
    todo = [part for part in parts if not _is_there(folder, part.number, fingerprint)]
    starts = range(0, PART_FILES, UNIT_FILES)
    units = [
        (index, part.files[i : i + UNIT_FILES])
        for index, part in enumerate(todo)
        for i in starts
        if i < len(part.files)
    ]
    waiting = Counter(index for index, _ in units)
    found: dict[int, _Found] = {}
    total = sum(len(part.files) for part in parts)
    new = windows = dropped = 0
    done = total - sum(len(part.files) for part in todo)
    begun = time.monotonic()
    for unit, results in run_units(
        [files for _, files in units], partial(_encode_files, cut), workers
    ):
        if not new:
            threading.Thread(
                target=load_writer
            ).start()  # only now: threads and forks do not mix, and the workers are there
        index, files = units[unit]
        found[unit] = _merge(
            [_crashed(result, cut) if isinstance(result, Crash) else result for result in results]
        )
        new += len(files)
        windows += len(found[unit].windows)
        dropped += sum(
            drop.reason.startswith("file") and drop.reason != _FAULTS
            for _, drop, _ in found[unit].drops
        )
        if on_event is not None:
            seconds = max(time.monotonic() - begun, 1e-9)
            on_event(Progress(done + new, total, new / seconds, windows, dropped))
        waiting[index] -= 1
        if not waiting[index]:
            own = [number for number, (owner, _) in enumerate(units) if owner == index]
            _write_part(
                folder,
                todo[index],
                _merge([found.pop(number) for number in own]),
                fingerprint,
                valid_fraction,
            )


def _encode_files(cut: _Cut, files: Sequence[MidiFile]) -> _Found:
    """Read and cut some files; runs in a worker process."""
    return _merge([_encode_file(cut, file) for file in files])


def _encode_file(cut: _Cut, file: MidiFile) -> _Found:
    codec, sha256 = cut.codec, ""
    try:
        data = file.read()
        sha256 = hashlib.sha256(data).hexdigest()
        score = read_midi(data, source=file.name, texts=bool(cut.control))
        encoded = codec.encode(score)
        encoded, tune = _scored(score, encoded, cut)
        told = cut.control.of_windows(score, codec, encoded.origin["tick"])
    except MidiError as error:
        return _nothing(cut, f"file: {error.reason}", error.detail, sha256)
    except Exception as error:
        # A file in a hundred thousand that meets a fault of ours must not end the run; the table
        # names it.
        return _nothing(cut, "file: failed", f"{type(error).__name__}: {error}", sha256)
    drops = [(0, drop, "") for drop in encoded.drops]
    if not len(encoded.windows):
        drops.append((0, Drop(-1, _NO_WINDOW, 1, -1, -1), ""))
    if score.notices:
        drops.append((0, Drop(-1, _FAULTS, 1, -1, -1), "; ".join(score.notices)))
    low, high = codec.transposition_limits(encoded.windows)
    at = encoded.origin
    place = np.zeros(len(at), np.int32)
    sums = [sha256]
    return _Found(
        encoded.windows, told, place, at["track"], at["bar"], low, high, tune, sums, drops
    )


def _scored(score: Score, encoded: Encoded, cut: _Cut) -> tuple[Encoded, NDArray[np.float32]]:
    """Return the windows of tracks that are enough like a tune, and how much they are [N]; NaN
    where
    the first voice of a window has no pitch.
    """
    track = encoded.origin["track"]
    if cut.codec.whole or not cut.codec.pitches[0] or not len(track):
        return encoded, np.full(len(track), np.nan, np.float32)
    likeness = tune_scores(score)
    enough = likeness[track] >= cut.tune
    drops = []
    for index in np.unique(track[~enough]).tolist():
        bars = encoded.origin["bar"][track == index]
        reason = f"window: track is less like a tune than {cut.tune:g}"
        drops.append(
            Drop(index, reason, len(bars), int(bars.min()), int(bars.max()) + cut.codec.bars - 1)
        )
    kept = replace(
        encoded,
        windows=encoded.windows[enough],
        origin=encoded.origin[enough],
        tracks=None if encoded.tracks is None else encoded.tracks[enough],
        drops=(*encoded.drops, *drops),
    )
    return kept, likeness[track[enough]].astype(np.float32)


def _nothing(cut: _Cut, reason: str, detail: str, sha256: str = "") -> _Found:
    """Return what an unusable file gives."""
    none = np.zeros(0, np.int64)
    low, high = none.astype(np.int8), none.astype(np.int8)
    drops = [(0, Drop(-1, reason, 1, -1, -1), detail)]
    windows = np.zeros((0, *cut.codec.shape), cut.codec.dtype)
    told = np.zeros((0, cut.codec.grid_steps, len(cut.control.sizes)), np.uint8)
    return _Found(
        windows,
        told,
        none.astype(np.int32),
        none.astype(np.uint16),
        none.astype(np.uint32),
        low,
        high,
        none.astype(np.float32),
        [sha256],
        drops,
    )


def _crashed(crash: Crash[MidiFile], cut: _Cut) -> _Found:
    return _nothing(cut, f"file: {crash.reason}", "")


def _merge(parts: list[_Found]) -> _Found:
    """Put results one after another."""
    if len(parts) == 1:
        return parts[0]
    first = np.cumsum([0] + [len(part.sha256) for part in parts]).tolist()
    pairs = list(zip(parts, first, strict=False))
    return _Found(
        np.concatenate([part.windows for part in parts]),
        np.concatenate([part.told for part in parts]),
        np.concatenate([part.file + np.int32(start) for part, start in pairs]),
        np.concatenate([part.track for part in parts]),
        np.concatenate([part.bar for part in parts]),
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.high for part in parts]),
        np.concatenate([part.tune for part in parts]),
        [sha for part in parts for sha in part.sha256],
        [
            (file + start, drop, detail)
            for part, start in pairs
            for file, drop, detail in part.drops
        ],
    )


def is_valid(group: str, fraction: float) -> bool:
    """Say whether a song group is for validation: by a hash of its name, so that it is the same in
    every corpus.
    """
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") < fraction * 2**64


def _write_part(
    folder: Path, part: _Part, found: _Found, fingerprint: str, valid_fraction: float
) -> None:
    """Drop the duplicates of a part and write it.

    The Parquet file last, for it says that the part is done.
    """
    groups = [file.group or sha for file, sha in zip(part.files, found.sha256, strict=True)]
    valid = np.array([is_valid(group, valid_fraction) for group in groups], bool)[found.file]
    keep = _first_copies(as_bytes(found.windows, found.told), valid)
    used = int(np.count_nonzero(np.bincount(found.file)))
    drops = found.drops + _duplicates(found, keep)
    counts: Counter[str] = Counter()
    for _, drop, _ in drops:
        counts[drop.reason] += drop.count
    names = [file.name for file in part.files]
    table = {
        "windows": found.windows[keep],
        "told": found.told[keep],
        "source": (found.file[keep], names),
        "sha256": (found.file[keep], found.sha256),
        "group": (found.file[keep], groups),
        "valid": valid[keep],
        **{name: getattr(found, name)[keep] for name in ("track", "bar", "low", "high", "tune")},
    }
    counted = {
        "files": len(names),
        "used": used,
        "windows": len(found.windows),
        "dropped": dict(counts),
    }
    facts = {"fingerprint": fingerprint, "source": part.label, **counted}
    with atomic_output(_dropped_path(folder, part.number), overwrite=True) as temporary:
        temporary.write_text(_drop_rows(names, drops), encoding="utf-8")
    with atomic_output(part_path(folder, part.number), overwrite=True) as temporary:
        write_part(temporary, table, facts)


def _first_copies(rows: Sequence[bytes], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the first of equal windows, among training and among validation songs separately [N]."""
    keep = np.zeros(len(rows), bool)
    seen: dict[tuple[bytes, bool], int] = {}
    for index, key in enumerate(zip(rows, valid.tolist(), strict=True)):
        keep[seen.setdefault(key, index)] = True
    return keep


def _duplicates(found: _Found, keep: NDArray[np.bool_]) -> list[tuple[int, Drop, str]]:
    """Report duplicates by file and track."""
    gone = np.flatnonzero(~keep)
    if not len(gone):
        return []
    key = found.file[gone].astype(np.int64) << 16 | found.track[gone]
    first = np.flatnonzero(np.diff(key, prepend=-1))  # windows come by file, then track
    bars = found.bar[gone]
    low, high = np.minimum.reduceat(bars, first).tolist(), np.maximum.reduceat(bars, first).tolist()
    count = np.diff(np.append(first, len(key))).tolist()
    rows = zip(key[first].tolist(), count, low, high, strict=True)
    return [
        (k >> 16, Drop(k & 0xFFFF, "window that occurred before", n, a, b), "")
        for k, n, a, b in rows
    ]


def _drop_rows(names: list[str], drops: list[tuple[int, Drop, str]]) -> str:
    """Write drops as CSV rows.

    Tracks and bars count from 1 and are empty where the whole file is meant.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for file, drop, detail in sorted(drops, key=lambda row: row[0]):
        where = (
            ["", "", ""]
            if drop.track < 0
            else [drop.track + 1, drop.first_bar + 1, drop.last_bar + 1]
        )
        source, why, more = map(one_line, (names[file], drop.reason, detail))
        writer.writerow([source, *where, why, drop.count, more])
    return text.getvalue()


def _finish(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Count what is there; when all parts are, write the table of drops and the final manifest."""
    numbers = [
        number
        for number in range(manifest["parts"])
        if _is_there(folder, number, manifest["fingerprint"])
    ]
    complete = len(numbers) == manifest["parts"]
    result = {**manifest, **_counts(folder, numbers), "complete": complete}
    if complete:
        with (
            atomic_output(folder / DROPPED, overwrite=True) as temporary,
            open(temporary, "w", encoding="utf-8") as table,
        ):
            table.write(",".join(DROPPED_COLUMNS) + "\n")
            for number in numbers:
                table.write(_dropped_path(folder, number).read_text(encoding="utf-8"))
        _remove_others(folder, manifest["parts"])
        _write_json(folder / MANIFEST, result)
    return result


def _remove_others(folder: Path, parts: int) -> None:
    """Remove parts with higher numbers: an earlier corpus was larger, and its manifest is gone."""
    for pattern, name in (("part-*.parquet", part_path), ("dropped-*.csv", _dropped_path)):
        mine = {name(folder, number) for number in range(parts)}
        for path in folder.glob(pattern):
            if path not in mine:
                path.unlink(missing_ok=True)


def _counts(folder: Path, numbers: list[int]) -> dict[str, Any]:
    """Count files, windows and distinct windows, in all and by source."""
    dropped: Counter[str] = Counter()
    sources: dict[str, dict[str, int]] = {}
    seen: dict[
        str, set[bytes]
    ] = {}  # windows of the source at hand; parts of a source follow one another
    train: set[bytes] = set()
    valid: set[bytes] = set()
    for number in numbers:
        path = part_path(folder, number)
        fact, (rows, is_held_out) = read_facts(path), read_windows(path)
        label = fact["source"]
        counts = sources.setdefault(label, {"files": 0, "used": 0, "windows": 0, "distinct": 0})
        for key in ("files", "used", "windows"):
            counts[key] += fact[key]
        dropped.update(fact["dropped"])
        seen = {label: seen.get(label, set())}
        seen[label].update(rows)
        counts["distinct"] = len(seen[label])
        for row, held_out in zip(rows, is_held_out.tolist(), strict=True):
            (valid if held_out else train).add(row)
    totals = {
        key: sum(counts[key] for counts in sources.values()) for key in ("files", "used", "windows")
    }
    both = len(train & valid)
    split = {
        "distinct": len(train | valid),
        "train": len(train),
        "valid": len(valid) - both,
        "valid_in_train": both,
    }
    return {**totals, **split, "dropped": dict(dropped), "sources": sources}


def _report(folder: Path, manifest: dict[str, Any], seconds: float) -> Report:
    keys = (
        "complete",
        "files",
        "used",
        "windows",
        "distinct",
        "train",
        "valid",
        "valid_in_train",
        "dropped",
    )
    sources = {label: SourceCounts(**counts) for label, counts in manifest["sources"].items()}
    return Report(folder, **{key: manifest[key] for key in keys}, sources=sources, seconds=seconds)
