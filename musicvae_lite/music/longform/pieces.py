"""Long pieces: drawn with a form, gone on with, filled in, varied.

Letters in shapes: N pieces or attempts, T steps, K voices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import NothingUsableError, UsageError
from musicvae_lite.core.random import Noise
from musicvae_lite.media.midi import Score
from musicvae_lite.music.codecs.melody import FIRST_NOTE
from musicvae_lite.music.longform.form import draw_form, repeats
from musicvae_lite.music.longform.line import Line, Mask
from musicvae_lite.music.longform.model import PLAIN, LongForm, Manner, key_of

_DRAWN_KEYS = (0.75, 0.25)  # how often the key of a piece is major, minor
_VARIED = 0.5  # of the sections that come back end otherwise
_CANDIDATES = 3  # drawn for each that is kept

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Made:
    """Pieces that were made, best first.

    Attributes:
        scores: the pieces.
        costs: of what is new in each, nats an event: the lower, the likelier.
        key: that the model was told, 0 to 23, or None.
        bars: bars of the piece that have something new, 1-based.
        notes: how many notes are new in each.
    """

    scores: tuple[Score, ...]
    costs: tuple[float, ...]
    key: int | None
    bars: tuple[int, ...]
    notes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Composed:
    """What a piece is drawn to be.

    Attributes:
        events: classes [T, K].
        key: 0 to 23, or None.
        form: a letter a section.
        cost: nats an event.
    """

    events: Ints
    key: int | None
    form: str
    cost: float


def compose(
    model: LongForm,
    bars: int,
    number: int,
    seed: int,
    manner: Manner = PLAIN,
    form: str | None = None,
    candidates: int = _CANDIDATES,
) -> Composed:
    """Draw a piece: its sections one after another, those that come back repeated.

    Args:
        model: draws.
        bars: of the piece.
        number: of the piece: equal numbers and seeds give equal pieces.
        seed: of all that is drawn.
        manner: how; where it names no key one is drawn, where the model knows of keys.
        form: a letter a section; default drawn.
        candidates: how many are drawn, of which the one that costs the middle is kept: neither dull
            nor wild.
    """
    draws = np.random.default_rng([seed, number])
    key, form = manner.key, form or draw_form(bars, draws)
    if key is None and model.features.keys:
        key = int(draws.choice(24, p=np.repeat(np.array(_DRAWN_KEYS) / 12, 12)))
    manner = replace(manner, key=key)
    spans = repeats(form, draws, _VARIED)
    noise = Noise(seed, number)
    lines = _sections(model, bars, form, spans, noise, candidates, manner)
    given = np.full(lines.shape[1:], -1)
    costs = model.cost(lines, given, manner)
    chosen = int(np.argsort(costs, kind="stable")[len(costs) // 2])
    return Composed(lines[chosen], key, form, float(costs[chosen]))


def _sections(
    model: LongForm,
    bars: int,
    form: str,
    spans: list[tuple[int, float]],
    noise: Noise,
    count: int,
    manner: Manner,
) -> Ints:
    """Draw lines [N, T, K] section by section: new ones first, up to where one comes back."""
    bar, voices = model.codec.steps_per_bar, len(model.codec.sizes)
    size = bars // len(form) * bar
    lines = np.full((count, bars * bar, voices), -1, np.int64)
    place = 0
    while place < len(form):
        # All sections up to the next that comes back are drawn at once, with those ahead of them
        # that repeat what is there already known.
        first = spans[place][0]
        _repeat(lines, spans, size, bar)
        stop = place + 1
        if first < 0:
            while stop < len(form) and spans[stop][0] < 0:
                stop += 1
        part = lines.copy()
        end = len(lines[0]) if stop == len(form) else stop * size
        drawn = _fill_each(model, part, noise, manner, end)
        lines[:, :end] = drawn[:, :end]
        place = stop
    return lines


def _repeat(lines: Ints, spans: list[tuple[int, float]], size: int, bar: int) -> None:
    """Write what sections that come back have in common with those that are there already."""
    for place, (first, share) in enumerate(spans):
        if first < 0 or (lines[:, first * size : (first + 1) * size] < 0).any():
            continue
        same = int(size * share) // bar * bar if share < 1 else size
        to = lines[:, place * size : place * size + same]
        if (to < 0).all():
            to[:] = lines[:, first * size : first * size + same]


def _fill_each(model: LongForm, lines: Ints, noise: Noise, manner: Manner, end: int) -> Ints:
    """Write what is missing before ``end``; what is missing after it stays so."""
    bar, most = model.codec.steps_per_bar, model.codec.bars
    stop = min(lines.shape[1], max(end, most * bar))
    drawn = lines.copy()
    drawn[:, :stop] = model.fill(lines[:, :stop], noise, len(lines), manner, end)
    return drawn


def going_on(
    model: LongForm, line: Line, bars: int, seed: int, attempts: int = 1, manner: Manner = PLAIN
) -> Made:
    """Go on from where a piece ends.

    Args:
        model: draws.
        line: the piece.
        bars: new ones.
        seed: of all that is drawn.
        attempts: N.
        manner: how; the key is that of the piece where none is named.

    Raises:
        NothingUsableError: the piece has no note to go on from.
    """
    here = line.heard_bars
    if not here:
        raise NothingUsableError(f"{line.score.source}: has no note to go on from")
    longer = line.longer(here + bars)
    gone = np.zeros(longer.tokens.shape, bool)
    gone[here * line.codec.steps_per_bar :] = True
    return fill_in(model, longer, gone, seed, attempts, manner)


def fill_in(
    model: LongForm, line: Line, gone: Mask, seed: int, attempts: int = 1, manner: Manner = PLAIN
) -> Made:
    """Write stretches of a piece anew, between what stays.

    Args:
        model: draws.
        line: the piece.
        gone: the steps whose notes leave [T, K].
        seed: of all that is drawn.
        attempts: N.
        manner: how; the key is that of the piece where none is named.

    Raises:
        NothingUsableError: nothing is free, since what stays sounds through all of it.
    """
    given = line.given(gone)
    if not (given < 0).any():
        raise NothingUsableError(
            f"{line.score.source}: nothing is left to fill: notes that stay sound through it all"
        )
    manner = _manner_of(line, manner)
    lines, costs = middling(model, given, Noise(seed, 1), attempts, manner)
    order = np.argsort(costs, kind="stable")
    scores = tuple(line.with_events(lines[index], gone) for index in order)
    bar = line.codec.steps_per_bar
    touched = np.unique(np.flatnonzero(gone.any(1)) // bar) + line.first_bar + 1
    left = len(line.score.notes) - line.leaving(gone)
    new = tuple(len(score.notes) - left for score in scores)
    best = tuple(float(costs[index]) for index in order)
    return Made(scores, best, manner.key, tuple(touched.tolist()), new)


def middling(
    model: LongForm, given: Ints, noise: Noise, count: int, manner: Manner
) -> tuple[Ints, NDArray[np.float64]]:
    """Write missing events ``count`` times [N, T, K], each time the one of middle cost among some,
    neither dull nor wild; and what they cost, nats an event [N].
    """
    lines = model.fill(given, noise, count * _CANDIDATES, manner)
    costs = model.cost(lines, given, manner).reshape(count, _CANDIDATES)
    middle = np.argsort(costs, 1, kind="stable")[:, _CANDIDATES // 2]
    rows = np.arange(count) * _CANDIDATES + middle
    return lines[rows], costs.ravel()[rows]


def _manner_of(line: Line, manner: Manner) -> Manner:
    """Name the key and the range of a piece, where they are not named."""
    key = key_of(line.key_counts()) if manner.key is None else manner.key
    lowest, highest = manner.lowest, manner.highest
    if line.codec.pitches[0] is not None and len(line.notes[0]) and lowest is None:
        pitch = line.score.notes["pitch"][line.notes[0]].astype(int)
        lowest, highest = int(pitch.min()) - 3, int(pitch.max()) + 3
    return replace(manner, key=key, lowest=lowest, highest=highest)


def vary(
    model: LongForm, line: Line, amount: float, seed: int, count: int = 1, manner: Manner = PLAIN
) -> Made:
    """Write a share of the half bars of a piece anew, chosen by chance; the first and the last note
    of the piece stay.

    Args:
        model: draws.
        line: the piece.
        amount: 0 to 1, the share.
        seed: of all that is drawn.
        count: N variations.
        manner: how.

    Raises:
        UsageError: an amount of 0, which changes nothing.
    """
    if not 0 < amount <= 1:
        raise UsageError(f"amount {amount}: it is above 0 (nothing is changed) and at most 1 (all)")
    results = []
    for number in range(count):
        gone = chosen_halves(line, amount, np.random.default_rng([seed, number]))
        made = fill_in(model, line, gone, seed + number, 1, manner)
        results.append(made)
    order = np.argsort([made.costs[0] for made in results], kind="stable")
    first = results[order[0]]
    return Made(
        tuple(results[index].scores[0] for index in order),
        tuple(results[index].costs[0] for index in order),
        first.key,
        tuple(sorted({bar for made in results for bar in made.bars})),
        tuple(results[index].notes[0] for index in order),
    )


def chosen_halves(line: Line, amount: float, draws: np.random.Generator) -> Mask:
    """Choose which half bars are written anew [T, K]: of those in which something sounds."""
    half = max(1, line.codec.steps_per_bar // 2)
    tokens = line.tokens
    number = -(-len(tokens) // half)
    heard = [bool(tokens[at * half : (at + 1) * half].any()) for at in range(number)]
    places = np.flatnonzero(heard)
    wanted = max(1, round(amount * len(places))) if len(places) else 0
    chosen = draws.permutation(places)[:wanted]
    gone = np.zeros(tokens.shape, bool)
    for at in chosen.tolist():
        gone[at * half : (at + 1) * half] = True
    if amount < 1 and line.codec.pitches[0] is not None:
        starts = np.flatnonzero(tokens[:, 0] >= FIRST_NOTE)
        if len(starts) > 2:
            gone[starts[0]] = gone[starts[-1]] = False
    return gone
