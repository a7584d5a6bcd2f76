"""Subjects: the people who may be enrolled in a collection.

Names are sealed under the subject's own key, and found by their digest.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, func, insert, or_, select

from sayso.errors import SubjectNotFound
from sayso.gallery import coverage, schema, serving
from sayso.gallery.batches import IN_LIST, ROWS, batches
from sayso.gallery.collections import Pinned
from sayso.gallery.names import check_subject, known_subject
from sayso.gallery.sealing import name_digest, open_name, seal_name
from sayso.gallery.store import Change, FindKeys
from sayso.gallery.times import moment
from sayso.gallery.types import Subject
from sayso.keyring.sealing import DataKey
from sayso.keyring.store import Keyring

_TABLE = schema.subjects
_TOMBSTONE = schema.tombstones.c


@dataclass(frozen=True, slots=True)
class Known:
    """A subject as the store knows it; ``created`` is in microseconds since 1970, UTC."""

    key: int
    id: str
    name: str
    created: int


def find(connection: Connection, keyring: Keyring, collection: Pinned, name: str) -> Known:
    """Return the subject of that name; raises InvalidName or SubjectNotFound."""
    found = look_up(connection, keyring, collection, name)
    if found is None:
        raise not_found(collection, name)
    return found


def look_up(
    connection: Connection, keyring: Keyring, collection: Pinned, name: str
) -> Known | None:
    """Return the subject of that name, None where there is none; raises InvalidName."""
    known_subject(name)
    return _known(connection, keyring, collection, [name]).get(name)


def find_or_create(change: Change, collection: Pinned, names: Iterable[str]) -> dict[str, Known]:
    """Return the subject of every name, making those that are not there yet.

    Raises InvalidName before anything is made.
    """
    wanted = dict.fromkeys(check_subject(name) for name in names)
    found = _known(change.connection, change.keyring, collection, wanted)
    missing = [name for name in wanted if name not in found]
    digests = change.keyring.digests()
    for batch in batches(missing, ROWS):
        rows: list[dict[str, Any]] = []
        for name in batch:
            new, key = str(uuid.uuid4()), DataKey.generate()
            change.new_keys[new] = key
            rows.append(
                {
                    "id": new,
                    "collection_key": collection.key,
                    "name": seal_name(key, name),
                    "name_digest": name_digest(digests, collection.name, name),
                    "created": change.now,
                }
            )
        change.connection.execute(insert(_TABLE), rows)
    found |= _known(change.connection, change.keyring, collection, missing)
    return found


def describe(
    connection: Connection, collection: Pinned, known: Known, *, now: int, purpose: str | None
) -> Subject:
    """Return a subject as it stands; see ``describe_all`` for the purpose."""
    return _describe(connection, collection, [known], now, purpose)[0]


def describe_all(
    connection: Connection,
    find_keys: FindKeys,
    collection: Pinned,
    *,
    after: str,
    limit: int | None,
    now: int,
    purpose: str | None = None,
) -> tuple[Subject, ...]:
    """Return the subjects that came after the one of that id, the oldest first.

    At most ``limit``; with a ``purpose``, only those whose consent covers it now, as they are for
    that purpose alone: made when the first consent to it was recorded, with the faces that serve
    it. It does no harm when the one of that id has been erased meanwhile. Raises SubjectNotFound
    for an id that never was.
    """
    made: ColumnElement[int] = _TABLE.c.created
    if purpose is not None:
        made = func.coalesce(_first_agreed(_TABLE.c.key, purpose), _TABLE.c.created)
    query = (
        select(_TABLE.c.key, _TABLE.c.id, _TABLE.c.name, _TABLE.c.created)
        .where(_TABLE.c.collection_key == collection.key)
        .order_by(made, _TABLE.c.id)
        .limit(limit)
    )
    if after:
        created = _created(connection, collection, after, made)
        query = query.where(or_(made > created, (made == created) & (_TABLE.c.id > after)))
    if purpose is not None:
        query = query.where(coverage.is_covered(_TABLE.c.key, purpose, now))
    rows = connection.execute(query).all()
    return tuple(
        subject
        for batch in batches(rows, IN_LIST)
        for subject in _describe(connection, collection, _opened(batch, find_keys), now, purpose)
    )


def names(connection: Connection, find_keys: FindKeys, keys: Iterable[int]) -> dict[int, Known]:
    """Return those subjects, by key, that are still there."""
    found: dict[int, Known] = {}
    for batch in batches(keys, IN_LIST):
        rows = connection.execute(
            select(_TABLE.c.key, _TABLE.c.id, _TABLE.c.name, _TABLE.c.created).where(
                _TABLE.c.key.in_(batch)
            )
        ).all()
        found.update((known.key, known) for known in _opened(rows, find_keys))
    return found


def ids(connection: Connection, keys: Iterable[int]) -> dict[int, str]:
    """Return the ids of those subjects, by key, that are still there."""
    found: dict[int, str] = {}
    for batch in batches(keys, IN_LIST):
        rows = connection.execute(select(_TABLE.c.key, _TABLE.c.id).where(_TABLE.c.key.in_(batch)))
        found.update((key, identity) for key, identity in rows)
    return found


def not_found(collection: Pinned, name: str) -> SubjectNotFound:
    """Return the error for a name that the collection does not have, or not for this caller."""
    return SubjectNotFound(f"there is no subject {name!r} in collection {collection.name!r}")


def _first_agreed(subject: ColumnElement[int], purpose: str) -> ScalarSelect[int]:
    """Return when the first consent of a subject to the purpose was recorded."""
    consent, agreed = schema.consents.c, schema.consent_purposes.c
    return (
        select(func.min(consent.recorded))
        .join(schema.consent_purposes, agreed.consent_key == consent.key)
        .where(consent.subject_key == subject, agreed.purpose == purpose)
        .scalar_subquery()
    )


def _created(
    connection: Connection, collection: Pinned, subject: str, made: ColumnElement[int]
) -> int:
    standing = select(made).where(_TABLE.c.collection_key == collection.key, _TABLE.c.id == subject)
    erased = select(_TOMBSTONE.created).where(
        _TOMBSTONE.collection == collection.name, _TOMBSTONE.id == subject
    )
    for query in (standing, erased):
        created = connection.execute(query).scalar()
        if created is not None:
            return int(created)
    raise SubjectNotFound(
        f"there never was a subject of the id {subject!r} in collection {collection.name!r}: go on "
        "after the id of the last one that you were given"
    )


def _opened(rows: Iterable[Any], find_keys: FindKeys) -> list[Known]:
    """Open the names; whoever has no key any more is being erased, and left out."""
    listed = list(rows)
    keys = find_keys(row.id for row in listed)
    return [
        Known(row.key, row.id, open_name(keys[row.id], row.name), row.created)
        for row in listed
        if row.id in keys
    ]


def _describe(
    connection: Connection,
    collection: Pinned,
    known: list[Known],
    now: int,
    purpose: str | None,
) -> list[Subject]:
    keys = [subject.key for subject in known]
    face = schema.faces.c
    query = (
        select(face.subject_key, func.count())
        .where(face.subject_key.in_(keys))
        .group_by(face.subject_key)
    )
    made = {subject.key: subject.created for subject in known}
    if purpose is not None:
        query = query.where(serving.face_shown(purpose, now))
        first = select(_TABLE.c.key, _first_agreed(_TABLE.c.key, purpose))
        agreed = connection.execute(first.where(_TABLE.c.key.in_(keys)))
        made.update((key, recorded) for key, recorded in agreed if recorded is not None)
    rows = connection.execute(query)
    counts: dict[int, int] = dict(tuple(row) for row in rows)
    purposes = coverage.live_purposes(connection, keys, now)
    return [
        Subject(
            id=subject.id,
            collection=collection.name,
            name=subject.name,
            created=moment(made[subject.key]),
            faces=counts.get(subject.key, 0),
            purposes=tuple(
                each for each in purposes.get(subject.key, ()) if purpose in (None, each)
            ),
        )
        for subject in known
    ]


def _known(
    connection: Connection, keyring: Keyring, collection: Pinned, names: Iterable[str]
) -> dict[str, Known]:
    digests = keyring.digests()
    wanted = {name_digest(digests, collection.name, name): name for name in names}
    found: dict[str, Known] = {}
    for batch in batches(wanted, IN_LIST):
        rows = connection.execute(
            select(_TABLE.c.key, _TABLE.c.id, _TABLE.c.name_digest, _TABLE.c.created).where(
                _TABLE.c.collection_key == collection.key, _TABLE.c.name_digest.in_(batch)
            )
        )
        for key, identity, digest, created in rows:
            name = wanted[digest]
            found[name] = Known(key, identity, name, created)
    return found
