"""What faces and users serve: each its own purposes, not all that the subject agreed to.

A face serves the purposes of the consent that it is enrolled on. A consent that is recorded later
extends the subject's faces and user to its purposes only where the recorder may see everybody, and
so knows whose they are. One that a key for a single purpose records does not: another system may
mean somebody else by the same name. Where a purpose has ended for a subject, whatever served it
does not serve it again by a new consent of such a key.

What serves a purpose is shown only while a consent to it is live, which ``coverage`` decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import sqlite

from sayso.gallery import coverage, schema
from sayso.gallery.batches import IN_LIST, batches, driver_rows
from sayso.gallery.store import Change

_FACE = schema.faces.c
_USER = schema.users.c
_CONSENT = schema.consents.c
_AGREED = schema.consent_purposes.c


def serves(table: Table, key: ColumnElement[int], purpose: str) -> ColumnElement[bool]:
    """Say of a column of keys of faces or users, by their table, that they serve the purpose."""
    row = table.c
    return (
        select(row.key)
        .where(row.key == key, row.purpose == purpose, row.ended == 0)
        .correlate_except(table)
        .exists()
    )


def face_shown(purpose: str, now: int) -> ColumnElement[bool]:
    """Say of the faces in a query that they may be shown for the purpose at that time."""
    covered = coverage.is_covered(_FACE.subject_key, purpose, now)
    return covered & serves(schema.face_purposes, _FACE.key, purpose)


def user_known(purpose: str, now: int) -> ColumnElement[bool]:
    """Say of the users in a query that they may be known for the purpose at that time."""
    covered = coverage.is_covered(_USER.subject_key, purpose, now)
    return covered & serves(schema.user_purposes, _USER.key, purpose)


def faces_shown(
    connection: Connection, faces: Iterable[int], purpose: str, now: int
) -> dict[int, str]:
    """Return the ids of those of the faces, by key, that may be shown at that time."""
    found: dict[int, str] = {}
    for batch in batches(faces, IN_LIST):
        query = select(_FACE.key, _FACE.id).where(_FACE.key.in_(batch), face_shown(purpose, now))
        found.update((key, identity) for key, identity in connection.execute(query))
    return found


def users_known(
    connection: Connection, subjects: Iterable[int], purpose: str, now: int
) -> frozenset[int]:
    """Return those of the subjects, by key, who are users known for the purpose at that time."""
    found: set[int] = set()
    for batch in batches(subjects, IN_LIST):
        query = select(_USER.subject_key).where(
            _USER.subject_key.in_(batch), user_known(purpose, now)
        )
        found.update(connection.execute(query).scalars())
    return frozenset(found)


def user_known_elsewhere(connection: Connection, user: int, purpose: str) -> bool:
    """Return whether a user, by key, is known for another purpose than this."""
    row = schema.user_purposes.c
    query = select(row.key).where(row.key == user, row.purpose != purpose, row.ended == 0)
    return connection.execute(query.limit(1)).first() is not None


def counts(connection: Connection, collection_key: int, purpose: str, now: int) -> tuple[int, int]:
    """Return how many subjects, and how many faces, may be shown for the purpose at that time."""
    subject = schema.subjects.c
    subjects = select(func.count()).where(
        subject.collection_key == collection_key, coverage.is_covered(subject.key, purpose, now)
    )
    faces = select(func.count()).where(
        _FACE.collection_key == collection_key, face_shown(purpose, now)
    )
    found = [
        connection.execute(query.select_from(table)).scalar_one()
        for query, table in ((subjects, schema.subjects), (faces, schema.faces))
    ]
    return found[0], found[1]


def enrolled(change: Change, collection_key: int, after: int, *, for_all: bool) -> None:
    """Let the faces that this change enrolled, of keys above ``after``, serve their consents'.

    Those purposes of it that stand: what was withdrawn from a consent is not enrolled for. Then,
    if it is ``for_all``, everything else that their subjects agree to: where a caller who may see
    everybody enrols on what is on record.
    """
    _serve(change, collection_key, after, _CONSENT.key == _FACE.consent_key, enrolled=1)
    if for_all:
        _serve(change, collection_key, after, _CONSENT.subject_key == _FACE.subject_key, enrolled=0)


def _serve(
    change: Change, collection_key: int, after: int, of: ColumnElement[bool], *, enrolled: int
) -> None:
    named = ["key", "purpose", "collection_key", "ended", "sequence", "enrolled"]
    fixed = (literal(0), literal(change.sequence), literal(enrolled))
    values = (
        select(_FACE.key, _AGREED.purpose, _FACE.collection_key, *fixed)
        .distinct()
        .join(schema.consents, of)
        .join(schema.consent_purposes, _AGREED.consent_key == _CONSENT.key)
        .where(
            _FACE.collection_key == collection_key,
            _FACE.sequence == change.sequence,
            _FACE.key > after,
            coverage.standing(change.now),
        )
    )
    statement = sqlite.insert(schema.face_purposes).from_select(named, values)
    change.connection.execute(statement.on_conflict_do_nothing())


def renewed(
    change: Change, subjects: Sequence[int], purposes: Sequence[str], *, extends: bool
) -> None:
    """Settle what the faces and users of subjects serve, before a consent of theirs is recorded.

    A purpose that no consent stands to any more has ended for all of them. Then, if it ``extends``,
    all serve the purposes.
    """
    for batch in batches(subjects, IN_LIST):
        for purpose in purposes:
            lapsed = set(batch) - coverage.covered(
                change.connection, batch, purpose, change.now, begun=False
            )
            for table, owner in (
                (schema.face_purposes, schema.faces),
                (schema.user_purposes, schema.users),
            ):
                theirs = select(owner.c.key).where(owner.c.subject_key.in_(lapsed))
                _end(change, table, table.c.key.in_(theirs), purpose)
                if extends:
                    _extend(change, table, owner, batch, purpose)


def known_by(change: Change, user: int, collection_key: int, purposes: Iterable[str]) -> None:
    """Let a user, by key, be known for purposes."""
    for purpose in purposes:
        row = {
            "key": user,
            "purpose": purpose,
            "collection_key": collection_key,
            "sequence": change.sequence,
            "created": change.now,
            "ended": 0,
        }
        statement = sqlite.insert(schema.user_purposes).values(row)
        change.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["key", "purpose"],
                set_={name: row[name] for name in ("sequence", "created", "ended")},
            )
        )


def take(change: Change, faces: Sequence[int], purpose: str) -> list[int]:
    """Take faces, by key, from a purpose; return those that no purpose is left to keep."""
    row = schema.face_purposes
    kept: set[int] = set()
    for batch in batches(faces, IN_LIST):
        _end(change, row, row.c.key.in_(batch), purpose)
        query = select(_FACE.key).where(_FACE.key.in_(batch), founded(change.now))
        kept.update(change.connection.execute(query).scalars())
    for batch in batches(kept, IN_LIST):
        ids = select(schema.subjects.c.id, _FACE.id).join(schema.faces).where(_FACE.key.in_(batch))
        rows = change.connection.execute(ids).all()
        change.end("face-purpose", [f"{subject}/{face}/{purpose}" for subject, face in rows])
    return [face for face in faces if face not in kept]


def unknown(change: Change, user: int, purpose: str) -> bool:
    """Let a user, by key, be known for a purpose no more; say whether it is for another."""
    row = schema.user_purposes
    _end(change, row, row.c.key == user, purpose)
    query = (
        select(row.c.key)
        .join(schema.users, _USER.key == row.c.key)
        .join(schema.consents, _CONSENT.subject_key == _USER.subject_key)
        .join(
            schema.consent_purposes,
            (_AGREED.consent_key == _CONSENT.key) & (_AGREED.purpose == row.c.purpose),
        )
        .where(row.c.key == user, row.c.ended == 0, coverage.standing(change.now))
    )
    known = change.connection.execute(query.limit(1)).first() is not None
    if known:
        ids = select(schema.subjects.c.id).join(schema.users).where(_USER.key == user)
        subject = change.connection.execute(ids).scalar_one()
        change.end("user-purpose", [f"{subject}/{purpose}"])
    return known


def founded(now: int) -> ColumnElement[bool]:
    """Say of the faces in a query that a consent stands to a purpose they were enrolled for."""
    row = schema.face_purposes
    return (
        select(row.c.key)
        .join(schema.consent_purposes, _AGREED.purpose == row.c.purpose)
        .join(schema.consents, _CONSENT.key == _AGREED.consent_key)
        .where(
            row.c.key == _FACE.key,
            row.c.enrolled == 1,
            row.c.ended == 0,
            _CONSENT.subject_key == _FACE.subject_key,
            coverage.standing(now),
        )
        .correlate(schema.faces)
        .exists()
    )


def elsewhere(
    connection: Connection, subjects: Iterable[int], own: Iterable[str], now: int
) -> dict[int, list[int]]:
    """Return by subject the keys of their faces that serve a purpose not among ``own``."""
    names, found = list(own), dict[int, list[int]]()
    for batch in batches(subjects, IN_LIST):
        query = _serving_another(names, now).where(_FACE.subject_key.in_(batch))
        for face, subject in connection.execute(query):
            found.setdefault(subject, []).append(face)
    return found


def apart_from(connection: Connection, faces: Iterable[int], own: str, now: int) -> set[int]:
    """Return those of the faces, by key, that serve another purpose than this."""
    found: set[int] = set()
    for batch in batches(faces, IN_LIST):
        query = _serving_another([own], now).where(_FACE.key.in_(batch))
        found.update(face for face, _ in connection.execute(query))
    return found


def _serving_another(own: Sequence[str], now: int) -> Select[int, int]:
    row = schema.face_purposes
    return (
        select(_FACE.key, _FACE.subject_key)
        .join(row, row.c.key == _FACE.key)
        .join(schema.consents, _CONSENT.subject_key == _FACE.subject_key)
        .join(
            schema.consent_purposes,
            (_AGREED.consent_key == _CONSENT.key) & (_AGREED.purpose == row.c.purpose),
        )
        .where(row.c.ended == 0, row.c.purpose.not_in(own), coverage.standing(now))
        .distinct()
        .order_by(_FACE.key)
    )


def changed(
    connection: Connection, table: Table, collection_key: int, purpose: str, since: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what serves the purpose, and what no longer does, since the change of that number.

    Keys of faces or users, int64 (n,) and (m,), by their table of purposes.
    """
    row = table.c
    result = connection.execute(
        select(row.key, row.ended).where(
            row.collection_key == collection_key, row.purpose == purpose, row.sequence > since
        )
    )
    parts = [np.array(rows, np.int64).reshape(-1, 2) for rows in driver_rows(result)]
    rows = np.concatenate([np.empty((0, 2), np.int64), *parts])
    return rows[rows[:, 1] == 0, 0], rows[rows[:, 1] != 0, 0]


def _end(change: Change, table: Table, which: ColumnElement[bool], purpose: str) -> None:
    row = table.c
    change.connection.execute(
        update(table)
        .where(which, row.purpose == purpose, row.ended == 0)
        .values(ended=1, sequence=change.sequence)
    )


def _extend(
    change: Change, table: Table, owner: Table, subjects: Sequence[int], purpose: str
) -> None:
    # A face is not kept for what it was not enrolled for; a user is known from now on.
    last = literal(0) if table is schema.face_purposes else literal(change.now)
    values = select(
        owner.c.key,
        literal(purpose),
        owner.c.collection_key,
        literal(0),
        literal(change.sequence),
        last,
    ).where(owner.c.subject_key.in_(subjects))
    names = ["key", "purpose", "collection_key", "ended", "sequence", table.columns.keys()[-1]]
    statement = sqlite.insert(table).from_select(names, values)
    change.connection.execute(
        statement.on_conflict_do_update(
            index_elements=["key", "purpose"],
            set_={"ended": 0, "sequence": change.sequence},
            where=table.c.ended == 1,
        )
    )
