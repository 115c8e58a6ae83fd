"""What scores and sounds look like in a notebook: a picture and a player, in one piece of HTML.

Nothing is fetched and no script runs, so that it shows wherever a notebook is opened; at most
:data:`MAX_BYTES` long.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import MusaeError
from musicvae_lite.media.audio import Audio, resample
from musicvae_lite.media.midi import Score

MAX_BYTES = 150_000
_ROOM = 4_000  # for the tags around picture and player
_BARS_DRAWN = 64
_NOTES_DRAWN = 4_000
_TILES_DRAWN = 121
_SPAN = 13  # semitones of a picture at least


class _Encoding(NamedTuple):
    """A rate, libsndfile's level of compression, and what music comes to at most."""

    rate: int
    level: float
    bytes_per_second: int


_ENCODINGS = (
    _Encoding(32_000, 0.5, 6_600),
    _Encoding(24_000, 0.9, 4_200),
    _Encoding(16_000, 0.9, 3_900),
)
_COLOURS = ("#e4572e", "#17a398", "#6f5bd7", "#d99a00", "#3178c6", "#b0478f")
_STYLE = "font:13px system-ui,sans-serif;max-width:760px"


def score_html(score: Score) -> str:
    """Return a piano roll of a score, and a player."""
    bars = score.bars
    caption = f"{len(score.notes):,} notes, {bars:,} bars, {score.qpm:g} quarters a minute"
    if bars > _BARS_DRAWN or len(score.notes) > _NOTES_DRAWN:
        caption += "; the beginning is shown"
    picture = roll_svg(score, 720, 190)
    return _page(score.source or "score", caption, picture, _score_player(score, len(picture)))


def tiles_html(scores: Sequence[Score], joined: Score, title: str, columns: int | None) -> str:
    """Return small piano rolls of the steps of a path or a grid, and a player of all of them."""
    across = columns or min(len(scores), 9)
    width = max(720 // across - 6, 40)
    shown = scores[:_TILES_DRAWN]
    notes = np.concatenate([score.notes for score in shown])
    height, pitches = round(width * 0.62), _range(notes)
    tiles = "".join(roll_svg(score, width, height, pitches) for score in shown)
    picture = (
        f'<div style="display:grid;grid-template-columns:repeat({across},{width}px);gap:6px">'
        f"{tiles}</div>"
    )
    caption = f"{len(scores):,} steps" + ("" if columns is None else f", {columns} in a row")
    return _page(title, caption, picture, _score_player(joined, len(picture)))


def audio_html(audio: Audio) -> str:
    """Return a spectrogram of a sound, and a player."""
    header = audio.header
    channels = {1: "mono", 2: "stereo"}.get(header.channels, f"{header.channels} channels")
    caption = f"{header.seconds:.1f} s, {header.rate:,} Hz, {channels}"
    data = base64.b64encode(_spectrogram_png(audio)).decode()
    source = f"data:image/png;base64,{data}"
    picture = f'<img alt="spectrogram" style="width:720px;height:160px" src="{source}">'
    return _page(audio.source, caption, picture, _player(audio, len(picture), header.seconds))


def _page(title: str, caption: str, picture: str, player: str) -> str:
    head = f"<b>{html.escape(title[:200])}</b> <span>{html.escape(caption)}</span>"
    return f'<div style="{_STYLE}"><div>{head}</div>{picture}{player}</div>'


def _range(notes: NDArray[np.void]) -> tuple[int, int]:
    """Return lowest and highest pitch of a picture: those of the notes, an octave at least."""
    if not len(notes):
        return 60, 72
    low, high = int(notes["pitch"].min()) - 1, int(notes["pitch"].max()) + 1
    more = max(_SPAN - (high - low), 0)
    return low - more // 2, high + more - more // 2


def roll_svg(score: Score, width: int, height: int, pitches: tuple[int, int] | None = None) -> str:
    """Return a piano roll as SVG: a colour a track, drums at their pitches, a line at each bar.

    Args:
        score: the piece.
        width: in pixels.
        height: in pixels.
        pitches: lowest and highest, of tiles that share them and have no lines; None for its own.
    """
    quarters, notes = _drawn(score)
    if not len(notes):
        return _svg(width, height, "")
    low, high = pitches or _range(notes)
    across, lane = width / quarters, height / (high - low + 1)
    parts = [] if pitches else [_bars(score, quarters, across, height)]
    for track in np.unique(notes["track"]).tolist():
        own = notes[notes["track"] == track]
        start = own["start"] / score.ticks_per_quarter * across
        length = np.maximum((own["end"] - own["start"]) / score.ticks_per_quarter * across - 1, 1.5)
        y = (high - own["pitch"].astype(np.float64) + 0.5) * lane
        rows = zip(start.tolist(), y.tolist(), length.tolist(), strict=True)
        path = "".join(f"M{x:.1f} {place:.1f}h{size:.1f}" for x, place, size in rows)
        colour = _COLOURS[track % len(_COLOURS)]
        parts.append(
            f'<path stroke="{colour}" stroke-width="{max(lane - 1, 1.5):.1f}" d="{path}"/>'
        )
    return _svg(width, height, "".join(parts))


def _drawn(score: Score) -> tuple[float, NDArray[np.void]]:
    """Return how many quarters are drawn, and their notes."""
    ticks = score.ticks_per_quarter
    metre = score.metre_segments()[0] if len(score.notes) else None
    bar = 4.0 if metre is None else 4 * metre.numerator / metre.denominator
    whole = np.ceil(score.end / ticks / bar) * bar
    quarters = float(max(min(whole, _BARS_DRAWN * bar), bar))
    notes = np.sort(score.notes[score.notes["start"] < quarters * ticks], order="start")
    return quarters, notes[:_NOTES_DRAWN]


def _bars(score: Score, quarters: float, across: float, height: int) -> str:
    metre = score.metre_segments()[0]
    bar = 4 * metre.numerator / metre.denominator
    lines = "".join(f"M{x * across:.1f} 0v{height}" for x in np.arange(0, quarters + 1e-6, bar))
    return f'<path stroke="#8884" stroke-width="1" d="{lines}"/>'


def _svg(width: int, height: int, body: str) -> str:
    frame = "background:#8881;border-radius:6px;display:block;margin:4px 0"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" style="{frame}" fill="none">{body}</svg>'
    )


def _score_player(score: Score, used: int) -> str:
    """Return a player of a score, or of its beginning; nothing where it cannot be rendered."""
    from musicvae_lite.media.synth import play, seconds_of

    if not len(score.notes):
        return ""
    seconds, most = seconds_of(score), _room(used) / _ENCODINGS[-1].bytes_per_second
    notes = score.notes
    if seconds > most:  # what is not heard need not be rendered
        notes = notes[notes["start"] < score.end * min(most / seconds, 1)]
    try:
        audio, _ = play(replace(score, notes=notes))
    except MusaeError:
        return ""
    return _player(audio, used, seconds)


def _room(used: int) -> int:
    """Return the bytes of a file that fits beside what is used, in base64."""
    return max((MAX_BYTES - used - _ROOM) * 3 // 4, 0)


def _player(audio: Audio, used: int, seconds: float) -> str:
    """Return a player that fits beside what is used of the bytes; of a long sound its beginning.

    Args:
        audio: the sound, or its beginning.
        used: bytes of the picture.
        seconds: length of the whole.
    """
    room, own = _room(used), audio.header.seconds
    mono = audio.samples.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
    for encoding in _ENCODINGS:
        if encoding.bytes_per_second * own <= room:
            break
    share = min(room / (encoding.bytes_per_second * max(own, 1e-3)), 1.0)
    samples = mono if audio.rate == encoding.rate else resample(mono, audio.rate, encoding.rate)
    while share * own > 1:
        kept = samples[:, : int(samples.shape[1] * share)]
        data = _mp3(kept, encoding)
        if len(data) <= room:
            return _audio_tag(data, kept.shape[1] / encoding.rate, seconds)
        share *= 0.9 * room / len(data)
    return ""


def _mp3(samples: NDArray[np.float32], encoding: _Encoding) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    options: dict[str, Any] = {"format": "MP3", "subtype": "MPEG_LAYER_III"}
    level = encoding.level
    soundfile.write(buffer, samples.T, encoding.rate, compression_level=level, **options)
    return buffer.getvalue()


def _audio_tag(data: bytes, heard: float, seconds: float) -> str:
    source = f"data:audio/mpeg;base64,{base64.b64encode(data).decode()}"
    short = f"<div>the first {heard:.0f} s of {seconds:.0f} can be heard</div>"
    note = short if heard < seconds - 1 else ""
    return f'<audio controls style="width:720px" src="{source}"></audio>{note}'


def _spectrogram_png(audio: Audio) -> bytes:
    """Return the levels of a sound over 80 dB as a picture of 64 colours."""
    from PIL import Image

    levels = _levels(audio.samples.mean(axis=0), audio.rate)
    image = Image.fromarray(levels).resize((480, 128))
    image.putpalette(_palette())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _levels(mono: NDArray[np.float32], rate: int) -> NDArray[np.uint8]:
    """Return levels [F, T] from 0 to 63, high notes first, rows evenly spaced in octaves."""
    size = 2048
    padded = np.pad(mono, (size // 2, size))
    hops = np.linspace(0, len(mono), 480, endpoint=False).astype(np.int64)
    frames = padded[hops[:, None] + np.arange(size)] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = np.geomspace(40.0, rate / 2, 129)
    bins = np.clip(np.rint(edges * size / rate).astype(np.int64), 0, size // 2)
    first, last = bins[:-1], np.maximum(bins[1:], bins[:-1] + 1)
    sums = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
    rows = ((sums[:, last] - sums[:, first]) / (last - first)).T[::-1]
    loudest = max(float(rows.max()), 1e-20)
    decibels = 10 * np.log10(np.maximum(rows, loudest * 1e-8) / loudest)
    levels: NDArray[np.uint8] = np.rint((decibels / 80 + 1) * 63).astype(np.uint8)
    return levels


def _palette() -> list[int]:
    """Return 64 colours from black over violet and orange to a light yellow."""
    stops = np.array(
        [(4, 4, 12), (51, 16, 88), (140, 41, 109), (222, 73, 76), (251, 150, 60), (252, 246, 190)]
    )
    places = np.array([0, 0.25, 0.5, 0.7, 0.87, 1]) * 63
    colours = [np.interp(np.arange(64), places, stops[:, channel]) for channel in range(3)]
    numbers: list[int] = np.rint(np.stack(colours, axis=1)).astype(int).ravel().tolist()
    return numbers
