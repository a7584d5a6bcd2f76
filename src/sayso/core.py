"""The application: one method for each thing that a user can do.

Whatever way in is used, it ends here. Every method that touches a subject begins with ``_admit``,
and only this module opens changes of the store.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from sayso.callers import Action, Caller, local_actor, permit
from sayso.enrolment import (
    Chosen,
    Rejected,
    Terms,
    Version,
    choose_face,
    digest_of,
    enrol_pictures,
    enrol_templates,
    none_usable,
)
from sayso.errors import (
    EnrolmentError,
    GalleryError,
    InvalidName,
    ModelConflict,
    NoFaceFound,
    PictureError,
    StoreUnavailable,
)
from sayso.evidence import calibration
from sayso.evidence.calibration import Calibration
from sayso.gallery import collections, consents, erasure, faces, subjects
from sayso.gallery.index import Index, Matches
from sayso.gallery.names import check_subject, is_text
from sayso.gallery.store import Clock, Store, utc_now
from sayso.pictures import read_picture_file
from sayso.results import (
    Candidate,
    Collection,
    Comparison,
    Consent,
    ConsentRecord,
    EnrolledFace,
    Enrolment,
    Recognition,
    RecognizedFace,
    Subject,
    Tombstone,
    Withdrawal,
)
from sayso.settings import Settings, load_settings
from sayso.vision.picture import decode
from sayso.vision.types import Analysis, Face, Mode

if TYPE_CHECKING:
    from sayso.analyzer import Analyzer

#: Where a picture comes from: a path, or the bytes of a file.
PictureSource = str | Path | bytes

#: What counts as a match unless the caller says otherwise; see ``sayso.evidence``.
DEFAULT_SIMILARITY = 80.0
_MOST_SIMILARITY = 100.0
_MOST_CANDIDATES = 4096


class Sayso:
    """A gallery and what can be done with it; a context manager, safe to share between threads.

    ``folder`` is the data folder. ``actor`` is who asks: the operating-system user unless given.
    ``analyzer`` turns pictures into templates; without one, the default is made when it is needed.
    ``shown`` is what messages call the folder; ``clock`` tells the time, in UTC.

    Raises StoreUnavailable when the gallery cannot be used, and so may every method; InvalidName
    for an actor that is not text.
    """

    def __init__(
        self,
        folder: Path,
        *,
        actor: str | None = None,
        analyzer: Analyzer | None = None,
        settings: Settings | None = None,
        shown: str | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._actor = actor or local_actor()
        if not is_text(self._actor):
            raise InvalidName(f"{self._actor!r} is no name for an actor: it must be text, in UTF-8")
        self._settings = settings or load_settings()
        self._given_analyzer = analyzer
        self._analyzer_lock = threading.Lock()
        self._store = Store(folder, shown=shown, clock=clock)
        self._index = Index(self._store, threads=self._settings.threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the templates from memory and close the store."""
        self._index.close()
        self._store.close()

    # --- collections --------------------------------------------------------------------------

    def create_collection(self, name: str) -> Collection:
        """Make a collection; raises InvalidName or CollectionExists."""
        self._admit("admin", name)
        with self._store.write() as change:
            collections.create(change, name)
            return collections.describe(change.connection, name)

    def collections(self) -> tuple[Collection, ...]:
        """Return every collection, ordered by name."""
        self._admit("read")
        with self._store.read() as connection:
            return collections.describe_all(connection)

    def collection(self, name: str) -> Collection:
        """Return one collection; raises CollectionNotFound."""
        self._admit("read", name)
        with self._store.read() as connection:
            return collections.describe(connection, name)

    def delete_collection(self, name: str) -> int:
        """Erase every subject of a collection, and it; return how many subjects there were.

        Raises CollectionNotFound.
        """
        self._admit("erase", name)
        with self._store.write() as change:
            erased = erasure.delete_collection(change, collections.find(change.connection, name))
        self._scrub()
        return erased

    # --- enrolment ----------------------------------------------------------------------------

    def enroll(
        self,
        collection: str,
        *,
        subject: str,
        pictures: Sequence[PictureSource],
        consent: Consent | None = None,
        mode: Mode = "balanced",
    ) -> Enrolment:
        """Enrol the largest face of each picture, if it is a good one, as the subject's.

        Without ``consent``, one on record must be live. The outcome tells what became of each
        picture. When none can be used, the first one's error is raised and nothing is recorded.
        A picture that enrolled the subject before does not do so again.

        Raises CollectionNotFound, InvalidName, ConsentRequired, ModelConflict, EnrolmentError,
        PictureError, ModelError.
        """
        caller = self._admit("enrol", collection)
        check_subject(subject)
        if isinstance(pictures, str | bytes | Path) or not pictures:
            raise EnrolmentError("give a list of at least one picture to enrol from")
        version = self._comparable(collection)
        names = [_shown(picture) or f"picture {i}" for i, picture in enumerate(pictures, 1)]
        found = [self._choose(picture, mode) for picture in pictures]
        named = list(zip(names, found, strict=True))
        if not any(isinstance(picture, Chosen) for picture in found):
            raise none_usable(subject, named)
        with self._store.write() as change:
            return enrol_pictures(
                change, collection, subject, named, Terms(version, consent, caller.actor)
            )

    def enroll_templates(
        self,
        collection: str,
        *,
        subjects: Sequence[str],
        templates: NDArray[np.float32],
        consent: Consent | None = None,
        version: Version | None = None,
    ) -> int:
        """Enrol templates, float32 (n, d) of unit length, all or none; return how many.

        Row i is of ``subjects[i]``; a subject may have several. The consent is recorded for every
        one of them; without it, each needs a live one on record. ``version`` says what made the
        templates: the models of this installation unless given.

        Raises CollectionNotFound, InvalidName, ConsentRequired, ModelConflict, EnrolmentError.
        """
        caller = self._admit("enrol", collection)
        matrix = faces.check_templates(templates)
        version = version or self._version()
        with self._store.write() as change:
            terms = Terms(version, consent, caller.actor)
            return enrol_templates(change, collection, subjects, matrix, terms)

    # --- recognition --------------------------------------------------------------------------

    def recognize(
        self,
        collection: str,
        picture: PictureSource,
        *,
        purpose: str,
        mode: Mode = "balanced",
        min_similarity: float = DEFAULT_SIMILARITY,
    ) -> Recognition:
        """Find every face of a picture and name those subjects whose consent covers the purpose.

        A face that resembles nobody enrolled, and one of somebody whose consent does not cover the
        purpose, are unknown alike. Each face is judged by itself: when two of them resemble the
        same subject both are named, since a picture of pictures, or a mirror, shows people twice,
        and each name carries its own expected number of false matches.

        Raises CollectionNotFound, InvalidName, ModelConflict, PictureError, ModelError, and
        GalleryError for a ``min_similarity`` that is not from 0 to 100.
        """
        self._admit("search", collection, purpose)
        _check_search(min_similarity)
        measured = _measured(self._comparable(collection))
        analysis, _ = self._analyse(picture, mode)
        matches = self._match(
            collection, analysis.templates, purpose, min_similarity, top=1, measured=measured
        )
        named = (
            RecognizedFace(face, candidates[0] if candidates else None)
            for face, candidates in zip(analysis.faces, matches, strict=True)
        )
        return Recognition(_shown(picture), analysis.width, analysis.height, tuple(named))

    def recognize_templates(
        self,
        collection: str,
        templates: NDArray[np.float32],
        *,
        purpose: str,
        min_similarity: float = DEFAULT_SIMILARITY,
        top: int = 1,
        version: Version | None = None,
    ) -> tuple[tuple[Candidate, ...], ...]:
        """Return for each template, float32 (n, d), up to ``top`` subjects, most similar first.

        Only subjects whose consent covers the purpose. ``version`` says what made the templates:
        the models of this installation unless given. Raises CollectionNotFound, InvalidName,
        ModelConflict (also for a model without a calibration), and GalleryError for a
        ``min_similarity`` that is not from 0 to 100 or a ``top`` that is not from 1 to 4096.
        """
        self._admit("search", collection, purpose)
        _check_search(min_similarity, top)
        matrix = faces.check_templates(templates)
        measured = _measured(self._comparable(collection, version))
        return self._match(collection, matrix, purpose, min_similarity, top, measured)

    def compare(self, a: PictureSource, b: PictureSource, *, mode: Mode = "balanced") -> Comparison:
        """Compare the largest faces of two pictures; no gallery is involved.

        Raises NoFaceFound, PictureError, ModelError, or ModelConflict for a model without a
        calibration.
        """
        self._admit("compare")
        measured = _measured(self._version())
        (face_a, template_a), (face_b, template_b) = (self._largest(p, mode) for p in (a, b))
        cosine = np.array([np.dot(template_a, template_b)], np.float32)
        return Comparison(
            face_a,
            face_b,
            similarity=float(measured.similarity(cosine)[0]),
            cosine=float(cosine[0]),
            false_match_rate=float(measured.false_match_rate(cosine)[0]),
        )

    # --- subjects and consents ----------------------------------------------------------------

    def subjects(
        self, collection: str, *, after: str = "", limit: int | None = None
    ) -> tuple[Subject, ...]:
        """Return the subjects of a collection by name, those after a name, at most ``limit``.

        Raises CollectionNotFound, or GalleryError for a limit below 1.
        """
        self._admit("read", collection)
        if limit is not None and limit < 1:
            raise GalleryError(f"limit is {limit}; at least 1 subject can be asked for")
        with self._store.read() as connection:
            pinned = collections.find(connection, collection)
            now = self._store.now()
            return subjects.describe_all(connection, pinned, after=after, limit=limit, now=now)

    def subject(self, collection: str, name: str) -> Subject:
        """Return one subject; raises CollectionNotFound or SubjectNotFound."""
        self._admit("read", collection)
        with self._store.read() as connection:
            pinned = collections.find(connection, collection)
            return subjects.describe(connection, pinned, name, now=self._store.now())

    def faces(self, collection: str, subject: str) -> tuple[EnrolledFace, ...]:
        """Return a subject's enrolled faces, the oldest first; raises SubjectNotFound."""
        self._admit("read", collection)
        with self._store.read() as connection:
            pinned = collections.find(connection, collection)
            known = subjects.find(connection, pinned, subject)
            return faces.of_subject(connection, pinned, known.key, known.name)

    def erase_subject(self, collection: str, name: str) -> Tombstone:
        """Erase a subject: templates, consents, evidence and name, in every process.

        Raises CollectionNotFound or SubjectNotFound.
        """
        self._admit("erase", collection)
        with self._store.write() as change:
            pinned = collections.find(change.connection, collection)
            known = subjects.find(change.connection, pinned, name)
            tombstone = erasure.erase_subject(change, pinned, known)
        self._scrub()
        return tombstone

    def tombstones(self, collection: str) -> tuple[Tombstone, ...]:
        """Return what is left of those erased from a collection, the latest first."""
        self._admit("read", collection)
        with self._store.read() as connection:
            return erasure.tombstones(connection, collection)

    def add_consent(self, collection: str, subject: str, consent: Consent) -> ConsentRecord:
        """Record a consent, which may begin later; makes the subject when it is not there yet.

        Raises CollectionNotFound, InvalidName, or ConsentRequired for one that has ended.
        """
        caller = self._admit("enrol", collection)
        with self._store.write() as change:
            pinned = collections.find(change.connection, collection)
            key = subjects.find_or_create(change, pinned, [subject])[subject]
            consents.record(change, pinned, [key], consent, caller.actor)
            return consents.records(change.connection, key, subject)[-1]

    def withdraw_consent(
        self, collection: str, subject: str, purpose: str | None = None
    ) -> Withdrawal:
        """Withdraw a subject's consents to one purpose, or to all, at once.

        With the last purpose the subject is erased. Raises CollectionNotFound, SubjectNotFound,
        InvalidName, or ConsentNotFound when there is nothing to withdraw.
        """
        self._admit("enrol", collection)
        tombstone = None
        with self._store.write() as change:
            pinned = collections.find(change.connection, collection)
            known = subjects.find(change.connection, pinned, subject)
            purposes = consents.withdraw(change, known.key, purpose)
            if not consents.any_left(change, known.key):
                tombstone = erasure.erase_subject(change, pinned, known)
        if tombstone is not None:
            self._scrub()
        return Withdrawal(purposes, tombstone)

    def consents(self, collection: str, subject: str) -> tuple[ConsentRecord, ...]:
        """Return every consent of a subject, the oldest first; raises SubjectNotFound."""
        self._admit("read", collection)
        with self._store.read() as connection:
            pinned = collections.find(connection, collection)
            known = subjects.find(connection, pinned, subject)
            return consents.records(connection, known.key, known.name)

    # --- what the methods share ---------------------------------------------------------------

    def _admit(
        self, action: Action, collection: str | None = None, purpose: str | None = None
    ) -> Caller:
        """Say who calls, and raise unless they may; every method begins here."""
        caller = Caller(self._actor, purpose)
        permit(caller, action, collection)
        return caller

    def _analyzer(self) -> Analyzer:
        with self._analyzer_lock:
            if self._given_analyzer is None:
                # Models and runtimes are slow to import and not needed for most of upkeep.
                from sayso.analyzer import Analyzer

                self._given_analyzer = Analyzer(settings=self._settings)
            return self._given_analyzer

    def _version(self) -> Version:
        analyzer = self._analyzer()
        return Version(analyzer.model, analyzer.template_version)

    def _comparable(self, collection: str, version: Version | None = None) -> Version:
        """Raise ModelConflict, before any work is done, for another model's collection."""
        with self._store.read() as connection:
            pinned = collections.find(connection, collection)
        version = version or self._version()
        collections.check_version(pinned, version.model, version.template_version)
        return version

    def _analyse(self, picture: PictureSource, mode: Mode) -> tuple[Analysis, str]:
        analyzer = self._analyzer()
        limits = analyzer.limits
        data = picture if isinstance(picture, bytes) else read_picture_file(picture, limits)
        analysis = analyzer.analyze(decode(data, limits), mode=mode)
        return analysis, digest_of(data)

    def _choose(self, picture: PictureSource, mode: Mode) -> Chosen | Rejected:
        found = 0
        try:
            analysis, digest = self._analyse(picture, mode)
            found = len(analysis.faces)
            return choose_face(analysis, digest)
        except (PictureError, EnrolmentError) as error:
            return Rejected(error, found)

    def _largest(self, picture: PictureSource, mode: Mode) -> tuple[Face, NDArray[np.float32]]:
        try:
            analysis, _ = self._analyse(picture, mode)
        except PictureError as error:
            name, message = _shown(picture), str(error)
            if not name or message.startswith(name):
                raise
            raise type(error)(f"{name}: {message}") from error
        if not analysis.faces:
            raise NoFaceFound(f"no face was found in {_shown(picture) or 'the picture'}")
        pairs = zip(analysis.faces, analysis.templates, strict=True)
        return max(pairs, key=lambda pair: pair[0].width * pair[0].height)

    def _match(
        self,
        collection: str,
        templates: NDArray[np.float32],
        purpose: str,
        min_similarity: float,
        top: int,
        measured: Calibration,
    ) -> tuple[tuple[Candidate, ...], ...]:
        matches = self._index.match(
            collection,
            templates,
            purpose=purpose,
            top=top,
            min_cosine=measured.cosine(min_similarity) if min_similarity else -np.inf,
        )
        return _candidates(matches, measured)

    def _scrub(self) -> None:
        """After an erasure: nothing of it stays in this process's memory or the store's log."""
        try:
            self._index.refresh()
        finally:  # what is on the disk must go whatever became of the memory
            self._store.scrub()


def open(location: str | Path | None = None, *, actor: str | None = None) -> Sayso:  # noqa: A001
    """Open the gallery in a data folder, which is made when it is not there.

    Without a location it is the folder that ``SAYSO_DATA`` names, or else the user's own. Raises
    StoreUnavailable when the gallery cannot be used.
    """
    settings = load_settings()
    if location is None:
        # The default folder is a path that nobody typed: messages do not tell it.
        chosen = "data" in settings.model_fields_set
        shown = f"{str(settings.data)!r} (SAYSO_DATA)" if chosen else "your data folder"
        return Sayso(settings.data, actor=actor, settings=settings, shown=shown)
    if isinstance(location, str) and "://" in location:
        scheme = location.split("://", 1)[0]
        raise StoreUnavailable(f"a {scheme}:// address cannot be opened yet: give a folder")
    return Sayso(Path(location), actor=actor, settings=settings)


def _measured(version: Version) -> Calibration:
    """Return what was measured of a model; without it nothing can be said of a score."""
    found = calibration.of(version.model)
    if found is None:
        raise ModelConflict(
            f"there is no calibration for the model {version.model!r}, so neither a similarity nor "
            "the expected false matches can be told: use a model that has one"
        )
    return found


def _check_search(min_similarity: float, top: int = 1) -> None:
    if not 0 <= min_similarity <= _MOST_SIMILARITY:
        raise GalleryError(f"min_similarity is {min_similarity}; it runs from 0 to 100")
    if not 1 <= top <= _MOST_CANDIDATES:
        raise GalleryError(f"top is {top}; it runs from 1 to {_MOST_CANDIDATES}")


def _candidates(matches: Matches, measured: Calibration) -> tuple[tuple[Candidate, ...], ...]:
    """Say what the scores are worth, all in one go."""
    hits = [hit for of_probe in matches.hits for hit in of_probe]
    cosines = np.minimum(np.array([hit.cosine for hit in hits], np.float32), 1)
    # By templates, not subjects: whoever has five pictures enrolled has five chances to be
    # mistaken for a stranger.
    expected = measured.false_match_rate(cosines) * matches.templates
    similarity = measured.similarity(cosines)
    scores = zip(similarity.tolist(), cosines.tolist(), expected.tolist(), strict=True)
    # Each inner zip takes as many scores as the probe has hits, and leaves the rest.
    return tuple(
        tuple(
            Candidate(hit.subject, hit.face_id, similar, cosine, strangers)
            for hit, (similar, cosine, strangers) in zip(of_probe, scores, strict=False)
        )
        for of_probe in matches.hits
    )


def _shown(picture: PictureSource) -> str:
    return "" if isinstance(picture, bytes) else os.fspath(picture)
