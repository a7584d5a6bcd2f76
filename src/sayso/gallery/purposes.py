"""Purposes: what a collection is for, what people are told about it, and how long it may last.

A rule bounds every consent to its purpose. The third bound is the one of the Illinois Biometric
Information Privacy Act, 740 ILCS 14/15(a): when the purpose is met, or within three years of the
last interaction, whichever is first. No rule can be longer.

A collection that declares no purpose takes any: the first consent to one declares it, with a notice
and a rule of ours. Once one was declared on purpose, all others are refused, so that a slip of the
pen does not become a purpose that nobody searches for: those, too, that only a consent had declared
before. The consents that were given to them stay.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from sayso.errors import GalleryError, PurposeNotDeclared
from sayso.gallery import schema
from sayso.gallery.collections import Pinned
from sayso.gallery.names import check_purpose, is_text
from sayso.gallery.store import Change
from sayso.gallery.times import DAY, moment
from sayso.gallery.types import Purpose

#: Three years, and never a day more, whichever of them are leap years.
LONGEST_IDLE_DAYS = 1095
_LONGEST_MAX_DAYS = 36_500
LONGEST_NOTICE = 10_000

_TABLE = schema.purposes
_NOTICE = schema.notices.c
_AGREED = schema.consent_purposes.c


@dataclass(frozen=True, slots=True)
class Rule:
    """How long a consent to a purpose may last, and the version of the notice it is given on."""

    notice: int
    max_days: int | None
    idle_days: int


def default_notice(collection: str, purpose: str) -> str:
    """Return what people are told of a purpose that nobody declared."""
    return (
        f"A numerical description of your face (a template) is kept in the collection {collection} "
        f"to recognise you in pictures for the purpose {purpose}, and for nothing else. The "
        "pictures themselves are not kept. It is erased when you withdraw, when the purpose is "
        "met, and at the latest three years after your last contact with us. You can withdraw, "
        "see what is held about you and who searched for you, at any time."
    )


def declare(
    change: Change,
    collection: Pinned,
    name: str,
    *,
    notice: str,
    max_days: int | None,
    idle_days: int,
    actor: str,
    by_default: bool = False,
) -> Purpose:
    """Declare a purpose, or declare it anew with another notice or rule.

    A stricter rule binds the consents that were given, too, also when they come back from a backup;
    a looser one does not lengthen them. Raises InvalidName, or GalleryError for a notice or a
    number of days that cannot be.
    """
    check_purpose(name)
    _check(notice, max_days, idle_days)
    found = _row(change.connection, collection, name)
    values = {
        "max_days": max_days,
        "idle_days": idle_days,
        "by_default": int(by_default),
        "met": None,
    }
    version = 1
    if found is None:
        new = {"id": str(uuid.uuid4()), "collection_key": collection.key, "name": name, "notice": 1}
        change.connection.execute(insert(_TABLE).values(new | values))
        key = int(_required(change.connection, collection, name).key)
    else:
        key = int(found.key)
        version = int(found.notice) + (_text(change.connection, key, found.notice) != notice)
        change.connection.execute(
            update(_TABLE).where(_TABLE.c.key == key).values(values | {"notice": version})
        )
        tighten(change, collection.key, name, max_days, idle_days)
        if _is_stricter(found, max_days, idle_days):
            most = "-" if max_days is None else max_days
            change.end("rule", [f"{found.id}/{most}/{idle_days}/{change.now}"])
    if found is None or version != found.notice:
        change.connection.execute(
            insert(schema.notices).values(
                purpose_key=key, version=version, text=notice, written=change.now, written_by=actor
            )
        )
    return describe(change.connection, collection, name)


def rules(
    change: Change, collection: Pinned, names: Iterable[str], actor: str
) -> tuple[dict[str, Rule], tuple[Purpose, ...]]:
    """Return the rule of each purpose, and those purposes that are declared by this.

    Raises PurposeNotDeclared for one that the collection does not have, or that was met.
    """
    found: dict[str, Rule] = {}
    declared: list[Purpose] = []
    for name in names:
        row = _row(change.connection, collection, name)
        if row is None or row.by_default:
            _require_open(change.connection, collection, name, by_default=row is not None)
        if row is None:
            declared.append(
                declare(
                    change,
                    collection,
                    name,
                    notice=default_notice(collection.name, name),
                    max_days=None,
                    idle_days=LONGEST_IDLE_DAYS,
                    actor=actor,
                    by_default=True,
                )
            )
            row = _required(change.connection, collection, name)
        if row.met is not None:
            raise PurposeNotDeclared(
                f"the purpose {name!r} of collection {collection.name!r} was met at "
                f"{moment(row.met).isoformat()}: declare it anew (sayso purposes declare) to go on"
            )
        found[name] = Rule(row.notice, row.max_days, row.idle_days)
    return found, tuple(declared)


def met(change: Change, collection: Pinned, name: str) -> Purpose:
    """Say that a purpose is met: every consent to it ends now.

    Raises InvalidName or PurposeNotDeclared.
    """
    row = _required(change.connection, collection, name)
    if row.met is None:
        change.connection.execute(
            update(_TABLE).where(_TABLE.c.key == row.key).values(met=change.now)
        )
        change.connection.execute(
            update(schema.consent_purposes)
            .where(
                _AGREED.collection_key == collection.key,
                _AGREED.purpose == name,
                _AGREED.ends > change.now,
            )
            .values(latest=change.now, ends=change.now, sequence=change.sequence)
        )
        change.end("purpose", [f"{row.id}/{change.now}"])
    return describe(change.connection, collection, name)


def describe(connection: Connection, collection: Pinned, name: str) -> Purpose:
    """Return one purpose of a collection; raises InvalidName or PurposeNotDeclared."""
    return _described(connection, collection, _required(connection, collection, name))


def describe_all(connection: Connection, collection: Pinned) -> tuple[Purpose, ...]:
    """Return the purposes of a collection, ordered by name."""
    rows = connection.execute(
        select(_TABLE).where(_TABLE.c.collection_key == collection.key).order_by(_TABLE.c.name)
    ).all()
    return tuple(_described(connection, collection, row) for row in rows)


def notice_text(connection: Connection, collection: Pinned, name: str, version: int) -> str:
    """Return a version of a purpose's notice, as whoever agreed to it was told."""
    key = _required(connection, collection, name).key
    return _text(connection, key, version) or ""


def _check(notice: str, max_days: int | None, idle_days: int) -> None:
    if not notice.strip() or len(notice) > LONGEST_NOTICE or not is_text(notice):
        raise GalleryError(
            f"a notice tells people in 1 to {LONGEST_NOTICE:,} characters what a purpose means for "
            f"them; this one has {len(notice.strip()):,}"
        )
    if max_days is not None and not 1 <= max_days <= _LONGEST_MAX_DAYS:
        raise GalleryError(
            f"max_days is {max_days}; a consent may last 1 to {_LONGEST_MAX_DAYS} days"
        )
    if not 1 <= idle_days <= LONGEST_IDLE_DAYS:
        raise GalleryError(
            f"idle_days is {idle_days}; a consent may outlast the last interaction by 1 to "
            f"{LONGEST_IDLE_DAYS} days (three years)"
        )


def _is_stricter(row: Any, max_days: int | None, idle_days: int) -> bool:
    """Tell whether a rule is, in any way, stricter than the one that a purpose has."""
    shorter = max_days is not None and (row.max_days is None or max_days < row.max_days)
    return shorter or idle_days < int(row.idle_days)


def tighten(
    change: Change,
    collection_key: int,
    name: str,
    max_days: int | None,
    idle_days: int,
    *,
    recorded_by: int | None = None,
) -> None:
    """Apply a rule to the consents that stand, where it is stricter than theirs.

    Only to those recorded up to the time ``recorded_by``, if there is one.
    """
    consent = schema.consents.c
    until = change.now if recorded_by is None else recorded_by
    rows = change.connection.execute(
        select(
            _AGREED.consent_key,
            _AGREED.latest,
            _AGREED.idle,
            consent.given,
            consent.last_interaction,
        )
        .join(schema.consents)
        .where(
            _AGREED.collection_key == collection_key,
            _AGREED.purpose == name,
            _AGREED.ends > change.now,
            consent.recorded <= until,
        )
    ).all()
    for key, latest, idle, given, interaction in rows:
        bound = end_of_days(latest, given, max_days)
        shorter = min(idle, idle_days * DAY)
        change.connection.execute(
            update(schema.consent_purposes)
            .where(_AGREED.consent_key == key, _AGREED.purpose == name)
            .values(
                latest=bound,
                idle=shorter,
                ends=end(bound, interaction, shorter),
                sequence=change.sequence,
            )
        )


def end_of_days(latest: int | None, given: int, max_days: int | None) -> int | None:
    """Return the earlier of a bound and so many days after the consent was given."""
    if max_days is None:
        return latest
    limit = given + max_days * DAY
    return limit if latest is None else min(latest, limit)


def end(latest: int | None, last_interaction: int, idle: int) -> int:
    """Return when a consent ends, in microseconds since 1970."""
    idle_end = last_interaction + idle
    return idle_end if latest is None else min(latest, idle_end)


def _require_open(
    connection: Connection, collection: Pinned, name: str, *, by_default: bool
) -> None:
    """Raise PurposeNotDeclared if the collection has purposes that were declared on purpose."""
    names = connection.execute(
        select(_TABLE.c.name)
        .where(_TABLE.c.collection_key == collection.key, _TABLE.c.by_default == 0)
        .order_by(_TABLE.c.name)
    )
    declared = list(names.scalars())
    if declared and by_default:
        raise PurposeNotDeclared(
            f"the purpose {name!r} of collection {collection.name!r} was only declared by a "
            f"consent, and others were on purpose since ({', '.join(declared)}): declare it, too "
            "(sayso purposes declare), to go on"
        )
    if declared:
        raise _not_declared(collection, name, declared)


def _required(connection: Connection, collection: Pinned, name: str) -> Any:
    check_purpose(name)
    row = _row(connection, collection, name)
    if row is None:
        names = connection.execute(
            select(_TABLE.c.name)
            .where(_TABLE.c.collection_key == collection.key)
            .order_by(_TABLE.c.name)
        )
        raise _not_declared(collection, name, list(names.scalars()))
    return row


def _not_declared(collection: Pinned, name: str, declared: list[str]) -> PurposeNotDeclared:
    known = ", ".join(declared) if declared else "none yet"
    return PurposeNotDeclared(
        f"{name!r} is no purpose of collection {collection.name!r} (those declared: {known}): "
        "correct it, or declare it first (sayso purposes declare)"
    )


def _row(connection: Connection, collection: Pinned, name: str) -> Any:
    return connection.execute(
        select(_TABLE).where(_TABLE.c.collection_key == collection.key, _TABLE.c.name == name)
    ).first()


def _text(connection: Connection, key: int, version: int) -> str | None:
    return connection.execute(
        select(_NOTICE.text).where(_NOTICE.purpose_key == key, _NOTICE.version == version)
    ).scalar()


def _described(connection: Connection, collection: Pinned, row: Any) -> Purpose:
    text, written_by = connection.execute(
        select(_NOTICE.text, _NOTICE.written_by).where(
            _NOTICE.purpose_key == row.key, _NOTICE.version == row.notice
        )
    ).one()
    declared = connection.execute(
        select(func.min(_NOTICE.written)).where(_NOTICE.purpose_key == row.key)
    ).scalar_one()
    return Purpose(
        id=row.id,
        collection=collection.name,
        name=row.name,
        version=row.notice,
        notice=text,
        max_days=row.max_days,
        idle_days=row.idle_days,
        by_default=bool(row.by_default),
        declared=moment(declared),
        declared_by=written_by,
        met=None if row.met is None else moment(row.met),
    )
