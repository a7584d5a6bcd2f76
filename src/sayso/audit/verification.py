"""Verification: whether the log in the store is what was written.

First the chain is followed and the last signature checked. That vouches for all signatures before
it: they are in the chain, and ``Log.append`` continues only from an entry that its own key signed.
Where anything is amiss, every signature is checked, to tell where it began.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Connection, LargeBinary, and_, cast, func, or_, select

from sayso.audit import chain
from sayso.audit.chain import Row
from sayso.audit.coding import subjects_in
from sayso.audit.exports import export_line, verify_export
from sayso.audit.heads import Head
from sayso.audit.walk import Problem, Verification, Walk
from sayso.gallery import schema
from sayso.gallery.batches import batches

#: The columns that repeat what the body says.
_REPEATED = ("number", "time", "kind", "actor", "collection")
_CHUNK = 1000  # entries whose subjects are compared at once
_AUDIT = schema.audit.c
_MENTION = schema.audit_subjects.c
_STATE = schema.state.c

_Mentions = set[tuple[int | None, bytes]]


def verify(connection: Connection, public_key: bytes, head: Head | None = None) -> Verification:
    """Verify the log in the store, also against a saved ``head`` where there is one.

    ``public_key`` is the log's, 32 bytes. Whatever is wrong with the tables is told, not raised:
    AuditError is only for a public key that is none. Without a saved head it cannot be found that
    the end was cut off, or an old copy put in the place of the log.
    """
    found = _verify(connection, public_key, head, every_signature=False)
    return found if found.ok else _verify(connection, public_key, head, every_signature=True)


def _verify(
    connection: Connection, public_key: bytes, head: Head | None, *, every_signature: bool
) -> Verification:
    walk = Walk(public_key, head, every_signature=every_signature, whole=True)
    mentions = 0
    for rows in chain.rows(connection, chain.row_query().order_by(_AUDIT.number)):
        for some in batches(rows, _CHUNK):
            documents = [_take(walk, row) for row in some]
            mentions += _check_mentions(connection, walk, some, documents)
    if (
        mentions
        != connection.execute(select(func.count()).select_from(schema.audit_subjects)).scalar_one()
    ):
        walk.problem(None, "the table of subjects has rows for entries that are not there")
    _check_state(connection, walk)
    return walk.finish()


def _take(walk: Walk, row: Row) -> dict[str, Any]:
    """Check an entry, and the columns that repeat its body; return the body."""
    if not row.sound:
        walk.problem(row.number, "a column holds a value of another type than it should")
    document = walk.take(row.number, row.body or b"", row.hash or b"", row.signature or b"")
    columns = (row.number, _stamp(row.time), row.kind, row.actor, row.collection)
    content = (
        document.get("number"),
        document.get("time"),
        *(_encoded(document.get(name)) for name in ("event", "actor", "collection")),
    )
    if columns != content:
        for name, column, value in zip(_REPEATED, columns, content, strict=True):
            if column != value:
                walk.problem(row.number, f"its column {name} is not what its content says")
    return document


def _check_mentions(
    connection: Connection, walk: Walk, rows: list[Row], documents: list[dict[str, Any]]
) -> int:
    """Compare the subjects of these entries with their table; return how many rows it has."""
    expected: _Mentions = set()
    for row, document in zip(rows, documents, strict=True):
        expected |= {(row.number, _encoded(each) or b"") for each in subjects_in(document)}
    numbers = [row.number for row in rows if row.number is not None]
    if not numbers:
        return 0
    found = connection.execute(
        select(
            cast(_MENTION.number, BigInteger),
            cast(_MENTION.subject, LargeBinary),
            and_(
                func.typeof(_MENTION.number) == "integer", func.typeof(_MENTION.subject) == "text"
            ),
        ).where(_MENTION.number.between(min(numbers), max(numbers)))
    ).all()
    stored = {(number, subject or b"") for number, subject, sound in found if sound}
    for number in sorted({number or 0 for number, _ in expected ^ stored}):
        walk.problem(number, "its subjects in their table are not those of its content")
    # A row of another type counts in no entry, so the count of all rows tells of it.
    return len(stored)


def _check_state(connection: Connection, walk: Walk) -> None:
    found = connection.execute(
        select(
            cast(_STATE.events, BigInteger),
            cast(_STATE.head, LargeBinary),
            and_(
                func.typeof(_STATE.events) == "integer",
                or_(_STATE.head.is_(None), func.typeof(_STATE.head) == "blob"),
            ),
        )
    ).all()
    if [tuple(row) for row in found] != [(walk.next - 1, walk.last_hash, True)]:
        walk.problem(None, "the gallery's own count and end of the log are not those of the log")


def _stamp(time: int | None) -> str | None:
    try:
        return None if time is None else chain.stamp(time)
    except OverflowError:
        return None


def _encoded(value: object) -> bytes | None:
    # Damaged content may hold half a character of UTF-16, which JSON can write.
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else None


__all__ = ["Problem", "Verification", "export_line", "verify", "verify_export"]
