"""A connection that does not wait for ever, and takes heads and trailers only within limits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, NoReturn

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from sayso.service.door import TOO_MANY, Guest, Room

#: The largest head of a request, in bytes; a signed URL with a session token takes 4 KiB.
MOST_HEAD: Final = 64 * 1024
#: What may come beside each byte of a body: chunks of one byte take five more to say so.
_FRAMING: Final = 8
#: Requests that may wait on a connection for the answers to those before them.
_MOST_WAITING: Final = 16
#: What a connection beyond the limits may ask for, and how long it may take to ask, in seconds.
HEALTH: Final = frozenset({b"/healthz", b"/readyz", b"/metrics"})
SPARE_PATIENCE: Final = 2.0
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"connection: close\r\ncontent-length: 0\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How long a connection may take for what, in seconds."""

    header_timeout: float
    write_timeout: float


class _Refused(Exception):
    """What comes is not taken any further."""


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's own protocol, with an end to everything that a client can draw out.

    ``sweep`` is called now and then, and ends what has taken too long:

    - headers that do not come, also on a connection that sends nothing at all;
    - a body that goes on after it was answered;
    - an answer that is not read, also when all of it was written and the connection is to close.

    A body that is slow to come while a handler waits for it is the handler's side to end: it can
    still answer. An unused connection is uvicorn's to close.

    A head is limited in bytes, and so is everything else beside the body: chunks' sizes and
    extensions, and trailers. Trailers are dropped (RFC 9110, section 6.5.1 allows that): as
    headers they would be read by whoever looks after the body came, though nothing checked them.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        *,
        limits: ConnectionLimits,
        room: Room,
        guest: Guest,
        prefix: bytes = b"",
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits, self._room, self._guest = limits, room, guest
        self._prefix = prefix
        self._in_head = self._in_message = False
        #: Bytes of the request line and headers that are whole, in this message.
        self._head_bytes = 0
        #: Bytes of this message beside its body, as far as they did not come with its beginning.
        self._beside, self._body_bytes = 0, 0
        self._begun = False
        self._refusal: bytes | None = None
        #: When the connection ends, unless what is waited for comes.
        self._head_ends: float | None = None
        self._write_ends: float | None = None
        self._close_ends: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection."""
        super().connection_made(transport)
        self._guest.end = transport.abort
        patience = self._limits.header_timeout
        if self._guest.spare:
            patience = min(patience, SPARE_PATIENCE)
        self._head_ends = self.loop.time() + patience

    def connection_lost(self, exc: Exception | None) -> None:
        """Have lost the connection."""
        self._room.leave(self._guest)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self.transport.is_closing():
            return
        self._begun = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        # Of what came with a message's beginning, only whole headers are counted, which is exact;
        # the rest is at most one read.
        self._beside = 0 if self._begun else self._beside + len(data)
        if self._in_message and self._beside > MOST_HEAD + _FRAMING * self._body_bytes:
            self._refusal = _TOO_LARGE
            self.send_400_response("")
            return
        # uvicorn stops its own clock for whatever comes, also for bytes that begin no request.
        idle = not self._answering and self.timeout_keep_alive_task is None
        if self._head_ends is None and (self._in_head or idle):
            self._head_ends = self.loop.time() + self._limits.header_timeout

    def on_message_begin(self) -> None:
        """Begin to read the head of a request."""
        super().on_message_begin()
        self._in_head = self._in_message = self._begun = True
        self._head_bytes = self._beside = self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Have a part of what is asked for."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Have a header, or a trailer, which is dropped."""
        self._count(len(name) + len(value) + 4)  # with a colon, a blank and the end of the line
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Have the whole head of a request."""
        self._in_head, self._head_ends = False, None
        self._head_bytes = 0  # from here on of trailers
        if len(self.pipeline) >= _MOST_WAITING:
            self._refuse(TOO_MANY)
        if self._guest.spare:
            self._guest.heard = True
            path = self.url.partition(b"?")[0].removeprefix(self._prefix)
            if path not in HEALTH or self.parser.get_method() not in (b"GET", b"HEAD"):
                self._refuse(TOO_MANY)
        super().on_headers_complete()
        if self._guest.spare:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Have a part of the body."""
        self._body_bytes += len(body)
        self._beside -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Have all of a request."""
        self._in_message, self._head_ends = False, None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read, and close; in the middle of an answer only close."""
        if self.cycle is not None and self.cycle.response_started and self._answering:
            self.transport.abort()
        elif self._refusal is not None:
            self.transport.write(self._refusal)
            self.transport.close()
        else:
            super().send_400_response(msg)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MOST_HEAD:
            self._refuse(_TOO_LARGE)

    def _refuse(self, answer: bytes) -> NoReturn:
        """Answer with this, and have the parser stop: uvicorn takes it for a bad request."""
        self._refusal = answer
        raise _Refused

    def pause_writing(self) -> None:
        """Stop writing, as the client does not read."""
        super().pause_writing()
        self._write_ends = self.loop.time() + self._limits.write_timeout

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        self._write_ends = None

    def sweep(self, now: float) -> None:
        """End the connection if it takes too long."""
        answered = self._in_message and not self._in_head and not self._answering
        if answered and self._head_ends is None:  # the rest of its body is still to come
            self._head_ends = now + self._limits.header_timeout
        if self.transport.is_closing():  # until everything is written, which may be never
            if self._close_ends is None:
                self._close_ends = now + self._limits.write_timeout
            if now >= self._close_ends:
                self.transport.abort()
        elif self._write_ends is not None and now >= self._write_ends:
            self.transport.abort()
        elif self._head_ends is not None and now >= self._head_ends and not self._answering:
            self.transport.close()

    @property
    def _answering(self) -> bool:
        """Whether a request is being answered; the head of the next one may wait meanwhile."""
        return self.cycle is not None and not self.cycle.response_complete
