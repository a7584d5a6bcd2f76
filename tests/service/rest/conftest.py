from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from sayso.analyzer import Analyzer
from sayso.callers import ACTIONS, Action
from sayso.core import Sayso
from sayso.results import NewAccessKey
from sayso.service import rest
from sayso.service.engine import Engine
from sayso.service.limits import KeyLimits
from sayso.service.metrics import Metrics
from sayso.service.middleware import Bodies, Memory, Requests
from sayso.service.state import ServiceState
from sayso.settings import ServiceSettings
from tests.gallery.clock import Clock
from tests.service.loop import Loop
from tests.service.rest.checking import check
from tests.service.rest.people import Reader

PURPOSE = "photos"


@dataclass
class Api:
    """A client of the API, with a key that may do everything, and the gallery behind it."""

    client: httpx.AsyncClient
    loop: Loop
    app: Sayso
    state: ServiceState
    clock: Clock

    def key(self, *actions: Action, purpose: str = PURPOSE, **more: Any) -> dict[str, str]:
        """Return the headers of a new key with these rights."""
        return bearer(make_key(self.app, *actions, purpose=purpose, **more))

    def __call__(
        self, method: str, path: str, expect: int | None = None, **options: Any
    ) -> httpx.Response:
        """Send a request below ``/v1``; every answer is held against the description."""
        response = self.loop.run(self.client.request(method, f"/v1{path}", **options))
        if expect is not None:
            assert response.status_code == expect, response.text
        return response

    def together(self, *requests: tuple[str, str, dict[str, Any]]) -> list[httpx.Response]:
        """Send requests at the same time."""

        async def send() -> list[httpx.Response]:
            sent = (
                self.client.request(method, f"/v1{path}", **options)
                for method, path, options in requests
            )
            return list(await asyncio.gather(*sent))

        return self.loop.run(send())

    def get(self, path: str, expect: int = 200, **options: Any) -> Any:
        """Return the document at a path."""
        return self("GET", path, expect, **options).json()

    def post(self, path: str, json: Any = None, expect: int = 200, **options: Any) -> Any:
        """Post a document, and return the answer."""
        return self("POST", path, expect, json=json, **options).json()

    def problem(self, name: str, method: str, path: str, **options: Any) -> Any:
        """Return the problem that a request is answered with, which must be of that kind."""
        found = self(method, path, **options).json()
        assert found["type"] == f"/v1/problems/{name}", found
        return found


def make_key(app: Sayso, *actions: Action, purpose: str = PURPOSE, **more: Any) -> NewAccessKey:
    """Make a key with these rights, or with all."""
    return app.create_key("tester", purpose=purpose, actions=actions or ACTIONS, **more)


def bearer(made: NewAccessKey) -> dict[str, str]:
    """Return the header that bears a key."""
    return {"Authorization": f"Bearer {made.key.id}.{made.secret}"}


def serve(app: Sayso, **settings: Any) -> tuple[Starlette, ServiceState]:
    """Return the API as it is served, with its state; called on the event loop that it runs on."""
    chosen = ServiceSettings(**{"key_rate": 10_000.0, **settings})
    limits = KeyLimits.of(chosen)
    state = ServiceState(app, chosen, Engine(chosen.workers, chosen.patience), limits)
    middleware = [
        Middleware(Requests, metrics=Metrics(state.engine, limits, app.index_size)),
        Middleware(
            Bodies,
            most=chosen.max_body_bytes,
            memory=Memory(chosen.body_memory),
            timeout=chosen.body_timeout,
        ),
    ]
    return Starlette(routes=[Mount("/v1", rest.build(state))], middleware=middleware), state


@contextlib.contextmanager
def serving(app: Sayso, clock: Clock, **settings: Any) -> Iterator[Api]:
    """Serve a gallery to a client that checks every answer."""
    loop = Loop()

    async def start() -> tuple[httpx.AsyncClient, ServiceState]:
        asgi, state = serve(app, **settings)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(asgi, raise_app_exceptions=False),
            base_url="http://sayso.test",
            headers=bearer(make_key(app)),
            event_hooks={"response": [_check]},
        )
        return client, state

    client, state = loop.run(start())
    try:
        yield Api(client, loop, app, state, clock)
    finally:
        loop.run(client.aclose())
        loop.run(state.engine.close())
        loop.close()


async def _check(response: httpx.Response) -> None:
    body = await response.aread()
    request = response.request
    check(request.method, request.url.path, response.status_code, response.headers, body)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(tmp_path: Path, clock: Clock) -> Iterator[Sayso]:
    folder = tmp_path / "data"
    reader = cast("Analyzer", Reader())
    with Sayso(folder, actor="user:test", analyzer=reader, clock=clock) as opened:
        yield opened


@pytest.fixture
def api(app: Sayso, clock: Clock) -> Iterator[Api]:
    with serving(app, clock) as found:
        yield found


@pytest.fixture
def club(api: Api) -> Api:
    """The API, with a collection that nobody is in yet."""
    api.post("/collections", {"collection": "club"}, 201)
    return api
