"""The service put together: both sides of it, health and metrics, and what every request passes."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sayso.core import Sayso
from sayso.errors import AccessDenied, SaysoError
from sayso.service.addresses import Forwarded
from sayso.service.engine import Engine
from sayso.service.health import Health
from sayso.service.limits import KeyLimits
from sayso.service.metrics import CONTENT_TYPE, Metrics
from sayso.service.middleware import Bodies, Memory, Requests
from sayso.service.origins import CrossOrigin
from sayso.service.place import Place, at
from sayso.service.sessions import Sessions
from sayso.service.sign_in import sign_in
from sayso.service.state import ServiceState
from sayso.settings import ServiceSettings

_log = logging.getLogger(__name__)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_HINT = """\
Sayso recognises faces on people's say-so. This is its service.

  POST /       what AWS clients of Rekognition speak: give boto3 this address as endpoint_url
  /console     pages for people: see, enrol, publish, audit
  /v1/docs     the native REST API, to read and to try
  /healthz     whether it is up
  /readyz      whether it is ready
  /metrics     numbers for Prometheus

Both APIs take access keys: sayso keys create --help
"""


@dataclass(frozen=True, slots=True)
class Service:
    """The ASGI application, and what whoever runs it has to know."""

    asgi: ASGIApp
    state: ServiceState
    health: Health

    @property
    def idle(self) -> bool:
        """Whether all that was accepted is done."""
        return self.state.engine.idle and self.state.fetches.idle


def build(app: Sayso, settings: ServiceSettings) -> ASGIApp:
    """Return the ASGI application of an open gallery; see ``assemble``."""
    return assemble(app, settings).asgi


def assemble(app: Sayso, settings: ServiceSettings, sessions: Sessions | None = None) -> Service:
    """Put the service of an open gallery together. The gallery stays the caller's to close.

    ``sessions`` are those of the console, where somebody has made links to it already.
    """
    app.decode_apart()
    engine = Engine(
        settings.workers,
        settings.patience,
        seconds=settings.picture_seconds,
        interactive=settings.interactive_keys,
    )
    limits = KeyLimits.of(settings)
    state = ServiceState(app, settings, engine, limits, sessions or Sessions())
    health = Health(app, engine)
    metrics = Metrics(engine, limits, app.index_size)
    # Its libraries are large: whoever only wants to know what an address is need not wait for them.
    from sayso.service.rest import problems

    asgi = Starlette(
        routes=_routes(state, health, metrics),
        middleware=[
            Middleware(Place, prefix=settings.prefix),
            Middleware(Forwarded, proxies=settings.trusted_proxies),
            Middleware(Requests, metrics=metrics),
            Middleware(CrossOrigin, origins=settings.cors_origins),
            Middleware(
                Bodies,
                most=settings.max_body_bytes,
                memory=Memory(settings.body_memory, settings.max_body_bytes),
                timeout=settings.body_timeout,
            ),
        ],
        exception_handlers={
            HTTPException: problems.on_http_error,
            SaysoError: problems.on_error_of_core,
        },
        lifespan=partial(_lifespan, state=state, health=health, patience=settings.shutdown_timeout),
    )
    return Service(asgi, state, health)


def _routes(state: ServiceState, health: Health, metrics: Metrics) -> list[Route | Mount]:
    from sayso import console
    from sayso.service import rest
    from sayso.service.rekognition.wire import RekognitionEndpoint

    root = _Root(RekognitionEndpoint(state))
    return [
        Route("/", root, methods=["GET", "HEAD", "POST"]),
        Route("/healthz", _alive, methods=["GET"]),
        Route("/readyz", partial(_ready, health, state), methods=["GET"]),
        Route("/metrics", partial(_metrics, state, metrics), methods=["GET"]),
        Mount("/v1", app=rest.build(state)),
        Route("/console", _to_console, methods=["GET"]),
        Mount("/console", app=console.build(state)),
    ]


class _Root:
    """At ``/``, AWS clients post; whoever else comes by is told what this is."""

    def __init__(self, rekognition: ASGIApp) -> None:
        self._rekognition = rekognition

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            await self._rekognition(scope, receive, send)
        elif b"text/html" in dict(scope["headers"]).get(b"accept", b""):  # a browser
            await RedirectResponse(at("/console/"))(scope, receive, send)
        else:
            await PlainTextResponse(_HINT)(scope, receive, send)


async def _to_console(_: Request) -> Response:
    return RedirectResponse(at("/console/"))


async def _alive(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _ready(health: Health, state: ServiceState, request: Request) -> Response:
    problem = await health.problem()
    proof = _proof(state, request)
    if problem is None:
        return JSONResponse({"status": "ready", **proof})
    return JSONResponse(
        {"status": "not ready", "reason": problem, **proof},
        status_code=HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"Retry-After": "1"},
    )


def _proof(state: ServiceState, request: Request) -> dict[str, str]:
    """Return what only a process with the keys of the gallery can answer (``sayso ready``)."""
    challenge = request.query_params.get("challenge", "")
    if not _CHALLENGE.fullmatch(challenge):
        return {}
    return {"proof": state.app.page_token(f"ready {challenge}", b"")}


async def _metrics(state: ServiceState, metrics: Metrics, request: Request) -> Response:
    await _require_metrics(state, request)
    return Response(await state.engine.health(metrics.text), media_type=CONTENT_TYPE)


async def _require_metrics(state: ServiceState, request: Request) -> None:
    """Raise AccessDenied unless whoever asks may see the numbers.

    They say nothing about anybody, but how much is done and how many are enrolled is not for
    every passer-by. Where only this machine can ask, everybody may.
    """
    if state.settings.metrics_public or is_loopback(state.settings.host):
        return
    theirs = await sign_in(state, request, state.engine.health)
    if not theirs.caller.actions & {"audit", "admin"}:
        raise AccessDenied("/metrics takes a key that may audit or admin")


@contextlib.asynccontextmanager
async def _lifespan(
    _: Starlette, *, state: ServiceState, health: Health, patience: float
) -> AsyncIterator[None]:
    health.start()
    try:
        yield
    finally:
        health.stop()
        try:
            async with asyncio.timeout(patience):
                await state.fetches.close()
                await state.engine.close()
        except TimeoutError:
            _log.error("work was broken off: it was not done within %g seconds", patience)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
