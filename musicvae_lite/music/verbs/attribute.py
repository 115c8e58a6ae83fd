"""Changing what can be heard of a piece: its codes moved along attribute vectors.

Letters in shapes: N windows, T steps of a window, Z latent size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.media.midi import Score
from musicvae_lite.music.attribute_vectors import AttributeVectors, load_vectors
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.dynamics import as_loud_as
from musicvae_lite.music.register import back
from musicvae_lite.music.session import MusicSession
from musicvae_lite.music.splice import in_piece
from musicvae_lite.music.timing import as_played, in_swing
from musicvae_lite.music.windows import Passage, ended, is_silent, rebuild


@dataclass(frozen=True, eq=False)
class Changed:
    """A piece and what became of it.

    Attributes:
        passage: the windows that were used.
        windows: what they became [N, T].
        score: the same as a piece.
        given: each attribute of the piece, mean over its windows; NaN where there is nothing to
            measure.
        before: of what the model makes of it unchanged.
        after: of what it became.
    """

    passage: Passage
    windows: NDArray[Any]
    score: Score
    given: dict[str, float]
    before: dict[str, float]
    after: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` says, but for what was asked for.

        Null where there is nothing to measure.
        """
        tables = {"given": self.given, "before": self.before, "after": self.after}
        attributes = {
            key: {name: None if np.isnan(value) else value for name, value in table.items()}
            for key, table in tables.items()
        }
        return {**self.passage.as_dict(), "windows": len(self.windows), **attributes}


def vectors_of(session: MusicSession) -> AttributeVectors:
    """Read the attribute vectors of a session's model.

    Raises:
        UsageError: it has none.
        MusaeError: they are damaged.
    """
    description = session.bundle.description
    return load_vectors(description.folder, description.sha256, session.latent_size, session.name)


def change(
    session: MusicSession,
    passage: Passage,
    strengths: Mapping[str, float],
    alone: bool = False,
    keep_tracks: bool = False,
) -> Changed:
    """Add attribute vectors to the codes of windows and decode them, greedily.

    They keep the chords that they are heard with.

    Args:
        session: of the model.
        passage: the windows; see :mod:`musicvae_lite.music.windows`.
        strengths: how often each vector is added: 1 is about a standard deviation more,
            -1 takes it away.
        alone: give back the windows one after another, not at their places in the piece.
        keep_tracks: give back the whole piece, with what was made in place of the track.

    Raises:
        UsageError: the model has no such vector.
    """
    direction, codec = vectors_of(session).direction(strengths), session.codec
    told, condition = session.conditions.of_passage(passage), session.condition(passage)
    home = session.settled(passage)
    mean, _ = session.encode_windows(home.windows, condition=condition)
    twice = None if condition is None else np.concatenate([condition, condition])
    heard, windows = np.split(
        session.decode_windows(np.concatenate([mean, mean + direction]), condition=twice), 2
    )
    heard, windows = (back(rows, codec, home.octaves) for rows in (heard, windows))
    passage = replace(passage, octaves=home.octaves)
    sounding = ~is_silent(passage.windows, codec)
    windows[~sounding] = passage.windows[~sounding]
    heard, windows = (ended(rows, [passage], codec) for rows in (heard, windows))
    name = (
        f"{passage.stem} with "
        f"{', '.join(f'{attribute}{strength:+g}' for attribute, strength in strengths.items())}"
    )
    if alone:
        score = session.conditions.played(
            windows, told, passage.qpm.tolist(), program=passage.program, name=name
        )
        score = in_swing(score, passage.swing)
    else:
        made = rebuild(passage, windows, codec, name)
        if keep_tracks:
            score = in_piece(passage, made, codec)
        else:
            made = as_loud_as(made, passage, codec)
            score = session.conditions.marked_in(passage, made, told)
        score = as_played(score, passage.swing)
    return Changed(
        passage,
        windows,
        score,
        *(means(codec, rows[sounding]) for rows in (passage.windows, heard, windows)),
    )


def means(codec: ScoreCodec, windows: NDArray[Any]) -> dict[str, float]:
    """Return each attribute, the mean over windows [N, T] at which it can be measured.

    NaN where there is none.
    """
    known = {
        name: values[np.isfinite(values)] for name, values in codec.attributes(windows).items()
    }
    return {
        name: float(values.mean()) if len(values) else float("nan")
        for name, values in known.items()
    }
