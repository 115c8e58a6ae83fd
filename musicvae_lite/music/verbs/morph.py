"""One whole song turned into another, window by window.

Letters in shapes: N windows of A, S songs, Z latent size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicvae_lite.core.latent import Path as Way
from musicvae_lite.core.latent import along
from musicvae_lite.core.validation import seed_of, whole
from musicvae_lite.media.midi import Score
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.paths import class_counts_of, moved, registers, to_one_key
from musicvae_lite.music.session import MusicSession, Path
from musicvae_lite.music.splice import check_way, in_piece, left_bars
from musicvae_lite.music.timing import as_played
from musicvae_lite.music.windows import (
    Item,
    Passage,
    Roles,
    ended,
    is_silent,
    rebuild,
    whole_melody,
)

Floats = NDArray[np.float64]

_OCTAVE = 12


@dataclass(frozen=True, eq=False)
class Morph:
    """Songs between two songs; all have the bars, the tempo and the metres of the first.

    Attributes:
        start: windows of A, that overlap by half.
        end: windows of B.
        partner: which window of B goes with each of A [N].
        fractions: how far each window is on its way to B, 0 to 1 [S, N].
        scores: the songs.
        left: bars of A that no window covers, 1-based; they are those of A.
        settings: path, temperature and seed.
        transposed: semitones by which B was moved into the key of A.
    """

    start: Passage
    end: Passage
    partner: NDArray[np.int64]
    fractions: Floats
    scores: tuple[Score, ...]
    left: tuple[int, ...]
    settings: dict[str, Any]
    transposed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` says, but for model and outputs."""
        inputs = [
            {
                "file": end.source,
                "track": end.track,
                "track_name": end.track_name,
                **end.facts,
            }
            for end in (self.start, self.end)
        ]
        rows = zip(
            self.start.bars.tolist(),
            self.end.bars[self.partner].tolist(),
            self.fractions.T.tolist(),
            strict=True,
        )
        windows = [
            {"bar": bar, "bar_of_b": other, "fractions": fractions}
            for bar, other, fractions in rows
        ]
        return {
            "inputs": inputs,
            "songs": len(self.scores),
            "windows": windows,
            "bars_left": list(self.left),
            "transposed_semitones": self.transposed,
            **self.settings,
        }


def morph(
    session: MusicSession,
    a: Item | Passage,
    b: Item | Passage,
    steps: int | None = None,
    temperature: float = 0.0,
    path: Path = "music",
    tracks: tuple[int | None, int | None] = (None, None),
    roles: tuple[Roles, Roles] = (None, None),
    seed: int | None = None,
    keep_tracks: bool = False,
    transpose: bool | None = None,
) -> Morph:
    """Turn the melody of song A into that of song B: the first window of A meets the first of B,
    and so on to the end of A.

    A shorter B begins again from its first window; of a longer one the end is not used: the songs
    end where A does. Those of a model that is told of chords are played over the chords of A.

    Args:
        session: the model.
        a: file or score.
        b: file or score.
        steps: number of songs from what the model makes of A to what it makes of B, at least 2;
            None for one song that begins as A and ends as B.
        temperature: 0 takes the likeliest event of every step, above 0 events are drawn.
        path: ``music``: B is brought to the octave of A, and what comes of it back to its own, bit
            by bit; ``slerp`` (great circle) or ``lerp`` (straight line): as the pieces are.
        tracks: track (1-based) of each; default the one most like a tune.
        roles: track of each voice of each.
        seed: of the draws; default the session's.
        keep_tracks: give the songs the other tracks of A; without, they have the track of the
            melody alone.
        transpose: bring B to the key of A: where the other tracks are kept for good, else for the
            first half of the way. Default: where they are kept.

    Raises:
        UsageError: fewer than 2 steps, one window for one song, a negative temperature, no such
            track.
        NothingUsableError: a song without a usable window.
    """
    if steps is not None:
        steps = whole(steps, 2, f"from A to B are at least 2 steps, not {steps}")
    codec = session.codec
    ends = [
        whole_melody(item, codec, session.name, track, roles=own, overlapping=True)
        for item, track, own in zip((a, b), tracks, roles, strict=True)
    ]
    start, end = ends
    check_way(start, steps, session.name)
    count = len(start.windows)
    partner = np.arange(count) % len(end.windows)
    fractions = _fractions(steps, count)
    # Where a song is too low or high for the model, it is heard in another octave.
    home_a, home_b = (session.settled(passage) for passage in (start, end))
    start, end = replace(start, octaves=home_a.octaves), replace(end, octaves=home_b.octaves)
    mean_a, mean_b = (
        session.encode_windows(home.windows, condition=session.condition(home))[0]
        for home in (home_a, home_b)
    )
    keeps_key = keep_tracks if transpose is None else transpose
    octave, semitones = _apart(codec, home_a, home_b, path, keeps_key, keep_tracks)
    near = mean_b
    if octave or semitones:
        rows = moved(codec, home_b.windows, np.full(len(mean_b), octave + semitones))
        near, _ = session.encode_windows(rows, condition=session.condition(end))
    latents = _between(mean_a, near[partner], fractions, "lerp" if path == "lerp" else "slerp")
    octave += _OCTAVE * home_b.octaves
    way = (1 - fractions) * home_a.octaves + fractions * octave / _OCTAVE
    back = -_OCTAVE * np.round(way).astype(np.int64)
    if not keep_tracks:
        back -= np.where(fractions > 0.5, semitones, 0)
    arrived = (fractions == 1) & (back == -(octave + semitones))
    latents[arrived] = np.broadcast_to(mean_b[partner], latents.shape)[arrived]
    back[arrived] = -_OCTAVE * home_b.octaves
    told = session.condition(start)
    condition = None if told is None else np.tile(told, (len(fractions), 1, 1))
    decoded = session.decode_windows(
        latents.reshape(-1, session.latent_size), temperature, condition, seed
    )
    decoded = moved(codec, decoded, back.ravel())
    decoded = decoded.reshape(len(fractions), count, *codec.shape)
    # A window in which nothing starts has no place in latent space: the nearer end says whether it
    # is so.
    silent = [
        is_silent(passage.windows, codec)[rows]
        for passage, rows in ((start, np.arange(count)), (end, partner))
    ]
    nearer_b = fractions > 0.5
    chords, scores = session.conditions.of_passage(start), []
    for number, windows in enumerate(decoded, start=1):
        nearer = nearer_b[number - 1]
        windows[silent[0] & ~nearer] = start.windows[silent[0] & ~nearer]
        windows[silent[1] & nearer] = end.windows[partner][silent[1] & nearer]
        windows = ended(windows, [start], codec)
        song = rebuild(
            start,
            windows,
            codec,
            f"{start.stem} to {end.stem}" + (f", step {number}" if steps else ""),
        )
        full = in_piece(start, song, codec, unheard=keep_tracks)
        kept = tuple(range(len(full.tracks))) if codec.whole else start.read
        alone = session.conditions.marked_in(start, only(full, kept), chords)
        scores.append(as_played(full if keep_tracks else alone, start.swing))
    settings = {"path": path, "temperature": temperature, "seed": seed_of(seed, session.seed)}
    return Morph(
        start,
        end,
        partner,
        fractions,
        tuple(scores),
        tuple(left_bars(start, codec).tolist()),
        settings,
        semitones if keep_tracks else 0,
    )


def _apart(
    codec: ScoreCodec, start: Passage, end: Passage, path: Path, transpose: bool, band: bool
) -> tuple[int, int]:
    """Return by how many semitones B is moved to the octave and to the key of A, or of its band."""
    if path != "music" or codec.whole or not codec.pitches[0]:
        return 0, 0
    register = [np.nanmean(registers(codec, passage.windows)) for passage in (start, end)]
    octave = -_OCTAVE * int(np.round((register[1] - register[0]) / _OCTAVE))
    if not transpose:
        return octave, 0
    counts = np.concatenate([class_counts_of((start,), band), class_counts_of((end,))])
    return octave, int(to_one_key(counts)[1])


def only(score: Score, tracks: tuple[int, ...]) -> Score:
    """Return a score with some of its tracks alone."""
    notes = score.notes[np.isin(score.notes["track"], tracks)].copy()
    notes["track"] = np.searchsorted(tracks, notes["track"])
    return Score(
        score.ticks_per_quarter,
        notes,
        tuple(score.tracks[track] for track in tracks),
        score.tempos,
        score.metres,
        score.source,
    )


def _fractions(steps: int | None, count: int) -> Floats:
    """Return how far each of ``count`` windows of each song is from A [S, count]."""
    if steps is None:
        return np.linspace(0.0, 1.0, count)[None]
    return np.repeat(np.linspace(0.0, 1.0, steps)[:, None], count, axis=1)


def _between(
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    fractions: Floats,
    path: Way,
) -> Any:
    """Return points [S, N, Z] between start and end [N, Z]."""
    rows = zip(
        torch.from_numpy(start), torch.from_numpy(end), torch.from_numpy(fractions.T), strict=True
    )
    return torch.stack([along(one, other, way, path) for one, other, way in rows], dim=1).numpy()
