"""Answers that are kept: sealed, of one token each, and in no backup."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from sayso.core import Sayso, restore
from sayso.errors import SealBroken, TokenReused
from sayso.gallery import answers, schema
from sayso.gallery.times import DAY
from tests.gallery.clock import Clock
from tests.gallery.synthetic import enrol

ONE, OTHER = b"1" * 32, b"2" * 32
ASKED, ANOTHER = b"a" * 32, b"b" * 32


def _keep(
    app: Sayso,
    token: bytes,
    answer: bytes,
    request: bytes = ASKED,
    collection: str | None = None,
) -> None:
    with app._resources.store.write() as change:
        sealing = app._resources.keyring.secrets()
        answers.keep(change, sealing, token, request, answer, collection)


def _find(app: Sayso, token: bytes, request: bytes = ASKED, later: int = 0) -> bytes | None:
    store = app._resources.store
    with store.read() as connection:
        sealing = app._resources.keyring.secrets()
        return answers.find(connection, sealing, token, request, store.now() + later)


def test_an_answer_is_of_its_token_and_request(app: Sayso) -> None:
    _keep(app, ONE, b"the answer")
    assert _find(app, ONE) == b"the answer"
    assert _find(app, OTHER) is None
    with pytest.raises(TokenReused, match="another request"):
        _find(app, ONE, ANOTHER)


def test_the_first_answer_stands(app: Sayso) -> None:
    _keep(app, ONE, b"the answer")
    _keep(app, ONE, b"another answer", ANOTHER)
    assert _find(app, ONE) == b"the answer"


def test_an_answer_is_there_for_a_day_to_the_microsecond(timed: Sayso, clock: Clock) -> None:
    _keep(timed, ONE, b"the answer")
    assert _find(timed, ONE, later=DAY - 1) == b"the answer"
    assert _find(timed, ONE, ANOTHER, later=DAY) is None
    store = timed._resources.store
    for passed, old in ((DAY - 1, False), (DAY, True)):
        with store.read() as connection:
            assert answers.any_old(connection, store.now() + passed) == old
    clock.time += timedelta(days=1)
    _keep(timed, OTHER, b"a later answer")  # which drops what is old
    with store.read() as connection:
        assert list(connection.execute(select(schema.answers.c.token)).scalars()) == [OTHER]


def test_an_answer_that_was_put_under_another_token_is_none(app: Sayso) -> None:
    _keep(app, ONE, b"the answer")
    with app._resources.store.write() as change:
        change.connection.execute(update(schema.answers).values(token=OTHER))
    with pytest.raises(SealBroken):
        _find(app, OTHER)


def test_what_is_forgotten_is_of_one_collection(app: Sayso) -> None:
    _keep(app, ONE, b"of the club", collection="club")
    _keep(app, OTHER, b"of nobody")
    with app._resources.store.write() as change:
        answers.forget(change, "team")
    assert _find(app, ONE) == b"of the club"
    with app._resources.store.write() as change:
        answers.forget(change, "club")
    assert _find(app, ONE) is None
    assert _find(app, OTHER) == b"of nobody"


def test_no_answer_is_in_a_backup(app: Sayso, tmp_path: Path) -> None:
    """The key that seals them outlives whoever is erased after the backup."""
    enrol(app, ["ada"])
    kept = [f"answer {number} about ada".encode() * 50 for number in range(200)]
    for number, answer in enumerate(kept):
        app.remember("op", str(number), b"request", answer, collection="club")
    with app._resources.store.read() as connection:
        sealed = list(connection.execute(select(schema.answers.c.answer)).scalars())
        tokens = list(connection.execute(select(schema.answers.c.token)).scalars())
    target = tmp_path / "backup"
    made = app.backup(target)
    raw = target.read_bytes()
    assert len(sealed) == 200
    assert not [each for each in sealed if each[:32] in raw or each[-32:] in raw]
    assert not [each for each in tokens if each in raw]
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT count(*) FROM answers").fetchone() == (0,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert (made.subjects, made.bytes) == (1, target.stat().st_size)
    assert not [each for each in tmp_path.iterdir() if each.name.startswith("backup-")]
    # The gallery itself has them as before, and none any more once a backup took its place.
    assert app.recall("op", "0", b"request") == kept[0]
    app.close()
    restore(tmp_path / "data", target)
    with Sayso(tmp_path / "data") as again:
        assert [each.name for each in again.subjects("club")] == ["ada"]
        assert again.recall("op", "0", b"request") is None
