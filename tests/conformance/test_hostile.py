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
from tests.conformance.conftest import ATTESTATION, PURPOSE
from tests.service.process import ServerProcess, serving
from tests.service.rekognition.drawn import picture_file

#: How many requests; the whole of it is SAYSO_FUZZ=10000.
FUZZ = int(os.environ.get("SAYSO_FUZZ", "1000"))
_SLOWEST = 10.0
_GROWTH = 250_000  # KiB


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
        answer = httpx.post(server.url + "/", content=sent, headers=headers)
        assert 400 <= answer.status_code < 500
        assert answer.headers["x-amzn-requestid"]
        told = str(answer.json()["__type"])
        assert answer.headers["x-amzn-errortype"] == told
        return told

    good = signed(server.url, key, name, body)
    assert httpx.post(server.url + "/", content=body, headers=good).status_code == 200
    wrong = signed(server.url, (key[0], "another secret"), name, body)
    assert code(wrong) == "InvalidSignatureException"
    assert code(good, body + b" ") == "InvalidSignatureException"
    old = signed(server.url, key, name, body, at=datetime.now(UTC) - timedelta(minutes=16))
    assert code(old) == "InvalidSignatureException"
    assert code(signed(server.url, key, name, body, of="s3")) == "InvalidSignatureException"
    other_region = good | {"Authorization": good["Authorization"].replace("us-east", "eu-east")}
    assert code(other_region) == "InvalidSignatureException"
    for missing in ("Authorization", "X-Amz-Date", "X-Amz-Target"):
        headers = {name: value for name, value in good.items() if name != missing}
        assert code(headers) in {
            "MissingAuthenticationTokenException",
            "IncompleteSignatureException",
        }


class Fuzzer:
    """Draws requests from the model, and then spoils some of them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.picture = base64.b64encode(picture_file((100, 100), form="JPEG")).decode()

    def request(self) -> tuple[str, bytes]:
        operation = self.random.choice(service().operation_names)
        if operation == "DeleteCollection":  # so that there is something to ask about
            operation = "DescribeCollection"
        shape = service().operation_model(operation).input_shape
        document = {} if shape is None else self.value(shape, 0)
        body = json.dumps(document).encode()
        if self.random.random() < 0.15:
            body = self.spoilt(body)
        return f"RekognitionService.{operation}", body

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
            return self.random.choice(
                [None, 0, -1, 1e308, True, "", "x" * 5000, "\ud800", "\x00", [], {}, [[]], "é" * 9]
            )
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
                    "11111111-2222-3333-4444-555555555555",
                ]
            )
        return self.random.choice([0, 1, 2, 50, 80, 101, 5000, -3, 1 << 70])


def resident(server: ServerProcess) -> int:
    """Return the server's resident memory in KiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def test_random_requests_are_answered_and_none_by_a_500(
    target: tuple[ServerProcess, tuple[str, str]],
) -> None:
    server, key = target
    fuzzer = Fuzzer(17)
    statuses: dict[int, int] = {}
    before = 0
    with httpx.Client(timeout=60) as client:
        for number in range(FUZZ):
            name, body = fuzzer.request()
            headers = signed(server.url, key, name, body)
            if fuzzer.random.random() < 0.05:
                headers["Authorization"] = fuzzer.random.choice(
                    ["", "Bearer x", "AWS4-HMAC-SHA256", headers["Authorization"][:-3]]
                )
            began = time.monotonic()
            answer = client.post(server.url + "/", content=body, headers=headers)
            assert time.monotonic() - began < _SLOWEST, (name, body[:500])
            assert answer.status_code < 500, (name, body[:2000], answer.text)
            if answer.status_code != 200:
                assert answer.json()["__type"]
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            if number == FUZZ // 4:  # what is loaded once is loaded
                before = resident(server)
    assert statuses[200] > FUZZ // 100, statuses
    assert resident(server) - before < _GROWTH
    assert "Traceback" not in server.log


def test_schemathesis_finds_no_500_in_the_rest_api(
    target: tuple[ServerProcess, tuple[str, str]], tmp_path: Path
) -> None:
    server, key = target
    each = max(1, FUZZ // 200)
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
    assert "Traceback" not in server.log
    assert server.get("/healthz").status_code == 200
