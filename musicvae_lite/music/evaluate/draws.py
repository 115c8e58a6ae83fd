"""How like real music the windows are that a model makes up: the benchmark of draws.

Drawn windows are compared with held-out ones by four things: the cost under a 5-gram model of the
training windows (nats a step), features that a listener would notice, how well a classifier tells
the two apart by these features (AUC of gradient-boosted trees, cross-validated; 0.5 is not at all),
and the share of windows that are copies of training windows in any transposition.
Letters in shapes: N windows, T steps, K voices of a step, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.core.errors import NothingUsableError, UsageError
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.evaluate.ngrams import NGrams

COUNT, ORDER = 2000, 5
_FIFTH = 7
MAJOR = (0, 2, 4, 5, 7, 9, 11)
#: Intervals of a melody over a bass that count as consonant: unison, thirds, fifth, sixths.
CONSONANT = (0, 3, 4, 7, 8, 9)
_FOLDS = 5

Floats = NDArray[np.float64]
Features = dict[str, Floats]


@dataclass(frozen=True, eq=False)
class DrawMeasures:
    """Drawn windows beside real ones.

    Attributes:
        real: how many held-out windows.
        drawn: how many drawn ones.
        cost: nats a step under the n-gram model: of the real ones, of the drawn ones.
        auc: how well the two are told apart, 0.5 to 1.
        copies: share of copies of training windows: of the real ones, of the drawn ones.
        features: mean of each feature: of the real ones, of the drawn ones.
        together: of several voices: how they fit, see :func:`together`; of the real ones, of the
            drawn ones, and of these with the voices shuffled among them.
    """

    real: int
    drawn: int
    cost: tuple[float, float]
    auc: float
    copies: tuple[float, float]
    features: dict[str, tuple[float, float]]
    together: dict[str, tuple[float, float, float]]

    def as_dict(self) -> dict[str, Any]:
        """Return everything by name."""

        def both(pair: tuple[float, float]) -> dict[str, float]:
            return {"real": pair[0], "drawn": pair[1]}

        return {
            "real": self.real,
            "drawn": self.drawn,
            "cost_nats": both(self.cost),
            "auc": self.auc,
            "copies": both(self.copies),
            "features": {name: both(pair) for name, pair in self.features.items()},
            "together": {
                name: dict(zip(("real", "drawn", "shuffled"), values, strict=True))
                for name, values in self.together.items()
            },
        }


def measure_draws(
    codec: ScoreCodec,
    train: NDArray[Any],
    real: NDArray[Any],
    drawn: NDArray[Any],
    seed: int = 0,
) -> DrawMeasures:
    """Compare drawn windows with real ones.

    Args:
        codec: of the windows.
        train: what was learned from [M, T] or [M, T, K].
        real: windows of held-out songs [N, T] or [N, T, K].
        drawn: windows that were made up, same shape.
        seed: of the classifier.

    Raises:
        UsageError: windows of other than whole numbers.
        NothingUsableError: fewer than ten windows of either.
    """
    if not np.issubdtype(codec.dtype, np.integer):
        raise UsageError("draws are measured of windows of whole numbers: others have no n-grams")
    if min(len(real), len(drawn)) < 2 * _FOLDS:
        raise NothingUsableError(
            f"draws are compared with {2 * _FOLDS} held-out windows or more, not with {len(real)}"
        )
    grams = NGrams(train, float(np.prod(np.array(codec.sizes, np.float64))), ORDER)
    known = shapes(codec, train)
    of_real, of_drawn = features(codec, real), features(codec, drawn)
    fit = together(codec, real), together(codec, drawn), together(codec, shuffled(drawn, seed))
    return DrawMeasures(
        len(real),
        len(drawn),
        (float(grams.cost(real).mean()), float(grams.cost(drawn).mean())),
        told_apart(of_real, of_drawn, seed),
        (_share(shapes(codec, real), known), _share(shapes(codec, drawn), known)),
        {
            name: (float(np.nanmean(of_real[name])), float(np.nanmean(of_drawn[name])))
            for name in of_real
        },
        {name: (fit[0][name], fit[1][name], fit[2][name]) for name in fit[0]},
    )


def features(codec: ScoreCodec, windows: NDArray[Any]) -> Features:
    """Return what a listener would notice of each window, by name, [N] each; NaN where there is
    nothing to measure.
    """
    onsets = codec.onsets(windows)
    several = onsets.shape[2] > 1
    voices = windows[..., None] if windows.ndim == 2 else windows
    rolls = voices.shape[2] == onsets.shape[2]
    found: Features = {}
    for voice in range(onsets.shape[2]):
        role = f"{codec.roles[voice]}: " if several else ""
        line = voices[..., voice] if rolls else voices
        named = _rhythm(onsets[..., voice], line, codec)
        pitches = codec.pitches[voice] if rolls else None
        if pitches is not None:
            named |= _melody(pitch_at(codec, voices, voice))
        found |= {role + name: values for name, values in named.items()}
    if not any(codec.pitches):
        shares = codec.attributes(windows)
        found |= {name: shares[name] for name in ("hihat", "kick", "snare") if name in shares}
    return found


def pitch_at(codec: ScoreCodec, voices: NDArray[Any], voice: int) -> NDArray[np.int64]:
    """Return the MIDI pitch that starts at each step of a voice of windows [N, T, K], else -1."""
    pitches = codec.pitches[voice]
    assert pitches is not None
    first, number = pitches
    line = voices[..., voice].astype(np.int64)
    there = (line >= first) & (line < first + number)
    return np.where(there, line - first + int(codec.config().get("min_pitch", 0)), -1)


def _rhythm(onsets: NDArray[np.bool_], line: NDArray[Any], codec: ScoreCodec) -> Features:
    half, beat = line.shape[1] // 2, codec.steps_per_quarter * 4 // codec.denominator or 1
    count = onsets.sum(1)
    same = line[:, :half] == line[:, half : 2 * half]
    same = same.all(-1) if same.ndim == 3 else same
    again = onsets[:, :half] == onsets[:, half : 2 * half]
    return {
        "note starts": count.astype(np.float64),
        "starts on beats": onsets[:, ::beat].sum(1) / np.maximum(1, count),
        "second half = first": same.mean(1),
        "rhythm of second half = first": again.mean(1),
    }


def _melody(pitch: NDArray[np.int64]) -> Features:
    """Measure lines of pitches [N, T], -1 where nothing starts."""
    on = pitch >= 0
    count = on.sum(1)
    # The pitches of a window, one after another, moved to its left.
    order = np.argsort(~on, axis=1, kind="stable")
    line = np.take_along_axis(pitch, order, 1)
    pair = np.arange(1, line.shape[1]) < count[:, None]
    step = np.where(pair, np.abs(np.diff(line, axis=1)), 0)
    pairs = np.maximum(1, pair.sum(1))
    classes = np.stack([(on & (pitch % 12 == key)).sum(1) for key in range(12)], 1)
    scales = np.stack([classes[:, [(k + m) % 12 for m in MAJOR]].sum(1) for k in range(12)], 1)
    heard = np.maximum(1, count)
    there = count > 0
    lowest = np.where(on, pitch, 128).min(1)
    ordered = np.sort(pitch, axis=1)
    return {
        "mean interval": step.sum(1) / pairs,
        "leaps beyond a fifth": (step > _FIFTH).sum(1) / pairs,
        "in one major scale": scales.max(1) / heard,
        "different pitches": ((np.diff(ordered, axis=1) > 0).sum(1) + on.all(1)).astype(float),
        "range": np.where(there, pitch.max(1) - lowest, 0).astype(np.float64),
        "mean pitch": np.where(on, pitch, 0).sum(1) / heard,
    }


def told_apart(real: Features, drawn: Features, seed: int = 0) -> float:
    """Return how well a classifier tells two sets of windows apart: the area under its ROC curve,
    mean of a cross-validation; of equally many of each.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import cross_val_score

    tables = [np.stack(list(values.values()), 1) for values in (real, drawn)]
    count = min(map(len, tables))
    order = np.random.default_rng(seed).permutation(2 * count)
    x = np.concatenate([table[:count] for table in tables])[order]
    y = np.repeat([0, 1], count)[order]
    trees = HistGradientBoostingClassifier(random_state=seed)
    return float(cross_val_score(trees, x, y, cv=_FOLDS, scoring="roc_auc").mean())


def shapes(codec: ScoreCodec, windows: NDArray[Any]) -> list[bytes]:
    """Return each window without its transposition, as bytes to compare."""
    voices = (windows[..., None] if windows.ndim == 2 else windows).astype(np.int32)
    lowest = np.full(len(voices), 10_000, np.int32)
    lines = []
    for voice, pitches in enumerate(codec.pitches):
        if pitches is not None:
            line = voices[..., voice]
            there = (line >= pitches[0]) & (line < sum(pitches))
            lowest = np.minimum(lowest, np.where(there, line, 10_000).min(1))
            lines.append((voice, there))
    for voice, there in lines:
        line = voices[..., voice]
        voices[..., voice] = np.where(there, line - lowest[:, None] + 1000, line)
    return [row.tobytes() for row in np.ascontiguousarray(voices.astype(np.int16))]


def _share(rows: list[bytes], known: list[bytes]) -> float:
    seen = set(known)
    return float(np.mean([row in seen for row in rows]))


def shuffled(windows: NDArray[Any], seed: int = 0) -> NDArray[Any]:
    """Return windows [N, T, K] whose voices come from different ones; those of one voice as they
    are.
    """
    if windows.ndim == 2:
        return windows
    order = np.random.default_rng(seed).permutation(len(windows))
    turned = [np.roll(order, voice)[np.argsort(order)] for voice in range(windows.shape[2])]
    return np.stack([windows[rows, :, voice] for voice, rows in enumerate(turned)], -1)


def together(codec: ScoreCodec, windows: NDArray[Any]) -> dict[str, float]:
    """Say how the voices of windows [N, T, K] fit each other: the share of the steps at which two
    pitched voices sound that are ``consonant`` (:data:`CONSONANT`, semitones of the first above the
    second, octaves apart alike); and how alike the drums of a bar and the next are
    (``drums_bar_to_bar``: hits in common, of all hits of both).
    """
    if windows.ndim == 2:
        return {}
    pitched = [voice for voice, pitches in enumerate(codec.pitches) if pitches is not None]
    found = {}
    if len(pitched) > 1:
        upper, lower = (sounding(pitch_at(codec, windows, v), windows[..., v]) for v in pitched[:2])
        both = (upper >= 0) & (lower >= 0)
        fits = np.isin((upper - lower) % 12, CONSONANT) & both
        found["consonant"] = float(fits.sum() / max(1, both.sum()))
    if "drums" in codec.roles:
        found["drums_bar_to_bar"] = _bar_to_bar(
            windows[..., codec.roles.index("drums")], codec.steps_per_bar
        )
    return found


def sounding(pitch: NDArray[np.int64], line: NDArray[Any]) -> NDArray[np.int64]:
    """Return the pitch that sounds at each step [N, T], -1 for none.

    Args:
        pitch: what starts at each step, else -1 [N, T].
        line: classes of the steps: 0 goes on, 1 ends a note [N, T].
    """
    place = np.where(line > 0, np.arange(line.shape[1]), -1)
    last = np.maximum.accumulate(place, axis=1)
    held = np.take_along_axis(pitch, np.maximum(last, 0), 1)
    return np.where(last >= 0, held, -1)


def _bar_to_bar(drums: NDArray[Any], bar: int) -> float:
    """Return how alike neighbouring bars of drums (bits of the hits) [N, T] are, mean."""
    bits = (drums[..., None].astype(np.int64) >> np.arange(9)) & 1
    bars = bits.reshape(len(drums), -1, bar * 9).astype(bool)
    common = (bars[:, 1:] & bars[:, :-1]).sum(2)
    either = (bars[:, 1:] | bars[:, :-1]).sum(2)
    there = either > 0
    return float((common[there] / either[there]).mean()) if there.any() else float("nan")
