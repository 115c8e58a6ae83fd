"""What the classes of a step mean, for who has no codec of musae. No torch."""

from __future__ import annotations

from typing import Any

from musicvae_lite.music.codec import ScoreCodec
from musicvae_lite.music.codecs.drums import GROUPS, DrumsCodec, drum_pitches
from musicvae_lite.music.codecs.groove import KITS, GrooveCodec
from musicvae_lite.music.codecs.melody import MelodyCodec
from musicvae_lite.music.codecs.trio import TrioCodec


def meanings(codec: ScoreCodec) -> dict[str, Any]:
    """Say what the classes of a step mean, for who has no codec of musae."""
    if isinstance(codec, MelodyCodec):
        return _melody(codec.min_pitch, codec.max_pitch)
    if isinstance(codec, DrumsCodec):
        pitches = [list(row) for row in drum_pitches(codec.classes)]
        return {"form": codec.form, "bits": pitches}
    if isinstance(codec, GrooveCodec):
        drums = [list(pitches) for pitches in KITS[codec.kit].values()]
        return {"hits": drums, "velocity": "0 to 1, of 127", "offset": "-1 to 1 half steps, early"}
    if isinstance(codec, TrioCodec):
        pitched = _melody(codec.min_pitch, codec.max_pitch)
        bits = [list(row) for row in GROUPS.values()]
        return {"melody": pitched, "bass": pitched, "drums": {"form": "tokens", "bits": bits}}
    return {"sizes": list(codec.sizes)}


def _melody(low: int, high: int) -> dict[str, Any]:
    return {
        "0": "goes on",
        "1": "note off",
        "first_pitch": {"class": 2, "pitch": low},
        "last": high,
    }
