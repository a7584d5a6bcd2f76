"""A thousand random edits of the log's tables, each of which verification must find."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sayso.audit import chain
from sayso.audit.heads import Head, current_head
from sayso.audit.log import Log
from sayso.audit.verification import verify
from sayso.sqlite import sqlite_engine
from tests.audit.logs import ADA, BOB, CY, GUEST, SAMPLES, new_key, new_store, write

pytestmark = pytest.mark.long

EDITS = 1000
TABLES = {
    "audit": ("number", "time", "kind", "actor", "collection", "body", "hash", "signature"),
    "audit_subjects": ("subject", "number"),
    "state": ("events", "head"),
}


@dataclass(frozen=True)
class Original:
    """A log, older copies of it, and the head of its end that was saved elsewhere."""

    database: bytes
    older: list[bytes]
    head: Head
    key: bytes
    entries: int


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    path = tmp_path_factory.mktemp("original") / "gallery.sqlite"
    store, log, older = new_store(path), Log(new_key()), []
    for who, told in ((GUEST, SAMPLES[:12]), (GUEST, SAMPLES[12:]), (GUEST, SAMPLES[:25])):
        write(store, log, told, who)
        older.append(path.read_bytes())
    last = write(store, log, SAMPLES[25:])
    with store.connect() as connection:
        head = current_head(connection, log.public_key)
        assert verify(connection, log.public_key, head).ok
    store.dispose()
    assert head is not None
    return Original(path.read_bytes(), older, head, log.public_key, last)


Edit = Callable[[sqlite3.Connection, random.Random, Original], bool]


def edit_value(db: sqlite3.Connection, chosen: random.Random, _: Original) -> bool:
    """Change one value, perhaps also its type; return whether a saved head is needed (no)."""
    table = chosen.choices(list(TABLES), weights=(8, 2, 1))[0]
    column = chosen.choice(TABLES[table])
    row = chosen.choice(db.execute(f"SELECT rowid, {column} FROM {table}").fetchall())
    value = mutated(chosen, row[1])
    db.execute(f"UPDATE {table} SET {column} = {value[0]} WHERE rowid = ?", (*value[1:], row[0]))
    return False


def mutated(chosen: random.Random, value: Any) -> tuple[Any, ...]:
    """Return an SQL expression, and its parameters, for something like a value but not it."""
    wild = [
        ("NULL",),
        ("CAST(? AS BLOB)", value),
        ("CAST(? AS TEXT)", value),
        ("?", chosen.randrange(-(2**63), 2**63)),
        ("?", chosen.uniform(-1e6, 1e6)),
        ("?", chosen.choice([ADA, BOB, CY, "club", "", "{}", "null", "log-begun"])),
        ("CAST(x'ff' AS TEXT)",),
        ("zeroblob(?)", chosen.choice([0, 32, 64])),
    ]
    if value is None or chosen.random() < 0.3:
        return chosen.choice(wild)
    if isinstance(value, int):
        return ("?", value + chosen.choice([-1, 1, 10**6, -(10**6)]))
    place = chosen.randrange(len(value))
    if isinstance(value, bytes):
        flipped = value[place] ^ 1 << chosen.randrange(8)
        return ("?", value[:place] + bytes([flipped]) + value[place + 1 :])
    letter = chosen.choice('abc019"{}:, \0é')
    return ("?", value[:place] + letter + value[place + chosen.randrange(2) :])


def delete_row(db: sqlite3.Connection, chosen: random.Random, _: Original) -> bool:
    table = chosen.choices(list(TABLES), weights=(6, 3, 1))[0]
    (rowid,) = chosen.choice(db.execute(f"SELECT rowid FROM {table}").fetchall())
    db.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))
    return False


def insert_row(db: sqlite3.Connection, chosen: random.Random, original: Original) -> bool:
    number = chosen.choice([0, -5, original.entries + 1, original.entries + 9, 10**9])
    if chosen.random() < 0.4:
        mention = (chosen.choice([ADA, BOB, CY, "x"]), chosen.choice([number, 3, 6, 15]))
        db.execute("INSERT INTO audit_subjects (subject, number) VALUES (?, ?)", mention)
        return False
    source = chosen.randrange(1, original.entries + 1)
    row = list(db.execute("SELECT * FROM audit WHERE number = ?", (source,)).fetchone())
    row[0] = number
    if number == original.entries + 1 and chosen.random() < 0.7:
        forge_next(db, row, original)
    db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    return False


def forge_next(db: sqlite3.Connection, row: list[Any], original: Original) -> None:
    """Make a row the next entry in every respect but the key that signs it."""
    document = json.loads(row[5])
    last = db.execute("SELECT hash, signature FROM audit ORDER BY number DESC").fetchone()
    document |= {"number": row[0], "previous": chain.link(*last)}
    row[5] = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    row[6] = chain.body_hash(row[5].encode())
    row[7] = Ed25519PrivateKey.generate().sign(row[6])
    db.execute("UPDATE state SET events = ?, head = ?", (row[0], row[6]))
    mentions = db.execute(
        "SELECT subject FROM audit_subjects WHERE number = ?", (original.entries,)
    ).fetchall()
    db.executemany("INSERT INTO audit_subjects VALUES (?, ?)", [(s, row[0]) for (s,) in mentions])


def swap_rows(db: sqlite3.Connection, chosen: random.Random, original: Original) -> bool:
    """Exchange two entries, their order or parts of them."""
    one, other = chosen.sample(range(1, original.entries + 1), 2)
    if chosen.random() < 0.4:
        for old, new in ((one, -1), (other, one), (-1, other)):
            db.execute("UPDATE audit SET number = ? WHERE number = ?", (new, old))
            if chosen.random() < 0.9:
                db.execute("UPDATE audit_subjects SET number = ? WHERE number = ?", (new, old))
        return False
    columns = TABLES["audit"][1:]
    parts = columns if chosen.random() < 0.4 else chosen.sample(columns, chosen.randint(1, 4))
    query = f"SELECT {', '.join(parts)} FROM audit WHERE number = ?"
    values = {number: db.execute(query, (number,)).fetchone() for number in (one, other)}
    setting = ", ".join(f"{part} = ?" for part in parts)
    for target, source in ((one, other), (other, one)):
        db.execute(f"UPDATE audit SET {setting} WHERE number = ?", (*values[source], target))
    return False


def truncate(db: sqlite3.Connection, chosen: random.Random, original: Original) -> bool:
    """Cut entries off, alone or with all that tells of them."""
    left = chosen.randrange(original.entries)
    db.execute("DELETE FROM audit WHERE number > ?", (left,))
    if chosen.random() < 0.3:
        return False
    db.execute("DELETE FROM audit_subjects WHERE number > ?", (left,))
    db.execute(
        "UPDATE state SET events = ?, head = (SELECT hash FROM audit WHERE number = ?)",
        (left, left),
    )
    return True


def replay(db: sqlite3.Connection, chosen: random.Random, original: Original) -> bool:
    """Put an older copy of the whole log in its place."""
    db.deserialize(chosen.choice(original.older))
    return True


def recompute(db: sqlite3.Connection, chosen: random.Random, original: Original) -> bool:
    """Edit a body, and make everything fit again but the signatures, which need the key."""
    first = chosen.randrange(1, original.entries + 1)
    own = Ed25519PrivateKey.generate()
    rows = db.execute("SELECT number, body, hash, signature FROM audit").fetchall()
    link = chain.START
    resigned = chosen.random() < 0.7
    for number, old, old_hash, old_signature in sorted(rows):
        body, entry_hash, signature = old, old_hash, old_signature
        if number >= first:
            document = json.loads(body) | {"previous": link}
            if number == first:
                document["key"] = "forged"
            body = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            entry_hash = chain.body_hash(body.encode())
            signature = own.sign(entry_hash) if resigned else old_signature
        db.execute(
            "UPDATE audit SET body = ?, hash = ?, signature = ? WHERE number = ?",
            (body, entry_hash, signature, number),
        )
        link = chain.link(entry_hash, signature)
    db.execute("UPDATE state SET head = ?", (entry_hash,))
    return False


EVERY_EDIT: dict[Edit, int] = {
    edit_value: 45,
    delete_row: 12,
    insert_row: 12,
    swap_rows: 13,
    truncate: 9,
    replay: 4,
    recompute: 5,
}


def content(db: sqlite3.Connection) -> list[set[tuple[Any, ...]]]:
    """Return the rows of each table, values as bytes with their types, whatever they are."""
    found = []
    for table, columns in TABLES.items():
        values = ", ".join(f"CAST({each} AS BLOB), typeof({each})" for each in columns)
        found.append(set(db.execute(f"SELECT {values} FROM {table}").fetchall()))
    return found


def edited(original: Original, edit: Edit, chosen: random.Random) -> tuple[bytes, bool]:
    """Return a copy with one edit, and whether only a saved head can tell."""
    while True:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            db.deserialize(original.database)
            before = content(db)
            try:
                needs_head = edit(db, chosen, original)
            except (sqlite3.IntegrityError, sqlite3.OperationalError):
                continue  # the tables' own rules refused it
            if content(db) != before:
                return db.serialize(), needs_head


def test_a_thousand_random_edits_are_all_found(original: Original, tmp_path: Path) -> None:
    chosen = random.Random(20260301)
    plan = chosen.choices(list(EVERY_EDIT), weights=list(EVERY_EDIT.values()), k=EDITS)
    assert set(plan) == set(EVERY_EDIT)
    missed = []
    for place, edit in enumerate(plan):
        database, needs_head = edited(original, edit, chosen)
        path = tmp_path / f"{place}.sqlite"
        path.write_bytes(database)
        engine = sqlite_engine(path, 5)
        with engine.connect() as connection:
            result = verify(connection, original.key, original.head if needs_head else None)
        engine.dispose()
        path.unlink()
        if result.ok:
            missed.append((place, edit.__name__))
    assert missed == []


def test_the_same_copies_unedited_have_no_problem(original: Original, tmp_path: Path) -> None:
    for place, database in enumerate([original.database, *original.older]):
        path = tmp_path / f"{place}.sqlite"
        path.write_bytes(database)
        engine = sqlite_engine(path, 5)
        with engine.connect() as connection:
            assert verify(connection, original.key).ok
        engine.dispose()
