"""What is found by name: media, codecs and parts of models that come with the library or with
another package.

The tables hold places as text ("module:attribute"), so that looking a name up imports nothing else.
Another package adds to a table by an entry point of the group ``musicvae_lite.GROUP``, for example
in its pyproject.toml::

    [project.entry-points."musicvae_lite.codecs"]
    tablature = "my_package.tablature:TablatureCodec"
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from musicvae_lite.core.errors import UsageError, suggest

_MUSIC = "musicvae_lite.music.codecs"

#: Group, name, place.
BUILT_IN: dict[str, dict[str, str]] = {
    "codecs": {
        "drums": f"{_MUSIC}.drums:DrumsCodec",
        "groove": f"{_MUSIC}.groove:GrooveCodec",
        "image": "musicvae_lite.images.codec:ImageCodec",
        "melody": f"{_MUSIC}.melody:MelodyCodec",
        "multitrack": f"{_MUSIC}.multitrack:MultitrackCodec",
        "piano": f"{_MUSIC}.piano:PianoCodec",
        "sound": "musicvae_lite.audio.codec:SoundCodec",
        "trio": f"{_MUSIC}.trio:TrioCodec",
    },
    # By the kind of the models.
    "media": {
        "image": "musicvae_lite.images.medium:IMAGES",
        "sequence": "musicvae_lite.music.medium:MUSIC",
        "spectrogram": "musicvae_lite.audio.denoise.medium:DENOISE",
        "timbre": "musicvae_lite.audio.timbre.medium:TIMBRE",
    },
    "decoders": {},
    # What a notebook shows of an item.
    "displays": {
        "audio": "musicvae_lite.media.notebook:audio_html",
        "score": "musicvae_lite.media.notebook:score_html",
    },
    "latents": {},
    "presenters": {},
}

_WORDS = {
    "codecs": "codec kind",
    "decoders": "decoder kind",
    "displays": "item",
    "latents": "latent kind",
    "media": "model kind",
    "presenters": "medium",
}


@cache
def _installed(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of other packages by name."""
    return {point.name: point for point in entry_points(group=f"musicvae_lite.{group}")}


def is_installed(group: str, name: str) -> bool:
    """Say whether another package has a name of a group."""
    return name in _installed(group)


def names(group: str) -> list[str]:
    """Return every name of a group, built in or installed."""
    return sorted({*BUILT_IN[group], *_installed(group)})


def load(group: str, name: str) -> Any:
    """Import what a name of a group stands for.

    Raises:
        UsageError: there is no such name, with the nearest one that there is.
    """
    place = BUILT_IN[group].get(name)
    if place is not None:
        module, _, attribute = place.partition(":")
        return getattr(import_module(module), attribute)
    point = _installed(group).get(name)
    if point is None:
        raise UsageError(f"{_WORDS[group]} {name!r} is not known; {suggest(name, names(group))}")
    return point.load()


def load_all(group: str) -> dict[str, Any]:
    """Import everything that a group has, by name."""
    return {name: load(group, name) for name in names(group)}
