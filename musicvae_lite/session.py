"""Using a trained model: pieces in, pieces out; and arrays in, arrays out.

Letters in shapes: N windows, T steps of a window, V classes of a step, Z latent size, S steps of a path, C controls.

"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicvae_lite.arranging import in_piece, left_bars
from musicvae_lite.blocks import BLOCK, Blocks, Floats, Points, one_thread, points
from musicvae_lite.bundle import DEFAULT_MODEL, Bundle, load_bundle
from musicvae_lite.codecs import ScoreCodec
from musicvae_lite.corpora.groove_inputs import told
from musicvae_lite.devices import resolve_device
from musicvae_lite.errors import UsageError
from musicvae_lite.latent import Latent, check_similar, grid, interpolate, towards
from musicvae_lite.media.midi import Score
from musicvae_lite.models import Batch
from musicvae_lite.models.sequence import SequenceAutoencoder
from musicvae_lite.noise import Noise
from musicvae_lite.passages import Item, Passage, Roles, in_sequence, is_silent, joined_line, one_window, rebuild, whole_melody
from musicvae_lite.picture_session import PictureSession
from musicvae_lite.results import Interpolation, Reconstruction, Similar, agreement, step_labels, title_of
from musicvae_lite.sound_session import SoundSession
from musicvae_lite.timbre_session import TimbreSession

# What a draw is for, mixed into its seed, so that no two kinds of draw see the same numbers.
_EVENTS, _PRIOR = 1, 2


AnySession = Union["Session", PictureSession, SoundSession, TimbreSession]


def load(model: str | Path = DEFAULT_MODEL, device: str = "auto", seed: int = 0) -> AnySession:
    """Load a model for use.

    Args:
        model: name of a shipped model, or a model folder.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        seed: of every draw for which no other seed is given.

    Returns:
        A session of music, of pictures, of (noisy) sound or of timbre, as the model is.

    Raises:
        UsageError: no such model or device.
        MusaeError: the folder is foreign, truncated or damaged.
    """
    place = resolve_device(device)
    with one_thread():
        bundle = load_bundle(model, place)
        kinds: dict[str, type[AnySession]] = {
            "image": PictureSession,
            "spectrogram": SoundSession,
            "timbre": TimbreSession,
        }
        return kinds.get(bundle.config.model.kind, Session)(bundle, str(model), seed)


S = TypeVar("S", "Session", PictureSession, SoundSession, TimbreSession)


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

        Raises:
            UsageError: too few steps, a negative temperature, no such track or bar.
            NothingUsableError: a piece without a usable window.
        """
        if steps < 2:
            raise UsageError(f"an interpolation has at least 2 steps, not {steps}")
        ends = self._windows((a, b), tracks, bars, roles)

        def between(points: Tensor) -> Tensor:
            return interpolate(points[0], points[1], steps, path)

        return self._decoded(ends, between, (0, steps - 1), path, temperature, seed)

    def grid(
        self,
        corners: Sequence[Item | Passage],
        size: int = 5,
        temperature: float = 0.0,
        path: Literal["slerp", "lerp"] = "slerp",
        bars: Sequence[int | None] = (None,) * 4,
        tracks: Sequence[int | None] = (None,) * 4,
        seed: int | None = None,
        roles: Sequence[Roles] = (None,) * 4,
    ) -> Interpolation:
        """Fill a grid of ``size`` x ``size`` steps between a window of each of four pieces, along the posterior means.

        The corners (top left, top right, bottom left, bottom right) are what the model makes of the four; rows are paths between
        the paths of the left and the right side, and so is the tempo. See :func:`musicvae_lite.latent.grid`, and
        :meth:`interpolate` for the arguments, which here are one for each corner.

        Raises:
            UsageError: not four pieces, too small a grid, a negative temperature, no such track or bar.
            NothingUsableError: a piece without a usable window.
        """
        if len(corners) != 4:
            raise UsageError(f"a grid has 4 corners, not {len(corners)}")
        if size < 2:
            raise UsageError(f"a grid has at least 2 rows and columns, not {size}")
        inputs = self._windows(corners, tracks, bars, roles)

        def between(points: Tensor) -> Tensor:
            return grid(points, size, size, path).flatten(0, 1)

        last = size * size - 1
        return self._decoded(inputs, between, (0, size - 1, last - size + 1, last), path, temperature, seed, size)

    def _windows(
        self,
        items: Sequence[Item | Passage],
        tracks: Sequence[int | None],
        bars: Sequence[int | None],
        roles: Sequence[Roles],
    ) -> tuple[Passage, ...]:
        """Choose one window of each item."""
        chosen = zip(items, tracks, bars, roles, strict=True)
        return tuple(one_window(item, self.codec, self.name, track, bar, role) for item, track, bar, role in chosen)

    def _decoded(
        self,
        inputs: tuple[Passage, ...],
        between: Callable[[Tensor], Tensor],
        corners: tuple[int, ...],
        path: Literal["slerp", "lerp"],
        temperature: float,
        seed: int | None,
        columns: int | None = None,
    ) -> Interpolation:
        """Decode the points that ``between`` puts between those of the inputs; each input is the step in ``corners``."""
        if path not in ("slerp", "lerp"):
            raise UsageError(f"path {path!r} is not known; valid: slerp, lerp")
        mean, _ = self.encode_windows(np.concatenate([passage.windows for passage in inputs]))
        latents = between(torch.from_numpy(mean)).numpy()
        # The tempo moves as the points do, evenly: a vector of one number has no angle. Rounded, so that equal tempos stay one.
        tempos = between(torch.tensor([[float(passage.qpm[0])] for passage in inputs], dtype=torch.float64))
        qpm = tempos.squeeze(1).numpy().round(6).tolist()
        windows = self.decode_windows(latents, temperature, seed=seed)
        title, program = title_of(inputs), inputs[0].program
        rows = zip(windows, qpm, step_labels(len(windows), columns), strict=True)
        scores = tuple(
            in_sequence(row[None], [tempo], self.codec, program=program, name=f"{title}, step {label}")
            for row, tempo, label in rows
        )
        joined = in_sequence(windows, qpm, self.codec, program=program, name=f"interpolate {title}")
        pairs = [(windows[[step]], passage.windows) for step, passage in zip(corners, inputs, strict=True)]
        accuracy, onsets = zip(*(agreement(self.codec, heard, given) for heard, given in pairs), strict=True)
        settings = {"path": path, "temperature": temperature, "seed": self.seed if seed is None else seed}
        return Interpolation(inputs, corners, latents, windows, scores, joined, accuracy, onsets, settings, columns)

    def encode(self, item: Item | Passage, track: int | None = None, every_window: bool = False, roles: Roles = None) -> Latent:
        """Return the posterior of the windows that cover a melody, mean [N, Z]; see :func:`~musicvae_lite.passages.whole_melody`.

        Raises:
            UsageError: no such track.
            NothingUsableError: a piece without a usable window.
        """
        passage = whole_melody(item, self.codec, self.name, track, every_window, roles)
        mean, scale = self.encode_windows(passage.windows)
        return Latent(torch.from_numpy(mean), torch.from_numpy(scale).clamp_min(1e-38).log())

    def decode(self, z: Points, temperature: float = 0.0, qpm: float = 120.0, seed: int | None = None) -> Score:
        """Return points [Z] or [N, Z] (or the mean of a posterior) as one score, windows one after another."""
        windows = self.decode_windows(points(z), temperature, seed=seed)
        return in_sequence(windows, [qpm] * len(windows), self.codec)

    def reconstruct(
        self, item: Item | Passage, track: int | None = None, roles: Roles = None, keep_tracks: bool = False
    ) -> Reconstruction:
        """Return what the model makes of a whole piece, window by window, greedily from the posterior mean.

        Windows overlap by half, so that a note that is held from one to the next is one note.

        Args:
            item: file or score.
            track: track to use, 1-based; default the first usable one.
            roles: track of each voice.
            keep_tracks: return the whole piece, with what the model makes in place of the track; bars without a window stay.

        Raises:
            UsageError: no such track.
            NothingUsableError: a piece without a usable window.
        """
        passage = whole_melody(item, self.codec, self.name, track, roles=roles, overlapping=True)
        mean, _ = self.encode_windows(passage.windows)
        windows = self.decode_windows(mean, condition=told(passage.windows, self.bundle.config))
        silent = is_silent(passage.windows, self.codec)
        windows[silent] = passage.windows[silent]
        score = rebuild(passage, windows, self.codec, f"reconstruct {passage.stem}")
        if keep_tracks:
            score = in_piece(passage, score, self.codec)
        bars = int(passage.bars[0]), int(passage.bars[-1]) + self.codec.bars - 1
        heard, given = (joined_line(array, passage.bars, self.codec) for array in (windows, passage.windows))
        left = tuple(left_bars(passage, self.codec).tolist())
        return Reconstruction(passage, bars, windows, score, *agreement(self.codec, heard, given), left)

    def sample(
        self, count: int = 1, temperature: float = 0.5, bars: int | None = None, qpm: float = 120.0, seed: int | None = None
    ) -> list[Score]:
        """Draw pieces from the prior.

        A piece of several windows follows the great circle between two draws, so that its windows belong together.

        Args:
            count: number of pieces, at least 1.
            temperature: of the events; 0 takes the likeliest.
            bars: length of a piece, a multiple of the model's window; default one window.
            qpm: tempo, quarter notes per minute.
            seed: of the draws; default the session's. Piece i is the same for every ``count`` above i.

        Raises:
            UsageError: a count below 1, a negative temperature, or a length that the model cannot make.
        """
        size = self.codec.bars
        bars = size if bars is None else bars
        if count < 1:
            raise UsageError(f"count is {count}; at least 1 piece can be drawn")
        if bars < 1 or bars % size:
            raise UsageError(f"{self.name} makes pieces of {size} bars and multiples of it, not of {bars}")
        seed = self.seed if seed is None else seed
        length = bars // size
        z = torch.cat([interpolate(start, end, length) for start, end in self._draws(count, seed)]).numpy()
        windows = self.decode_windows(z, temperature, seed=seed).reshape(count, length, *self.codec.shape)
        names = [f"sample {number}" for number in range(1, count + 1)]
        return [in_sequence(rows, [qpm] * length, self.codec, name=name) for rows, name in zip(windows, names, strict=True)]

    def similar(
        self,
        item: Item | Passage,
        similarity: float,
        count: int = 1,
        temperature: float = 0.5,
        qpm: float | None = None,
        seed: int | None = None,
        track: int | None = None,
        bar: int | None = None,
        roles: Roles = None,
    ) -> Similar:
        """Draw pieces of one window that are like a window of ``item``.

        Each is at the fraction ``similarity`` of the great circle from a draw from the prior to the window's posterior mean: 1
        is the mean itself, 0 has nothing to do with it (what :meth:`sample` draws with the same seed).

        Args:
            item: file or score.
            similarity: 0 to 1.
            count: number of pieces, at least 1.
            temperature: of the events; 0 takes the likeliest.
            qpm: tempo, quarter notes per minute; default that of the window.
            seed: of the draws; default the session's.
            track: number of the track (1-based); default the first usable one.
            bar: bar (1-based) at which the window starts; default the first usable one.
            roles: track (1-based) of each voice.

        Raises:
            UsageError: a similarity or count out of range, no such track or bar.
            NothingUsableError: a piece without a usable window.
        """
        check_similar(similarity, count)
        passage = one_window(item, self.codec, self.name, track, bar, roles)
        seed = self.seed if seed is None else seed
        mean = torch.from_numpy(self.encode_windows(passage.windows)[0][0])
        latents = towards(torch.stack([start for start, _ in self._draws(count, seed)]), mean, similarity).numpy()
        windows = self.decode_windows(latents, temperature, seed=seed)
        tempo = float(passage.qpm[0]) if qpm is None else qpm
        scores = tuple(
            in_sequence(row[None], [tempo], self.codec, program=passage.program, name=f"like {passage.stem} {number}")
            for number, row in enumerate(windows, start=1)
        )
        shared = agreement(self.codec, windows, np.repeat(passage.windows, count, axis=0))
        return Similar(passage, similarity, latents, windows, scores, *shared, qpm=tempo)

    def _draws(self, count: int, seed: int) -> list[Tensor]:
        """Return two draws from the prior [2, Z] for each piece; those of piece i are the same for every ``count`` above i."""
        noise = Noise(seed, _PRIOR)
        return [noise.normal((2, self.latent_size), torch.device("cpu")) for _ in range(count)]

    # Arrays in, arrays out

    def encode_windows(
        self, windows: NDArray[Any], lengths: NDArray[Any] | None = None, condition: NDArray[Any] | None = None
    ) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of each window's posterior.

        Args:
            windows: classes [N, T], or [N, T, K] where a step has several; where the codec has an end, its padding after it.
            lengths: valid steps of each window, 1 to T [N]; default all.
            condition: control input [N, T, C]; of a groove model that is told of the hits default those of the windows.

        Returns:
            Two float32 arrays [N, Z].

        Raises:
            UsageError: if a shape or a value does not fit the model.
        """
        tokens = self._tokens(windows)
        given = told(tokens, self.bundle.config) if condition is None else condition
        arrays = {
            "x": tokens,
            "target": tokens,
            "length": _lengths(lengths, tokens),
            "condition": self._condition(given, tokens),
        }

        def block(start: int, **rows: Tensor) -> tuple[Tensor, Tensor]:
            latent = self.model.encode(Batch(**rows))
            return latent.mean, latent.scale

        mean, scale = self.blocks.run(block, len(tokens), arrays, [(self.latent_size,)] * 2)
        return mean, scale

    def decode_windows(
        self,
        z: Points,
        temperature: float = 0.0,
        condition: NDArray[Any] | None = None,
        seed: int | None = None,
        given: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """Return what points decode to.

        Args:
            z: [N, Z].
            temperature: 0 takes the likeliest event of every step, above 0 events are drawn.
            condition: control input [N, T, C].
            seed: of the draws; default the session's.
            given: of grooves, the numbers that are known [N, T, 27], NaN for the others.

        Returns:
            Classes [N, T] or [N, T, K] (of grooves numbers), in the codec's type of numbers.

        Raises:
            UsageError: if a shape or a value does not fit the model, or the temperature is negative.
        """
        points = self.blocks.latents(z)
        if not 0 <= temperature < np.inf:
            raise UsageError(f"temperature is {temperature}; it is 0 (the likeliest) or above")
        arrays = {"z": points, "condition": self._condition(condition, points), "given": given}
        draws = self.seed if seed is None else seed

        def block(start: int, z: Tensor, condition: Tensor | None = None, **known: Tensor) -> tuple[Tensor]:
            noise = Noise(draws, _EVENTS, start, world=BLOCK // len(z))  # a smaller block draws the first numbers of a full one
            return (self.model.decode(z, self.codec.steps, temperature, noise, condition, **known),)

        (tokens,) = self.blocks.run(block, len(points), arrays, [self.codec.shape], least=1)
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

    def _tokens(self, windows: NDArray[Any]) -> NDArray[Any]:
        """Check windows and return them as int64, those of grooves as float32."""
        array, sizes = np.asarray(windows), np.array(self.codec.sizes)
        shape, numbers = list(self.codec.shape), np.issubdtype(self.codec.dtype, np.floating)
        if list(array.shape[1:]) != shape or not np.issubdtype(array.dtype, np.floating if numbers else np.integer):
            wanted = ", ".join(["N", *map(str, shape)])
            kind = "float" if numbers else "integer"
            raise UsageError(f"{self.name} reads {kind} windows [{wanted}]; these are {array.dtype} {list(array.shape)}")
        if numbers:
            if not np.isfinite(array).all():
                raise UsageError("a window has a number that is not finite")
            return array.astype(np.float32)
        last = sizes - 1 if len(shape) > 1 else sizes[0] - 1 + (self.codec.end is not None)  # padding
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
