"""The faces that are enrolled, as they are told: no template leaves through here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from sayso.gallery import coverage, schema, serving, subjects
from sayso.gallery.batches import IN_LIST, batches
from sayso.gallery.collections import Pinned
from sayso.gallery.store import FindKeys
from sayso.gallery.subjects import Known
from sayso.gallery.times import moment
from sayso.gallery.types import EnrolledFace

_FACE = schema.faces.c
_USER = schema.users.c


@dataclass(frozen=True, slots=True)
class FaceRow:
    """A face as the store knows it, by keys; ``user_key`` is None where it has no user."""

    key: int
    id: str
    subject_key: int
    user_key: int | None


def find(
    connection: Connection,
    collection: Pinned,
    ids: Iterable[str],
    *,
    purpose: str | None,
    now: int,
) -> dict[str, FaceRow]:
    """Return those faces of a collection, by id, that may be known of.

    With a ``purpose`` only those that may be shown for it at that time.
    """
    found: dict[str, FaceRow] = {}
    for batch in batches(ids, IN_LIST):
        query = select(_FACE.key, _FACE.id, _FACE.subject_key, _FACE.user_key).where(
            _FACE.collection_key == collection.key, _FACE.id.in_(batch)
        )
        rows = [FaceRow(*row) for row in connection.execute(_known_of(query, purpose, now))]
        found.update((row.id, row) for row in rows)
    return found


def of_subject(
    connection: Connection,
    find_keys: FindKeys,
    collection: Pinned,
    subject: Known,
    *,
    purpose: str | None = None,
    now: int = 0,
) -> tuple[EnrolledFace, ...]:
    """Return the subject's faces, the oldest first; see ``listed`` for the purpose."""
    query = _known_of(_told(), purpose, now)
    query = query.where(_FACE.subject_key == subject.key).order_by(_FACE.key)
    rows = connection.execute(query).all()
    return _faces(connection, find_keys, collection, rows, purpose, now)


def listed(
    connection: Connection,
    find_keys: FindKeys,
    collection: Pinned,
    *,
    which: Sequence[ColumnElement[bool]],
    after: str,
    limit: int,
    purpose: str | None,
    now: int,
) -> tuple[EnrolledFace, ...]:
    """Return faces of a collection, at most ``limit``, in the order of their ids.

    Those whose id comes after ``after``, and that fulfil ``which``. With a ``purpose`` only those
    that may be shown for it at that time, no user who may not be known for it, and no consent to
    something else.
    """
    query = _told().where(_FACE.collection_key == collection.key, _FACE.id > after, *which)
    query = _known_of(query, purpose, now).order_by(_FACE.id).limit(limit)
    rows = connection.execute(query).all()
    return _faces(connection, find_keys, collection, rows, purpose, now)


def by_keys(
    connection: Connection,
    find_keys: FindKeys,
    collection: Pinned,
    keys: Iterable[int],
    *,
    purpose: str | None,
    now: int,
) -> dict[int, EnrolledFace]:
    """Return those faces, by key, that are still there."""
    found: dict[int, EnrolledFace] = {}
    for batch in batches(keys, IN_LIST):
        rows = connection.execute(_told().where(_FACE.key.in_(batch))).all()
        told = _faces(connection, find_keys, collection, rows, purpose, now)
        ids = {row.id: row.key for row in rows}
        found.update((ids[face.id], face) for face in told)
    return found


def of_user(user_key: int) -> ColumnElement[bool]:
    """Say of a face that it is associated with that user; for ``listed``."""
    return _FACE.user_key == user_key


def with_ids(ids: Sequence[str]) -> ColumnElement[bool]:
    """Say of a face that it is one of these; for ``listed``."""
    return _FACE.id.in_(ids)


def _told() -> Select[Any]:
    consent = schema.consents.c
    return (
        select(
            _FACE.key,
            _FACE.id,
            _FACE.subject_key,
            _USER.subject_key.label("user"),
            _FACE.consent_key,
            consent.id.label("consent"),
            _FACE.template_version,
            _FACE.box_left,
            _FACE.box_top,
            _FACE.box_right,
            _FACE.box_bottom,
            _FACE.quality,
            _FACE.created,
            _FACE.picture_id,
            _FACE.picture_width,
            _FACE.picture_height,
            _FACE.score,
        )
        .join(schema.consents, consent.key == _FACE.consent_key)
        .outerjoin(schema.users, _USER.key == _FACE.user_key)
    )


def _known_of(query: Select[Any], purpose: str | None, now: int) -> Select[Any]:
    if purpose is None:
        return query
    return query.where(serving.face_shown(purpose, now))


def _faces(
    connection: Connection,
    find_keys: FindKeys,
    collection: Pinned,
    rows: Sequence[Any],
    purpose: str | None,
    now: int,
) -> tuple[EnrolledFace, ...]:
    users = {row.user for row in rows if row.user is not None}
    if purpose is not None:
        users &= serving.users_known(connection, sorted(users), purpose, now)
    people = users | {row.subject_key for row in rows}
    known = subjects.names(connection, find_keys, sorted(people))
    # Whoever has no key any more is just being erased.
    left = [row for row in rows if row.subject_key in known]
    names = {key: each.name for key, each in known.items()}
    shown = {key: name for key, name in names.items() if key in users}
    consents = {} if purpose is None else _consents_to(connection, left, purpose, now)
    return tuple(
        _face(
            row,
            collection,
            names[row.subject_key],
            shown.get(row.user),
            consents.get(row.key, row.consent),
        )
        for row in left
    )


def _consents_to(
    connection: Connection, rows: Sequence[Any], purpose: str, now: int
) -> dict[int, str]:
    """Return for faces, by key, on which consent they serve a purpose that is not their own's."""
    consent, agreed = schema.consents.c, schema.consent_purposes.c
    own: set[int] = set()
    for batch in batches({row.consent_key for row in rows}, IN_LIST):
        query = select(agreed.consent_key).where(agreed.consent_key.in_(batch))
        own.update(connection.execute(query.where(agreed.purpose == purpose)).scalars())
    others = [row for row in rows if row.consent_key not in own]
    by_subject: dict[int, str] = {}
    for batch in batches({row.subject_key for row in others}, IN_LIST):
        found = connection.execute(
            select(consent.subject_key, consent.id)
            .join(schema.consent_purposes)
            .where(consent.subject_key.in_(batch), agreed.purpose == purpose, coverage.live(now))
            .order_by(consent.key)
        )
        by_subject.update((subject, identity) for subject, identity in found)
    return {row.key: by_subject[row.subject_key] for row in others if row.subject_key in by_subject}


def _face(row: Any, collection: Pinned, name: str, user: str | None, consent: str) -> EnrolledFace:
    box = (row.box_left, row.box_top, row.box_right, row.box_bottom)
    size = (row.picture_width, row.picture_height)
    return EnrolledFace(
        id=row.id,
        subject=name,
        consent=consent,
        model=collection.model or "",
        template_version=row.template_version,
        box=None if row.box_left is None else box,
        quality=row.quality,
        created=moment(row.created),
        picture=row.picture_id,
        picture_size=None if row.picture_width is None else size,
        score=row.score,
        user=user,
    )
