from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from sayso.audit import chain
from sayso.audit.heads import Head, current_head
from sayso.audit.log import Log
from sayso.audit.verification import Verification, verify
from sayso.errors import AuditError
from tests.audit.logs import ADA, SAMPLES, new_key, new_store, write, writing


@pytest.fixture
def head(store: Engine, log: Log) -> Head:
    write(store, log)
    with store.connect() as connection:
        found = current_head(connection, log.public_key)
    assert found is not None
    return found


def check(store: Engine, log: Log, head: Head | None = None) -> Verification:
    with store.connect() as connection:
        return verify(connection, log.public_key, head)


def said(result: Verification) -> list[tuple[int | None, str]]:
    return [(problem.number, problem.what) for problem in result.problems]


def damage(store: Engine, *statements: str) -> None:
    """Write into the database as somebody would who goes past Sayso."""
    with closing(sqlite3.connect(str(store.url.database))) as database, database:
        for statement in statements:
            database.execute(statement)


def test_an_untouched_log_has_no_problem(store: Engine, log: Log, head: Head) -> None:
    assert check(store, log, head) == Verification(30, head, ())


def test_an_empty_log_has_no_problem(store: Engine, log: Log) -> None:
    assert check(store, log) == Verification(0, None, ())


def test_an_older_head_still_holds(store: Engine, log: Log, head: Head) -> None:
    write(store, log)
    result = check(store, log, head)
    assert result.ok
    assert result.head is not None
    assert result.head.number == 59


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "UPDATE audit SET body = replace(body, 'club', 'clab') WHERE number = 7",
            (7, "its hash is not that of its content"),
        ),
        (
            "UPDATE audit SET actor = 'eve' WHERE number = 7",
            (7, "its column actor is not what its content says"),
        ),
        (
            "UPDATE audit SET time = 9223372036854775807 WHERE number = 7",
            (7, "its column time is not what its content says"),
        ),
        (
            "UPDATE audit SET body = CAST(body AS BLOB) WHERE number = 7",
            (7, "a column holds a value of another type than it should"),
        ),
        ("DELETE FROM audit WHERE number IN (7, 8, 9)", (10, "missing before it: 7 to 9")),
        ("DELETE FROM audit WHERE number = 7", (8, "missing before it: 7")),
        (
            "DELETE FROM audit WHERE number = 1",
            (1, "it does not say, as the first entry must, that the log begins"),
        ),
        (
            f"DELETE FROM audit_subjects WHERE number = 9 AND subject = '{ADA}'",
            (9, "its subjects in their table are not those of its content"),
        ),
        (
            "INSERT INTO audit_subjects VALUES ('somebody', 99)",
            (None, "the table of subjects has rows for entries that are not there"),
        ),
        (
            "INSERT INTO audit_subjects VALUES (CAST(x'ff' AS TEXT), 'many')",
            (None, "the table of subjects has rows for entries that are not there"),
        ),
        (
            "UPDATE state SET events = 7",
            (None, "the gallery's own count and end of the log are not those of the log"),
        ),
        (
            "DELETE FROM state",
            (None, "the gallery's own count and end of the log are not those of the log"),
        ),
        (
            "UPDATE audit SET signature = x'00' WHERE number = 30",
            (30, "its signature is not by the log's key"),
        ),
        (
            "UPDATE audit SET signature = zeroblob(64) WHERE number = 7",
            (8, "it does not follow from the entry before it"),
        ),
    ],
)
def test_a_problem_is_told_with_its_entry(
    store: Engine, log: Log, head: Head, statement: str, problem: tuple[int | None, str]
) -> None:
    damage(store, statement)
    assert problem in said(check(store, log))


@pytest.mark.parametrize("column", ["kind", "actor", "collection", "body"])
@pytest.mark.parametrize(
    "value",
    [
        "CAST(x'ff' AS TEXT)",
        "x'00'",
        "5",
        "''",
        "'{}'",
        "'[1]'",
        "'{\"number\":7}'",
        """'{"number":7,"event":["a"],"actor":"\\ud800","subjects":[[]],"found":[1],"time":1}'""",
        """'{"number":1e999,"time":"2026-03-01T12:00:00.000000Z"}'""",
    ],
)
def test_damaged_content_is_told_and_not_raised(
    store: Engine, log: Log, head: Head, column: str, value: str
) -> None:
    damage(store, f"UPDATE audit SET {column} = {value} WHERE number = 7")
    result = check(store, log, head)
    assert {7} <= {problem.number for problem in result.problems}
    damage(store, f"UPDATE audit SET {column} = {value}")
    assert not check(store, log, head).ok


def test_deep_and_large_content_is_told(store: Engine, log: Log, head: Head) -> None:
    for body in ("[" * 100_000, '{"number":' + "9" * 5000 + "}"):
        damage(store, f"UPDATE audit SET body = '{body}' WHERE number = 30")
        assert (30, "its content is not that of an entry") in said(check(store, log))


def test_a_cut_log_is_found_with_a_saved_head_only(store: Engine, log: Log, head: Head) -> None:
    damage(
        store,
        "DELETE FROM audit WHERE number > 20",
        "DELETE FROM audit_subjects WHERE number > 20",
        "UPDATE state SET events = 20, head = (SELECT hash FROM audit WHERE number = 20)",
    )
    assert check(store, log).ok
    ((number, what),) = said(check(store, log, head))
    assert number is None
    assert "entry 30, of the saved head, is not there" in what


def test_what_followed_a_forged_end_is_found_too(store: Engine, log: Log, head: Head) -> None:
    # Whoever has no key cannot have the log go on from a forged entry, so the last signature is
    # never good above a bad one unless the chain shows it.
    damage(store, "UPDATE audit SET signature = zeroblob(64) WHERE number = 30")
    with pytest.raises(AuditError, match="damaged at its end"):
        write(store, log, SAMPLES[:1])
    assert said(check(store, log)) == [(30, "its signature is not by the log's key")]


def test_a_log_recomputed_without_the_key_shows_where_it_began(
    store: Engine, log: Log, head: Head
) -> None:
    recompute(store, first=20, signature=None)
    found = said(check(store, log))
    assert found[0] == (20, "its signature is not by the log's key")
    assert len(found) == 11


@pytest.mark.parametrize("saved", [False, True])
def test_a_log_recomputed_with_another_key_is_found(
    store: Engine, log: Log, head: Head, saved: bool
) -> None:
    recompute(store, first=1, signature=Log(new_key()))
    found = said(check(store, log, head if saved else None))
    assert (1, "its signature is not by the log's key") in found


def recompute(store: Engine, *, first: int, signature: Log | None) -> None:
    """Edit an entry and make the chain after it fit again."""
    with writing(store) as connection:
        rows = connection.execute(text("SELECT number, body, hash, signature FROM audit")).all()
        link = chain.START
        for number, old, old_hash, old_signature in rows:
            body, entry_hash, signed = old, old_hash, old_signature
            if number >= first:
                start = body.index('"previous":"') + len('"previous":"')
                body = body[:start] + link + body[start + 64 :]
                body = body.replace("club", "clab") if number == first else body
                entry_hash = chain.body_hash(body.encode())
                signed = signature._key.sign(entry_hash) if signature else old_signature
            connection.execute(
                text(
                    "UPDATE audit SET body=:b, hash=:h, signature=:s, collection=:c WHERE number=:n"
                ),
                {
                    "b": body,
                    "h": entry_hash,
                    "s": signed,
                    "n": number,
                    "c": json.loads(body).get("collection"),
                },
            )
            link = chain.link(entry_hash, signed)
        connection.execute(
            text("UPDATE state SET head = (SELECT hash FROM audit ORDER BY number DESC LIMIT 1)")
        )


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"hash": "00" * 32}, "it is not the entry of the saved head"),
        ({"signature": "00" * 64}, "it is not the entry of the saved head"),
        ({"number": 29}, "it is not the entry of the saved head"),
        ({"number": 31}, "entry 31, of the saved head, is not there"),
        ({"public_key": "00" * 32}, "the saved head is of a log with another public key"),
        ({"signature": "00" * 64}, "the saved head was changed: its signature does not fit"),
    ],
)
def test_a_changed_head_is_found(
    store: Engine, log: Log, head: Head, change: dict[str, object], what: str
) -> None:
    result = check(store, log, replace(head, **change))  # type: ignore[arg-type]
    assert any(problem.what.startswith(what) for problem in result.problems)


def test_a_head_of_another_log_is_found(
    store: Engine, log: Log, head: Head, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other_store, other = new_store(tmp_path_factory.mktemp("other") / "g.sqlite"), Log(new_key())
    write(other_store, other)
    with other_store.connect() as connection:
        foreign = current_head(connection, other.public_key)
    other_store.dispose()
    whats = [what for _, what in said(check(store, log, foreign))]
    assert "the saved head is of a log with another public key" in whats


def test_the_wrong_public_key_is_a_problem_of_every_entry(
    store: Engine, log: Log, head: Head
) -> None:
    result = check(store, Log(new_key()))
    assert said(result)[0] == (1, "it names another public key than the log's")
    assert len(result.problems) == 31


def test_a_hundred_problems_are_listed_and_that_there_are_more(store: Engine, log: Log) -> None:
    for _ in range(4):
        write(store, log)
    damage(store, "UPDATE audit SET actor = 'eve'")
    result = check(store, log)
    assert len(result.problems) == 100
    assert result.notes == ("there are more problems than the 100 that are listed",)


def test_many_entries_are_compared_with_their_subjects(store: Engine, log: Log) -> None:
    with writing(store) as connection:
        log.append(connection, 0, chain.Who("user:ada"), SAMPLES * 80)
    assert check(store, log).ok
    damage(store, "DELETE FROM audit_subjects WHERE number IN (1019, 2034)")
    assert [problem.number for problem in check(store, log).problems] == [1019, 2034]
