"""A model of the core: what consents, purposes and access keys allow, in a few plain rules.

``World`` has a method for each one of ``Sayso``'s. It raises what the core should raise, or does to
its own books what the core should do, and returns what the answer should amount to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sayso.callers import Caller
from sayso.errors import (
    AccessDenied,
    CollectionExists,
    CollectionNotEmpty,
    CollectionNotFound,
    ConsentNotFound,
    ConsentRequired,
    EvaluationNotReady,
    FaceNotFound,
    LooksLikeAnother,
    NameConflict,
    PurposeNotDeclared,
    SaysoError,
    SubjectNotFound,
    UnknownKey,
    UserExists,
    UserNotFound,
)
from sayso.evaluation.folder import LabelledFolder
from sayso.gallery.purposes import LONGEST_IDLE_DAYS
from sayso.results import Consent, FalseMatchRule

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
    """A consent that was ``recorded`` then."""

    recorded: datetime
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


@dataclass(eq=False)
class Enrolled:
    """A face: the purposes that it was enrolled for, and the user that it is associated with.

    ``serves`` has those that it may be shown for while consent to them is live: the ones that it
    was enrolled for, and the ones that somebody who sees everybody added. ``pictured`` is the one
    from their picture.
    """

    kept_for: set[str]
    serves: set[str]
    pictured: bool = False
    user: Person | None = None


@dataclass(eq=False)
class Person:
    """A subject; their face in every picture and template is their own.

    ``known_for`` has the purposes for which they are known as a user, if they are one.
    """

    name: str
    created: datetime
    consents: list[Given] = field(default_factory=list)
    enrolled: list[Enrolled] = field(default_factory=list)
    returned: int = 0
    user: bool = False
    known_for: set[str] = field(default_factory=set)

    @property
    def faces(self) -> int:
        return len(self.enrolled)

    def faces_for(self, purpose: str | None, now: datetime) -> list[Enrolled]:
        """Return the faces that may be shown for a purpose; all of them where there is none."""
        if purpose is None:
            return self.enrolled
        return [f for f in self.enrolled if purpose in f.serves and purpose in self.live(now)]

    def is_user_for(self, purpose: str | None, now: datetime) -> bool:
        known = purpose is None or (purpose in self.known_for and purpose in self.live(now))
        return self.user and known

    def drop_faces(self, now: datetime) -> None:
        """Forget what served a purpose that has ended, and faces that nothing keeps."""
        standing = self.standing(now)
        self.known_for &= standing
        for face in self.enrolled:
            face.serves &= standing
        self.enrolled = [face for face in self.enrolled if face.kept_for & face.serves]

    def extend(self, purposes: Iterable[str]) -> None:
        """Let all faces, and the user, serve more purposes; none is kept for them."""
        for face in self.enrolled:
            face.serves |= set(purposes)
        self.known_for |= set(purposes)

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

    def person(self, name: str) -> Person:
        """Return the subject of that name, or what a new one would be."""
        return self.people.get(name) or Person(name, datetime.min)

    def unlink(self, user: Person) -> None:
        """Take every face from a user."""
        for person in self.people.values():
            for face in person.enrolled:
                face.user = None if face.user is user else face.user


#: Somebody with the ids of their faces, which the model does not need.
Faces = tuple[str, Sequence[str]]
#: How a user is told: name, status, and how many faces.
UserTold = tuple[str, str, int]


class World:
    """What a gallery should hold and answer, at the time ``now``; ``looks`` are templates."""

    def __init__(self, now: datetime, looks: Mapping[str, NDArray[np.float32]]) -> None:
        self.now = now
        self._looks = looks
        self._clubs: dict[str, Club] = {}
        self._erased: list[tuple[str, str]] = []
        self._keys: list[Holder] = []
        self._evaluated: set[tuple[str, str]] = set()
        self._finished = False

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
        self._clubs[club].unlink(self._clubs[club].people.pop(name))
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

    def _about(self, who: Holder, name: str, person: Person) -> tuple[Any, ...]:
        live = sorted(person.live(self.now))
        if who.sees_everybody:
            return name, person.faces, tuple(live), person.created
        own = str(who.purpose)
        made = min(given.recorded for given in person.consents if own in given.terms)
        return name, len(person.faces_for(own, self.now)), (own,), made

    def _records(self, who: Holder, person: Person) -> list[tuple[Any, ...]]:
        if who.sees_everybody:
            return [given.shown() for given in person.consents]
        own = str(who.purpose)
        return [given.shown(own) for given in person.consents if own in given.terms]

    def _counts(self, who: Holder, name: str, club: Club) -> tuple[str, int, int]:
        seen = [p for n, p in club.people.items() if n not in self._hidden(who, name)]
        faces = [face for p in seen for face in p.faces_for(self._known_purpose(who), self.now)]
        return name, len(seen), len(faces)

    def _known_purpose(self, who: Holder) -> str | None:
        return None if who.sees_everybody else who.purpose

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
        new = Given(self.now, consent.evidence, start, consent.until, given, given, terms)
        if any(new.ends(name) <= max(start, self.now) for name in terms):
            raise ConsentRequired
        club.purposes.update(rules)
        return new

    def _consented(
        self, who: Holder, club: Club, names: Iterable[str], consent: Consent | None
    ) -> dict[str, Given]:
        """Return the consent that each one's faces are to live on; raise unless all have one."""
        people = {name: club.person(name) for name in names}
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
            person = club.people.setdefault(name, Person(name, self.now))
            self._record(who, person, given)
        return [(club.people[name], rests_on[name]) for name in names]

    def _record(self, who: Holder, person: Person, given: Given) -> None:
        """Put a consent on record: what is there serves it if the caller sees everybody."""
        if not any(each is given for each in person.consents):
            person.consents.append(given)
            if who.sees_everybody:
                person.extend(given.terms)

    def _face(self, who: Holder, person: Person, given: Given, consent: Consent | None) -> Enrolled:
        """Return a new face: for its consent, or for all where the caller says of none."""
        own = given.standing(self.now)
        every = consent is None and who.purpose is None
        return Enrolled(own, own | (person.standing(self.now) if every else set()))

    def _conflicts(self, who: Holder, club: str, name: str, consent: Consent | None) -> bool:
        """Whether a face that is not like theirs would be refused as somebody else's."""
        known = self._clubs[club]
        declared, person = dict(known.purposes), known.person(name)
        try:
            own = {str(who.purpose)}
            if who.sees_everybody:
                own = set(self._consented(who, known, [name], consent)[name].terms)
        except SaysoError:
            return False
        finally:
            known.purposes = declared
        return any(face.serves & person.standing(self.now) - own for face in person.enrolled)

    def _user(self, who: Holder, club: str, name: str) -> Person:
        people = self._club(club).people
        known = self._known_purpose(who)
        if name not in people or not people[name].is_user_for(known, self.now):
            raise UserNotFound
        return people[name]

    def _told(self, who: Holder, club: str, user: Person) -> UserTold:
        """Return a user as the caller is told of it: with the faces that they may know of."""
        known = self._known_purpose(who)
        people = self._clubs[club].people.values()
        faces = [f for p in people for f in p.faces_for(known, self.now) if f.user is user]
        return user.name, "ACTIVE" if faces else "CREATED", len(faces)

    def _faces_told(self, people: Iterable[Person], purpose: str | None) -> list[Any]:
        """Return for each face whose it is, and which user's, if that is known for the purpose."""

        def user(face: Enrolled) -> str:
            known = face.user is not None and face.user.is_user_for(purpose, self.now)
            return face.user.name if face.user is not None and known else ""

        return sorted(
            (person.name, user(face))
            for person in people
            for face in person.faces_for(purpose, self.now)
        )

    def _fused(self, club: str, user: Person, purpose: str) -> NDArray[np.float64] | None:
        """Return what a user is searched for by: of the faces alone that may be shown."""
        parts = [
            self._looks[person.name]
            for person in self._clubs[club].people.values()
            for face in person.faces_for(purpose, self.now)
            if face.user is user
        ]
        if not parts:
            return None
        total: NDArray[np.float64] = np.sum(parts, axis=0, dtype=np.float64)
        return total / np.linalg.norm(total)

    def _users_like(
        self,
        who: Holder,
        club: str,
        probe: NDArray[Any] | None,
        purpose: str,
        without: Person | None = None,
    ) -> dict[UserTold, Any]:
        """Return every user who may be found, with the cosine to a probe."""
        found = {}
        for person in self._clubs[club].people.values():
            if person is without or not person.is_user_for(purpose, self.now):
                continue
            fused = self._fused(club, person, purpose)
            if fused is not None and probe is not None:
                cosine = pytest.approx(float(np.dot(fused, probe)), abs=1e-5)
                found[self._told(who, club, person)] = cosine
        return found

    def _face_of(self, club: str, face: Faces, purpose: str) -> Person:
        """Return whose face is searched with, if it may be."""
        name, ids = face
        person = self._clubs[club].people.get(name)
        if not ids or person is None or not self._first_is_shown(person, purpose):
            raise FaceNotFound
        return person

    def _first_is_shown(self, person: Person, purpose: str) -> bool:
        shown = person.faces_for(purpose, self.now)
        return any(face is person.enrolled[0] for face in shown)

    def _link(
        self, who: Holder, club: str, user: str, faces: Faces, *, take: bool
    ) -> tuple[Any, ...]:
        """Associate all faces of somebody with a user, or take them away."""
        owner, known = self._user(who, club, user), self._known_purpose(who)
        changed, others, failed = 0, set(), []
        for face in self._named(who, club, faces):
            if face is None:
                failed.append("FACE_NOT_FOUND")
            elif face.user not in (None, owner):
                failed.append("ASSOCIATED_TO_A_DIFFERENT_USER")
                if face.user is not None and face.user.is_user_for(known, self.now):
                    others.add(face.user.name)
            elif face.user is (owner if take else None):
                face.user = None if take else owner
                changed += 1
        return changed, sorted(failed), sorted(others), self._told(who, club, owner)

    def _named(self, who: Holder, club: str, faces: Faces) -> list[Enrolled | None]:
        """Return the faces of those ids, None for one that the caller must not learn of."""
        name, ids = faces
        person = self._club(club).people.get(name)
        if person is None:
            return [None] * len(ids)
        shown = person.faces_for(self._known_purpose(who), self.now)
        return [face if any(face is s for s in shown) else None for face in person.enrolled]

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

    def threshold(self, who: Holder, name: str, *, purpose: str | None) -> int:
        self._admit(who, KNOWING, name)
        if purpose is not None and who.purpose not in (None, purpose):
            raise AccessDenied
        wanted, people = who.purpose or purpose, self._club(name).people.values()
        return sum(len(p.faces_for(wanted, self.now)) for p in people)

    def delete_collection(self, who: Holder, name: str, *, erase_subjects: bool = False) -> int:
        self._admit(who, ["admin"], name)
        club = self._club(name)
        if club.people and not erase_subjects:
            raise CollectionNotEmpty(name, len(club.people))
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
        shown = person.faces_for(self._known_purpose(who), self.now)
        if any(face.pictured for face in shown):
            return [True]
        person.enrolled.append(self._face(who, person, given, consent))
        person.enrolled[-1].pictured = True
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
        stranger: bool = False,
    ) -> int:
        refused = LooksLikeAnother if another else NameConflict if stranger else None
        for person, given in self._enrolled(who, collection, subjects, consent, refused):
            person.enrolled.append(self._face(who, person, given, consent))
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
            name for name in names if name in people and people[name].faces_for(wanted, self.now)
        ]
        for name in found:
            people[name].returned += 1
        return [[name] if name in found else [] for name in names]

    def recognize(
        self, who: Holder, collection: str, name: str, *, purpose: str | None
    ) -> list[list[str]]:
        return self.recognize_templates(who, collection, [name], purpose=purpose)

    def redact(
        self, who: Holder, collection: str, name: str, *, purpose: str | None
    ) -> list[list[str]]:
        return self.recognize_templates(who, collection, [name], purpose=purpose)

    def search_picture(
        self, who: Holder, collection: str, name: str, *, purpose: str | None
    ) -> list[Any]:
        ((*found,),) = self.recognize_templates(who, collection, [name], purpose=purpose)
        people, wanted = self._clubs[collection].people, who.purpose or purpose
        return self._faces_told([people[each] for each in found], wanted)

    def search_face(self, who: Holder, collection: str, face: Faces, *, purpose: str | None) -> int:
        self.recognize_templates(who, collection, [], purpose=purpose)
        wanted = str(who.purpose or purpose)
        return len(self._face_of(collection, face, wanted).faces_for(wanted, self.now)) - 1

    def search_users(
        self,
        who: Holder,
        collection: str,
        *,
        user: str | None = None,
        face: Faces | None = None,
        purpose: str | None,
    ) -> dict[UserTold, Any]:
        self.recognize_templates(who, collection, [], purpose=purpose)
        wanted = str(who.purpose or purpose)
        if face is not None:
            look = self._looks[self._face_of(collection, face, wanted).name]
            return self._users_like(who, collection, look, wanted)
        person = self._user(who, collection, str(user))
        if not person.is_user_for(wanted, self.now):
            raise UserNotFound
        fused = self._fused(collection, person, wanted)
        return self._users_like(who, collection, fused, wanted, without=person)

    def search_users_by_picture(
        self, who: Holder, collection: str, name: str, *, purpose: str | None
    ) -> dict[UserTold, Any]:
        self.recognize_templates(who, collection, [], purpose=purpose)
        wanted = str(who.purpose or purpose)
        found = self._users_like(who, collection, self._looks[name], wanted)
        for user, _, _ in found:
            self._clubs[collection].people[user].returned += 1
        return found

    def enrolled_faces(self, who: Holder, collection: str) -> list[Any]:
        self._admit(who, KNOWING, collection)
        people = self._club(collection).people.values()
        return self._faces_told(people, self._known_purpose(who))

    def delete_faces(
        self, who: Holder, collection: str, faces: Faces
    ) -> tuple[int, list[str], list[str]]:
        self._admit(who, ["enrol", "erase"], collection)
        known, failed, users = self._known_purpose(who), [], []
        person = self._club(collection).person(faces[0])
        gone = 0
        for face in self._named(who, collection, faces):
            if face is None:
                failed.append("FACE_NOT_FOUND")
            elif face.user is not None:
                failed.append("ASSOCIATED_TO_AN_EXISTING_USER")
                if face.user.is_user_for(known, self.now):
                    users.append(face.user.name)
            else:
                gone += 1
                # For one purpose alone, if that is all that the caller knows of.
                face.serves -= face.serves if known is None else {known}
        person.drop_faces(self.now)
        return gone, sorted(failed), sorted(users)

    def create_user(
        self, who: Holder, collection: str, name: str, *, consent: Consent | None
    ) -> UserTold:
        there, known = self._clubs.get(collection, Club()).person(name), self._known_purpose(who)
        # One whom the caller does not know of must not be told of.
        refused = UserExists if there.user and known in (None, *there.known_for) else None
        ((person, _),) = self._enrolled(who, collection, [name], consent, refused)
        if not person.user:
            person.user, person.known_for = True, set()
        person.known_for |= person.standing(self.now) if known is None else {known}
        return self._told(who, collection, person)

    def delete_user(self, who: Holder, collection: str, name: str) -> None:
        self._admit(who, ["enrol", "erase"], collection)
        person, known = self._user(who, collection, name), self._known_purpose(who)
        left = person.known_for - {known} if known is not None else set()
        for each in self._clubs[collection].people.values():
            for face in each.enrolled:
                elsewhere = face.serves & each.standing(self.now) - {known}
                if face.user is person and not (left and elsewhere):
                    face.user = None
        person.user, person.known_for = bool(left), left

    def user(self, who: Holder, collection: str, name: str) -> UserTold:
        self._admit(who, KNOWING, collection)
        return self._told(who, collection, self._user(who, collection, name))

    def users(self, who: Holder, collection: str) -> list[UserTold]:
        self._admit(who, KNOWING, collection)
        known, seen = self._known_purpose(who), self._seen(who, collection)
        return [
            self._told(who, collection, person)
            for _, person in seen
            if person.is_user_for(known, self.now)
        ]

    def count_users(self, who: Holder, collection: str) -> int:
        self._admit(who, EVERY_ACTION, collection)
        known, seen = self._known_purpose(who), self._seen(who, collection)
        return sum(person.is_user_for(known, self.now) for _, person in seen)

    def associate_faces(
        self, who: Holder, collection: str, user: str, faces: Faces
    ) -> tuple[Any, ...]:
        self._admit(who, ["enrol"], collection)
        return self._link(who, collection, user, faces, take=False)

    def disassociate_faces(
        self, who: Holder, collection: str, user: str, faces: Faces
    ) -> tuple[Any, ...]:
        self._admit(who, ["enrol", "erase"], collection)
        return self._link(who, collection, user, faces, take=True)

    def set_false_match_rule(self, who: Holder, collection: str, _rule: FalseMatchRule) -> str:
        self._admit(who, ["admin"], collection)
        self._club(collection)
        return collection

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

    def measure(self, who: Holder, folder: LabelledFolder) -> int:
        self._admit(who, ["admin"], None)
        return len(folder.files)

    def begin_evaluation(self, who: Holder, name: str) -> str:
        self._admit(who, ["admin"], None, everywhere=True)
        self._evaluated, self._finished = set(), False
        return name

    def add_evaluation_picture(self, who: Holder, _id: str, **sent: Any) -> bool:
        self._admit(who, ["admin"], None, everywhere=True)
        self._evaluated.add((sent["person"], sent["file"]))
        return True

    def label_evaluation(self, who: Holder, _id: str, groups: Mapping[str, str]) -> int:
        self._admit(who, ["admin"], None, everywhere=True)
        return len(groups)

    def finish_evaluation(self, who: Holder, _id: str) -> int:
        self._admit(who, ["admin"], None, everywhere=True)
        if self._finished:
            raise EvaluationNotReady
        self._finished = True
        return len(self._evaluated)

    def evaluation_figures(self, who: Holder, _id: str) -> int:
        self._admit(who, ["admin"], None, everywhere=True)
        return len(self._evaluated)

    def evaluation_report(self, who: Holder, _id: str) -> bool:
        self._admit(who, ["admin"], None, everywhere=True)
        return True

    def discard_evaluation(self, who: Holder, _id: str) -> str:
        self._admit(who, ["admin"], None, everywhere=True)
        return "discarded"

    def compare(self, who: Holder, a: bytes, b: bytes) -> bool:
        self._admit(who, ["compare"], None)
        return a == b

    def subjects(self, who: Holder, collection: str) -> list[tuple[Any, ...]]:
        self._admit(who, KNOWING, collection)
        people, hidden = self._club(collection).people, self._hidden(who, collection)
        seen = [self._about(who, n, p) for n, p in people.items() if n not in hidden]
        return sorted(seen)

    def subject(self, who: Holder, collection: str, name: str) -> tuple[Any, ...]:
        self._admit(who, KNOWING, collection)
        return self._about(who, name, self._known(who, collection, name))

    def faces(self, who: Holder, collection: str, name: str) -> int:
        self._admit(who, KNOWING, collection)
        person = self._known(who, collection, name)
        return len(person.faces_for(self._known_purpose(who), self.now))

    def erase_subject(self, who: Holder, collection: str, name: str) -> tuple[int, int]:
        self._admit(who, ["erase"], collection)
        person, known = self._known(who, collection, name), self._known_purpose(who)
        faces, consents = len(person.faces_for(known, self.now)), len(self._records(who, person))
        if known is None:
            self._forget(collection, name, "asked")
        else:
            self._withdraw(collection, person, {known}, "asked")
        return faces, consents

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
        self._require_not_withdrawn(club.person(subject), consent)
        new = self._new(club, consent)
        self._record(who, club.people.setdefault(subject, Person(subject, self.now)), new)
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
        erased = self._withdraw(collection, person, taken, "withdrawn")
        return tuple(sorted(taken)), erased and who.sees_everybody

    def _withdraw(self, collection: str, person: Person, taken: set[str], reason: str) -> bool:
        for given in person.consents:
            for name in taken & given.standing(self.now):
                given.terms[name].withdrawn = self.now
        person.drop_faces(self.now)
        erased = not person.standing(self.now)
        if erased:
            self._forget(collection, person.name, reason)
        return erased

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
        faces = person.faces_for(self._known_purpose(who), self.now)
        return subject, len(faces), self._records(who, person), person.returned

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

    def signed_in(self, who: Holder, _by: str) -> None:
        self._admit(who, EVERY_ACTION, None)

    def authenticate(self, _who: Holder, key: str, secret: str) -> str:
        (found,) = (each for each in self._keys if each.id == key)
        if secret != found.secret:
            raise UnknownKey
        self._admit(found, found.actions, None)
        return found.actor

    def authenticate_signature(self, who: Holder, key: str, secret: str) -> str:
        return self.authenticate(who, key, secret)

    def require_key(self, _who: Holder, key: str) -> None:
        (found,) = (each for each in self._keys if each.id == key)
        if found.revoked:
            raise UnknownKey

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
