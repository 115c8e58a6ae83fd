"""What verbs of music find out before torch is loaded: codec, conditions, usable input."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from musae.job import Job
    from musae.options import Console
    from musicvae_lite.media.midi import Score
    from musicvae_lite.model_dir.handle import Handle
    from musicvae_lite.music.codec import ScoreCodec
    from musicvae_lite.music.codecs.groove import GrooveCodec
    from musicvae_lite.music.conditioning.conditions import Conditions
    from musicvae_lite.music.verbs.groove import Grooved
    from musicvae_lite.music.windows import Passage


_FINE_TICKS = 480  # per quarter: a millisecond at 120 quarters a minute, less than a drummer means


def codec_of(handle: Handle) -> ScoreCodec:
    """Return the codec of a model of music.

    Raises:
        UsageError: it is of something else.
    """
    from musicvae_lite.core.errors import UsageError
    from musicvae_lite.music.codec import ScoreCodec

    codec = handle.codec
    if not isinstance(codec, ScoreCodec):
        raise UsageError(f"{handle.name} is no model of music")
    return codec


def conditions_of(
    handle: Handle, chords: str | Sequence[str] | None = None, key: str | None = None
) -> Conditions:
    """Return what a model is conditioned on, after checking the chords and key of a user.

    Raises:
        UsageError: a chord or key that is not known, or the model is not conditioned on them.
    """
    from musicvae_lite.music.conditioning.conditions import Conditions

    conditions = Conditions.of_model(handle.config, codec_of(handle), handle.name)
    conditions.progressions(chords, key)
    conditions.key(key, chords)
    return conditions


def check_accompany(job: Job, conditions: Conditions, pattern: str | None) -> None:
    """Refuse to play chords where a model is told of none.

    Raises:
        UsageError: saying so.
    """
    from musicvae_lite.core.errors import UsageError

    if pattern is not None and not conditions.control.chords:
        raise UsageError(
            f"--accompany plays the chords that a model is told of; {job.model} is told of none"
        )


def played_too(score: Score, pattern: str | None) -> Score:
    """Return a score with its chords on a track of their own, if that was asked for."""
    from musicvae_lite.music.accompany import accompanied

    return score if pattern is None else accompanied(score, pattern)


def noticed(job: Job, passage: Passage) -> None:
    """Say what a user should know of how a piece is read."""
    if passage.notice:
        job.console.note(f"{passage.source}: {passage.notice}")


def place(passage: Passage, bars: int) -> str:
    """Say where a window of ``bars`` bars is: ``track 1 (Melody), bars 5-6``."""
    first = int(passage.bars[0])
    where = f"bar {first}" if bars == 1 else f"bars {first}-{first + bars - 1}"
    return f"{passage.place}, {where}"


def check_keep_tracks(keep_tracks: bool, codec: ScoreCodec, model: str) -> None:
    """Refuse to keep the other tracks of a file where a model makes all of them.

    Raises:
        UsageError: saying so.
    """
    from musicvae_lite.core.errors import UsageError

    if keep_tracks and codec.whole:
        raise UsageError(
            f"{model} makes all tracks of a piece together; there are no others to keep (leave "
            "out --keep-tracks)"
        )


def edited(name: str, passage: Passage, score: Score) -> bytes:
    """Return the MIDI file of a passage with the notes of ``score``, all else of it as it is.

    Raises:
        MidiError: if the file cannot be read again or edited.
    """
    from pathlib import Path

    from musicvae_lite.media.edit import with_notes
    from musicvae_lite.media.midi_file import read_bytes

    return with_notes(read_bytes(Path(name), passage.source), passage.piece, score)


def edited_groove(name: str, result: Grooved, codec: GrooveCodec, all_pitches: bool) -> bytes:
    """Return the MIDI file of a groove with its new hits, all else as it is.

    Ticks are made finer where they are coarse.

    Args:
        name: the file.
        result: what was made of it.
        codec: of its windows.
        all_pitches: whether all notes of the drum tracks were heard, whatever their pitch.

    Raises:
        MidiError: if the file cannot be read again or edited.
    """
    from pathlib import Path

    from musicvae_lite.media.edit import with_finer_ticks, with_notes
    from musicvae_lite.media.midi import read_midi
    from musicvae_lite.media.midi_file import read_bytes

    source = result.passage.source
    data, factor = with_finer_ticks(read_bytes(Path(name), source), source, _FINE_TICKS)
    piece = read_midi(data, source=source)
    made = result.in_piece(piece, factor, codec, unheard=not all_pitches)
    return with_notes(data, piece, made)


def remark(console: Console, codec: ScoreCodec, *passages: Passage) -> None:
    """Say what a user should know of passages before a model hears them, each file once."""
    from musicvae_lite.music.remarks import remarks

    said: set[str] = set()
    for passage in passages:
        for line in remarks(passage, codec):
            text = f"{passage.source}: {line}"
            if text not in said:
                console.warn(text)
            said.add(text)


def remark_register(console: Console, *passages: Passage) -> None:
    """Say which tunes were moved by octaves for the model."""
    from musicvae_lite.music.remarks import of_register

    for text in dict.fromkeys(
        f"{passage.source}: {line}" for passage in passages if (line := of_register(passage))
    ):
        console.note(text)


def left_as_it_is(bars: Sequence[int]) -> str:
    """Say which bars of a piece the model did not touch."""
    import numpy as np

    from musicvae_lite.music.windows import spans

    return (
        f"no window in bar{'' if len(bars) == 1 else 's'} {spans(np.array(bars))}: left as in "
        "the input"
    )


def drawn_lightly(handle: Handle, prior: str) -> bool:
    """Say whether draws need no torch: those of a learned prior do."""
    from musicvae_lite.model_dir.prior_file import has_prior

    return prior == "normal" or not has_prior(handle.description.folder)
