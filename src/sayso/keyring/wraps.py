"""The wrapped keys in the keyring's tables: found, made, and wrapped by another master key.

Everything here happens in a transaction of the caller's, who knows the master key. Each key is
wrapped in a context of its own, so that a wrap that is moved to another row does not open there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Column, Connection, insert, select, update

from sayso.errors import KeyringError, SealBroken
from sayso.keyring import schema
from sayso.keyring.database import driver_rows
from sayso.keyring.master import MasterKey
from sayso.keyring.sealing import DataKey

#: The gallery's own keys: the audit log's, that of access keys' secrets, and that of digests.
SIGNING, SECRETS, DIGESTS = "signing", "secrets", "digests"

_SYSTEM = (SIGNING, SECRETS, DIGESTS)
_IN_LIST = 500  # values of one IN list, below SQLite's old limit of 999 parameters
_MANY = 10_000  # subjects from which on reading the whole table is quicker than looking them up

T = TypeVar("T")


def subject_bytes(subject: str) -> bytes:
    """Return the 16 bytes of a UUID; four times as fast as ``uuid.UUID``."""
    try:
        raw = bytes.fromhex(subject.replace("-", ""))
    except ValueError:
        raw = b""
    if len(raw) != 16:
        raise KeyringError(f"{subject!r} is no id of a subject: it should be a UUID")
    return raw


def _context(subject: bytes) -> bytes:
    return b"subject\0" + subject


def _system_context(name: str) -> bytes:
    return b"system\0" + name.encode()


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _IN_LIST):
        yield values[start : start + _IN_LIST]


def fingerprint(connection: Connection) -> str:
    """Return the fingerprint of the master key that wraps the keys."""
    return str(connection.execute(select(schema.master.c.fingerprint)).scalar_one())


def find(
    connection: Connection, master: MasterKey, asked: Mapping[bytes, str]
) -> dict[str, DataKey]:
    """Return the keys of the subjects asked for that have one; raises SealBroken."""
    keys = {}
    for raw, wrapped in _wrapped(connection, asked):
        subject = asked.get(raw)
        if subject is not None:
            try:
                keys[subject] = DataKey(master.unwrap(wrapped, _context(raw)))
            except SealBroken:
                raise _tampered(f"the key of subject {subject}") from None
    return keys


def make(
    connection: Connection, master: MasterKey, asked: Mapping[bytes, str]
) -> dict[str, DataKey]:
    """Return the keys of the subjects asked for, making those that are not there."""
    keys = find(connection, master, asked)
    new = {raw: DataKey.generate() for raw, subject in asked.items() if subject not in keys}
    keep(connection, master, new)
    return keys | {asked[raw]: key for raw, key in new.items()}


def keep(connection: Connection, master: MasterKey, keys: Mapping[bytes, DataKey]) -> None:
    """Put in the keys of subjects who have none."""
    # In the order that they are stored in, which takes half the time.
    rows = [
        (raw, master.wrap(key.raw, _context(raw)))
        for raw, key in sorted(keys.items(), key=itemgetter(0))
    ]
    _execute_many(connection, "INSERT INTO data_keys (subject, wrapped) VALUES (?, ?)", rows)


def first_ended(connection: Connection, asked: Mapping[bytes, str]) -> str | None:
    """Return one of the subjects whose key was destroyed; None when there is none."""
    table = schema.endings
    query = select(table.c.id).where(table.c.kind == "subject").limit(1)
    for part in _parts([str(UUID(bytes=raw)) for raw in asked]):
        found = connection.execute(query.where(table.c.id.in_(part))).scalar()
        if found is not None:
            return str(found)
    return None


def _wrapped(connection: Connection, asked: Mapping[bytes, str]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the wrapped keys of the subjects asked for, and of others where they are many."""
    table = schema.data_keys
    query = select(table.c.subject, table.c.wrapped)
    if len(asked) >= _MANY:
        yield from driver_rows(connection, query)
        return
    for part in _parts(list(asked)):
        yield from driver_rows(connection, query.where(table.c.subject.in_(part)))


def system_keys(connection: Connection, master: MasterKey) -> dict[str, DataKey]:
    """Return the gallery's own keys, by name; raises SealBroken."""
    table = schema.system_keys
    found = dict(driver_rows(connection, select(table.c.name, table.c.wrapped)))
    try:
        return {
            name: DataKey(master.unwrap(found[name], _system_context(name))) for name in _SYSTEM
        }
    except (KeyError, SealBroken):
        raise _tampered("a key of the gallery's own") from None


def _tampered(what: str) -> SealBroken:
    return SealBroken(
        f"{what} is not as it was put into the keyring; put the keyring back from your copy"
    )


def fill(connection: Connection, master: MasterKey) -> None:
    """Put what every keyring has into a new one."""
    connection.execute(insert(schema.master).values(id=1, fingerprint=master.fingerprint))
    # 32 random bytes are an Ed25519 key, too (RFC 8032, 5.1.5).
    rows = [
        {"name": name, "wrapped": master.wrap(DataKey.generate().raw, _system_context(name))}
        for name in _SYSTEM
    ]
    connection.execute(insert(schema.system_keys), rows)


def rewrap(connection: Connection, old: MasterKey, new: MasterKey) -> None:
    """Wrap every key by another master key; raises SealBroken."""

    def anew(id_column: Column[T], context: Callable[[T], bytes]) -> list[tuple[bytes, T]]:
        query = select(id_column, id_column.table.c.wrapped)
        return [
            (new.wrap(old.unwrap(wrapped, context(key)), context(key)), key)
            for key, wrapped in driver_rows(connection, query)
        ]

    try:
        subjects = anew(schema.data_keys.c.subject, _context)
        system = anew(schema.system_keys.c.name, _system_context)
    except SealBroken:
        raise _tampered("a key in it") from None
    _execute_many(connection, "UPDATE data_keys SET wrapped = ? WHERE subject = ?", subjects)
    _execute_many(connection, "UPDATE system_keys SET wrapped = ? WHERE name = ?", system)
    connection.execute(update(schema.master).values(fingerprint=new.fingerprint))


def _execute_many(connection: Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    # SQLAlchemy's own way takes longer to convert bytes than the driver takes to write them.
    if rows:
        connection.exec_driver_sql(statement, rows)
