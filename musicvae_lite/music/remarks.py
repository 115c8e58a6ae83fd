"""What a user should know of a piece before a model hears it.

What the file is like, and what becomes of it.

Imports no torch, so that every verb can tell before a model is loaded.
"""

from __future__ import annotations

from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.timing import Swing, Timing
from musicvae_lite.music.windows import Passage

_SHOWN = 5
_MOSTLY = 0.7  # share of the notes off the grid that makes triplets of them
_FEW = 0.02  # of the notes may be off the grid without a word
_STEPS = {2: "an eighth", 3: "an eighth triplet", 4: "a sixteenth", 8: "a 32nd"}


def remarks(passage: Passage, codec: ScoreCodec) -> list[str]:
    """Return what there is to say of a passage, one line each: faults of its file first."""
    lines = _faults(passage)
    kit = [index + 1 for index in passage.read if passage.score.tracks[index].is_drum]
    if len(kit) > 1 and not codec.whole:
        tracks = ", ".join(map(str, kit))
        lines.append(f"the drums of tracks {tracks} are heard together, as one kit")
    if passage.joined:
        metres, own = ", ".join(passage.joined), f"{codec.numerator}/{codec.denominator}"
        lines.append(
            f"its {metres} is heard as {own}, and bars are counted so (--no-join leaves it)"
        )
    line = of_timing(passage.timing, passage.swing, codec)
    return [*lines, *([line] if line else [])]


def of_timing(timing: Timing | None, swing: Swing | None, codec: ScoreCodec) -> str:
    """Say how notes lie to the grid of a codec, where they are not on it and that is not kept."""
    if swing is not None:
        return (
            f"its {swing.what} swing (the second comes after {swing.ratio:.0%} of the time of two, "
            "straight is 50%): straightened for the model, swung again in what is written"
        )
    if timing is None or codec.timed or timing.off <= _FEW * timing.notes:
        return ""
    step = f"steps of {_STEPS.get(codec.steps_per_quarter, f'1/{codec.steps_per_quarter} quarter')}"
    if timing.by_chance:
        return (
            f"its {timing.notes:,} notes are no nearer the grid ({step}) than chance: it was "
            "played without a metronome, or its tempo is wrong, so bars and rhythms are not what "
            "is heard; set bars and beats in a sequencer first (beat mapping), then quantise"
        )
    what = "triplets" if timing.triplets > _MOSTLY * timing.off else "ornaments or free timing"
    return (
        f"{timing.off:,} of {timing.notes:,} notes are off the grid ({step}) and are moved to it "
        f"({what})"
    )


def of_register(passage: Passage) -> str:
    """Say by how many octaves a tune was moved for the model; "" for none."""
    if not passage.octaves:
        return ""
    count = abs(passage.octaves)
    where = ("lower", "up") if passage.octaves > 0 else ("higher", "down")
    octaves = f"{count} octave{'' if count == 1 else 's'}"
    return f"its notes are {where[0]} than the model knows: moved {where[1]} {octaves} and back"


def _faults(passage: Passage) -> list[str]:
    faults = list(passage.score.notices)
    more = len(faults) - _SHOWN
    return [*faults[:_SHOWN], *([f"and {more} more faults of the file"] if more > 0 else [])]
