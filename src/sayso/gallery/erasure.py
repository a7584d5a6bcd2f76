"""Erasure: takes a subject, or a whole collection, out of the store and leaves tombstones.

Gone with the row are its templates, consents, evidence and name. ``Store.scrub`` must follow the
commit, so that the write-ahead log does not keep a copy.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, select

from sayso.gallery import schema
from sayso.gallery.collections import Pinned
from sayso.gallery.store import Change
from sayso.gallery.subjects import Known
from sayso.gallery.times import moment
from sayso.gallery.types import Tombstone

_SUBJECT = schema.subjects.c
_TOMBSTONE = schema.tombstones.c


def erase_subject(change: Change, collection: Pinned, subject: Known) -> Tombstone:
    """Erase one subject and return the tombstone."""
    _erase(change, collection, _SUBJECT.key == subject.key)
    row = change.connection.execute(
        select(schema.tombstones).where(_TOMBSTONE.id == subject.id)
    ).one()
    return Tombstone(
        id=row.id,
        collection=row.collection,
        created=moment(row.created),
        erased=moment(row.erased),
        faces=row.faces,
        consents=row.consents,
    )


def delete_collection(change: Change, collection: Pinned) -> int:
    """Erase every subject of a collection, and the collection; return how many there were."""
    erased = _erase(change, collection, _SUBJECT.collection_key == collection.key)
    # Its caches go with it, so that nobody needs the list of what was removed.
    change.connection.execute(
        delete(schema.removals).where(schema.removals.c.collection_key == collection.key)
    )
    change.connection.execute(
        delete(schema.collections).where(schema.collections.c.key == collection.key)
    )
    return erased


def tombstones(connection: Connection, collection: str) -> tuple[Tombstone, ...]:
    """Return what is left of those who were erased from the collection, the latest first."""
    rows = connection.execute(
        select(schema.tombstones)
        .where(_TOMBSTONE.collection == collection)
        .order_by(_TOMBSTONE.erased.desc(), _TOMBSTONE.id)
    )
    return tuple(
        Tombstone(
            row.id,
            row.collection,
            moment(row.created),
            moment(row.erased),
            row.faces,
            row.consents,
        )
        for row in rows
    )


def _erase(change: Change, collection: Pinned, which: ColumnElement[bool]) -> int:
    execute = change.connection.execute
    face, consent, purpose = schema.faces.c, schema.consents.c, schema.consent_purposes.c
    people = select(_SUBJECT.key).where(which)
    their_consents = select(consent.key).where(consent.subject_key.in_(people))

    def counted(column: ColumnElement[int]) -> ColumnElement[int]:
        return select(func.count()).where(column == _SUBJECT.key).scalar_subquery()

    execute(
        insert(schema.tombstones).from_select(
            ["id", "collection", "created", "erased", "faces", "consents"],
            select(
                _SUBJECT.id,
                literal(collection.name),
                _SUBJECT.created,
                literal(change.now),
                counted(face.subject_key),
                counted(consent.subject_key),
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
    return execute(delete(schema.subjects).where(which)).rowcount
