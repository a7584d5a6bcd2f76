"""What somebody sends who means no good: requests, bytes and pictures, drawn at random."""

from __future__ import annotations

import base64
import http.client
import io
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from PIL import Image

from sayso.service.rest.application import description
from tests.conformance.fuzzer import Fuzzer, signed
from tests.service.process import ServerProcess
from tests.vision.hostile import drawn

#: What a request may take: its time in the line, and that of its picture, and some more.
LONGEST = 100.0
_CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
_DEPTH = 3
_OF_A_KIND = 0.5
_COSTLY_SIDE = 6000
Picture = Callable[[random.Random, bytes], bytes]
NOTING = threading.Lock()


@dataclass
class Noted:
    """What became of the requests; ``wrong`` is what must not be: a 5xx, or too slow an answer."""

    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0


def spoilt_picture(chance: random.Random, good: bytes) -> bytes:
    """Return a picture that is cut off, has some of its bytes changed, or costs a lot.

    Or, half of the times, one of the kinds that the tests of decoding have.
    """
    if chance.random() < _OF_A_KIND:
        return drawn(chance)
    kind = chance.randrange(8)
    if kind == 0:
        return good[: chance.randrange(len(good))]
    if kind == 1:
        return chance.randbytes(chance.randrange(2000))
    if kind == 2:
        return costly_picture(chance)
    if kind == 3:
        return good + chance.randbytes(5000)
    changed = bytearray(good)
    for _ in range(chance.choice([1, 5, 100])):
        changed[chance.randrange(min(len(changed), chance.choice([60, 1000, 10**9])))] = (
            chance.randrange(256)
        )
    return bytes(changed)


_costly: dict[tuple[str, int], bytes] = {}


def costly_picture(chance: random.Random) -> bytes:
    """Return a picture of few bytes and many pixels."""
    form = chance.choice(["PNG", "JPEG", "WEBP", "GIF"])
    side = chance.choices([200, 1000, 2000, _COSTLY_SIDE], weights=(4, 4, 3, 1))[0]
    if (form, side) not in _costly:
        file = io.BytesIO()
        Image.new("RGB", (side, side), (200, 150, 120)).save(file, form)
        _costly[form, side] = file.getvalue()
    return _costly[form, side]


class Attacker:
    """Draws what one connection sends, and notes what came of it."""

    def __init__(
        self,
        server: ServerProcess,
        key: tuple[str, str],
        portraits: list[bytes],
        seed: int,
        noted: Noted,
        picture: Picture = spoilt_picture,
    ) -> None:
        self.server, self.key, self.noted = server, key, noted
        self.random = random.Random(seed)
        self.fuzzer = Fuzzer(seed, portraits)
        self.portraits = portraits
        self.picture = picture
        self.operations = list(_operations())
        self._lock = NOTING

    def attack(self) -> None:
        """Send one thing."""
        kind = self.random.choices(
            (self.wire, self.rest, self.console, self.raw, self.pictures, self.leave),
            weights=(35, 25, 10, 15, 12, 3),
        )[0]
        began = time.monotonic()
        try:
            told = kind()
        except (OSError, http.client.HTTPException) as error:
            told = type(error).__name__
        took = time.monotonic() - began
        with self._lock:
            self.noted.statuses[f"{kind.__name__} {told}"] += 1
            self.noted.slowest = max(self.noted.slowest, took)
            if took > LONGEST:
                self.noted.wrong.append(f"{kind.__name__} took {took:.0f} s")

    def wire(self) -> str:
        """Send a request of Rekognition's, or nearly."""
        name, body = self.fuzzer.request()
        headers = self.fuzzer.headers(self.server.url, self.key, name, body)
        return self._send("POST", "/", body, headers)

    def rest(self) -> str:
        """Send a request of the REST API, or nearly."""
        method, path = self.random.choice(self.operations)
        for name in ("collection", "subject", "purpose", "user", "face", "key", "evaluation"):
            path = path.replace("{" + name + "}", quote(self._name(), safe=self._safe()))
        query = {self.fuzzer.text(5): self.fuzzer.text(5)} if self.random.random() < 0.1 else {}
        if self.random.random() < 0.3:
            query["limit"] = self._name()
        kind, body = self.random.choice(
            [
                ("application/json", json.dumps(self._document(0)).encode()),
                ("application/json", self.fuzzer.spoilt(b'{"name": "club"}')),
                ("image/jpeg", self.picture(self.random, self.random.choice(self.portraits))),
                ("multipart/form-data; boundary=b", self._form()),
                (self.fuzzer.text(20), self.random.randbytes(200)),
            ]
        )
        if method in {"GET", "DELETE"}:
            body = b""
        address = f"{path}?{urlencode(query)}" if query else path
        return self._send(method, address, body, {"Content-Type": kind, **self._bearer()})

    def console(self) -> str:
        """Ask for a page, or send a form that is no session's."""
        page = self.random.choice(
            ["", "sign-in", "look", "people", "audit", "keys", "static/js/look.js", self._name()]
        )
        method = self.random.choice(["GET", "GET", "POST"])
        headers = {"Cookie": f"sayso={self.fuzzer.text(30)}"}
        body = b""
        if method == "POST":
            headers["Content-Type"] = self.random.choice(
                ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]
            )
            body = self._form() if "multipart" in headers["Content-Type"] else b"a=%zz&token=" * 9
        return self._send(method, f"/console/{quote(page)}", body, headers)

    def pictures(self) -> str:
        """Send a picture that is broken or costly, as a request that is in order."""
        data = self.picture(self.random, self.random.choice(self.portraits))
        if self.random.random() < 0.5:
            mode = self.random.choice(["fast", "balanced", "thorough"])
            headers = {"Content-Type": "image/jpeg", **self._bearer()}
            return self._send("POST", f"/v1/faces?mode={mode}", data, headers)
        image = {"Image": {"Bytes": base64.b64encode(data).decode()}}
        body = json.dumps(image).encode()
        headers = signed(self.server.url, self.key, "RekognitionService.DetectFaces", body)
        return self._send("POST", "/", body, headers)

    def leave(self) -> str:
        """Send a costly picture, and leave before the answer."""
        data = costly_picture(self.random)
        with self.server.connect() as connection:
            connection.sendall(self._head("POST", "/v1/faces?mode=thorough", len(data)) + data)
            time.sleep(self.random.choice([0, 0.05, 0.3]))
        return "left"

    def raw(self) -> str:
        """Send what is no HTTP, or a body that ends early; and end the connection."""
        text = self.random.choice(
            [
                self.random.randbytes(self.random.randrange(1, 400)),
                b"GET / HTTP/9.9\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" + _CHUNKED + b"0\r\n\r\n",
                b"POST /v1/faces HTTP/1.1\r\nHost: x\r\n" + _CHUNKED + b"zz\r\n",
                b"GET /"
                + b"a" * self.random.choice([100, 70_000])
                + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"b" * 70_000 + b"\r\n\r\n",
                b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 20,
                self._head("POST", "/v1/faces", 100_000) + self.random.randbytes(500),
                self._head("POST", "/", 10) + b"{",
            ]
        )
        with self.server.connect() as connection:
            connection.settimeout(20)
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            first = connection.recv(65536).split(b"\r\n", 1)[0].decode("latin-1")
        told = first.split(" ")[1] if first.startswith("HTTP/") else "closed"
        self._judge(told, first, retry=True)
        return told

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> str:
        host, port = self.server.address
        connection = http.client.HTTPConnection(host, port, timeout=LONGEST)
        try:
            connection.putrequest(method, path)
            for name, value in headers.items():
                if name.lower() not in {"host", "content-length"}:
                    connection.putheader(name, value.encode("utf-8", "replace"))
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        told = str(answer.status)
        self._judge(told, f"{method} {path} {content[:300]!r}", answer.headers["Retry-After"])
        if answer.status == HTTPStatus.OK and path == "/":
            self.fuzzer.learn(json.loads(content))
        return told

    def _judge(self, told: str, what: str, retry: str | bool | None) -> None:
        """Note a 5xx, unless it is a 503 that says when to come again."""
        if told.startswith("5") and not (told == "503" and retry):
            with self._lock:
                self.noted.wrong.append(f"{told}: {what}")

    def _head(self, method: str, path: str, length: int) -> bytes:
        bearer = "Bearer {}.{}".format(*self.key)
        return (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\n"
            f"Content-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n"
        ).encode()

    def _bearer(self) -> dict[str, str]:
        kind = self.random.randrange(20)
        if kind == 0:
            return {}
        secret = self.fuzzer.text(20) if kind == 1 else self.key[1]
        return {"Authorization": f"Bearer {self.key[0]}.{secret}"}

    def _safe(self) -> str:
        return self.random.choice(["", "/", "/.%"])

    def _name(self) -> str:
        odd = ["", ".", "..", "a" * 300, "\x00", "é", "../..", "%2e%2e", "-1", "NaN", "1e999"]
        return self.random.choice(["club", "ada", *odd])

    def _document(self, depth: int) -> Any:
        kind = self.random.randrange(4 if depth < _DEPTH else 1)
        if kind == 1:
            return [self._document(depth + 1) for _ in range(self.random.randrange(4))]
        if kind:
            names = ("name", "subject", "pictures", "picture", "purposes", "consent", "until", "x")
            return {each: self._document(depth + 1) for each in self.random.sample(names, 3)}
        return self.random.choice([None, True, -1, 1e308, "", "club", "\ud800", "x" * 3000, "AAAA"])

    def _form(self) -> bytes:
        name = self.random.choice(["picture", "pictures", "consent", self.fuzzer.text(4)])
        data = self.picture(self.random, self.random.choice(self.portraits))
        whole = (
            f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="a.jpg"\r\n\r\n'
        ).encode() + data + b"\r\n--b--\r\n"  # fmt: skip
        return whole if self.random.random() < 0.7 else whole[: self.random.randrange(len(whole))]


def _operations() -> Iterator[tuple[str, str]]:
    """Give the operations of the REST API, but the one that would take away what is asked about."""
    for path, methods in description()["paths"].items():
        for method in methods:
            if (method, path) != ("delete", "/v1/collections/{collection}"):
                yield method.upper(), path
