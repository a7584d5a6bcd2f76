"""The log itself: entries are appended in the transaction of what they tell of, and read.

The table takes no part in any other change: nothing here updates or deletes an entry. ``chain``
says what an entry is made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Select, insert, update

from sayso.audit import chain
from sayso.audit.canonical import parse
from sayso.audit.chain import Row, Tail, Who
from sayso.audit.coding import from_json, subjects_in, to_fields
from sayso.audit.events import Event, LogBegun
from sayso.audit.heads import current_head
from sayso.errors import AuditError
from sayso.gallery import schema

_AUDIT = schema.audit.c
_INSERT_ENTRY = insert(schema.audit)
_INSERT_SUBJECT = insert(schema.audit_subjects)
_UPDATE_STATE = update(schema.state)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log: what happened, when, and who did it, as whom and for what.

    ``key`` is the id of the access key, ``body`` the JSON that was hashed and signed; ``hash`` (32
    bytes) and ``signature`` (64 bytes) are hex.
    """

    number: int
    time: datetime
    actor: str
    key: str | None
    purpose: str | None
    event: Event
    body: str
    hash: str
    signature: str


class Log:
    """What writes the log, with the key that signs it. Threads may share one."""

    def __init__(self, signing_key: Ed25519PrivateKey) -> None:
        self._key = signing_key
        self._verifier = signing_key.public_key()
        # The last entry that this log wrote or checked.
        self._known: tuple[bytes, bytes] | None = None

    @property
    def public_key(self) -> bytes:
        """The Ed25519 public key, 32 bytes, that verifies the log."""
        return self._verifier.public_bytes_raw()

    def append(self, connection: Connection, now: int, who: Who, events: Sequence[Event]) -> int:
        """Append an entry for each event, in the caller's transaction; return the last number.

        ``now`` is in microseconds since 1970. The first entry of all, which says that the log
        begins, comes by itself.

        Raises AuditError when the log does not end with an entry signed by this key: whoever
        continued it would vouch for what others wrote. ``verify`` relies on that.
        """
        tail = self.check(connection)
        if not events:
            return tail.events
        if tail.number is None:
            events = [LogBegun(self.public_key.hex()), *events]
        previous = chain.link(tail.hash, tail.signature) if tail.events else chain.START
        rows: list[dict[str, Any]] = []
        mentions: list[dict[str, Any]] = []
        for number, event in enumerate(events, tail.events + 1):
            fields = to_fields(event)
            row = self._row(number, now, previous, who, event.kind, fields)
            rows.append(row)
            subjects = sorted(subjects_in(fields))
            mentions += [{"subject": subject, "number": number} for subject in subjects]
            previous = chain.link(row["hash"], row["signature"])
        connection.execute(_INSERT_ENTRY, rows)
        if mentions:
            connection.execute(_INSERT_SUBJECT, mentions)
        last = rows[-1]
        connection.execute(_UPDATE_STATE, {"events": last["number"], "head": last["hash"]})
        self._known = (last["hash"], last["signature"])
        return int(last["number"])

    def check(self, connection: Connection) -> Tail:
        """Return the end of the log; raises AuditError unless this key signed it."""
        tail = chain.read_tail(connection)
        end = (tail.hash, tail.signature)
        if tail.number is not None and end != self._known:
            if not chain.signed(self._verifier, *end):
                raise chain.broken(tail.number)
            self._known = end
        return tail

    def _row(
        self,
        number: int,
        now: int,
        previous: str,
        who: Who,
        kind: str,
        fields: Mapping[str, Any],
    ) -> dict[str, Any]:
        body = chain.write_body(number, now, previous, who, kind, fields)
        entry_hash = chain.body_hash(body.encode())
        return {
            "number": number,
            "time": now,
            "kind": kind,
            "actor": who.actor,
            "collection": fields.get("collection"),
            "body": body,
            "hash": entry_hash,
            "signature": self._key.sign(entry_hash),
        }


def entries(
    connection: Connection,
    *,
    after: int = 0,
    before: int | None = None,
    limit: int | None = None,
    newest_first: bool = False,
    collection: str | None = None,
    actor: str | None = None,
    kind: str | None = None,
    subject: str | None = None,
) -> Iterator[Entry]:
    """Yield the entries numbered above ``after``, the oldest first, at most ``limit``.

    And below ``before``, where it is given. The others narrow it to one collection, one actor, one
    kind of event, or the subject of that id. The connection must stay open meanwhile. Raises
    AuditError for an entry that is damaged; only ``verify`` tells whether one was forged.
    """
    query = chain.row_query().where(_AUDIT.number > after)
    if before is not None:
        query = query.where(_AUDIT.number < before)
    wanted = {"collection": collection, "actor": actor, "kind": kind}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(_AUDIT[name] == value)
    if subject is not None:
        query = _about(query, subject)
    query = query.order_by(_AUDIT.number.desc() if newest_first else _AUDIT.number).limit(limit)
    for rows in chain.rows(connection, query):
        for row in rows:
            yield _entry(row)


def _about(query: Select[Any], subject: str) -> Select[Any]:
    mention = schema.audit_subjects.c
    return query.join(schema.audit_subjects, mention.number == _AUDIT.number).where(
        mention.subject == subject
    )


def _entry(row: Row) -> Entry:
    damaged = AuditError(
        f"entry {row.number} of the audit log is damaged; 'sayso audit verify' tells more"
    )
    document = parse(row.body or b"")
    if not row.sound or document is None:
        raise damaged
    time = chain.read_stamp(document.get("time"))
    if time is None:
        raise damaged
    try:
        return Entry(
            number=document["number"],
            time=time,
            actor=document["actor"],
            key=document["key"],
            purpose=document["purpose"],
            event=from_json(document["event"], row.body or b""),
            body=(row.body or b"").decode(),
            hash=(row.hash or b"").hex(),
            signature=(row.signature or b"").hex(),
        )
    except (KeyError, TypeError, ValueError):
        raise damaged from None


__all__ = ["Entry", "Log", "Who", "current_head", "entries"]
