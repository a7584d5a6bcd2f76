"""The AWS SDK for JavaScript, on Node, against a real server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import npm
from tests.conformance.conftest import KNOWN, Picture, Served

PROGRAM = Path(__file__).resolve().parent / "js"


@pytest.fixture(scope="module")
def program(request: pytest.FixtureRequest) -> Path:
    """The program with the SDK installed beside it."""
    return npm.installed(PROGRAM, "js-sdk", request)


def test_a_collection_is_made_filled_searched_and_deleted(
    served: Served, person: Picture, program: Path, tmp_path: Path
) -> None:
    for number in (2, 3):
        (tmp_path / f"{number}.jpg").write_bytes(person(KNOWN, number))
    done = subprocess.run(
        [
            *("node", "flow.mjs", served.server.url, *served.attested),
            *(str(tmp_path / "3.jpg"), str(tmp_path / "2.jpg")),
        ],
        cwd=program,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    name, message = told.pop("stream")
    assert name == "AccessDeniedException"
    assert "policy live-watchlists" in message
    assert told == {
        "created": 200,
        "again": "ResourceAlreadyExistsException",
        "indexed": ["somebody"],
        "found": ["somebody"],
        "listed": 1,
        "deleted": 200,
    }


def test_the_lock_names_no_host() -> None:
    assert npm.names_no_host(PROGRAM)
