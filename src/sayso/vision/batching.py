"""Micro-batching: faces of requests that come at the same time go through the network together.

Whoever finds the network free runs it, with up to ``most`` of the faces that are waiting, one of
each request in turn: so a crowd does not make a single face wait for all of it. Nobody waits for a
batch to fill. What a face gives does not depend on which others share its batch (see ``embedder``).
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sayso.vision import effort
from sayso.vision.errors import SaysoError
from sayso.vision.runtime import Session


@dataclass(slots=True, eq=False)
class _Job:
    """The faces of one request, uint8 (n, side, side, 3); ``next`` is the first not yet taken."""

    faces: NDArray[np.uint8]
    results: list[NDArray[np.float32] | None]
    next: int = 0
    left: int = field(init=False)
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.left = len(self.faces)

    @property
    def done(self) -> bool:
        return self.left == 0 or self.error is not None


class Batcher:
    """Runs a session for several threads; ``most`` faces go through it at a time."""

    def __init__(self, session: Session, most: int) -> None:
        self._session = session
        self._most = most
        self._changed = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._running = False

    def run(self, faces: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Return what the session gives for each face of uint8 (n, side, side, 3), float32 (d,).

        Raises WorkAbandoned or PictureTooCostly between batches; see ``sayso.vision.effort``.
        """
        job = _Job(faces, [None] * len(faces))
        if not job.left:
            return []
        with self._changed:
            self._waiting.append(job)
        while True:
            self._check(job)
            with self._changed:
                while not job.done and self._running:
                    self._changed.wait()
                if job.done:
                    break
                self._running = True
                batch = self._take()
            try:
                self._run(batch)
            finally:
                with self._changed:
                    self._running = False
                    self._changed.notify_all()
        if job.error is not None:
            raise job.error
        return [row for row in job.results if row is not None]

    def _check(self, job: _Job) -> None:
        """Take a job out, and raise why, where it must not go on."""
        try:
            effort.give_way()
        except SaysoError as error:
            with self._changed:
                job.error = error  # nor are its faces taken by another thread
                if job in self._waiting:
                    self._waiting.remove(job)
            raise

    def _take(self) -> list[tuple[_Job, int]]:
        """Take the next faces, one of each request in turn."""
        batch: list[tuple[_Job, int]] = []
        while self._waiting and len(batch) < self._most:
            job = self._waiting.popleft()
            if job.error is not None:
                continue
            batch.append((job, job.next))
            job.next += 1
            if job.next < len(job.faces):
                self._waiting.append(job)
        return batch

    def _run(self, batch: list[tuple[_Job, int]]) -> None:
        try:
            self._run_together(batch)
        except Exception:  # noqa: BLE001 - it is run again, one by one
            # Whose face it was that cannot be computed, each one's own run tells.
            for one in batch:
                try:
                    self._run_together([one])
                except Exception as error:  # noqa: BLE001 - told to whoever's face it is
                    one[0].error = error

    def _run_together(self, batch: list[tuple[_Job, int]]) -> None:
        rows = self._session.run(np.stack([job.faces[at] for job, at in batch]))[0]
        for (job, at), row in zip(batch, rows, strict=True):
            job.results[at] = row
            job.left -= 1
