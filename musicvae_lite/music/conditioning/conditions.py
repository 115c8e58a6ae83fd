"""What a model of music is told, from what a user says or a piece holds: progressions, keys, the
chords of a file.

Imports no torch. Letters in shapes: N windows, T steps of a window, G steps of its grid of time, K
columns of a control, C control numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicvae_lite.config import RunConfig, load_config, preset_names
from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.midi import Score, Text
from musicvae_lite.model_dir.bundle import describe, shipped_models
from musicvae_lite.music.chords import NO_CHORD, Progression, chord_symbol, key_class
from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.conditioning.control import Classes, Control
from musicvae_lite.music.harmony import key_of_chords
from musicvae_lite.music.roman import has_numerals, spelled
from musicvae_lite.music.windows import Passage, bar_ticks, in_sequence, in_ticks

#: Chords as a user gives them: ``"C Am F G"``, a progression that was read, or several, which
#: pieces take in turn.
Chords = str | Progression | Sequence[str | Progression]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Conditions:
    """Makes what one model is told.

    Attributes:
        control: what it is told of.
        codec: of its windows.
        name: what messages call it.
    """

    control: Control
    codec: ScoreCodec
    name: str

    @classmethod
    def of_model(cls, config: RunConfig, codec: ScoreCodec, name: str) -> Conditions:
        """Build from the run that made a model."""
        return cls(Control.of_config(config.control.model_dump()), codec, name)

    def numbers(self, told: Classes) -> Floats | None:
        """Return classes [N, G, K] as the model reads them [N, G, C].

        None where it is told of nothing.
        """
        return self.control.numbers(told) if self.control else None

    def of_passage(self, passage: Passage) -> Classes:
        """Return the chords and keys of the windows of a piece, classes [N, G, K]."""
        return self.control.of_windows(passage.score, self.codec, passage.ticks)

    def progressions(
        self, chords: Chords | None, key: str | None = None
    ) -> tuple[Progression, ...]:
        """Read the chords that a user gives; none where there are none.

        Args:
            chords: symbols or Roman numerals.
            key: that numerals are degrees of.

        Raises:
            UsageError: a symbol is not understood, numerals without a key, or the model is told of
                no chords.
        """
        if chords is None:
            return ()
        self._check("chords")
        given = [chords] if isinstance(chords, str | Progression) else list(chords)
        return tuple(
            item if isinstance(item, Progression) else Progression.parse(spelled(item, key))
            for item in given
        )

    def progression(self, chords: Chords | None, key: str | None = None) -> Progression | None:
        """Read the chords that a user gives for one piece.

        Raises:
            UsageError: there are several progressions; see also :meth:`progressions`.
        """
        progressions = self.progressions(chords, key)
        if len(progressions) > 1:
            raise UsageError(f"{len(progressions)} progressions for one piece; give one")
        return progressions[0] if progressions else None

    def bars(self, chords: Chords | None, key: str | None = None) -> int:
        """Return the bars of a piece over some chords, a multiple of a window's: one window, or
        what the longest need.
        """
        size = self.codec.bars
        longest = max(
            [1, *(progression.length for progression in self.progressions(chords or None, key))]
        )
        return -(-longest // size) * size

    def key(self, key: str | None, chords: Chords | None = None) -> int | None:
        """Read the key that a user gives; None where there is none.

        A model that is not told of keys may have one for the Roman numerals of its ``chords``.

        Raises:
            UsageError: it is none, or the model is told of no key.
        """
        if key is None or (not self.control.key and names_degrees(chords)):
            return None
        self._check("key")
        return key_class(key)

    def over(
        self,
        progression: Progression | None,
        windows: int,
        key: int | None = None,
        spread: bool = False,
    ) -> Classes:
        """Return what is told of ``windows`` windows one after another, classes [windows, G, K].

        Args:
            progression: the chords, see :meth:`Progression.steps`; no chord throughout where None.
            windows: number of windows.
            key: 0 to 11; default the one that the chords fit best.
            spread: lay chords without lengths evenly over all windows.
        """
        codec, bars = self.codec, windows * self.codec.bars
        if progression is None:
            chords = np.full(windows * codec.grid_steps, NO_CHORD, np.uint8)
        else:
            chords = progression.steps(bars, codec.steps_per_bar, spread)
        keys = np.full(len(chords), key_of_chords(chords) if key is None else key, np.uint8)
        return self.control.join(chords, keys).reshape(
            windows, codec.grid_steps, len(self.control.sizes)
        )

    def changed(
        self,
        told: Classes,
        bars: NDArray[np.int64],
        progression: Progression | None,
        key: int | None,
    ) -> Classes:
        """Return what is told of windows [N, G, K] that start at ``bars`` [N], with other chords,
        another key, or as it was.

        A progression begins at the first of the bars; where a user gives one, the key is that of
        its chords.
        """
        if progression is not None:
            steps = (bars - bars.min())[:, None] * self.codec.steps_per_bar + np.arange(
                self.codec.grid_steps
            )
            chords = progression.at(steps, self.codec.steps_per_bar)
            return self.control.join(
                chords, np.array(key_of_chords(chords) if key is None else key)
            )
        if key is not None:
            told = told.copy()
            told[..., -1] = key
        return told

    def marked(self, score: Score, told: Classes, ticks: NDArray[np.int64]) -> Score:
        """Return ``score``, made of windows that start at ``ticks`` [N], with the chords told of
        them [N, G, K] as markers.
        """
        if not self.control.chords:
            return score
        at = self.codec.grid_ticks(ticks, score.ticks_per_quarter).ravel()
        order = np.argsort(at, kind="stable")
        at, chords = at[order], told[..., 0].ravel()[order].astype(np.int64)
        new = np.flatnonzero(np.diff(chords, prepend=-1))
        return replace(
            score,
            texts=tuple(
                Text(int(at[row]), "marker", chord_symbol(int(chords[row]))) for row in new
            ),
        )

    def marked_in(self, passage: Passage, score: Score, told: Classes) -> Score:
        """Return ``score``, made of windows that are where those of ``passage`` are, with their
        chords as markers.
        """
        return self.marked(
            score,
            told,
            in_ticks(passage.ticks, passage.score.ticks_per_quarter, score.ticks_per_quarter),
        )

    def played(
        self,
        windows: NDArray[Any],
        told: Classes,
        qpm: Sequence[float],
        bars: NDArray[np.int64] | None = None,
        program: int = 0,
        name: str = "melody",
    ) -> Score:
        """Put windows one after another, with the chords that they were played over as markers.

        See :func:`in_sequence`.
        """
        score = in_sequence(windows, qpm, self.codec, bars, program, name)
        starts = np.arange(len(windows)) * self.codec.bars if bars is None else bars - 1
        return self.marked(score, told, starts * bar_ticks(score))

    def _check(self, what: str) -> None:
        if not getattr(self.control, what):
            raise UsageError(
                f"{self.name} is not told of {'the key' if what == 'key' else what}; "
                f"{_who_is(what)}"
            )


def names_degrees(chords: Chords | None) -> bool:
    """Say whether some of the chords that a user gives are Roman numerals."""
    given = [chords] if isinstance(chords, str | Progression) else list(chords or [])
    return any(has_numerals(item) for item in given if isinstance(item, str))


def _who_is(what: str) -> str:
    """Name the models that are told of something, or the presets that make one."""
    models = [name for name in shipped_models() if getattr(describe(name).config.control, what)]
    presets = [name for name in preset_names() if getattr(load_config(name).control, what)]
    if not models and not presets:
        return f"a preset with control: {{{what}: true}} makes a model that is"
    made = f"presets that make one: {', '.join(presets)}" if presets else ""
    return "; ".join(
        [*([f"models that are: {', '.join(models)}"] if models else []), *([made] if made else [])]
    )
