"""The endpoint itself: from a signed request to an answer or a fault, through ASGI."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from sayso.callers import ACTIONS
from sayso.core import Sayso
from sayso.service.engine import Engine
from sayso.service.limits import KeyLimits
from sayso.service.rekognition import wire
from sayso.service.rekognition.signing import read_signature
from sayso.service.rekognition.wire import MOST_BYTES, RekognitionEndpoint
from sayso.service.state import ServiceState
from sayso.settings import ServiceSettings
from tests.service.rekognition.drawn import Studio
from tests.service.rekognition.test_signing import REGION, signed

_AWS_JSON = "application/x-amz-json-1.1"
_HOST = "http://127.0.0.1:8080"


@dataclass
class Endpoint:
    """Posts to the endpoint as somebody with a key."""

    app: Sayso
    key: tuple[str, str]

    def __call__(
        self, operation: str, body: bytes = b"{}", *, presigned: bool = False, **more: Any
    ) -> httpx.Response:
        """Return the answer to one signed request; ``sent`` goes in the place of its body."""
        sent, settings = more.pop("sent", None), more.pop("settings", ServiceSettings())
        request = signed(
            body,
            presigned=presigned,
            key=more.pop("key", self.key[0]),
            secret=more.pop("secret", self.key[1]),
            target=f"RekognitionService.{operation}",
            at=datetime.now(UTC) + more.pop("off", timedelta()),
            **more,
        )
        url = httpx.URL(_HOST).copy_with(raw_path=request.paths[0] + b"?" + request.query)
        if not request.query:
            url = httpx.URL(_HOST + "/")
        content = request.body if sent is None else sent
        return self.post(url, content, request.headers, settings)

    def post(
        self,
        url: Any,
        content: bytes,
        headers: Any,
        settings: ServiceSettings | None = None,
        query: bytes | None = None,
    ) -> httpx.Response:
        """Return the answer to one request as it is; ``query`` goes in the place of the URL's."""
        return asyncio.run(self._post(url, content, headers, settings or ServiceSettings(), query))

    async def _post(
        self,
        url: Any,
        content: bytes,
        headers: Any,
        settings: ServiceSettings,
        query: bytes | None,
    ) -> httpx.Response:
        state = ServiceState(self.app, settings, Engine(2, 60), KeyLimits.of(settings))
        served = RekognitionEndpoint(state)

        async def asked(scope: Any, receive: Any, send: Any) -> None:
            if query is not None:
                scope["query_string"] = query
            await served(scope, receive, send)

        transport = httpx.ASGITransport(asked)
        try:
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.post(url, content=content, headers=list(headers))
        finally:
            await state.engine.close()


@pytest.fixture
def endpoint(app: Sayso) -> Endpoint:
    made = app.create_key("wire", purpose="photos", actions=ACTIONS, attestation="form 17")
    return Endpoint(app, (made.key.id, made.secret))


def code(answer: httpx.Response, status: int = 400) -> str:
    """Return an answer's type of error, which is told in every way that clients read."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == _AWS_JSON
    assert answer.headers["x-amzn-requestid"]
    told = answer.json()
    assert told["__type"] == answer.headers["x-amzn-errortype"]
    assert told["message"] == told["Message"] != ""
    return str(told["__type"])


def test_an_answer_is_aws_json_with_an_id(endpoint: Endpoint) -> None:
    answer = endpoint("CreateCollection", b'{"CollectionId": "club"}')
    assert answer.status_code == 200
    assert answer.headers["content-type"] == _AWS_JSON
    assert answer.headers["x-amzn-requestid"]
    assert answer.json()["CollectionArn"].endswith(":collection/club")
    assert endpoint("ListCollections", b"").json()["CollectionIds"] == ["club"]
    assert endpoint("DeleteCollection", b'{"CollectionId": "club"}').json() == {"StatusCode": 200}


def test_a_presigned_address_is_answered(endpoint: Endpoint) -> None:
    endpoint.app.create_collection("club")
    answer = endpoint("DescribeCollection", b'{"CollectionId": "club"}', presigned=True)
    assert answer.status_code == 200, answer.text
    assert answer.json()["FaceCount"] == 0
    late = timedelta(hours=-2)
    expired = endpoint("DescribeCollection", b'{"CollectionId": "club"}', presigned=True, off=late)
    assert code(expired) == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"secret": "another"}, "UnrecognizedClientException"),
        ({"sent": b'{"MaxResults": 1}'}, "UnrecognizedClientException"),
        ({"service": "s3"}, "InvalidSignatureException"),
        ({"settings": ServiceSettings(region="us-west-2")}, "InvalidSignatureException"),
        ({"off": timedelta(minutes=-20)}, "InvalidSignatureException"),
        ({"off": timedelta(minutes=20)}, "InvalidSignatureException"),
        ({"key": "SAYSNOBODYNOBODY"}, "UnrecognizedClientException"),
        ({"token": "a-token"}, "UnrecognizedClientException"),
    ],
)
def test_who_is_not_who_they_say_is_refused(
    endpoint: Endpoint, more: dict[str, Any], told: str
) -> None:
    assert endpoint("ListCollections").status_code == 200
    assert code(endpoint("ListCollections", **more)) == told


def test_a_query_that_is_no_text_is_answered_like_any_other(endpoint: Endpoint) -> None:
    body, query, now = b'{"CollectionId": "club"}', b"a=\xff", datetime.now(UTC)
    target = "RekognitionService.CreateCollection"
    plain = signed(body, key=endpoint.key[0], secret=endpoint.key[1], target=target, at=now)
    claimed = replace(plain, query=query)  # botocore itself signs only text
    made = b"AWS4" + endpoint.key[1].encode()
    for part in (f"{now:%Y%m%d}", REGION, "rekognition", "aws4_request"):
        made = hmac.digest(made, part.encode(), "sha256")
    right = hmac.new(made, read_signature(claimed, now)._texts[0], "sha256").hexdigest().encode()
    headers = [
        (name, value[:-64] + right if name == b"authorization" else value)
        for name, value in claimed.headers
    ]
    answer = endpoint.post(_HOST + "/", body, headers, query=query)  # httpx, too, sends only text
    assert answer.status_code == 200, answer.text


def test_who_does_not_sign_is_refused(endpoint: Endpoint) -> None:
    headers = {"X-Amz-Target": "RekognitionService.ListCollections", "Content-Type": _AWS_JSON}
    answer = endpoint.post(_HOST + "/", b"{}", headers.items())
    assert code(answer, 403) == "MissingAuthenticationTokenException"
    headers["Authorization"] = "Bearer abc"
    answer = endpoint.post(_HOST + "/", b"{}", headers.items())
    assert code(answer) == "IncompleteSignatureException"


@pytest.mark.parametrize("number", [3, 4])
def test_wrong_secrets_are_counted_against_an_address(endpoint: Endpoint, number: int) -> None:
    settings = ServiceSettings(failed_sign_ins=3)
    state_codes: list[str] = []

    async def run() -> None:
        state = ServiceState(endpoint.app, settings, Engine(2, 60), KeyLimits.of(settings))
        transport = httpx.ASGITransport(RekognitionEndpoint(state))
        async with httpx.AsyncClient(transport=transport) as client:
            for _ in range(number):
                request = signed(
                    b"{}",
                    key=endpoint.key[0],
                    secret="wrong",
                    target="RekognitionService.ListCollections",
                    at=datetime.now(UTC),
                )
                answer = await client.post(_HOST + "/", content=b"{}", headers=[*request.headers])
                state_codes.append(code(answer))
                if answer.json()["__type"] == "ThrottlingException":
                    assert int(answer.headers["retry-after"]) >= 1
        await state.engine.close()

    asyncio.run(run())
    wrong = ["UnrecognizedClientException"] * 3
    assert state_codes == wrong + ["ThrottlingException"] * (number - 3)


def test_what_names_no_operation_is_unknown_to_whoever_signed_it(endpoint: Endpoint) -> None:
    assert code(endpoint("MakeCoffee", b"{}")) == "UnknownOperationException"
    wrong = endpoint("MakeCoffee", b"{}", secret="another")
    assert code(wrong) == "UnrecognizedClientException"


def test_what_is_refused_names_its_policy(endpoint: Endpoint) -> None:
    # Whatever is asked: it is refused before anything is read.
    for operation, policy in (
        ("RecognizeCelebrities", "no-celebrities"),
        ("CreateStreamProcessor", "live-watchlists"),
        ("StartPersonTracking", "no-person-tracking"),
        ("DetectText", "not-about-faces"),
        ("StartFaceSearch", "not-yet-available"),
    ):
        answer = endpoint(operation, b"{}")
        assert code(answer) == "AccessDeniedException"
        assert f"policy {policy}" in answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"[]", "SerializationException"),
        (b"{", "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        (b'{"CollectionId": 5}', "SerializationException"),
        (b"{}", "InvalidParameterException"),
        (b'{"CollectionId": "a b"}', "InvalidParameterException"),
        (b'{"CollectionId": "nothing"}', "ResourceNotFoundException"),
    ],
)
def test_what_cannot_be_done_is_told(endpoint: Endpoint, body: bytes, told: str) -> None:
    assert code(endpoint("DescribeCollection", body)) == told


def test_a_large_body_is_held_to_the_same(endpoint: Endpoint, studio: Studio) -> None:
    picture = base64.b64encode(studio.draw(1)).decode()
    body = json.dumps({"Image": {"Bytes": picture}, "Unknown": "x" * 400_000}).encode()
    answer = endpoint("DetectFaces", body)
    assert len(answer.json()["FaceDetails"]) == 1
    changed = endpoint("DetectFaces", body, sent=body.replace(b"xx", b"xy", 1))
    assert code(changed) == "UnrecognizedClientException"


@pytest.mark.parametrize(
    ("operation", "told", "status"),
    [
        ("DetectFaces", "ImageTooLargeException", 400),
        ("CompareFaces", "ImageTooLargeException", 400),
        ("CreateCollection", "RequestEntityTooLargeException", 413),
        ("MakeCoffee", "RequestEntityTooLargeException", 413),
    ],
)
def test_a_body_over_the_limit_is_too_large(
    endpoint: Endpoint, operation: str, told: str, status: int
) -> None:
    answer = endpoint(operation, b"{" + b" " * MOST_BYTES)
    assert code(answer, status) == told
    assert f"{MOST_BYTES:,}" in answer.json()["message"]


def test_a_body_at_the_limit_is_read(endpoint: Endpoint) -> None:
    body = b'{"CollectionId": "club"}'
    answer = endpoint("CreateCollection", body + b" " * (MOST_BYTES - len(body)))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("digits", [20, 309, 4000, 5000])
def test_no_number_is_too_much(endpoint: Endpoint, digits: int) -> None:
    endpoint.app.create_collection("club")
    face = "11111111-2222-3333-4444-555555555555"
    for name in ("FaceMatchThreshold", "MaxFaces", "Unknown"):
        for number in ("9" * digits, "-" + "9" * digits):
            asked = f'{{"CollectionId": "club", "FaceId": "{face}", "{name}": {number}}}'
            answer = endpoint("SearchFaces", asked.encode())
            # Whatever is made of the number, it is the client's: there is no such face either.
            assert code(answer) in {
                "InvalidParameterException",
                "ResourceNotFoundException",
                "SerializationException",
            }


@pytest.mark.parametrize("number", [2, 3])
def test_a_key_that_asks_too_often_is_throttled(endpoint: Endpoint, number: int) -> None:
    settings = ServiceSettings(key_rate=1)  # and twice as many at once
    told: list[int] = []

    async def run() -> None:
        state = ServiceState(endpoint.app, settings, Engine(2, 60), KeyLimits.of(settings))
        transport = httpx.ASGITransport(RekognitionEndpoint(state))
        async with httpx.AsyncClient(transport=transport) as client:
            for _ in range(number):
                request = signed(
                    b"{}",
                    key=endpoint.key[0],
                    secret=endpoint.key[1],
                    target="RekognitionService.ListCollections",
                    at=datetime.now(UTC),
                )
                answer = await client.post(_HOST + "/", content=b"{}", headers=[*request.headers])
                told.append(answer.status_code)
                if answer.status_code != 200:
                    assert code(answer) == "ThrottlingException"
                    assert int(answer.headers["retry-after"]) >= 1
        await state.engine.close()

    asyncio.run(run())
    assert told == [200, 200, 400][:number]


@pytest.mark.parametrize(
    ("header", "tries"),
    [
        (None, None),
        ("attempt=1; max=3", 0),
        ("attempt=1", 0),
        ("ttl=20260101T000000Z; attempt=3; max=5", 2),
        ("attempt=1; max=1", None),
        ("attempt=0", None),
        ("attempt=" + "9" * 50, None),
        ("nonsense", None),
    ],
)
def test_sdks_say_how_often_they_have_tried(header: str | None, tries: int | None) -> None:
    headers = [] if header is None else [(b"amz-sdk-request", header.encode())]
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers})
    assert wire._tries(request) == tries
