"""Paths that stay on the music: register and key are moved apart from the rest, and of the windows
that a point between two codes may stand for the one is taken that is most like the line between the
ends.

The posterior means do not fill the space evenly, so that a point half-way between two of them lies
where little music is: it decodes to fewer notes than either end, and between ends an octave or more
apart to notes far beyond both. So (1) the ends are brought to one octave (and, where asked, to one
key) before they are encoded, and the windows between are brought back step by step; (2) around each
point some others are drawn, as far away as the posteriors of the ends are wide, also moved along
the direction of density by what is missing; of what they decode to the window is taken that comes
nearest to the line between the ends in note starts and in likelihood under the learned prior, and
does not go far from what the point itself decodes to.
Letters in shapes: E ends, S points, Q candidates of a point, T steps, Z latent size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import UsageError
from musicvae_lite.music.attribute_vectors import load_vectors
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.evaluate.draws import MAJOR, pitch_at
from musicvae_lite.music.keys import best_keys, profiles
from musicvae_lite.music.windows import Passage

if TYPE_CHECKING:
    from musicvae_lite.music.session import MusicSession

#: How far candidates are from a point, in standard deviations of the posteriors of the ends.
DISTANCES = (0.5, 0.5, 0.8, 0.8, 1.1, 1.1, 1.4, 1.4)
#: How many windows are decoded for a point, at most.
CANDIDATES = 2 * (len(DISTANCES) + 1)
#: What counts as one, of each way in which a candidate may be off: note starts are compared to
#: their square root, likelihood in nats, steps unlike the point's own in all steps, semitones of
#: the range, and different pitches.
_NATS, _UNLIKE, _RANGE, _PITCHES = 8.0, 0.6, 5.0, 1.5
_CENTRE, _OCTAVE = 69.0, 12

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Decodes points [N, Z] that belong to steps of the path [N] to windows [N, T, ...].
Decode = Callable[[NDArray[np.float32], Ints], NDArray[Any]]
#: Returns the negative log-likelihood of windows of steps [N] in nats [N].
Cost = Callable[[NDArray[Any], Ints], Floats]


def registers(codec: ScoreCodec, windows: NDArray[Any]) -> Floats:
    """Return the mean pitch of the first voice of windows [N]; NaN where it has no notes."""
    if codec.whole or not codec.pitches[0]:
        return np.full(len(windows), np.nan)
    voices = windows[..., None] if windows.ndim == 2 else windows
    pitch = pitch_at(codec, voices, 0)
    there = pitch >= 0
    count = there.sum(1)
    total = np.where(there, pitch, 0).sum(1)
    means: Floats = np.full(len(windows), np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means


def to_one_octave(register: Floats, centre: float = _CENTRE) -> Ints:
    """Return by how many semitones, whole octaves, pieces of some registers [E] are moved to be
    near ``centre`` and no more than half an octave from the first; 0 for those without.

    Pieces that are near each other and the centre stay.
    """
    known = np.where(np.isfinite(register), register, centre)
    shift = -_OCTAVE * np.round((known - centre) / _OCTAVE)
    moved = known + shift
    shift -= _OCTAVE * np.round((moved - moved[0]) / _OCTAVE)
    return np.where(np.isfinite(register), shift, 0).astype(np.int64)


def to_one_key(counts: NDArray[Any]) -> Ints:
    """Return by how many semitones, -5 to 6, pieces are moved into the scale of the first [E].

    ``counts`` are the notes of each pitch class in each piece [E, 12]. Of moves that put as many
    notes of a piece into the scale, the one that suits the key best counts.
    """
    key = int(best_keys(counts[:1])[0])
    if key < 0:
        return np.zeros(len(counts), np.int64)
    # The scale of a minor key is that of the major one three semitones up.
    tonic = (key + 3 if key >= 12 else key) % 12
    wanted = np.isin((np.arange(12) - tonic) % 12, MAJOR) + 0.05 * profiles()[key]
    moves = np.array([0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6])
    fits = np.stack([np.roll(counts, move, 1) @ wanted for move in moves], 1)
    best: NDArray[np.int64] = moves[fits.argmax(1)]
    best[0] = 0
    return best


def moved(codec: ScoreCodec, windows: NDArray[Any], semitones: Ints) -> NDArray[Any]:
    """Return windows moved by semitones [N]; by as many octaves fewer as keep them in range."""
    if not np.any(semitones):
        return windows
    low, high = (limit.astype(np.int64) for limit in codec.transposition_limits(windows))
    over = np.maximum(0, semitones - high) + np.minimum(0, semitones - low)
    octaves = np.sign(over) * -(-np.abs(over) // _OCTAVE)
    wanted = semitones - octaves * _OCTAVE
    fits = (wanted >= low) & (wanted <= high)
    return codec.transpose(windows, np.where(fits, wanted, 0))


@dataclass(frozen=True, eq=False)
class Line:
    """What the points of a path are to be like.

    Attributes:
        starts: note starts [S].
        spans: range and number of different pitches of the first voice [S, 2].
        nats: negative log-likelihood of the windows under the learned prior [S], or None.
        ends: which points are ends, which stay as they are [S].
        scale: standard deviation of the posteriors of the ends, mean [Z].
        denser: direction of the latent space that adds a note start to a window [Z], or None.
    """

    starts: Floats
    spans: Floats
    nats: Floats | None
    ends: NDArray[np.bool_]
    scale: NDArray[np.float32]
    denser: NDArray[np.float32] | None = None


def on_the_music(
    codec: ScoreCodec,
    points: NDArray[np.float32],
    line: Line,
    decode: Decode,
    cost: Cost | None,
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Return points near those of a path [S, Z] and what they decode to, most like the line.

    Args:
        codec: of the windows.
        points: of the path; its ends stay.
        line: what they are to be like.
        decode: gives windows.
        cost: gives their likelihood; None where there is no learned prior.
        seed: of the candidates.
    """
    between = np.flatnonzero(~line.ends)
    own = decode(points, np.arange(len(points)))
    if not len(between):
        return points, own
    draws = np.random.default_rng([seed, 7]).standard_normal((len(DISTANCES), points.shape[1]))
    away = (np.array(DISTANCES)[:, None] * draws * line.scale).astype(np.float32)
    lists = [points[between, None], points[between, None] + away]
    if line.denser is not None:
        missing = (line.starts - starts(codec, own))[between]
        fuller = points[between] + missing[:, None].astype(np.float32) * line.denser
        lists += [fuller[:, None], fuller[:, None] + away]
    candidates = np.concatenate(lists, 1)
    count = candidates.shape[1]
    steps = np.repeat(between, count)
    windows = decode(candidates.reshape(-1, points.shape[1]), steps)
    off = np.abs(starts(codec, windows) - line.starts[steps]) / np.sqrt(line.starts[steps] + 1)
    off += np.nan_to_num(np.abs(spans(codec, windows) - line.spans[steps]) @ [1, 1])
    off += unlike(windows, own[steps]) / _UNLIKE
    if cost is not None and line.nats is not None:
        off += np.abs(cost(windows, steps) - line.nats[steps]) / _NATS
    best = off.reshape(-1, count).argmin(1) + np.arange(len(between)) * count
    points, own = points.copy(), own.copy()
    points[between], own[between] = candidates.reshape(-1, points.shape[1])[best], windows[best]
    return points, own


def starts(codec: ScoreCodec, windows: NDArray[Any]) -> Floats:
    """Return how much starts in windows, all voices [N]."""
    found: Floats = codec.onsets(windows).sum((1, 2)).astype(np.float64)
    return found


def spans(codec: ScoreCodec, windows: NDArray[Any]) -> Floats:
    """Return range and number of different pitches of the first voice of windows, each as a share
    of what counts as one [N, 2]; zeros where it has no pitch.
    """
    if codec.whole or not codec.pitches[0]:
        return np.zeros((len(windows), 2))
    voices = windows[..., None] if windows.ndim == 2 else windows
    ordered = np.sort(pitch_at(codec, voices, 0), axis=1)
    there = ordered >= 0
    lowest = np.where(there, ordered, 128).min(1)
    reach = np.where(there.any(1), ordered[:, -1] - lowest, 0) / _RANGE
    fresh = np.diff(ordered, axis=1, prepend=-1) > 0
    return np.stack([reach, (fresh & there).sum(1) / _PITCHES], 1)


def unlike(windows: NDArray[Any], others: NDArray[Any]) -> Floats:
    """Return the share of steps in which windows [N, T, ...] differ [N]."""
    differ = windows != others
    each: Floats = (differ.any(-1) if differ.ndim == 3 else differ).mean(1)
    return each


@dataclass(frozen=True, eq=False)
class Journey:
    """Between which windows a path or a grid goes, and how.

    Attributes:
        inputs: a window of each piece [E].
        between: puts points between rows [E, D], [S, D].
        corners: the point that each input is.
        nearest: the input that each point is nearest to [S].
        conditions: control input of the inputs [E, G, C] and of the points [S, G, C], or None.
    """

    inputs: tuple[Passage, ...]
    between: Callable[[NDArray[Any]], NDArray[Any]]
    corners: tuple[int, ...]
    nearest: Ints
    conditions: tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]

    def evenly(self, values: NDArray[Any]) -> Floats:
        """Return numbers of the inputs [E], put evenly between them [S]."""
        line: Floats = self.between(np.asarray(values, np.float64)[:, None])[:, 0]
        return line


def travel(
    session: MusicSession,
    journey: Journey,
    transpose: bool = False,
    temperature: float = 0.0,
    seed: int = 0,
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Return the points of a path that stays on the music [S, Z] and the windows there [S, T, ...].

    The points at the corners are the posterior means of the inputs, and decode as these do. Points
    between decode to the windows before they are moved back to the register (and key) of their
    place.

    Args:
        session: of the model.
        journey: where from and where to.
        transpose: bring the inputs to one key, too.
        temperature: of the events.
        seed: of what is drawn.
    """
    codec, corners = session.codec, list(journey.corners)
    windows = np.concatenate([passage.windows for passage in journey.inputs])
    mean, scale = session.encode_windows(windows, condition=journey.conditions[0])
    octaves = to_one_octave(registers(codec, windows))
    keys = to_one_key(class_counts_of(journey.inputs)) if transpose else np.zeros_like(octaves)
    near = moved(codec, windows, octaves + keys)
    means = mean
    if (near != windows).any():
        means, _ = session.encode_windows(near, condition=journey.conditions[0])
    points = journey.between(means)
    points[corners] = mean
    ends = np.zeros(len(points), bool)
    ends[corners] = True
    told = journey.conditions[1]

    def decode(z: NDArray[np.float32], steps: Ints) -> NDArray[Any]:
        condition = None if told is None else told[steps]
        return session.decode_windows(z, temperature, condition, seed)

    prior = session.density

    def cost(rows: NDArray[Any], steps: Ints) -> Floats:
        assert prior is not None
        return -prior.log_likelihood(rows, control=None if told is None else told[steps])

    given = None if prior is None else -prior.log_likelihood(near, control=journey.conditions[0])
    line = Line(
        journey.evenly(starts(codec, windows)),
        np.stack([journey.evenly(column) for column in spans(codec, windows).T], 1),
        None if given is None else journey.evenly(given),
        ends,
        scale.mean(0),
        _denser(session),
    )
    points, found = on_the_music(codec, points, line, decode, None if given is None else cost, seed)
    back = -_OCTAVE * np.round(journey.evenly(octaves) / _OCTAVE).astype(np.int64)
    back = np.where(ends, 0, back - keys[journey.nearest])
    return points, moved(codec, found, back)


def class_counts_of(inputs: Sequence[Passage], band: bool = False) -> NDArray[np.int64]:
    """Return how many notes of each pitch class the track of each piece has [E, 12], or with
    ``band`` all its pitched tracks.
    """
    rows = []
    for passage in inputs:
        notes, tracks = passage.score.notes, passage.score.tracks
        pitched = np.array([not track.is_drum for track in tracks], bool)
        own = pitched[notes["track"]] if band else notes["track"] == max(0, passage.track - 1)
        rows.append(np.bincount(notes["pitch"][own].astype(np.int64) % 12, minlength=12))
    return np.stack(rows)


def _denser(session: MusicSession) -> NDArray[np.float32] | None:
    """Return the direction that adds a note start to a window [Z], where the model has learned
    one.
    """
    description = session.bundle.description
    try:
        vectors = load_vectors(
            description.folder, description.sha256, session.latent_size, session.name
        )
    except UsageError:
        return None
    if "density" not in vectors.names:
        return None
    row = vectors.names.index("density")
    added = float(vectors.effects[row, row]) * session.codec.bars
    return None if added <= 0 else (vectors.vectors[row] / added).astype(np.float32)
