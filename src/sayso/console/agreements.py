"""Consents as a page tells of them: how each purpose stands, and what would go with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sayso.results import ConsentRecord, EnrolledFace

State = Literal["stands", "later", "ended", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one purpose of a consent stands: ``ends`` is when it ends or was withdrawn."""

    purpose: str
    state: State
    begins: datetime
    ends: datetime
    notice: int


def agreements(record: ConsentRecord, now: datetime) -> tuple[Agreement, ...]:
    """Return how each purpose of a consent stands at that moment."""
    return tuple(_agreement(record, purpose, now) for purpose in record.purposes)


def standing(records: Iterable[ConsentRecord], now: datetime) -> dict[str, datetime]:
    """Return when each purpose ends that some consent stands for, now or later, by name."""
    found: dict[str, datetime] = {}
    for record in records:
        for each in agreements(record, now):
            if each.state in {"stands", "later"}:
                found[each.purpose] = max(each.ends, found.get(each.purpose, each.ends))
    return dict(sorted(found.items()))


def faces_going(
    records: Iterable[ConsentRecord],
    faces: Iterable[EnrolledFace],
    purpose: str | None,
    now: datetime,
) -> int:
    """Count the faces that go when a purpose is withdrawn, or all when None.

    A face goes with the last purpose of the consent that it was enrolled on.
    """
    kept = {
        record.id
        for record in records
        if purpose is not None and set(standing([record], now)) - {purpose}
    }
    return sum(face.consent not in kept for face in faces)


def _agreement(record: ConsentRecord, purpose: str, now: datetime) -> Agreement:
    ends = record.withdrawn.get(purpose, record.ends[purpose])
    return Agreement(
        purpose, _state(record, purpose, now), record.valid_from, ends, record.notices[purpose]
    )


def _state(record: ConsentRecord, purpose: str, now: datetime) -> State:
    if purpose in record.withdrawn:
        return "withdrawn"
    if record.ends[purpose] <= now:
        return "ended"
    return "later" if now < record.valid_from else "stands"
