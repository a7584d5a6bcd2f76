"""Enrolment: from pictures, and of templates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sayso.audit.events import (
    SUBJECTS_PER_EVENT,
    ConflictRefused,
    ConsentRecorded,
    ConsentsImported,
    Event,
    FacesEnrolled,
    LookalikeRefused,
    TemplatesEnrolled,
)
from sayso.choosing import FaceChoice, check_choice
from sayso.conflicts import SAME_PERSON, Likeness
from sayso.core.base import Act, Call
from sayso.core.galleries import declared
from sayso.core.looking import DEFAULT_SIMILARITY, Looking, PictureSource, shown
from sayso.enrolment import (
    Chosen,
    Enrolled,
    FacesRefused,
    Refusal,
    Rejected,
    Terms,
    Version,
    choose_face,
    enrol_pictures,
    enrol_templates,
    none_usable,
)
from sayso.errors import EnrolmentError, PictureError
from sayso.gallery import collections, consents, faces
from sayso.gallery.batches import batches
from sayso.gallery.consents import EnrolmentGrant
from sayso.gallery.names import check_subject
from sayso.gallery.subjects import Known
from sayso.results import Consent, Enrolment
from sayso.vision.types import Mode


class Enrolling(Looking):
    """What can be done to enrol people who agreed."""

    def enroll(
        self,
        collection: str,
        *,
        subject: str,
        pictures: Sequence[PictureSource],
        consent: Consent | None = None,
        mode: Mode = "balanced",
        allow_lookalike: bool = False,
        face: FaceChoice | Sequence[float] | None = None,
    ) -> Enrolment:
        """Enrol the face that each picture is of, if it is a good one, as the subject's.

        That is the largest; of several of about the same size the one that is whole and in the
        middle, where one clearly is. A picture of which it is not clear is skipped, and so says
        the outcome. ``face`` says it for every picture: a number from 1 in the order of
        ``detect``, ``"largest"``, ``"central"``, or a box x1, y1, x2, y2 in pixels.

        Without ``consent``, one on record must be live. The outcome tells what became of each
        picture. When none can be used, the first one's error is raised and nothing is recorded. A
        picture that enrolled the subject before does not do so again. A face that is more like
        another enrolled subject is refused, unless ``allow_lookalike`` says that it is theirs; and
        so is one that does not resemble the subject's for another purpose (NameConflict).

        Raises CollectionNotFound, InvalidName, ConsentRequired, PurposeNotDeclared, ModelConflict,
        EnrolmentError, PictureError, ModelError.
        """
        call = self._admit("enrol", collection=collection)
        check_subject(subject)
        if isinstance(pictures, str | bytes | Path) or not pictures:
            raise EnrolmentError("give a list of at least one picture to enrol from")
        choice = check_choice(face)
        attested = consent is None
        consent = self._offered(call, consent)
        version = self._comparable(collection)
        names = [shown(picture) or f"picture {i}" for i, picture in enumerate(pictures, 1)]
        found = [self._choose(picture, mode, choice) for picture in pictures]
        named = list(zip(names, found, strict=True))
        chosen = [each for each in found if isinstance(each, Chosen)]
        # Also what is told of a picture that cannot be used is on record.
        useless = [(each.digest, each.faces) for each in found if isinstance(each, Rejected)]
        seen = [(digest, count) for digest, count in useless if digest is not None]
        if not chosen:
            if seen:
                self._record_detected(call, seen)
            raise none_usable(subject, named)
        terms = self._terms(call, collection, version, consent, allow_lookalike, attested)
        terms.most_alike(np.array([each.template for each in chosen], np.float32))  # load it now
        try:
            with self._act(call) as act:
                outcome, done = enrol_pictures(act.change, collection, subject, named, terms)
                self._record_consents(act, collection, done.subjects, done.grant, consent)
                act.record(
                    self._enrolled(collection, outcome.consent, done),
                    *self._refusals(collection, done.refused),
                    *self._detected(seen),
                )
            return outcome
        except FacesRefused as error:
            refused = error
        raise self._refuse(call, collection, refused, seen)

    def enroll_templates(
        self,
        collection: str,
        *,
        subjects: Sequence[str],
        templates: NDArray[np.float32],
        consent: Consent | None = None,
        version: Version | None = None,
        allow_lookalike: bool = False,
    ) -> int:
        """Enrol templates, float32 (n, d) of unit length, all or none; return how many.

        Row i is of ``subjects[i]``; a subject may have several. The consent is recorded for every
        one of them; without it, each needs a live one on record. ``version`` says what made the
        templates: the models of this installation unless given. A template that is more like
        another enrolled subject refuses them all, unless ``allow_lookalike``; those of one call
        are not compared with each other. One that does not resemble the subject's for another
        purpose refuses them all (NameConflict).

        Raises CollectionNotFound, InvalidName, ConsentRequired, PurposeNotDeclared, ModelConflict,
        EnrolmentError.
        """
        call = self._admit("enrol", collection=collection)
        matrix = faces.check_templates(templates)
        attested = consent is None
        consent = self._offered(call, consent)
        version = self._comparable(collection, version)
        terms = self._terms(call, collection, version, consent, allow_lookalike, attested)
        if len(matrix):
            terms.most_alike(matrix[:1])  # load the gallery before others have to wait for it
        try:
            with self._act(call) as act:
                done = enrol_templates(act.change, collection, subjects, matrix, terms)
                self._record_consents(act, collection, done.subjects, done.grant, consent)
                act.record(*_templates_enrolled(collection, done))
            return len(done.faces)
        except FacesRefused as error:
            refused = error
        raise self._refuse(call, collection, refused)

    def _offered(self, call: Call, consent: Consent | None) -> Consent | None:
        """Return the consent that an enrolment rests on, if it does not rest on one on record.

        A key may carry an attestation of how consent is collected, which then is the evidence.
        """
        caller = call.caller
        if consent is not None:
            with self._refusing(call):
                caller.require_purposes(consent.purposes)
            return consent
        if caller.attestation is not None and caller.purpose is not None:
            return Consent([caller.purpose], caller.attestation)
        return None

    def _terms(
        self,
        call: Call,
        collection: str,
        version: Version,
        consent: Consent | None,
        allow_lookalike: bool,
        attested: bool,
    ) -> Terms:
        measured = self._resources.calibration(version.model, version.template_version)

        def most_alike(templates: NDArray[np.float32]) -> list[int | None]:
            if measured is None:  # nothing can be said of a score, so nobody is refused for one
                return [None] * len(templates)
            least = measured.score(DEFAULT_SIMILARITY)
            return self._resources.index.most_alike(collection, templates, least)

        def alike(template: NDArray[np.float32], theirs: NDArray[np.float32]) -> bool:
            if measured is None:
                return True
            return float(measured.between(template, theirs).max()) >= measured.score(SAME_PERSON)

        return Terms(
            version=version,
            consent=consent,
            actor=call.caller.actor,
            purpose=call.caller.purpose,
            most_alike=most_alike,
            likeness=Likeness(
                purpose=call.known_purpose,
                templates_of=lambda keys: self._resources.index.templates(collection, keys),
                alike=alike,
            ),
            allow_lookalike=allow_lookalike,
            attested=attested,
        )

    def _choose(
        self, picture: PictureSource, mode: Mode, face: FaceChoice | None
    ) -> Chosen | Rejected:
        found, digest = 0, None
        try:
            # A number counts what detection lists, which looks turned only where it is in doubt.
            numbered = isinstance(face, int)
            analysis, digest = self._analyse(picture, mode, every_turn=not numbered)
            found = len(analysis.faces)
            return choose_face(analysis, digest, face)
        except (PictureError, EnrolmentError) as error:
            return Rejected(error, found, digest)

    def _record_consents(
        self,
        act: Act,
        collection: str,
        people: Sequence[Known],
        grant: EnrolmentGrant,
        consent: Consent | None,
    ) -> None:
        """Put on record the consents that a grant recorded for people, and what they declared."""
        act.record(*map(declared, grant.declared))
        if consent is None:
            return
        new = [each for each in people if each.key in grant.recorded]
        events: list[Event] = []
        if len(new) == 1:
            key = grant.consents[new[0].key]
            events.append(
                ConsentRecorded(
                    collection=collection,
                    subject=new[0].id,
                    consent=consents.id_of(act.connection, key),
                    purposes=tuple(consent.purposes),
                    until=None if consent.until is None else consent.until.isoformat(),
                )
            )
        elif new:
            events += [
                ConsentsImported(
                    collection=collection,
                    subjects=tuple(each.id for each in some),
                    purposes=tuple(consent.purposes),
                )
                for some in batches(new, SUBJECTS_PER_EVENT)
            ]
        act.record(*events)

    def _enrolled(self, collection: str, consent: str, done: Enrolled) -> FacesEnrolled:
        return FacesEnrolled(
            collection=collection,
            subject=done.subjects[0].id,
            consent=consent,
            faces=done.faces,
            pictures=tuple(map(self._audited, done.digests)),
            lookalikes=tuple(sorted({each for each in done.lookalikes if each is not None})),
        )

    def _refusals(self, collection: str, refused: Sequence[Refusal]) -> Iterator[Event]:
        for each in refused:
            picture = None if each.digest is None else self._audited(each.digest)
            if each.lookalike is None:
                yield ConflictRefused(collection, str(each.subject), picture)
            else:
                yield LookalikeRefused(collection, each.subject, each.lookalike, picture)

    def _refuse(
        self,
        call: Call,
        collection: str,
        found: FacesRefused,
        seen: Sequence[tuple[str, int]] = (),
    ) -> EnrolmentError:
        """Put on record what was refused; return the error, which names nobody.

        ``seen`` are pictures without a face to enrol, as for ``_record_detected``.
        """
        with self._act(call) as act:
            collections.find(act.connection, collection)
            act.record(*self._refusals(collection, found.refused), *self._detected(seen))
        return found.error


def _templates_enrolled(collection: str, done: Enrolled) -> Iterator[TemplatesEnrolled]:
    """Yield the events of templates that were enrolled: who with how many, so many at a time."""
    counts = Counter(done.owners)
    alike: dict[int, set[str]] = {}
    for owner, other in zip(done.owners, done.lookalikes, strict=True):
        if other is not None:
            alike.setdefault(owner, set()).add(other)
    for some in batches(done.subjects, SUBJECTS_PER_EVENT):
        keys = [each.key for each in some]
        yield TemplatesEnrolled(
            collection=collection,
            subjects=tuple(each.id for each in some),
            faces=sum(counts[key] for key in keys),
            lookalikes=tuple(sorted({other for key in keys for other in alike.get(key, ())})),
        )
    if not done.subjects:
        yield TemplatesEnrolled(collection=collection, subjects=(), faces=0)
