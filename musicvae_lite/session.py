"""Using a trained model: pieces in, pieces out; and arrays in, arrays out.

Letters in shapes: N windows, T steps of a window, V classes of a step, Z latent size, S steps of a path, C controls.

"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicvae_lite.blocks import Blocks, Floats, Points, one_thread, points
from musicvae_lite.bundle import DEFAULT_MODEL, Bundle, load_bundle
from musicvae_lite.codecs import ScoreCodec
from musicvae_lite.codecs.chords import Progression
from musicvae_lite.codecs.control import Classes
from musicvae_lite.conditions import Chords, Conditions
from musicvae_lite.devices import resolve_device
from musicvae_lite.errors import UsageError
from musicvae_lite.latent import Latent, interpolate
from musicvae_lite.media.midi import Score
from musicvae_lite.models import Batch
from musicvae_lite.models.sequence import SequenceAutoencoder
from musicvae_lite.noise import Noise
from musicvae_lite.passages import Item, Passage, Roles, bar_ticks, in_sequence, one_window, rebuild, whole_melody
from musicvae_lite.picture_session import PictureSession
from musicvae_lite.results import Interpolation, Reconstruction, agreement
from musicvae_lite.sound_session import SoundSession

# What a draw is for, mixed into its seed, so that no two kinds of draw see the same numbers.
_EVENTS, _PRIOR = 1, 2


AnySession = Union["Session", PictureSession, SoundSession]


def load(model: str | Path = DEFAULT_MODEL, device: str = "auto", seed: int = 0) -> AnySession:
    """Load a model for use.

    Args:
        model: name of a shipped model, or a model folder.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        seed: of every draw for which no other seed is given.

    Returns:
        A session of music, of pictures or of sound, as the model is.

    Raises:
        UsageError: no such model or device.
        MusaeError: the folder is foreign, truncated or damaged.
    """
    place = resolve_device(device)
    with one_thread():
        bundle = load_bundle(model, place)
        kinds: dict[str, type[AnySession]] = {"image": PictureSession, "sound": SoundSession}
        return kinds.get(bundle.config.codec.kind, Session)(bundle, str(model), seed)


S = TypeVar("S", "Session", PictureSession, SoundSession)


def load_as(kind: type[S], model: str | Path = DEFAULT_MODEL, device: str = "auto", seed: int = 0) -> S:
    """Load a model that must be of one kind; see :func:`load`.

    Raises:
        UsageError: if it is of another kind, too.
    """
    session = load(model, device, seed)
    if not isinstance(session, kind):
        raise UsageError(f"{model} is a model of {session.unit}, not of {kind.unit}")
    return session


class Session:
    """A model of music with its codec, on one device.

    Args:
        bundle: the model; it stays on the device where it is.
        name: what messages call it.
        seed: of every draw for which no other seed is given.
    """

    unit = "music"

    def __init__(self, bundle: Bundle, name: str, seed: int = 0) -> None:
        self.bundle, self.name, self.seed = bundle, name, seed
        self.model = bundle.model
        if not isinstance(bundle.codec, ScoreCodec):
            raise UsageError(f"{name} is no model of music")
        self.codec = bundle.codec
        self.conditions = Conditions.of_model(bundle.config, bundle.codec, name)
        self.blocks = Blocks(bundle.model, name)
        self.device = self.blocks.device

    def __repr__(self) -> str:
        return f"<Session {self.name}: {self.codec.steps} steps a window, latent size {self.latent_size}, {self.device}>"

    @property
    def latent_size(self) -> int:
        """Z."""
        return self.model.latent_size

    # Pieces in, pieces out

    def interpolate(
        self,
        a: Item | Passage,
        b: Item | Passage,
        steps: int = 9,
        temperature: float = 0.0,
        path: Literal["slerp", "lerp"] = "slerp",
        bars: tuple[int | None, int | None] = (None, None),
        tracks: tuple[int | None, int | None] = (None, None),
        seed: int | None = None,
        roles: tuple[Roles, Roles] = (None, None),
        chords: Chords | None = None,
        key: str | None = None,
    ) -> Interpolation:
        """Go from a window of ``a`` to one of ``b`` in ``steps`` steps, along the posterior means.

        Step 1 is what the model makes of ``a``, the last step what it makes of ``b``; the tempo moves evenly between theirs.

        Args:
            a: file or score.
            b: file or score.
            steps: at least 2.
            temperature: 0 takes the likeliest event of every step, above 0 events are drawn.
            path: ``slerp`` (great circle) or ``lerp`` (straight line).
            bars: bar (1-based) at which the window of each starts; default the first usable one.
            tracks: track (1-based) of each; default the first usable one.
            seed: of the draws; default the session's.
            roles: track (1-based) of each voice of each, such as ``{"bass": 3}``; default the first ones that fit.
            chords: for a model that is told of them: what the steps, one after another, are played over, a chord a bar and
                repeated, or as the bar lines say; default the chords of the nearer end.
            key: for a model that is told of it; default that of the chords.

        Raises:
            UsageError: too few steps, a negative temperature, no such track or bar, chords for a model that is not told of them.
            NothingUsableError: a piece without a usable window.
        """
        if steps < 2:
            raise UsageError(f"an interpolation has at least 2 steps, not {steps}")
        if path not in ("slerp", "lerp"):
            raise UsageError(f"path {path!r} is not known; valid: slerp, lerp")
        start = one_window(a, self.codec, self.name, tracks[0], bars[0], roles[0])
        end = one_window(b, self.codec, self.name, tracks[1], bars[1], roles[1])
        given = self._one_progression(chords), self.conditions.key(key)
        ends_told = np.concatenate([self.conditions.of_passage(passage) for passage in (start, end)])
        mean, _ = self.encode_windows(np.concatenate([start.windows, end.windows]), condition=self.conditions.numbers(ends_told))
        latents = interpolate(torch.from_numpy(mean[0]), torch.from_numpy(mean[1]), steps, path).numpy()
        size = self.codec.steps // self.codec.steps_per_bar
        told = self.conditions.changed(ends_told[np.arange(steps) * 2 // steps], np.arange(steps) * size, *given)
        windows = self.decode_windows(latents, temperature, self.conditions.numbers(told), seed)
        qpm = np.linspace(start.qpm[0], end.qpm[0], steps).tolist()
        names = [f"{start.stem} to {end.stem}, step {step + 1}" for step in range(steps)]
        program = start.program
        rows = zip(windows, told, qpm, names, strict=True)
        scores = tuple(
            self._played(row[None], part[None], [tempo], program=program, name=name) for row, part, tempo, name in rows
        )
        title = f"interpolate {start.stem} to {end.stem}"
        joined = self._played(windows, told, qpm, program=program, name=title)
        ends = ((windows[0], start.windows[0]), (windows[-1], end.windows[0]))
        accuracy, onsets = zip(*(agreement(self.codec, *(row[None] for row in pair)) for pair in ends), strict=True)
        settings = {"path": path, "temperature": temperature, "seed": self.seed if seed is None else seed}
        return Interpolation(start, end, latents, windows, scores, joined, accuracy, onsets, settings)

    def encode(self, item: Item | Passage, track: int | None = None, every_window: bool = False, roles: Roles = None) -> Latent:
        """Return the posterior of the windows that cover a melody, mean [N, Z]; see :func:`~musicvae_lite.passages.whole_melody`.

        Raises:
            UsageError: no such track.
            NothingUsableError: a piece without a usable window.
        """
        passage = whole_melody(item, self.codec, self.name, track, every_window, roles)
        mean, scale = self.encode_windows(passage.windows, condition=self.condition(passage))
        return Latent(torch.from_numpy(mean), torch.from_numpy(scale).clamp_min(1e-38).log())

    def condition(self, passage: Passage) -> Floats | None:
        """Return what the model is told of the windows of a piece, its chords and key [N, T, C]; None where it is nothing."""
        return self.conditions.numbers(self.conditions.of_passage(passage))

    def decode(
        self,
        z: Points,
        temperature: float = 0.0,
        qpm: float = 120.0,
        seed: int | None = None,
        chords: Chords | None = None,
        key: str | None = None,
    ) -> Score:
        """Return points [Z] or [N, Z] (or the mean of a posterior) as one score, windows one after another.

        ``chords`` (a chord a bar, repeated) and ``key`` are for a model that is told of them; default: no chord.
        """
        latents = points(z)
        told = self.conditions.over(self._one_progression(chords), len(latents), self.conditions.key(key))
        windows = self.decode_windows(latents, temperature, self.conditions.numbers(told), seed)
        return self._played(windows, told, [qpm] * len(windows))

    def reconstruct(
        self,
        item: Item | Passage,
        track: int | None = None,
        roles: Roles = None,
        chords: Chords | None = None,
        key: str | None = None,
    ) -> Reconstruction:
        """Return what the model makes of a whole piece, window by window, greedily from the posterior mean.

        A model that is told of chords hears the piece with its own, and plays it over ``chords`` (a chord a bar, repeated) and in
        ``key`` where they are given.

        Raises:
            UsageError: no such track, or chords for a model that is not told of them.
            NothingUsableError: a piece without a usable window.
        """
        passage = whole_melody(item, self.codec, self.name, track, roles=roles)
        given = self._one_progression(chords), self.conditions.key(key)
        own = self.conditions.of_passage(passage)
        mean, _ = self.encode_windows(passage.windows, condition=self.conditions.numbers(own))
        told = self.conditions.changed(own, passage.bars, *given)
        windows = self.decode_windows(mean, condition=self.conditions.numbers(told))
        score = rebuild(passage, windows, self.codec, f"reconstruct {passage.stem}")
        ticks = passage.ticks * score.ticks_per_quarter // passage.score.ticks_per_quarter
        score = self.conditions.marked(score, windows, told, ticks)
        last = int(passage.bars[-1]) + self.codec.steps // self.codec.steps_per_bar - 1
        return Reconstruction(
            passage, (int(passage.bars[0]), last), windows, score, *agreement(self.codec, windows, passage.windows)
        )

    def sample(
        self,
        count: int = 1,
        temperature: float = 0.5,
        bars: int | None = None,
        qpm: float = 120.0,
        seed: int | None = None,
        chords: Chords | None = None,
        key: str | None = None,
        style: Item | Passage | None = None,
        drift: bool | None = None,
    ) -> list[Score]:
        """Draw pieces from the prior.

        A piece of several windows follows the great circle between two draws, so that its windows belong together; over chords
        it keeps to one draw, its style.

        Args:
            count: number of pieces, at least 1.
            temperature: of the events; 0 takes the likeliest.
            bars: length of a piece, a multiple of the model's window; default one window, or as many as the chords need.
            qpm: tempo, quarter notes per minute.
            seed: of the draws; default the session's. Piece i is the same for every ``count`` above i.
            chords: for a model that is told of them, one progression or several, which the pieces take in turn. They are spread
                over ``bars``; without that each chord has a bar. Default: no chord.
            key: for a model that is told of it; default that of the chords.
            style: a piece whose windows, in turn, give the style in place of draws.
            drift: whether a piece goes from one draw to another or keeps to one; default: it goes where there are no chords.

        Raises:
            UsageError: a count below 1, a negative temperature, a length that the model cannot make, or chords for a model that
                is not told of them.
            NothingUsableError: a style without a usable window.
        """
        size = self.codec.steps // self.codec.steps_per_bar
        progressions, told_key = self.conditions.progressions(chords), self.conditions.key(key)
        spread = bars is not None
        bars = self.conditions.bars(progressions) if bars is None else bars
        if count < 1:
            raise UsageError(f"count is {count}; at least 1 piece can be drawn")
        if bars < 1 or bars % size:
            raise UsageError(f"{self.name} makes pieces of {size} bars and multiples of it, not of {bars}")
        seed = self.seed if seed is None else seed
        length = bars // size
        z = self._styles(count, length, seed, not progressions if drift is None else drift, style)
        turns = [self.conditions.over(turn, length, told_key, spread) for turn in progressions or (None,)]
        told = np.stack([turns[number % len(turns)] for number in range(count)])
        condition = self.conditions.numbers(told.reshape(count * length, *told.shape[2:]))
        windows = self.decode_windows(z, temperature, condition, seed).reshape(count, length, *self.codec.shape)
        names = [f"sample {number}" for number in range(1, count + 1)]
        rows = zip(windows, told, names, strict=True)
        return [self._played(row, part, [qpm] * length, name=name) for row, part, name in rows]

    def _styles(self, count: int, length: int, seed: int, drift: bool, style: Item | Passage | None) -> Floats:
        """Return the points of ``count`` pieces of ``length`` windows each, piece after piece [count * length, Z]."""
        if style is not None:
            mean = self.encode(style).mean.numpy()
            return np.tile(mean[np.arange(length) % len(mean)], (count, 1))
        noise = Noise(seed, _PRIOR)
        ends = [noise.normal((2, self.latent_size), torch.device("cpu")) for _ in range(count)]
        z: Floats = torch.cat([interpolate(start, end if drift else start, length) for start, end in ends]).numpy()
        return z

    def _one_progression(self, chords: Chords | None) -> Progression | None:
        progressions = self.conditions.progressions(chords)
        if len(progressions) > 1:
            raise UsageError(f"{len(progressions)} progressions for one piece; give one")
        return progressions[0] if progressions else None

    def _played(self, windows: NDArray[Any], told: Classes, qpm: list[float], program: int = 0, name: str = "melody") -> Score:
        """Put windows [N, T] one after another, with the chords that they were played over as markers."""
        score = in_sequence(windows, qpm, self.codec, program=program, name=name)
        size = self.codec.steps // self.codec.steps_per_bar
        return self.conditions.marked(score, windows, told, np.arange(len(windows)) * size * bar_ticks(score))

    # Arrays in, arrays out

    def encode_windows(
        self, windows: NDArray[Any], lengths: NDArray[Any] | None = None, condition: NDArray[Any] | None = None
    ) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of each window's posterior.

        Args:
            windows: classes [N, T], or [N, T, K] where a step has several.
            lengths: valid steps of each window, 1 to T [N]; default all.
            condition: control input [N, T, C].

        Returns:
            Two float32 arrays [N, Z].

        Raises:
            UsageError: if a shape or a value does not fit the model.
        """
        tokens = self._tokens(windows)
        told = self._condition(condition, tokens)
        arrays = {"x": tokens, "target": tokens, "length": _lengths(lengths, tokens), "condition": told}

        def block(start: int, **rows: Tensor) -> tuple[Tensor, Tensor]:
            latent = self.model.encode(Batch(**rows))
            return latent.mean, latent.scale

        mean, scale = self.blocks.run(block, len(tokens), arrays, [(self.latent_size,)] * 2)
        return mean, scale

    def decode_windows(
        self, z: Points, temperature: float = 0.0, condition: NDArray[Any] | None = None, seed: int | None = None
    ) -> NDArray[Any]:
        """Return what points decode to.

        Args:
            z: [N, Z].
            temperature: 0 takes the likeliest event of every step, above 0 events are drawn.
            condition: control input [N, T, C].
            seed: of the draws; default the session's.

        Returns:
            Classes [N, T] or [N, T, K], in the codec's type of numbers.

        Raises:
            UsageError: if a shape or a value does not fit the model, or the temperature is negative.
        """
        points = self.blocks.latents(z)
        if not 0 <= temperature < np.inf:
            raise UsageError(f"temperature is {temperature}; it is 0 (the likeliest) or above")
        arrays = {"z": points, "condition": self._condition(condition, points)}
        draws = self.seed if seed is None else seed

        def block(start: int, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor]:
            return (self.model.decode(z, self.codec.steps, temperature, Noise(draws, _EVENTS, start), condition),)

        (tokens,) = self.blocks.run(block, len(points), arrays, [self.codec.shape])
        return tokens.astype(self.codec.dtype)

    def teacher_forced(self, z: Points, windows: NDArray[Any], condition: NDArray[Any] | None = None) -> Floats:
        """Return logits [N, T, V] of each step, given z [N, Z] and the true steps of ``windows`` before it.

        Windows are [N, T], or [N, T, K]: then V is the sum of the classes of all K. A model with the likelihood ``nade`` has
        other outputs, see :meth:`musicvae_lite.models.sequence.SequenceAutoencoder.logits`.

        Raises:
            UsageError: if a shape or a value does not fit the model, or the model has no logits.
        """
        points, tokens = self.blocks.latents(z), self._tokens(windows)
        if len(points) != len(tokens):
            raise UsageError(f"there are {len(points)} points for {len(tokens)} windows")
        model = self.model
        if not isinstance(model, SequenceAutoencoder):
            raise UsageError(f"{self.name} is no sequence model; it has no logits")
        arrays: dict[str, NDArray[Any] | None] = {"z": points, "x": tokens, "condition": self._condition(condition, points)}

        def block(start: int, z: Tensor, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor]:
            return (model.logits(z, Batch(x, x, condition=condition)).float(),)

        (logits,) = self.blocks.run(block, len(points), arrays, [(tokens.shape[1], model.decoder.likelihood.size)])
        return logits

    def _tokens(self, windows: NDArray[Any]) -> NDArray[np.int64]:
        array, sizes = np.asarray(windows), np.array(self.codec.sizes)
        shape = list(self.codec.shape)
        if list(array.shape[1:]) != shape or not np.issubdtype(array.dtype, np.integer):
            wanted = ", ".join(["N", *map(str, shape)])
            raise UsageError(f"{self.name} reads integer windows [{wanted}]; these are {array.dtype} {list(array.shape)}")
        last = sizes - 1 if len(shape) > 1 else sizes[0] - 1
        if ((array < 0) | (array > last)).any():
            raise UsageError(f"classes run from 0 to {np.unique(last).tolist()}; these go from {array.min()} to {array.max()}")
        return array.astype(np.int64)

    def _condition(self, condition: NDArray[Any] | None, rows: NDArray[Any]) -> Floats | None:
        """Check the control input, which a model has or has not.

        Raises:
            UsageError: it is missing, not wanted, or of another shape.
        """
        size = self.model.control_size if isinstance(self.model, SequenceAutoencoder) else 0
        if condition is None:
            if size:
                raise UsageError(f"{self.name} is told of {size} control numbers a step; give condition [N, T, {size}]")
            return None
        array = np.asarray(condition, np.float32)
        wanted = (len(rows), self.codec.steps, size)
        if not size or array.shape != wanted:
            takes = f"takes a condition {list(wanted)}" if size else "takes no condition"
            raise UsageError(f"{self.name} {takes}; this is {list(array.shape)}")
        return array


def _lengths(lengths: NDArray[Any] | None, tokens: NDArray[Any]) -> NDArray[np.int64] | None:
    if lengths is None:
        return None
    array = np.asarray(lengths)
    if array.shape != (len(tokens),) or not np.issubdtype(array.dtype, np.integer):
        raise UsageError(f"lengths are {len(tokens)} integers; these are {array.dtype} {list(array.shape)}")
    if array.size and not 1 <= int(array.min()) <= int(array.max()) <= tokens.shape[1]:
        raise UsageError(f"lengths run from 1 to {tokens.shape[1]}; these go from {array.min()} to {array.max()}")
    return array.astype(np.int64)
