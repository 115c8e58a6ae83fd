"""Scores: reading and writing Standard MIDI Files, with time in integer ticks.

This is the only module that imports symusic or pretty_midi; mido, which comes with it, is in midi_messages.py, too. symusic
reads, a hundred times faster; pretty_midi is the reference it is tested against. symusic is C++ and has crashed on malformed
files, so a structural check in Python looks at the bytes first, and corpora are read in worker processes.

What a *track* is: an instrument as pretty_midi and Magenta count them, the notes of one (chunk of the file, channel, program).
Tracks stand in the order of their chunks; inside a chunk the one whose first note ends first comes first. Users count from 1.
"""

from __future__ import annotations

import os
import re
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.core.files import atomic_output, reason, shown

NOTE = np.dtype(
    [("start", "<i8"), ("end", "<i8"), ("pitch", "u1"), ("velocity", "u1"), ("track", "<u2")]
)
TEMPO = np.dtype([("tick", "<i8"), ("qpm", "<f8")])
METRE = np.dtype([("tick", "<i8"), ("numerator", "<i4"), ("denominator", "<i4")])
PEDAL = np.dtype([("start", "<i8"), ("end", "<i8"), ("track", "<u2")])

MAX_BYTES = 16 * 2**20
MAX_DELTA = 2**28 - 1  # the largest time between two events that a MIDI file can hold
DRUM_CHANNEL = 9
SUSTAIN, _PRESSED = (
    64,
    64,
)  # number of the controller; values from here on mean that the pedal is down
_TEXT_KINDS: dict[int, Literal["text", "lyrics", "marker", "cue_marker"]] = {
    1: "text",
    5: "lyrics",
    6: "marker",
    7: "cue_marker",
}
_TEMPO, _METRE = 0x51, 0x58
_TEXT_EVENT = re.compile(rb"\xff[\x01\x05-\x07]")

Reader = Literal["symusic", "pretty_midi"]


class MidiError(MusaeError):
    """A file that cannot be read as MIDI; ``reason`` is a short fixed text for tables."""

    def __init__(self, source: str, reason: str, detail: str) -> None:
        super().__init__(f"{source}: {detail}")
        self.source = source
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source, self.reason, self.detail)


class Track(NamedTuple):
    """One instrument of a score: its name in the file, General MIDI program 0-127, and whether it is drums (channel 10)."""

    name: str = ""
    program: int = 0
    is_drum: bool = False


class Text(NamedTuple):
    """Words at a place of the piece, such as a lyric or a chord symbol; ``kind`` is what the file calls them."""

    tick: int
    kind: Literal["text", "lyrics", "marker", "cue_marker"]
    text: str


class Segment(NamedTuple):
    """A stretch of one metre, ``start`` (included) to ``end`` (excluded) in ticks."""

    start: int
    end: int
    numerator: int
    denominator: int


@dataclass(frozen=True, eq=False)
class Score:
    """Notes on a grid of ticks. The constructor puts notes, tempos, metres and pedals in their order.

    Attributes:
        ticks_per_quarter: resolution of every tick in the score.
        notes: array of :data:`NOTE`, sorted by track, start, pitch from high to low, end; ``track`` is an index into ``tracks``.
        tracks: the instruments, each with at least one note when the score was read from a file.
        tempos: array of :data:`TEMPO`, quarter notes per minute from a tick on.
        metres: array of :data:`METRE`, as the file has them (repeats included).
        source: where the score came from, for messages.
        pedals: array of :data:`PEDAL`, stretches in which the sustain pedal of a track is held; the ends of the notes do not
            know of it (:func:`musicvae_lite.media.pedal.sustained` moves them). One that is never lifted is left out.
        texts: words, in order of time; they are read where they are asked for.
    """

    ticks_per_quarter: int
    notes: NDArray[np.void]
    tracks: tuple[Track, ...]
    tempos: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, TEMPO))
    metres: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, METRE))
    source: str = ""
    pedals: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, PEDAL))
    texts: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        notes = self.notes
        order = np.lexsort((notes["end"], 127 - notes["pitch"], notes["start"], notes["track"]))
        object.__setattr__(self, "notes", notes[order])
        object.__setattr__(
            self, "pedals", self.pedals[np.lexsort((self.pedals["start"], self.pedals["track"]))]
        )
        for name in ("tempos", "metres"):
            table = getattr(self, name)
            if len(table) > 1:
                object.__setattr__(self, name, table[np.argsort(table["tick"], kind="stable")])
        object.__setattr__(self, "texts", tuple(sorted(self.texts, key=lambda text: text.tick)))

    def __eq__(self, other: object) -> bool:
        """Compare everything but ``source``."""
        if not isinstance(other, Score):
            return NotImplemented
        return (
            self.ticks_per_quarter == other.ticks_per_quarter
            and self.tracks == other.tracks
            and np.array_equal(self.notes, other.notes)
            and np.array_equal(self.tempos, other.tempos)
            and np.array_equal(self.metres, other.metres)
            and np.array_equal(self.pedals, other.pedals)
            and self.texts == other.texts
        )

    __hash__ = None  # type: ignore[assignment]

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a piano roll and a player."""
        from musicvae_lite.media.notebook import score_html

        return score_html(self)

    @property
    def end(self) -> int:
        """The first tick after every note; 0 for a score without notes."""
        if not len(self.notes):
            return 0
        return max(int(self.notes["end"].max()), int(self.notes["start"].max()) + 1)

    @property
    def bars(self) -> int:
        """Bars of the piece, over all metres; one that is not full counts."""
        segments = self.metre_segments()
        return sum(
            -(-(s.end - s.start) * s.denominator // (4 * self.ticks_per_quarter * s.numerator))
            for s in segments
        )

    @property
    def qpm(self) -> float:
        """Quarter notes per minute at tick 0; 120 where the file says nothing."""
        at_start = self.tempos["qpm"][self.tempos["tick"] == 0]
        return float(at_start[-1]) if len(at_start) else 120.0

    def metre_segments(self) -> list[Segment]:
        """Cut the score where the metre changes.

        A missing metre is 4/4; of several at one tick the last counts; an event that repeats the metre does not cut.
        Segments cover tick 0 to :attr:`end`.
        """
        end = self.end
        marks = [(0, 4, 4)]
        for tick, numerator, denominator in self.metres.tolist():
            if tick == marks[-1][0]:
                marks.pop()
            if not marks or (numerator, denominator) != marks[-1][1:]:
                marks.append((tick, numerator, denominator))
        ends = [mark[0] for mark in marks[1:]] + [max(end, marks[-1][0])]
        pairs = zip(marks, ends, strict=True)
        return [
            Segment(tick, min(stop, end), num, den)
            for (tick, num, den), stop in pairs
            if tick < min(stop, end)
        ]


def read_midi(
    path_or_bytes: str | os.PathLike[str] | bytes,
    reader: Reader = "symusic",
    source: str | None = None,
    texts: bool = False,
) -> Score:
    """Read a Standard MIDI File (format 0 or 1, also RIFF-wrapped).

    Args:
        path_or_bytes: a file, or the content of one.
        reader: ``"symusic"``, or ``"pretty_midi"`` (slow, the reference).
        source: what messages call the file; default its path.
        texts: read texts, lyrics and markers, too; some files hold chord symbols there.

    Raises:
        MidiError: if the file cannot be read, is no MIDI file, is damaged or holds no notes.
    """
    if isinstance(path_or_bytes, bytes):
        name = source or "MIDI data"
        data = path_or_bytes
        check_size(name, len(data))
    else:
        name = source or shown(os.fspath(path_or_bytes))
        data = read_bytes(Path(path_or_bytes), name)
    data = unwrap_riff(data, name)
    ticks_per_quarter, chunks = check_structure(data, name)
    parts = (
        _read_symusic(data, ticks_per_quarter, chunks)
        if reader == "symusic"
        else _read_pretty_midi(data)
    )
    score = _assemble(parts, ticks_per_quarter, name)
    return replace(score, texts=_texts(data, chunks)) if texts else score


def load_reader() -> None:
    """Import symusic now, so that processes forked later need not."""
    import symusic  # noqa: F401


def check_size(name: str, size: int) -> None:
    """Refuse a file that is empty or too large for a song."""
    if size > MAX_BYTES:
        megabytes, limit = size / 2**20, MAX_BYTES // 2**20
        raise MidiError(
            name, "too large", f"file is {megabytes:.0f} MB; a song is under {limit} MB"
        )
    if size == 0:
        raise MidiError(name, "empty file", "the file is empty (0 bytes)")


def read_bytes(path: Path, name: str) -> bytes:
    """Read a whole MIDI file after looking at its size.

    Raises:
        MidiError: if there is none, it is empty, too large for a song, or may not be read.
    """
    try:
        if path.is_dir():
            raise MidiError(name, "a folder", "is a folder; name a MIDI file")
        check_size(name, path.stat().st_size)
        return path.read_bytes()
    except FileNotFoundError:
        raise MidiError(name, "no such file", "no such file") from None
    except PermissionError:
        raise MidiError(name, "no read permission", "no permission to read the file") from None
    except OSError as error:
        raise MidiError(name, "cannot be read", f"cannot be read: {reason(error)}") from error


def unwrap_riff(data: bytes, name: str) -> bytes:
    """Return the MIDI file inside a RIFF container (.rmi), or the data itself."""
    if data[:4] != b"RIFF":
        return data
    if data[8:12] != b"RMID":
        raise MidiError(
            name, "not a MIDI file", f"not a MIDI file (a RIFF file of kind {data[8:12]!r})"
        )
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if data[position : position + 4] == b"data":
            return data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
    raise MidiError(name, "truncated", "truncated: the RIFF container holds no MIDI data")


def check_structure(data: bytes, name: str) -> tuple[int, list[tuple[int, int]]]:
    """Check header and chunk lengths before any C++ sees the bytes.

    Returns:
        Ticks per quarter and the (start, end) byte range of every track chunk, its 8-byte header included.
    """
    if data[:4] != b"MThd":
        raise MidiError(
            name,
            "not a MIDI file",
            f"not a MIDI file (it starts with {data[:8]!r}, not with b'MThd')",
        )
    if len(data) < 14:
        raise MidiError(
            name, "truncated", f"truncated: {len(data)} bytes, shorter than a MIDI header"
        )
    size, kind, count, division = struct.unpack(">IHHH", data[4:14])
    if size < 6 or kind > 2:
        raise MidiError(name, "malformed", f"malformed header (length {size}, format {kind})")
    if kind == 2:
        raise MidiError(
            name,
            "format 2",
            "MIDI format 2 (independent patterns) is not supported; save it as format 1",
        )
    if division & 0x8000:
        raise MidiError(
            name,
            "SMPTE time",
            "time is in SMPTE frames, not in beats; save the file with ticks per quarter note",
        )
    if division == 0:
        raise MidiError(name, "malformed", "malformed header (0 ticks per quarter note)")
    chunks = list(_track_chunks(data, 8 + size, name))
    if len(chunks) < count:
        raise MidiError(
            name,
            "truncated",
            f"truncated: the header announces {count} tracks, {len(chunks)} are there",
        )
    return division, chunks


def _track_chunks(data: bytes, position: int, name: str) -> Iterator[tuple[int, int]]:
    """Yield the byte range of every MTrk chunk; other chunks are skipped, as the standard asks."""
    while position + 8 <= len(data):
        end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
        if data[position : position + 4] == b"MTrk":
            if end > len(data):
                missing = end - len(data)
                raise MidiError(
                    name,
                    "truncated",
                    f"truncated: a track says it goes on for {missing} more bytes than there are",
                )
            yield position, end
        position = end


def _texts(data: bytes, chunks: list[tuple[int, int]]) -> tuple[Text, ...]:
    """Read the words of all chunks; symusic keeps some kinds of them only."""
    found: list[Text] = []
    for start, end in chunks:
        if _TEXT_EVENT.search(data, start + 8, end):
            metas = _metas(data, start + 8, end)
            found += [
                Text(tick, _TEXT_KINDS[kind], _as_text(body))
                for tick, kind, body in metas
                if kind in _TEXT_KINDS and body.strip()
            ]
    return tuple(found)


def _metas(data: bytes, position: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """Walk over the events of a chunk and yield tick, type and content of each meta event; what is damaged ends it."""
    tick, status = 0, 0
    try:
        while position < end:
            delta, position = _number(data, position)
            tick += delta
            first = data[position]
            if (
                first < 0xF0
            ):  # a message of a channel; program change and pressure have one byte, others two
                if (
                    first & 0x80
                ):  # else the first byte of the message before counts again, also past a meta event
                    status, position = first, position + 1
                position += 1 if status >> 4 in (0xC, 0xD) else 2
                continue
            is_meta = first == 0xFF
            kind = data[position + 1] if is_meta else 0
            size, position = _number(data, position + 1 + is_meta)
            if is_meta and position + size <= end:
                yield tick, kind, data[position : position + size]
            position += size
    except IndexError:
        return


def _number(data: bytes, position: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, at most four; return it and where it ends."""
    value = 0
    for _ in range(4):
        value = value << 7 | data[position] & 0x7F
        position += 1
        if not data[position - 1] & 0x80:
            break
    return value, position


def _as_text(words: bytes) -> str:
    """Read words as UTF-8, or else byte by byte."""
    try:
        return words.decode("utf-8")
    except UnicodeDecodeError:
        return words.decode("latin-1")


class _Part(NamedTuple):
    """What one chunk gave: tracks with (start, end, pitch, velocity) columns and pedal rows (start, end), tempos and metres."""

    tracks: list[
        tuple[Track, NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], list[tuple[int, int]]]
    ]
    tempos: list[tuple[int, float]]
    metres: list[tuple[int, int, int]]
    error: str = ""


def _read_symusic(
    data: bytes, ticks_per_quarter: int, chunks: list[tuple[int, int]]
) -> list[_Part]:
    """Read chunk by chunk: symusic does not say which chunk a track came from."""
    from symusic import Score as SymusicScore

    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, ticks_per_quarter)
    parts = []
    for start, end in chunks:
        try:
            part = _symusic_part(SymusicScore.from_midi(header + data[start:end]))
            if _order_lost(part.tempos) or _order_lost(part.metres):
                tempos, metres = _tempos_and_metres(data, start, end)
                part = part._replace(tempos=tempos, metres=metres)
        except (
            Exception
        ) as error:  # symusic raises RuntimeError and ValueError, nanobind and mido others
            return [_Part([], [], [], str(error) or type(error).__name__)]
        parts.append(part)
    return parts


def _order_lost(rows: list[Any]) -> bool:
    """Say whether different events share a tick; symusic sorts long lists by tick without keeping such events in order."""
    return len(rows) > 16 and len({row[0] for row in rows}) < len(set(rows))


def _tempos_and_metres(
    data: bytes, start: int, end: int
) -> tuple[list[tuple[int, float]], list[tuple[int, int, int]]]:
    """Read tempos and metres of a chunk in the order of the file (slow, rarely needed)."""
    tempos: list[tuple[int, float]] = []
    metres: list[tuple[int, int, int]] = []
    for tick, kind, body in _metas(data, start + 8, end):
        if kind == _TEMPO and len(body) == 3 and any(body):
            tempos.append((tick, _qpm(int.from_bytes(body, "big"))))
        elif kind == _METRE and len(body) >= 2 and body[0] > 0:
            metres.append((tick, body[0], 2 ** body[1]))
    return tempos, metres


def _symusic_part(score: Any) -> _Part:
    tracks = []
    for track in score.tracks:
        columns = track.notes.numpy()
        if not columns["duration"].all():  # nothing sounds for 0 ticks; pretty_midi drops these too
            columns = {key: column[columns["duration"] != 0] for key, column in columns.items()}
        start = columns["time"].astype(np.int64)
        if len(start):
            who = Track(track.name, int(track.program), bool(track.is_drum))
            # Bytes 0-127, but a signed type: a negative one would be damage, and shows up as a value above 127.
            pitch, velocity = columns["pitch"].view(np.uint8), columns["velocity"].view(np.uint8)
            tracks.append(
                (who, start, start + columns["duration"], pitch, velocity, _pedal_rows(track))
            )
    tracks.sort(key=lambda row: int(row[2].min()))
    tempos: list[tuple[int, float]] = []
    metres: list[tuple[int, int, int]] = []
    if len(score.tempos):
        table = score.tempos.numpy()
        tempos = [
            (t, _qpm(mspq))
            for t, mspq in zip(table["time"].tolist(), table["mspq"].tolist(), strict=True)
            if mspq > 0
        ]
    if len(score.time_signatures):
        table = score.time_signatures.numpy()
        rows = zip(
            table["time"].tolist(),
            table["numerator"].tolist(),
            table["denominator"].tolist(),
            strict=True,
        )
        metres = [row for row in rows if row[1] > 0 and row[2] > 0]
    return _Part(tracks, tempos, metres)


def _pedal_rows(track: Any) -> list[tuple[int, int]]:
    """Read pedals from the controls: symusic's own table of them begins at tick 0 on every channel but the first."""
    if not len(track.controls):
        return []
    table = track.controls.numpy()
    sent = table["number"] == SUSTAIN
    return _held(
        list(
            zip(
                table["time"][sent].tolist(),
                (table["value"][sent] >= _PRESSED).tolist(),
                strict=True,
            )
        )
    )


def _qpm(mspq: int) -> float:
    """Turn microseconds per quarter into quarters per minute: the value of two decimals that is written so, if there is one."""
    plain = round(6e7 / mspq, 2)
    return plain if plain > 0 and round(6e7 / plain) == mspq else 6e7 / mspq


def _read_pretty_midi(data: bytes) -> list[_Part]:
    import io

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # it warns about its own dependencies, and about meta events on later tracks
        import pretty_midi

        try:
            # It allocates one number per tick, and itself refuses files of more than 10 million ticks.
            score = pretty_midi.PrettyMIDI(io.BytesIO(data))
        except Exception as error:  # mido raises OSError, EOFError, KeyError, IndexError and ValueError on damaged files
            return [_Part([], [], [], str(error) or type(error).__name__)]
    tick = score.time_to_tick
    tracks = []
    for instrument in score.instruments:
        rows = [
            (tick(note.start), tick(note.end), note.pitch, note.velocity)
            for note in instrument.notes
        ]
        if rows:
            columns = np.array(rows, np.int64).T
            who = Track(instrument.name, int(instrument.program), bool(instrument.is_drum))
            presses = [
                (int(tick(c.time)), c.value >= _PRESSED)
                for c in instrument.control_changes
                if c.number == SUSTAIN
            ]
            tracks.append((who, columns[0], columns[1], columns[2], columns[3], _held(presses)))
    times, qpms = score.get_tempo_changes()
    tempos = [
        (int(tick(time)), _qpm(round(6e7 / qpm))) for time, qpm in zip(times, qpms, strict=True)
    ]
    metres = [
        (int(tick(m.time)), int(m.numerator), int(m.denominator))
        for m in score.time_signature_changes
    ]
    return [_Part(tracks, tempos, metres)]


def _held(presses: list[tuple[int, bool]]) -> list[tuple[int, int]]:
    """Return the stretches in which a pedal is held, from what was sent: ticks and whether it is down.

    At one tick it is lifted before it is pressed; in which order it was sent is not always kept.
    """
    rows, since = [], -1
    for tick, down in sorted(presses):
        if down and since < 0:
            since = tick
        elif not down and since >= 0:
            rows.append((since, tick))
            since = -1
    return rows


def _assemble(parts: list[_Part], ticks_per_quarter: int, name: str) -> Score:
    """Join the parts of a file and check what no part can see alone."""
    for part in parts:
        if part.error:
            raise MidiError(name, "malformed", f"damaged MIDI data ({part.error})")
    rows = [row for part in parts for row in part.tracks]
    if not rows:
        raise MidiError(name, "no notes", "the file holds no notes")
    if len(rows) > np.iinfo(np.uint16).max:
        raise MidiError(name, "too many tracks", f"the file has {len(rows)} tracks")
    lengths = [len(row[1]) for row in rows]
    notes = np.empty(sum(lengths), NOTE)
    notes["track"] = np.repeat(np.arange(len(rows), dtype=np.uint16), lengths)
    for column, key in enumerate(("start", "end", "pitch", "velocity"), start=1):
        notes[key] = np.concatenate([row[column] for row in rows])
    tempos = np.array([row for part in parts for row in part.tempos], TEMPO)
    metres = np.array([row for part in parts for row in part.metres], METRE)
    first = min(
        int(notes["start"].min()),
        int(tempos["tick"].min(initial=0)),
        int(metres["tick"].min(initial=0)),
    )
    if first < 0 or bool((notes["end"] < notes["start"]).any()):
        raise MidiError(
            name, "ticks out of range", "times go beyond 2^31 ticks; the file is damaged"
        )
    if int(notes["pitch"].max()) > 127 or int(notes["velocity"].max()) > 127:
        raise MidiError(name, "malformed", "damaged MIDI data (a pitch or velocity above 127)")
    tracks = tuple(row[0] for row in rows)
    pedals = np.array(
        [(start, end, index) for index, row in enumerate(rows) for start, end in row[5]], PEDAL
    )
    pedals = pedals[
        (pedals["start"] >= 0) & (pedals["end"] > pedals["start"])
    ]  # damage of so little weight is left out
    return Score(ticks_per_quarter, _close_overlaps(notes), tracks, tempos, metres, name, pedals)


def _close_overlaps(notes: NDArray[np.void]) -> NDArray[np.void]:
    """Let a note-off end every sounding note of its pitch, as synthesizers and pretty_midi do; symusic pairs first with first.

    The ends of the notes of one track and pitch are its note-offs: each note gets the first one after its start.
    """
    group = notes["track"].astype(np.int64) << 7 | notes["pitch"]
    order = np.lexsort((notes["start"], group))
    group, start, end = group[order], notes["start"][order], notes["end"][order]
    overlaps = (group[1:] == group[:-1]) & (start[1:] < end[:-1])
    if overlaps.any():
        by_end = np.lexsort((end, group))
        offs = np.rec.fromarrays([group[by_end], end[by_end]])
        first = np.searchsorted(
            offs, np.rec.fromarrays([group, start], dtype=offs.dtype), side="right"
        )
        notes["end"][order] = end[by_end][first]
    return notes


def write_midi(score: Score, path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Write a score as a format 1 MIDI file; the same score gives the same bytes.

    Ticks, tempos (to a microsecond per quarter), metres, texts, names, programs and pedals survive a round trip through
    :func:`read_midi`.
    Notes of one track that overlap on one pitch cannot be told apart in MIDI and may come back paired differently.

    Raises:
        UsageError: if ``path`` exists and ``overwrite`` is false, or its folder does not exist.
        MusaeError: if the file system refuses, or the score has more ticks per quarter than MIDI can hold.
    """
    data = midi_bytes(score)
    with atomic_output(Path(path), overwrite) as temporary:
        temporary.write_bytes(data)


def midi_bytes(score: Score) -> bytes:
    """Return the content of the MIDI file that :func:`write_midi` writes."""
    import io

    import mido

    from musicvae_lite.media.midi_messages import chunks_of

    if not 0 < score.ticks_per_quarter < 2**15:
        raise MusaeError(
            f"{score.ticks_per_quarter} ticks per quarter note; MIDI files hold 1 to 32767"
        )
    file = mido.MidiFile(type=1, ticks_per_beat=score.ticks_per_quarter, charset="utf-8")
    file.tracks += chunks_of(score)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()
