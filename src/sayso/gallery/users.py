"""Users: subjects who can be searched for by several of their faces at once.

A user is one row for a subject, and the faces that are associated with it, of that subject or of
others: who calls says that they are one person's. No fused template is kept here; the index makes
them (see ``cache``), of those faces alone whose own subjects may be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from sayso.errors import UserExists, UserNotFound
from sayso.gallery import coverage, schema, serving, subjects
from sayso.gallery.batches import IN_LIST, batches
from sayso.gallery.collections import Pinned
from sayso.gallery.store import Change, FindKeys
from sayso.gallery.subjects import Known
from sayso.gallery.times import moment
from sayso.gallery.types import User

_USER = schema.users.c
_FACE = schema.faces.c
_SUBJECT = schema.subjects.c
#: Faces that may be associated with one user, as many as with Amazon's.
MOST_FACES = 100


@dataclass(frozen=True, slots=True)
class Linked:
    """A user as the store knows it; ``subject`` is whose it is."""

    key: int
    subject: Known
    created: int


def create(
    change: Change, collection: Pinned, subject: Known, purpose: str | None = None
) -> tuple[Linked, bool]:
    """Make a subject a user; return it, and whether there was none. Raises UserExists.

    It is known for the ``purpose``, or for all that the subject has agreed to. A caller with a
    purpose must not learn of one that is not known for it: they are given the one that is there.
    """
    found = _of(change.connection, subject)
    if found is not None:
        people = [subject.key]
        if purpose is None or serving.users_known(change.connection, people, purpose, change.now):
            raise UserExists(f"there is a user {subject.name!r} in collection {collection.name!r}")
        serving.known_by(change, found.key, collection.key, [purpose])
        return found, False
    key: int = change.connection.execute(
        insert(schema.users)
        .values(collection_key=collection.key, subject_key=subject.key, created=change.now)
        .returning(_USER.key)
    ).scalar_one()
    agreed = coverage.standing_purposes(change.connection, subject.key, change.now)
    serving.known_by(change, key, collection.key, agreed if purpose is None else [purpose])
    return Linked(key, subject, change.now), True


def find(
    connection: Connection,
    collection: Pinned,
    subject: Known,
    purpose: str | None = None,
    now: int = 0,
) -> Linked:
    """Return the user that a subject is; raises UserNotFound.

    With a ``purpose`` only one who is known for it at that time.
    """
    found = _of(connection, subject)
    known = purpose is None or serving.users_known(connection, [subject.key], purpose, now)
    if found is None or not known:
        raise not_found(collection, subject.name)
    return found


def not_found(collection: Pinned, name: str) -> UserNotFound:
    """Return the error for a user that the collection does not have, or not for this caller."""
    return UserNotFound(f"there is no user {name!r} in collection {collection.name!r}")


def remove(change: Change, user: Linked, purpose: str | None = None) -> bool:
    """Make a user a mere subject again; its faces stay, associated with nobody.

    With a ``purpose`` it is only no longer known for that one, and loses the faces that serve no
    other, while it is known for another. Returns whether it is gone for all.
    """
    faces = faces_of(change.connection, user)
    gone = purpose is None or not serving.unknown(change, user.key, purpose)
    if not gone:
        others = serving.apart_from(change.connection, faces, str(purpose), change.now)
        unlink(change, user, [face for face in faces if face not in others])
    else:
        _link(change, faces, None)
        change.end("user", [user.subject.id])
        known = schema.user_purposes
        change.connection.execute(delete(known).where(known.c.key == user.key))
        change.connection.execute(delete(schema.users).where(_USER.key == user.key))
    return gone


def link(change: Change, user: Linked, faces: Iterable[int]) -> None:
    """Associate faces, by key, with a user."""
    _link(change, faces, user.key)


def unlink(change: Change, user: Linked, faces: Sequence[int]) -> None:
    """Take faces, by key, from a user; no backup brings that back."""
    of = select(_SUBJECT.id, _FACE.id).join(schema.subjects, _SUBJECT.key == _FACE.subject_key)
    for batch in batches(faces, IN_LIST):
        rows = change.connection.execute(of.where(_FACE.key.in_(batch)))
        change.end("link", [f"{subject}/{face}/{user.subject.id}" for subject, face in rows])
    _link(change, faces, None)


def faces_of(
    connection: Connection, user: Linked, purpose: str | None = None, now: int = 0
) -> list[int]:
    """Return the keys of the faces that are associated with a user, the oldest first.

    With a ``purpose`` only those that may be shown for it at that time.
    """
    query = select(_FACE.key).where(_FACE.user_key == user.key).order_by(_FACE.key)
    if purpose is not None:
        query = query.where(serving.face_shown(purpose, now))
    return list(connection.execute(query).scalars())


def subjects_of(connection: Connection, users: Iterable[int]) -> dict[int, int]:
    """Return the keys of the subjects that users are, by the users' keys."""
    found: dict[int, int] = {}
    for batch in batches(users, IN_LIST):
        rows = connection.execute(select(_USER.key, _USER.subject_key).where(_USER.key.in_(batch)))
        found.update((key, subject) for key, subject in rows)
    return found


def by_keys(connection: Connection, find_keys: FindKeys, keys: Iterable[int]) -> dict[int, Linked]:
    """Return those users, by key, that are still there."""
    rows: list[Row[int, int, int]] = []
    for batch in batches(keys, IN_LIST):
        query = select(_USER.key, _USER.created, _USER.subject_key).where(_USER.key.in_(batch))
        rows += connection.execute(query)
    return _named(connection, find_keys, rows)


def describe(
    connection: Connection, collection: Pinned, user: Linked, purpose: str | None, now: int
) -> User:
    """Return a user as it stands; see ``describe_all``."""
    return describe_all(connection, collection, [user], purpose, now)[0]


def describe_all(
    connection: Connection,
    collection: Pinned,
    users: Sequence[Linked],
    purpose: str | None,
    now: int,
) -> tuple[User, ...]:
    """Return users as they stand, in the order given.

    With a ``purpose`` only faces that may be shown for it at that time count, and each was created
    when it was for that purpose.
    """
    counts: dict[int, int] = {}
    for batch in batches([each.key for each in users], IN_LIST):
        query = (
            select(_FACE.user_key, func.count())
            .where(_FACE.user_key.in_(batch))
            .group_by(_FACE.user_key)
        )
        if purpose is not None:
            query = query.where(serving.face_shown(purpose, now))
        rows = connection.execute(query)
        counts.update((key, number) for key, number in rows)
    since = {} if purpose is None else _known_since(connection, users, purpose)
    return tuple(
        User(
            id=each.subject.id,
            name=each.subject.name,
            collection=collection.name,
            status="ACTIVE" if counts.get(each.key) else "CREATED",
            faces=counts.get(each.key, 0),
            created=moment(since.get(each.key, each.created)),
        )
        for each in users
    )


def listed(
    connection: Connection,
    find_keys: FindKeys,
    collection: Pinned,
    *,
    after: str,
    limit: int,
    purpose: str | None,
    now: int,
) -> tuple[User, ...]:
    """Return users of a collection, at most ``limit``, in the order of their subjects' ids.

    Those whose subject's id comes after ``after``; with a ``purpose`` only those who may be known
    for it at that time.
    """
    query = (
        select(_USER.key, _USER.created, _USER.subject_key)
        .join(schema.subjects, _SUBJECT.key == _USER.subject_key)
        .where(_USER.collection_key == collection.key, _SUBJECT.id > after)
        .order_by(_SUBJECT.id)
        .limit(limit)
    )
    if purpose is not None:
        query = query.where(serving.user_known(purpose, now))
    rows = connection.execute(query).all()
    found = list(_named(connection, find_keys, rows).values())
    return describe_all(connection, collection, found, purpose, now)


def count(connection: Connection, collection: Pinned, purpose: str | None, now: int) -> int:
    """Return how many users a collection has; with a purpose, who may be known for it then."""
    query = (
        select(func.count()).select_from(schema.users).where(_USER.collection_key == collection.key)
    )
    if purpose is not None:
        query = query.where(serving.user_known(purpose, now))
    return int(connection.execute(query).scalar_one())


def changed(connection: Connection, collection_key: int, since: int) -> list[tuple[int, int]]:
    """Return keys of faces and of their users, 0 for none, that came or went after a change."""
    rows = connection.execute(
        select(_FACE.key, func.coalesce(_FACE.user_key, 0)).where(
            _FACE.collection_key == collection_key, _FACE.linked > since
        )
    )
    return [(face, user) for face, user in rows]


def _of(connection: Connection, subject: Known) -> Linked | None:
    row = connection.execute(
        select(_USER.key, _USER.created).where(_USER.subject_key == subject.key)
    ).first()
    return None if row is None else Linked(row.key, subject, row.created)


def _known_since(connection: Connection, users: Sequence[Linked], purpose: str) -> dict[int, int]:
    """Return since when users are known for a purpose, by their keys."""
    known = schema.user_purposes.c
    found: dict[int, int] = {}
    for batch in batches([each.key for each in users], IN_LIST):
        query = select(known.key, known.created)
        rows = connection.execute(query.where(known.key.in_(batch), known.purpose == purpose))
        found.update((key, created) for key, created in rows)
    return found


def _named(
    connection: Connection, find_keys: FindKeys, rows: Sequence[Row[int, int, int]]
) -> dict[int, Linked]:
    """Put names to rows of key, creation and subject; whoever is being erased is left out."""
    known = subjects.names(connection, find_keys, [subject for _, _, subject in rows])
    return {
        key: Linked(key, known[subject], created)
        for key, created, subject in rows
        if subject in known
    }


def _link(change: Change, faces: Iterable[int], user: int | None) -> None:
    for batch in batches(faces, IN_LIST):
        change.connection.execute(
            update(schema.faces)
            .where(_FACE.key.in_(batch))
            .values(user_key=user, linked=change.sequence)
        )
