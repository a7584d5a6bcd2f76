"""What a gallery must hold after the calls that one worker has made, told by their log entries.

A model takes part in nothing that the gallery does: it knows what each call means, and takes from
the log only what nobody can know beforehand, which is the time of a change and the ids it gave.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sayso.audit.log import Entry
from sayso.gallery.purposes import LONGEST_IDLE_DAYS
from tests.faults.worker import Call

_IDLE = timedelta(days=LONGEST_IDLE_DAYS)


class Told:
    """The entries of one worker that nothing accounts for yet, the oldest first."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._left = deque(entries)

    def __len__(self) -> int:
        return len(self._left)

    def now(self) -> datetime:
        """Return the time of the next entry."""
        assert self._left, "the log has no more entries"
        return self._left[0].time

    def next(self, kind: str, **fields: Any) -> Entry:
        """Take the next entry, which must be of that kind with these fields."""
        assert self._left, f"the log has no {kind} {fields}"
        entry = self._left.popleft()
        found = {name: getattr(entry.event, name, None) for name in fields}
        assert (entry.event.kind, found) == (kind, fields), f"entry {entry.number}: {entry.body}"
        return entry


@dataclass
class Agreement:
    """A consent: to what, on which evidence, and until when for each purpose."""

    evidence: str
    recorded: datetime
    last_interaction: datetime
    ends: dict[str, datetime]
    withdrawn: dict[str, datetime] = field(default_factory=dict)

    def standing(self, now: datetime) -> set[str]:
        return {name for name, end in self.ends.items() if name not in self.withdrawn and end > now}


@dataclass
class Person:
    """A subject. Of several that were made at once, the log does not say which id is whose.

    They share the ids that are left, until one of them is told by a later entry or a listing.
    ``enrolled`` has for each seed of a template what it is kept for: the purposes of its consent.
    ``serves`` has those that it may be found for, to which later consents add theirs, since every
    worker sees everybody.
    """

    created: datetime
    ids: set[str]
    id: str | None = None
    enrolled: dict[int, set[str]] = field(default_factory=dict)
    serves: dict[int, set[str]] = field(default_factory=dict)
    agreements: list[Agreement] = field(default_factory=list)

    @property
    def seeds(self) -> list[int]:
        return list(self.enrolled)

    def is_(self, told: str) -> bool:
        if self.id is None and told in self.ids:
            self.ids.discard(told)
            self.id = told
        return self.id == told

    def standing(self, now: datetime) -> set[str]:
        return {name for each in self.agreements for name in each.standing(now)}

    def lost(self, now: datetime) -> list[int]:
        """The seeds of templates that no consent to a purpose of theirs stands for."""
        standing = self.standing(now)
        return [seed for seed, purposes in self.enrolled.items() if not standing & purposes]

    def agree(self, agreement: Agreement) -> None:
        self.agreements.append(agreement)
        for purposes in self.serves.values():
            purposes |= set(agreement.ends)

    def enrol(self, seed: int, now: datetime, *, on_record: bool) -> None:
        """Enrol a template on the latest consent; where that is on record, for all that stands."""
        standing = [each.standing(now) for each in self.agreements]
        latest = next(each for each in reversed(standing) if each)
        self.enrolled[seed] = set(latest)
        self.serves[seed] = set().union(*standing) if on_record else set(latest)

    def lose(self, seeds: Iterable[int]) -> None:
        for seed in seeds:
            del self.enrolled[seed], self.serves[seed]


@dataclass(frozen=True)
class Stone:
    """A tombstone, but for its id."""

    created: datetime
    erased: datetime
    faces: int
    consents: int
    reason: str


@dataclass
class Group:
    """A collection; ``purposes`` has the time that each was met, if it was."""

    created: datetime
    people: dict[str, Person] = field(default_factory=dict)
    purposes: dict[str, datetime | None] = field(default_factory=dict)


@dataclass
class Key:
    """An access key; the secret is known where its making was acknowledged."""

    id: str
    revoked: datetime | None = None
    secret: str | None = None


class Model:
    """What one worker has made of a gallery; ``orphans`` have a data key and nothing else."""

    def __init__(self, actor: str) -> None:
        self.actor = actor
        self.groups: dict[str, Group] = {}
        self.stones: dict[str, dict[str, Stone]] = {}
        self.seeds: dict[str, list[int]] = {}
        self.keys: dict[str, Key] = {}
        self.withdrawals = 0
        self.met = 0
        self.fingerprint: str | None = None

    def follow(self, call: Call, told: Told, result: Any = None) -> None:
        """Take over what a call did, by its entries; ``result`` is what it returned, if it did."""
        getattr(self, f"_{call.method}")(told, result, **call.arguments)

    def people(self) -> dict[str, Person]:
        """Return everybody by id; all ids must be known by now."""
        found = (person for group in self.groups.values() for person in group.people.values())
        return {person.id or "": person for person in found}

    def gone(self) -> dict[str, Stone]:
        """Return every tombstone by its id."""
        return {each: stone for stones in self.stones.values() for each, stone in stones.items()}

    def _create(self, told: Told, result: Any, collection: str) -> None:
        entry = told.next("collection-created", collection=collection)
        assert result is None
        self.groups[collection] = Group(entry.time)
        self.stones[collection] = {}
        self.seeds[collection] = []

    def _enrol(
        self,
        told: Told,
        result: Any,
        collection: str,
        names: list[str],
        seeds: list[int],
        purposes: list[str],
        evidence: str | None,
    ) -> None:
        group, distinct = self.groups[collection], list(dict.fromkeys(names))
        known = {name: group.people[name] for name in distinct if name in group.people}
        imported: tuple[str, ...] | None = None
        if evidence is not None:
            self._declare(told, collection, purposes)
            kind = "consent-recorded" if len(distinct) == 1 else "consents-imported"
            consented = told.next(kind, collection=collection, purposes=tuple(purposes)).event
            imported = getattr(consented, "subjects", None) or (getattr(consented, "subject", ""),)
        entry = told.next("templates-enrolled", collection=collection, faces=len(seeds))
        ids = list(getattr(entry.event, "subjects", ()))
        assert len(ids) == len(set(ids)) == len(distinct)
        assert imported is None or set(imported) == set(ids)
        new = {each for each in ids if not any(person.is_(each) for person in known.values())}
        assert len(new) == len(distinct) - len(known), entry.body
        for name in distinct:
            person = group.people.setdefault(name, Person(entry.time, new))
            if evidence is not None:
                person.agree(_agreement(entry, purposes, evidence))
        for name, seed in zip(names, seeds, strict=True):
            group.people[name].enrol(seed, entry.time, on_record=evidence is None)
        self.seeds[collection] += seeds
        assert result in (None, len(seeds))

    def _refuse(self, told: Told, result: Any, collection: str, seed: int, **_: str) -> None:
        told.next("call-refused", action="enrol", error="ConsentRequired", collection=collection)
        self.seeds[collection].append(seed)
        assert result in (None, "refused")

    def _agree(
        self,
        told: Told,
        result: Any,
        collection: str,
        name: str,
        purposes: list[str],
        evidence: str,
    ) -> None:
        self._declare(told, collection, purposes)
        entry = told.next("consent-recorded", collection=collection, purposes=tuple(purposes))
        subject = str(getattr(entry.event, "subject", None))
        person = self.groups[collection].people.setdefault(name, Person(entry.time, {subject}))
        assert person.is_(subject), entry.body
        person.agree(_agreement(entry, purposes, evidence))
        assert result in (None, getattr(entry.event, "consent", None))

    def _touch(self, told: Told, result: Any, collection: str, name: str) -> None:
        entry = told.next("interaction-recorded", collection=collection)
        assert result in (None, entry.time.isoformat())
        person = self._person(entry, collection, name)
        for each in person.agreements:
            each.last_interaction = entry.time
            each.ends |= dict.fromkeys(each.standing(entry.time), entry.time + _IDLE)

    def _withdraw(
        self, told: Told, result: Any, collection: str, name: str, purpose: str | None
    ) -> None:
        entry = told.next("consent-withdrawn", collection=collection)
        person = self._person(entry, collection, name)
        wanted = person.standing(entry.time) if purpose is None else {purpose}
        assert getattr(entry.event, "purposes", None) == tuple(sorted(wanted)), entry.body
        for each in person.agreements:
            ended = each.standing(entry.time) & wanted
            each.withdrawn |= dict.fromkeys(ended, entry.time)
            self.withdrawals += len(ended)
        erased = None
        if not person.standing(entry.time):
            [erased] = self._erased(told, collection, [name], "withdrawn")
        lost = person.lost(entry.time)
        if lost and erased is None:
            told.next("faces-erased", collection=collection, subject=person.id, faces=len(lost))
            person.lose(lost)
        assert result in (None, [sorted(wanted), erased])

    def _erase(self, told: Told, result: Any, collection: str, name: str) -> None:
        assert result in (None, *self._erased(told, collection, [name], "asked"))

    def _met(self, told: Told, result: Any, collection: str, purpose: str) -> None:
        group, now = self.groups[collection], told.now()
        last = [name for name, each in group.people.items() if each.standing(now) <= {purpose}]
        entry = told.next("purpose-met", collection=collection, purpose_met=purpose)
        # Whoever goes with the purpose goes by the rule, not by the actor.
        erased = self._erased(told, collection, last, "expired")
        group.purposes[purpose] = entry.time
        for person in group.people.values():
            for each in person.agreements:
                if each.ends.get(purpose, entry.time) > entry.time:
                    each.ends[purpose] = entry.time
        self._stripped(told, collection, entry.time)
        self.met += 1
        assert result is None or sorted(result) == sorted(erased)

    def _delete(self, told: Told, result: Any, collection: str) -> None:
        names = list(self.groups[collection].people)
        self._erased(told, collection, names, "collection")
        told.next("collection-deleted", collection=collection, subjects=len(names))
        del self.groups[collection]
        assert result in (None, len(names))

    def _key(self, told: Told, result: Any, actor: str) -> None:
        entry = told.next("key-created", for_actor=actor, for_purpose="door", collections=None)
        made, secret = result or (None, None)
        self.keys[actor] = Key(str(getattr(entry.event, "key_created", None)), secret=secret)
        assert made in (None, self.keys[actor].id)

    def _revoke(self, told: Told, result: Any, actor: str) -> None:
        key = self.keys[actor]
        key.revoked = told.next("key-revoked", key_revoked=key.id).time
        assert result in (None, key.id)

    def _rotate(self, told: Told, result: Any) -> None:
        entry = told.next("master-key-rotated")
        self.fingerprint = str(getattr(entry.event, "fingerprint", None))
        assert result in (None, self.fingerprint)

    def _search(
        self, told: Told, result: Any, collection: str, seeds: list[int], purpose: str
    ) -> None:
        entry = told.next("picture-searched", collection=collection, probes=len(seeds))
        expected = self.found(collection, seeds, purpose, entry.time)
        assert result in (None, expected)
        told_ids = [each.subject for each in getattr(entry.event, "found", ())]
        people = self.groups[collection].people
        names = [name for name in expected if name is not None]
        assert len(told_ids) == len(names)
        assert all(people[name].is_(each) for name, each in zip(names, told_ids, strict=True))

    def found(
        self, collection: str, seeds: list[int], purpose: str, now: datetime
    ) -> list[str | None]:
        """Return whom a search for these templates must name at that time."""
        owners = {
            seed: name
            for name, person in self.groups[collection].people.items()
            if purpose in person.standing(now)
            for seed, purposes in person.serves.items()
            if purpose in purposes
        }
        return [owners.get(seed) for seed in seeds]

    def _declare(self, told: Told, collection: str, purposes: list[str]) -> None:
        declared = self.groups[collection].purposes
        for purpose in purposes:
            if purpose not in declared:
                told.next("purpose-declared", collection=collection, purpose_declared=purpose)
                declared[purpose] = None

    def _person(self, entry: Entry, collection: str, name: str) -> Person:
        person = self.groups[collection].people[name]
        assert person.is_(str(getattr(entry.event, "subject", None))), entry.body
        return person

    def _stripped(self, told: Told, collection: str, now: datetime) -> None:
        """Take over that faces went with their consent, in whatever order of the people."""
        losing = {}
        for person in self.groups[collection].people.values():
            lost = person.lost(now)
            if lost:
                losing[person.id] = (person, lost)
        for _ in range(len(losing)):
            entry = told.next("faces-erased", collection=collection)
            person, lost = losing.pop(str(getattr(entry.event, "subject", None)))
            assert getattr(entry.event, "faces", None) == len(lost), entry.body
            person.lose(lost)

    def _erased(self, told: Told, collection: str, names: list[str], reason: str) -> list[str]:
        """Take over the erasure of these, in whatever order; return their ids."""
        people, left, ids = self.groups[collection].people, list(names), []
        while left:
            entry = told.next("subject-erased", collection=collection, reason=reason)
            subject = str(getattr(entry.event, "subject", None))
            name = next((each for each in left if people[each].is_(subject)), None)
            assert name is not None, entry.body
            left.remove(name)
            person = people.pop(name)
            stone = Stone(
                person.created, entry.time, len(person.seeds), len(person.agreements), reason
            )
            assert getattr(entry.event, "faces", None) == stone.faces, entry.body
            assert getattr(entry.event, "consents", None) == stone.consents, entry.body
            self.stones[collection][subject] = stone
            ids.append(subject)
        return ids


def _agreement(entry: Entry, purposes: list[str], evidence: str) -> Agreement:
    ends = dict.fromkeys(purposes, entry.time + _IDLE)
    return Agreement(evidence, entry.time, entry.time, ends)
