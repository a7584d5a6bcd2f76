"""Consents: the one place that decides who may be enrolled and who may be shown.

A consent is live for a purpose from ``valid_from`` on, while the time is before ``valid_until``,
unless that purpose of it was withdrawn. It is always judged at a moment that the caller gives:
for an enrolment, the time of the change that writes it; for a search, the time of the answer.

``require_enrolment_consent`` is the only way to an ``EnrolmentGrant``, and ``faces.insert_faces``
takes nothing else: there is no other way in. The database itself refuses a face without a consent.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, and_, case, func, insert, or_, select, update

from sayso.errors import ConsentNotFound, ConsentRequired, EnrolmentError
from sayso.gallery import schema
from sayso.gallery.batches import IN_LIST, ROWS, batches, driver_rows
from sayso.gallery.collections import Pinned
from sayso.gallery.names import check_purpose
from sayso.gallery.store import Change
from sayso.gallery.times import microseconds, moment
from sayso.gallery.types import Consent, ConsentRecord, EvidenceFile

_CONSENT = schema.consents.c
_PURPOSE = schema.consent_purposes.c

#: Stands for "no end" where windows are compared as integers.
FOREVER = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class EnrolmentGrant:
    """Leave to enrol, valid in the change that it was given in.

    ``consents`` maps the key of each subject who may be enrolled to that of the consent.
    """

    sequence: int
    collection_key: int
    consents: dict[int, int]


@dataclass(frozen=True, slots=True)
class Windows:
    """When the consents of a collection cover one purpose, one entry for each consent.

    All arrays are int64 (n,): keys of consents and of their subjects, and the first and the end
    of the time in microseconds since 1970, UTC. A withdrawn one is empty: its end is 0.
    """

    consents: NDArray[np.int64]
    subjects: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


def require_enrolment_consent(
    change: Change,
    collection: Pinned,
    subjects: dict[str, int],
    consent: Consent | None,
    actor: str,
) -> EnrolmentGrant:
    """Return leave to enrol the subjects (names to keys), or raise ConsentRequired.

    A consent that is offered is recorded for each subject, unless the very same one is on record
    and live; it must be live now. Without one, every subject needs a live consent on record.
    """
    keys = list(subjects.values())
    if consent is not None:
        _require_live(consent, change.now)
        granted = _on_record(change, keys, consent)
        granted |= record(change, collection, [k for k in keys if k not in granted], consent, actor)
    else:
        granted = _on_record(change, keys, None)
    for name, key in subjects.items():
        if key not in granted:
            raise ConsentRequired(
                f"{name!r} has no live consent in collection {collection.name!r}: record one "
                "first (sayso consents add), or give one with the enrolment (--purpose and "
                "--evidence)"
            )
    return EnrolmentGrant(change.sequence, collection.key, granted)


def record(
    change: Change, collection: Pinned, subjects: Iterable[int], consent: Consent, actor: str
) -> dict[int, int]:
    """Record the consent for every subject key; return the consents' keys by subject.

    Raises ConsentRequired for a consent that has ended, or was given in the future.
    """
    valid_from = change.now if consent.valid_from is None else microseconds(consent.valid_from)
    valid_until = None if consent.until is None else microseconds(consent.until)
    given = change.now if consent.given is None else microseconds(consent.given)
    if valid_until is not None and valid_until <= max(valid_from, change.now):
        raise _ended(moment(valid_until))
    if given > change.now:
        raise ConsentRequired(f"the consent is given only at {moment(given).isoformat()}")
    common = _evidence(consent) | {
        "policy_version": consent.policy_version,
        "given": given,
        "valid_from": valid_from,
        "valid_until": valid_until,
        "recorded": change.now,
        "recorded_by": actor,
    }
    connection = change.connection
    last = connection.execute(select(func.max(_CONSENT.key))).scalar() or 0
    for batch in batches(subjects, ROWS):
        connection.execute(
            insert(schema.consents),
            [common | {"id": str(uuid.uuid4()), "subject_key": key} for key in batch],
        )
    # Writers write one at a time, so every consent above the last one is of this change.
    rows = connection.execute(select(_CONSENT.subject_key, _CONSENT.key).where(_CONSENT.key > last))
    recorded: dict[int, int] = dict(tuple(row) for row in rows)
    for keys in batches(recorded.values(), ROWS):
        connection.execute(
            insert(schema.consent_purposes),
            [
                {
                    "consent_key": key,
                    "purpose": purpose,
                    "collection_key": collection.key,
                    "sequence": change.sequence,
                }
                for key in keys
                for purpose in consent.purposes
            ],
        )
    return recorded


def check_own(connection: Connection, consents: dict[int, int]) -> None:
    """Raise EnrolmentError unless every subject key is mapped to a consent of that subject's."""
    for batch in batches(consents.items(), IN_LIST):
        rows = connection.execute(
            select(_CONSENT.subject_key, _CONSENT.key).where(
                _CONSENT.key.in_([key for _, key in batch])
            )
        )
        if not set(batch) <= {(subject, key) for subject, key in rows}:
            raise EnrolmentError("leave to enrol rests on a consent of another subject")


def id_of(connection: Connection, consent_key: int) -> str:
    """Return the id that a consent may be shown by."""
    query = select(_CONSENT.id).where(_CONSENT.key == consent_key)
    return str(connection.execute(query).scalar_one())


def withdraw(change: Change, subject_key: int, purpose: str | None) -> tuple[str, ...]:
    """Withdraw one purpose, or every one, of all the subject's consents; return which.

    Raises InvalidName, or ConsentNotFound when nothing was left to withdraw.
    """
    if purpose is not None:
        check_purpose(purpose)
    standing = [
        _CONSENT.subject_key == subject_key,
        _PURPOSE.withdrawn.is_(None),
        or_(_CONSENT.valid_until.is_(None), _CONSENT.valid_until > change.now),
    ]
    if purpose is not None:
        standing.append(_PURPOSE.purpose == purpose)
    rows = change.connection.execute(
        select(_PURPOSE.consent_key, _PURPOSE.purpose).join(schema.consents).where(*standing)
    ).all()
    if not rows:
        what = "no purpose" if purpose is None else f"no consent to {purpose!r}"
        raise ConsentNotFound(f"{_described(change, subject_key)} has {what} to withdraw")
    for consent_key, name in rows:
        change.connection.execute(
            update(schema.consent_purposes)
            .where(_PURPOSE.consent_key == consent_key, _PURPOSE.purpose == name)
            .values(withdrawn=change.now, sequence=change.sequence)
        )
    return tuple(sorted({name for _, name in rows}))


def any_left(change: Change, subject_key: int) -> bool:
    """Tell whether a consent stands, now or later, to any purpose."""
    query = select(_PURPOSE.consent_key).join(schema.consents)
    standing = and_(
        _CONSENT.subject_key == subject_key,
        _PURPOSE.withdrawn.is_(None),
        or_(_CONSENT.valid_until.is_(None), _CONSENT.valid_until > change.now),
    )
    return change.connection.execute(query.where(standing).limit(1)).first() is not None


def covering(connection: Connection, collection_key: int, purpose: str, since: int) -> Windows:
    """Return when the collection's consents cover the purpose.

    Only what changed after the change numbered ``since``: 0 for all of them.
    """
    result = connection.execute(
        select(
            _CONSENT.key,
            _CONSENT.subject_key,
            _CONSENT.valid_from,
            case(
                (_PURPOSE.withdrawn.is_not(None), 0),
                else_=func.coalesce(_CONSENT.valid_until, FOREVER),
            ),
        )
        .select_from(schema.consent_purposes)
        .join(schema.consents)
        .where(
            _PURPOSE.collection_key == collection_key,
            _PURPOSE.purpose == purpose,
            _PURPOSE.sequence > since,
        )
    )
    parts = [np.array(rows, np.int64).T for rows in driver_rows(result)]
    return Windows(*np.concatenate([np.empty((4, 0), np.int64), *parts], axis=1))


def covered(
    connection: Connection, subjects: Sequence[int], purpose: str, now: int
) -> frozenset[int]:
    """Return those of the subject keys that may be shown for the purpose at that time."""
    found: set[int] = set()
    for batch in batches(subjects, IN_LIST):
        rows = connection.execute(
            select(_CONSENT.subject_key)
            .join(schema.consent_purposes)
            .where(_CONSENT.subject_key.in_(batch), _PURPOSE.purpose == purpose, _live(now))
        )
        found.update(rows.scalars())
    return frozenset(found)


def live_purposes(
    connection: Connection, subjects: Sequence[int], now: int
) -> dict[int, tuple[str, ...]]:
    """Return, by subject key, the purposes that a live consent covers at that time, sorted."""
    found: dict[int, set[str]] = {}
    for batch in batches(subjects, IN_LIST):
        rows = connection.execute(
            select(_CONSENT.subject_key, _PURPOSE.purpose)
            .join(schema.consent_purposes)
            .where(_CONSENT.subject_key.in_(batch), _live(now))
        )
        for key, purpose in rows:
            found.setdefault(key, set()).add(purpose)
    return {key: tuple(sorted(names)) for key, names in found.items()}


def records(connection: Connection, subject_key: int, name: str) -> tuple[ConsentRecord, ...]:
    """Return every consent of a subject, the oldest first."""
    agreed: dict[int, dict[str, int | None]] = {}
    rows = connection.execute(
        select(_PURPOSE.consent_key, _PURPOSE.purpose, _PURPOSE.withdrawn)
        .join(schema.consents)
        .where(_CONSENT.subject_key == subject_key)
        .order_by(_PURPOSE.purpose)
    )
    for key, purpose, withdrawn in rows:
        agreed.setdefault(key, {})[purpose] = withdrawn
    found = connection.execute(
        select(schema.consents).where(_CONSENT.subject_key == subject_key).order_by(_CONSENT.key)
    )
    return tuple(_record(row._mapping, name, agreed.get(row.key, {})) for row in found)


def _live(now: int) -> ColumnElement[bool]:
    return and_(
        _PURPOSE.withdrawn.is_(None),
        _CONSENT.valid_from <= now,
        or_(_CONSENT.valid_until.is_(None), _CONSENT.valid_until > now),
    )


def _require_live(consent: Consent, now: int) -> None:
    if consent.valid_from is not None and microseconds(consent.valid_from) > now:
        raise ConsentRequired(f"the consent begins only at {_iso(consent.valid_from)}")
    if consent.until is not None and microseconds(consent.until) <= now:
        raise _ended(consent.until)


def _on_record(change: Change, subjects: Sequence[int], consent: Consent | None) -> dict[int, int]:
    """Find a live consent for each subject key: any, or one equal to the one given."""
    conditions: list[ColumnElement[bool]] = [_live(change.now)]
    purposes: set[str] | None = None
    if consent is not None:
        same = _evidence(consent) | {"policy_version": consent.policy_version}
        same["valid_until"] = None if consent.until is None else microseconds(consent.until)
        if consent.valid_from is not None:
            same["valid_from"] = microseconds(consent.valid_from)
        if consent.given is not None:
            same["given"] = microseconds(consent.given)
        conditions += [_CONSENT[name].is_not_distinct_from(value) for name, value in same.items()]
        purposes = set(consent.purposes)
    found: dict[int, int] = {}
    for batch in batches(subjects, IN_LIST):
        rows = change.connection.execute(
            select(_CONSENT.subject_key, _CONSENT.key, _PURPOSE.purpose)
            .join(schema.consent_purposes)
            .where(_CONSENT.subject_key.in_(batch), *conditions)
        )
        agreed: dict[tuple[int, int], set[str]] = {}
        for subject, key, purpose in rows:
            agreed.setdefault((subject, key), set()).add(purpose)
        found.update(pair for pair, names in agreed.items() if purposes in (None, names))
    return found


def _described(change: Change, subject_key: int) -> str:
    subjects, collections = schema.subjects, schema.collections
    subject, collection = change.connection.execute(
        select(subjects.c.name, collections.c.name)
        .join_from(subjects, collections)
        .where(subjects.c.key == subject_key)
    ).one()
    return f"{subject!r} in collection {collection!r}"


def _evidence(consent: Consent) -> dict[str, Any]:
    if isinstance(consent.evidence, EvidenceFile):
        document = consent.evidence
        return {
            "evidence": None,
            "evidence_file": document.name,
            "evidence_sha256": document.sha256,
        }
    return {"evidence": consent.evidence, "evidence_file": None, "evidence_sha256": None}


def _record(row: Any, name: str, agreed: dict[str, int | None]) -> ConsentRecord:
    evidence = row["evidence"]
    if evidence is None:
        evidence = EvidenceFile(row["evidence_file"], row["evidence_sha256"])
    until = row["valid_until"]
    return ConsentRecord(
        id=row["id"],
        subject=name,
        purposes=tuple(agreed),
        evidence=evidence,
        policy_version=row["policy_version"],
        given=moment(row["given"]),
        valid_from=moment(row["valid_from"]),
        until=None if until is None else moment(until),
        recorded=moment(row["recorded"]),
        recorded_by=row["recorded_by"],
        withdrawn=MappingProxyType(
            {purpose: moment(at) for purpose, at in agreed.items() if at is not None}
        ),
    )


def _ended(until: datetime) -> ConsentRequired:
    return ConsentRequired(
        f"the consent ended at {_iso(until)}: give a later end (--until), or none if it has none"
    )


def _iso(time: datetime) -> str:
    return time.isoformat()
