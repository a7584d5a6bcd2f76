"""A real server under requests that nobody should send: no 500, no traceback, no hang."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from sayso.callers import ACTIONS
from sayso.core import Sayso
from tests.conformance.attacker import LONGEST
from tests.conformance.conftest import ATTESTATION, KNOWN, OTHER, PURPOSE, Picture
from tests.conformance.fuzzer import Fuzzer, signed
from tests.conformance.hostile import (
    GROWTH,
    SETTINGS,
    attacked,
    made_keys,
    resident,
    unharmed,
)
from tests.service.process import ServerProcess, serving

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


def test_nobody_else_is_kept_waiting_by_hostile_requests(
    model_data: Path, tmp_path: Path, person: Picture
) -> None:
    """The whole of it: ``python -m tests.conformance.hostile --requests 10000``."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "models").symlink_to(model_data / "models", target_is_directory=True)
    hostile, beside = made_keys(data)
    portraits = [person(KNOWN, 2), person(OTHER, 1)]
    with serving(data, **SETTINGS) as server:
        server.ready()
        outcome = attacked(server, hostile, beside, portraits, requests=FUZZ // 16, alone=3)
        unharmed(server)
    sys.stderr.write(f"{outcome}\n")
    assert outcome.wrong == []
    assert outcome.refused_beside == []
    assert outcome.peak - outcome.warm < GROWTH
    assert outcome.slowest < LONGEST
    assert len(outcome.beside) > 2
    # A hang or a line that it has to stand in would be far more than this.
    assert outcome.p95(outcome.beside) < max(8.0, 10 * outcome.p95(outcome.alone))


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
