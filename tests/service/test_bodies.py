"""Bodies as a real server takes them: none without a key, and none that holds up others."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import httpx
import pytest

from sayso.callers import ACTIONS
from sayso.core import Sayso
from tests.service.process import ServerProcess, serving
from tests.service.rekognition.test_signing import signed

MIB = 1 << 20
Key = tuple[str, str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, Key, Key]]:
    """A server with little memory for bodies and much patience, and two keys."""
    data = tmp_path_factory.mktemp("bodies") / "data"
    with Sayso(data) as app:
        app.create_collection("club")
        keys = [
            app.create_key(name, purpose="photos", actions=ACTIONS) for name in ("one", "other")
        ]
    with serving(
        data, body_timeout=600, max_body_bytes=4 * MIB, body_memory=16 * MIB, failed_sign_ins=1000
    ) as server:
        yield server, *((each.key.id, each.secret) for each in keys)  # type: ignore[misc]
        assert server.process.poll() is None
        assert not [line for line in server.lines if line["level"] == "error"]


def head(path: str, size: int, *headers: tuple[str, str]) -> bytes:
    lines = [("Host", "x"), ("Content-Length", str(size)), *headers]
    told = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"POST {path} HTTP/1.1\r\n{told}\r\n".encode()


def signed_by(key: str, secret: str) -> list[tuple[str, str]]:
    """Return the headers of a request to the wire."""
    made = signed(key=key, secret=secret, at=datetime.now(UTC), target="RekognitionService.X")
    return [(name.decode(), value.decode()) for name, value in made.headers if name != b"host"] + [
        ("Host", "127.0.0.1:8080")
    ]


JSON = ("Content-Type", "application/json")


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", lambda _: [("X-Amz-Target", "RekognitionService.DetectFaces")], b"403"),
        ("/", lambda _: [("Authorization", "AWS4-HMAC-SHA256 Credential=x")], b"400"),
        ("/", lambda _: signed_by("SAYSNOBODYNOBODY", "secret"), b"400"),
        ("/v1/faces", lambda _: [JSON], b"401"),
        ("/v1/faces", lambda _: [JSON, ("Authorization", "Bearer SAYSNOBODY.secret")], b"401"),
        ("/v1/faces", lambda key: [JSON, ("Authorization", f"Bearer {key[0]}.wrong")], b"401"),
        ("/v1/collections", lambda _: [JSON], b"401"),
        ("/console/look", lambda _: [("Content-Type", "multipart/form-data; boundary=a")], b"303"),
        ("/console/look", lambda _: [("Cookie", "sayso=a"), ("X-CSRF-Token", "a")], b"303"),
    ],
)
def test_nothing_of_a_body_is_waited_for_without_a_key(
    served: tuple[ServerProcess, Key, Key],
    path: str,
    headers: Callable[[Key], list[tuple[str, str]]],
    status: bytes,
) -> None:
    server, key, _ = served
    with server.connect() as connection:
        connection.settimeout(30)
        connection.sendall(head(path, MIB, *headers(key)))
        assert connection.recv(12)[9:] == status  # though nothing of the body was sent


def test_bodies_without_end_hold_up_nobody_else(
    served: tuple[ServerProcess, Key, Key],
) -> None:
    """Who knows the id of a key can have a body read; what they hold leaves room for others."""
    server, known, other = served
    sent = 3 * MIB
    bad = [
        head("/", 4 * MIB - 1, *signed_by(known[0], "not its secret")),
        head("/", 4 * MIB - 1),
        head("/v1/faces", 4 * MIB - 1, JSON, ("Authorization", f"Bearer {known[0]}.wrong")),
    ]
    with ExitStack() as stack:
        for number in range(24):
            connection = stack.enter_context(server.connect())
            connection.setblocking(False)
            _send(connection, bad[number % 3] + b"x" * sent)
        for _ in range(5):
            began = time.monotonic()
            made = {
                "Content-Type": "application/json",
                "Authorization": "Bearer {}.{}".format(*other),
            }
            found = server.get("/v1/collections", headers=made)
            assert [each["collection"] for each in found.json()["items"]] == ["club"]
            assert server.rekognition(other).list_collections()["CollectionIds"] == ["club"]
            # A body as large as one may be.
            large = httpx.post(server.url + "/v1/faces", content=b" " * (4 * MIB - 1), headers=made)
            assert large.status_code == 400, large.text  # no JSON, and so it was read
            assert time.monotonic() - began < 30


def test_who_has_no_secret_is_not_told_which_keys_there_are(
    served: tuple[ServerProcess, Key, Key],
) -> None:
    server, key, _ = served

    def bearer(id_: str) -> tuple[object, ...]:
        headers = {"Authorization": f"Bearer {id_}.wrong"}
        return told(httpx.get(server.url + "/v1/collections", headers=headers, timeout=60))

    def wire(id_: str) -> tuple[object, ...]:
        sent = signed(b"{}", key=id_, secret="wrong", at=datetime.now(UTC), url=server.url + "/")
        headers = list(sent.headers)
        return told(httpx.post(server.url + "/", content=b"{}", headers=headers, timeout=60))

    def told(answer: httpx.Response) -> tuple[object, ...]:
        of_its_own = {"request_id", "x-request-id", "x-amzn-requestid", "date"}
        headers = {n: v for n, v in answer.headers.items() if n not in of_its_own}
        body = {n: v for n, v in answer.json().items() if n not in of_its_own}
        assert answer.status_code in (400, 401)
        return answer.status_code, headers, body

    for ask in (bearer, wire):
        assert ask(key[0]) == ask("SAYS" + "A" * 16)


def _send(connection: socket.socket, data: bytes) -> None:
    """Send as much as is taken within a moment."""
    ends = time.monotonic() + 0.2
    while data and time.monotonic() < ends:
        try:
            data = data[connection.send(data) :]
        except BlockingIOError:
            time.sleep(0.01)
        except ConnectionError:  # answered and closed
            return
