"""Erasure: takes a subject, or a whole collection, out of the store and leaves tombstones.

Gone with the row are its templates, consents, evidence and name. ``Store.settle`` must follow the
commit: it destroys the data keys, and empties the write-ahead log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from sayso.gallery import answers, schema, serving
from sayso.gallery.batches import IN_LIST, batches
from sayso.gallery.collections import Pinned
from sayso.gallery.store import Change
from sayso.gallery.times import moment
from sayso.gallery.types import Reason, Tombstone

_SUBJECT = schema.subjects.c
_TOMBSTONE = schema.tombstones.c


@dataclass(frozen=True, slots=True)
class FacesGone:
    """So many ``faces`` of a subject that went with their consent; ``subject`` is the id."""

    collection: str
    subject: str
    faces: int


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
    execute(delete(schema.tags).where(schema.tags.c.collection_key == collection.key))
    execute(delete(schema.notices).where(schema.notices.c.purpose_key.in_(its_purposes)))
    execute(delete(schema.purposes).where(purpose.collection_key == collection.key))
    execute(delete(schema.collections).where(schema.collections.c.key == collection.key))
    return tuple(erased)


def erase_faces(
    change: Change, *, since: int | None = None, subject_key: int | None = None
) -> tuple[FacesGone, ...]:
    """Erase every face that no consent stands for any more; return whose they were.

    A face is kept for the purposes that it was enrolled for: while the consent that it was enrolled
    on stands, or another of the subject's to one of these purposes, such as a renewal. What else
    they agreed to does not keep it, also where it serves that. Only of subjects who had a consent
    end after ``since``, where it is given; only of one subject.
    """
    execute, face = change.connection.execute, schema.faces.c
    gone = face.key.in_(_unfounded(change.now, since, subject_key))
    query = (
        select(schema.collections.c.name, _SUBJECT.id, func.count())
        .select_from(schema.faces)
        .join(schema.subjects, _SUBJECT.key == face.subject_key)
        .join(schema.collections, schema.collections.c.key == face.collection_key)
        .where(gone)
        .group_by(schema.collections.c.name, _SUBJECT.id)
    )
    found = tuple(FacesGone(*row) for row in execute(query))
    if found:
        _end_faces(change, gone)
        _remove_faces(change, gone)
        for name in {each.collection for each in found}:
            answers.forget(change, name)
        change.stripped.extend(each.subject for each in found)
    return found


def erase_listed_faces(
    change: Change, collection: Pinned, keys: Sequence[int]
) -> tuple[FacesGone, ...]:
    """Erase the faces of these keys; return whose they were. Their subjects and consents stay."""
    gone: dict[str, int] = {}
    face = schema.faces.c
    for batch in batches(keys, IN_LIST):
        which = face.key.in_(batch)
        query = (
            select(_SUBJECT.id, func.count())
            .select_from(schema.faces)
            .join(schema.subjects, _SUBJECT.key == face.subject_key)
            .where(which)
            .group_by(_SUBJECT.id)
        )
        for subject, number in change.connection.execute(query):
            gone[subject] = gone.get(subject, 0) + number
        _end_faces(change, which)
        _remove_faces(change, which)
    if gone:
        answers.forget(change, collection.name)
    change.stripped.extend(gone)
    return tuple(FacesGone(collection.name, *each) for each in gone.items())


def faces_ended(connection: Connection, since: int, now: int) -> bool:
    """Tell whether there are faces that no consent stands for, since one ended after ``since``."""
    return connection.execute(_unfounded(now, since, None).limit(1)).first() is not None


def tombstones(connection: Connection, collection: str) -> tuple[Tombstone, ...]:
    """Return what is left of those who were erased from the collection, the latest first."""
    rows = connection.execute(
        select(schema.tombstones)
        .where(_TOMBSTONE.collection == collection)
        .order_by(_TOMBSTONE.erased.desc(), _TOMBSTONE.id)
    )
    return tuple(map(_tombstone, rows))


def is_tombstone(connection: Connection, collection: str, subject: str) -> bool:
    """Tell whether the id is that of somebody who was erased from the collection."""
    query = select(_TOMBSTONE.id).where(
        _TOMBSTONE.id == subject, _TOMBSTONE.collection == collection
    )
    return connection.execute(query).first() is not None


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
    user = schema.users.c
    their_users = select(user.key).where(user.subject_key.in_(people))
    execute(
        update(schema.faces)
        .where(face.user_key.in_(their_users))
        .values(user_key=None, linked=change.sequence)
    )
    known = schema.user_purposes
    execute(delete(known).where(known.c.key.in_(their_users)))
    execute(delete(schema.users).where(user.subject_key.in_(people)))
    answers.forget(change, collection.name)
    _remove_faces(change, face.subject_key.in_(people))
    execute(delete(schema.consent_purposes).where(purpose.consent_key.in_(their_consents)))
    execute(delete(schema.consents).where(consent.subject_key.in_(people)))
    execute(delete(schema.subjects).where(which))
    change.end("subject", gone)
    found: list[Tombstone] = []
    for batch in batches(gone, IN_LIST):
        rows = execute(select(schema.tombstones).where(_TOMBSTONE.id.in_(batch)))
        found.extend(map(_tombstone, rows))
    return found


def _unfounded(now: int, since: int | None, subject_key: int | None) -> Select[tuple[int]]:
    """Select the keys of faces that no consent stands for at that time: see ``erase_faces``."""
    face, consent, purpose = schema.faces.c, schema.consents.c, schema.consent_purposes.c
    query = select(face.key).where(~serving.founded(now))
    if since is not None:
        ended = (
            select(consent.subject_key)
            .join(schema.consent_purposes)
            .where(purpose.ends > since, purpose.ends <= now)
        )
        query = query.where(face.subject_key.in_(ended))
    if subject_key is not None:
        query = query.where(face.subject_key == subject_key)
    return query


def _end_faces(change: Change, which: ColumnElement[bool]) -> None:
    """Note that faces end whose subjects stay, so that no backup brings them back."""
    face = schema.faces.c
    query = select(_SUBJECT.id, face.id).join(schema.faces, face.subject_key == _SUBJECT.key)
    change.end(
        "face",
        [f"{subject}/{id_}" for subject, id_ in change.connection.execute(query.where(which))],
    )


def _remove_faces(change: Change, which: ColumnElement[bool]) -> None:
    """Take faces out of the store, and tell the caches of every process."""
    face = schema.faces.c
    change.connection.execute(
        insert(schema.removals).from_select(
            ["face_key", "collection_key", "sequence"],
            select(face.key, face.collection_key, literal(change.sequence)).where(which),
        )
    )
    row = schema.face_purposes
    gone = select(face.key).where(which)
    change.connection.execute(delete(row).where(row.c.key.in_(gone)))
    change.connection.execute(delete(schema.faces).where(which))
