"""A real server under everything that nobody should send, with somebody beside it who is served.

``python -m tests.conformance.hostile --requests 10000`` sends requests drawn at random, from
several connections at once: to the Rekognition wire, the REST API and the console, with wrong
signatures and keys, bodies that are cut off, bytes that are no HTTP, and pictures that are broken
or cost as much as they can. Clients leave before they are answered. It ends with status 1 if a
request was answered with a 5xx other than "come again", if anything took longer than it may, or if
the person beside was refused once.
"""

from __future__ import annotations

import argparse
import base64
import functools
import http.client
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import numpy as np

from sayso.callers import ACTIONS
from sayso.core import Sayso
from tests.conformance.attacker import LONGEST, NOTING, Attacker, Noted
from tests.conformance.fuzzer import signed
from tests.service.process import ServerProcess, serving

#: Connections that send at once.
SENDERS = 8
#: What the service may hold in memory more than when it was warm, in KiB.
GROWTH = 1_500_000
#: How long the person is measured alone, in seconds, and how long they pause at most.
ALONE, PAUSE = 8.0, 0.4


@dataclass
class Outcome(Noted):
    """What came of an attack, and how long somebody beside it waited, alone and meanwhile."""

    alone: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    refused_beside: list[str] = field(default_factory=list)
    warm: int = 0
    peak: int = 0
    seconds: float = 0.0

    def p95(self, took: list[float]) -> float:
        """Return the 95th percentile, in seconds."""
        return float(np.percentile(took, 95))

    def __str__(self) -> str:
        return (
            f"{self.statuses.total()} requests in {self.seconds:.0f} s: {dict(self.statuses)}; "
            f"slowest {self.slowest:.1f} s; memory {self.warm // 1024} MiB warm, "
            f"{self.peak // 1024} MiB at most; somebody beside: p95 {self.p95(self.alone):.2f} s "
            f"alone, {self.p95(self.beside):.2f} s beside it ({len(self.beside)} searches, "
            f"{len(self.refused_beside)} refused); wrong: {self.wrong[:5]}"
        )


def attacked(
    server: ServerProcess,
    hostile: tuple[str, str],
    person: tuple[str, str],
    portraits: list[bytes],
    *,
    requests: int,
    seed: int = 1,
    alone: float = ALONE,
    senders: int = SENDERS,
) -> Outcome:
    """Attack a server with one key, while somebody with another one searches ``people``."""
    outcome = Outcome()
    over = threading.Event()
    search = _search(server, person, portraits[0], outcome)
    search()
    ends = time.monotonic() + alone
    while time.monotonic() < ends:
        outcome.alone.append(search())
    outcome.warm = outcome.peak = resident(server)

    def beside() -> None:
        while not over.is_set():
            outcome.beside.append(search())
            time.sleep(random.uniform(0, PAUSE))

    def watch() -> None:
        while not over.wait(0.2):
            outcome.peak = max(outcome.peak, resident(server))

    numbers = iter(range(requests))

    def send(number: int) -> None:
        attacker = Attacker(server, hostile, portraits, 1000 * seed + number, outcome)
        while _next(numbers) is not None:
            attacker.attack()

    began = time.monotonic()
    watching = _started(beside, watch)
    for each in _started(*(functools.partial(send, number) for number in range(senders))):
        each.join()
    outcome.seconds = time.monotonic() - began
    over.set()
    for each in watching:
        each.join()
    return outcome


def _next(numbers: Iterator[int]) -> int | None:
    with NOTING:
        return next(numbers, None)


def _started(*work: Callable[[], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=each) for each in work]
    for each in threads:
        each.start()
    return threads


def _search(
    server: ServerProcess, key: tuple[str, str], picture: bytes, outcome: Outcome
) -> Callable[[], float]:
    """Return what searches once, and returns how long it took."""
    image = {"Bytes": base64.b64encode(picture).decode()}
    body = json.dumps({"CollectionId": "people", "Image": image}).encode()

    def search() -> float:
        began = time.monotonic()
        headers = signed(server.url, key, "RekognitionService.SearchFacesByImage", body)
        connection = http.client.HTTPConnection(*server.address, timeout=LONGEST)
        try:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != HTTPStatus.OK:
                outcome.refused_beside.append(f"{answer.status} {content[:200]!r}")
        except OSError as error:
            outcome.refused_beside.append(type(error).__name__)
        finally:
            connection.close()
        return time.monotonic() - began

    return search


def resident(server: ServerProcess) -> int:
    """Return the resident memory of the server and of the processes it has started, in KiB."""
    total = 0
    pids = [server.process.pid]
    while pids:
        pid = pids.pop()
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except OSError:  # it has just ended
            continue
        if "VmRSS:" in status:
            total += int(status.split("VmRSS:")[1].split()[0])
    return total


def unharmed(server: ServerProcess) -> None:
    """Raise AssertionError unless the server goes on and had no trouble."""
    assert server.process.poll() is None
    assert server.get("/healthz").status_code == 200
    assert "Traceback" not in server.log
    # Not even a library writes a line of its own beside the log.
    assert [line for line in server.err if not line.startswith("{")] == []
    # The server's own log has no tracebacks: it tells of an error in a line of its own.
    assert [line for line in server.lines if line["level"] in {"error", "critical"}] == []


def made_keys(data: Path) -> tuple[tuple[str, str], tuple[str, str]]:
    """Make the collections, and return the attackers' key and the person's."""
    with Sayso(data) as app:
        app.create_collection("club")
        app.create_collection("people")
        made = [
            app.create_key(
                name, purpose="photo-delivery", actions=ACTIONS, collections=[where],
                attestation="form 17 is signed at the desk",
            )
            for name, where in (("hostile", "club"), ("person", "people"))
        ]  # fmt: skip
    return (made[0].key.id, made[0].secret), (made[1].key.id, made[1].secret)


#: The settings of a server that is attacked: its limits on keys would hold most of it off.
SETTINGS = {"key_rate": 100_000, "failed_sign_ins": 1_000_000}


def main() -> int:
    """Attack a server of its own, and say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    from sayso.settings import load_settings
    from tests.data import require

    portraits = [each.read_bytes() for each in sorted(require("lfw").rglob("*.jpg"))[:3]]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        (data / "models").symlink_to(load_settings().data / "models", target_is_directory=True)
        hostile, person = made_keys(data)
        with serving(data, **SETTINGS) as server:
            server.ready()
            outcome = attacked(
                server, hostile, person, portraits, requests=chosen.requests, seed=chosen.seed
            )
            sys.stdout.write(f"{outcome}\n{os.linesep.join(outcome.refused_beside[:5])}\n")
            sys.stderr.writelines(line for line in server.err if not line.startswith("{"))
            sys.stderr.writelines(
                f"{line}\n" for line in server.lines if line["level"] in {"error", "critical"}
            )
            unharmed(server)
    fine = not outcome.wrong and not outcome.refused_beside
    return 0 if fine and outcome.peak - outcome.warm < GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
