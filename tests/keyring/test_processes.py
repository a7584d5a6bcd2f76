"""Several real processes on one keyring, some of them killed."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from sayso.keyring.endings import Ending
from sayso.keyring.master import KeyFile
from sayso.keyring.store import Keyring
from tests.keyring.test_store import content, ids, raws, wraps

# A server that has imported everything forks each process: they start in milliseconds, and their
# state is that of new ones.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.keyring.test_processes"])
_PATIENCE = 60

Work = Callable[[Path, Connection], None]


@contextmanager
def working(work: Work, folder: Path) -> Iterator[tuple[BaseProcess, Connection]]:
    """Give a process that does the work, and the connection that it talks over."""
    ours, theirs = _PROCESSES.Pipe()
    process = _PROCESSES.Process(target=work, args=(folder, theirs))
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


def receive(connection: Connection) -> Any:
    assert connection.poll(_PATIENCE), "waited in vain"
    return connection.recv()


def received_until_killed(process: BaseProcess, connection: Connection, after: float) -> list[Any]:
    """Kill a process so many seconds after it has begun, and return what it said until then."""
    assert receive(connection) == "begins"
    time.sleep(after)
    process.kill()
    process.join()
    said = []
    try:
        while True:
            said.append(connection.recv())
    except EOFError:
        return said


def start(folder: Path, connection: Connection) -> None:
    receive(connection)
    with closing(Keyring(folder)) as keyring:
        subjects = ids(20)
        made = {subject: key.raw for subject, key in keyring.make(subjects).items()}
        connection.send((keyring.made_key_file, keyring.fingerprint, made))


def answer(folder: Path, connection: Connection) -> None:
    with closing(Keyring(folder)) as keyring:
        connection.send("begins")
        while (asked := connection.recv()) is not None:
            new = {subject: key.raw for subject, key in keyring.make(asked[1]).items()}
            connection.send((raws(keyring, asked[0]), new))


def rotate(folder: Path, connection: Connection) -> None:
    with closing(Keyring(folder)) as keyring:
        connection.send("begins")
        while True:
            connection.send(keyring.rotate())


def end(folder: Path, connection: Connection) -> None:
    with closing(Keyring(folder)) as keyring:
        subjects = receive(connection)
        connection.send("begins")
        for subject in subjects:
            keyring.end([Ending("subject", subject, 1)])
            connection.send(subject)


@pytest.mark.parametrize("attempt", range(5))
def test_processes_that_start_together_make_one_keyring(tmp_path: Path, attempt: int) -> None:
    folder = tmp_path / "data"
    with (
        working(start, folder) as (_, one),
        working(start, folder) as (_, two),
        working(start, folder) as (_, three),
    ):
        for connection in (one, two, three):
            connection.send("now")
        made, fingerprints, keys = zip(*map(receive, (one, two, three)), strict=True)
    assert sorted(made, key=str) == [folder / "master.key", None, None]
    assert len(set(fingerprints)) == 1
    assert keys[0] == keys[1] == keys[2]
    with closing(Keyring(folder)) as keyring:
        assert raws(keyring, ids(20)) == keys[0]
    assert not [path for path in folder.iterdir() if "new" in path.name]


def test_a_process_goes_on_while_another_rotates(tmp_path: Path) -> None:
    with closing(Keyring(tmp_path)) as keyring, working(answer, tmp_path) as (_, other):
        known = {subject: key.raw for subject, key in keyring.make(ids(500)).items()}
        assert receive(other) == "begins"
        for step in range(1, 31):
            other.send((list(known), ids(3, seed=step)))
            keyring.rotate()
            found, new = receive(other)
            assert found == known
            known |= new
        other.send(None)
        assert raws(keyring, list(known)) == known
        assert keyring.count() == 590


def test_a_rotation_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    chance, subjects = random.Random(3), ids(2000)
    with closing(Keyring(tmp_path)) as keyring:
        keyring.make(subjects)
        before = raws(keyring, subjects)
        signing = keyring.signing_key().private_bytes_raw()
    unfinished = 0
    for _ in range(30):
        with working(rotate, tmp_path) as (process, connection):
            said = received_until_killed(process, connection, chance.uniform(0, 0.15))
        in_file = [key.fingerprint for key in KeyFile(tmp_path / "master.key", "it").read()]
        unfinished += len(in_file) > 1
        with closing(Keyring(tmp_path)) as keyring:
            assert keyring.fingerprint in in_file
            assert not said or keyring.fingerprint in (said[-1], in_file[0])
            assert raws(keyring, subjects) == before
            assert keyring.signing_key().private_bytes_raw() == signing
    assert unfinished  # else none was killed while it mattered
    with closing(Keyring(tmp_path)) as keyring:
        last = keyring.rotate()
        assert raws(keyring, subjects) == before
        files = [path for path in tmp_path.iterdir() if "master.key" in path.name]
        assert files == [keyring.key_file]
        assert [key.fingerprint for key in KeyFile(keyring.key_file, "it").read()] == [last]


def test_an_ending_that_is_killed_is_all_or_nothing(tmp_path: Path) -> None:
    chance, subjects = random.Random(4), ids(2000)
    with closing(Keyring(tmp_path)) as keyring:
        keyring.make(subjects)
        known = raws(keyring, subjects)
    wrapped, left, gone = wraps(tmp_path), list(subjects), set[str]()
    for _ in range(30):
        with working(end, tmp_path) as (process, connection):
            connection.send(left)
            said = received_until_killed(process, connection, chance.uniform(0, 0.05))
        with closing(Keyring(tmp_path)) as keyring:
            ended, found = set(keyring.ended("subject")), raws(keyring, subjects)
            assert ended.isdisjoint(found)
            assert ended | set(found) == set(subjects)
            assert found == {subject: known[subject] for subject in found}
            assert ended >= gone | set(said)
            # At most one more was on the disk before it could be told.
            assert len(ended) <= len(gone) + len(said) + 1
            on_disk = content(tmp_path)
            assert not [subject for subject in ended - gone if wrapped[subject][:44] in on_disk]
        gone, left = ended, [subject for subject in subjects if subject in found]
    assert gone
    assert left


def test_a_first_start_that_is_killed_is_continued(tmp_path: Path) -> None:
    chance = random.Random(5)
    for step in range(30):
        folder = tmp_path / str(step)
        with working(start, folder) as (process, connection):
            connection.send("now")
            time.sleep(chance.uniform(0, 0.06))
            process.kill()
            process.join()
            told = connection.recv() if connection.poll() and not process.exitcode else None
        with closing(Keyring(folder)) as keyring:
            keyring.make(ids(20))
            if told is not None:
                assert raws(keyring, ids(20)) == told[2]
            assert keyring.count() == 20
            assert len(KeyFile(keyring.key_file, "it").read()) == 1
