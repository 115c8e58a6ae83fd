"""What stands before the server: only the page itself is answered, and only as much as it may send.

A page of any other site can send requests to 127.0.0.1; the token in the address, the ``Host`` (a
name that somebody else's DNS points here) and the ``Origin`` tell them apart.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 64 * 2**20  # of one upload
BODY_SECONDS = 60.0  # in which a whole upload has to come
TOKEN_HEADER = "x-musae-token"
_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_API = "/api/"
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' "
        "'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; "
        "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """ASGI middleware that refuses what did not come from the page.

    Args:
        app: what is guarded.
        token: that the page was opened with.
        port: of the server.
        seconds: in which the body of a request has to come.
    """

    def __init__(self, app: ASGIApp, token: str, port: int, seconds: float = BODY_SECONDS) -> None:
        self._app, self._token, self._seconds = app, token, seconds
        self._hosts = {f"{name}:{port}" for name in _LOCAL}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it in one line of JSON."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(send, *refusal)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_as_bytes(_HEADERS)]}
            await send(message)

        await self._app(scope, self._limited(receive), answer)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """Say why a request is not answered, or None."""
        if headers.get("host", "").lower() not in self._hosts:
            return 403, "this address is not the one that musae play printed"
        origin = headers.get("origin")
        if origin is not None and origin.lower().removeprefix("http://") not in self._hosts:
            return 403, "requests of other pages are not answered"
        if headers.get("sec-fetch-site", "same-origin") == "cross-site" and scope["path"] != "/":
            return 403, "requests of other pages are not answered"
        if scope["path"].startswith(_API) and not self._knows(headers.get(TOKEN_HEADER, "")):
            return 403, "the token is missing or wrong; open the address that musae play printed"
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            return 400, "the length of the request is no number"
        if int(length) > MAX_BYTES:
            return 413, f"files of up to {MAX_BYTES >> 20} MiB can be dropped here"
        return None

    def _knows(self, token: str) -> bool:
        return secrets.compare_digest(token.encode(), self._token.encode())

    def _limited(self, receive: Receive) -> Receive:
        """Return what receives a body up to the limits of size and time."""
        size = 0
        end = asyncio.get_running_loop().time() + self._seconds

        async def limited() -> Message:
            nonlocal size
            left = end - asyncio.get_running_loop().time()
            try:
                message = await asyncio.wait_for(receive(), max(left, 0))
            except TimeoutError:
                raise HTTPException(408, "the file came too slowly; drop it again") from None
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > MAX_BYTES:
                    limit = f"files of up to {MAX_BYTES >> 20} MiB can be dropped here"
                    raise HTTPException(413, limit)
            return message

        return limited


def _as_bytes(headers: dict[str, str]) -> Sequence[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


async def _refuse(send: Send, status: int, message: str) -> None:
    """Answer with one line of JSON and close the connection."""
    body = json.dumps({"error": message}).encode()
    headers: dict[str, Any] = {
        **_HEADERS,
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
    }
    await send({"type": "http.response.start", "status": status, "headers": _as_bytes(headers)})
    await send({"type": "http.response.body", "body": body})
