"""Where connections come in: as many as there may be, and as many of each address.

Connections are taken one by one here, rather than by the event loop's own server, so that each is
counted from the moment it is accepted, a TLS handshake included.

A few more are let in when there is no room: they may ask how the service is (``/healthz`` and the
like) and nothing else, have little time to say so, and make room for the next when they do not.
Who watches over the service is answered while everything else is taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from sayso.service.addresses import Network, is_in, network_of

_log = logging.getLogger(__name__)
#: Connections beyond the limits that may ask how the service is.
SPARE: Final = 32
#: How many are accepted before the event loop does something else.
_AT_ONCE: Final = 64
#: How long nothing is accepted when the system has no descriptor left, in seconds.
_PAUSE: Final = 1.0
_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
TOO_MANY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"connection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
)


class Guest:
    """A connection that was let in; a ``spare`` one may only ask how the service is.

    ``heard`` is whether it has said what it wants, and ``end`` breaks it off.
    """

    def __init__(self, network: str, *, spare: bool) -> None:
        self.network, self.spare = network, spare
        self.heard = False
        self.gone = False
        self.end: Callable[[], object] = lambda: None


class Room:
    """How many connections there are and may be; used on one event loop.

    ``most`` is the limit for all together, and ``of_address`` for each address that is not one of
    the ``proxies``, behind which there are many clients.
    """

    def __init__(
        self, most: int, of_address: int, *, proxies: Sequence[Network] = (), spare: int = SPARE
    ) -> None:
        self._most, self._of_address, self._proxies = most, of_address, proxies
        self._most_spare = spare
        self._total = 0
        self._held: Counter[str] = Counter()
        #: In the order that they came in.
        self._spare: dict[Guest, None] = {}

    def enter(self, address: str | None) -> Guest | None:
        """Let a connection of an address in; None where even the spare places are taken."""
        network = network_of(address)
        proxied = is_in(address, self._proxies)
        if self._total < self._most and (proxied or self._held[network] < self._of_address):
            self._total += 1
            self._held[network] += 1
            return Guest(network, spare=False)
        if len(self._spare) >= self._most_spare and not self._made_room():
            return None
        guest = Guest(network, spare=True)
        self._spare[guest] = None
        return guest

    def leave(self, guest: Guest) -> None:
        """Have a connection be gone; once more is no harm."""
        if guest.gone:
            return
        guest.gone = True
        if guest.spare:
            del self._spare[guest]
            return
        self._total -= 1
        self._held[guest.network] -= 1
        if not self._held[guest.network]:
            del self._held[guest.network]

    def _made_room(self) -> bool:
        """Break off the oldest spare connection that has not said what it wants.

        Who watches over a service sends the question with the connection; who holds places does
        not.
        """
        silent = next((each for each in self._spare if not each.heard), None)
        if silent is None:
            return False
        self.leave(silent)
        silent.end()
        return True


class Door:
    """Accepts connections on listening sockets, and closes those in the end."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        room: Room,
        make: Callable[[Guest], asyncio.Protocol],
        *,
        tls: ssl.SSLContext | None,
        handshake: float,
    ) -> None:
        self._sockets, self._room, self._make = list(sockets), room, make
        self._tls, self._handshake = tls, handshake
        self._loop = asyncio.get_running_loop()
        self._arriving: dict[asyncio.Task[None], tuple[Guest, socket.socket]] = {}
        self._closed = False

    def open(self) -> None:
        """Begin to accept."""
        for each in self._sockets:
            each.setblocking(False)
            self._loop.add_reader(each.fileno(), self._accept, each)

    def close(self) -> None:
        """Accept no more; connections that have not arrived are broken off."""
        self._closed = True
        for each in self._sockets:
            if each.fileno() >= 0:
                self._loop.remove_reader(each.fileno())
            each.close()
        for guest, _ in self._arriving.values():
            guest.end()

    async def wait_closed(self) -> None:
        """Return when nothing arrives any more."""
        await asyncio.gather(*self._arriving, return_exceptions=True)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                made, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._rest(listening, error)
                return
            self._let_in(made, str(peer[0]))

    def _let_in(self, made: socket.socket, address: str) -> None:
        guest = self._room.enter(address)
        if guest is None:
            if self._tls is None:
                made.setblocking(False)
                with contextlib.suppress(OSError):
                    made.send(TOO_MANY)
            made.close()
            return
        task = self._loop.create_task(self._receive(guest, made))
        # Not by cancelling the task: who is handed over at that moment would never be lost.
        guest.end = functools.partial(_cut, made)
        self._arriving[task] = guest, made
        task.add_done_callback(self._arrived)

    async def _receive(self, guest: Guest, made: socket.socket) -> None:
        """Hand a connection over; with TLS that is once both sides have agreed."""
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self._loop.connect_accepted_socket(
            lambda: self._make(guest),
            made,
            ssl=self._tls,
            ssl_handshake_timeout=self._handshake if self._tls else None,
        )

    def _arrived(self, task: asyncio.Task[None]) -> None:
        """Forget a connection that came to nothing; one that is made leaves by itself."""
        guest, made = self._arriving.pop(task)
        if not task.cancelled() and task.exception() is None:
            return
        self._room.leave(guest)
        made.close()
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, OSError):  # those of TLS are OSErrors
            _log.error("a connection could not be taken", exc_info=error)

    def _rest(self, listening: socket.socket, error: OSError) -> None:
        """Accept nothing for a moment: there is nothing to accept it with."""
        _log.warning("no connection can be accepted for a second: %s", error.strerror)
        self._loop.remove_reader(listening.fileno())

        def go_on() -> None:
            if not self._closed:
                self._loop.add_reader(listening.fileno(), self._accept, listening)

        self._loop.call_later(_PAUSE, go_on)


def _cut(made: socket.socket) -> None:
    with contextlib.suppress(OSError):
        made.shutdown(socket.SHUT_RDWR)
