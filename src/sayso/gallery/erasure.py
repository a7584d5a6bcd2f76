"""Erasure: takes a subject, or a whole collection, out of the store and leaves tombstones.

Gone with the row are its templates, consents, evidence and name. ``Store.settle`` must follow the
commit: it destroys the data keys, and empties the write-ahead log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, select

from sayso.gallery import schema
from sayso.gallery.batches import IN_LIST, batches
from sayso.gallery.collections import Pinned
from sayso.gallery.store import Change
from sayso.gallery.times import moment
from sayso.gallery.types import Reason, Tombstone

_SUBJECT = schema.subjects.c
_TOMBSTONE = schema.tombstones.c


def erase_subjects(
    change: Change, collection: Pinned, keys: Sequence[int], reason: Reason
) -> tuple[Tombstone, ...]:
    """Erase the subjects of these keys and return the tombstones."""
    found: list[Tombstone] = []
    for batch in batches(keys, IN_LIST):
        found += _erase(change, collection, _SUBJECT.key.in_(batch), reason)
    return tuple(found)


def delete_collection(change: Change, collection: Pinned) -> tuple[Tombstone, ...]:
    """Erase every subject of a collection, and the collection; return the tombstones."""
    erased = _erase(change, collection, _SUBJECT.collection_key == collection.key, "collection")
    # Its caches go with it, so that nobody needs the list of what was removed.
    execute = change.connection.execute
    purpose = schema.purposes.c
    its_purposes = select(purpose.key).where(purpose.collection_key == collection.key)
    execute(delete(schema.removals).where(schema.removals.c.collection_key == collection.key))
    execute(delete(schema.notices).where(schema.notices.c.purpose_key.in_(its_purposes)))
    execute(delete(schema.purposes).where(purpose.collection_key == collection.key))
    execute(delete(schema.collections).where(schema.collections.c.key == collection.key))
    return tuple(erased)


def tombstones(connection: Connection, collection: str) -> tuple[Tombstone, ...]:
    """Return what is left of those who were erased from the collection, the latest first."""
    rows = connection.execute(
        select(schema.tombstones)
        .where(_TOMBSTONE.collection == collection)
        .order_by(_TOMBSTONE.erased.desc(), _TOMBSTONE.id)
    )
    return tuple(map(_tombstone, rows))


def _tombstone(row: Any) -> Tombstone:
    return Tombstone(
        id=row.id,
        collection=row.collection,
        created=moment(row.created),
        erased=moment(row.erased),
        faces=row.faces,
        consents=row.consents,
        reason=row.reason,
    )


def _erase(
    change: Change, collection: Pinned, which: ColumnElement[bool], reason: Reason
) -> list[Tombstone]:
    execute = change.connection.execute
    face, consent, purpose = schema.faces.c, schema.consents.c, schema.consent_purposes.c
    people = select(_SUBJECT.key).where(which)
    gone = list(execute(select(_SUBJECT.id).where(which)).scalars())
    their_consents = select(consent.key).where(consent.subject_key.in_(people))

    def counted(column: ColumnElement[int]) -> ColumnElement[int]:
        return select(func.count()).where(column == _SUBJECT.key).scalar_subquery()

    execute(
        insert(schema.tombstones).from_select(
            ["id", "collection", "created", "erased", "faces", "consents", "reason"],
            select(
                _SUBJECT.id,
                literal(collection.name),
                _SUBJECT.created,
                literal(change.now),
                counted(face.subject_key),
                counted(consent.subject_key),
                literal(reason),
            ).where(which),
        )
    )
    execute(
        insert(schema.removals).from_select(
            ["face_key", "collection_key", "sequence"],
            select(face.key, face.collection_key, literal(change.sequence)).where(
                face.subject_key.in_(people)
            ),
        )
    )
    execute(delete(schema.faces).where(face.subject_key.in_(people)))
    execute(delete(schema.consent_purposes).where(purpose.consent_key.in_(their_consents)))
    execute(delete(schema.consents).where(consent.subject_key.in_(people)))
    execute(delete(schema.subjects).where(which))
    change.end("subject", gone)
    found: list[Tombstone] = []
    for batch in batches(gone, IN_LIST):
        rows = execute(select(schema.tombstones).where(_TOMBSTONE.id.in_(batch)))
        found.extend(map(_tombstone, rows))
    return found
