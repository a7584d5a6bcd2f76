"""Subjects: the people who may be enrolled in a collection."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from sayso.errors import SubjectNotFound
from sayso.gallery import consents, schema
from sayso.gallery.batches import IN_LIST, ROWS, batches
from sayso.gallery.collections import Pinned
from sayso.gallery.names import check_subject
from sayso.gallery.store import Change
from sayso.gallery.times import moment
from sayso.gallery.types import Subject

_TABLE = schema.subjects


@dataclass(frozen=True, slots=True)
class Known:
    """A subject as the store knows it; ``created`` is in microseconds since 1970, UTC."""

    key: int
    id: str
    name: str
    created: int


def find(connection: Connection, collection: Pinned, name: str) -> Known:
    """Return the subject of that name; raises InvalidName or SubjectNotFound."""
    check_subject(name)
    row = connection.execute(
        select(_TABLE.c.key, _TABLE.c.id, _TABLE.c.name, _TABLE.c.created).where(
            _TABLE.c.collection_key == collection.key, _TABLE.c.name == name
        )
    ).first()
    if row is None:
        raise SubjectNotFound(f"there is no subject {name!r} in collection {collection.name!r}")
    return Known(*row)


def find_or_create(change: Change, collection: Pinned, names: Iterable[str]) -> dict[str, int]:
    """Return the key of every name, making the subjects that are not there yet.

    Raises InvalidName before anything is made.
    """
    wanted = dict.fromkeys(check_subject(name) for name in names)
    found = _keys(change.connection, collection, wanted)
    missing = [name for name in wanted if name not in found]
    for batch in batches(missing, ROWS):
        change.connection.execute(
            insert(_TABLE),
            [
                {
                    "id": str(uuid.uuid4()),
                    "collection_key": collection.key,
                    "name": name,
                    "created": change.now,
                }
                for name in batch
            ],
        )
    found |= _keys(change.connection, collection, missing)
    return found


def describe(connection: Connection, collection: Pinned, name: str, *, now: int) -> Subject:
    """Return a subject as it stands; raises InvalidName or SubjectNotFound."""
    known = find(connection, collection, name)
    return _describe(connection, collection, [known], now)[0]


def describe_all(
    connection: Connection, collection: Pinned, *, after: str, limit: int | None, now: int
) -> tuple[Subject, ...]:
    """Return the subjects whose names sort after that one, at most ``limit`` of them."""
    rows = connection.execute(
        select(_TABLE.c.key, _TABLE.c.id, _TABLE.c.name, _TABLE.c.created)
        .where(_TABLE.c.collection_key == collection.key, _TABLE.c.name > after)
        .order_by(_TABLE.c.name)
        .limit(limit)
    ).all()
    return tuple(
        subject
        for batch in batches((Known(*row) for row in rows), IN_LIST)
        for subject in _describe(connection, collection, batch, now)
    )


def _describe(
    connection: Connection, collection: Pinned, known: list[Known], now: int
) -> list[Subject]:
    keys = [subject.key for subject in known]
    face = schema.faces.c
    rows = connection.execute(
        select(face.subject_key, func.count())
        .where(face.subject_key.in_(keys))
        .group_by(face.subject_key)
    )
    counts: dict[int, int] = dict(tuple(row) for row in rows)
    purposes = consents.live_purposes(connection, keys, now)
    return [
        Subject(
            id=subject.id,
            collection=collection.name,
            name=subject.name,
            created=moment(subject.created),
            faces=counts.get(subject.key, 0),
            purposes=purposes.get(subject.key, ()),
        )
        for subject in known
    ]


def _keys(connection: Connection, collection: Pinned, names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for batch in batches(names, IN_LIST):
        rows = connection.execute(
            select(_TABLE.c.name, _TABLE.c.key).where(
                _TABLE.c.collection_key == collection.key, _TABLE.c.name.in_(batch)
            )
        )
        found.update((name, key) for name, key in rows)
    return found
