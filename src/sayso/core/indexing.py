"""Enrolment from one picture, told of every face that is in it."""

from __future__ import annotations

from sayso.core.enrolling import Enrolling
from sayso.core.looking import PictureSource
from sayso.enrolment import (
    MIN_QUALITY,
    FacesRefused,
    choose_or_leave,
    enrol_pictures,
)
from sayso.errors import EnrolmentError
from sayso.gallery import collections, enrolled
from sayso.gallery.names import check_subject
from sayso.results import Consent, PictureIndexing
from sayso.vision.types import Mode


class Indexing(Enrolling):
    """What can be done to enrol somebody from a picture that may show others, too."""

    def index_picture(
        self,
        collection: str,
        *,
        subject: str,
        picture: PictureSource,
        mode: Mode = "balanced",
        min_quality: float = MIN_QUALITY,
        consent: Consent | None = None,
        allow_lookalike: bool = False,
    ) -> PictureIndexing:
        """Enrol the face that a picture is of, if it is a good one, as the subject's.

        As ``enroll``, but that nobody can be enrolled from the picture is no error: what became of
        every face is told. ``min_quality``, 0 to 100, may ask more of the face than every
        enrolment does.

        Raises CollectionNotFound, InvalidName, ConsentRequired, PurposeNotDeclared, ModelConflict,
        LooksLikeAnother, NameConflict, PictureError, ModelError.
        """
        call = self._admit("enrol", collection=collection)
        check_subject(subject)
        if isinstance(min_quality, bool) or not 0 <= min_quality <= 100:
            raise EnrolmentError(f"min_quality is {min_quality}; it runs from 0 to 100")
        attested = consent is None
        consent = self._offered(call, consent)
        version = self._comparable(collection)
        analysis, digest = self._analyse(picture, mode, every_turn=True)
        one, left = choose_or_leave(analysis, digest, min_quality)
        if one is None:
            self._record_detected(call, [(digest, len(analysis.faces))])
            return PictureIndexing(analysis.width, analysis.height, None, None, left, False)
        terms = self._terms(call, collection, version, consent, allow_lookalike, attested)
        terms.most_alike(one.template[None])  # load the gallery before others have to wait for it
        try:
            with self._act(call) as act:
                outcome, done = enrol_pictures(
                    act.change, collection, subject, [("the picture", one)], terms
                )
                self._record_consents(act, collection, done.subjects, done.grant, consent)
                act.record(self._enrolled(collection, outcome.consent, done))
                became = outcome.pictures[0]
                told = enrolled.listed(
                    act.connection,
                    act.change.find_keys,
                    collections.find(act.connection, collection),
                    which=[enrolled.with_ids([str(became.face_id)])],
                    after="",
                    limit=1,
                    purpose=call.known_purpose,
                    now=act.change.now,
                )
            return PictureIndexing(
                analysis.width, analysis.height, told[0], one.face, left, became.repeated
            )
        except FacesRefused as error:
            refused = error
        raise self._refuse(call, collection, refused)
