"""The description of the API as a document, and as a page to read it and try it.

Everything comes from this process: no asset of another host. The page has no inline script.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

import fastapi_offline
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sayso.service.place import at
from sayso.service.rest import kinds, problems
from sayso.service.rest.calls import BASE
from sayso.service.rest.conditions import etag, unchanged
from sayso.service.rest.problems import Refused

# Swagger UI draws with style attributes, and has its icons as data.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_CLOSED: Final = "default-src 'none'; frame-ancestors 'none'"
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sayso: the REST API</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<noscript>This page needs JavaScript. The description of the API is at
<a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_ASSETS: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon.png": "image/png",
}


def routes(description: Mapping[str, Any]) -> list[BaseRoute]:
    """Return the routes of the page and of what it needs; none of them takes a key."""
    document = json.dumps(description, ensure_ascii=False, separators=(",", ":")).encode()
    tag = etag(document)

    async def openapi(request: Request) -> Response:
        headers = {"ETag": tag, "Cache-Control": "no-cache", "Content-Security-Policy": _CLOSED}
        if unchanged(request.headers.get("if-none-match"), tag):
            return Response(status_code=304, headers=headers)
        return Response(document, headers=headers, media_type="application/json")

    return [
        Route("/openapi.json", openapi, methods=["GET"]),
        Route("/docs", _page, methods=["GET"]),
        Route("/docs/{name}", _asset, methods=["GET"]),
        Route("/problems/", _problems, methods=["GET"]),
        Route("/problems/{name}", _problem, methods=["GET"]),
        Route("/", _start, methods=["GET"]),
    ]


async def _start(_: Request) -> Response:
    return RedirectResponse(at(f"{BASE}/docs"))


async def _page(_: Request) -> Response:
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return Response(_PAGE, headers=headers, media_type="text/html")


async def _asset(request: Request) -> Response:
    name = str(request.path_params["name"])
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": _CLOSED}
    if name == "start.js":
        script = resources.files(__package__ or "").joinpath(name).read_bytes()
        return Response(script, headers=headers, media_type="text/javascript")
    if name not in _ASSETS:
        raise Refused(kinds.NOT_FOUND, kinds.NOT_FOUND.explanation)
    folder = resources.files(fastapi_offline).joinpath("static")
    with resources.as_file(folder.joinpath(name)) as path:
        return FileResponse(path, headers=headers, media_type=_ASSETS[name])


async def _problems(_: Request) -> Response:
    return _text("\n".join(f"{kind.type}  {kind.status.value}  {kind.title}" for kind in _sorted()))


async def _problem(request: Request) -> Response:
    kind = kinds.KINDS.get(str(request.path_params["name"]))
    if kind is None:
        missing = kinds.PROBLEM_NOT_FOUND
        return problems.respond(missing, missing.explanation, request.scope)
    return _text(f"{kind.title}\n\n{kind.explanation}\n\nStatus {kind.status.value}, {kind.type}")


def _sorted() -> list[kinds.Kind]:
    return sorted(kinds.KINDS.values(), key=lambda kind: (kind.status, kind.name))


def _text(text: str) -> Response:
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": _CLOSED}
    return PlainTextResponse(f"{text}\n", headers=headers)
