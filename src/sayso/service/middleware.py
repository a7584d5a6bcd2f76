"""What every request passes: an id, limits on its body, headers for safety, a line in the log.

In plain ASGI: nothing here reads a body ahead of the handler that wants it, or holds an answer
back. Handlers tell through the scope:

``sayso.request_id``  given: the id of the request, for the headers of the answer.
``sayso.route``       set by the handler: which route or operation it was, with no name in it.
``sayso.key``         set by the handler once it knows: the id of the access key.
``sayso.faces``       set by the handler: how many faces were found.
``sayso.headers``     set on the way in: headers that the answer has, whoever gives it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sayso.service import refusals
from sayso.service.addresses import network_of
from sayso.service.engine import CLIENT_GONE
from sayso.service.logs import RequestLine
from sayso.service.metrics import OTHER, Metrics
from sayso.service.refusals import Refusal

_log = logging.getLogger(__name__)
_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    # Answers are about people: no cache between us and the client is to keep them.
    (b"cache-control", b"no-store"),
)
_HSTS = (b"strict-transport-security", b"max-age=31536000")
#: What a request that was broken off counts as: nginx's number for it.
_CLIENT_LEFT = 499
#: The server has refused by now what is no number, or none that fits into 64 bits.
_MOST_DIGITS = 20
#: The most that one caller's bodies may hold, as a multiple of what is left for others.
_SHARE = 3
#: How slowly a body may come, in bytes a second, once the first seconds are over.
SLOWEST = 1024
_GRACE = 10.0
_KEY = re.compile(rb"(?:Bearer +|Credential=)([A-Za-z0-9]{1,128})")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(slots=True)
class _Answer:
    """What was answered so far."""

    status: int = 0
    sent: int = 0
    ended: bool = False


class Requests:
    """Gives each request an id, headers for safety, and a line in the log; catches every error."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        scope["sayso.request_id"] = request_id = str(uuid.uuid4())
        answer = _Answer()
        heard = _Counted(receive)

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                secure = scope.get("scheme") == "https"
                _add_headers(message, scope.get("sayso.headers", ()), request_id, secure=secure)
            elif message["type"] == "http.response.body":
                answer.sent += len(message.get("body", b""))
                answer.ended = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, heard, reply)
        except asyncio.CancelledError:
            # Of a client that left, or at the end of the service, which waits for this no longer.
            if not _client_is_gone() and not answer.status:
                await refusals.stopping().response(scope)(scope, receive, reply)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends here
            _told(error, scope)
            if not answer.status:  # else it is too late: the server breaks the answer off
                await refusals.internal().response(scope)(scope, receive, reply)
        finally:
            self._record(scope, answer, heard.bytes, time.monotonic() - began)

    def _record(self, scope: Scope, answer: _Answer, received: int, seconds: float) -> None:
        route = _route(scope)
        status = answer.status if answer.ended else _CLIENT_LEFT
        self._metrics.answered(route, status, seconds, scope.get("sayso.faces", 0))
        RequestLine(
            request=scope["sayso.request_id"],
            method=scope["method"] if scope["method"] in _METHODS else OTHER,
            route=route or OTHER,
            status=status,
            ms=round(1000 * seconds, 1),
            bytes_in=received,
            bytes_out=answer.sent,
            key=scope.get("sayso.key"),
        ).log()


class _Counted:
    """Receives, and counts the bytes of the body."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.bytes = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self.bytes += len(message.get("body", b""))
        return message


class Memory:
    """How many bytes of bodies may be held at once, in all requests together.

    Whoever asks holds at most three times what is left: so one alone gets three quarters, and
    there is something left for the next (A. K. Choudhury, E. L. Hahne, "Dynamic queue length
    thresholds for shared-memory packet switches", IEEE/ACM Transactions on Networking 6(2), 1998).
    ``most`` is what one body may have, which anybody may hold while there is room.
    """

    def __init__(self, limit: int, most: int = 0) -> None:
        self.left, self._most = limit, most
        self._held: Counter[str] = Counter()

    def take(self, size: int, owner: str = "") -> bool:
        """Take that many bytes; False where there are not as many left, or not for this owner."""
        if not size:  # nothing is to be remembered of who holds nothing
            return True
        held, left = self._held[owner] + size, self.left - size
        if left < 0 or held > max(_SHARE * left, self._most):
            return False
        self.left, self._held[owner] = left, held
        return True

    def give_back(self, size: int, owner: str = "") -> None:
        """Give back what was taken."""
        self.left += size
        self._held[owner] -= size
        if not self._held[owner]:
            del self._held[owner]


class Bodies:
    """Holds bodies to their limits: in bytes, in time, and in memory of all together.

    Whatever a handler makes of a body that is cut off here, the answer says what was wrong.
    """

    def __init__(self, app: ASGIApp, *, most: int, memory: Memory, timeout: float) -> None:
        self._app, self._most, self._memory, self._timeout = app, most, memory, timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(
            receive,
            most=self._most,
            memory=self._memory,
            timeout=self._timeout,
            owner=_owner(scope),
        )
        CLIENT_GONE.set(body.gone)
        try:
            refusal = await self._refused_by_length(scope, body)
            if refusal is not None:
                await refusal.response(scope)(scope, receive, send)
                return
            await self._answer(scope, body, send)
        finally:
            body.release()

    async def _refused_by_length(self, scope: Scope, body: _Body) -> Refusal | None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if len(length) <= _MOST_DIGITS and int(length) <= self._most:
            return None
        # Who waits to be told to go on has sent nothing yet. Others only read an answer when they
        # have sent everything, so as much as is bearable is read and dropped.
        if headers.get(b"expect", b"").lower() != b"100-continue":
            await body.drain()
        return refusals.too_large(self._most)

    async def _answer(self, scope: Scope, body: _Body, send: Send) -> None:
        replaced = False

        async def reply(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and body.refusal is not None:
                replaced = True
            if not replaced:
                await send(message)

        try:
            await self._app(scope, body, reply)
        except BodyCutOff:
            replaced = True
        if replaced and body.refusal is not None:
            await body.drain()
            await body.refusal.response(scope)(scope, body, send)


class BodyCutOff(Exception):
    """The body is over a limit, and is not read any further."""


class _Body:
    """Receives a body as far as its limits go; after its end, watches whether the client leaves."""

    def __init__(
        self, receive: Receive, *, most: int, memory: Memory, timeout: float, owner: str
    ) -> None:
        self._receive, self._most, self._memory = receive, most, memory
        self._loop = asyncio.get_running_loop()
        self._began, self._timeout = self._loop.time(), timeout
        self._owner = owner
        self._taken = self._came = 0
        self._watch: asyncio.Task[None] | None = None
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self.refusal: Refusal | None = None

    async def __call__(self) -> Message:
        if self._watch is not None:  # all has come: what is left is that the client leaves
            await asyncio.shield(self.gone)
            return {"type": "http.disconnect"}
        if self.refusal is not None:
            raise BodyCutOff
        message = await self._next()
        size = len(message.get("body", b""))
        if self._taken + size > self._most:
            self.refusal = refusals.too_large(self._most)
        elif not self._memory.take(size, self._owner):
            self.refusal = refusals.too_much()
        if self.refusal is not None:
            raise BodyCutOff
        self._taken += size
        return message

    async def drain(self) -> None:
        """Read and drop what still comes, within bounds: then a client reads the answer."""
        dropped = 0
        try:
            while self._watch is None and dropped <= self._most:
                message = await self._next()
                dropped += len(message.get("body", b""))
        except BodyCutOff:
            pass

    def release(self) -> None:
        """Give back the memory of the body, and stop watching."""
        if self._taken:
            self._memory.give_back(self._taken, self._owner)
        self._taken = 0
        if self._watch is not None:
            self._watch.cancel()

    async def _next(self) -> Message:
        # A body that trickles ends before one that is merely long.
        patience = min(self._timeout, _GRACE + self._came / SLOWEST)
        try:
            async with asyncio.timeout_at(self._began + patience):
                message = await self._receive()
        except TimeoutError:
            self.refusal = self.refusal or refusals.too_slow(self._timeout, SLOWEST)
            raise BodyCutOff from None
        self._came += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            self._watch = self._loop.create_task(self._watching(message))
        return message

    async def _watching(self, message: Message) -> None:
        while message["type"] != "http.disconnect":
            message = await self._receive()
        if not self.gone.done():
            self.gone.set_result(None)


def _add_headers(
    message: Message, more: Iterable[tuple[bytes, bytes]], request_id: str, *, secure: bool
) -> None:
    headers = list(message.get("headers", []))
    there = {name.lower() for name, _ in headers}
    added = (*_SAFE, _HSTS) if secure else _SAFE
    headers += [pair for pair in added if pair[0] not in there]
    headers += [*more, (b"x-request-id", request_id.encode())]
    message["headers"] = headers


def _owner(scope: Scope) -> str:
    """Return whose memory a body takes: an address, and the key that the request claims."""
    client = scope.get("client")
    claimed = _KEY.search(dict(scope["headers"]).get(b"authorization", b""))
    key = "" if claimed is None else claimed[1].decode("ascii")
    return f"{network_of(client[0] if client else None)} {key}"


def _client_is_gone() -> bool:
    gone = CLIENT_GONE.get()
    return gone is not None and gone.done()


def _route(scope: MutableMapping[str, Any]) -> str | None:
    """Return the name of the route; a handler's own, or the pattern that its path matched."""
    told = scope.get("sayso.route")
    if told is None:
        path = getattr(scope.get("route"), "path", None)
        told = None if path is None else f"{scope['method']} {path}"
    return None if told is None else str(told)


def _told(error: Exception, scope: Scope) -> None:
    fields = {"request": scope["sayso.request_id"], "route": _route(scope)}
    _log.error("unexpected error", exc_info=error, extra={"fields": fields})
