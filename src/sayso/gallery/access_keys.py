"""Access keys: who may call from outside, for what, and until when.

An id and a secret have the form of Amazon's, so that every client that signs requests takes them.
The secret is sealed rather than hashed, because a signature can only be verified with it; the key
it is sealed under is in the keyring, and is destroyed when the access key is revoked. So is the
attestation sealed, which stays: it is the evidence of the consents that the key recorded.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from sayso.errors import GalleryError, KeyNotFound, SealBroken, UnknownKey
from sayso.gallery import schema
from sayso.gallery.names import check_collection, check_purpose, is_text
from sayso.gallery.store import Change
from sayso.gallery.times import microseconds, moment
from sayso.gallery.types import LONGEST_EVIDENCE, AccessKey, NewAccessKey
from sayso.keyring.sealing import DataKey

_TABLE = schema.access_keys
_PREFIX = "SAYS"
_LONGEST_ACTOR = 255
_UNKNOWN = (
    "the access key is not known, or its secret is another, or it was revoked, or what it signed "
    "was changed on the way"
)
#: As long as a secret, and what no secret is.
_NOBODYS = b"*" * 40


def create(
    change: Change,
    actor: str,
    *,
    purpose: str,
    actions: Sequence[str],
    collections: Sequence[str] | None,
    until: datetime | None,
    attestation: str | None,
    created_by: str,
) -> NewAccessKey:
    """Make a key; its secret is told here and nowhere else.

    A collection need not be there yet. Raises InvalidName, or GalleryError for an actor, an end, an
    attestation or a list of collections that cannot be.
    """
    check_purpose(purpose)
    if collections is not None and not collections:
        raise GalleryError("a key for no collection is of no use: leave them out for all of them")
    for name in collections or ():
        check_collection(name)
    expires = None if until is None else microseconds(until)
    _check(change, actor, expires, attestation)
    # 80 random bits in the letters and digits that Amazon's ids have, and 240 in the secret.
    key_id = _PREFIX + base64.b32encode(secrets.token_bytes(10)).decode()
    secret = secrets.token_urlsafe(30)
    sealing = change.keyring.secrets()
    change.connection.execute(
        insert(_TABLE).values(
            id=key_id,
            actor=actor,
            purpose=purpose,
            actions=json.dumps(sorted(set(actions))),
            collections=None if collections is None else json.dumps(sorted(set(collections))),
            attestation=None
            if attestation is None
            else sealing.seal(attestation.encode(), _attestation_of(key_id)),
            secret=sealing.seal(secret.encode(), key_id.encode()),
            created=change.now,
            created_by=created_by,
            expires=expires,
        )
    )
    return NewAccessKey(describe(change.connection, sealing, key_id), secret)


def describe(connection: Connection, sealing: DataKey, key_id: str) -> AccessKey:
    """Return one key; ``sealing`` is the keyring's for secrets. Raises KeyNotFound."""
    return _key(_required(connection, key_id), sealing)


def describe_all(connection: Connection, sealing: DataKey) -> tuple[AccessKey, ...]:
    """Return every key, the oldest first; ``sealing`` is the keyring's for secrets."""
    rows = connection.execute(select(_TABLE).order_by(_TABLE.c.created, _TABLE.c.id))
    return tuple(_key(row, sealing) for row in rows)


def revoke(change: Change, key_id: str) -> AccessKey:
    """Revoke a key for good: its secret is destroyed. Its attestation stays on record.

    Once more is no harm. Raises KeyNotFound.
    """
    row = _required(change.connection, key_id)
    if row.revoked is None:
        # A statement that nobody can read must not keep the key from being revoked, or listed.
        kept = row.attestation if _opens(row, change.keyring.secrets()) else None
        change.connection.execute(
            update(_TABLE)
            .where(_TABLE.c.id == key_id)
            .values(revoked=change.now, secret=None, attestation=kept)
        )
        change.end("access-key", [key_id])
    return describe(change.connection, change.keyring.secrets(), key_id)


def authenticate(
    connection: Connection, sealing: DataKey, key_id: str, verify: Callable[[str], bool], now: int
) -> AccessKey:
    """Return a key if it is live and ``verify`` says yes to its secret; raises UnknownKey.

    The error is the same whatever was wrong, and takes as long, so that nobody learns which ids
    there are; but that a key has ended is said to a caller with its secret.
    """
    row = _row(connection, key_id)
    if row is None or row.secret is None:
        # As much work as for a key that is there: a secret is opened, and compared.
        nobody = key_id.encode("utf-8", "surrogatepass")
        verify(sealing.open(sealing.seal(_NOBODYS, nobody), nobody).decode())
        raise UnknownKey(_UNKNOWN)
    if not verify(sealing.open(row.secret, row.id.encode()).decode()):
        raise UnknownKey(_UNKNOWN)
    require_live(connection, key_id, now)
    return _key(row, sealing)


def require_there(connection: Connection, key_id: str) -> None:
    """Raise UnknownKey unless there is a key of that id that was not revoked."""
    row = _row(connection, key_id)
    if row is None or row.secret is None:
        raise UnknownKey(_UNKNOWN)


def require_live(connection: Connection, key_id: str, now: int) -> None:
    """Raise UnknownKey when a key was revoked or has expired."""
    row = _row(connection, key_id)
    if row is None or row.revoked is not None:
        raise UnknownKey("the access key was revoked: ask for another one (sayso keys create)")
    if row.expires is not None and row.expires <= now:
        raise UnknownKey(
            f"the access key expired at {moment(row.expires).isoformat()}: ask for another one "
            "(sayso keys create)"
        )


def _row(connection: Connection, key_id: str) -> Any:
    return connection.execute(select(_TABLE).where(_TABLE.c.id == key_id)).first()


def _required(connection: Connection, key_id: str) -> Any:
    row = _row(connection, key_id)
    if row is None:
        raise KeyNotFound(f"there is no access key {key_id!r}: list them (sayso keys list)")
    return row


def _opens(row: Any, sealing: DataKey) -> bool:
    try:
        _key(row, sealing)
    except SealBroken:
        return False
    return True


def _attestation_of(key_id: str) -> bytes:
    """Return the context that an attestation is sealed in: it opens as no other key's."""
    return b"attestation\0" + key_id.encode()


def _check(change: Change, actor: str, expires: int | None, attestation: str | None) -> None:
    if not _is_text_of(actor, _LONGEST_ACTOR):
        raise GalleryError(
            f"an access key is somebody's: name the actor in 1 to {_LONGEST_ACTOR} characters"
        )
    if expires is not None and expires <= change.now:
        raise GalleryError(f"a key until {moment(expires).isoformat()} has expired already")
    if attestation is not None and not _is_text_of(attestation, LONGEST_EVIDENCE):
        raise GalleryError(
            f"an attestation says in 1 to {LONGEST_EVIDENCE:,} characters how consent is collected"
        )


def _is_text_of(value: object, longest: int) -> bool:
    """Tell whether a value, from whoever calls, is text with something in it, and not too long."""
    return isinstance(value, str) and 0 < len(value.strip()) <= longest and is_text(value)


def _key(row: Any, sealing: DataKey) -> AccessKey:
    return AccessKey(
        id=row.id,
        actor=row.actor,
        purpose=row.purpose,
        actions=tuple(json.loads(row.actions)),
        collections=None if row.collections is None else tuple(json.loads(row.collections)),
        attestation=None
        if row.attestation is None
        else sealing.open(row.attestation, _attestation_of(row.id)).decode(),
        created=moment(row.created),
        created_by=row.created_by,
        expires=None if row.expires is None else moment(row.expires),
        revoked=None if row.revoked is None else moment(row.revoked),
    )
