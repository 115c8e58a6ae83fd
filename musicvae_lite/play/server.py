"""Running ``musae play``: a port, a server on this machine alone, and a browser."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import socket
import threading
import time
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from platformdirs import user_cache_path
from uvicorn.protocols.http.h11_impl import H11Protocol

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.play.app import Play, build_app
from musicvae_lite.play.guard import Guard
from musicvae_lite.play.kept import Kept
from musicvae_lite.play.models import Models
from musicvae_lite.play.recordings import Recordings

HOST = "127.0.0.1"
_USUAL_PORT = 8765
_REQUEST_SECONDS = 20.0  # in which a connection has to say what it wants
_KEEP_ALIVE_SECONDS = 75
_TOKEN_BYTES = 18
_TOKEN_SECONDS = 12 * 3600  # since it was used last


@dataclass(frozen=True)
class Server:
    """A server that is ready to run.

    Attributes:
        url: to open, with the token.
        run: serves until it is interrupted.
        stop: ends it, from another thread.
    """

    url: str
    run: Callable[[], None]
    stop: Callable[[], None]


class _PatientProtocol(H11Protocol):
    """HTTP that closes a connection on which no request comes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give a new connection some time."""
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self._waiting = loop.call_later(_REQUEST_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._waiting.cancel()
        super().connection_lost(exc)


def serve(
    model: str,
    files: tuple[str, ...] = (),
    *,
    device: str = "auto",
    seed: int = 0,
    folder: Path,
    port: int | None = None,
    browser: bool = True,
) -> Server:
    """Prepare a server of the page for a model; its weights are loaded in a thread meanwhile.

    Args:
        model: shown first; shipped models can be chosen on the page.
        files: the user's pieces for the corners.
        device: where models run.
        seed: of the first draws of a page.
        folder: where what is heard is kept.
        port: to listen on; default one that is free.
        browser: open one when the server answers.

    Raises:
        UsageError: no such model, none that has a page, or a port that is in use.
    """
    models = Models(model, device, files)
    listener = listen(port)
    number = listener.getsockname()[1]
    token = _token()
    recordings = Recordings(models)
    app = build_app(Play(models, recordings, Kept(folder), token, seed))
    config = uvicorn.Config(
        Guard(app, token, number),
        http=_PatientProtocol,
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = uvicorn.Server(config)
    url = f"http://{HOST}:{number}/?token={token}"

    def run() -> None:
        threading.Thread(target=_load, args=(models.get(None),), daemon=True).start()
        if browser:
            threading.Thread(target=_open, args=(server, url), daemon=True).start()
        try:
            with suppress(KeyboardInterrupt):
                server.run(sockets=[listener])
        finally:
            recordings.close()
            listener.close()

    def stop() -> None:
        server.should_exit = True

    return Server(url, run, stop)


def listen(port: int | None) -> socket.socket:
    """Return a socket that listens on this machine alone.

    Args:
        port: to listen on; None for the usual one, or else any that is free.

    Raises:
        UsageError: the port that is asked for is in use, or may not be used.
    """
    for candidate in (_USUAL_PORT, 0) if port is None else (port,):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, candidate))
            listener.listen(128)
            return listener
        except OSError as error:
            listener.close()
            if port is not None:
                raise _taken(port, error) from error
    raise MusaeError("no port is free on this machine; name one with --port")


def _token() -> str:
    """Return the token of this user's pages.

    It is kept for some hours, in a file that no one else can read, so that a page that is open
    goes on when the program is started again.
    """
    path = Path(user_cache_path("musae")) / "play-token"
    with suppress(OSError):
        if time.time() - path.stat().st_mtime < _TOKEN_SECONDS:
            kept = path.read_text(encoding="ascii")
            if len(kept) >= _TOKEN_BYTES and not path.stat().st_mode & 0o077:
                path.touch()
                return kept
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(token)
    return token


def _taken(port: int, error: OSError) -> UsageError:
    why = "is in use" if error.errno == errno.EADDRINUSE else "may not be used"
    return UsageError(f"port {port} {why}; leave out --port, or name another")


def _load(service: Any) -> None:
    """Load the weights ahead of the first request, which says what is wrong with them."""
    with suppress(MusaeError):
        service.session  # noqa: B018 (a property that loads)


def _open(server: uvicorn.Server, url: str) -> None:
    """Open the page when the server answers; where there is no display nothing opens."""
    while not server.started:
        if server.should_exit:
            return
        threading.Event().wait(0.02)
    with suppress(webbrowser.Error, OSError):
        webbrowser.open(url)
