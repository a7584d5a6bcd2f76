"""The service under load, over loopback: ``python -m benchmarks.service``.

Clients in a process of their own keep asking as soon as they are answered, over connections that
stay open; who is throttled waits a little, as SDKs do. The processor time that the clients take is
told, since on one machine it is taken from the service. The engine's own speed is that of the
analyzer in a loop, in the same run, in turns with the service.

Overload is an open loop: four times as many requests in a second as 8 clients were answered, sent
at random moments whatever became of those before, and none of them again; for as long as it takes
to answer so many that their 99th percentile is more than the slowest few.
"""

from __future__ import annotations

import functools
import http.client
import json
import multiprocessing
import os
import queue
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from PIL import Image

from benchmarks import bulk, crowd, lfw
from benchmarks.safeguards import ANY, GALLERY, _synthetic, version
from benchmarks.timing import THREADS, table
from sayso.analyzer import Analyzer
from sayso.callers import ACTIONS
from sayso.core import Sayso
from sayso.results import Consent, FalseMatchRule
from sayso.settings import load_settings

PURPOSE, COLLECTION = "photo-delivery", "club"
CLIENTS = (1, 8, 32)
SECONDS = 8.0
#: Requests that are answered under overload, about.
OVERLOADED = 800
OVERLOAD = 4
#: Connections of the open loop: what is let in, and more than are refused meanwhile.
_SENDERS = 48
_BACK_OFF = 0.25  # seconds, with jitter; an SDK's first retry comes after up to half a second


@dataclass(frozen=True)
class Ask:
    """A request: headers of one AWS operation, or of a REST call."""

    name: str
    path: str
    body: bytes
    target: str | None


@dataclass
class Told:
    """What clients saw: seconds of answers and of refusals, and what they cost themselves."""

    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    #: When those answered and those refused were sent, in the same order.
    answered_at: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    other: int = 0
    cpu: float = 0.0
    wall: float = 0.0


def _headers(url: str, key: tuple[str, str], ask: Ask) -> dict[str, str]:
    if ask.target is None:
        return {"Authorization": f"Bearer {key[0]}.{key[1]}", "Content-Type": "image/jpeg"}
    request = AWSRequest(
        "POST",
        url + "/",
        headers={
            "X-Amz-Target": f"RekognitionService.{ask.target}",
            "Content-Type": "application/x-amz-json-1.1",
        },
        data=ask.body,
    )
    auth.SigV4Auth(Credentials(*key), "rekognition", "us-east-1").add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


class _Sender:
    """One connection that stays open, and asks the same again and again."""

    def __init__(self, url: str, headers: dict[str, str], ask: Ask, told: Told) -> None:
        parts = urlsplit(url)
        self._headers, self._ask, self._told = headers, ask, told
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)

    def send(self, due: float) -> bool:
        """Ask, and note how long the answer took since it was due; False when refused."""
        told = self._told
        try:
            self._connection.request(
                "POST", self._ask.path, body=self._ask.body, headers=self._headers
            )
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            told.other += 1
            return True
        noted = (time.monotonic() - due, due)
        if answer.status == 200:
            _note(noted, told.answered, told.answered_at)
        elif answer.status == 429 or b"ThrottlingException" in body:
            _note(noted, told.refused, told.refused_at)
            return False
        else:
            told.other += 1
        return True


def _note(noted: tuple[float, float], took: list[float], due: list[float]) -> None:
    with _NOTING:
        took.append(noted[0])
        due.append(noted[1])


_NOTING = threading.Lock()


def _client(sender: _Sender, until: float) -> None:
    """Ask as soon as the last answer has come; after a refusal, a little later."""
    chance = np.random.default_rng()
    while time.monotonic() < until:
        if not sender.send(time.monotonic()):
            time.sleep(_BACK_OFF * chance.uniform(0.5, 1.5))


def _on_time(sender: _Sender, dues: queue.SimpleQueue[float]) -> None:
    """Ask at the moments that nobody else has taken yet."""
    while True:
        try:
            due = dues.get_nowait()
        except queue.Empty:
            return
        time.sleep(max(0.0, due - time.monotonic()))
        sender.send(due)


def _generate(
    url: str, key: tuple[str, str], ask: Ask, clients: int, seconds: float, rate: float, pipe: Any
) -> None:
    """Run clients in threads of this process, and send what they were told."""
    headers = _headers(url, key, ask)
    told = Told()
    spent, began = _processor_time(), time.monotonic()
    dues: queue.SimpleQueue[float] = queue.SimpleQueue()
    if rate:
        moments = np.sort(np.random.default_rng(3).uniform(0, seconds, round(rate * seconds)))
        for moment in moments:
            dues.put(began + float(moment))
    threads = []
    for _ in range(clients):
        sender = _Sender(url, headers, ask, told)
        work = functools.partial(_on_time, sender, dues) if rate else None
        threads.append(
            threading.Thread(target=work or functools.partial(_client, sender, began + seconds))
        )
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.wall = time.monotonic() - began
    told.cpu = _processor_time() - spent
    pipe.send(told)


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def load(
    url: str, key: tuple[str, str], ask: Ask, clients: int, seconds: float, rate: float = 0.0
) -> Told:
    """Return what so many clients were told within that time.

    With a rate they send so many requests in a second; without, each as fast as it is answered.
    """
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_generate, args=(url, key, ask, clients, seconds, rate, theirs)
    )
    process.start()
    told: Told = ours.recv()
    process.join()
    return told


def _percentiles(seconds: list[float]) -> tuple[str, str, str]:
    if not seconds:
        return ("", "", "")
    p50, p95, p99 = np.percentile(np.array(seconds) * 1000, [50, 95, 99])
    return (f"{p50:.0f}", f"{p95:.0f}", f"{p99:.0f}")


def _portrait() -> bytes:
    """A picture of one person, 640 x 640."""
    import io

    path = min((lfw.folder() / "images").rglob("*.jpg"))
    file = io.BytesIO()
    Image.open(path).resize((640, 640), Image.Resampling.LANCZOS).save(file, "JPEG", quality=90)
    return file.getvalue()


def _asks(portrait: bytes, scene: bytes) -> list[Ask]:
    import base64

    image = {"Bytes": base64.b64encode(portrait).decode()}
    search = {"CollectionId": COLLECTION, "Image": image}
    return [
        Ask("DetectFaces", "/", json.dumps({"Image": image}).encode(), "DetectFaces"),
        Ask(
            f"SearchFacesByImage in {GALLERY:,}",
            "/",
            json.dumps(search).encode(),
            "SearchFacesByImage",
        ),
        Ask("recognize, 110 people in 4K", f"/v1/collections/{COLLECTION}/recognize", scene, None),
    ]


def main() -> str:
    """Return the section."""
    portrait, scene = _portrait(), crowd.compose().jpeg
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        (data / "models").symlink_to(load_settings().data / "models", target_is_directory=True)
        with Sayso(data) as app:
            app.create_collection(COLLECTION, rule=FalseMatchRule(ANY))
            app.enroll_templates(
                COLLECTION,
                subjects=[f"s{row}" for row in range(GALLERY)],
                templates=_synthetic(GALLERY),
                consent=Consent([PURPOSE], "benchmark"),
                version=version(),
            )
            made = app.create_key("load", purpose=PURPOSE, actions=ACTIONS)
            keys = bulk.make_keys(app, PURPOSE)
        environment = os.environ | {
            "SAYSO_DATA": str(data),
            "SAYSO_KEY_RATE": "100000",
            "SAYSO_KEY_CONCURRENCY": "1000",
            "SAYSO_INTERACTIVE_KEYS": made.key.id,  # under overload it is refused, and never waits
        }
        server = subprocess.Popen(
            [sys.executable, "-m", "sayso", "serve", "--port", "0"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout is not None
            lines = (line for line in server.stdout if line.startswith("listening on "))
            url = next(lines).split()[-1]
            told = _report(url, (made.key.id, made.secret), portrait, scene)
            return f"{told}\n\n{bulk.report(url, keys, portrait, COLLECTION)}"
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


def _report(url: str, key: tuple[str, str], portrait: bytes, scene: bytes) -> str:
    analyzer = Analyzer()
    rows, ratios, overload = [], [], []
    for ask, picture in zip(_asks(portrait, scene), (portrait, portrait, scene), strict=True):
        slow = picture is scene
        seconds = SECONDS * (2 if slow else 1)
        load(url, key, ask, 1, 4.0)  # what is loaded once is loaded
        faces = len(analyzer.analyze(picture).faces)
        engine: list[float] = []
        by_clients: dict[int, Told] = {}
        for clients in CLIENTS:
            engine.append(_engine(analyzer, picture, seconds / 4))
            told = by_clients[clients] = load(url, key, ask, clients, seconds)
            rows.append(
                (
                    ask.name,
                    clients,
                    f"{len(told.answered) / told.wall:.1f}",
                    f"{faces * len(told.answered) / told.wall:.1f}",
                    *_percentiles(told.answered),
                    len(told.refused),
                    told.other,
                    f"{told.cpu / told.wall / THREADS:.0%}",
                )
            )
        engine.append(_engine(analyzer, picture, seconds / 4))
        own = statistics.median(engine)
        eight = by_clients[8]
        rate = len(eight.answered) / eight.wall
        given_back = rate / (1 - eight.cpu / eight.wall / THREADS)
        ratios.append(
            (
                ask.name,
                f"{faces * own:.1f}",
                f"{faces * rate:.1f}",
                f"{rate / own:.0%}",
                f"{given_back / own:.0%}",
            )
        )
        busy = load(url, key, ask, _SENDERS, OVERLOADED / rate, OVERLOAD * rate)
        overload.append((ask.name, f"{OVERLOAD * rate:.1f}", *_overload(by_clients[1], busy)))
    head = (
        "request", "clients", "pictures/s", "faces/s", "p50 ms", "p95 ms", "p99 ms", "throttled",
        "other", "clients' share of the processors",
    )  # fmt: skip
    parts = (
        "## Service",
        (
            f"A server process and {THREADS} processors for it and its clients. DetectFaces and "
            "SearchFacesByImage of a picture of 640 x 640 sent along; recognize of a 4K JPEG."
        ),
        table(head, rows),
        (
            "At 8 clients, beside the analyzer in a loop in the same run (last column: with the "
            "processor time that the clients took given back):"
        ),
        table(("request", "engine faces/s", "service faces/s", "ratio", "given back"), ratios),
        (
            f"Overload: {OVERLOAD} times as many requests in a second as 8 clients were answered, "
            "sent whatever became of those before. Until the first refusal the line fills up, and "
            "what is in it by then waits for its turn: that is in the first of the two columns of "
            "what is accepted, and not in the second."
        ),
        table(
            (
                "request",
                "sent/s",
                "p99 of 1 client, ms",
                "accepted, of them later",
                "p99 of all accepted, ms",
                "p99 after the first refusal, ms",
                "refused",
                "a refusal takes, p50 ms",
                "p99 ms",
            ),
            overload,
        ),
    )
    return "\n\n".join(parts)


def _overload(alone: Told, busy: Told) -> tuple[str, ...]:
    """Return the cells of a row about overload, all but the first two."""
    calm = float(np.percentile(alone.answered, 99))
    first = min(busy.refused_at, default=0.0)
    noted = zip(busy.answered, busy.answered_at, strict=True)
    later = [took for took, due in noted if due > first]

    def beside(seconds: list[float]) -> str:
        worst = float(np.percentile(seconds, 99))
        return f"{1000 * worst:.0f} ({worst / calm:.1f} times)"

    refusals = _percentiles(busy.refused)
    return (
        f"{1000 * calm:.0f}",
        f"{len(busy.answered)}, {len(later)}",
        beside(busy.answered),
        beside(later) if later else "",
        str(len(busy.refused)),
        refusals[0],
        refusals[2],
    )


def _engine(analyzer: Analyzer, picture: bytes, seconds: float) -> float:
    """Return pictures in a second that the analyzer does in a loop."""
    until, done = time.monotonic() + seconds, 0
    began = time.monotonic()
    while time.monotonic() < until:
        analyzer.analyze(picture)
        done += 1
    return done / (time.monotonic() - began)


if __name__ == "__main__":
    print(main())
