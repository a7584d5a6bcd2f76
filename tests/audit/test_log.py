from __future__ import annotations

import hashlib
import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Engine, select, text

from sayso.audit.events import CollectionCreated, CollectionsRead, LogBegun
from sayso.audit.log import Entry, Log, entries
from sayso.audit.verification import verify
from sayso.errors import AuditError
from sayso.gallery import schema
from sayso.sqlite import WRITING
from tests.audit.logs import ADA, CY, GUEST, SAMPLES, START, WHO, new_key, write, writing


def read(store: Engine, **which: object) -> list[Entry]:
    with store.connect() as connection:
        return list(entries(connection, **which))  # type: ignore[arg-type]


def test_every_event_is_read_as_it_was_appended(store: Engine, log: Log) -> None:
    last = write(store, log, who=GUEST)
    found = read(store)
    assert [entry.number for entry in found] == list(range(1, last + 1))
    assert tuple(entry.event for entry in found[1:]) == SAMPLES
    assert {(entry.actor, entry.key, entry.purpose) for entry in found} == {
        ("kiosk 7", "3f9c", "photo-delivery")
    }
    assert found[1].time == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_log_begins_by_naming_its_key(store: Engine, log: Log) -> None:
    with writing(store) as connection:
        assert log.append(connection, START, WHO, [SAMPLES[0], SAMPLES[1]]) == 3
    assert read(store)[0].event == LogBegun(log.public_key.hex())
    write(store, log)
    assert [entry.number for entry in read(store, kind="log-begun")] == [1]


def test_an_entry_is_what_the_documentation_says(store: Engine, log: Log) -> None:
    # Recomputed from the words of chain.py, without its functions.
    write(store, log, who=GUEST)
    previous = "0" * 64
    for number, entry in enumerate(read(store), 1):
        document = json.loads(entry.body)
        assert document["number"] == number
        assert document["previous"] == previous
        assert document["event"] == entry.event.kind
        digest = hashlib.sha256(b"sayso audit 1\n" + entry.body.encode()).digest()
        assert entry.hash == digest.hex()
        Ed25519PublicKey.from_public_bytes(log.public_key).verify(
            bytes.fromhex(entry.signature), digest
        )
        previous = hashlib.sha256(digest + bytes.fromhex(entry.signature)).hexdigest()
    assert document["time"] == "2026-03-01T12:00:28.000000Z"
    assert document["key"] == "3f9c"


def test_nothing_to_append_appends_nothing(store: Engine, log: Log) -> None:
    with writing(store) as connection:
        assert log.append(connection, START, WHO, []) == 0
    assert read(store) == []


def test_a_change_that_fails_leaves_no_entry(store: Engine, log: Log) -> None:
    write(store, log, SAMPLES[:3])
    before = read(store)
    with store.connect().execution_options(**WRITING) as connection:
        change = connection.begin()
        log.append(connection, START, WHO, [SAMPLES[3]])
        change.rollback()
    assert read(store) == before
    write(store, log, [SAMPLES[4]])
    with store.connect() as connection:
        assert verify(connection, log.public_key).ok


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        ({"after": 27}, [28, 29, 30]),
        ({"before": 3}, [1, 2]),
        ({"after": 3, "before": 6, "newest_first": True}, [5, 4]),
        ({"limit": 2}, [1, 2]),
        ({"limit": 2, "newest_first": True}, [30, 29]),
        ({"limit": 0}, []),
        ({"after": 30}, []),
        ({"kind": "keys-read"}, [21]),
        ({"actor": "nobody"}, []),
        ({"collection": "club", "limit": 3}, [2, 3, 4]),
        ({"collection": "other"}, []),
        ({"subject": CY}, [5, 8, 12]),
        ({"subject": ADA, "newest_first": True, "limit": 2}, [18, 11]),
        ({"subject": ADA, "kind": "picture-searched"}, [9]),
    ],
)
def test_entries_are_narrowed(
    store: Engine, log: Log, which: dict[str, object], numbers: list[int]
) -> None:
    write(store, log)
    assert [entry.number for entry in read(store, **which)] == numbers


def test_many_events_are_one_chain(store: Engine, log: Log) -> None:
    with writing(store) as connection:
        assert log.append(connection, START, WHO, SAMPLES * 5) == len(SAMPLES) * 5 + 1
    with store.connect() as connection:
        assert verify(connection, log.public_key).ok


def test_two_logs_with_the_same_key_continue_each_other(store: Engine) -> None:
    key = new_key()
    one, other = Log(key), Log(key)
    for _ in range(3):
        write(store, one, SAMPLES[:2])
        write(store, other, SAMPLES[2:4])
    with store.connect() as connection:
        result = verify(connection, one.public_key)
    assert (result.ok, result.entries) == (True, 13)


def test_threads_may_share_a_log(store: Engine, log: Log) -> None:
    threads = [threading.Thread(target=write, args=(store, log, SAMPLES[:10])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.connect() as connection:
        result = verify(connection, log.public_key)
    assert (result.ok, result.entries) == (True, 41)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)",
        "UPDATE audit SET hash = zeroblob(32) WHERE number = (SELECT max(number) FROM audit)",
        "UPDATE audit SET signature = zeroblob(64) WHERE number = (SELECT max(number) FROM audit)",
        "UPDATE audit SET signature = 'short' WHERE number = (SELECT max(number) FROM audit)",
        "UPDATE state SET events = events - 1",
        "UPDATE state SET events = 0",
        "UPDATE state SET head = NULL",
        "UPDATE state SET head = zeroblob(32)",
        "UPDATE state SET events = 'many'",
        "UPDATE state SET events = 0, head = NULL",
        "UPDATE audit SET number = 99 WHERE number = (SELECT max(number) FROM audit)",
    ],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_a_log_with_a_damaged_end_is_not_continued(
    store: Engine, log: Log, damage: str, restarted: bool
) -> None:
    key = new_key()
    log = Log(key)
    write(store, log)
    with writing(store) as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        connection.execute(text("DELETE FROM audit_subjects"))
        connection.execute(text(damage))
    before = _rows(store)
    log = Log(key) if restarted else log
    with pytest.raises(AuditError, match="damaged at its end"), writing(store) as connection:
        log.append(connection, START, WHO, [CollectionsRead(1)])
    assert _rows(store) == before


def test_a_log_of_another_key_is_not_continued(store: Engine, log: Log) -> None:
    write(store, log)
    with pytest.raises(AuditError, match="not what was signed"):
        write(store, Log(new_key()), SAMPLES[:1])


@pytest.mark.parametrize("name", ["\ud800", b"bytes"])
def test_what_cannot_be_written_is_not_half_written(store: Engine, log: Log, name: str) -> None:
    write(store, log, SAMPLES[:1])
    before = _rows(store)
    with pytest.raises((ValueError, TypeError)), writing(store) as connection:
        log.append(connection, START, WHO, [SAMPLES[1], CollectionCreated(name)])
    assert _rows(store) == before


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE audit SET body = '{' WHERE number = 5",
        "UPDATE audit SET body = '{}' WHERE number = 5",
        "UPDATE audit SET body = CAST(x'ff' AS TEXT) WHERE number = 5",
        "UPDATE audit SET body = CAST(body AS BLOB) WHERE number = 5",
        "UPDATE audit SET signature = 'text' WHERE number = 5",
        """UPDATE audit SET body = replace(body, '"event":"', '"event":"no-') WHERE number = 5""",
        """UPDATE audit SET body = replace(body, '"time":"2', '"time":"x') WHERE number = 5""",
    ],
)
def test_a_damaged_entry_is_told_and_the_others_are_read(
    store: Engine, log: Log, damage: str
) -> None:
    write(store, log)
    with writing(store) as connection:
        connection.execute(text(damage))
    with pytest.raises(AuditError, match=r"entry 5|no event"):
        read(store)
    assert len(read(store, after=5)) == 25


def test_the_store_keeps_no_more_of_the_key_than_its_public_half(
    store: Engine, tmp_path: Path
) -> None:
    key = new_key()
    write(store, Log(key))
    store.dispose()
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert key.private_bytes_raw() not in raw
    assert key.private_bytes_raw().hex().encode() not in raw
    assert key.public_key().public_bytes_raw().hex().encode() in raw


def _rows(store: Engine) -> list[tuple[object, ...]]:
    with store.connect() as connection:
        found = connection.execute(select(schema.audit.c.number, schema.audit.c.body))
        state = connection.execute(text("SELECT events, hex(head) FROM state"))
        return [tuple(row) for row in [*found, *state]]
