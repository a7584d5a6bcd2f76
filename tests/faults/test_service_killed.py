"""``kill -9`` of a server under mixed load: what a client saw acknowledged holds after it."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sayso.callers import ACTIONS
from sayso.core import Sayso
from tests.service.process import ServerProcess, serving

#: How many kills; the whole of it is SAYSO_KILLS=50.
KILLS = int(os.environ.get("SAYSO_KILLS", "5"))
_THREADS = 4
_PEOPLE = ("George_Robertson", "Serena_Williams", "Ai_Sugiyama", "Adam_Sandler")


class CutOff(Exception):
    """A server was gone between the head of an answer and its body."""


def whole(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer; raises CutOff for one without a body, which boto3 takes for empty."""
    if set(answer) == {"ResponseMetadata"}:
        raise CutOff
    return answer


class Client(threading.Thread):
    """Indexes, deletes and searches until the server is gone; keeps what it was told."""

    def __init__(self, number: int, rekognition: Any, pictures: list[bytes]) -> None:
        super().__init__(daemon=True)
        self.number, self.rekognition, self.pictures = number, rekognition, pictures
        self.there: set[str] = set()
        self.gone: set[str] = set()
        #: What was asked for when the server went: nobody knows whether it was done.
        self.unsure: set[str] = set()
        self.calls = 0
        #: An answer other than the right one: a server that is killed gives none at all.
        self.refusal: ClientError | None = None

    def run(self) -> None:
        chance = random.Random(time.monotonic_ns())
        try:
            while True:
                self._call(chance)
                self.calls += 1
        except ClientError as error:
            self.refusal = error
        except (BotoCoreError, CutOff):
            return

    def _call(self, chance: random.Random) -> None:
        c, place = self.rekognition, chance.randrange(len(self.pictures))
        kind = chance.random()
        if kind < 0.5 or not self.there:
            # A new picture each time: the same one would be enrolled only once.
            image = {"Bytes": self.pictures[place] + os.urandom(8)}
            name = f"client-{self.number}-{place}"
            done = whole(c.index_faces(CollectionId="club", Image=image, ExternalImageId=name))
            self.there |= {record["Face"]["FaceId"] for record in done["FaceRecords"]}
        elif kind < 0.8:
            face = chance.choice(sorted(self.there))
            self.there.discard(face)
            self.unsure.add(face)
            done = whole(c.delete_faces(CollectionId="club", FaceIds=[face]))
            assert done["DeletedFaces"] == [face]
            self.gone.add(face)
            self.unsure.discard(face)
        else:
            c.search_faces_by_image(CollectionId="club", Image={"Bytes": self.pictures[place]})


def listed(server: ServerProcess, key: tuple[str, str]) -> set[str]:
    pages = server.rekognition(key).get_paginator("list_faces").paginate(CollectionId="club")
    return {face["FaceId"] for page in pages for face in page["Faces"]}


def test_what_was_acknowledged_holds_after_a_kill(data_dir: Path, lfw: Path) -> None:
    pictures = [min((lfw / "images" / p).glob("*.jpg")).read_bytes() for p in _PEOPLE]
    with Sayso(data_dir) as app:
        app.create_collection("club")
        made = app.create_key("load", purpose="photos", actions=ACTIONS, attestation="form 17")
    key = (made.key.id, made.secret)
    there: set[str] = set()
    gone: set[str] = set()
    calls = 0
    for round_ in range(KILLS):
        with serving(data_dir, key_rate=1000) as server:
            clients = [Client(n, server.rekognition(key), pictures) for n in range(_THREADS)]
            for each in clients:
                each.start()
            ready = time.monotonic()
            while sum(each.calls for each in clients) < _THREADS:
                assert time.monotonic() < ready + 60
                time.sleep(0.02)
            time.sleep(random.Random(round_).uniform(0, 0.7))
            server.signal(signal.SIGKILL)
            for each in clients:
                each.join(60)
                assert not each.is_alive()
        assert [each.refusal for each in clients if each.refusal is not None] == []
        there |= set().union(*(each.there for each in clients))
        gone |= set().union(*(each.gone for each in clients))
        unsure = set().union(*(each.unsure for each in clients))
        there -= unsure | gone
        calls += sum(each.calls for each in clients)
        with serving(data_dir, key_rate=1000) as server:
            now = listed(server, key)
        assert there <= now, f"after kill {round_ + 1}: {len(there - now)} enrolments are lost"
        assert not gone & now, f"after kill {round_ + 1}: {len(gone & now)} deletions are lost"
        with Sayso(data_dir) as app:
            assert app.audit_verify().ok
    assert calls > KILLS * _THREADS
    sys.stderr.write(f"{KILLS} kills, {calls} calls, {len(there)} there, {len(gone)} deleted\n")
