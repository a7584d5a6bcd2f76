"""Changes of several threads share a commit, and none is told to be done before it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from sayso.gallery.commits import Commits
from sayso.sqlite import sqlite_engine


class Busy(Exception):
    pass


class Counted(Commits):
    """Counts what was begun and ended."""

    groups = 0

    def _finish(self, group: object) -> None:
        self.groups += 1
        super()._finish(group)  # type: ignore[arg-type]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "numbers.sqlite"
    path.touch()
    made = sqlite_engine(path, 5)
    with made.connect() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
        connection.commit()
    yield made
    made.dispose()


def numbers(engine: Engine) -> set[int]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT n FROM numbers")).scalars())


def add(commits: Commits, number: int, *, fail: bool = False) -> None:
    with commits.change() as connection:
        connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": number})
        if fail:
            raise RuntimeError("changed its mind")


def waiting(commits: Commits, number: int) -> None:
    ends = time.monotonic() + 10
    while commits._waiting < number:
        assert time.monotonic() < ends
        time.sleep(0.002)


def test_a_lone_change_is_there_when_it_is_done(engine: Engine) -> None:
    commits = Counted(engine, 5, Busy)
    for number in range(3):
        add(commits, number)
        assert number in numbers(engine)
    assert commits.groups == 3


def test_those_who_wait_for_each_other_share_a_commit(engine: Engine) -> None:
    commits = Counted(engine, 5, Busy)
    seen: list[bool] = []

    def follow(number: int) -> None:
        add(commits, number)
        seen.append(number in numbers(engine))  # told only when it is durable

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(1, 6)]
    with commits.change() as connection:
        connection.execute(text("INSERT INTO numbers VALUES (0)"))
        for thread in threads:
            thread.start()
        waiting(commits, 5)
        assert numbers(engine) == set()
    assert 0 in numbers(engine)
    for thread in threads:
        thread.join(10)
    assert numbers(engine) == set(range(6))
    assert seen == [True] * 5
    assert commits.groups < 6


def test_what_fails_undoes_only_itself(engine: Engine) -> None:
    commits = Counted(engine, 5, Busy)
    failed: list[int] = []

    def follow(number: int) -> None:
        try:
            add(commits, number, fail=number % 2 == 1)
        except RuntimeError:
            failed.append(number)

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(1, 7)]
    with pytest.raises(RuntimeError), commits.change() as connection:  # noqa: PT012
        connection.execute(text("INSERT INTO numbers VALUES (0)"))
        for thread in threads:
            thread.start()
        waiting(commits, 6)
        raise RuntimeError("the first of all")
    for thread in threads:
        thread.join(10)
    assert numbers(engine) == {2, 4, 6}
    assert sorted(failed) == [1, 3, 5]


def test_a_commit_that_fails_is_told_to_everybody_in_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = Counted(engine, 5, Busy)
    told: list[str] = []

    def follow() -> None:
        try:
            add(commits, 1)
        except OSError as error:
            told.append(str(error))

    thread = threading.Thread(target=follow)

    def broken() -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"), commits.change() as connection:  # noqa: PT012
        connection.execute(text("INSERT INTO numbers VALUES (0)"))
        monkeypatch.setattr(connection, "commit", broken)
        thread.start()
        waiting(commits, 1)
    thread.join(10)
    monkeypatch.undo()
    assert told == ["the disk is full"]
    assert numbers(engine) == set()
    add(commits, 2)
    assert numbers(engine) == {2}


def test_whoever_waits_too_long_is_told(engine: Engine) -> None:
    commits = Commits(engine, 0.05, Busy)
    told: list[type[Exception]] = []

    def follow() -> None:
        try:
            add(commits, 1)
        except Busy:
            told.append(Busy)

    thread = threading.Thread(target=follow)
    with commits.change() as connection:
        connection.execute(text("INSERT INTO numbers VALUES (0)"))
        thread.start()
        thread.join(10)
    assert told == [Busy]
    assert numbers(engine) == {0}
