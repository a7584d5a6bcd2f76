from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sayso.service import middleware
from sayso.service.engine import CLIENT_GONE, Engine
from sayso.service.limits import KeyLimits
from sayso.service.logs import json_logs
from sayso.service.metrics import Metrics
from sayso.service.middleware import Bodies, Memory, Requests
from sayso.settings import ServiceSettings

MOST = 100


@dataclass
class Exchange:
    """A request, fed by hand, and what was answered and logged."""

    path: str = "/v1/x"
    method: str = "POST"
    headers: Iterable[tuple[bytes, bytes]] = ()
    parts: Iterable[bytes] = ()
    #: Whether the client sends the last part, and whether it stays then.
    ends: bool = True
    stays: bool = True
    #: Seconds before each part.
    pause: float = 0.0
    status: int = 0
    answer_headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    log: list[dict[str, Any]] = field(default_factory=list)
    scope: Scope = field(default_factory=dict)
    received: int = 0

    async def run(self, app: ASGIApp) -> None:
        parts = list(self.parts)
        forever = asyncio.Event()

        async def receive() -> Message:
            if self.received < len(parts):
                await asyncio.sleep(self.pause)
                self.received += 1
                last = self.ends and self.received == len(parts)
                return {
                    "type": "http.request",
                    "body": parts[self.received - 1],
                    "more_body": not last,
                }
            if self.ends and not parts and not self.received:
                self.received += 1
                return {"type": "http.request", "body": b"", "more_body": False}
            if self.stays:
                await forever.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                assert not self.status
                self.status = message["status"]
                self.answer_headers = {k.decode(): v.decode() for k, v in message["headers"]}
            else:
                self.body += message.get("body", b"")

        self.scope.update(
            type="http",
            method=self.method,
            path=self.path,
            headers=list(self.headers),
            scheme="http",
        )
        stream = io.StringIO()
        with json_logs("info", stream):
            async with asyncio.timeout(20):
                await app(self.scope, receive, send)
        self.log = [json.loads(line) for line in stream.getvalue().splitlines()]

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def service_of(
    handler: ASGIApp, *, memory: int = 10 * MOST, timeout: float = 20
) -> tuple[ASGIApp, Memory]:
    limits = KeyLimits.of(ServiceSettings())
    metrics = Metrics(Engine(1, 0), limits, lambda: 0)
    held = Memory(memory)
    bodies = Bodies(handler, most=MOST, memory=held, timeout=timeout)
    return Requests(bodies, metrics=metrics), held


def exchange(handler: ASGIApp, asked: Exchange, **options: Any) -> Exchange:
    app, _ = service_of(handler, **options)
    asyncio.run(asked.run(app))
    return asked


async def answer(send: Send, body: bytes = b"done", status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def read(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return body
        body += message["body"]
        if not message["more_body"]:
            return body


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    scope["sayso.route"] = "POST /echo"
    scope["sayso.key"] = "SAYS1"
    await answer(send, await read(receive))


async def careless(_scope: Scope, receive: Receive, send: Send) -> None:
    """Takes whatever goes wrong with the body for the client's fault, as frameworks do."""
    try:
        await read(receive)
    except Exception:  # noqa: BLE001
        await answer(send, b"no idea", 400)


def test_an_answer_passes_with_an_id_and_headers_for_safety() -> None:
    asked = exchange(echo, Exchange(parts=[b"one ", b"two"]))
    assert (asked.status, asked.body) == (200, b"one two")
    headers = asked.answer_headers
    assert headers["x-request-id"] == asked.scope["sayso.request_id"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in headers


def test_what_a_handler_says_of_safety_stands() -> None:
    async def handler(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"Content-Security-Policy", b"default-src 'self'")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    asked = exchange(handler, Exchange())
    assert asked.answer_headers["Content-Security-Policy"] == "default-src 'self'"
    assert "content-security-policy" not in asked.answer_headers


def test_a_request_is_one_line_with_its_route_and_key_and_sizes() -> None:
    asked = exchange(echo, Exchange(path="/v1/subjects/ada", parts=[b"123", b"45"]))
    (line,) = asked.log
    assert line["request"] == asked.scope["sayso.request_id"]
    assert line["route"] == "POST /echo"
    assert line["key"] == "SAYS1"
    assert (line["status"], line["bytes_in"], line["bytes_out"]) == (200, 5, 5)
    assert line["ms"] >= 0
    assert "ada" not in json.dumps(line)


def test_a_method_or_path_that_nobody_knows_is_not_logged() -> None:
    async def handler(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, status=404)

    asked = exchange(handler, Exchange(method="ADA", path="/ada"))
    (line,) = asked.log
    assert (line["method"], line["route"], line["status"]) == ("other", "other", 404)


@pytest.mark.parametrize("path", ["/", "/v1/x"])
def test_an_error_that_nobody_expected_is_told_to_the_log_and_not_to_the_client(path: str) -> None:
    async def handler(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("ada's secret")

    asked = exchange(handler, Exchange(path=path))
    assert asked.status == 500
    assert b"secret" not in asked.body
    error, line = asked.log
    assert error["error"] == "ValueError"
    assert error["request"] == line["request"] == asked.answer_headers["x-request-id"]
    assert "secret" not in json.dumps(asked.log)
    if path == "/":
        assert asked.document["__type"] == "InternalServerError"
        assert asked.answer_headers["x-amzn-requestid"] == line["request"]
    else:
        assert asked.answer_headers["content-type"] == "application/problem+json"
        assert asked.document["status"] == 500


def test_an_error_in_the_middle_of_an_answer_does_not_make_it_look_complete() -> None:
    async def handler(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError

    asked = exchange(handler, Exchange())
    assert asked.body == b"half"
    assert [line.get("status") for line in asked.log] == [None, 499]


@pytest.mark.parametrize("handler", [echo, careless])
@pytest.mark.parametrize("path", ["/", "/v1/x"])
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_refused_in_the_form_of_its_side(
    path: str, announced: bool, handler: ASGIApp
) -> None:
    headers = [(b"content-length", b"101")] if announced else []
    asked = exchange(handler, Exchange(path=path, headers=headers, parts=[b"x" * 60, b"x" * 41]))
    assert asked.status == 413
    assert asked.answer_headers["connection"] == "close"
    # It was read to its end, or else the client would not read the answer.
    assert asked.received == 2
    if path == "/":
        assert asked.document["__type"] == "RequestEntityTooLargeException"
        assert asked.answer_headers["x-amzn-errortype"] == "RequestEntityTooLargeException"
        assert "100 bytes" in asked.document["message"]
    else:
        assert asked.answer_headers["content-type"] == "application/problem+json"
        assert asked.document["type"] == "/v1/problems/body-too-large"
        assert asked.document["request_id"] == asked.answer_headers["x-request-id"]


def test_a_body_at_the_limit_passes() -> None:
    asked = exchange(
        echo, Exchange(headers=[(b"content-length", b"100")], parts=[b"x" * 60, b"x" * 40])
    )
    assert (asked.status, len(asked.body)) == (200, 100)


@pytest.mark.parametrize("length", [b"1000", b"9" * 100])
def test_who_asks_first_whether_to_send_is_told_at_once(length: bytes) -> None:
    headers = [(b"content-length", length), (b"expect", b"100-continue")]
    asked = exchange(echo, Exchange(headers=headers, ends=False))
    assert (asked.status, asked.received) == (413, 0)


def test_a_body_without_end_is_not_read_without_end() -> None:
    asked = exchange(echo, Exchange(parts=[b"x" * 50] * 100))
    assert asked.status == 413
    assert asked.received < 10


@pytest.mark.parametrize("handler", [echo, careless])
def test_a_body_that_does_not_come_in_time_is_not_waited_for(handler: ASGIApp) -> None:
    asked = exchange(handler, Exchange(parts=[b"x"], ends=False), timeout=0.05)
    assert asked.status == 408
    assert asked.answer_headers["connection"] == "close"


@pytest.mark.parametrize(("size", "status"), [(1, 408), (4, 200)])
def test_a_body_that_trickles_is_not_waited_for_as_one_that_is_long(
    monkeypatch: pytest.MonkeyPatch, size: int, status: int
) -> None:
    """So many bytes a second, after a grace, long before the time for a body is over."""
    monkeypatch.setattr(middleware, "_GRACE", 0.2)
    monkeypatch.setattr(middleware, "SLOWEST", 40)
    asked = Exchange(parts=[b"x" * size] * 24, pause=0.05)
    began = time.monotonic()
    exchange(echo, asked, timeout=60)
    assert asked.status == status
    assert time.monotonic() - began < 30


def test_nothing_is_remembered_of_who_sends_nothing() -> None:
    async def scenario() -> int:
        app, held = service_of(echo)
        for number in range(3):
            asked = Exchange(headers=[(b"authorization", b"Bearer SAYS%d.x" % number)])
            await asked.run(app)
            assert asked.status == 200
        return len(held._held)

    assert asyncio.run(scenario()) == 0


def test_bodies_together_have_a_limit_and_give_back_what_they_took() -> None:
    async def scenario() -> None:
        holding, gate = asyncio.Event(), asyncio.Event()

        async def handler(_scope: Scope, receive: Receive, send: Send) -> None:
            await read(receive)
            holding.set()
            await gate.wait()
            await answer(send)

        app, memory = service_of(handler, memory=100)
        first = asyncio.create_task(Exchange(parts=[b"x" * 60]).run(app))
        await holding.wait()
        native = Exchange(parts=[b"x" * 60])
        await native.run(app)
        aws = Exchange(path="/", parts=[b"x" * 60])
        await aws.run(app)
        assert (native.status, aws.status) == (429, 400)
        assert aws.document["__type"] == "ThrottlingException"
        assert native.answer_headers["retry-after"] == aws.answer_headers["retry-after"] == "1"
        gate.set()
        await first
        assert memory.left == 100

    asyncio.run(scenario())


def left_behind(
    handler: Callable[[Receive, Engine], Awaitable[None]],
) -> tuple[Exchange, list[str]]:
    """What becomes of a request whose client leaves once it has sent everything."""
    done: list[str] = []

    async def scenario() -> Exchange:
        engine = Engine(1, 1)

        async def app(_scope: Scope, receive: Receive, send: Send) -> None:
            await read(receive)
            await handler(receive, engine)
            done.append("handled")
            await answer(send)

        asked = Exchange(parts=[b"x"], stays=False)
        service, _ = service_of(app)
        await asked.run(service)
        await engine.close()
        return asked

    return asyncio.run(scenario()), done


def test_a_handler_is_told_once_that_the_client_left() -> None:
    seen: list[str] = []

    async def handler(receive: Receive, _engine: Engine) -> None:
        seen.append((await receive())["type"])
        seen.append((await receive())["type"])

    _, done = left_behind(handler)
    assert seen == ["http.disconnect", "http.disconnect"]
    assert done == ["handled"]


def test_work_that_waits_for_a_client_that_left_is_dropped_without_an_error() -> None:
    async def handler(_receive: Receive, engine: Engine) -> None:
        gone = CLIENT_GONE.get()
        assert gone is not None
        loop = asyncio.get_running_loop()
        ahead: asyncio.Future[None] = loop.create_future()

        def busy() -> None:
            asyncio.run_coroutine_threadsafe(asyncio.wait_for(ahead, 20), loop).result(20)

        running = loop.create_task(engine.run("other", busy))
        await asyncio.sleep(0)
        gone.add_done_callback(lambda _: loop.call_later(0.01, ahead.set_result, None))
        try:
            await engine.run("k", lambda: pytest.fail("nobody waits for this"))
        finally:
            await asyncio.shield(running)

    asked, done = left_behind(handler)
    assert done == []
    assert [line["status"] for line in asked.log] == [499]
