"""A bulk import as people do it: one boto3 client with its default settings, and many threads."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from tests.conformance.conftest import Served
from tests.service.rekognition.drawn import picture_file

THREADS, PICTURES = 128, 160


def client(served: Served, key: tuple[str, str]) -> Any:
    """Return a client of which nothing is set but where the service is, and the key."""
    return boto3.client(
        "rekognition",
        endpoint_url=served.server.url,
        region_name="us-east-1",
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
    )


@pytest.fixture
def quiet() -> Any:
    """Leave out what urllib3 says of a pool that is full."""
    logger = logging.getLogger("urllib3.connectionpool")
    level = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(level)


@pytest.mark.usefixtures("quiet")
def test_of_128_threads_none_is_refused_and_a_person_is_served_meanwhile(served: Served) -> None:
    picture = {"Bytes": picture_file((100, 100), form="JPEG")}
    batch, person = client(served, served.attested), client(served, served.plain)
    person.detect_faces(Image=picture)
    over = threading.Event()
    waits: list[float] = []

    def look() -> None:
        while not over.is_set():
            began = time.monotonic()
            person.detect_faces(Image=picture)
            waits.append(time.monotonic() - began)
            time.sleep(0.05)

    def ask(_: int) -> int:
        answer = batch.detect_faces(Image=picture)
        return int(answer["ResponseMetadata"]["RetryAttempts"])

    looking = threading.Thread(target=look)
    looking.start()
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            retried = sum(pool.map(ask, range(PICTURES)))
        took = time.monotonic() - began
    finally:
        over.set()
        looking.join()
    assert retried == 0
    # Whoever stood in line with the batch would be served a few times only.
    assert len(waits) > 3 * PICTURES / THREADS
    assert sorted(waits)[len(waits) // 2] < took * THREADS / PICTURES / 2
