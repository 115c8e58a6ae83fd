"""The models that the page can choose: the one that was named, and those that are shipped."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

from musicvae_lite.core.errors import UsageError, suggest
from musicvae_lite.model_dir.bundle import shipped_models
from musicvae_lite.model_dir.handle import open_model
from musicvae_lite.play.service import MusicService
from musicvae_lite.play.sound_service import SoundService

_KEPT = 3  # models with their weights in memory at a time
_MEDIA = {"music": "music", "denoise": "sound"}  # those that have a page


class Service(Protocol):
    """What every model offers to the page."""

    name: str
    medium: str

    @property
    def session(self) -> Any:
        """The model with its weights."""

    def about(self) -> dict[str, Any]:
        """Return the page's ``Description`` of it."""


def medium_of(name: str) -> str | None:
    """Return ``music`` or ``sound``, or None for a model that has no page.

    Raises:
        UsageError: no such model.
        MusaeError: the folder is foreign or damaged.
    """
    return _MEDIA.get(open_model(name).medium.name)


class Models:
    """Models by name; those used last stay loaded.

    Args:
        first: the name that the page opens with; only this one may be a folder.
        device: where models run.
        files: the user's own pieces for the corners of the first.

    Raises:
        UsageError: there is no such model, or no page for it.
    """

    def __init__(self, first: str, device: str = "auto", files: Sequence[str] = ()) -> None:
        if medium_of(first) is None:
            raise UsageError(
                f"{first}: there is no page for this kind of model; {suggest(first, _playable())}"
            )
        self.first, self._device, self._files = first, device, tuple(files)
        self._names = list(dict.fromkeys([first, *_playable()]))
        self._services: OrderedDict[str, Service] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str | None) -> Service:
        """Return a model by name, the first one where none is named.

        Raises:
            UsageError: the page does not offer it.
        """
        name = name or self.first
        if name not in self._names:
            raise UsageError(f"there is no model {name[:60]!r} here")
        with self._lock:
            if name not in self._services:
                self._services[name] = self._open(name)
            self._services.move_to_end(name)
            while len(self._services) > _KEPT:
                self._services.popitem(last=False)
            return self._services[name]

    def _open(self, name: str) -> Service:
        if medium_of(name) == "sound":
            return SoundService(name, self._device)
        return MusicService(name, self._device, self._files if name == self.first else ())

    def listed(self) -> list[dict[str, Any]]:
        """Return what the page lists: name and medium of each model."""
        return [{"name": name, "medium": medium_of(name)} for name in self._names]


def _playable() -> list[str]:
    """Return the shipped models that have a page."""
    return [name for name in shipped_models() if medium_of(name) is not None]
