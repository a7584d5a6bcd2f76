"""The AWS SDK for JavaScript, on Node, against a real server."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conformance.conftest import KNOWN, Picture, Served

PROGRAM = Path(__file__).resolve().parent / "js"


@pytest.fixture(scope="module")
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the SDK installed beside it, kept in pytest's cache between runs."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no Node.js with npm on this machine")
    lock = (PROGRAM / "package-lock.json").read_bytes()
    name = f"js-sdk-{hashlib.sha256(lock).hexdigest()[:16]}"
    cache = getattr(request.config, "cache", None)
    folder = Path(cache.mkdir(name)) if cache else tmp_path_factory.mktemp(name)
    for path in PROGRAM.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    if not (folder / "installed").exists():
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"the SDK cannot be installed: {done.stderr[-300:]}")
        (folder / "installed").touch()
    return folder


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
    lock = (PROGRAM / "package-lock.json").read_text()
    assert "://" not in lock
    assert '"resolved"' not in lock
