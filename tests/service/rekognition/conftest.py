from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from sayso.analyzer import Analyzer
from sayso.callers import ACTIONS, Action, Caller
from sayso.core import Sayso
from sayso.results import Consent
from sayso.service.engine import Engine
from sayso.service.limits import KeyLimits
from sayso.service.rekognition.context import Context
from sayso.service.rekognition.operations import (
    collections,
    comparing,
    faces,
    searching,
    tags,
    users,
)
from sayso.service.state import ServiceState
from sayso.settings import Bucket, ServiceSettings
from tests.gallery.clock import Clock
from tests.service.rekognition.drawn import Studio
from tests.service.rekognition.shapes import check_answer

PURPOSE = "photos"
REGION, ACCOUNT = "eu-central-1", "123456789012"
ATTESTATION = "visitors sign form 17 at the door"
_MODULES = (collections, comparing, faces, searching, tags, users)
HANDLERS = {name: handler for module in _MODULES for name, handler in module.OPERATIONS.items()}


@dataclass
class Wire:
    """Calls handlers as the protocol's layer does, as somebody with a key; checks the answers."""

    app: Sayso
    caller: Caller
    clock: Clock
    buckets: dict[str, Bucket]

    def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        """Return the answer to one request."""
        return self.together((operation, request))[0]

    def together(self, *requests: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the answers to requests that come at the same time."""

        async def run() -> list[dict[str, Any]]:
            async with self.serving() as context:
                calls = (HANDLERS[name](context, request) for name, request in requests)
                return list(await asyncio.gather(*calls))

        answers = asyncio.run(run())
        for (operation, _), answer in zip(requests, answers, strict=True):
            check_answer(operation, answer)
        return answers

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Context]:
        """Give what handlers are called with."""
        settings = ServiceSettings(buckets=self.buckets, account=ACCOUNT)
        state = ServiceState(self.app, settings, Engine(2, 60), KeyLimits.of(settings))
        acting = self.app.acting_as(self.caller)
        try:
            yield Context(state, acting, self.caller, REGION, ACCOUNT, "a-request")
        finally:
            await state.engine.close()

    def with_key(self, *actions: Action, purpose: str = PURPOSE, **more: Any) -> Wire:
        """Return the same for somebody with another key, that has these rights or all."""
        return Wire(self.app, _caller(self.app, *actions, purpose=purpose, **more), self.clock, {})

    def index(self, name: str, picture: bytes, collection: str = "club") -> str:
        """Enrol the face of a picture as somebody's and return its id."""
        done = self(
            "IndexFaces",
            CollectionId=collection,
            ExternalImageId=name,
            Image={"Bytes": picture},
        )
        face_id: str = done["FaceRecords"][0]["Face"]["FaceId"]
        return face_id


def _caller(app: Sayso, *actions: Action, purpose: str = PURPOSE, **more: Any) -> Caller:
    key = app.create_key("tester", purpose=purpose, actions=actions or ACTIONS, **more)
    return Caller.of(key.key)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def studio() -> Studio:
    return Studio()


@pytest.fixture
def app(tmp_path: Path, clock: Clock, studio: Studio) -> Iterator[Sayso]:
    analyzer = cast("Analyzer", studio)
    with Sayso(tmp_path / "data", actor="user:test", analyzer=analyzer, clock=clock) as opened:
        yield opened


@pytest.fixture
def wire(app: Sayso, clock: Clock) -> Wire:
    """Somebody who may everything, whose key attests that consent is collected."""
    return Wire(app, _caller(app, attestation=ATTESTATION), clock, {})


@pytest.fixture
def club(wire: Wire) -> Wire:
    """The same, with a collection that nobody is in yet."""
    wire("CreateCollection", CollectionId="club")
    return wire


@pytest.fixture
def agreed(app: Sayso) -> Callable[..., None]:
    """Record that somebody agreed."""

    def agree(name: str, *purposes: str, collection: str = "club") -> None:
        app.add_consent(collection, name, Consent(list(purposes or [PURPOSE]), "form 17"))

    return agree
