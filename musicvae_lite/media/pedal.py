"""The sustain pedal: notes as long as they are heard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from musicvae_lite.media.midi import PEDAL, Score


def sustained(score: Score) -> Score:
    """Return the score with its pedals put into the ends of its notes.

    A note that ends while the pedal of its track is held goes on until the pedal is lifted, or
    until its pitch is struck again (note-seq, ``apply_sustain_control_changes``).
    """
    if not len(score.pedals):
        return score
    notes = score.notes.copy()
    for track in np.unique(score.pedals["track"]):
        pedals = score.pedals[score.pedals["track"] == track]
        own = np.flatnonzero(notes["track"] == track)
        end = notes["end"][own]
        held = np.searchsorted(pedals["start"], end, side="right") - 1
        lifted = pedals["end"][np.maximum(held, 0)]
        longer = (held >= 0) & (lifted > end)
        # The next note of the same pitch, by pitch and then start; notes are in order of start.
        order = np.argsort(notes["pitch"][own], kind="stable")
        pitch, start = notes["pitch"][own][order], notes["start"][own][order]
        again = np.full(len(own), np.iinfo(np.int64).max)
        follows = pitch[1:] == pitch[:-1]
        again[order[:-1][follows]] = start[1:][follows]
        until = np.minimum(lifted, np.maximum(again, end))
        notes["end"][own] = np.where(longer, until, end)
    return replace(score, notes=notes, pedals=np.zeros(0, PEDAL))
