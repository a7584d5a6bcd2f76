"""Restoring: the contents of a backup take the place of what the gallery holds, in one change.

Other processes see the gallery as it was or the restored one whole. What ended since the backup was
made stays ended: that is known from the keyring, whose endings no backup of the gallery touches,
and from what the gallery itself remembers. The seals are taken over as they are.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Table,
    and_,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError

from sayso.gallery import erasure, purposes, restorable, schema
from sayso.gallery.batches import IN_LIST, batches
from sayso.gallery.collections import by_key
from sayso.gallery.course import take_over_log
from sayso.gallery.restorable import Row, Source, insert_rows, rows_of
from sayso.gallery.store import Change
from sayso.gallery.times import moment
from sayso.gallery.types import Tombstone
from sayso.keyring.endings import Kind
from sayso.sqlite import raw_connection

_COLLECTION = schema.collections.c
_SUBJECT = schema.subjects.c
_FACE = schema.faces.c
_CONSENT = schema.consents.c
_AGREED = schema.consent_purposes.c
_PURPOSE = schema.purposes.c
_TOMBSTONE = schema.tombstones.c
_AUDIT = schema.audit.c

#: What a backup replaces, each after what its rows refer to.
_REPLACED = (
    schema.collections,
    schema.purposes,
    schema.notices,
    schema.subjects,
    schema.consents,
    schema.consent_purposes,
    schema.users,
    schema.faces,
    schema.face_purposes,
    schema.user_purposes,
    schema.tags,
    schema.access_keys,
)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many of a backup's subjects stay erased, and the tombstones that had to be made."""

    subjects: int
    tombstones: tuple[Tombstone, ...]


@dataclass(frozen=True, slots=True)
class _Gone:
    """Those of a backup who stay erased: when that was, by id, and which keys their rows have.

    And what has ended of those who stay: faces and users by their keys, and links of faces with
    users, by the face's id and the user's key.
    """

    times: dict[str, int]
    subjects: frozenset[int]
    consents: frozenset[int]
    users: frozenset[int]
    faces: frozenset[int]
    links: frozenset[tuple[str, int]]


def replace(change: Change, source: Source, parted: int) -> LeftOut:
    """Put what a backup holds in the place of all that the gallery holds.

    ``parted`` is the number of the last entry that the logs of both have. Where the backup's goes
    on from there, it is taken over, and what the gallery alone has of entries and tombstones is
    dropped: that is for a standby, which never had a course of its own.

    Whoever was erased since is left out. What was withdrawn, revoked, met or bound by a stricter
    rule since is so again; ``erase_withdrawn`` is to follow. Raises BackupError.
    """
    try:
        if parted < source.events:
            take_over_log(change.connection, source, parted)
        gone = _find_gone(change, source)
        for table in (schema.removals, schema.answers, *reversed(_REPLACED)):
            change.connection.execute(delete(table))
        _fill(change, source, gone)
        stones = _bury(change.connection, source, gone)
        _honour(change, source)
    except IntegrityError as error:  # rows that contradict each other
        raise restorable.damaged(source.path) from error
    # No cache of before counts, so that none needs to be told what was removed.
    change.connection.execute(update(schema.state).values(epoch=str(uuid.uuid4())))
    return LeftOut(len(gone.subjects), tuple(stones))


def erase_withdrawn(change: Change) -> tuple[Tombstone, ...]:
    """Erase whoever has no standing consent left, and return what is left of them.

    For after the sweep of those whose consents have ended: the others withdrew.
    """
    standing = and_(_AGREED.withdrawn.is_(None), _AGREED.ends > change.now)
    consenting = select(_CONSENT.subject_key).join(schema.consent_purposes).where(standing)
    people: dict[int, list[int]] = {}
    for key, collection in change.connection.execute(
        select(_SUBJECT.key, _SUBJECT.collection_key).where(_SUBJECT.key.not_in(consenting))
    ):
        people.setdefault(collection, []).append(key)
    return tuple(
        stone
        for collection, keys in people.items()
        for stone in erasure.erase_subjects(
            change, by_key(change.connection, collection), keys, "withdrawn"
        )
    )


def counts(connection: Connection) -> tuple[int, int]:
    """Return how many subjects and faces there are."""
    subjects, faces = (
        connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in (schema.subjects, schema.faces)
    )
    return int(subjects), int(faces)


def _pairs(connection: Connection, query: Select[Any]) -> list[Row]:
    return [tuple(row) for row in connection.execute(query)]


def _find_gone(change: Change, source: Source) -> _Gone:
    """Find who of the backup was erased since: without a key, or known to have ended."""
    with restorable.reading(source.path):
        ids: dict[str, int] = dict(_pairs(source.connection, select(_SUBJECT.id, _SUBJECT.key)))
        owners = _pairs(source.connection, select(_CONSENT.key, _CONSENT.subject_key))
        users = _pairs(source.connection, select(schema.users.c.key, schema.users.c.subject_key))
        of_faces = select(_FACE.key, _FACE.id, _FACE.subject_key)
        faces = _pairs(source.connection, of_faces)
    keys = change.keyring.find(ids)
    ended = _ended(change, "subject")
    # An older copy of the keyring may have been put back, and have keys that were destroyed.
    revived = [each for each in keys if each in ended]
    _end_again(change, revived, ended)
    times = {each: ended.get(each, change.now) for each in ids if each in ended or each not in keys}
    subjects = frozenset(ids[each] for each in times)
    gone = frozenset(key for key, owner in owners if owner in subjects)
    # One that was made anew before the backup was, stands in it.
    since = {kind: _since(change, source, kind) for kind in ("user", "link")}
    user_of = {owner: key for key, owner in users}
    no_users = {ids[each] for each in since["user"] if each in ids} | subjects
    no_faces = {each.partition("/")[2] for each in _ended(change, "face")}
    links = (each.split("/") for each in since["link"])
    return _Gone(
        times,
        subjects,
        gone,
        frozenset(key for key, owner in users if owner in no_users),
        frozenset(key for key, face, owner in faces if owner in subjects or face in no_faces),
        frozenset(
            (face, user_of[ids[user]]) for _, face, user in links if ids.get(user) in user_of
        ),
    )


def _since(change: Change, source: Source, kind: Kind) -> list[str]:
    """Return what of that kind ended after the backup was made."""
    return [each for each, at in _ended(change, kind).items() if at >= source.time]


def _ended(change: Change, kind: Kind) -> dict[str, int]:
    """Return what of that kind ended, and when, by id: as keyring and gallery know it."""
    pending = schema.pending_endings.c
    connection = change.connection
    found: dict[str, int] = {}
    if kind == "subject":
        # A tombstone of a restoration says only that there was no key at that time.
        stones = select(_TOMBSTONE.id, _TOMBSTONE.erased).where(_TOMBSTONE.reason != "restore")
        found.update(_pairs(connection, stones))
    query = select(pending.id, pending.at).where(pending.kind == kind)
    found.update(_pairs(connection, query))
    return found | change.keyring.ended(kind)


def _end_again(change: Change, subjects: list[str], ended: dict[str, int]) -> None:
    if subjects:
        change.connection.execute(
            sqlite.insert(schema.pending_endings).on_conflict_do_nothing(),
            [{"kind": "subject", "id": each, "at": ended[each]} for each in subjects],
        )


def _fill(change: Change, source: Source, gone: _Gone) -> None:
    """Copy the backup's rows, but for those who are gone; they are all of this change."""
    for table in _REPLACED:
        names = [column.name for column in table.columns]
        ends = [(names.index(column), among) for column, among in _leaving(table, gone)]
        sequence = names.index("sequence") if "sequence" in names else None
        for rows in rows_of(source, table):
            kept = [row for row in rows if not any(row[at] in among for at, among in ends)]
            if sequence is not None:
                kept = [(*row[:sequence], change.sequence, *row[sequence + 1 :]) for row in kept]
            if table is schema.faces and (gone.users or gone.links):
                kept = [_without_user(names, row, gone) for row in kept]
            insert_rows(change.connection, insert(table), kept)
    for table in (schema.tombstones, schema.pending_endings):
        for rows in rows_of(source, table):
            insert_rows(change.connection, insert(table).prefix_with("OR IGNORE"), rows)
    _keep_numbering(change.connection, source)


def _leaving(table: Table, gone: _Gone) -> list[tuple[str, frozenset[int]]]:
    """Return the columns by which rows of the gone are known, and what each has for them."""
    if table is schema.subjects:
        return [("key", gone.subjects)]
    if table is schema.consent_purposes:
        return [("consent_key", gone.consents)]
    if table is schema.consents:
        return [("subject_key", gone.subjects)]
    if table in (schema.users, schema.user_purposes):
        return [("key", gone.users)]
    if table in (schema.faces, schema.face_purposes):
        return [("key", gone.faces)]
    return []


def _without_user(names: list[str], row: Row, gone: _Gone) -> Row:
    """Return the row of a face without its user, if that one or the link has ended."""
    at = names.index("user_key")
    ended = row[at] in gone.users or (row[names.index("id")], row[at]) in gone.links
    return (*row[:at], None, *row[at + 1 :]) if ended else row


def _keep_numbering(connection: Connection, source: Source) -> None:
    """Go on after the last key that was ever given, here or in the backup."""
    with restorable.reading(source.path):
        given = raw_connection(source.connection).execute("SELECT name, seq FROM sqlite_sequence")
        numbers = given.fetchall()
    for name, last in numbers:
        values = {"name": name, "last": last}
        connection.execute(
            text("UPDATE sqlite_sequence SET seq = max(seq, :last) WHERE name = :name"), values
        )
        connection.execute(
            text(
                "INSERT INTO sqlite_sequence (name, seq) SELECT :name, :last WHERE NOT EXISTS "
                "(SELECT 1 FROM sqlite_sequence WHERE name = :name)"
            ),
            values,
        )


def _bury(connection: Connection, source: Source, gone: _Gone) -> list[Tombstone]:
    """Leave a tombstone of everybody who was left out and has none yet; return the new ones.

    Who is back, after a restoration with a keyring that lacked their key, has none any more.
    """
    connection.execute(delete(schema.tombstones).where(_TOMBSTONE.id.in_(select(_SUBJECT.id))))
    there = set(connection.execute(select(_TOMBSTONE.id)).scalars())
    face, consent = schema.faces.c, schema.consents.c
    query = select(
        _SUBJECT.id,
        _COLLECTION.name.label("collection"),
        _SUBJECT.created,
        select(func.count())
        .where(face.subject_key == _SUBJECT.key)
        .scalar_subquery()
        .label("faces"),
        select(func.count())
        .where(consent.subject_key == _SUBJECT.key)
        .scalar_subquery()
        .label("consents"),
    ).join(schema.collections)
    found: list[Tombstone] = []
    for batch in batches([each for each in gone.times if each not in there], IN_LIST):
        with restorable.reading(source.path):
            people = source.connection.execute(query.where(_SUBJECT.id.in_(batch)))
            rows = [
                {**row, "erased": gone.times[row["id"]], "reason": "restore"}
                for row in people.mappings()
            ]
        connection.execute(insert(schema.tombstones), rows)
        found += [_tombstone(**row) for row in rows]
    return found


def _tombstone(*, created: int, erased: int, **rest: Any) -> Tombstone:
    return Tombstone(created=moment(created), erased=moment(erased), **rest)


def _honour(change: Change, source: Source) -> None:
    """End anew what ended since: consents withdrawn, access keys, purposes met, looser rules."""
    execute = change.connection.execute
    withdrawals = [
        {"at": at, "id": consent, "name": purpose}
        for (consent, _, purpose), at in _split(_ended(change, "withdrawal"))
    ]
    if withdrawals:
        execute(
            text(
                "UPDATE consent_purposes SET withdrawn = :at WHERE withdrawn IS NULL AND "
                "purpose = :name AND consent_key = (SELECT key FROM consents WHERE id = :id)"
            ),
            withdrawals,
        )
    revoked = [{"id": each, "at": at} for each, at in _ended(change, "access-key").items()]
    if revoked:
        execute(
            text(
                "UPDATE access_keys SET revoked = :at, secret = NULL "
                "WHERE id = :id AND revoked IS NULL"
            ),
            revoked,
        )
    _take_again(change, source)
    for (purpose, _, _), at in _split(_ended(change, "purpose")):
        _meet(change, source, purpose, at)
    for rule, at in _ended(change, "rule").items():
        _tighten(change, source, rule, at)


def _take_again(change: Change, source: Source) -> None:
    """Let what was taken from one purpose since serve it no more."""
    faces = [each.split("/", 2) for each in _since(change, source, "face-purpose")]
    users = [each.split("/", 1) for each in _since(change, source, "user-purpose")]
    connection = change.connection
    if faces:
        connection.execute(
            text(
                "UPDATE face_purposes SET ended = 1 WHERE purpose = :name AND "
                "key = (SELECT key FROM faces WHERE id = :id)"
            ),
            [{"id": face, "name": purpose} for _, face, purpose in faces],
        )
    if users:
        connection.execute(
            text(
                "UPDATE user_purposes SET ended = 1 WHERE purpose = :name AND key = "
                "(SELECT users.key FROM users JOIN subjects ON subjects.key = users.subject_key "
                "WHERE subjects.id = :id)"
            ),
            [{"id": subject, "name": purpose} for subject, purpose in users],
        )


def _split(ended: dict[str, int]) -> Iterator[tuple[tuple[str, str, str], int]]:
    for each, at in ended.items():
        yield each.partition("/"), at


def _meet(change: Change, source: Source, purpose: str, at: int) -> None:
    """End the consents to a purpose that were on record when it was met."""
    found = _purpose(change, purpose)
    if found is None:
        return
    before = select(_CONSENT.key).where(_CONSENT.recorded <= at)
    change.connection.execute(
        update(schema.consent_purposes)
        .where(
            _AGREED.collection_key == found.collection_key,
            _AGREED.purpose == found.name,
            _AGREED.ends > at,
            _AGREED.consent_key.in_(before),
        )
        .values(latest=at, ends=at)
    )
    # One that was met before may have been declared anew before the backup was made.
    if at >= source.time:
        change.connection.execute(
            update(schema.purposes).where(_PURPOSE.key == found.key).values(met=at)
        )


def _tighten(change: Change, source: Source, rule: str, at: int) -> None:
    """Bind the consents to a purpose that were on record when its rule became stricter."""
    purpose, most, idle, _ = rule.split("/")
    found = _purpose(change, purpose)
    if found is None:
        return
    max_days, idle_days = None if most == "-" else int(most), int(idle)
    purposes.tighten(change, found.collection_key, found.name, max_days, idle_days, recorded_by=at)
    # One that was made looser again before the backup was made has the rule of the backup. Whether
    # one was after it, nobody knows any more: the stricter rule is the safe one.
    if at >= source.time:
        most_days = [days for days in (max_days, found.max_days) if days is not None]
        change.connection.execute(
            update(schema.purposes)
            .where(_PURPOSE.key == found.key)
            .values(
                max_days=min(most_days, default=None), idle_days=min(idle_days, found.idle_days)
            )
        )


def _purpose(change: Change, purpose: str) -> Any:
    return change.connection.execute(select(schema.purposes).where(_PURPOSE.id == purpose)).first()
