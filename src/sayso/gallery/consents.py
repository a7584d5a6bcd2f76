"""Consents: recorded, withdrawn, and the one place that decides who may be enrolled.

Who may be shown is decided in ``coverage``. ``require_enrolment_consent`` is the only way to an
``EnrolmentGrant``, and ``faces.insert_faces`` takes nothing else: there is no other way in. The
database itself refuses a face without a consent.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, func, insert, not_, select, true, update

from sayso.errors import ConsentNotFound, ConsentRequired, EnrolmentError
from sayso.gallery import purposes, schema, serving
from sayso.gallery.batches import IN_LIST, ROWS, batches
from sayso.gallery.collections import Pinned
from sayso.gallery.coverage import live, standing
from sayso.gallery.names import check_purpose
from sayso.gallery.sealing import open_evidence, seal_evidence
from sayso.gallery.store import Change, FindKeys
from sayso.gallery.times import DAY, microseconds, moment
from sayso.gallery.types import Consent, ConsentRecord, EvidenceFile, Purpose
from sayso.keyring.sealing import DataKey

if TYPE_CHECKING:
    from sayso.gallery.subjects import Known

_CONSENT = schema.consents.c
_PURPOSE = schema.consent_purposes.c


@dataclass(frozen=True, slots=True)
class EnrolmentGrant:
    """Leave to enrol, valid in the change that it was given in.

    ``consents`` maps the key of each subject who may be enrolled to that of the consent;
    ``recorded`` has those subjects whose consent is recorded by this change, and ``declared`` the
    purposes that are declared by it. ``for_all`` lets the faces serve all that is agreed to.
    """

    sequence: int
    collection_key: int
    consents: dict[int, int]
    recorded: frozenset[int]
    declared: tuple[Purpose, ...]
    for_all: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """The keys of recorded consents by subject, and the purposes that were declared by them."""

    consents: dict[int, int]
    declared: tuple[Purpose, ...]


def require_enrolment_consent(
    change: Change,
    collection: Pinned,
    subjects: Sequence[Known],
    consent: Consent | None,
    actor: str,
    purpose: str | None = None,
    attested: bool = False,
    extends: bool = True,
) -> EnrolmentGrant:
    """Return leave to enrol the subjects, or raise ConsentRequired.

    A consent that is offered is recorded for each subject, unless the very same one is on record
    and live; it must be live now. Without one, every subject needs a live consent on record, to
    that ``purpose`` if there is one. One that is only ``attested`` is recorded for those who have
    none: what somebody signed is not outdone by how consent is collected in general. Of several
    on record, the one that was recorded last counts; a caller who may see everybody, who
    ``extends``, enrols for all that is agreed to. See ``record``, too.
    """
    declared: tuple[Purpose, ...] = ()
    recorded: frozenset[int] = frozenset()
    if consent is not None:
        _require_begun(consent, change.now)
        if attested:
            granted = _on_record(change, subjects, None, purpose)
        else:
            granted = _on_record(change, subjects, consent)
        new = record(
            change,
            collection,
            [s for s in subjects if s.key not in granted],
            consent,
            actor,
            attested=attested,
            extends=extends,
        )
        granted |= new.consents
        recorded, declared = frozenset(new.consents), new.declared
    else:
        granted = _on_record(change, subjects, None, purpose)
    to = "" if purpose is None else f"to {purpose!r} "
    for subject in subjects:
        if subject.key not in granted:
            raise ConsentRequired(
                f"{subject.name!r} has no live consent {to}in collection {collection.name!r}: "
                "record one first (sayso consents add), or give one with the enrolment (--purpose "
                "and --evidence)"
            )
    for_all = extends and consent is None and purpose is None
    return EnrolmentGrant(change.sequence, collection.key, granted, recorded, declared, for_all)


def record(
    change: Change,
    collection: Pinned,
    subjects: Sequence[Known],
    consent: Consent,
    actor: str,
    *,
    attested: bool = False,
    extends: bool = True,
) -> Recorded:
    """Record the consent for every subject.

    With ``extends`` their faces that are enrolled serve its purposes, too: for a recorder who may
    see everybody, and so knows whose they are; see ``serving``. Raises PurposeNotDeclared, or
    ConsentRequired for a consent that has ended, by its own word or by the rule of a purpose, was
    given in the future, or was withdrawn (see ``_require_not_withdrawn``).
    """
    if not subjects:
        return Recorded({}, ())
    valid_from = change.now if consent.valid_from is None else microseconds(consent.valid_from)
    valid_until = None if consent.until is None else microseconds(consent.until)
    given = change.now if consent.given is None else microseconds(consent.given)
    interaction = max(
        given, given if consent.last_interaction is None else microseconds(consent.last_interaction)
    )
    if valid_until is not None and valid_until <= max(valid_from, change.now):
        raise _ended(moment(valid_until))
    for what, when in (("given", given), ("confirmed by an interaction", interaction)):
        if when > change.now:
            raise ConsentRequired(f"the consent is {what} only at {_iso(moment(when))}")
    _require_not_withdrawn(change, collection, subjects, consent, attested)
    terms, declared = _terms(change, collection, consent, given, interaction, actor)
    for name, term in terms.items():
        if term["ends"] <= max(valid_from, change.now):
            begins, ends = _iso(moment(valid_from)), _iso(moment(term["ends"]))
            late = "" if valid_from <= change.now else f", before it begins at {begins}"
            raise ConsentRequired(
                f"by the rule of the purpose {name!r} in collection {collection.name!r} a consent "
                f"given at {_iso(moment(given))} ends at {ends}{late}: record one that was given "
                "later (sayso purposes list shows the rule)"
            )
    common = {
        "policy_version": consent.policy_version,
        "given": given,
        "valid_from": valid_from,
        "valid_until": valid_until,
        "recorded": change.now,
        "recorded_by": actor,
        "last_interaction": interaction,
    }
    known = [each.key for each in subjects if each.id not in change.new_keys]
    serving.renewed(change, known, consent.purposes, extends=extends)
    keys = _insert(change, subjects, consent, common)
    for consent_keys in batches(keys.values(), ROWS):
        change.connection.execute(
            insert(schema.consent_purposes),
            [
                {
                    "consent_key": key,
                    "purpose": purpose,
                    "collection_key": collection.key,
                    "sequence": change.sequence,
                    **term,
                }
                for key in consent_keys
                for purpose, term in terms.items()
            ],
        )
    return Recorded(keys, declared)


def _terms(
    change: Change,
    collection: Pinned,
    consent: Consent,
    given: int,
    interaction: int,
    actor: str,
) -> tuple[dict[str, dict[str, Any]], tuple[Purpose, ...]]:
    """Return for each purpose the version of its notice, and what bounds the consent to it."""
    until = None if consent.until is None else microseconds(consent.until)
    found, declared = purposes.rules(change, collection, consent.purposes, actor)
    terms: dict[str, dict[str, Any]] = {}
    for name, rule in found.items():
        latest = purposes.end_of_days(until, given, rule.max_days)
        idle = rule.idle_days * DAY
        terms[name] = {
            "notice": rule.notice,
            "latest": latest,
            "idle": idle,
            "ends": purposes.end(latest, interaction, idle),
        }
    return terms, declared


def _insert(
    change: Change, subjects: Sequence[Known], consent: Consent, common: dict[str, Any]
) -> dict[int, int]:
    """Write a consent for each subject; return their keys by that of the subject."""
    connection = change.connection
    last = connection.execute(select(func.max(_CONSENT.key))).scalar() or 0
    for batch in batches(subjects, ROWS):
        data_keys = change.find_keys(subject.id for subject in batch)
        connection.execute(
            insert(schema.consents),
            [
                common
                | {
                    "id": str(uuid.uuid4()),
                    "subject_key": subject.key,
                    "evidence": seal_evidence(data_keys[subject.id], consent.evidence),
                }
                for subject in batch
            ],
        )
    # Writers write one at a time, so every consent above the last one is of this change.
    rows = connection.execute(select(_CONSENT.subject_key, _CONSENT.key).where(_CONSENT.key > last))
    return dict(tuple(row) for row in rows)


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


def purposes_of(connection: Connection, keys: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """Return the purposes that consents are to, sorted, by the consents' keys."""
    found: dict[int, tuple[str, ...]] = {}
    for batch in batches(sorted(set(keys)), IN_LIST):
        query = select(_PURPOSE.consent_key, _PURPOSE.purpose).order_by(_PURPOSE.purpose)
        for key, purpose in connection.execute(query.where(_PURPOSE.consent_key.in_(batch))):
            found[key] = (*found.get(key, ()), purpose)
    return found


def withdraw(
    change: Change, collection: Pinned, subject: Known, purpose: str | None
) -> tuple[str, ...]:
    """Withdraw one purpose, or every one, of all the subject's consents; return which.

    Raises InvalidName, or ConsentNotFound when nothing was left to withdraw.
    """
    if purpose is not None:
        check_purpose(purpose)
    query = (
        select(_PURPOSE.consent_key, _PURPOSE.purpose, _CONSENT.id)
        .join(schema.consents)
        .where(_CONSENT.subject_key == subject.key, standing(change.now))
    )
    if purpose is not None:
        query = query.where(_PURPOSE.purpose == purpose)
    rows = change.connection.execute(query).all()
    if not rows:
        what = "no purpose" if purpose is None else f"no consent to {purpose!r}"
        raise ConsentNotFound(
            f"{subject.name!r} in collection {collection.name!r} has {what} to withdraw"
        )
    for consent_key, name, _ in rows:
        change.connection.execute(
            update(schema.consent_purposes)
            .where(_PURPOSE.consent_key == consent_key, _PURPOSE.purpose == name)
            .values(withdrawn=change.now, sequence=change.sequence)
        )
    change.end("withdrawal", [f"{consent}/{name}" for _, name, consent in rows])
    return tuple(sorted({name for _, name, _ in rows}))


def any_left(change: Change, subject_key: int) -> bool:
    """Tell whether a consent stands, now or later, to any purpose."""
    query = (
        select(_PURPOSE.consent_key)
        .join(schema.consents)
        .where(_CONSENT.subject_key == subject_key, standing(change.now))
        .limit(1)
    )
    return change.connection.execute(query).first() is not None


def record_interaction(change: Change, subject: Known, at: int, purpose: str | None = None) -> None:
    """Record that the person was in touch at that time: idleness counts anew from there.

    With a ``purpose`` for that one alone: by a name that two systems use, it may have been somebody
    else. An earlier time than the one on record changes nothing. Raises ConsentRequired for a time
    that is still to come.
    """
    if at > change.now:
        raise ConsentRequired(
            f"{_iso(moment(at))} is still to come: an interaction is recorded after it happened"
        )
    theirs = select(_CONSENT.key).where(_CONSENT.subject_key == subject.key)
    about = true() if purpose is None else _PURPOSE.purpose == purpose
    other = select(_PURPOSE.consent_key).where(not_(about))
    change.connection.execute(
        update(schema.consents)
        .where(
            _CONSENT.subject_key == subject.key,
            _CONSENT.last_interaction < at,
            # A consent to other purposes, too, would tell them of it.
            _CONSENT.key.not_in(other),
        )
        .values(last_interaction=at)
    )
    rows = change.connection.execute(
        select(_PURPOSE.consent_key, _PURPOSE.purpose, _PURPOSE.latest, _PURPOSE.idle).where(
            _PURPOSE.consent_key.in_(theirs), about, standing(change.now)
        )
    ).all()
    for key, name, latest, idle in rows:
        ends = purposes.end(latest, at, idle)
        change.connection.execute(
            update(schema.consent_purposes)
            .where(_PURPOSE.consent_key == key, _PURPOSE.purpose == name, _PURPOSE.ends < ends)
            .values(ends=ends, sequence=change.sequence)
        )


def records(
    connection: Connection, find_keys: FindKeys, subject: Known
) -> tuple[ConsentRecord, ...]:
    """Return every consent of a subject, the oldest first.

    None when the subject is just being erased.
    """
    data_key = find_keys([subject.id]).get(subject.id)
    if data_key is None:
        return ()
    agreed: dict[int, list[Any]] = {}
    rows = connection.execute(
        select(schema.consent_purposes)
        .join(schema.consents)
        .where(_CONSENT.subject_key == subject.key)
        .order_by(_PURPOSE.purpose)
    )
    for row in rows:
        agreed.setdefault(row.consent_key, []).append(row)
    found = connection.execute(
        select(schema.consents).where(_CONSENT.subject_key == subject.key).order_by(_CONSENT.key)
    )
    return tuple(_record(row, subject.name, data_key, agreed.get(row.key, [])) for row in found)


def _require_not_withdrawn(
    change: Change,
    collection: Pinned,
    subjects: Sequence[Known],
    consent: Consent,
    attested: bool,
) -> None:
    """Raise ConsentRequired for what a subject agreed to before they withdrew it.

    That is what was given no later than the withdrawal; where nobody says when it was given, what
    rests on the same evidence as a consent that was withdrawn. Nothing that is only attested
    outdoes a withdrawal.
    """
    given = None if consent.given is None else microseconds(consent.given)
    known = {each.key: each for each in subjects if each.id not in change.new_keys}
    for batch in batches(known, IN_LIST):
        rows = change.connection.execute(
            select(_CONSENT.subject_key, _CONSENT.evidence, _PURPOSE.purpose, _PURPOSE.withdrawn)
            .join(schema.consent_purposes)
            .where(
                _CONSENT.subject_key.in_(batch),
                _PURPOSE.purpose.in_(consent.purposes),
                _PURPOSE.withdrawn.is_not(None),
            )
            .order_by(_PURPOSE.withdrawn.desc())
        ).all()
        for key, sealed, purpose, withdrawn in rows:
            subject = known[key]
            if given is not None and not attested:
                again = given <= withdrawn
            else:
                again = attested or _rests_on(change, subject, sealed, consent.evidence)
            if again:
                raise ConsentRequired(
                    f"{subject.name!r} withdrew the consent to {purpose!r} in collection "
                    f"{collection.name!r}: it was withdrawn at {_iso(moment(withdrawn))}; record a "
                    "new one with what was given since (given=...)"
                )


def _rests_on(change: Change, subject: Known, sealed: bytes, evidence: str | EvidenceFile) -> bool:
    data_key = change.find_keys([subject.id])[subject.id]
    return open_evidence(data_key, sealed) == evidence


def _require_begun(consent: Consent, now: int) -> None:
    if consent.valid_from is not None and microseconds(consent.valid_from) > now:
        raise ConsentRequired(f"the consent begins only at {_iso(consent.valid_from)}")


def _on_record(
    change: Change,
    subjects: Sequence[Known],
    consent: Consent | None,
    purpose: str | None = None,
) -> dict[int, int]:
    """Find a live consent for each subject: one equal to the one given, or any to the purpose."""
    conditions: list[ColumnElement[bool]] = [live(change.now)]
    if purpose is not None:
        conditions.append(_PURPOSE.purpose == purpose)
    if consent is not None:
        same: dict[str, Any] = {"policy_version": consent.policy_version}
        same["valid_until"] = None if consent.until is None else microseconds(consent.until)
        if consent.valid_from is not None:
            same["valid_from"] = microseconds(consent.valid_from)
        if consent.given is not None:
            same["given"] = microseconds(consent.given)
        conditions += [_CONSENT[name].is_not_distinct_from(value) for name, value in same.items()]
    found: dict[int, int] = {}
    for batch in batches(subjects, IN_LIST):
        rows = change.connection.execute(
            select(_CONSENT.subject_key, _CONSENT.key, _PURPOSE.purpose, _CONSENT.evidence)
            .join(schema.consent_purposes)
            .where(_CONSENT.subject_key.in_([subject.key for subject in batch]), *conditions)
            .order_by(_CONSENT.key)
        )
        agreed: dict[tuple[int, int, bytes], set[str]] = {}
        for subject_key, key, name, evidence in rows:
            agreed.setdefault((subject_key, key, evidence), set()).add(name)
        if consent is None:
            found.update((subject_key, key) for subject_key, key, _ in agreed)
        else:
            found.update(_equal(change, batch, agreed, consent))
    return found


def _equal(
    change: Change,
    subjects: Sequence[Known],
    agreed: dict[tuple[int, int, bytes], set[str]],
    consent: Consent,
) -> Iterator[tuple[int, int]]:
    """Yield subject and key of the consents to the same purposes on the same evidence."""
    if not agreed:
        return
    ids = {subject.key: subject.id for subject in subjects}
    data_keys = change.find_keys(ids.values())
    for (subject_key, key, sealed), names in agreed.items():
        data_key = data_keys[ids[subject_key]]
        if names == set(consent.purposes) and open_evidence(data_key, sealed) == consent.evidence:
            yield subject_key, key


def _record(row: Any, name: str, data_key: DataKey, agreed: Sequence[Any]) -> ConsentRecord:
    return ConsentRecord(
        id=row.id,
        subject=name,
        purposes=tuple(each.purpose for each in agreed),
        evidence=open_evidence(data_key, row.evidence),
        policy_version=row.policy_version,
        given=moment(row.given),
        valid_from=moment(row.valid_from),
        until=None if row.valid_until is None else moment(row.valid_until),
        recorded=moment(row.recorded),
        recorded_by=row.recorded_by,
        last_interaction=moment(row.last_interaction),
        ends=MappingProxyType({each.purpose: moment(each.ends) for each in agreed}),
        notices=MappingProxyType({each.purpose: each.notice for each in agreed}),
        withdrawn=MappingProxyType(
            {each.purpose: moment(each.withdrawn) for each in agreed if each.withdrawn is not None}
        ),
    )


def _ended(until: datetime) -> ConsentRequired:
    return ConsentRequired(
        f"the consent ended at {_iso(until)}: give a later end (--until), or none if it has none"
    )


def _iso(time: datetime) -> str:
    return time.isoformat()
