"""What a groove model does with a user's drums: humanize them, make a beat of taps, add a drum,
take on another's groove.

Pieces in, pieces out, over their whole length. Letters in shapes: N windows, T steps of a window; a
step is 27 numbers, see :mod:`musicvae_lite.music.codecs.groove`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.core.errors import NothingUsableError
from musicvae_lite.core.random import Noise
from musicvae_lite.media.midi import Score
from musicvae_lite.music.codecs.groove import DRUMS, HITS, KITS, OFFSETS, VELOCITIES, GrooveCodec
from musicvae_lite.music.data.groove_inputs import (
    HUMANIZE,
    TAP,
    WHOLE,
    all_but_given,
    hit_given,
    hits_given,
    tapped,
    told,
    without,
    without_drum,
)
from musicvae_lite.music.groove_windows import (
    check_task,
    drum_tracks,
    shown_as_unknown,
    taps_of,
    to_the_end,
)
from musicvae_lite.music.metres import in_metre
from musicvae_lite.music.session import MusicSession
from musicvae_lite.music.splice import covered_by, in_piece
from musicvae_lite.music.verbs.groove_hits import Feel, blended, moved, with_drum
from musicvae_lite.music.windows import (
    Item,
    Passage,
    ended,
    rebuild,
    whole_melody,
    with_other_tracks,
)

_POINTS, _USUAL = 3, 4  # what a draw is for, mixed into its seed; see session.py
_PRIOR_DRAWS = 256  # windows from the prior that say how often a drum is hit; a second

_WHOLE_FEEL = Feel()

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Added:
    """What became of a drum that was to be added.

    Attributes:
        drum: its name.
        hits: notes of it that were made.
        replaced: notes of it that the piece had in their place.
        likeliest: whether the model by itself would play none, so that the likeliest steps were
            taken.
    """

    drum: str
    hits: int
    replaced: int
    likeliest: bool


@dataclass(frozen=True, eq=False)
class Grooved:
    """A piece with a new groove.

    Attributes:
        passage: the windows that were used.
        windows: what became of them [N, T, 27].
        score: the same where they stand in the piece: one track of drums.
        tracks: indices of the tracks of the piece that it takes the place of.
        added: where a drum was added, how often.
        hits_stay: whether the hits are those of the piece, with other timing and velocities.
    """

    passage: Passage
    windows: Floats
    score: Score
    tracks: tuple[int, ...]
    added: Added | None = None
    hits_stay: bool = False

    def in_piece(self, piece: Score, factor: int, codec: GrooveCodec, unheard: bool) -> Score:
        """Return the piece with what was made of its drums, all else as it is.

        Args:
            piece: that of the passage, or the same with ``factor`` times as many ticks.
            factor: ticks of the piece for each of the passage.
            codec: of the windows.
            unheard: keep the notes of the drum tracks that the codec does not hear.
        """
        joined = in_metre(piece, codec) if self.passage.joined else None
        heard = piece if joined is None else joined.score
        ticks = self.passage.ticks * factor
        passage = replace(self.passage, score=heard, original=piece, ticks=ticks)
        if self.hits_stay:
            return moved(passage, self.windows, codec)
        if self.added is not None:
            return with_drum(passage, self.score, codec, DRUMS.index(self.added.drum))
        return in_piece(passage, self.score, codec, unheard=unheard)

    @property
    def whole(self) -> Score:
        """The score with the other tracks of the piece."""
        return with_other_tracks(self.score, self.passage.score, self.tracks)

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` says, but for the output."""
        return {
            "file": self.passage.source,
            "track": self.passage.track,
            "track_name": self.passage.track_name,
            **self.passage.facts,
            "windows": len(self.windows),
            "notes": len(self.score.notes),
            **({} if self.added is None else asdict(self.added)),
        }


def humanize(
    session: MusicSession,
    item: Item | Passage,
    track: int | None = None,
    temperature: float = 0.0,
    feel: Feel = _WHOLE_FEEL,
) -> Grooved:
    """Give drums accents and timing; which drums are hit where stays, and how loud each drum is.

    What timing they had is not heard; the new one is on the grid on average.

    Args:
        session: a model that was trained to humanize.
        item: file, score, or a passage that was chosen before (of the same track).
        track: number of the track of drums (1-based); default all drum tracks.
        temperature: 0: the mean of the posterior; above it is drawn from, more widely.
        feel: how much of timing and accents is taken on.

    Raises:
        UsageError: another model is needed, or there is no such track.
        NothingUsableError: a piece without usable drums.
    """
    check_task(session.bundle.config, session.name, HUMANIZE)
    passage = whole_melody(item, to_the_end(session.codec), session.name, track)
    z = _points(session, without(passage.windows, VELOCITIES, OFFSETS), temperature)
    given = hits_given(passage.windows)
    return _grooved(session, passage, track, z, temperature, "humanize", given=given, feel=feel)


def tap(
    session: MusicSession, item: Item | Passage, track: int | None = None, temperature: float = 0.0
) -> Grooved:
    """Make a beat of a tapped rhythm: its timing counts, not which drums were tapped.

    Arguments and errors are those of :func:`humanize`; ``item`` may be a passage of
    :func:`~musicvae_lite.music.groove_windows.taps_of`.
    """
    config = session.bundle.config
    check_task(config, session.name, TAP)
    passage = taps_of(item, to_the_end(session.codec), session.name, track)
    way = next(way for way in config.data.inputs if way.tap)
    x = tapped(passage.windows)
    z = _points(session, without(x, VELOCITIES) if way.fixed_velocity else x, temperature)
    return _grooved(session, passage, track, z, temperature, "tap")


def add(
    session: MusicSession,
    item: Item | Passage,
    drum: int,
    track: int | None = None,
    temperature: float = 0.0,
) -> Grooved:
    """Make one drum (index into :data:`~musicvae_lite.music.codecs.groove.DRUMS`) to go with the
    others, which stay as they are.

    What the piece has of that drum is not heard and not kept. A model says what a drummer would
    have played, and of a drum that
    is rare, or goes with others than these, it mostly says: none. But who adds a drum wants it
    played. So where the model by itself would play none in the whole piece, each window has as many
    hits as those windows that the model draws from its prior and that have the drum, at the
    likeliest steps (see docs/groove-2bar.md). Arguments and errors are those of :func:`humanize`.

    Raises:
        NothingUsableError: the model never plays that drum, too.
    """
    unknown = shown_as_unknown(session.bundle.config, session.name, drum)
    passage = whole_melody(item, to_the_end(session.codec), session.name, track)
    z = _points(session, without_drum(passage.windows, drum, unknown), temperature)
    title, given = f"add {DRUMS[drum]}", all_but_given(passage.windows, drum)
    result = _grooved(session, passage, track, z, temperature, title, given=given)
    likeliest = not (result.windows[..., drum] > 0.5).any()
    if likeliest:
        given = hit_given(given, drum, likeliest_hits(session, passage.windows, z, drum))
        result = _grooved(session, passage, track, z, temperature, title, given=given)
    pitches = KITS[session.codec.config()["kit"]][DRUMS[drum]]
    made = int(np.isin(result.score.notes["pitch"], pitches).sum())
    if not made:
        raise NothingUsableError(
            f"{passage.source}: {session.name} plays no {DRUMS[drum]} with these drums; nothing "
            "was written, name another --drum"
        )
    there = passage.score.notes[covered_by(passage, session.codec)]
    return replace(
        result,
        added=Added(DRUMS[drum], made, int(np.isin(there["pitch"], pitches).sum()), likeliest),
    )


def likeliest_hits(
    session: MusicSession, windows: Floats, z: Floats, drum: int
) -> NDArray[np.bool_]:
    """Return the steps [N, T] at which a drum is likeliest hit, as many in each window as the model
    usually plays of it.

    ``windows`` [N, T, 27] hold the other drums, ``z`` [N, Z] are points for them.
    """
    draws = session.prior.sample(_PRIOR_DRAWS, Noise(session.seed, _USUAL)).numpy()
    condition = told(windows, session.bundle.config)
    of_draws = None if condition is None else condition[np.arange(_PRIOR_DRAWS) % len(condition)]
    counts = (session.decode_windows(draws, 1.0, condition=of_draws)[..., drum] > 0.5).sum(1)
    count = round(float(counts[counts > 0].mean())) if counts.any() else 0
    lacking = without_drum(windows, drum, unknown=False)
    logits = session.teacher_forced(z, lacking, condition)[..., HITS.start + drum]
    chosen = np.zeros(logits.shape, bool)
    np.put_along_axis(chosen, np.argsort(-logits, axis=1, kind="stable")[:, :count], True, axis=1)
    return chosen


def transfer(
    session: MusicSession,
    groove: Item | Passage,
    item: Item | Passage,
    tracks: tuple[int | None, int | None] = (None, None),
    temperature: float = 0.0,
) -> Grooved:
    """Play the hits of ``item`` with the groove of another piece: velocities and timing as its code
    says.

    The code of each window of ``groove`` serves one window of ``item`` after the other, over and
    over. A model that is told of the hits (Magenta's ``hits_control``) has codes of the groove
    alone; of another the code holds hits too, so the hits of ``item`` are held fast while it is
    decoded.

    Arguments and errors are those of :func:`humanize`.
    """
    check_task(session.bundle.config, session.name, WHOLE)
    model = whole_melody(groove, to_the_end(session.codec), session.name, tracks[0])
    passage = whole_melody(item, to_the_end(session.codec), session.name, tracks[1])
    z = _points(session, model.windows, temperature)
    z = z[np.arange(len(passage.windows)) % len(z)]
    name = f"groove of {model.stem}"
    return _grooved(
        session,
        passage,
        tracks[1],
        z,
        temperature,
        name,
        given=hits_given(passage.windows),
        hits_stay=True,
    )


def _points(session: MusicSession, windows: Floats, temperature: float) -> Floats:
    """Return a point for each window [N, Z]: the mean of its posterior, or a draw around it."""
    mean, scale = session.encode_windows(windows)
    if temperature <= 0:
        return mean
    draws = Noise(session.seed, _POINTS).normal(mean.shape, torch.device("cpu")).numpy()
    return np.asarray(mean + temperature * scale * draws, np.float32)


def _grooved(
    session: MusicSession,
    passage: Passage,
    track: int | None,
    z: Floats,
    temperature: float,
    name: str,
    given: Floats | None = None,
    feel: Feel | None = None,
    hits_stay: bool = False,
) -> Grooved:
    """Decode points [N, Z] in the place of the windows of a passage.

    Where hits are ``given``, what the piece plays them on stays: not any snare, but its rim shot.
    """
    condition = told(passage.windows, session.bundle.config)
    windows = session.decode_windows(z, temperature, condition=condition, given=given)
    if feel is not None:
        windows = blended(passage.windows, windows, feel)
    windows = ended(windows, [passage], session.codec)
    tracks = drum_tracks(passage.score, track)
    score = rebuild(passage, windows, session.codec, f"{name} {passage.stem}")
    if given is not None and isinstance(session.codec, GrooveCodec):
        score = session.codec.with_pitches_of(score, passage.score, tracks)
    stay = hits_stay or feel is not None
    return Grooved(passage, windows, score, tuple(tracks), hits_stay=stay)
