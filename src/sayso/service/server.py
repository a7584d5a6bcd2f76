"""The server: where it listens, TLS, an end to what takes too long, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import math
import os
import socket
import ssl
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import uvicorn

from sayso.core import Sayso
from sayso.errors import SaysoError
from sayso.service.app import assemble, is_loopback
from sayso.service.connection import BoundedConnection, ConnectionLimits
from sayso.service.door import SPARE, Door, Guest, Room
from sayso.service.logs import json_logs
from sayso.service.sessions import Sessions
from sayso.settings import ServiceSettings

_log = logging.getLogger(__name__)
_BACKLOG = 512
#: Files that are open beside connections, at most: the stores, the models, requests to buckets.
_OTHER_DESCRIPTORS = 128
#: How often connections are looked at, in ticks of uvicorn's, which are a tenth of a second.
_SWEEP = 3


class ServerError(SaysoError):
    """The server cannot listen where it should, or not in the way it should."""


def run(
    app: Sayso,
    settings: ServiceSettings,
    sockets: Sequence[socket.socket],
    *,
    tls: ssl.SSLContext | None,
    started: Callable[[], None],
    sessions: Sessions | None = None,
) -> None:
    """Serve a gallery until a signal ends it.

    ``started`` is called once the server answers. SIGTERM or SIGINT lets it finish what it has
    accepted, and then this returns. A second one, or work that takes longer than it may then, ends
    the process at once, with status 1.
    """
    service = assemble(app, settings, sessions)
    config = uvicorn.Config(
        service.asgi,
        http=BoundedConnection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=math.ceil(settings.keep_alive),
        timeout_graceful_shutdown=math.ceil(settings.shutdown_timeout),
    )
    with json_logs(settings.log_level):
        server = _Server(config, settings, sockets, tls, started)
        server.run()
    done = server.all_answered and service.idle
    if not done or service.health.loading:
        _end_at_once(0 if done else 1)


class _Server(uvicorn.Server):
    """uvicorn's server on our sockets, with connections that are swept."""

    def __init__(
        self,
        config: uvicorn.Config,
        settings: ServiceSettings,
        sockets: Sequence[socket.socket],
        tls: ssl.SSLContext | None,
        started: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._sockets, self._tls, self._tell_started = sockets, tls, started
        self._handshake = settings.header_timeout
        self._prefix = settings.prefix.encode()
        #: Whether every request that was accepted was answered, once it has ended.
        self.all_answered = False
        self._limits = ConnectionLimits(
            header_timeout=settings.header_timeout, write_timeout=settings.body_timeout
        )
        self._room = Room(
            allowed_connections(settings.max_connections),
            settings.address_connections,
            proxies=settings.trusted_proxies,
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; uvicorn's own counts no connections, and does not limit a TLS handshake."""
        del sockets  # they are ours
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            return
        door = Door(
            self._sockets,
            self._room,
            self._connection,
            tls=self._tls,
            handshake=self._handshake,
        )
        door.open()
        self.servers = [door]  # type: ignore[list-item]
        self.started = True
        self._tell_started()

    def _connection(self, guest: Guest) -> BoundedConnection:
        return BoundedConnection(
            self.config,
            self.server_state,
            self.lifespan.state,
            limits=self._limits,
            room=self._room,
            guest=guest,
            prefix=self._prefix,
        )

    async def on_tick(self, counter: int) -> bool:
        """Do what is done ten times a second."""
        if counter % _SWEEP == 0:
            now = asyncio.get_running_loop().time()
            for each in list(self.server_state.connections):
                if isinstance(each, BoundedConnection):
                    each.sweep(now)
        return await super().on_tick(counter)

    async def _wait_tasks_to_complete(self) -> None:
        await super()._wait_tasks_to_complete()
        self.all_answered = not self.force_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End: gently at the first signal, at once at a second.

        uvicorn would raise the signal again in the end, and then the status would not be 0.
        """
        del sig, frame
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True


def allowed_connections(wanted: int) -> int:
    """Return how many connections there may be, by what the system lets this process open.

    The process asks for as many descriptors as it needs first. Without enough of them, nothing
    could be accepted, and no file be opened either.
    """
    if sys.platform == "win32":  # which has no such limit
        return wanted
    import resource

    needed = wanted + SPARE + _OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with contextlib.suppress(ValueError, OSError):  # what is not allowed after all
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < needed:
            allowed = max(1, soft - SPARE - _OTHER_DESCRIPTORS)
            _log.warning(
                "SAYSO_MAX_CONNECTIONS=%d: the system lets this process open only %d files, so "
                "there may be %d connections (ulimit -n raises that)",
                *(wanted, soft, allowed),
            )
            return allowed
    return wanted


def _end_at_once(status: int) -> NoReturn:
    """End the process without waiting for its threads: they do what nobody waits for any more.

    Nothing acknowledged is lost by that: it is durable before it is acknowledged.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@contextlib.contextmanager
def bound(settings: ServiceSettings) -> Iterator[list[socket.socket]]:
    """Give sockets that listen where they should; who connects waits until somebody answers.

    Raises ServerError saying why there are none.
    """
    host, port = settings.host, settings.port
    sockets: list[socket.socket] = []
    try:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            _bind_all(found, port, sockets)
        except OSError as error:
            raise ServerError(_why_not(error, host, port)) from error
        yield sockets
    finally:
        for each in sockets:
            each.close()


def _bind_all(found: Sequence[Any], port: int, sockets: list[socket.socket]) -> None:
    """Listen on every address that was found; those that this machine does not have do not count.

    A name such as localhost may have an address of IPv6 also where there is no IPv6.
    """
    missing: OSError | None = None
    for family, address in dict.fromkeys((each[0], each[4]) for each in found):
        try:
            chosen = port_of(sockets) if sockets else port
            sockets.append(_bind(family, (str(address[0]), chosen)))
        except OSError as error:
            if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                raise
            missing = error
    if missing is not None and not sockets:
        raise missing


def _bind(family: int, address: tuple[str, int]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        # Asked now: after SO_REUSEADDR, that somebody else listens is only told here.
        made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use: stop what listens there, or give another one "
            "(--port, or SAYSO_PORT)"
        )
    if error.errno == errno.EACCES:
        return f"port {port} is not yours to listen on: give another --port, from 1024 on"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine: give another --host"
    return f"cannot listen on port {port} of {host}: {error.strerror}"


def port_of(sockets: Sequence[socket.socket]) -> int:
    """Return the port that was chosen."""
    return int(sockets[0].getsockname()[1])


def url_of(settings: ServiceSettings, port: int, *, everywhere: str | None = None) -> str:
    """Return the address of the service; ``everywhere`` is what to call one that is all there are.

    Nobody can connect to 0.0.0.0, but it says where the service listens.
    """
    host = settings.host
    if everywhere is not None and host in {"0.0.0.0", "::"}:  # noqa: S104 - compared only
        host = everywhere
    scheme = "http" if settings.tls_cert is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def tls_context(settings: ServiceSettings) -> ssl.SSLContext | None:
    """Return the TLS of the settings, or None; raises ServerError for what cannot be used."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    for name, file in (("SAYSO_TLS_CERT", settings.tls_cert), ("SAYSO_TLS_KEY", settings.tls_key)):
        _require_readable(name, file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # With a password, however wrong, nobody is asked for one on the terminal.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ServerError(
            "the TLS certificate and key cannot be used: both must be PEM, belong together, and "
            f"the key have no password ({reason})"
        ) from error
    return context


def _require_readable(name: str, file: Path) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise ServerError(f"{name}={str(file)!r}: {error.strerror}") from error


def warning_of(settings: ServiceSettings) -> str | None:
    """Return what whoever starts the service must know of where it listens."""
    if settings.tls_cert is not None or is_loopback(settings.host):
        return None
    return (
        f"the service listens on {settings.host} without TLS: whoever is on the way can read the "
        "pictures and the keys. Give it a certificate (SAYSO_TLS_CERT, SAYSO_TLS_KEY), or put it "
        "behind a proxy that has one"
    )
