"""A model of the core: what consents, purposes and access keys allow, in a few plain rules.

``World`` has a method for each one of ``Sayso``'s. It raises what the core should raise, or does to
its own books what the core should do, and returns what the answer should amount to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sayso.callers import Caller
from sayso.errors import (
    AccessDenied,
    CollectionExists,
    CollectionNotFound,
    ConsentNotFound,
    ConsentRequired,
    FaceNotFound,
    LooksLikeAnother,
    PurposeNotDeclared,
    SaysoError,
    SignatureWrong,
    SubjectNotFound,
    UnknownKey,
    UserExists,
    UserNotFound,
)
from sayso.gallery.purposes import LONGEST_IDLE_DAYS
from sayso.results import Consent

DAY = timedelta(days=1)
EVERY_ACTION = frozenset({"detect", "compare", "enrol", "search", "erase", "audit", "admin"})
KNOWING = ("enrol", "search", "erase", "audit", "admin")


@dataclass(eq=False)
class Holder:
    """Somebody who calls: at the machine, with no purpose, or with an access key."""

    actor: str
    purpose: str | None = None
    actions: frozenset[str] = EVERY_ACTION
    collections: frozenset[str] | None = None
    expires: datetime | None = None
    attestation: str | None = None
    id: str | None = None
    secret: str = ""
    revoked: bool = False
    caller: Caller | None = None

    @property
    def sees_everybody(self) -> bool:
        return self.purpose is None or "admin" in self.actions


@dataclass
class Term:
    """How long a consent lasts for one of its purposes."""

    latest: datetime | None
    idle: timedelta
    withdrawn: datetime | None = None


@dataclass
class Given:
    """A consent that is on record."""

    evidence: object
    start: datetime
    until: datetime | None
    given: datetime
    interaction: datetime
    terms: dict[str, Term]

    def ends(self, purpose: str) -> datetime:
        term = self.terms[purpose]
        idle = self.interaction + term.idle
        return idle if term.latest is None else min(term.latest, idle)

    def standing(self, now: datetime) -> set[str]:
        return {p for p, t in self.terms.items() if not t.withdrawn and now < self.ends(p)}

    def live(self, now: datetime) -> set[str]:
        return self.standing(now) if self.start <= now else set()

    def shown(self, only: str | None = None) -> tuple[Any, ...]:
        terms = {p: t for p, t in self.terms.items() if only in (None, p)}
        return (
            tuple(sorted(terms)),
            {p: self.ends(p) for p, t in terms.items() if not t.withdrawn},
            {p for p, t in terms.items() if t.withdrawn},
        )


@dataclass
class Person:
    """A subject; their face in every picture and template is their own.

    ``enrolled`` has for each face the consent that it lives on, and ``pictured`` that of the face
    from their picture.
    """

    consents: list[Given] = field(default_factory=list)
    enrolled: list[Given] = field(default_factory=list)
    pictured: Given | None = None
    returned: int = 0
    user: bool = False

    @property
    def faces(self) -> int:
        return len(self.enrolled)

    def drop_faces(self, now: datetime) -> None:
        standing = self.standing(now)
        self.enrolled = [given for given in self.enrolled if standing & set(given.terms)]
        if self.pictured is not None and not self.pictured.standing(now):
            self.pictured = None

    def live(self, now: datetime) -> set[str]:
        return {purpose for given in self.consents for purpose in given.live(now)}

    def standing(self, now: datetime) -> set[str]:
        return {purpose for given in self.consents for purpose in given.standing(now)}


@dataclass
class Rule:
    """What was declared of a purpose."""

    max_days: int | None
    idle_days: int
    by_default: bool
    met: bool = False


@dataclass
class Club:
    """A collection."""

    purposes: dict[str, Rule] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def faces(self) -> int:
        return sum(person.faces for person in self.people.values())


class World:
    """What a gallery should hold and answer, at the time ``now``."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._clubs: dict[str, Club] = {}
        self._erased: list[tuple[str, str]] = []
        self._keys: list[Holder] = []

    # Not methods of Sayso: what the test asks the model for.

    def _sweep(self) -> int:
        gone = 0
        for name, club in self._clubs.items():
            for who in [w for w, p in club.people.items() if not p.standing(self.now)]:
                gone += self._forget(name, who, "expired")
            for person in club.people.values():
                person.drop_faces(self.now)
        return gone

    def _forget(self, club: str, name: str, reason: str) -> int:
        del self._clubs[club].people[name]
        self._erased.append((club, reason))
        return 1

    def _hidden(self, who: Holder, club: str) -> set[str]:
        """Return those of whom the caller must not learn."""
        if club not in self._clubs or who.sees_everybody:
            return set()
        people = self._clubs[club].people.items()
        return {name for name, person in people if who.purpose not in person.live(self.now)}

    def _admit(
        self, who: Holder, any_of: Iterable[str], club: str | None, *, everywhere: bool = False
    ) -> None:
        if not who.actions.intersection(any_of):
            raise AccessDenied
        if who.collections is not None and (
            everywhere or (club is not None and club not in who.collections)
        ):
            raise AccessDenied
        if who.revoked or (who.expires is not None and who.expires <= self.now):
            raise UnknownKey

    def _club(self, name: str) -> Club:
        if name not in self._clubs:
            raise CollectionNotFound
        return self._clubs[name]

    def _known(self, who: Holder, club: str, name: str) -> Person:
        people = self._club(club).people
        if name not in people or name in self._hidden(who, club):
            raise SubjectNotFound
        return people[name]

    def _about(self, who: Holder, name: str, person: Person) -> tuple[str, int, tuple[str, ...]]:
        live = person.live(self.now)
        return name, person.faces, tuple(sorted(live if who.sees_everybody else {str(who.purpose)}))

    def _records(self, who: Holder, person: Person) -> list[tuple[Any, ...]]:
        if who.sees_everybody:
            return [given.shown() for given in person.consents]
        own = str(who.purpose)
        return [given.shown(own) for given in person.consents if own in given.terms]

    def _counts(self, who: Holder, name: str, club: Club) -> tuple[str, int, int]:
        seen = [p for n, p in club.people.items() if n not in self._hidden(who, name)]
        return name, len(seen), sum(person.faces for person in seen)

    def _require_purposes(self, who: Holder, purposes: Iterable[str]) -> None:
        if not who.sees_everybody and set(purposes) - {who.purpose}:
            raise AccessDenied

    def _new(self, club: Club, consent: Consent) -> Given:
        """Return a consent as it would be recorded; what it declares is declared."""
        start = consent.valid_from or self.now
        given = consent.given or self.now
        if consent.until is not None and consent.until <= max(start, self.now):
            raise ConsentRequired
        if given > self.now:
            raise ConsentRequired
        chosen = any(not rule.by_default for rule in club.purposes.values())
        rules = {}
        for name in consent.purposes:
            rule = club.purposes.get(name)
            if chosen and (rule is None or rule.by_default):
                raise PurposeNotDeclared
            if rule is not None and rule.met:
                raise PurposeNotDeclared
            rules[name] = rule or Rule(None, LONGEST_IDLE_DAYS, by_default=True)
        terms = {}
        for name, rule in rules.items():
            bounds = [] if consent.until is None else [consent.until]
            bounds += [] if rule.max_days is None else [given + rule.max_days * DAY]
            terms[name] = Term(min(bounds, default=None), rule.idle_days * DAY)
        new = Given(consent.evidence, start, consent.until, given, given, terms)
        if any(new.ends(name) <= max(start, self.now) for name in terms):
            raise ConsentRequired
        club.purposes.update(rules)
        return new

    def _consented(
        self, who: Holder, club: Club, names: Iterable[str], consent: Consent | None
    ) -> dict[str, Given]:
        """Return the consent that each one's faces are to live on; raise unless all have one."""
        people = {name: club.people.get(name, Person()) for name in names}
        attested = consent is None and who.attestation is not None
        if attested:
            consent = Consent([str(who.purpose)], str(who.attestation))
        if consent is not None and (consent.valid_from or self.now) > self.now:
            raise ConsentRequired
        found: dict[str, Given] = {}
        for name, person in people.items():
            for given in person.consents:  # the last one counts
                live = given.live(self.now)
                fits = live if who.purpose is None else who.purpose in live
                if fits if consent is None or attested else self._same(given, consent):
                    found[name] = given
        lacking = [name for name in people if name not in found]
        if lacking and consent is None:
            raise ConsentRequired
        for name in lacking:
            assert consent is not None
            self._require_not_withdrawn(people[name], consent, attested)
            self._new(club, consent)  # raises for all if for one
        return found | {name: self._new(club, consent) for name in lacking if consent}

    def _require_not_withdrawn(
        self, person: Person, consent: Consent, attested: bool = False
    ) -> None:
        for given in person.consents:
            for name, term in given.terms.items():
                if name not in consent.purposes or term.withdrawn is None:
                    continue
                if attested or (
                    given.evidence == consent.evidence
                    if consent.given is None
                    else consent.given <= term.withdrawn
                ):
                    raise ConsentRequired

    def _same(self, given: Given, consent: Consent) -> bool:
        return (
            given.live(self.now) == set(consent.purposes)
            and given.evidence == consent.evidence
            and given.until == consent.until
            and consent.valid_from in (None, given.start)
            and consent.given in (None, given.given)
        )

    def _enrolled(
        self,
        who: Holder,
        collection: str,
        names: Iterable[str],
        consent: Consent | None,
        refused: type[SaysoError] | None,
    ) -> list[tuple[Person, Given]]:
        self._admit(who, ["enrol"], collection)
        if consent is not None:
            self._require_purposes(who, consent.purposes)
        club = self._club(collection)
        names = list(names)
        declared = dict(club.purposes)
        rests_on = self._consented(who, club, names, consent)
        if refused is not None:
            club.purposes = declared  # what is refused declares nothing
            raise refused
        for name, given in rests_on.items():
            consents = club.people.setdefault(name, Person()).consents
            if not any(each is given for each in consents):
                consents.append(given)
        return [(club.people[name], rests_on[name]) for name in names]

    def _user(self, who: Holder, club: str, name: str) -> Person:
        people = self._club(club).people
        if name not in people or not people[name].user or name in self._hidden(who, club):
            raise UserNotFound
        return people[name]

    def _seen(self, who: Holder, club: str) -> list[tuple[str, Person]]:
        hidden = self._hidden(who, club)
        return sorted(
            ((n, p) for n, p in self._club(club).people.items() if n not in hidden),
            key=lambda each: each[0],
        )

    # Sayso's methods.

    def create_collection(self, who: Holder, name: str) -> str:
        self._admit(who, ["admin"], name)
        if name in self._clubs:
            raise CollectionExists
        self._clubs[name] = Club()
        return name

    def collections(self, who: Holder) -> list[tuple[str, int, int]]:
        self._admit(who, EVERY_ACTION, None)
        allowed = set(self._clubs) if who.collections is None else who.collections
        clubs = sorted((n, c) for n, c in self._clubs.items() if n in allowed)
        return [self._counts(who, name, club) for name, club in clubs]

    def collection(self, who: Holder, name: str) -> tuple[str, int, int]:
        self._admit(who, EVERY_ACTION, name)
        return self._counts(who, name, self._club(name))

    def delete_collection(self, who: Holder, name: str) -> int:
        self._admit(who, ["admin"], name)
        club = self._club(name)
        gone = sum(self._forget(name, each, "collection") for each in list(club.people))
        del self._clubs[name]
        return gone

    def declare_purpose(
        self,
        who: Holder,
        collection: str,
        purpose: str,
        *,
        notice: str,
        max_days: int | None,
        idle_days: int,
    ) -> tuple[Any, ...]:
        self._admit(who, ["admin"], collection)
        club = self._club(collection)
        known = purpose in club.purposes
        club.purposes[purpose] = Rule(max_days, idle_days, by_default=False)
        for person in club.people.values() if known else ():
            for given in person.consents:
                if purpose not in given.terms or self.now >= given.ends(purpose):
                    continue
                term = given.terms[purpose]
                bounds = [term.latest] if term.latest is not None else []
                bounds += [] if max_days is None else [given.given + max_days * DAY]
                term.latest = min(bounds, default=None)
                term.idle = min(term.idle, idle_days * DAY)
        self._sweep()
        return purpose, notice, max_days, idle_days, False

    def purposes(self, who: Holder, collection: str) -> list[tuple[str, bool, bool]]:
        self._admit(who, EVERY_ACTION, collection)
        rules = sorted(self._club(collection).purposes.items())
        return [(name, rule.by_default, rule.met) for name, rule in rules]

    def purpose_met(self, who: Holder, collection: str, purpose: str) -> int:
        self._admit(who, ["admin"], collection)
        club = self._club(collection)
        if purpose not in club.purposes:
            raise PurposeNotDeclared
        if club.purposes[purpose].met:
            return 0
        club.purposes[purpose].met = True
        for person in club.people.values():
            for given in person.consents:
                if purpose in given.terms and self.now < given.ends(purpose):
                    given.terms[purpose].latest = self.now
        return self._sweep()

    def enroll(
        self,
        who: Holder,
        collection: str,
        *,
        subject: str,
        consent: Consent | None,
        another: bool = False,
    ) -> list[bool]:
        refused = LooksLikeAnother if another else None
        ((person, given),) = self._enrolled(who, collection, [subject], consent, refused)
        if person.pictured is not None:
            return [True]
        person.enrolled.append(given)
        person.pictured = given
        return [False]

    def index_picture(
        self,
        who: Holder,
        collection: str,
        *,
        subject: str,
        consent: Consent | None,
        another: bool = False,
    ) -> bool:
        (repeated,) = self.enroll(
            who, collection, subject=subject, consent=consent, another=another
        )
        return repeated

    def enroll_templates(
        self,
        who: Holder,
        collection: str,
        *,
        subjects: Sequence[str],
        consent: Consent | None,
        another: bool = False,
    ) -> int:
        refused = LooksLikeAnother if another else None
        for person, given in self._enrolled(who, collection, subjects, consent, refused):
            person.enrolled.append(given)
        return len(subjects)

    def recognize_templates(
        self, who: Holder, collection: str, names: Sequence[str], *, purpose: str | None
    ) -> list[list[str]]:
        self._admit(who, ["search"], collection)
        if who.purpose is None and purpose is None:
            raise ConsentRequired
        if who.purpose is not None and purpose not in (None, who.purpose):
            raise AccessDenied
        people = self._club(collection).people
        wanted = who.purpose or purpose
        found = [
            name
            for name in names
            if name in people and people[name].faces and wanted in people[name].live(self.now)
        ]
        for name in found:
            people[name].returned += 1
        return [[name] if name in found else [] for name in names]

    def recognize(
        self, who: Holder, collection: str, name: str, *, purpose: str | None
    ) -> list[list[str]]:
        return self.recognize_templates(who, collection, [name], purpose=purpose)

    def search_picture(
        self, who: Holder, collection: str, name: str, *, purpose: str | None
    ) -> list[str]:
        ((*found,),) = self.recognize_templates(who, collection, [name], purpose=purpose)
        return [each for each in found for _ in range(self._clubs[collection].people[each].faces)]

    def search_face(
        self,
        who: Holder,
        collection: str,
        face: tuple[str, Sequence[str]],
        *,
        purpose: str | None,
    ) -> list[str]:
        name, ids = face
        self.recognize_templates(who, collection, [], purpose=purpose)
        person = self._clubs[collection].people.get(name)
        wanted = who.purpose or purpose
        if not ids or person is None or wanted not in person.live(self.now):
            raise FaceNotFound
        return [name] * (person.faces - 1)

    def enrolled_faces(self, who: Holder, collection: str) -> list[str]:
        self._admit(who, KNOWING, collection)
        return [name for name, p in self._seen(who, collection) for _ in range(p.faces)]

    def delete_faces(
        self, who: Holder, collection: str, faces: tuple[str, Sequence[str]]
    ) -> tuple[int, int]:
        self._admit(who, ["enrol", "erase"], collection)
        people = dict(self._seen(who, collection))
        name, ids = faces
        if name not in people:
            return 0, len(ids)
        people[name].enrolled.clear()
        people[name].pictured = None
        return len(ids), 0

    def create_user(
        self, who: Holder, collection: str, name: str, *, consent: Consent | None
    ) -> tuple[str, str, int]:
        person = self._clubs.get(collection, Club()).people.get(name, Person())
        refused = UserExists if person.user else None
        ((person, _),) = self._enrolled(who, collection, [name], consent, refused)
        person.user = True
        return name, "CREATED", 0

    def delete_user(self, who: Holder, collection: str, name: str) -> None:
        self._admit(who, ["enrol", "erase"], collection)
        self._user(who, collection, name).user = False

    def user(self, who: Holder, collection: str, name: str) -> tuple[str, str, int]:
        self._admit(who, KNOWING, collection)
        self._user(who, collection, name)
        return name, "CREATED", 0

    def users(self, who: Holder, collection: str) -> list[str]:
        self._admit(who, KNOWING, collection)
        return [name for name, person in self._seen(who, collection) if person.user]

    def count_users(self, who: Holder, collection: str) -> int:
        self._admit(who, EVERY_ACTION, collection)
        return sum(person.user for _, person in self._seen(who, collection))

    def tag_collection(self, who: Holder, collection: str, tags: Mapping[str, str]) -> None:
        self._admit(who, ["admin"], collection)
        self._club(collection).tags.update(tags)

    def untag_collection(self, who: Holder, collection: str, keys: Sequence[str]) -> None:
        self._admit(who, ["admin"], collection)
        tags = self._club(collection).tags
        for key in set(keys) & set(tags):
            del tags[key]

    def collection_tags(self, who: Holder, collection: str) -> dict[str, str]:
        self._admit(who, EVERY_ACTION, collection)
        return dict(self._club(collection).tags)

    def compare_faces(self, who: Holder, a: bytes, b: bytes) -> tuple[int, int]:
        self._admit(who, ["compare"], None)
        return (1, 0) if a == b else (0, 1)

    def detect(self, who: Holder, _picture: bytes) -> int:
        self._admit(who, ["detect"], None)
        return 1

    def compare(self, who: Holder, a: bytes, b: bytes) -> bool:
        self._admit(who, ["compare"], None)
        return a == b

    def subjects(self, who: Holder, collection: str) -> list[tuple[str, int, tuple[str, ...]]]:
        self._admit(who, KNOWING, collection)
        people, hidden = self._club(collection).people, self._hidden(who, collection)
        seen = [self._about(who, n, p) for n, p in people.items() if n not in hidden]
        return sorted(seen)

    def subject(self, who: Holder, collection: str, name: str) -> tuple[str, int, tuple[str, ...]]:
        self._admit(who, KNOWING, collection)
        return self._about(who, name, self._known(who, collection, name))

    def faces(self, who: Holder, collection: str, name: str) -> int:
        self._admit(who, KNOWING, collection)
        return self._known(who, collection, name).faces

    def erase_subject(self, who: Holder, collection: str, name: str) -> tuple[int, int]:
        self._admit(who, ["erase"], collection)
        person = self._known(who, collection, name)
        self._forget(collection, name, "asked")
        return person.faces, len(person.consents)

    def tombstones(self, who: Holder, collection: str) -> list[str]:
        self._admit(who, ["audit", "admin"], collection)
        return sorted(reason for name, reason in self._erased if name == collection)

    def sweep(self, who: Holder) -> None:
        self._admit(who, ["admin"], None, everywhere=True)

    def add_consent(
        self, who: Holder, collection: str, subject: str, consent: Consent
    ) -> tuple[Any, ...]:
        self._admit(who, ["enrol"], collection)
        self._require_purposes(who, consent.purposes)
        club = self._club(collection)
        self._require_not_withdrawn(club.people.get(subject, Person()), consent)
        new = self._new(club, consent)
        club.people.setdefault(subject, Person()).consents.append(new)
        return new.shown()

    def withdraw_consent(
        self, who: Holder, collection: str, subject: str, purpose: str | None = None
    ) -> tuple[tuple[str, ...], bool]:
        self._admit(who, ["enrol", "erase"], collection)
        if not who.sees_everybody:
            purpose = purpose or who.purpose
        self._require_purposes(who, [] if purpose is None else [purpose])
        people = self._club(collection).people
        if subject not in people:
            raise SubjectNotFound
        person = people[subject]
        standing = person.standing(self.now)
        if not who.sees_everybody and who.purpose not in standing:
            raise SubjectNotFound
        taken = standing if purpose is None else standing & {purpose}
        if not taken:
            raise ConsentNotFound
        for given in person.consents:
            for name in taken & given.standing(self.now):
                given.terms[name].withdrawn = self.now
        person.drop_faces(self.now)
        erased = not person.standing(self.now)
        if erased:
            self._forget(collection, subject, "withdrawn")
        return tuple(sorted(taken)), erased and who.sees_everybody

    def consents(self, who: Holder, collection: str, subject: str) -> list[tuple[Any, ...]]:
        self._admit(who, ["enrol", "erase", "audit", "admin"], collection)
        return self._records(who, self._known(who, collection, subject))

    def record_interaction(
        self, who: Holder, collection: str, subject: str, at: datetime | None = None
    ) -> list[tuple[Any, ...]]:
        self._admit(who, ["enrol"], collection)
        person = self._known(who, collection, subject)
        if at is not None and at > self.now:
            raise ConsentRequired
        for given in person.consents:
            before = given.interaction
            given.interaction = max(before, at or self.now)
            for term in given.terms.values():
                ended = before + term.idle
                if ended <= self.now:  # too late for that one
                    term.latest = ended if term.latest is None else min(term.latest, ended)
        return self._records(who, person)

    def report(
        self, who: Holder, collection: str, subject: str
    ) -> tuple[str, int, list[tuple[Any, ...]], int]:
        self._admit(who, ["audit", "admin"], collection)
        person = self._known(who, collection, subject)
        return subject, person.faces, self._records(who, person), person.returned

    def audit_entries(self, who: Holder, *, collection: str | None, **_limits: int) -> None:
        self._admit(who, ["audit"], collection, everywhere=collection is None)

    def audit_export(self, who: Holder) -> None:
        self._admit(who, ["audit"], None, everywhere=True)

    def audit_verify(self, who: Holder, _head: object = None) -> bool:
        self._admit(who, ["audit"], None, everywhere=True)
        return True

    def audit_head(self, who: Holder) -> None:
        self._admit(who, ["audit"], None, everywhere=True)

    def create_key(
        self,
        who: Holder,
        actor: str,
        *,
        purpose: str,
        actions: Sequence[str],
        collections: Sequence[str] | None,
        until: datetime | None,
        attestation: str | None,
    ) -> tuple[Any, ...]:
        self._admit(who, ["admin"], None)
        if set(actions) - who.actions:
            raise AccessDenied
        if who.expires is not None and (until is None or until > who.expires):
            raise AccessDenied
        if who.collections is not None and (
            collections is None or not who.collections.issuperset(collections)
        ):
            raise AccessDenied
        where = None if collections is None else frozenset(collections)
        self._keys.append(Holder(actor, purpose, frozenset(actions), where, until, attestation))
        return actor, purpose, frozenset(actions), where, until, attestation

    def keys(self, who: Holder) -> list[str]:
        self._admit(who, ["admin"], None, everywhere=True)
        return sorted(str(key.id) for key in self._keys)

    def revoke_key(self, who: Holder, key: str) -> bool:
        self._admit(who, ["admin"], None, everywhere=True)
        (found,) = (each for each in self._keys if each.id == key)
        found.revoked = True
        return True

    def authenticate(self, _who: Holder, key: str, secret: str) -> str:
        (found,) = (each for each in self._keys if each.id == key)
        if secret != found.secret:
            raise UnknownKey
        self._admit(found, found.actions, None)
        return found.actor

    def authenticate_signature(self, who: Holder, key: str, secret: str) -> str:
        (found,) = (each for each in self._keys if each.id == key)
        if secret != found.secret and not found.revoked:  # then its secret is gone
            raise SignatureWrong
        return self.authenticate(who, key, secret)

    def keyring_status(self, who: Holder) -> int:
        self._admit(who, ["admin"], None, everywhere=True)
        return sum(len(club.people) for club in self._clubs.values())

    def rotate_master_key(self, who: Holder) -> None:
        self._admit(who, ["admin"], None, everywhere=True)

    def copy_keyring(self, who: Holder, _target: object) -> None:
        self._admit(who, ["admin"], None, everywhere=True)

    def backup(self, who: Holder, _target: object) -> tuple[int, int]:
        self._admit(who, ["admin"], None, everywhere=True)
        clubs = self._clubs.values()
        return sum(len(club.people) for club in clubs), sum(club.faces for club in clubs)


def plain(records: Iterable[Any]) -> list[tuple[tuple[str, ...], Mapping[str, datetime], set[str]]]:
    """Return ConsentRecords as the model has them."""
    return [
        (
            record.purposes,
            {p: end for p, end in record.ends.items() if p not in record.withdrawn},
            set(record.withdrawn),
        )
        for record in records
    ]
