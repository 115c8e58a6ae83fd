"""The routes of ``musae play``; see ``page/src/http_model.js`` for the other side."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, Router

from musicvae_lite.core.errors import MusaeError, UsageError
from musicvae_lite.core.files import resource
from musicvae_lite.media.midi import midi_bytes, read_midi
from musicvae_lite.play.kept import Kept
from musicvae_lite.play.models import Models
from musicvae_lite.play.recordings import Recordings
from musicvae_lite.play.service import Choice, MusicService, NothingHereError, Wish

PAGE = Path(__file__).parent / "page" / "app"
MODEL_HEADER = "x-musae-model"
_ASSETS = {
    "app.js": "text/javascript",
    "app.css": "text/css",
    "synth.js": "text/javascript",
    "clock.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "LICENSES.txt": "text/plain; charset=utf-8",
}
_SOUNDFONT = "soundfont.sf3"
_SETUP = "/*setup*/"
_MAX_JSON = 8 * 2**20

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Play:
    """What the server holds, for all tabs.

    Attributes:
        models: by name; the first one is shown first.
        recordings: sounds that were dropped.
        kept: where results are written.
        token: that requests must bring.
        seed: of the first draws of a page.
    """

    models: Models
    recordings: Recordings
    kept: Kept
    token: str
    seed: int = 0


def build_app(play: Play) -> Starlette:
    """Return the ASGI application, without its guard."""
    routes = _Routes(play)
    api = [
        Route("/describe", routes.describe),
        Route("/ready", routes.ready),
        Route("/corner/{index:int}", routes.corner),
        Route("/encode", routes.encode, methods=["POST"]),
        Route("/decode", routes.decode, methods=["POST"]),
        Route("/between", routes.between, methods=["POST"]),
        Route("/draw", routes.draw, methods=["POST"]),
        Route("/keep", routes.keep, methods=["POST"]),
        Route("/recording", routes.open_recording, methods=["POST"]),
        Route("/recording/{id:int}/clean", routes.clean, methods=["POST"]),
        Route("/recording/{id:int}/save", routes.save, methods=["POST"]),
        Route("/recording/{id:int}/{part:str}.wav", routes.sound),
    ]
    pages = [Route("/", routes.page), Route("/{name:str}", routes.asset)]
    handlers = {MusaeError: _failed, ClientDisconnect: _gone, HTTPException: _refused}
    mounted = Mount("/api", app=Router(api, redirect_slashes=False))
    app = Starlette(routes=[mounted, *pages], exception_handlers=handlers)
    app.router.redirect_slashes = False  # another address is no address of the page
    return app


class _Routes:
    """The handlers; each takes a request and answers it."""

    def __init__(self, play: Play) -> None:
        self._play = play
        # One computation at a time: torch gains nothing from several, and memory stays bounded.
        self._computing = CapacityLimiter(1)
        self._improving = CapacityLimiter(1)  # what nobody waits for must not hold up the rest

    async def _compute(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run something that takes long in a thread, after what was asked for before."""
        return await anyio.to_thread.run_sync(
            partial(function, *arguments), limiter=self._computing
        )

    def _music(self, request: Request) -> MusicService:
        service = self._play.models.get(request.headers.get(MODEL_HEADER))
        if not isinstance(service, MusicService):
            raise UsageError(f"{service.name} is a model of {service.medium}, not of music")
        return service

    async def page(self, request: Request) -> Response:
        """Answer with the page; without the token it says where to find it."""
        setup = {
            "backend": "http",
            "token": request.query_params.get("token", ""),
            "model": self._play.models.first,
            "seed": self._play.seed,
        }
        html = (PAGE / "index.html").read_text(encoding="utf-8")
        written = json.dumps(setup).replace("<", "\\u003c")
        return HTMLResponse(html.replace(_SETUP, written))

    async def asset(self, request: Request) -> Response:
        """Answer with a file of the page; their names are known, no path is built of a request."""
        name = request.path_params["name"]
        if name == _SOUNDFONT:
            data = await run_in_threadpool(
                resource("data", "soundfont", "fluid-cut.sf3").read_bytes
            )
            return Response(data, media_type="application/octet-stream")
        if name not in _ASSETS:
            raise HTTPException(404, "there is nothing at this address")
        return Response((PAGE / name).read_bytes(), media_type=_ASSETS[name])

    async def describe(self, request: Request) -> Response:
        """Say what the model is and what else there is; no weights are needed."""
        play = self._play
        service = await run_in_threadpool(play.models.get, request.headers.get(MODEL_HEADER))
        about = await run_in_threadpool(service.about)
        return JSONResponse(
            {**about, "models": play.models.listed(), "folder": str(play.kept.folder)}
        )

    async def ready(self, request: Request) -> Response:
        """Answer when the weights are loaded."""
        service = await run_in_threadpool(self._play.models.get, request.headers.get(MODEL_HEADER))
        await self._compute(lambda: service.session)
        return JSONResponse({"ready": True})

    async def corner(self, request: Request) -> Response:
        """Answer with a piece that fills the pad at first."""
        service = self._music(request)
        name, data = await run_in_threadpool(service.corner, request.path_params["index"])
        return Response(data, media_type="audio/midi", headers={"X-Musae-Name": quote(name)})

    async def encode(self, request: Request) -> Response:
        """Hear a MIDI file."""
        service, data = self._music(request), await request.body()
        choice = Choice(
            parts=_numbers(request.query_params.get("parts", "")),
            bar=next(iter(_numbers(request.query_params.get("bar", ""))), None),
        )
        name = request.query_params.get("name", "dropped.mid")
        return JSONResponse(await self._compute(service.encode, name, data, choice))

    async def decode(self, request: Request) -> Response:
        """Turn points into notes."""
        service, tree = self._music(request), await _tree(request)
        pieces = await self._compute(service.decode, tree.get("points"), Wish.read(tree))
        return JSONResponse({"pieces": pieces})

    async def between(self, request: Request) -> Response:
        """Make the tiles between corners better than decoding points does; that takes a second."""
        service, tree = self._music(request), await _tree(request)
        seed = Wish.read({"seed": tree.get("seed", 0)}).seed
        work = partial(service.between, tree.get("corners"), tree.get("size"), seed)
        pieces = await anyio.to_thread.run_sync(work, limiter=self._improving)
        return JSONResponse({"pieces": pieces})

    async def draw(self, request: Request) -> Response:
        """Draw points from the prior."""
        service, tree = self._music(request), await _tree(request)
        wish = Wish.read({"seed": tree.get("seed", 0), "chords": tree.get("chords")})
        points = await self._compute(service.draw, tree.get("count"), wish.seed, wish.chords)
        return JSONResponse({"points": points})

    async def keep(self, request: Request) -> Response:
        """Write a MIDI file into the folder, if it is one."""
        data, title = await request.body(), request.query_params.get("title", "")

        def write() -> Path:
            score = read_midi(data, source=title or "MIDI data", texts=True)
            return self._play.kept.write(title, ".mid", midi_bytes(score))

        path = await run_in_threadpool(write)
        return JSONResponse({"file": path.name, "path": str(path)})

    async def open_recording(self, request: Request) -> Response:
        """Read a recording and clean it."""
        data, name = await request.body(), request.query_params.get("name", "recording")
        return JSONResponse(await self._compute(self._play.recordings.open, name, data))

    async def clean(self, request: Request) -> Response:
        """Clean a recording again, in another way."""
        tree, number = await _tree(request), request.path_params["id"]
        return JSONResponse(await self._compute(self._play.recordings.clean, number, tree))

    async def sound(self, request: Request) -> Response:
        """Answer with a recording as it was, or as it is now."""
        number, part = request.path_params["id"], request.path_params["part"]
        data = await run_in_threadpool(self._play.recordings.wav, number, part)
        return Response(data, media_type="audio/wav")

    async def save(self, request: Request) -> Response:
        """Write a cleaned recording into the folder."""
        tree, number = await _tree(request), request.path_params["id"]
        path = await self._compute(self._play.recordings.save, number, tree, self._play.kept)
        return JSONResponse({"file": path.name, "path": str(path)})


async def _tree(request: Request) -> Mapping[str, Any]:
    """Return the JSON object of a request.

    Raises:
        UsageError: it is none, or too large.
    """
    body = await request.body()
    if len(body) > _MAX_JSON:
        raise UsageError(f"a request of {len(body):,} bytes is too large")
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UsageError("the request is no JSON") from error
    if not isinstance(tree, dict):
        raise UsageError("the request is no JSON object")
    return tree


def _numbers(text: str) -> tuple[int, ...]:
    """Read ``3`` or ``1,3,2``, numbers from 1.

    Raises:
        UsageError: it is something else.
    """
    if not text:
        return ()
    if not re.fullmatch(r"[1-9][0-9]{0,5}(,[1-9][0-9]{0,5}){0,31}", text):
        raise UsageError(f"{text[:40]!r} are no numbers from 1")
    return tuple(map(int, text.split(",")))


async def _failed(request: Request, error: Exception) -> Response:
    """Answer with the line that the command would say."""
    status = 400 if isinstance(error, UsageError) else 422
    others = {"models": list(error.models)} if isinstance(error, NothingHereError) else {}
    return JSONResponse({"error": str(error), **others}, status)


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    detail = error.detail if isinstance(error, HTTPException) else str(error)
    return JSONResponse({"error": detail}, status)


async def _gone(request: Request, error: Exception) -> Response:
    """Nobody reads the answer any more."""
    return Response(status_code=400)
