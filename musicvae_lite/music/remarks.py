"""What a user should know of a piece before a model hears it.

What the file is like, and what becomes of it.

Imports no torch, so that every verb can tell before a model is loaded.
"""

from __future__ import annotations

from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.windows import Passage

_SHOWN = 5


def remarks(passage: Passage, codec: ScoreCodec) -> list[str]:
    """Return what there is to say of a passage, one line each: faults of its file first."""
    lines = _faults(passage)
    kit = [index + 1 for index in passage.read if passage.score.tracks[index].is_drum]
    if len(kit) > 1 and not codec.whole:
        tracks = ", ".join(map(str, kit))
        lines.append(f"the drums of tracks {tracks} are heard together, as one kit")
    return lines


def _faults(passage: Passage) -> list[str]:
    faults = list(passage.score.notices)
    more = len(faults) - _SHOWN
    return [*faults[:_SHOWN], *([f"and {more} more faults of the file"] if more > 0 else [])]
