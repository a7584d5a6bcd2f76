"""Requests that clients send again, when they do not know whether the first one came through.

What was done under an ``Idempotency-Key`` is answered again, for a day, and not done again. Kept is
only what was done: a request that was refused changed nothing, and may be tried anew. Two such
requests at the same time wait for each other, as far as they come to the same process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from sayso.core import Sayso
from sayso.errors import SaysoError
from sayso.service.rest import kinds
from sayso.service.rest.conditions import rendered
from sayso.service.rest.problems import Refused
from sayso.service.rest.values import Answer

_log = logging.getLogger(__name__)
#: How long, in seconds, one of two same requests waits for the other.
PATIENCE = 30.0
REPLAYED = "Idempotency-Replayed"


@dataclass(frozen=True, slots=True)
class Done:
    """Something that was done, and how it is answered.

    ``told_once`` is where the thing is that was made, if the answer has a secret: that is not kept.
    """

    answer: Answer
    status: HTTPStatus = HTTPStatus.OK
    location: str | None = None
    told_once: str | None = None


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request under a key: the core's scope for it, the key, and what it asks.

    ``collection`` is the one that the answer is about, if it is.
    """

    scope: str
    token: str
    asked: bytes
    collection: str | None


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Replays:
    """Has each request under a key done once; used on one event loop."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._turns: dict[tuple[str | None, str, str], _Turn] = {}

    async def once(
        self,
        app: Sayso,
        request: Repeatable,
        light: Callable[[Callable[[], bytes | None]], Awaitable[bytes | None]],
        run: Callable[[Callable[[], Response]], Awaitable[Response]],
        work: Callable[[], Done],
    ) -> Response:
        """Do the work, or answer as it was answered before.

        ``light`` and ``run`` run what asks the database, and the work.
        """
        async with self._turn((app.caller.key, request.scope, request.token)):
            kept = await light(lambda: app.recall(request.scope, request.token, request.asked))
            if kept is not None:
                return _again(kept)

            def done() -> Response:
                found = work()
                status, headers, body = _answer(found)
                _keep(app, request, found, status, headers, body)
                return Response(body, status, headers, media_type="application/json")

            return await run(done)

    @contextlib.asynccontextmanager
    async def _turn(self, name: tuple[str | None, str, str]) -> AsyncIterator[None]:
        turn = self._turns.setdefault(name, _Turn())
        turn.waiting += 1
        try:
            try:
                async with asyncio.timeout(self._patience):
                    await turn.lock.acquire()
            except TimeoutError:
                raise Refused(
                    kinds.IN_PROGRESS,
                    "a request with this Idempotency-Key is still being answered",
                    headers={"Retry-After": "1"},
                ) from None
            try:
                yield
            finally:
                turn.lock.release()
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[name]


def respond(done: Done) -> Response:
    """Return the answer to something that was done."""
    status, headers, body = _answer(done)
    return Response(body, status, headers, media_type="application/json")


def _answer(done: Done) -> tuple[int, dict[str, str], bytes]:
    headers = {"Cache-Control": "no-store"}
    if done.location is not None:
        headers["Location"] = done.location
    return int(done.status), headers, rendered(done.answer)


def _keep(
    app: Sayso,
    request: Repeatable,
    done: Done,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
) -> None:
    kept: dict[str, Any] = {"status": status, "headers": dict(headers), "body": body.decode()}
    if done.told_once is not None:
        kept = {"told_once": done.told_once}
    try:
        app.remember(
            request.scope,
            request.token,
            request.asked,
            json.dumps(kept).encode(),
            collection=request.collection,
        )
    except SaysoError as error:
        # It is done. That it could not be kept must not make it look as if it were not.
        _log.error("an answer could not be kept: %s", type(error).__name__)


def _again(kept: bytes) -> Response:
    document = json.loads(kept)
    if "told_once" in document:
        made = document["told_once"]
        raise Refused(
            kinds.SECRET_TOLD, f"{made} was made by that request, and told its secret", made=made
        )
    headers = {**document["headers"], REPLAYED: "true"}
    return Response(
        document["body"].encode(), document["status"], headers, media_type="application/json"
    )
