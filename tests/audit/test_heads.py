from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from sayso.audit.heads import Head, current_head
from sayso.audit.log import Log, entries
from sayso.errors import AuditError
from tests.audit.logs import SAMPLES, new_key, write, writing


@pytest.fixture
def head(store: Engine, log: Log) -> Head:
    write(store, log)
    return now(store, log)


def now(store: Engine, log: Log) -> Head:
    with store.connect() as connection:
        found = current_head(connection, log.public_key)
    assert found is not None
    return found


def test_an_empty_log_has_no_head(store: Engine, log: Log) -> None:
    with store.connect() as connection:
        assert current_head(connection, log.public_key) is None


def test_the_head_is_the_last_entry(store: Engine, log: Log, head: Head) -> None:
    with store.connect() as connection:
        (last,) = entries(connection, newest_first=True, limit=1)
    assert head == Head(30, last.hash, last.signature, log.public_key.hex(), last.time)
    head.check()
    write(store, log, SAMPLES[:1])
    assert now(store, log).number == 31


def test_a_head_of_a_damaged_log_is_not_given(store: Engine, log: Log, head: Head) -> None:
    with writing(store) as connection:
        connection.execute(text("UPDATE audit SET signature = zeroblob(64) WHERE number = 30"))
    with pytest.raises(AuditError, match="entry 30"):
        now(store, log)


def test_a_head_by_another_key_is_not_given(store: Engine, head: Head) -> None:
    with pytest.raises(AuditError, match="not what was signed"):
        now(store, Log(new_key()))


def test_a_head_comes_back_from_its_document(head: Head) -> None:
    assert Head.parse(head.to_json()) == head
    assert Head.parse(head.to_json().encode()) == head
    assert json.loads(head.to_json()) == head.document()
    assert head.document()["sayso-audit-head"] == 1
    assert head.document()["time"] == "2026-03-01T12:00:28.000000Z"


@pytest.mark.parametrize("name", ["hash", "signature", "public_key"])
def test_a_changed_head_does_not_check(head: Head, name: str) -> None:
    value = getattr(head, name)
    changed = replace(head, **{name: value[:-1] + ("0" if value[-1] != "0" else "1")})
    with pytest.raises(AuditError, match="does not fit"):
        changed.check()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sayso-audit-head": 2}, "version 1"),
        ({"sayso-audit-head": True}, "version 1"),
        ({"number": 0}, "number"),
        ({"number": "30"}, "number"),
        ({"number": True}, "number"),
        ({"hash": "ab"}, "hash must be 64 hexadecimal"),
        ({"hash": "A" * 64}, "hash"),
        ({"hash": "a" * 64 + "\n"}, "hash"),
        ({"signature": None}, "signature must be 128"),
        ({"public_key": 5}, "public_key"),
        ({"time": "yesterday"}, "time must be"),
        ({"time": "2026-13-01T12:00:00.000000Z"}, "time must be"),
        ({"time": "2026-03-01T12:00:00.000000"}, "time must be"),
        ({"time": 5}, "time must be"),
    ],
)
def test_a_damaged_document_says_what_is_wrong(
    head: Head, change: dict[str, object], said: str
) -> None:
    with pytest.raises(AuditError, match=said):
        Head.parse(json.dumps(head.document() | change))


@pytest.mark.parametrize("document", ["", "{}", "[]", "\0", b"\xff\xfe", "[" * 100_000])
def test_what_is_no_head_is_refused(document: str | bytes) -> None:
    with pytest.raises(AuditError, match="no head of an audit log"):
        Head.parse(document)


def test_the_time_is_in_utc(head: Head) -> None:
    assert head.time == datetime(2026, 3, 1, 12, 0, 28, tzinfo=UTC)
