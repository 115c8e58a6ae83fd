"""Using a trained model: pieces in, pieces out; and arrays in, arrays out.

Letters in shapes: N windows, T steps of a window, G steps of its time (T, but where steps are
events), V classes of a step, Z latent size, S steps of a path, C controls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.geometry import (
    Floats,
    check_similar,
    checked_points,
    grid,
    interpolate,
    points_of,
    towards,
)
from musicvae_lite.core.validation import check_tempo, seed_of, whole
from musicvae_lite.media.midi import Score
from musicvae_lite.model_dir.prior_file import has_prior
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.conditioning.conditions import Chords, Conditions
from musicvae_lite.music.conditioning.control import Classes
from musicvae_lite.music.data import groove_inputs
from musicvae_lite.music.dynamics import (
    along_the_way,
    as_loud_as,
    loudness_of,
    with_loudness,
)
from musicvae_lite.music.engine import Density, Engine, Light
from musicvae_lite.music.notes import NoteChanges
from musicvae_lite.music.paths import Journey, travel
from musicvae_lite.music.prior_features import Wish, read_wish
from musicvae_lite.music.register import at_home, back
from musicvae_lite.music.results import (
    Interpolation,
    Reconstruction,
    Similar,
    agreement,
    step_labels,
    title_of,
)
from musicvae_lite.music.splice import in_piece, left_bars, lost_between_steps
from musicvae_lite.music.timing import as_played, each_swung, in_swing
from musicvae_lite.music.windows import (
    Item,
    Passage,
    Roles,
    bar_ticks,
    ended,
    is_silent,
    joined_line,
    one_window,
    rebuild,
    whole_melody,
)

#: How a path goes: on the music (:mod:`musicvae_lite.music.paths`), along the great circle between
#: the posterior means, or along the straight line.
Path = Literal["music", "slerp", "lerp"]

if TYPE_CHECKING:
    from musicvae_lite.core.autoencoder import Autoencoder
    from musicvae_lite.core.batched import Blocks, Points
    from musicvae_lite.core.latent import Latent
    from musicvae_lite.core.prior import Prior as CodePrior
    from musicvae_lite.model_dir.bundle import Bundle
    from musicvae_lite.music.prior import MusicPrior
    from musicvae_lite.music.torch_engine import TorchEngine

#: Which prior is drawn from: the learned one where there is one, or N(0, I).
Prior = Literal["learned", "normal"]


class MusicSession:
    """A model of music with its codec, on one device.

    Args:
        bundle: the model; it stays on the device where it is.
        name: what messages call it.
        seed: of every draw for which no other seed is given.
        engine: computes the model; default torch.
    """

    unit = "music"

    def __init__(
        self, bundle: Bundle | Light, name: str, seed: int = 0, engine: Engine | None = None
    ) -> None:
        self.bundle, self.name, self.seed = bundle, name, seed_of(seed)
        if not isinstance(bundle.codec, ScoreCodec):
            raise UsageError(f"{name} is no model of music")
        self.codec = bundle.codec
        self.conditions = Conditions.of_model(bundle.config, bundle.codec, name)
        if engine is None:
            from musicvae_lite.music.torch_engine import TorchEngine

            assert not isinstance(bundle, Light)
            engine = TorchEngine(bundle, bundle.codec, name)
        self.engine, self.device = engine, engine.device

    def __repr__(self) -> str:
        return (
            f"<MusicSession {self.name}: {self.codec.steps} steps a window, latent size "
            f"{self.latent_size}, {self.device}>"
        )

    @property
    def latent_size(self) -> int:
        """Z."""
        return self.engine.latent_size

    @property
    def model(self) -> Autoencoder:
        """The model as a module of torch."""
        return self._torch.model

    @property
    def prior(self) -> CodePrior:
        """What codes are drawn from where no other prior was learned, in torch."""
        return self._torch.prior

    @property
    def blocks(self) -> Blocks:
        """The model on its device, in torch."""
        return self._torch.blocks

    @property
    def _torch(self) -> TorchEngine:
        if isinstance(self.bundle, Light):
            raise UsageError(f"{self.name} is computed without torch here, and this needs it")
        from musicvae_lite.music.torch_engine import TorchEngine

        assert isinstance(self.engine, TorchEngine)
        return self.engine

    # Pieces in, pieces out

    def interpolate(
        self,
        a: Item | Passage,
        b: Item | Passage,
        steps: int = 9,
        temperature: float = 0.0,
        path: Path = "music",
        bars: tuple[int | None, int | None] = (None, None),
        tracks: tuple[int | None, int | None] = (None, None),
        seed: int | None = None,
        roles: tuple[Roles, Roles] = (None, None),
        chords: Chords | None = None,
        key: str | None = None,
        transpose: bool = False,
        exact_ends: bool = False,
    ) -> Interpolation:
        """Go from a window of ``a`` to one of ``b`` in ``steps`` steps, along the posterior means.

        Step 1 is what the model makes of ``a``, the last step what it makes of ``b``; the tempo
        moves evenly between theirs; the steps between them end where the longer piece does.

        Args:
            a: file or score.
            b: file or score.
            steps: at least 2.
            temperature: 0 takes the likeliest event of every step, above 0 events are drawn.
            path: ``music`` (see :mod:`musicvae_lite.music.paths`), ``slerp`` (great circle between
            the
                posterior means) or ``lerp`` (straight line).
            bars: bar (1-based) at which the window of each starts; default the first usable one.
            tracks: track (1-based) of each; default the one most like a tune.
            seed: of the draws; default the session's.
            roles: track (1-based) of each voice of each, such as ``{"bass": 3}``; default the first
                ones that fit.
            chords: for a model that is told of them: what the steps, one after another, are played
                over, a chord a bar and repeated, or as the bar lines say; default the chords of the
                nearer end.
            key: for a model that is told of it; default that of the chords.
            transpose: go on in the key of ``a`` for the first half, the melodies brought to one
                key, and in that of ``b`` from there.
            exact_ends: let the first and the last step be the windows themselves.

        Raises:
            UsageError: too few steps, a negative temperature, no such track or bar, chords for a
                model that is not told of them.
            NothingUsableError: a piece without a usable window.
        """
        steps = whole(steps, 2, f"an interpolation has at least 2 steps, not {steps}")
        ends = self._windows((a, b), tracks, bars, roles)

        def between(points: NDArray[Any]) -> NDArray[Any]:
            return interpolate(points[0], points[1], steps, "lerp" if path == "lerp" else "slerp")

        nearest = np.arange(steps) * 2 // steps
        return self._decoded(
            ends,
            between,
            (0, steps - 1),
            nearest,
            path,
            temperature,
            seed,
            chords,
            key,
            transpose,
            exact_ends,
        )

    def grid(
        self,
        corners: Sequence[Item | Passage],
        size: int = 5,
        temperature: float = 0.0,
        path: Path = "music",
        bars: Sequence[int | None] = (None,) * 4,
        tracks: Sequence[int | None] = (None,) * 4,
        seed: int | None = None,
        roles: Sequence[Roles] = (None,) * 4,
        chords: Chords | None = None,
        key: str | None = None,
        transpose: bool = False,
        exact_ends: bool = False,
    ) -> Interpolation:
        """Fill a grid of ``size`` x ``size`` steps between a window of each of four pieces, along
        the posterior means.

        The corners (top left, top right, bottom left, bottom right) are what the model makes of the
        four; rows are paths between the paths of the left and the right side, and so is the tempo.
        See :func:`musicvae_lite.core.latent.grid`, and :meth:`interpolate` for the arguments, which
        here are one for each corner.

        Raises:
            UsageError: not four pieces, too small a grid, a negative temperature, no such track or
                bar.
            NothingUsableError: a piece without a usable window.
        """
        if len(corners) != 4:
            raise UsageError(f"a grid has 4 corners, not {len(corners)}")
        size = whole(size, 2, f"a grid has at least 2 rows and columns, not {size}")
        inputs = self._windows(corners, tracks, bars, roles)

        def between(points: NDArray[Any]) -> NDArray[Any]:
            way: Literal["slerp", "lerp"] = "lerp" if path == "lerp" else "slerp"
            return grid(points, size, size, way).reshape(size * size, -1)

        last, half = size * size - 1, np.arange(size) * 2 // size
        nearest = (half[:, None] * 2 + half).ravel()
        corner_steps = (0, size - 1, last - size + 1, last)
        return self._decoded(
            inputs,
            between,
            corner_steps,
            nearest,
            path,
            temperature,
            seed,
            chords,
            key,
            transpose,
            exact_ends,
            size,
        )

    def _windows(
        self,
        items: Sequence[Item | Passage],
        tracks: Sequence[int | None],
        bars: Sequence[int | None],
        roles: Sequence[Roles],
    ) -> tuple[Passage, ...]:
        """Choose one window of each item."""
        chosen = zip(items, tracks, bars, roles, strict=True)
        return tuple(
            one_window(item, self.codec, self.name, track, bar, role)
            for item, track, bar, role in chosen
        )

    def _decoded(
        self,
        inputs: tuple[Passage, ...],
        between: Callable[[NDArray[Any]], NDArray[Any]],
        corners: tuple[int, ...],
        nearest: NDArray[np.int64],
        path: Path,
        temperature: float,
        seed: int | None,
        chords: Chords | None,
        key: str | None,
        transpose: bool,
        exact_ends: bool,
        columns: int | None = None,
    ) -> Interpolation:
        """Decode the points that ``between`` puts between those of the inputs.

        Each input is the step in ``corners``; ``nearest`` [S] is the input whose chords a step has
        by default.
        """
        if path not in get_args(Path):
            raise UsageError(f"path {path!r} is not known; valid: {', '.join(get_args(Path))}")
        given = self.conditions.progression(chords, key), self.conditions.key(key, chords)
        heard = np.concatenate([self.conditions.of_passage(passage) for passage in inputs])
        # The path "music" looks after registers itself.
        homes = inputs if path == "music" else tuple(self.settled(own) for own in inputs)
        octaves = np.array([home.octaves for home in homes])
        inputs = tuple(
            replace(passage, octaves=home.octaves)
            for passage, home in zip(inputs, homes, strict=True)
        )
        # The tempo moves as the points do, evenly: a vector of one number has no angle. Rounded, so
        # that equal tempos stay one.
        tempos = between(np.array([[float(passage.qpm[0])] for passage in inputs]))
        qpm = tempos[:, 0].round(6).tolist()
        told = self.conditions.changed(
            heard[nearest], np.arange(len(qpm)) * self.codec.bars, *given
        )
        conditions = self.conditions.numbers(heard), self.conditions.numbers(told)
        journey = Journey(homes, between, corners, nearest, conditions)
        latents, windows = self._travelled(journey, path, transpose, temperature, seed)
        windows = back(windows, self.codec, octaves[nearest])
        windows = ended(windows, inputs, self.codec, corners)
        if exact_ends:
            for step, passage in zip(corners, inputs, strict=True):
                windows[step] = passage.windows[0]
        swings = [inputs[number].swing for number in nearest.tolist()]
        title, program = title_of(inputs), inputs[0].program
        rows = zip(windows, told, qpm, step_labels(len(windows), columns), strict=True)
        straight = [
            self.conditions.played(
                row[None], part[None], [tempo], program=program, name=f"{title}, step {label}"
            )
            for row, part, tempo, label in rows
        ]
        joined = self.conditions.played(
            windows, told, qpm, program=program, name=f"interpolate {title}"
        )
        loudness = self._loudness(inputs, between)
        if loudness is not None:
            pairs_of = zip(straight, loudness, strict=True)
            straight = [with_loudness(score, own, self.codec) for score, own in pairs_of]
            joined = with_loudness(joined, np.concatenate([*loudness], axis=1), self.codec)
        scores = tuple(in_swing(*pair) for pair in zip(straight, swings, strict=True))
        joined = each_swung(joined, self.codec.bars * bar_ticks(joined), swings)
        pairs = [
            (windows[[step]], passage.windows)
            for step, passage in zip(corners, inputs, strict=True)
        ]
        accuracy, onsets = zip(
            *(
                agreement(self.codec, made, wanted, lost_between_steps(passage, self.codec))
                for (made, wanted), passage in zip(pairs, inputs, strict=True)
            ),
            strict=True,
        )
        settings = {"path": path, "temperature": temperature, "seed": seed_of(seed, self.seed)}
        return Interpolation(
            inputs, corners, latents, windows, scores, joined, accuracy, onsets, settings, columns
        )

    def _travelled(
        self,
        journey: Journey,
        path: Path,
        transpose: bool,
        temperature: float,
        seed: int | None,
    ) -> tuple[Floats, NDArray[Any]]:
        """Return the points of a path or grid [S, Z] and what they decode to."""
        seed = seed_of(seed, self.seed)
        if path == "music":
            return travel(self, journey, transpose, temperature, seed)
        if transpose:
            raise UsageError("pieces are brought to one key on the path 'music' alone")
        windows = np.concatenate([passage.windows for passage in journey.inputs])
        mean, _ = self.encode_windows(windows, condition=journey.conditions[0])
        latents = journey.between(mean)
        return latents, self.decode_windows(latents, temperature, journey.conditions[1], seed)

    def _loudness(
        self, inputs: tuple[Passage, ...], between: Callable[[NDArray[Any]], NDArray[Any]]
    ) -> NDArray[np.float64] | None:
        """Return the velocities of the steps between some windows [S, R, G], None for unknown."""
        # From 1 to 2, for a vector of zeros has no direction.
        ends = 1 + np.eye(len(inputs))
        weights = np.concatenate([between(column[:, None]) - 1 for column in ends.T], 1)
        each = [loudness_of(passage, self.codec) for passage in inputs]
        return along_the_way([None if own is None else own[0] for own in each], weights)

    def encode(
        self,
        item: Item | Passage,
        track: int | None = None,
        every_window: bool = False,
        roles: Roles = None,
    ) -> Latent:
        """Return the posterior of the windows that cover a melody, mean [N, Z].

        See :func:`~musicvae_lite.music.windows.whole_melody`.

        Raises:
            UsageError: no such track.
            NothingUsableError: a piece without a usable window.
        """
        passage = whole_melody(item, self.codec, self.name, track, every_window, roles)
        mean, scale = self.encode_windows(passage.windows, condition=self.condition(passage))
        posterior: Latent = self.engine.latent(mean, scale)
        return posterior

    def settled(self, passage: Passage) -> Passage:
        """Return a passage with its windows at the height that the model knows best.

        See :mod:`musicvae_lite.music.register`.
        """

        def hear(own: Passage) -> NDArray[Any]:
            condition = self.condition(own)
            mean, _ = self.encode_windows(own.windows, condition=condition)
            return self.decode_windows(mean, condition=condition)

        return at_home(passage, self.codec, hear)

    def condition(self, passage: Passage) -> Floats | None:
        """Return what the model is told of the windows of a piece [N, G, C], chords and key or
        hits; None for nothing.
        """
        return self._numbers(self.conditions.of_passage(passage), passage)

    def _numbers(self, told: Classes, passage: Passage) -> Floats | None:
        """Return classes as the model reads them, or else the hits that a groove model is told of
        windows.
        """
        numbers = self.conditions.numbers(told)
        return (
            groove_inputs.told(passage.windows, self.bundle.config) if numbers is None else numbers
        )

    def decode(
        self,
        z: Points,
        temperature: float = 0.0,
        qpm: float = 120.0,
        seed: int | None = None,
        chords: Chords | None = None,
        key: str | None = None,
    ) -> Score:
        """Return points [Z] or [N, Z] (or the mean of a posterior) as one score, windows one after
        another.

        ``chords`` (a chord a bar, repeated) and ``key`` are for a model that is told of them;
        default: no chord.
        """
        latents = points_of(z)
        check_tempo(qpm)
        told = self.conditions.over(
            self.conditions.progression(chords, key), len(latents), self.conditions.key(key, chords)
        )
        windows = self.decode_windows(latents, temperature, self.conditions.numbers(told), seed)
        return self.conditions.played(windows, told, [qpm] * len(windows))

    def reconstruct(
        self,
        item: Item | Passage,
        track: int | None = None,
        roles: Roles = None,
        keep_tracks: bool = False,
        chords: Chords | None = None,
        key: str | None = None,
    ) -> Reconstruction:
        """Return what the model makes of a whole piece, window by window, greedily from the
        posterior mean.

        Windows overlap by half, so that a note that is held from one to the next is one note. A
        model that is told of chords hears the piece with its own, and writes those that it plays
        over into the score as markers. It ends where its track does.

        Args:
            item: file or score.
            track: track to use, 1-based; default the one most like a tune.
            roles: track of each voice.
            keep_tracks: return the whole piece, with what the model makes in place of the track;
                bars without a window stay, and so do its texts: no marker is added.
            chords: what a model that is told of chords plays over, a chord a bar and repeated;
                default those of the piece.
            key: of a model that is told of it; default that of the chords.

        Raises:
            UsageError: no such track, or chords for a model that is not told of them.
            NothingUsableError: a piece without a usable window.
        """
        passage = whole_melody(item, self.codec, self.name, track, roles=roles, overlapping=True)
        given = self.conditions.progression(chords, key), self.conditions.key(key, chords)
        own, home = self.conditions.of_passage(passage), self.settled(passage)
        mean, _ = self.encode_windows(home.windows, condition=self.conditions.numbers(own))
        told = self.conditions.changed(own, passage.bars, *given)
        windows = self.decode_windows(mean, condition=self._numbers(told, home))
        windows = back(windows, self.codec, home.octaves)
        passage = replace(passage, octaves=home.octaves)
        silent = is_silent(passage.windows, self.codec)
        windows[silent] = passage.windows[silent]
        windows = ended(windows, [passage], self.codec)
        score = rebuild(passage, windows, self.codec, f"reconstruct {passage.stem}")
        if keep_tracks:
            score = in_piece(passage, score, self.codec)
        else:
            score = self.conditions.marked_in(passage, score, told)
            score = as_loud_as(score, passage, self.codec)
        score = as_played(score, passage.swing)
        bars = int(passage.bars[0]), int(passage.bars[-1]) + self.codec.bars - 1
        made, wanted = (
            joined_line(array, passage.bars, self.codec) for array in (windows, passage.windows)
        )
        left = tuple(left_bars(passage, self.codec).tolist())
        lost = lost_between_steps(passage, self.codec)
        right = agreement(self.codec, made, wanted, lost)
        many = self.codec.gathers or self.codec.whole
        changes = NoteChanges.between(self.codec, made, wanted) if many else None
        return Reconstruction(passage, bars, windows, score, *right, left, changes)

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
        prior: Prior = "learned",
        register: float | None = None,
        density: float | None = None,
    ) -> list[Score]:
        """Draw pieces from the prior: the one that was learned, where the model has one.

        A piece of several windows follows the great circle between two draws, so that its windows
        belong together; over chords it keeps to one draw, its style.

        Args:
            count: number of pieces, at least 1.
            temperature: of the events; 0 takes the likeliest.
            bars: length of a piece, a multiple of the model's window; default one window, or as
                many as the chords need.
            qpm: tempo, quarter notes per minute.
            seed: of the draws; default the session's. Piece i is the same for every ``count`` above
                i.
            chords: for a model that is told of them, one progression or several, which the pieces
                take in turn. They are spread over ``bars``; without that each chord has a bar.
                Default: no chord.
            key: for a model or a prior that is told of it; default that of the chords.
            style: a piece whose windows, in turn, give the style in place of draws.
            drift: whether a piece goes from one draw to another or keeps to one; default: it goes
                where there are no chords.
            prior: ``learned``, or ``normal``: N(0, I).
            register: mean MIDI pitch, for a prior that is told of it.
            density: note starts a bar, likewise.

        Raises:
            UsageError: a count below 1, a negative temperature, a length that the model cannot
                make, or chords for a model that is not told of them.
            NothingUsableError: a style without a usable window.
        """
        size = self.codec.bars
        progressions = self.conditions.progressions(chords, key)
        wish = self._wish(prior, key, register, density, chords)
        told_key = self.conditions.key(key, chords) if self.conditions.control.key else None
        spread = bars is not None
        bars = self.conditions.bars(progressions) if bars is None else bars
        count = whole(count, 1, f"count is {count}; at least 1 piece can be drawn")
        other = f"{self.name} makes pieces of {size} bars and multiples of it, not of {bars}"
        if whole(bars, 1, other) % size:
            raise UsageError(other)
        check_tempo(qpm)
        seed = seed_of(seed, self.seed)
        length = bars // size
        turns = [
            self.conditions.over(turn, length, told_key, spread) for turn in progressions or (None,)
        ]
        told = np.stack([turns[number % len(turns)] for number in range(count)])
        drifts = not progressions if drift is None else drift
        if style is None:
            both = [told[:, 0], told[:, -1]] if drifts and length > 1 else [told[:, 0]]
            ends = self._draws(seed, prior, wish, *both)
            paths = [interpolate(a, b, length) for a, b in zip(ends[0], ends[-1], strict=True)]
            z: Floats = np.concatenate(paths)
        else:
            mean = points_of(self.encode(style))
            z = np.tile(mean[np.arange(length) % len(mean)], (count, 1))
        condition = self.conditions.numbers(told.reshape(count * length, *told.shape[2:]))
        windows = self.decode_windows(z, temperature, condition, seed).reshape(
            count, length, *self.codec.shape
        )
        names = [f"sample {number}" for number in range(1, count + 1)]
        rows = zip(windows, told, names, strict=True)
        return [
            self.conditions.played(row, part, [qpm] * length, name=name) for row, part, name in rows
        ]

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
        chords: Chords | None = None,
        key: str | None = None,
    ) -> Similar:
        """Draw pieces of one window that are like a window of ``item``.

        Each is at the fraction ``similarity`` of the great circle from a draw from the prior to the
        window's posterior mean: 1 is the mean itself, 0 has nothing to do with it (what
        :meth:`sample` draws with the same seed).

        Args:
            item: file or score.
            similarity: 0 to 1.
            count: number of pieces, at least 1.
            temperature: of the events; 0 takes the likeliest.
            qpm: tempo, quarter notes per minute; default that of the window.
            seed: of the draws; default the session's.
            track: number of the track (1-based); default the one most like a tune.
            bar: bar (1-based) at which the window starts; default the first usable one.
            roles: track (1-based) of each voice.
            chords: for a model that is told of them: what the pieces are played over, a chord a
                bar; default those of the window.
            key: for a model that is told of it; default that of the chords.

        Raises:
            UsageError: a similarity or count out of range, no such track or bar, chords for a model
                that is not told of them.
            NothingUsableError: a piece without a usable window.
        """
        check_similar(similarity, count)
        check_tempo(qpm)
        passage = one_window(item, self.codec, self.name, track, bar, roles)
        seed = seed_of(seed, self.seed)
        own = self.conditions.of_passage(passage)
        told = self.conditions.changed(
            own,
            passage.bars,
            self.conditions.progression(chords, key),
            self.conditions.key(key, chords),
        )
        home = self.settled(passage)
        mean, _ = self.encode_windows(home.windows, condition=self.conditions.numbers(own))
        (draws,) = self._draws(seed, "learned", Wish(), np.repeat(told[:1], count, axis=0))
        latents = towards(draws, mean[0], similarity)
        windows = self.decode_windows(
            latents, temperature, self.conditions.numbers(np.repeat(told, count, axis=0)), seed
        )
        windows = back(windows, self.codec, home.octaves)
        passage = replace(passage, octaves=home.octaves)
        tempo = float(passage.qpm[0]) if qpm is None else qpm
        scores = tuple(
            in_swing(
                self.conditions.played(
                    row[None],
                    told,
                    [tempo],
                    program=passage.program,
                    name=f"like {passage.stem} {number}",
                ),
                passage.swing,
            )
            for number, row in enumerate(windows, start=1)
        )
        loudness = loudness_of(passage, self.codec)
        if loudness is not None:
            scores = tuple(with_loudness(score, loudness[0], self.codec) for score in scores)
        shared = agreement(self.codec, windows, np.repeat(passage.windows, count, axis=0))
        return Similar(passage, similarity, latents, windows, scores, *shared, qpm=tempo)

    @cached_property
    def learned_prior(self) -> MusicPrior | None:
        """The learned prior of the model; None where it has none.

        Raises:
            UsageError: that of another model is in its folder, or torch is not there to draw.
            MusaeError: it is damaged.
        """
        if isinstance(self.bundle, Light):
            if not has_prior(self.bundle.description.folder):
                return None
            raise UsageError(
                f"{self.name}: drawing from its learned prior needs torch; draw with --prior normal"
            )
        from musicvae_lite.music.prior import load_prior

        return load_prior(self.bundle, self.name)

    @cached_property
    def density(self) -> Density | None:
        """The learned prior as far as it says how likely windows are; None where there is none."""
        return self.engine.density()

    def _wish(
        self,
        prior: Prior,
        key: str | None,
        register: float | None,
        density: float | None,
        chords: Chords | None = None,
    ) -> Wish:
        """Check what draws are to be like; a key also tells a model that is told of it."""
        if prior not in get_args(Prior):
            raise UsageError(f"prior {prior!r} is not known; valid: {', '.join(get_args(Prior))}")
        learned = prior == "learned"
        alone = not learned or self.learned_prior is None
        if alone:
            self.conditions.key(key, chords)
        wanted = None if alone else key
        return read_wish(self.bundle.description, self.name, wanted, register, density, learned)

    def _draws(self, seed: int, prior: Prior, wish: Wish, *told: Classes) -> list[Floats]:
        """Return a draw from the prior for each piece, and the same piece after piece: [N, Z] for
        each of ``told``; draw i is the same for every N above i.

        ``told`` are the chords and keys of the draws, [N, G, K] each, one or two.
        """
        learned = self.learned_prior if prior == "learned" else None
        if learned is None:
            pairs = self.engine.draws(len(told[0]), seed)
            return [pairs[:, number] for number in range(len(told))]
        return [
            self._torch.learned_draws(
                learned, len(classes), (seed, number), wish, self.conditions.numbers(classes)
            )
            for number, classes in enumerate(told)
        ]

    def draw(self, count: int, seed: int | None = None, chords: Chords | None = None) -> Floats:
        """Draw points from the prior [count, Z]: those at which the pieces of :meth:`sample` start.

        Args:
            count: number of points, at least 1.
            seed: of the draws; default the session's.
            chords: what each window is to be played over, for a model that is told of them.

        Raises:
            UsageError: a count below 1, or chords for a model that is not told of them.
        """
        count = whole(count, 1, f"count is {count}; at least 1 point can be drawn")
        wish = self._wish("learned", None, None, None)
        over = self.conditions.over(self.conditions.progression(chords), 1)
        told = np.repeat(over, count, axis=0)
        return self._draws(seed_of(seed, self.seed), "learned", wish, told)[0]

    # Arrays in, arrays out

    def encode_windows(
        self,
        windows: NDArray[Any],
        lengths: NDArray[Any] | None = None,
        condition: NDArray[Any] | None = None,
    ) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of each window's posterior.

        Args:
            windows: classes [N, T], or [N, T, K] where a step has several; where the codec has an
                end, its padding after it.
            lengths: valid steps of each window, 1 to T [N]; default all.
            condition: control input [N, G, C]; of a groove model that is told of the hits default
                those of the windows.

        Returns:
            Two float32 arrays [N, Z].

        Raises:
            UsageError: if a shape or a value does not fit the model.
        """
        tokens = self._tokens(windows)
        given = groove_inputs.told(tokens, self.bundle.config) if condition is None else condition
        condition = self._condition(given, tokens)
        return self.engine.encode(tokens, _lengths(lengths, tokens), condition)

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
            condition: control input [N, G, C].
            seed: of the draws; default the session's.
            given: of grooves, the numbers that are known [N, T, 27], NaN for the others.

        Returns:
            Classes [N, T] or [N, T, K] (of grooves numbers), in the codec's type of numbers.

        Raises:
            UsageError: if a shape or a value does not fit the model, or the temperature is
                negative.
        """
        points = checked_points(z, self.latent_size, self.name)
        if not 0 <= temperature < np.inf:
            raise UsageError(f"temperature is {temperature}; it is 0 (the likeliest) or above")
        told, draws = self._condition(condition, points), seed_of(seed, self.seed)
        windows = self.engine.decode(points, temperature, draws, told, given)
        return windows.astype(self.codec.dtype)

    def teacher_forced(
        self, z: Points, windows: NDArray[Any], condition: NDArray[Any] | None = None
    ) -> Floats:
        """Return logits [N, T, V] of each step, given z [N, Z] and the true steps of ``windows``
        before it.

        Windows are [N, T], or [N, T, K]: then V is the sum of the classes of all K. A model with
        the likelihood ``nade`` has other outputs, see
        :meth:`musicvae_lite.music.model.SequenceAutoencoder.logits`.

        Raises:
            UsageError: if a shape or a value does not fit the model, or the model has no logits.
        """
        points = checked_points(z, self.latent_size, self.name)
        tokens = self._tokens(windows)
        if len(points) != len(tokens):
            raise UsageError(f"there are {len(points)} points for {len(tokens)} windows")
        return self._torch.logits(points, tokens, self._condition(condition, points))

    def _tokens(self, windows: NDArray[Any]) -> NDArray[Any]:
        """Check windows and return them as int64, those of grooves as float32."""
        array, sizes = np.asarray(windows), np.array(self.codec.sizes)
        shape, numbers = list(self.codec.shape), np.issubdtype(self.codec.dtype, np.floating)
        if list(array.shape[1:]) != shape or not np.issubdtype(
            array.dtype, np.floating if numbers else np.integer
        ):
            wanted = ", ".join(["N", *map(str, shape)])
            kind = "float" if numbers else "integer"
            raise UsageError(
                f"{self.name} reads {kind} windows [{wanted}]; these are {array.dtype} "
                f"{list(array.shape)}"
            )
        if numbers:
            if not np.isfinite(array).all():
                raise UsageError("a window has a number that is not finite")
            return array.astype(np.float32)
        last = (
            sizes - 1 if len(shape) > 1 else sizes[0] - 1 + (self.codec.end is not None)
        )  # padding
        if ((array < 0) | (array > last)).any():
            raise UsageError(
                f"classes run from 0 to {np.unique(last).tolist()}; these go from {array.min()} "
                f"to {array.max()}"
            )
        return array.astype(np.int64)

    def _condition(self, condition: NDArray[Any] | None, rows: NDArray[Any]) -> Floats | None:
        """Check the control input, which a model has or has not.

        Raises:
            UsageError: it is missing, not wanted, or of another shape.
        """
        size = self.engine.control_size
        steps = self.codec.grid_steps if self.engine.timed else self.codec.steps
        if condition is None:
            if size:
                way = f"in Python give condition [N, {steps}, {size}]"
                if self.codec.kind == "groove":
                    way = (
                        "it plays hits that are given ('musae groove transfer', 'musae "
                        f"reconstruct'); {way}"
                    )
                raise UsageError(f"{self.name} is told of {size} control numbers a step; {way}")
            return None
        array = np.asarray(condition, np.float32)
        wanted = (len(rows), steps, size)
        if not size or array.shape != wanted:
            takes = f"takes a condition {list(wanted)}" if size else "takes no condition"
            raise UsageError(f"{self.name} {takes}; this is {list(array.shape)}")
        return array


def _lengths(lengths: NDArray[Any] | None, tokens: NDArray[Any]) -> NDArray[np.int64] | None:
    if lengths is None:
        return None
    array = np.asarray(lengths)
    if array.shape != (len(tokens),) or not np.issubdtype(array.dtype, np.integer):
        raise UsageError(
            f"lengths are {len(tokens)} integers; these are {array.dtype} {list(array.shape)}"
        )
    if array.size and not 1 <= int(array.min()) <= int(array.max()) <= tokens.shape[1]:
        raise UsageError(
            f"lengths run from 1 to {tokens.shape[1]}; these go from {array.min()} to {array.max()}"
        )
    return array.astype(np.int64)
