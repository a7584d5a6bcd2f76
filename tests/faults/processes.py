"""The zygote and its workers, as a test sees them."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.worker import END, OPENING, Call, Job

ROOT = Path(__file__).resolve().parents[2]
#: Seconds after which a test gives up on a process.
PATIENCE = 60


class Zygote:
    """The process that workers are forked from."""

    def __init__(self, control: socket.socket, place: Path) -> None:
        self._control = control
        self._place = place

    def start(self, job: Job) -> Running:
        """Fork a worker and let it begin."""
        self._place.write_text(json.dumps(asdict(job)))
        ours, theirs = os.pipe()
        socket.send_fds(self._control, [f"fork {self._place}".encode()], [theirs])
        os.close(theirs)
        pid = int(self._control.recv(64))
        return Running(self, pid, ours, job.calls)

    def reap(self, pid: int) -> int:
        """Wait for a worker's end, and return its exit status; until then its number is its own."""
        self._control.sendall(f"reap {pid}".encode())
        return int(self._control.recv(64))


@contextmanager
def zygote(place: Path) -> Iterator[Zygote]:
    """Start a process that has imported everything; ``place`` is where jobs are written."""
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    with ours, theirs:
        # One thread only: numpy's own would be lost in the fork.
        one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker", str(theirs.fileno())],
            cwd=ROOT,
            env=os.environ
            | one
            | {"PYTHONPATH": os.pathsep.join([str(ROOT), *map(str, sys.path)])},
            pass_fds=[theirs.fileno()],
        )
        try:
            theirs.close()
            yield Zygote(ours, place / "job.json")
        finally:
            ours.close()
            process.wait(PATIENCE)


@dataclass
class Running:
    """A worker: its calls, and what its journal told of them until now.

    ``results`` has those of the acknowledged calls, the opening's first; ``seconds`` is how long
    each took. ``begun`` counts the calls that have begun, with the opening.
    """

    home: Zygote
    pid: int
    journal: int
    calls: list[Call]
    begun: int = 0
    ended: bool = False
    results: list[Any] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    _since: float = 0.0
    _rest: bytes = b""

    @property
    def acknowledged(self) -> list[tuple[Call, Any]]:
        """The calls that returned, with their results; not the opening."""
        return list(zip(self.calls, self.results[1:], strict=False))

    def kind(self, number: int) -> str:
        """Return what the call of that number is called; the opening is number 0."""
        return self.calls[number - 1].kind if number else OPENING

    @property
    def in_flight(self) -> str | None:
        """The kind of the call that had begun and did not return; None between calls."""
        return self.kind(len(self.results)) if self.begun > len(self.results) else None

    @property
    def left(self) -> Call | None:
        """The call that had begun and did not return, unless it is the opening."""
        number = len(self.results)
        return self.calls[number - 1] if number and self.begun > number else None

    def read(self, wait: float) -> bool:
        """Take in what the journal has now, after waiting for it; False at its end."""
        if not select.select([self.journal], [], [], wait)[0]:
            return True
        data = os.read(self.journal, 65536)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(*json.loads(line))
        return bool(data)

    def await_call(self, number: int) -> None:
        """Return as soon as the call of that number has begun."""
        limit = time.monotonic() + PATIENCE
        while self.begun <= number:
            assert self.read(1), "the worker is gone"
            assert not self.ended, "the worker had no call left to make"
            assert time.monotonic() < limit, f"waited in vain for call {number} to begin"

    def kill(self) -> None:
        """Kill the worker, and read the rest of its journal."""
        os.kill(self.pid, signal.SIGKILL)
        status = self.home.reap(self.pid)
        self._finish()  # tells what went wrong if it was gone before
        assert status == -signal.SIGKILL, f"it ended by itself, with status {status}"

    def join(self) -> None:
        """Wait for the worker to stop by itself."""
        limit = time.monotonic() + PATIENCE
        while self.read(1):
            assert time.monotonic() < limit, "the worker does not stop"
        status = self.home.reap(self.pid)
        self._finish()
        assert status == 0, f"it ended with status {status}"
        assert self.ended

    def _finish(self) -> None:
        while self.read(0.01):
            pass
        assert not self._rest, f"half a line in the journal: {self._rest!r}"
        os.close(self.journal)

    def _take(self, number: int, what: str, at: float, result: Any) -> None:
        assert what != "failed", f"{self.kind(number)} {self.calls[number - 1 :][:1]}: {result}"
        if what == "begins":
            assert number == self.begun == len(self.results)
            self.begun, self._since = number + 1, at
        elif what == END:
            self.ended = True
        else:
            assert number == len(self.results) == self.begun - 1
            self.results.append(result)
            self.seconds.append(at - self._since)
