"""Subjects and their consents: listed, recorded, withdrawn, erased."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sayso.audit.events import (
    ConsentRecorded,
    ConsentWithdrawn,
    InteractionRecorded,
    RetentionSwept,
    SubjectRead,
    SubjectsRead,
    TombstonesRead,
)
from sayso.callers import KNOWING
from sayso.core.base import Act, Base
from sayso.core.erased import faces_erased
from sayso.core.galleries import declared
from sayso.core.resources import erasures
from sayso.errors import GalleryError
from sayso.gallery import collections, consents, enrolled, erasure, subjects
from sayso.gallery.collections import Pinned
from sayso.gallery.subjects import Known
from sayso.gallery.times import microseconds, moment
from sayso.results import Consent, ConsentRecord, EnrolledFace, Subject, Tombstone, Withdrawal


class People(Base):
    """What can be done with subjects and their consents.

    A caller who came with a key knows only of those whose consent covers their purpose, unless
    they may ``admin``: for everybody else it is as if the others did not exist.
    """

    def subjects(
        self, collection: str, *, after: str = "", limit: int | None = None
    ) -> tuple[Subject, ...]:
        """Return the subjects of a collection, the oldest first.

        Those that came after the one of the id ``after``, at most ``limit``. Raises
        CollectionNotFound, SubjectNotFound for an ``after`` that never was, or GalleryError for a
        limit below 1.
        """
        call = self._admit(*KNOWING, collection=collection)
        if limit is not None and limit < 1:
            raise GalleryError(f"limit is {limit}; at least 1 subject can be asked for")
        store = self._resources.store
        self._resources.sweep_due()
        # Read before it is recorded: a large collection would keep everybody else from writing.
        with store.read() as connection:
            found = subjects.describe_all(
                connection,
                store.keyring.find,
                collections.find(connection, collection),
                after=after,
                limit=limit,
                now=store.now(),
                purpose=call.known_purpose,
            )
        with self._act(call) as act:
            act.record(SubjectsRead(collection=collection, subjects=len(found)))
        return found

    def subject(self, collection: str, name: str) -> Subject:
        """Return one subject; raises CollectionNotFound or SubjectNotFound."""
        call = self._admit(*KNOWING, collection=collection)
        with self._act(call) as act:
            pinned = collections.find(act.connection, collection)
            known = act.subject(pinned, name)
            act.record(SubjectRead(collection=collection, subject=known.id, what="subject"))
            return act.describe(pinned, known)

    def faces(self, collection: str, subject: str) -> tuple[EnrolledFace, ...]:
        """Return a subject's enrolled faces, the oldest first; raises SubjectNotFound."""
        call = self._admit(*KNOWING, collection=collection)
        with self._act(call) as act:
            pinned = collections.find(act.connection, collection)
            known = act.subject(pinned, subject)
            act.record(SubjectRead(collection=collection, subject=known.id, what="faces"))
            return enrolled.of_subject(
                act.connection,
                act.change.find_keys,
                pinned,
                known,
                purpose=act.call.known_purpose,
                now=act.change.now,
            )

    def erase_subject(self, collection: str, name: str) -> Tombstone:
        """Erase a subject: templates, consents, evidence, name and key, in every process.

        A caller who knows of one purpose alone erases them for that one: it is withdrawn, and the
        rest goes with the last purpose. They are told of what they knew of, and not which it was.
        Raises CollectionNotFound or SubjectNotFound.
        """
        call = self._admit("erase", collection=collection)
        with self._act(call, ends=True) as act:
            pinned = collections.find(act.connection, collection)
            known = act.subject(pinned, name)
            if call.known_purpose is None:
                erased = erasure.erase_subjects(act.change, pinned, [known.key], "asked")
                act.record(*erasures(erased))
                return erased[0]
            told = act.describe(pinned, known)
            consented = len(act.consents(known))
            _withdraw(act, pinned, known, call.known_purpose, "asked")
            return Tombstone(
                id=told.id,
                collection=collection,
                created=told.created,
                erased=moment(act.change.now),
                faces=told.faces,
                consents=consented,
                reason="asked",
            )

    def tombstones(self, collection: str) -> tuple[Tombstone, ...]:
        """Return what is left of those erased from a collection, the latest first."""
        with self._act(self._admit("audit", "admin", collection=collection)) as act:
            found = erasure.tombstones(act.connection, collection)
            act.record(TombstonesRead(collection=collection, tombstones=len(found)))
        return found

    def sweep(self) -> tuple[Tombstone, ...]:
        """Erase everybody whose consents have all ended, now; return what is left of them.

        It happens by itself with every call, and within a second in a running process.
        """
        call = self._admit("admin", everywhere=True)
        resources = self._resources
        with resources.store.reserves.lent():
            with resources.store.write() as change:
                erased = resources.sweep(change, since=-1)
            if change.endings or change.stripped:
                resources.settle()
        with self._act(call, ends=True) as act:
            act.record(RetentionSwept(erased=len(erased)))
        return erased

    def add_consent(self, collection: str, subject: str, consent: Consent) -> ConsentRecord:
        """Record a consent, which may begin later; makes the subject when it is not there yet.

        What is enrolled of them serves its purposes, too, if the caller may see everybody; see
        ``gallery.serving``. Raises CollectionNotFound, InvalidName, PurposeNotDeclared,
        ConsentRequired for one that has ended, or AccessDenied for another purpose than the
        caller's.
        """
        call = self._admit("enrol", collection=collection)
        with self._act(call) as act:
            call.caller.require_purposes(consent.purposes)
            pinned = collections.find(act.connection, collection)
            known = subjects.find_or_create(act.change, pinned, [subject])[subject]
            done = consents.record(
                act.change,
                pinned,
                [known],
                consent,
                call.caller.actor,
                extends=call.caller.sees_everybody,
            )
            record = act.consents(known)[-1]
            act.record(
                *map(declared, done.declared),
                ConsentRecorded(
                    collection=collection,
                    subject=known.id,
                    consent=record.id,
                    purposes=record.purposes,
                    until=None if record.until is None else record.until.isoformat(),
                ),
            )
        return record

    def withdraw_consent(
        self, collection: str, subject: str, purpose: str | None = None
    ) -> Withdrawal:
        """Withdraw a subject's consents to one purpose, or to all, at once.

        Faces go with the last purpose of the consent that they were enrolled on, and the subject
        with the last one of all. All that a key can withdraw without ``admin``
        is its own purpose, and it is not told whether that was the last. Raises
        CollectionNotFound, SubjectNotFound, InvalidName, AccessDenied, or ConsentNotFound when
        there is nothing to withdraw.
        """
        call = self._admit("enrol", "erase", collection=collection)
        caller = call.caller
        if not caller.sees_everybody:
            purpose = caller.purpose if purpose is None else purpose
        with self._act(call, ends=True) as act:
            caller.require_purposes([] if purpose is None else [purpose])
            pinned = collections.find(act.connection, collection)
            known = act.subject(pinned, subject, begun=False)
            purposes, tombstone = _withdraw(act, pinned, known, purpose, "withdrawn")
        return Withdrawal(purposes, tombstone if caller.sees_everybody else None)

    def consents(self, collection: str, subject: str) -> tuple[ConsentRecord, ...]:
        """Return every consent of a subject, the oldest first; raises SubjectNotFound."""
        call = self._admit("enrol", "erase", "audit", "admin", collection=collection)
        with self._act(call) as act:
            known = act.subject(collections.find(act.connection, collection), subject)
            act.record(SubjectRead(collection=collection, subject=known.id, what="consents"))
            return act.consents(known)

    def record_interaction(
        self, collection: str, subject: str, at: datetime | None = None
    ) -> tuple[ConsentRecord, ...]:
        """Record that a person was in touch, now or at a time before; return their consents.

        The rule that ends consents so many days after the last interaction counts anew from there;
        for a caller who knows of one purpose alone, that of their purpose.
        Raises CollectionNotFound, SubjectNotFound, or ConsentRequired for a time still to come.
        """
        call = self._admit("enrol", collection=collection)
        with self._act(call) as act:
            known = act.subject(collections.find(act.connection, collection), subject)
            when = act.change.now if at is None else microseconds(at.astimezone())
            consents.record_interaction(act.change, known, when, call.known_purpose)
            act.record(
                InteractionRecorded(
                    collection=collection, subject=known.id, at=moment(when).isoformat()
                )
            )
            return act.consents(known)


def _withdraw(
    act: Act,
    pinned: Pinned,
    known: Known,
    purpose: str | None,
    reason: Literal["asked", "withdrawn"],
) -> tuple[tuple[str, ...], Tombstone | None]:
    """Withdraw a purpose, or every one; return which, and what is left of whom it erased."""
    purposes = consents.withdraw(act.change, pinned, known, purpose)
    act.record(ConsentWithdrawn(collection=pinned.name, subject=known.id, purposes=purposes))
    if consents.any_left(act.change, known.key):
        gone = erasure.erase_faces(act.change, subject_key=known.key)
        act.record(*faces_erased(gone, reason))
        return purposes, None
    erased = erasure.erase_subjects(act.change, pinned, [known.key], reason)
    act.record(*erasures(erased))
    return purposes, erased[0]
