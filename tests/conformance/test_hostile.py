"""A real server under requests that nobody should send: no 500, no traceback, no hang."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sayso.callers import ACTIONS
from sayso.core import Sayso
from sayso.service.rekognition.model import service
from tests.conformance.conftest import ATTESTATION, KNOWN, OTHER, PURPOSE, Picture
from tests.service.process import ServerProcess, serving
from tests.service.rekognition.drawn import picture_file

#: How many requests; the whole of it is SAYSO_FUZZ=10000.
FUZZ = int(os.environ.get("SAYSO_FUZZ", "2000"))
_SLOWEST = 10.0
_GROWTH = 200_000  # KiB
#: Requests after which what is loaded once is loaded.
_WARM = 300


@pytest.fixture(scope="module")
def target(
    model_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServerProcess, tuple[str, str]]]:
    data = tmp_path_factory.mktemp("hostile") / "data"
    data.mkdir()
    (data / "models").symlink_to(model_data / "models", target_is_directory=True)
    with Sayso(data) as app:
        app.create_collection("club")
        made = app.create_key("f", purpose=PURPOSE, actions=ACTIONS, attestation=ATTESTATION)
    with serving(data, key_rate=100_000, failed_sign_ins=1_000_000) as server:
        server.ready()
        yield server, (made.key.id, made.secret)


def signed(
    url: str,
    key: tuple[str, str],
    target: str,
    body: bytes,
    *,
    region: str = "us-east-1",
    of: str = "rekognition",
    at: datetime | None = None,
) -> dict[str, str]:
    """Return the headers of a request that is signed as botocore signs it."""
    request = AWSRequest(
        "POST",
        url + "/",
        headers={"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"},
        data=body,
    )
    now = (at or datetime.now(UTC)).replace(tzinfo=None)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        auth.SigV4Auth(Credentials(*key), of, region).add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


def test_what_is_signed_wrongly_is_refused(target: tuple[ServerProcess, tuple[str, str]]) -> None:
    server, key = target
    body, name = b'{"CollectionId": "club"}', "RekognitionService.DescribeCollection"

    def code(headers: dict[str, str], sent: bytes = body) -> str:
        answer = httpx.post(server.url + "/", content=sent, headers=headers, timeout=_SLOWEST)
        assert 400 <= answer.status_code < 500
        assert answer.headers["x-amzn-requestid"]
        told = str(answer.json()["__type"])
        assert answer.headers["x-amzn-errortype"] == told
        return told

    good = signed(server.url, key, name, body)
    assert httpx.post(server.url + "/", content=body, headers=good).status_code == 200
    wrong = signed(server.url, (key[0], "another secret"), name, body)
    assert code(wrong) == "UnrecognizedClientException"
    assert code(good, body + b" ") == "UnrecognizedClientException"
    old = signed(server.url, key, name, body, at=datetime.now(UTC) - timedelta(minutes=16))
    assert code(old) == "InvalidSignatureException"
    assert code(signed(server.url, key, name, body, of="s3")) == "InvalidSignatureException"
    other_region = good | {"Authorization": good["Authorization"].replace("us-east", "eu-east")}
    assert code(other_region) == "UnrecognizedClientException"
    other_key = signed(server.url, ("SAYS" + "A" * 12, key[1]), name, body)
    assert code(other_key) == "UnrecognizedClientException"
    for missing, told in (
        ("Authorization", "MissingAuthenticationTokenException"),
        ("X-Amz-Date", "IncompleteSignatureException"),
        ("X-Amz-Target", "IncompleteSignatureException"),
    ):
        assert code({name: value for name, value in good.items() if name != missing}) == told
    assert httpx.post(server.url + "/", content=body, headers=good).status_code == 200


def test_only_the_region_of_the_settings_is_taken(model_data: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "models").symlink_to(model_data / "models", target_is_directory=True)
    body, name = b"{}", "RekognitionService.ListCollections"
    with serving(data, region="eu-central-1") as server:
        for region, status in (("eu-central-1", 200), ("us-east-1", 400)):
            headers = signed(server.url, server.key(), name, body, region=region)
            answer = httpx.post(server.url + "/", content=body, headers=headers, timeout=_SLOWEST)
            assert answer.status_code == status
        assert answer.json()["__type"] == "InvalidSignatureException"


_FACE = "11111111-2222-3333-4444-555555555555"
_ARN = "arn:aws:rekognition:us-east-1:000000000000:collection/club"


def requests(image: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give requests that fit the model, one or more of each operation that is served."""
    club = {"CollectionId": "club"}
    yield from (
        ("CreateCollection", {"CollectionId": "team", "Tags": {"of": "ada"}}),
        ("DescribeCollection", club),
        ("ListCollections", {"MaxResults": 5}),
        ("DeleteCollection", {"CollectionId": "team"}),
        ("DetectFaces", {"Image": image, "Attributes": ["ALL"]}),
        ("DetectFaces", {"Image": {"S3Object": {"Bucket": "photos", "Name": "a/b.jpg"}}}),
        ("CompareFaces", {"SourceImage": image, "TargetImage": image, "SimilarityThreshold": 80}),
        ("ListFaces", {**club, "MaxResults": 5}),
        ("ListFaces", {**club, "NextToken": "abcd", "UserId": "ada", "FaceIds": [_FACE]}),
        ("DeleteFaces", {**club, "FaceIds": [_FACE]}),
        ("SearchFaces", {**club, "FaceId": _FACE, "MaxFaces": 5, "FaceMatchThreshold": 80}),
        ("SearchFacesByImage", {**club, "Image": image, "QualityFilter": "AUTO"}),
        ("CreateUser", {**club, "UserId": "ada", "ClientRequestToken": "t-1"}),
        ("ListUsers", {**club, "MaxResults": 5}),
        ("DeleteUser", {**club, "UserId": "ada", "ClientRequestToken": "t-2"}),
        ("AssociateFaces", {**club, "UserId": "ada", "FaceIds": [_FACE]}),
        ("DisassociateFaces", {**club, "UserId": "ada", "FaceIds": [_FACE]}),
        ("SearchUsers", {**club, "UserId": "ada", "UserMatchThreshold": 80}),
        ("SearchUsersByImage", {**club, "Image": image, "MaxUsers": 5}),
        ("TagResource", {"ResourceArn": _ARN, "Tags": {"of": "ada"}}),
        ("UntagResource", {"ResourceArn": _ARN, "TagKeys": ["of"]}),
        ("ListTagsForResource", {"ResourceArn": _ARN}),
        ("IndexFaces", {**club, "Image": image, "ExternalImageId": "ada", "MaxFaces": 1}),
    )


class Fuzzer:
    """Draws requests from the model, and then spoils some of them."""

    def __init__(self, seed: int, portraits: list[bytes]) -> None:
        self.random = random.Random(seed)
        self.portraits = [base64.b64encode(each).decode() for each in portraits]
        #: Faces that the server told of.
        self.faces = [_FACE]
        self.picture = base64.b64encode(picture_file((100, 100), form="JPEG")).decode()
        self.valid = list(requests({"Bytes": self.picture}))

    def request(self) -> tuple[str, bytes]:
        if self.random.random() < 0.6:
            operation, document = self.random.choice(self.valid)
            if "Image" in document and self.random.random() < 0.25:
                document = {**document, "Image": {"Bytes": self.random.choice(self.portraits)}}
            document = self.mutated(document, self.random.choice([0.0, 0.05, 0.3]))
        else:
            operation = self.random.choice(service().operation_names)
            if operation == "DeleteCollection":  # so that there is something to ask about
                operation = "DescribeCollection"
            shape = service().operation_model(operation).input_shape
            document = {} if shape is None else self.value(shape, 0)
        body = json.dumps(document).encode()
        if self.random.random() < 0.15:
            body = self.spoilt(body)
        return f"RekognitionService.{operation}", body

    def mutated(self, value: Any, rate: float) -> Any:
        """Return a value with some of what is in it replaced, left out or sent twice."""
        if self.random.random() < rate / 4:
            return self.odd()
        if isinstance(value, dict):
            kept = {n: v for n, v in value.items() if self.random.random() >= rate / 4}
            return {name: self.mutated(each, rate) for name, each in kept.items()}
        if isinstance(value, list):
            items = [self.mutated(each, rate) for each in value]
            return items * self.random.choice([0, 2, 200]) if self.random.random() < rate else items
        if value == _FACE:
            value = self.random.choice(self.faces)
        if isinstance(value, str) and self.random.random() < rate:
            at = self.random.randrange(len(value) + 1)
            return (
                value[:at] + self.random.choice(["", "\n", "/", "%", "\0", "é"]) + value[at + 1 :]
            )
        if isinstance(value, int) and self.random.random() < rate:
            return self.random.choice([-value, value * 1000, value + 0.5, str(value)])
        return value

    def learn(self, answer: Any) -> None:
        """Take up what can be asked about."""
        for record in answer.get("FaceRecords", ()):
            self.faces = [*self.faces[-20:], record["Face"]["FaceId"]]

    def odd(self) -> Any:
        """Return what has no place in a request, or hardly any."""
        return self.random.choice(
            [None, 0, -1, 1e308, True, "", "x" * 5000, "\ud800", "\x00", [], {}, [[]], "é" * 9]
        )

    def headers(self, url: str, key: tuple[str, str], name: str, body: bytes) -> dict[str, str]:
        """Return headers of a good signature, or in one of ten cases of another or of none."""
        headers = signed(url, key, name, body)
        kind = self.random.randrange(40)
        if kind == 0:
            headers["Authorization"] = self.random.choice(
                ["", "Bearer x", "AWS4-HMAC-SHA256", headers["Authorization"][:-3]]
            )
        elif kind == 1:
            del headers[self.random.choice(sorted(headers))]
        elif kind == 2:
            text = headers["Authorization"]
            at = self.random.randrange(len(text))
            headers["Authorization"] = text[:at] + self.text(3) + text[at + 1 :]
        elif kind == 3:
            headers = {
                name: self.text(self.random.randrange(200))
                for name in ("Authorization", "X-Amz-Date", "X-Amz-Target", "Content-Type")
                if self.random.random() < 0.7
            }
        return headers

    def text(self, length: int) -> str:
        """Return random text as it may stand in a header."""
        return "".join(chr(self.random.randrange(33, 127)) for _ in range(length))

    def spoilt(self, body: bytes) -> bytes:
        kind = self.random.randrange(4)
        if kind == 0:
            return self.random.randbytes(self.random.randrange(300))
        at = self.random.randrange(len(body) + 1)
        if kind == 1:
            return body[:at]
        if kind == 2:
            return body[:at] + self.random.randbytes(3) + body[at:]
        return b'{"a":' * self.random.randrange(2000) + body

    def value(self, shape: Any, depth: int) -> Any:  # noqa: PLR0911
        if self.random.random() < 0.06 or depth > 6:
            return self.odd()
        kind = shape.type_name
        if kind == "structure":
            kept = [name for name in shape.members if self.random.random() < 0.7]
            return {name: self.value(shape.members[name], depth + 1) for name in kept}
        if kind == "list":
            return [self.value(shape.member, depth + 1) for _ in range(self.random.randrange(3))]
        if kind == "map":
            return {"k": self.value(shape.value, depth + 1)}
        if kind == "blob":
            return self.random.choice([self.picture, "", "AAAA", "?"])
        if kind == "string":
            return self.random.choice(
                [
                    *shape.enum,
                    "club",
                    "club",
                    "ada",
                    "photos",
                    _FACE,
                ]
            )
        return self.random.choice([0, 1, 2, 50, 80, 101, 5000, -3, 1 << 70])


def resident(server: ServerProcess) -> int:
    """Return the server's resident memory in KiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def test_random_requests_are_answered_and_none_by_a_500(
    target: tuple[ServerProcess, tuple[str, str]], person: Picture
) -> None:
    server, key = target
    fuzzer = Fuzzer(17, [person(KNOWN, 2), person(KNOWN, 3), person(OTHER, 1)])
    statuses: dict[int, int] = {}
    before = 0
    with httpx.Client(timeout=_SLOWEST) as client:
        for number in range(FUZZ):
            name, body = fuzzer.request()
            headers = fuzzer.headers(server.url, key, name, body)
            began = time.monotonic()
            answer = client.post(server.url + "/", content=body, headers=headers)
            assert time.monotonic() - began < _SLOWEST, (name, body[:500])
            assert answer.status_code < 500, (name, body[:2000], answer.text)
            if answer.status_code != 200:
                assert answer.json()["__type"]
            else:
                fuzzer.learn(answer.json())
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            if number == min(_WARM, FUZZ // 4):
                before = resident(server)
    assert statuses[200] > FUZZ // 20, statuses
    assert len(fuzzer.faces) > 1
    grown = resident(server) - before
    assert grown < _GROWTH
    unharmed(server)
    sys.stderr.write(f"POST /: {FUZZ} requests, {statuses}, {grown / 1000:+.0f} MB\n")


def unharmed(server: ServerProcess) -> None:
    """Raise AssertionError unless the server goes on and had no trouble."""
    assert server.process.poll() is None
    assert server.get("/healthz").status_code == 200
    assert "Traceback" not in server.log
    # Not even a library writes a line of its own beside the log.
    assert [line for line in server.err if not line.startswith("{")] == []
    # The server's own log has no tracebacks: it tells of an error in a line of its own.
    assert [line for line in server.lines if line["level"] in {"error", "critical"}] == []


def test_schemathesis_finds_no_500_in_the_rest_api(
    target: tuple[ServerProcess, tuple[str, str]], tmp_path: Path
) -> None:
    server, key = target
    # There are more than 40 operations; of some there are not so many different requests.
    each = max(1, FUZZ // 40)
    lines, before = len(server.err), resident(server)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/v1/openapi.json"),
            *("--header", "Authorization: Bearer {}.{}".format(*key), "--url", server.url),
            *(
                "--checks",
                "not_a_server_error,content_type_conformance,response_schema_conformance",
            ),
            *("--phases", "coverage,fuzzing" if FUZZ >= 10_000 else "fuzzing"),
            *("--max-examples", str(each), "--seed", "5", "--no-color"),
            *("--exclude-operation-id", "revoke_key", "--request-timeout", "10"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert re.search(r"[1-9]\d* (generated|passed)|passed", done.stdout), done.stdout[-1500:]
    answered = Counter(
        (line["route"], line["status"])
        for line in map(json.loads, (each for each in server.err[lines:] if each[0] == "{"))
        if line["message"] == "request"
    )
    sys.stderr.write(f"/v1: {answered.total()} requests, {answered}\n")
    assert answered.total() >= FUZZ
    assert sum(n for (_, status), n in answered.items() if status < 300) > FUZZ // 20
    assert resident(server) - before < _GROWTH
    unharmed(server)
