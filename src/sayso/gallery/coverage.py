"""Coverage: the one place that decides who may be shown, and whose time is over.

A consent is live for a purpose from ``valid_from`` on, while the time is before ``ends``, unless
that purpose of it was withdrawn. ``ends`` is the earliest of what the consent itself says and what
the collection's rules say of that purpose (see ``purposes``). It is always judged at a moment that
the caller gives: for an enrolment, the time of the change that writes it; for a search, the time of
the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, and_, case, select

from sayso.gallery import schema
from sayso.gallery.batches import IN_LIST, batches, driver_rows

_CONSENT = schema.consents.c
_PURPOSE = schema.consent_purposes.c

#: Stands for "no end" where windows are compared as integers.
FOREVER = int(np.iinfo(np.int64).max)


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


def covering(connection: Connection, collection_key: int, purpose: str, since: int) -> Windows:
    """Return when the collection's consents cover the purpose.

    Only what changed after the change numbered ``since``: 0 for all of them.
    """
    result = connection.execute(
        select(
            _CONSENT.key,
            _CONSENT.subject_key,
            _CONSENT.valid_from,
            case((_PURPOSE.withdrawn.is_not(None), 0), else_=_PURPOSE.ends),
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
    connection: Connection,
    subjects: Sequence[int],
    purpose: str,
    now: int,
    *,
    begun: bool = True,
) -> frozenset[int]:
    """Return those of the subject keys that may be shown for the purpose at that time.

    Unless ``begun``, also those whose consent only begins later.
    """
    found: set[int] = set()
    for batch in batches(subjects, IN_LIST):
        rows = connection.execute(
            select(_CONSENT.subject_key)
            .join(schema.consent_purposes)
            .where(
                _CONSENT.subject_key.in_(batch),
                _PURPOSE.purpose == purpose,
                live(now) if begun else standing(now),
            )
        )
        found.update(rows.scalars())
    return frozenset(found)


def is_covered(subject_key: ColumnElement[int], purpose: str, now: int) -> ColumnElement[bool]:
    """Say of a column of subject keys that they may be shown for the purpose at that time."""
    return (
        select(_CONSENT.key)
        .join(schema.consent_purposes)
        .where(_CONSENT.subject_key == subject_key, _PURPOSE.purpose == purpose, live(now))
        .exists()
    )


def standing_purposes(connection: Connection, subject: int, now: int) -> tuple[str, ...]:
    """Return the purposes that a consent of a subject, by key, stands to at that time, sorted."""
    query = (
        select(_PURPOSE.purpose)
        .join(schema.consents)
        .where(_CONSENT.subject_key == subject, standing(now))
        .distinct()
        .order_by(_PURPOSE.purpose)
    )
    return tuple(connection.execute(query).scalars())


def live_purposes(
    connection: Connection, subjects: Sequence[int], now: int
) -> dict[int, tuple[str, ...]]:
    """Return, by subject key, the purposes that a live consent covers at that time, sorted."""
    found: dict[int, set[str]] = {}
    for batch in batches(subjects, IN_LIST):
        rows = connection.execute(
            select(_CONSENT.subject_key, _PURPOSE.purpose)
            .join(schema.consent_purposes)
            .where(_CONSENT.subject_key.in_(batch), live(now))
        )
        for key, purpose in rows:
            found.setdefault(key, set()).add(purpose)
    return {key: tuple(sorted(names)) for key, names in found.items()}


def lapsed(connection: Connection, since: int, now: int) -> list[tuple[int, int]]:
    """Return collection key and subject key of all whose last consent ended since, up to now.

    A consent that is withdrawn does not count: whoever withdraws the last one is erased with it.
    """
    ended = (
        select(_PURPOSE.collection_key, _CONSENT.subject_key)
        .join(schema.consents)
        .where(_PURPOSE.ends > since, _PURPOSE.ends <= now)
        .distinct()
    )
    other, others = schema.consent_purposes.alias(), schema.consents.alias()
    left = (
        select(other.c.consent_key)
        .join(others, others.c.key == other.c.consent_key)
        .where(
            others.c.subject_key == _CONSENT.subject_key,
            other.c.withdrawn.is_(None),
            other.c.ends > now,
        )
        .exists()
    )
    return [(collection, subject) for collection, subject in connection.execute(ended.where(~left))]


def standing(now: int) -> ColumnElement[bool]:
    """Say of a purpose of a consent that it has neither ended nor been withdrawn by that time."""
    return and_(_PURPOSE.withdrawn.is_(None), _PURPOSE.ends > now)


def live(now: int) -> ColumnElement[bool]:
    """Say of a purpose of a consent that it stands at that time, and has begun."""
    return and_(standing(now), _CONSENT.valid_from <= now)
