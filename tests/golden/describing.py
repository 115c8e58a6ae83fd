"""Files as text that can be read in a difference, and the comparison of such texts.

Rounded, the text holds on another processor: whole numbers, notes and words exactly, decimals to
some units of their last place (:func:`differences`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import mido
import numpy as np
import soundfile
from PIL import Image

_DIGITS = 3
#: Fields that tell how long something took.
_TIMES = re.compile(r"^seconds$|seconds_left|per_second|real_time_factor|^time$|wall")
#: Units of the last place by which decimals may differ.
_SLACK = 2


#: Files that hold how long something took, beside what is compared.
_TIMED = ("*.jsonl", "events.out.tfevents*", "training.safetensors", "README.md", "config.json")


def same(before: Path, after: Path) -> bool:
    """Say whether two files are equal byte by byte; those that hold times, but for these."""
    if before.read_bytes() == after.read_bytes():
        return True
    if any(fnmatch(before.name, pattern) for pattern in _TIMED):
        return described(before, exact=True) == described(after, exact=True)
    return False


def described(path: Path, exact: bool = False) -> str:
    """Return the content of a file as text, rounded or ``exact``."""
    kinds: dict[str, Callable[[Path, bool], Iterator[str]]] = {
        ".mid": _midi,
        ".json": _json,
        ".jsonl": _json_lines,
        ".npz": _arrays,
        ".safetensors": _weights,
        ".parquet": _table,
        ".wav": _sound,
        ".flac": _sound,
        ".png": _picture,
        **dict.fromkeys((".txt", ".md", ".csv", ".yaml"), _text),
    }
    if "tfevents" in path.name:
        return "\n".join(_scalars(path, exact)) + "\n"
    describe = kinds.get(path.suffix, _bytes)
    return "\n".join(describe(path, exact)) + "\n"


def differences(expected: str, found: str) -> list[str]:
    """Return the lines that differ, ``-`` expected and ``+`` found; decimals have slack."""
    texts = [expected.splitlines(), found.splitlines()]
    masked = [[_NUMBER.sub("#", line) for line in lines] for lines in texts]
    lines = []
    for _, a, b, c, d in SequenceMatcher(None, *masked, autojunk=False).get_opcodes():
        before, after = texts[0][a:b], texts[1][c:d]
        if masked[0][a:b] == masked[1][c:d]:
            pairs = [(x, y) for x, y in zip(before, after, strict=True) if not _close(x, y)]
            before, after = [x for x, _ in pairs], [y for _, y in pairs]
        lines += [f"-{line}" for line in before] + [f"+{line}" for line in after]
    return lines


_NUMBER = re.compile(r"-?\d+\.\d*(?:e[+-]?\d+)?")


def _close(a: str, b: str) -> bool:
    """Compare the decimals of two lines that are else the same."""
    numbers = zip(_NUMBER.findall(a), _NUMBER.findall(b), strict=True)
    return all(
        abs(float(x) - float(y)) <= 1.01 * _SLACK * max(_unit(x), _unit(y)) for x, y in numbers
    )


def _unit(number: str) -> float:
    """Return the value of one in the last place of a written decimal."""
    mantissa, _, exponent = number.partition("e")
    return float(10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2])))


def _text(path: Path, exact: bool) -> Iterator[str]:
    text = re.sub(r"(real_time_factor \|) \d+", r"\1 TIME", path.read_text(encoding="utf-8"))
    yield from (text if exact else shortened(text)).splitlines()


def shortened(text: str) -> str:
    """Round decimals of more than six digits in a text."""
    return re.sub(
        r"-?\d+\.\d+(?:e[+-]?\d+)?",
        lambda found: (
            _digits(float(found[0])) if len(re.sub(r"^[-0.]+|\D", "", found[0])) > 6 else found[0]
        ),
        text,
    )


def _bytes(path: Path, exact: bool) -> Iterator[str]:
    data = path.read_bytes()
    yield f"{len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}" if exact else "a file"


def _midi(path: Path, exact: bool) -> Iterator[str]:
    """Name each track, then its notes as ONSET:PITCH/VELOCITY+LENGTH in ticks, then the rest."""
    file = mido.MidiFile(path, charset="utf-8")
    yield f"format {file.type}, {file.ticks_per_beat} ticks a quarter"
    for number, track in enumerate(file.tracks, 1):
        yield f"track {number}"
        notes, others = _events(track)
        yield from others
        for channel in sorted({note[0] for note in notes}):
            words = [word for place, word in notes if place == channel]
            yield f"  channel {channel + 1}: {len(words)} notes"
            yield from ("    " + " ".join(words[n : n + 8]) for n in range(0, len(words), 8))


def _events(track: mido.MidiTrack) -> tuple[list[tuple[int, str]], list[str]]:
    now, notes, others = 0, [], []
    sounding: dict[tuple[int, int], list[int]] = {}
    for message in track:
        now += message.time
        if message.type not in ("note_on", "note_off"):
            what = re.sub(r",? ?time=\d+", "", str(message)).removeprefix("MetaMessage")
            others.append(f"  {now} {what}")
            continue
        key = (message.channel, message.note)
        if message.type == "note_on" and message.velocity:
            sounding.setdefault(key, []).append(len(notes))
            notes.append([message.channel, now, message.note, message.velocity, None])
        elif sounding.get(key):
            index = sounding[key].pop(0)
            notes[index][4] = now - notes[index][1]
    return [(c, f"{on}:{p}/{v}+{length}") for c, on, p, v, length in notes], others


def _json(path: Path, exact: bool) -> Iterator[str]:
    tree = without_times(json.loads(path.read_text(encoding="utf-8")))
    yield from json.dumps(tree if exact else rounded(tree), indent=1, ensure_ascii=False).split(
        "\n"
    )


def _json_lines(path: Path, exact: bool) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        tree = without_times(json.loads(line))
        yield json.dumps(tree if exact else rounded(tree), ensure_ascii=False)


def without_times(tree: Any) -> Any:
    """Return a tree of JSON without the fields that say how long something took."""
    if isinstance(tree, dict):
        return {k: without_times(v) for k, v in tree.items() if not _TIMES.search(k)}
    return [without_times(value) for value in tree] if isinstance(tree, list) else tree


def rounded(tree: Any) -> Any:
    """Return a tree of JSON with its decimals as text of three digits."""
    if isinstance(tree, dict):
        return {key: rounded(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [rounded(value) for value in tree]
    return _digits(tree) if isinstance(tree, float) else tree


def _digits(value: float, scale: float | None = None) -> str:
    """Write a number to three digits; of numbers that belong together, those of the largest."""
    size = abs(value) if scale is None else scale
    if not np.isfinite(value) or not np.isfinite(size):
        return str(value)
    if scale is None and value == int(value) and size < 1e6:
        return f"{value:.1f}"
    if size < 1e-6:
        return "0.000"
    power = int(np.floor(np.log10(size)))
    if -4 < power < _DIGITS - 1:
        return f"{value:.{_DIGITS - 1 - power}f}"
    return f"{value / 10.0**power:.{_DIGITS - 1}f}e{power}"


def statistics(array: np.ndarray, exact: bool = False) -> str:
    """Return kind, shape and some numbers of an array; small arrays of whole numbers whole."""
    shape = f"{array.dtype} {list(array.shape)}"
    if array.dtype.kind in "USO":
        return f"{shape} {' '.join(map(str, array.reshape(-1)[:20]))}"
    if array.size == 0:
        return shape
    if array.dtype.kind in "iub" and array.size <= 64:
        return f"{shape} {' '.join(str(int(value)) for value in array.reshape(-1))}"
    numbers = array.astype(np.float64)
    scale = float(np.abs(numbers).max())
    spread = np.linspace(0, array.size - 1, min(array.size, 5)).astype(int)
    parts = {
        "min": numbers.min(),
        "max": numbers.max(),
        "mean": numbers.mean(),
        "sd": numbers.std(),
    }
    words = [f"{name} {_digits(float(value), scale)}" for name, value in parts.items()]
    some = " ".join(_digits(float(value), scale) for value in numbers.reshape(-1)[spread])
    hashed = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:12]
    return f"{shape} {', '.join(words)}; some: {some}" + (f"; SHA-256 {hashed}" if exact else "")


def _arrays(path: Path, exact: bool) -> Iterator[str]:
    with np.load(path, allow_pickle=False) as found:
        for name in sorted(found.files):
            yield f"{name}: {statistics(found[name], exact)}"


def _weights(path: Path, exact: bool) -> Iterator[str]:
    from safetensors import safe_open
    from safetensors.numpy import load_file

    tensors = load_file(path)
    with safe_open(path, "numpy") as file:
        metadata = {key: _parsed(text) for key, text in (file.metadata() or {}).items()}
    shown = without_times(metadata) if exact else sorted(metadata)
    yield f"metadata {json.dumps(shown, sort_keys=True)}"
    if exact:
        for name in sorted(tensors):
            yield f"{name}: {statistics(tensors[name], exact)}"
    size = np.mean([np.abs(t.astype(np.float64)).mean() for t in tensors.values() if t.size])
    count = sum(tensor.size for tensor in tensors.values())
    yield f"{len(tensors)} tensors, {count} numbers, mean size {_digits(float(size))}"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _table(path: Path, exact: bool) -> Iterator[str]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    yield f"{table.num_rows} rows"
    for name in table.column_names:
        column = table.column(name)
        text = json.dumps([str(value) for value in column.to_pylist()]).encode()
        yield f"{name}: {column.type}, SHA-256 {hashlib.sha256(text).hexdigest()[:12]}"


def _sound(path: Path, exact: bool) -> Iterator[str]:
    info = soundfile.info(path)
    yield f"{info.format} {info.subtype}, {info.samplerate} Hz"
    yield statistics(soundfile.read(path, always_2d=True, dtype="float32")[0], exact)


def _picture(path: Path, exact: bool) -> Iterator[str]:
    with Image.open(path) as picture:
        drawn = "Software" in picture.info  # by matplotlib, as another release would not do it
        if drawn and not exact:
            yield "a drawing"
            return
        yield f"{picture.mode} {picture.size[0]} x {picture.size[1]} pixels"
        yield statistics(np.asarray(picture).astype(np.float32), exact)


def _scalars(path: Path, exact: bool) -> Iterator[str]:
    """Read the curves of TensorBoard, without the times at which their points were written."""
    if not exact:
        yield "curves"
        return
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            if not _TIMES.search(value.tag):
                tensor = hashlib.sha256(value.SerializeToString()).hexdigest()[:12]
                yield f"{event.step} {value.tag} {tensor}"
