"""What the page asks of a denoiser, without the transport."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from musicvae_lite.model_dir.handle import open_model

if TYPE_CHECKING:
    from musicvae_lite.audio.denoise.session import DenoiseSession


class SoundService:
    """One model that cleans recordings.

    Args:
        name: of a shipped model, or a folder.
        device: where it runs.
    """

    medium = "sound"

    def __init__(self, name: str, device: str = "auto") -> None:
        self.name, self._device = name, device
        self.handle = open_model(name)
        self._loading = threading.Lock()
        self._session: DenoiseSession | None = None

    @property
    def session(self) -> DenoiseSession:
        """The model with its weights; the first call loads them, and torch."""
        with self._loading:
            if self._session is None:
                from musicvae_lite.audio.denoise.session import DenoiseSession

                self._session = self.handle.load_as(DenoiseSession, self._device)
            return self._session

    def about(self) -> dict[str, Any]:
        """Return the page's ``Description`` of the model."""
        return {
            "name": self.name,
            "medium": self.medium,
            "kind": "denoise",
            "corners": [],
            "attributes": [],
        }
