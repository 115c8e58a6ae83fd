"""What can be done with which drums: told before a groove model is loaded. Imports no torch."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from musicvae_lite.config import RunConfig
from musicvae_lite.core.errors import UsageError, suggest
from musicvae_lite.media.midi import Score, read_midi
from musicvae_lite.music.codec import ScoreCodec, score_codec
from musicvae_lite.music.codecs.groove import DRUMS, KITS, GrooveCodec
from musicvae_lite.music.data.groove_inputs import ADD, HUMANIZE, TAP, TAPPED, WHOLE, has_way
from musicvae_lite.music.windows import Item, Passage, whole_melody


def check_task(config: RunConfig, name: str, task: str) -> None:
    """Refuse a model that was not trained for a task.

    Raises:
        UsageError: naming the tasks that it was trained for.
    """
    if config.codec.kind != "groove":
        raise UsageError(f"{name} is no groove model; 'musae train groove-2bar' makes one")
    if not has_way(config, task):
        able = [known for known in (WHOLE, HUMANIZE, TAP, ADD) if has_way(config, known)]
        wanted = "whole performances" if task == WHOLE else f"inputs of the kind {task!r}"
        raise UsageError(
            f"{name} has not learned from {wanted}, only from {', '.join(able)}; name another "
            "model with --model"
        )


def shown_as_unknown(config: RunConfig, name: str, drum: int) -> bool:
    """Say whether a model is shown a missing drum as not known.

    Raises:
        UsageError: it was not trained to add that drum.
    """
    check_task(config, name, ADD)
    ways = [way for way in config.data.inputs if drum in way.add]
    if not ways:
        able = sorted({DRUMS[known] for way in config.data.inputs for known in way.add})
        raise UsageError(f"{name} has not learned to add {DRUMS[drum]}, only {', '.join(able)}")
    return ways[0].unknown


def drum_named(name: str) -> int:
    """Return the index of a drum, written with spaces or hyphens.

    Raises:
        UsageError: no such drum; the nearest is named.
    """
    known = {drum.replace(" ", "-"): index for index, drum in enumerate(DRUMS)}
    plain = name.strip().lower().replace(" ", "-")
    if plain not in known:
        raise UsageError(
            f"there is no drum {name!r}; {suggest(plain, known)} (drums are {', '.join(known)})"
        )
    return known[plain]


def to_the_end(codec: ScoreCodec) -> ScoreCodec:
    """Return a codec that uses a piece to its end, also where that of a model (Magenta's) leaves
    out what fills no window.
    """
    return score_codec(codec.config() | {"pad_short": True, "require_onset": True})


def taps_of(
    item: Item | Passage, codec: ScoreCodec, model: str, track: int | None = None
) -> Passage:
    """Return the windows that cover the taps in a piece: all notes of its drum tracks, or of one
    track, whatever their pitch.

    Raises:
        UsageError: no such track.
        NothingUsableError: a piece without usable notes.
    """
    if isinstance(item, Passage):
        return item
    score = item if isinstance(item, Score) else read_midi(item, texts=True)
    assert isinstance(codec, GrooveCodec)
    notes = score.notes.copy()
    notes["pitch"][np.isin(notes["track"], drum_tracks(score, track))] = KITS[codec.kit][
        DRUMS[TAPPED]
    ][0]
    return whole_melody(replace(score, notes=notes), codec, model, track)


def drum_tracks(score: Score, track: int | None) -> list[int]:
    """Return the tracks (indices) that are read as drums: the one that is named (1-based), or all
    drum tracks.
    """
    return (
        [index for index, known in enumerate(score.tracks) if known.is_drum]
        if track is None
        else [track - 1]
    )


def left_out(
    passage: Passage, codec: ScoreCodec, track: int | None, taps: bool = False
) -> Counter[str]:
    """Count the drum notes of a piece that are in no window, by reason.

    ``track`` (1-based) is the one that was named, None for all drum tracks. Of ``taps`` that fall
    on one step, softer ones do not
    count: they are one tap.
    """
    counts: Counter[str] = Counter()
    for drop in codec.encode(passage.score, drum_tracks(passage.score, track)).drops:
        softer = drop.reason == "the same drum at the same step"
        if not (taps and softer):
            counts[f"{drop.reason}, where the loudest stays" if softer else drop.reason] += (
                drop.count
            )
    return counts
