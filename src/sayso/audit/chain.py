"""How entries are written, hashed, chained and signed, and how their rows are read back.

An entry's ``body`` is canonical JSON: the fields of its event, and

- ``number``: 1 for the first entry, then without a gap;
- ``time``: ISO 8601, UTC, microseconds;
- ``previous``: SHA-256 of the hash and the signature of the entry before, one after the other, in
  hex; 64 zeros in the first entry;
- ``actor``, ``key`` (the id of an access key, or null) and ``purpose`` (or null): who did it;
- ``event``: the kind.

Its hash is SHA-256 of the line ``sayso audit 1``, a line feed and the body in UTF-8. Its signature
is Ed25519 (RFC 8032) of the 32 bytes of the hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    and_,
    cast,
    func,
    or_,
    select,
)

from sayso.audit.canonical import canonical
from sayso.errors import AuditError
from sayso.gallery import schema
from sayso.gallery.batches import driver_rows
from sayso.gallery.times import moment

#: The fields of every entry, of whatever kind.
ENVELOPE = ("number", "time", "previous", "actor", "key", "purpose", "event")
#: What the first entry has for ``previous``.
START = "0" * 64

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_DOMAIN = b"sayso audit 1\n"
_AUDIT = schema.audit.c
_STATE = schema.state.c


@dataclass(frozen=True, slots=True)
class Who:
    """Who did something: an actor, the id of the access key, and the purpose, where there are."""

    actor: str
    key: str | None = None
    purpose: str | None = None


class Row(NamedTuple):
    """A row of the log as it lies in the store, where anything may have happened to it.

    Texts are bytes, since they may not be UTF-8. ``sound`` is 1 when each value is of the type
    that its column should have; numbers and bytes are converted ones where it is not.
    """

    number: int | None
    time: int | None
    kind: bytes | None
    actor: bytes | None
    collection: bytes | None
    body: bytes | None
    hash: bytes | None
    signature: bytes | None
    sound: int


class Tail(NamedTuple):
    """The end of the log: what ``state`` says, and the last row (number None: there is none)."""

    events: int
    head: bytes | None
    number: int | None
    time: int
    hash: bytes
    signature: bytes


def write_body(
    number: int, time: int, previous: str, who: Who, kind: str, fields: Mapping[str, Any]
) -> str:
    """Return the body of an entry of an event with these fields; ``time`` as in the store."""
    return canonical(
        {
            **fields,
            "number": number,
            "time": stamp(time),
            "previous": previous,
            "actor": who.actor,
            "key": who.key,
            "purpose": who.purpose,
            "event": kind,
        }
    )


def stamp(time: int) -> str:
    """Return microseconds since 1970 as entries write them; OverflowError beyond year 9999."""
    return moment(time).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def read_stamp(value: object) -> datetime | None:
    """Return the time that ``stamp`` wrote, or None when it did not write that."""
    if not isinstance(value, str) or not _STAMP.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def body_hash(body: bytes) -> bytes:
    """Return the hash of an entry: 32 bytes."""
    return hashlib.sha256(_DOMAIN + body).digest()


def link(entry_hash: bytes, signature: bytes) -> str:
    """Return what the next entry has for ``previous``.

    The signature is in it, so that an exchanged signature breaks the chain like an edited body.
    """
    return hashlib.sha256(entry_hash + signature).hexdigest()


def public_key(raw: bytes) -> Ed25519PublicKey:
    """Return an Ed25519 public key from its 32 bytes, or raise AuditError."""
    try:
        return Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        raise AuditError(
            f"{len(raw)} bytes are no Ed25519 public key, which has 32 (64 hexadecimal digits)"
        ) from None


def signed(key: Ed25519PublicKey, entry_hash: bytes, signature: bytes) -> bool:
    """Tell whether the signature of an entry's hash is by the holder of that key."""
    try:
        key.verify(signature, entry_hash)
    except InvalidSignature:
        return False
    return True


def row_query() -> Select[Any]:
    """Return the query for ``Row``; the caller says which and in which order."""
    blobs = ("kind", "actor", "collection", "body", "hash", "signature")
    columns: list[ColumnElement[Any]] = [
        cast(_AUDIT.number, BigInteger),
        cast(_AUDIT.time, BigInteger),
        *(cast(_AUDIT[name], LargeBinary) for name in blobs),
        # SQLite keeps what it is given, whatever type the column was declared with.
        and_(
            func.typeof(_AUDIT.number) == "integer",
            func.typeof(_AUDIT.time) == "integer",
            func.typeof(_AUDIT.kind) == "text",
            func.typeof(_AUDIT.actor) == "text",
            or_(_AUDIT.collection.is_(None), func.typeof(_AUDIT.collection) == "text"),
            func.typeof(_AUDIT.body) == "text",
            func.typeof(_AUDIT.hash) == "blob",
            func.typeof(_AUDIT.signature) == "blob",
        ),
    ]
    return select(*columns)


def rows(connection: Connection, query: Select[Any]) -> Iterator[list[Row]]:
    """Yield the rows that a ``row_query`` finds, in lists."""
    for found in driver_rows(connection.execute(query)):
        yield [Row(*row) for row in found]


_TAIL = (
    select(
        cast(_STATE.events, BigInteger),
        cast(_STATE.head, LargeBinary),
        cast(_AUDIT.number, BigInteger),
        cast(_AUDIT.time, BigInteger),
        cast(_AUDIT.hash, LargeBinary),
        cast(_AUDIT.signature, LargeBinary),
    )
    .select_from(schema.state)
    .outerjoin(schema.audit, _AUDIT.number == select(func.max(_AUDIT.number)).scalar_subquery())
)


def read_tail(connection: Connection) -> Tail:
    """Return the end of the log.

    Raises AuditError when ``state`` and the last entry do not fit.
    """
    events, head, number, time, entry_hash, signature = connection.execute(_TAIL).one()
    if not events and head is None and number is None:
        return Tail(0, None, None, 0, b"", b"")
    if number != events or head is None or head != entry_hash or None in (time, signature):
        raise broken(events)
    return Tail(events, head, number, time, entry_hash, signature)


def broken(number: object) -> AuditError:
    """Return the error for a log whose end is not what was written."""
    return AuditError(
        f"the audit log is damaged at its end, entry {number}: it is not what was signed. "
        "Nothing is done that could not be logged. 'sayso audit verify' tells more; move "
        "gallery.sqlite away and restore a backup (sayso restore) for a whole log"
    )
