"""Requests of somebody with an access key: signed in, let in, and answered.

A handler takes a ``Reading``, an ``Asking`` or a ``Changing`` call, and gives it the work, which is
run in a thread and returns what is answered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Security
from fastapi.security import HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from sayso.callers import Caller
from sayso.core import Sayso
from sayso.service.rest import conditions, replays
from sayso.service.rest.bodies import Body
from sayso.service.rest.problems import invalid
from sayso.service.rest.replays import Done, Repeatable, Replays
from sayso.service.rest.values import Answer
from sayso.service.sign_in import sign_in
from sayso.service.state import ServiceState

Result = TypeVar("Result")
#: The prefix of every path.
BASE = "/v1"

_scheme = HTTPBearer(
    scheme_name="accessKey",
    bearerFormat="ID.SECRET",
    description="An access key: its id and its secret, with a dot between them.",
    auto_error=False,
)


@dataclass(frozen=True, slots=True)
class Shared:
    """What all requests share: the service, whom to wait for, and the queries of operations."""

    service: ServiceState
    replays: Replays
    #: By operation the names of its query parameters, and whether each may come several times.
    queries: dict[str, dict[str, bool]]


@dataclass(frozen=True, slots=True)
class Call:
    """A request of a caller; ``app`` is the gallery as they may use it."""

    request: Request
    app: Sayso
    shared: Shared

    @property
    def caller(self) -> Caller:
        """Who calls."""
        return self.app.caller

    @property
    def path(self) -> str:
        """The path that was called, with the prefix of all."""
        path = str(self.request.scope["path"])
        return path if self.request.scope.get("root_path") else BASE + path

    @property
    def largest_body(self) -> int:
        """The most bytes that a body with pictures may have."""
        return self.shared.service.settings.max_body_bytes

    async def light(self, work: Callable[[], Result]) -> Result:
        """Run what asks the database."""
        return await self.shared.service.engine.light(work)

    async def heavy(self, work: Callable[[], Result]) -> Result:
        """Run what decodes a picture or searches."""
        return await self.shared.service.engine.run(self.caller.key, work)

    async def tell(self, work: Callable[[], Answer]) -> Response:
        """Run light work, and answer with what no cache may keep."""
        return _plain(await self.light(lambda: conditions.rendered(work())))

    async def find(self, work: Callable[[], tuple[Answer, int]]) -> Response:
        """Run heavy work, which also says how many faces it found, and answer."""

        def done() -> tuple[bytes, int]:
            answer, faces = work()
            return conditions.rendered(answer), faces

        body, faces = await self.heavy(done)
        self.request.scope["sayso.faces"] = faces
        return _plain(body)

    async def show(self, work: Callable[[], tuple[bytes, str, int]]) -> Response:
        """Run heavy work, and answer with the file that it returns, of such a media type.

        It also says how many faces it found.
        """
        data, media_type, faces = await self.heavy(work)
        self.request.scope["sayso.faces"] = faces
        return Response(data, headers={"Cache-Control": "no-store"}, media_type=media_type)


@dataclass(frozen=True, slots=True)
class Read(Call):
    """A request for something that has an ETag."""

    if_none_match: str | None

    async def read(self, work: Callable[[], Answer]) -> Response:
        """Run light work, and answer with it, or that it has not changed."""

        def done() -> tuple[bytes, str | None]:
            answer = work()
            return conditions.rendered(answer), getattr(answer, "next_cursor", None)

        body, cursor = await self.light(done)
        etag = conditions.etag(body)
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if cursor is not None:
            following = self.request.url.include_query_params(cursor=cursor)
            headers["Link"] = f'<{self.path}?{following.query}>; rel="next"'
        if conditions.unchanged(self.if_none_match, etag):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Change(Call):
    """A request that changes something, and may come again."""

    token: str | None

    async def change(
        self,
        work: Callable[[], Done],
        *,
        body: Body[Any] | None = None,
        collection: str | None = None,
        heavy: bool = False,
    ) -> Response:
        """Run the work, unless it was done before under the same key, and answer.

        ``body`` is what it asks beside the query; ``collection`` is the one that it is about.
        """
        run = self.heavy if heavy else self.light
        if self.token is None:
            return await run(lambda: replays.respond(work()))
        repeatable = Repeatable(
            scope=f"{self.request.method} {self.path}",
            token=self.token,
            asked=_digest(self.request, body),
            collection=collection,
        )
        return await self.shared.replays.once(self.app, repeatable, self.light, run, work)


def _plain(body: bytes) -> Response:
    return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")


def _digest(request: Request, body: Body[Any] | None) -> bytes:
    told = [sorted(request.query_params.multi_items()), request.headers.get("if-match")]
    digest = hashlib.sha256(json.dumps(told, ensure_ascii=True).encode())
    digest.update(b"" if body is None else body.digest)
    return digest.digest()


# --- what handlers depend on ----------------------------------------------------------------------


async def _signed_in(request: Request, _: Annotated[Any, Security(_scheme)]) -> AsyncIterator[Call]:
    operation = str(request.scope["route"].operation_id)
    request.scope["sayso.route"] = f"rest:{operation}"
    shared: Shared = request.app.state.shared
    state = shared.service
    theirs = await sign_in(state, request)
    async with state.limits.admit(theirs.caller.key):
        _check_query(request, shared.queries[operation])
        yield Call(request, theirs, shared)


def _check_query(request: Request, known: dict[str, bool]) -> None:
    """Refuse what the operation does not know: a slip of the pen must not lower a threshold."""
    for name in request.query_params:
        if name not in known:
            listed = f"; there are: {', '.join(sorted(known))}" if known else ""
            raise invalid("query", f"/{name[:60]}", f"there is no such parameter{listed}")
        if not known[name] and len(request.query_params.getlist(name)) > 1:
            raise invalid("query", f"/{name}", "it may be there once")


Asking = Annotated[Call, Depends(_signed_in)]
_IF_NONE_MATCH = Header(
    alias="If-None-Match",
    max_length=1024,
    description="ETags of what the client has; it is not sent again if it has one of them.",
)


async def _reading(
    call: Asking, if_none_match: Annotated[str | None, _IF_NONE_MATCH] = None
) -> Read:
    return Read(call.request, call.app, call.shared, if_none_match)


async def _changing(
    call: Asking,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern=r"^[\x20-\x7e]+$",
            min_length=1,
            max_length=255,
            description="With it, the same request may be sent again for a day, and is done once.",
        ),
    ] = None,
) -> Change:
    return Change(call.request, call.app, call.shared, idempotency_key)


Reading = Annotated[Read, Depends(_reading)]
Changing = Annotated[Change, Depends(_changing)]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        pattern=conditions.PATTERN,
        max_length=1024,
        description="Change it only if it still has one of these ETags.",
    ),
]
