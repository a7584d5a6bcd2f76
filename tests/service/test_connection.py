"""A connection as bytes: what is taken for the head of a request, and what is not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from sayso.service.connection import MOST_HEAD, BoundedConnection, ConnectionLimits
from sayso.service.door import Door, Guest, Room
from tests.service.loop import Loop
from tests.service.process import answer


async def told(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the headers as they are once the body was read, and how long that was."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    names = [name.decode("latin-1") for name, _ in scope["headers"]]
    body = json.dumps({"path": scope["path"], "names": names, "size": size}).encode()
    length = str(len(body)).encode()
    headers = [(b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def listening(**limits: int) -> Iterator[tuple[str, int]]:
    """Serve ``told``; gives the address."""
    loop = Loop()
    config = uvicorn.Config(told, ws="none", lifespan="off", log_config=None)
    config.load()
    bound = socket.create_server(("127.0.0.1", 0))

    async def start() -> tuple[Door, ServerState]:
        state = ServerState()
        room = Room(limits.get("most", 20), limits.get("of_address", 20), spare=4)

        def make(guest: Guest) -> BoundedConnection:
            times = ConnectionLimits(header_timeout=20, write_timeout=20)
            return BoundedConnection(config, state, {}, limits=times, room=room, guest=guest)

        door = Door([bound], room, make, tls=None, handshake=20)
        door.open()
        return door, state

    door, state = loop.run(start())

    async def stop() -> None:
        door.close()
        await door.wait_closed()
        for each in list(state.connections):
            each.transport.abort()
        await asyncio.sleep(0)

    try:
        yield bound.getsockname()
    finally:
        loop.run(stop())
        loop.close()


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with listening() as found:
        yield found


def send(address: tuple[str, int], *parts: bytes) -> bytes:
    with socket.create_connection(address, timeout=20) as connection:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
        return answer(connection)


def document(answered: bytes) -> Any:
    assert answered.startswith(b"HTTP/1.1 200"), answered
    return json.loads(answered.partition(b"\r\n\r\n")[2])


HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n"
TRAILERS = b"Authorization: Bearer a.b\r\nExpect: 100-continue\r\nX-Late: 1\r\n\r\n"


@pytest.mark.parametrize("apart", [True, False])
def test_a_trailer_never_becomes_a_header(address: tuple[str, int], apart: bool) -> None:
    parts = [CHUNKED, b"3\r\nabc\r\n", b"0\r\n", TRAILERS]
    found = document(send(address, *(parts if apart else [b"".join(parts)])))
    assert found["names"] == ["host", "connection", "transfer-encoding", "trailer"]
    assert found["size"] == 3


def head_of(size: int) -> bytes:
    """The head of a request of so many bytes, in headers of 1000 bytes."""
    head = HEAD
    while len(head) + 2 < size:
        left = min(1000, size - len(head) - 2)
        head += b"X-A: " + b"b" * (left - 7) + b"\r\n"
    return head + b"\r\n"


@pytest.mark.parametrize("piece", [512, 60_000, 1 << 20])
@pytest.mark.parametrize(
    ("size", "status"), [(MOST_HEAD - 2000, b"200"), (70_000, b"431"), (500_000, b"431")]
)
def test_the_limit_on_heads_holds_however_they_come(
    address: tuple[str, int], size: int, status: bytes, piece: int
) -> None:
    head = head_of(size)
    pieces = [head[start : start + piece] for start in range(0, len(head), piece)]
    answered = send(address, *pieces)
    assert answered[9:12] == status or (status == b"431" and answered == b"")  # reset: cut off


def test_the_limit_holds_for_the_address_and_for_one_header(address: tuple[str, int]) -> None:
    for head in (
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    ):
        assert send(address, head).startswith(b"HTTP/1.1 431")


def test_the_limit_holds_for_each_request_of_a_connection(address: tuple[str, int]) -> None:
    small = head_of(40_000).replace(b"Connection: close\r\n", b"")
    answered = send(address, small + small + head_of(40_000))
    assert answered.count(b"HTTP/1.1 200") == 3
    answered = send(address, small + head_of(70_000))
    assert answered.count(b"HTTP/1.1 200") <= 1
    assert b"/a" not in answered.partition(b"431")[2]


@pytest.mark.parametrize(
    "endless",
    [
        b"0\r\n" + b"X-A: " + b"b" * 200_000,  # a trailer
        b"0\r\n" + b"X-A: b\r\n" * 20_000,  # many of them
        b"3;a=" + b"b" * 200_000,  # an extension of a chunk
    ],
    ids=["trailer", "trailers", "extension"],
)
@pytest.mark.parametrize("piece", [1000, 1 << 20])
def test_what_comes_beside_a_body_has_a_limit_too(
    address: tuple[str, int], endless: bytes, piece: int
) -> None:
    """However long it goes on, the connection ends after a bounded number of bytes."""
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(CHUNKED)
        with pytest.raises(ConnectionError):
            _send_on(connection, endless, piece)


def _send_on(connection: socket.socket, part: bytes, piece: int) -> None:
    for _ in range(100):
        for start in range(0, len(part), piece):
            connection.sendall(part[start : start + piece])
        part = b"b" * len(part)


def test_small_chunks_are_not_too_much(address: tuple[str, int]) -> None:
    found = document(send(address, CHUNKED, b"1\r\nx\r\n" * 50_000, b"0\r\n\r\n"))
    assert found["size"] == 50_000


def test_health_is_told_to_who_is_one_too_many_and_nothing_else() -> None:
    with listening(most=3) as address, contextlib.ExitStack() as held:
        # Three that are let in, and the places of four more, all silent.
        for _ in range(50):
            held.enter_context(socket.create_connection(address, timeout=20))
        for _ in range(10):
            for path in (b"/healthz", b"/readyz?a", b"/metrics"):
                told = send(address, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
                assert document(told)["path"].encode() == path.removesuffix(b"?a")
                assert b"connection: close" in told  # though nothing was asked of that
        for asked in (b"GET / ", b"POST /healthz ", b"GET /v1/healthz ", b"GET /healthz/ "):
            told = send(address, asked + b"HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            assert told.startswith(b"HTTP/1.1 503"), asked


def test_one_address_leaves_room_for_others() -> None:
    with listening(of_address=3) as address, contextlib.ExitStack() as held:
        for _ in range(3):
            held.enter_context(socket.create_connection(address, timeout=20))
        assert send(address, head_of(200)).startswith(b"HTTP/1.1 503")
        with socket.create_connection(address, 20, ("127.0.0.2", 0)) as other:
            other.sendall(head_of(200))
            assert document(answer(other))["path"] == "/a"
        held.pop_all().close()
        for _ in range(100):
            if send(address, head_of(200)).startswith(b"HTTP/1.1 200"):
                break
        else:
            pytest.fail("those that left are still counted")
