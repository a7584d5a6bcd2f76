"""A connection that does not wait for ever: for headers, for a reader, or for an end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

#: The largest head of a request, in bytes; a signed URL with a session token takes 4 KiB.
MOST_HEAD = 64 * 1024
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"connection: close\r\ncontent-length: 0\r\n\r\n"
)
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"connection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How long a connection may take for what, in seconds, and how many there may be."""

    header_timeout: float
    write_timeout: float
    most: int


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's own protocol, with an end to everything that a client can draw out.

    ``sweep`` is called now and then, and ends what has taken too long:

    - headers that do not come, also on a connection that sends nothing at all;
    - a body that goes on after it was answered;
    - an answer that is not read, also when all of it was written and the connection is to close.

    A body that is slow to come while a handler waits for it is the handler's side to end: it can
    still answer. An unused connection is uvicorn's to close.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        *,
        limits: ConnectionLimits,
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._in_head = False
        self._head_bytes = 0
        #: When the connection ends, unless what is waited for comes.
        self._head_ends: float | None = None
        self._write_ends: float | None = None
        self._close_ends: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection, or turn it away where there are too many."""
        super().connection_made(transport)
        self._head_ends = self.loop.time() + self._limits.header_timeout
        if len(self.connections) > self._limits.most:
            transport.write(_TOO_MANY)
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()
        # uvicorn stops its own clock for whatever comes, also for bytes that begin no request.
        idle = not self._answering and self.timeout_keep_alive_task is None
        if self._head_ends is None and (self._in_head or idle):
            self._head_ends = self.loop.time() + self._limits.header_timeout

    def on_message_begin(self) -> None:
        """Begin to read the head of a request."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """Have the whole head of a request."""
        self._in_head, self._head_ends = False, None
        super().on_headers_complete()

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
