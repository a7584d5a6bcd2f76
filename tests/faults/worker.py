"""The processes that are killed, and the one that they are forked from.

A zygote imports everything once and forks a worker whenever it is asked to: a worker starts in
milliseconds, and its state is that of a new process. A worker makes one call after another, and
writes into its journal, a pipe, before each call and after it: what is in the pipe outlives it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import sayso.gallery.migrations  # noqa: F401 - else it is imported while a gallery is made
from sayso.core import Sayso, restore
from sayso.errors import ConsentRequired
from sayso.results import Consent
from tests.gallery.synthetic import VERSION, templates

#: The call that comes before all others.
OPENING = "opening"
#: What a worker says last when nobody killed it.
END = "end"
#: How similar a template is to itself, and to no other.
SAME = 99.0


@dataclass(frozen=True, slots=True)
class Call:
    """A call: ``method`` is what ``Worker`` does, ``kind`` what reports call it."""

    kind: str
    method: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is told: where, as whom, the calls, and the ids of access keys by actor.

    It stops by itself once a file ``stop`` is there, and not before: until then it waits to be
    killed, should the calls not last. Where it does not open the gallery, it can only restore.
    """

    folder: str
    actor: str
    calls: list[Call]
    keys: dict[str, str]
    stop: str
    opens: bool = True

    @classmethod
    def read(cls, path: Path) -> Job:
        document = json.loads(path.read_text())
        return cls(**document | {"calls": [Call(**each) for each in document["calls"]]})


def faces(seeds: list[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The template of each seed, float32 (n, 128); see SAME."""
    return np.concatenate([templates(1, seed) for seed in seeds])


class Worker:
    """Makes calls; what they return that can be checked, it returns."""

    def __init__(self, job: Job) -> None:
        self._folder = Path(job.folder)
        self._open = Sayso(self._folder, actor=job.actor) if job.opens else None
        self._keys = dict(job.keys)

    @property
    def _app(self) -> Sayso:
        assert self._open is not None
        return self._open

    def close(self) -> None:
        if self._open is not None:
            self._open.close()

    def create(self, collection: str) -> None:
        self._app.create_collection(collection)

    def enrol(
        self,
        collection: str,
        names: list[str],
        seeds: list[int],
        purposes: list[str],
        evidence: str | None,
    ) -> int:
        return self._app.enroll_templates(
            collection,
            subjects=names,
            templates=faces(seeds),
            consent=None if evidence is None else Consent(purposes, evidence),
            version=VERSION,
            allow_lookalike=True,  # of so many directions some two are alike
        )

    def refuse(self, collection: str, name: str, seed: int) -> str:
        try:
            self.enrol(collection, [name], [seed], [], None)
        except ConsentRequired:
            return "refused"
        raise AssertionError("somebody was enrolled without consent")

    def agree(self, collection: str, name: str, purposes: list[str], evidence: str) -> str:
        return self._app.add_consent(collection, name, Consent(purposes, evidence)).id

    def touch(self, collection: str, name: str) -> str:
        records = self._app.record_interaction(collection, name)
        return max(each.last_interaction for each in records).isoformat()

    def withdraw(
        self, collection: str, name: str, purpose: str | None
    ) -> tuple[list[str], str | None]:
        done = self._app.withdraw_consent(collection, name, purpose)
        return list(done.purposes), None if done.tombstone is None else done.tombstone.id

    def erase(self, collection: str, name: str) -> str:
        return self._app.erase_subject(collection, name).id

    def met(self, collection: str, purpose: str) -> list[str]:
        return [each.id for each in self._app.purpose_met(collection, purpose)]

    def delete(self, collection: str) -> int:
        return self._app.delete_collection(collection, erase_subjects=True)

    def key(self, actor: str) -> tuple[str, str]:
        made = self._app.create_key(actor, purpose="door", actions=["search"])
        self._keys[actor] = made.key.id
        return made.key.id, made.secret

    def revoke(self, actor: str) -> str:
        return self._app.revoke_key(self._keys[actor]).id

    def rotate(self) -> str:
        return self._app.rotate_master_key()

    def delete_faces(self, collection: str, name: str) -> list[str]:
        there = self._app.enrolled_faces(collection)
        return list(
            self._app.delete_faces(
                collection, [face.id for face in there if face.subject == name]
            ).deleted
        )

    def backup(self, target: str, keyring: str) -> int:
        return self._app.backup(Path(target), keyring=Path(keyring)).subjects

    def restore(self, backup: str) -> int:
        return restore(self._folder, backup).subjects

    def follow(self, standby: str, backup: str, keyring: str) -> int:
        return restore(standby, backup, keyring=keyring).subjects

    def search(self, collection: str, seeds: list[int], purpose: str) -> list[str | None]:
        found = self._app.recognize_templates(
            collection, faces(seeds), purpose=purpose, min_similarity=SAME, version=VERSION
        )
        return [each[0].subject if each else None for each in found]


def work(job: Job, journal: int) -> None:
    """Make the calls, and say so before and after each; the opening is number 0."""

    def say(number: int, what: str, result: Any = None) -> None:
        # One write of less than a page goes into a pipe as a whole, or not at all.
        os.write(journal, f"{json.dumps([number, what, time.monotonic(), result])}\n".encode())

    number = 0
    try:
        say(0, "begins")
        worker = Worker(job)
        say(0, "done")
        for number, call in enumerate(job.calls, 1):
            if Path(job.stop).exists():
                break
            say(number, "begins")
            say(number, "done", getattr(worker, call.method)(**call.arguments))
        while not Path(job.stop).exists():
            time.sleep(0.05)
        worker.close()
        say(number, END)
    except BaseException as error:
        say(number, "failed", repr(error)[:2000])
        raise


def serve(control: socket.socket) -> None:
    """Fork a worker for each job that is named, with its journal; reap it when that is asked."""
    while True:
        message, passed, _, _ = socket.recv_fds(control, 4096, 1)
        if not message:
            return
        asked, argument = message.decode().split(" ", 1)
        if asked == "reap":
            _, status = os.waitpid(int(argument), 0)
            control.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            continue
        job = Job.read(Path(argument))
        worker = os.fork()
        if not worker:
            control.close()
            try:
                work(job, passed[0])
            finally:
                os._exit(0)
        os.close(passed[0])
        control.sendall(str(worker).encode())


def _require_single_thread() -> None:
    """A fork takes over the calling thread alone, and whatever lock another one holds for ever."""
    tasks = Path("/proc/self/task")
    count = len(list(tasks.iterdir())) if tasks.exists() else threading.active_count()
    if count != 1:
        raise RuntimeError(f"the process to fork from has {count} threads")


if __name__ == "__main__":
    _require_single_thread()
    with socket.socket(fileno=int(sys.argv[1])) as from_parent:
        serve(from_parent)
