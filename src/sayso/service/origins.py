"""Pages of other origins that may call the REST API from a browser (``SAYSO_CORS_ORIGINS``).

They bear an access key, as every other client does. The cookies of the console are never taken from
them, and no answer allows credentials.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sayso.service.place import at

#: What such a page may read of an answer, beside what every page may.
_EXPOSED: Final = (
    b"ETag, Idempotency-Replayed, Link, Location, Retry-After, WWW-Authenticate, X-Request-Id"
)
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match"
    ),
    "Access-Control-Max-Age": "600",
}


class CrossOrigin:
    """Tells browsers which pages may read answers below ``/v1``, and answers their preflights.

    The headers are put into ``sayso.headers`` of the scope, since some refusals are made further
    out than here.
    """

    def __init__(self, app: ASGIApp, *, origins: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(each.encode() for each in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or not self._origins or not scope["path"].startswith(at("/v1/")):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"")
        scope["sayso.headers"] = [(b"vary", b"Origin")]
        if origin in self._origins and not _is_own(origin, headers.get(b"host", b"")):
            scope["sayso.headers"] += [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", _EXPOSED),
            ]
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                scope["sayso.route"] = "OPTIONS /v1"
                answer = Response(status_code=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_own(origin: bytes, host: bytes) -> bool:
    """Return whether an origin is the console's, which sends it with its own requests, too."""
    return urlsplit(origin).netloc == host
