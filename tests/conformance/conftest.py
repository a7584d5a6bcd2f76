"""One real server for each module of tests, with keys of several kinds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sayso.callers import ACTIONS
from sayso.core import Sayso
from tests.service.process import ServerProcess, serving

PURPOSE = "photo-delivery"
ATTESTATION = "form 17 is signed at the desk"
#: People of LFW with several pictures that are alike, and one who is nobody of them.
KNOWN, OTHER = "George_Robertson", "Serena_Williams"


@dataclass
class Served:
    """A running service and the keys of two programs: one attests how consent is collected."""

    server: ServerProcess
    attested: tuple[str, str]
    plain: tuple[str, str]
    bucket: Path


@pytest.fixture(scope="module")
def served(model_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    data, bucket = folder / "data", folder / "photos"
    data.mkdir()
    bucket.mkdir()
    (data / "models").symlink_to(model_data / "models", target_is_directory=True)
    keys = []
    with Sayso(data) as app:
        for attestation in (ATTESTATION, None):
            made = app.create_key(
                "program", purpose=PURPOSE, actions=ACTIONS, attestation=attestation
            )
            keys.append((made.key.id, made.secret))
    buckets = json.dumps({"photos": {"folder": str(bucket)}})
    with serving(data, buckets=buckets, key_rate=1000) as server:
        server.ready()
        yield Served(server, keys[0], keys[1], bucket)


@pytest.fixture(scope="module")
def person(lfw: Path) -> Callable[[str, int], bytes]:
    """Return the bytes of a picture of somebody."""

    def read(name: str, number: int) -> bytes:
        return (lfw / "images" / name / f"{name}_{number:04}.jpg").read_bytes()

    return read


Picture = Callable[[str, int], bytes]
Client = Any
