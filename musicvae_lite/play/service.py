"""What the page asks of a model of music, without the transport; see ``page/src/model.js``."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from musicvae_lite.core.errors import MusaeError, NothingUsableError, UsageError
from musicvae_lite.core.files import resource, shown
from musicvae_lite.core.validation import seed_of, whole
from musicvae_lite.media.midi import Score, read_midi
from musicvae_lite.media.midi_file import read_bytes
from musicvae_lite.model_dir.bundle import Description, shipped_models
from musicvae_lite.model_dir.handle import open_model
from musicvae_lite.music.attribute_vectors import AttributeVectors, load_vectors
from musicvae_lite.music.codec import ScoreCodec, score_codec
from musicvae_lite.music.conditioning.conditions import Conditions
from musicvae_lite.music.windows import Passage, one_window
from musicvae_lite.play.pieces import choices, piece, points_of

if TYPE_CHECKING:
    from musicvae_lite.music.session import MusicSession

MAX_POINTS = 1024  # of one request; a grid of 32 x 32
MAX_CORNERS = 4
MAX_SIZE = 13  # tiles of a side of the pad
_HEARD = 64  # windows that are remembered, to go between them again
_SHORT_BARS = 4  # of windows that are decoded fast enough for many candidates
_TUNES = ("ode_to_joy", "oh_susanna", "twinkle_twinkle", "drunken_sailor")
_BEATS = ("rock", "bossa")
_ROLES = {"melody": "melodies", "drums": "beats", "groove": "grooves", "trio": "trios"}


class NothingHereError(NothingUsableError):
    """A model can use nothing of a file; others may."""

    def __init__(self, message: str, models: Sequence[str]) -> None:
        others = f" (models that can use it: {', '.join(models)})" if models else ""
        super().__init__(message + others)
        self.models = tuple(models)


@dataclass(frozen=True)
class Choice:
    """Which window of a file is meant: tracks (1-based) of the voices, and the bar it starts at."""

    parts: tuple[int, ...] = ()
    bar: int | None = None


@dataclass(frozen=True)
class Wish:
    """How points are decoded; see ``DecodeOptions`` of the page."""

    temperature: float = 0.0
    seed: int = 0
    chords: str | None = None
    hits: Sequence[Sequence[float]] | None = None
    program: int = 0

    @classmethod
    def read(cls, tree: Mapping[str, Any]) -> Wish:
        """Check what a request says.

        Raises:
            UsageError: something is of another type or out of range.
        """
        chords = tree.get("chords") or None
        if chords is not None and not isinstance(chords, str):
            raise UsageError("chords are text, such as C Am F G")
        program = whole(tree.get("program", 0), 0, "program is a number from 0 to 127")
        if program > 127:
            raise UsageError("program is a number from 0 to 127")
        temperature = number(tree, "temperature", 0.0)
        return cls(temperature, seed_of(tree.get("seed", 0)), chords, tree.get("hits"), program)


def number(tree: Mapping[str, Any], name: str, default: float) -> float:
    """Return a number of a request.

    Raises:
        UsageError: it is none.
    """
    value = tree.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise UsageError(f"{name} is a number, not {str(value)[:40]!r}")
    return float(value)


class MusicService:
    """One model of music: what can be said of it at once, and what needs its weights.

    Args:
        name: of a shipped model, or a folder.
        device: where it runs.
        files: the user's own pieces for the corners; default demo tunes.
    """

    medium = "music"

    def __init__(self, name: str, device: str = "auto", files: Sequence[str] = ()) -> None:
        self.name, self._device, self._files = name, device, tuple(files)
        self.handle = open_model(name)
        self.description: Description = self.handle.description
        self.codec: ScoreCodec = score_codec(self.description.config.codec.model_dump())
        self.conditions = Conditions.of_model(self.description.config, self.codec, name)
        self._loading = threading.Lock()
        self._heard: OrderedDict[str, Passage] = OrderedDict()
        self._session: MusicSession | None = None

    @property
    def session(self) -> MusicSession:
        """The model with its weights; the first call loads them, and torch."""
        with self._loading:
            if self._session is None:
                from musicvae_lite.music.session import MusicSession

                self._session = self.handle.load_as(MusicSession, self._device)
            return self._session

    @cached_property
    def corners(self) -> tuple[Path, ...]:
        """What fills the pad at first: the user's pieces, or demo tunes that the model can use."""
        if self._files:
            return tuple(Path(name) for name in self._files)
        tunes = [resource("data", "midi", f"{name}.mid") for name in _TUNES]
        beats = [resource("data", "drums", f"{name}.mid") for name in _BEATS]
        usable = [path for path in (*beats, *tunes) if self._takes(path)]
        return tuple(usable if len(usable) == MAX_CORNERS else usable[: len(usable) // 2 * 2])

    def _takes(self, path: Path) -> bool:
        try:
            one_window(str(path), self.codec, self.name)
        except MusaeError:
            return False
        return True

    @cached_property
    def vectors(self) -> AttributeVectors | None:
        """Attribute vectors, where the model has some."""
        model = self.description.config.model
        try:
            size = int(getattr(model, "latent_size"))  # noqa: B009 (the settings are a union)
            return load_vectors(self.description.folder, self.description.sha256, size, self.name)
        except UsageError:
            return None

    def about(self) -> dict[str, Any]:
        """Return the model's ``Description``, but for the list of others and the folder."""
        codec, vectors = self.codec, self.vectors
        attributes = [] if vectors is None else [
            {"name": name, "unit": unit, "vector": row}
            for name, unit, row in zip(
                vectors.names, vectors.units, points_of(vectors.vectors), strict=True
            )
        ]  # fmt: skip
        return {
            "name": self.name,
            "medium": self.medium,
            "kind": codec.kind,
            "bars": codec.bars,
            "numerator": codec.numerator,
            "denominator": codec.denominator,
            "stepsPerQuarter": codec.steps_per_quarter,
            "latentSize": int(getattr(self.description.config.model, "latent_size")),  # noqa: B009
            "roles": list(codec.roles),
            "chords": self.conditions.control.chords,
            "hits": codec.kind == "groove",
            "between": self._goes_between,
            "attributes": attributes,
            "corners": [path.stem for path in self.corners],
        }

    def corner(self, index: int) -> tuple[str, bytes]:
        """Return name and content of a piece that fills the pad at first.

        Raises:
            UsageError: there is no such corner.
            MidiError: the file cannot be read.
        """
        if not 0 <= index < len(self.corners):
            raise UsageError(f"there is no corner {index}; there are {len(self.corners)}")
        path = self.corners[index]
        return path.name, read_bytes(path, shown(str(path)))

    def encode(self, name: str, data: bytes, choice: Choice) -> dict[str, Any]:
        """Return what a file gives: the page's ``Heard``.

        Raises:
            MidiError: it is no MIDI file, or damaged.
            NothingUsableError: nothing in it can be used; models that could are named.
            UsageError: no such window.
        """
        score = read_midi(data, source=name, texts=True)
        passage = self._window(score, choice)
        told = self.conditions.of_passage(passage)
        mean, _ = self.session.encode_windows(
            passage.windows, condition=self.session.condition(passage)
        )
        heard = self.conditions.played(
            passage.windows, told, passage.qpm.tolist(), program=passage.program, name=passage.stem
        )
        bar = int(passage.bars[0])
        parts = list(passage.parts.values()) or [passage.track]
        return {
            "id": self._remember(passage, data),
            "name": passage.stem,
            "piece": piece(heard, points_of(mean)[0]),
            "place": f"{passage.place}, {_bars(bar, self.codec.bars)}",
            "choices": choices(score, self.codec),
            "parts": parts,
            "bar": bar,
            "qpm": float(passage.qpm[0]),
            "hits": self._hits(passage),
        }

    def _window(self, score: Score, choice: Choice) -> Passage:
        """Choose the window, as the verbs do."""
        codec, parts = self.codec, choice.parts
        several = len(codec.roles) > 1
        roles = dict(zip(codec.roles, parts, strict=False)) if parts and several else None
        track = parts[0] if parts and not several and not codec.whole else None
        try:
            return one_window(score, codec, self.name, track, choice.bar, roles)
        except NothingUsableError as error:
            raise NothingHereError(str(error), _takers(score, self.name)) from error

    def _remember(self, passage: Passage, data: bytes) -> str:
        """Keep a window, so that :meth:`between` finds it; return what it is called."""
        place = f"{passage.track} {dict(passage.parts)} {passage.bars[0]}"
        name = hashlib.sha256(data + place.encode()).hexdigest()[:32]
        self._heard[name] = passage
        self._heard.move_to_end(name)
        while len(self._heard) > _HEARD:
            self._heard.popitem(last=False)
        return name

    @property
    def _goes_between(self) -> bool:
        """Whether the better paths of :mod:`musicvae_lite.music.paths` are quick enough here."""
        codec = self.codec
        known = codec.kind in ("melody", "drums") and not self.conditions.control
        return known and codec.bars <= _SHORT_BARS

    def between(self, names: Any, size: Any, seed: int) -> list[dict[str, Any]]:
        """Return the tiles of a pad between windows, as 'musae interpolate' makes them.

        Args:
            names: two or four that :meth:`encode` gave.
            size: tiles of a side.
            seed: of the draws.

        Raises:
            UsageError: a window that is not known any more, or a size out of range.
        """
        size = whole(size, 2, f"a pad has 2 to {MAX_SIZE} tiles a side")
        if size > MAX_SIZE or not isinstance(names, list) or len(names) not in (2, 4):
            raise UsageError(f"a pad has 2 or 4 corners and up to {MAX_SIZE} tiles a side")
        found = [self._heard.get(str(name)) for name in names]
        ends = [passage for passage in found if passage is not None]
        if len(ends) < len(found):
            raise UsageError("a corner is not known any more; drop it again")
        if len(ends) == 2:
            result = self.session.interpolate(ends[0], ends[1], size, seed=seed_of(seed))
        else:
            result = self.session.grid(ends, size, seed=seed_of(seed))
        points = points_of(result.latents)
        return [piece(score, point) for score, point in zip(result.scores, points, strict=True)]

    def _hits(self, passage: Passage) -> list[list[int]] | None:
        """Return which drums are hit at each step of a window of grooves [T, 9]."""
        if self.codec.kind != "groove":
            return None
        from musicvae_lite.music.codecs.groove import HITS

        hits: list[list[int]] = (passage.windows[0][:, HITS] > 0.5).astype(int).tolist()
        return hits

    def decode(self, points: Any, wish: Wish) -> list[dict[str, Any]]:
        """Return what points [N, Z] decode to, the page's ``Piece`` each.

        Raises:
            UsageError: points or options that do not fit the model.
        """
        z = self._points(points)
        progression = self.conditions.progression(wish.chords)
        told = np.repeat(self.conditions.over(progression, 1), len(z), axis=0)
        windows = self.session.decode_windows(
            z,
            wish.temperature,
            self.conditions.numbers(told),
            wish.seed,
            given=self._given(wish.hits, len(z)),
        )
        rows = zip(windows, told, points_of(z), strict=True)
        return [
            piece(
                self.conditions.played(row[None], part[None], [120.0], program=wish.program),
                point,
            )
            for row, part, point in rows
        ]

    def _points(self, points: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
        size = self.session.latent_size
        try:
            z = np.asarray(points, np.float32)
        except (TypeError, ValueError, OverflowError):
            z = np.zeros(0, np.float32)
        if z.ndim != 2 or z.shape[1:] != (size,) or not 1 <= len(z) <= MAX_POINTS:
            raise UsageError(f"points are 1 to {MAX_POINTS} lists of {size} numbers")
        if not np.isfinite(z).all():
            raise UsageError("points are finite numbers")
        return z

    def _given(self, hits: Any, count: int) -> np.ndarray[Any, np.dtype[np.float32]] | None:
        """Return the hits that a groove model is to play, for each of ``count`` windows."""
        if hits is None or self.codec.kind != "groove":
            return None
        from musicvae_lite.music.codecs.groove import HITS
        from musicvae_lite.music.data.groove_inputs import hits_given

        window = np.zeros(self.codec.shape, np.float32)
        try:
            window[:, HITS] = np.asarray(hits, np.float32)
        except (TypeError, ValueError) as error:
            raise UsageError(f"hits are {self.codec.steps} lists of 9 numbers") from error
        return np.repeat(hits_given(window)[None], count, axis=0)

    def draw(self, count: int, seed: int, chords: str | None = None) -> list[list[float]]:
        """Return points from the prior, those that 'musae sample' begins with.

        Raises:
            UsageError: too many, a seed that is none, or chords for a model not told of them.
        """
        count = whole(count, 1, f"count is {count}; at least 1 point can be drawn")
        if count > MAX_POINTS:
            raise UsageError(f"at most {MAX_POINTS} points can be drawn at a time")
        return points_of(self.session.draw(count, seed_of(seed), chords))


def _bars(first: int, count: int) -> str:
    return f"bar {first}" if count == 1 else f"bars {first}-{first + count - 1}"


def _takers(score: Score, name: str) -> list[str]:
    """Return which other shipped models of music can use a piece."""
    found = []
    for other in shipped_models():
        codec = open_model(other).codec
        if other != name and isinstance(codec, ScoreCodec):
            with suppress(MusaeError):
                one_window(score, codec, other)
                found.append(other)
    return found
