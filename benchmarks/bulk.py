"""A bulk import beside somebody who waits: ``python -m benchmarks service`` has it.

Threads share one boto3 client with its default settings, as importers do: five tries, 60 seconds
for an answer, a pool of ten connections. A picture is lost when boto3 gives up on it. Meanwhile
another key searches, one picture after the other. Both are processes of their own, and take their
processor time from the service.
"""

from __future__ import annotations

import logging
import multiprocessing
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import numpy as np
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks import lfw
from benchmarks.timing import table
from sayso.callers import ACTIONS
from sayso.core import Sayso

BULK_THREADS = (8, 32, 128)
PICTURES = 500
#: How long somebody is measured alone, in seconds, and the longest they wait between two searches.
ALONE, PAUSE = 20.0, 0.3
#: The first answers beside a batch do not count, nor do its last ones: it is not all there.
_EDGE = 0.05
_SPAWN = multiprocessing.get_context("spawn")


@dataclass
class Imported:
    """What became of the pictures of a batch."""

    answered: int = 0
    indexed: int = 0
    lost: int = 0
    throttled: int = 0
    retried: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    errors: set[str] = field(default_factory=set)


def _client(url: str, key: tuple[str, str]) -> Any:
    return boto3.client(
        "rekognition",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
    )


def _import(
    url: str, key: tuple[str, str], collection: str, files: list[str], threads: int, pipe: Any
) -> None:
    logging.disable(logging.WARNING)  # that the pool of connections is full, again and again
    client, told, lock = _client(url, key), Imported(), threading.Lock()

    def count(response: Any, **_: Any) -> None:
        code = "" if response is None else response[1].get("Error", {}).get("Code", "")
        with lock:
            told.throttled += code == "ThrottlingException"

    client.meta.events.register("needs-retry.rekognition", count)

    def index(number: int) -> None:
        began = time.monotonic()
        picture = Path(files[number]).read_bytes()
        try:
            answer = client.index_faces(
                CollectionId=collection, Image={"Bytes": picture}, ExternalImageId=f"p{number}"
            )
        except (ClientError, BotoCoreError) as error:
            with lock:
                told.lost += 1
                told.errors.add(type(error).__name__)
            return
        with lock:
            told.answered += 1
            told.indexed += len(answer["FaceRecords"])
            told.retried += answer["ResponseMetadata"]["RetryAttempts"] > 0
            told.slowest = max(told.slowest, time.monotonic() - began)

    began = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(index, range(len(files))))
    told.seconds = time.monotonic() - began
    pipe.send(told)


def _search(
    url: str, key: tuple[str, str], collection: str, picture: bytes, seconds: float, pipe: Any
) -> None:
    """Search again and again, until so many seconds are over or the pipe says stop."""
    client, chance = _client(url, key), random.Random(1)
    took: list[float] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and not pipe.poll():
        began = time.monotonic()
        client.search_faces_by_image(CollectionId=collection, Image={"Bytes": picture})
        took.append(time.monotonic() - began)
        time.sleep(chance.uniform(0, PAUSE))
    pipe.send(took)


def _started(work: Callable[..., None], *given: Any) -> tuple[Any, Any]:
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=work, args=(*given, theirs))
    process.start()
    return process, ours


def make_keys(app: Sayso, purpose: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the keys of the batch and of somebody beside it."""
    made = [
        app.create_key(name, purpose=purpose, actions=ACTIONS, attestation="benchmark")
        for name in ("batch", "person")
    ]
    return (made[0].key.id, made[0].secret), (made[1].key.id, made[1].secret)


def pictures(count: int = PICTURES) -> list[str]:
    """Return files of so many different people of LFW."""
    folders = sorted(each for each in (lfw.folder() / "images").iterdir() if each.is_dir())
    return [str(min(each.glob("*.jpg"))) for each in folders[:count]]


def measured(
    url: str,
    batch: tuple[str, str],
    person: tuple[str, str],
    picture: bytes,
    *,
    collections: tuple[str, str],
    threads: int,
    files: list[str],
) -> tuple[Imported, list[float], list[float]]:
    """Return what became of a batch, and the seconds that somebody waited alone and beside it.

    ``collections`` are the one that is imported into, and the one that is searched.
    """
    process, pipe = _started(_search, url, person, collections[1], picture, ALONE)
    alone: list[float] = pipe.recv()
    process.join()
    person_process, person_pipe = _started(_search, url, person, collections[1], picture, 3600.0)
    process, pipe = _started(_import, url, batch, collections[0], files, threads)
    told: Imported = pipe.recv()
    process.join()
    person_pipe.send("stop")
    beside: list[float] = person_pipe.recv()
    person_process.join()
    edge = int(_EDGE * len(beside))
    return told, alone[1:], beside[edge : len(beside) - edge]


def report(
    url: str, keys: tuple[tuple[str, str], tuple[str, str]], picture: bytes, searched: str
) -> str:
    """Return the part of the section; each batch is enrolled into a collection of its own."""
    files, rows = pictures(), []
    for threads in BULK_THREADS:
        collection = f"bulk-{threads}"
        _client(url, keys[0]).create_collection(CollectionId=collection)
        told, alone, beside = measured(
            url,
            keys[0],
            keys[1],
            picture,
            collections=(collection, searched),
            threads=threads,
            files=files,
        )
        calm, busy = np.percentile(alone, [50, 95]), np.percentile(beside, [50, 95])
        rows.append(
            (
                threads,
                f"{told.answered}, {told.indexed}",
                told.lost,
                told.throttled,
                told.retried,
                f"{told.answered / told.seconds:.1f}",
                f"{told.slowest:.1f}",
                f"{1000 * calm[0]:.0f}, {1000 * calm[1]:.0f}",
                f"{1000 * busy[0]:.0f}, {1000 * busy[1]:.0f}",
                f"{busy[1] / calm[1]:.1f}",
                len(beside),
            )
        )
    head = (
        "threads", "answered, indexed", "lost", "throttled", "retried", "pictures/s",
        "slowest, s", "another key alone: p50, p95 ms", "beside: p50, p95 ms", "p95, times",
        "searches beside",
    )  # fmt: skip
    return (
        f"Bulk import: {len(files)} pictures of LFW are indexed by threads that share one boto3 "
        "client with its default settings. Meanwhile another key searches, one picture after the "
        "other, with short pauses.\n\n" + table(head, rows)
    )
