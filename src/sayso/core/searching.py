"""Searches for one person: by a picture, by a face or by a user, among faces or among users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sayso.audit.events import EnrolledSearched, Event, Found, PictureSearched
from sayso.core.base import Act, Call
from sayso.core.looking import (
    RULE_ALONE,
    PictureSource,
    by_size,
    shown,
    worth,
)
from sayso.core.recognising import Recognising, check_search
from sayso.enrolment import left_reasons
from sayso.errors import FaceNotFound, GalleryError, NoFaceFound
from sayso.evidence.calibration import Calibration
from sayso.evidence.decision import Decision
from sayso.gallery import collections, enrolled, subjects, users
from sayso.gallery import matches as unnamed
from sayso.gallery.collections import Pinned
from sayso.gallery.matches import Matches
from sayso.results import (
    FaceCandidate,
    FaceMatches,
    LeftFace,
    PictureSearch,
    Threshold,
    User,
    UserCandidate,
    UserMatches,
    UserSearch,
)
from sayso.vision.types import Analysis, Face, Mode

#: Candidates unless the caller says otherwise.
DEFAULT_TOP = 80


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked: how similar, how many, and how the log tells of it."""

    decision: Decision
    top: int
    #: The probe in the log, without who was found.
    event: PictureSearched | EnrolledSearched

    def found(self, candidates: Sequence[tuple[str, float]], threshold: Threshold) -> Event:
        found = tuple(Found(*each) for each in candidates)
        return replace(self.event, found=found, threshold=threshold.similarity)


class Searching(Recognising):
    """What can be asked about who resembles one face."""

    def search_picture(
        self,
        collection: str,
        picture: PictureSource,
        *,
        purpose: str | None = None,
        mode: Mode = "balanced",
        min_similarity: float = RULE_ALONE,
        top: int = DEFAULT_TOP,
        min_quality: float = 0.0,
    ) -> PictureSearch:
        """Search for the largest face of a picture among the faces of a collection.

        Only faces whose overall quality is at least ``min_quality``, 0 to 100, are looked at, and
        only subjects whose consent covers the purpose are found; each by every face of theirs that
        is similar enough. Raises NoFaceFound, and all that ``recognize`` raises.
        """
        call, decision = self._asking(collection, purpose, min_similarity, top)
        analysis, digest = self._analyse(picture, mode)
        order = by_size(analysis, min_quality)
        if not order:
            self._record_detected(call, [(digest, len(analysis.faces))])
            raise NoFaceFound(
                f"no face that can be searched for was found in {shown(picture) or 'the picture'}"
            )
        asked = _picture_asked(collection, self._audited(digest), decision, top)
        found = self._faces_like(call, analysis.templates[order[0]], asked)
        return PictureSearch(
            analysis.width,
            analysis.height,
            analysis.faces[order[0]],
            _left(analysis, order[0], min_quality),
            found.candidates,
            found.threshold,
        )

    def search_face(
        self,
        collection: str,
        face: str,
        *,
        purpose: str | None = None,
        min_similarity: float = RULE_ALONE,
        top: int = DEFAULT_TOP,
    ) -> FaceMatches:
        """Search for an enrolled face, by its id, among the other faces of its collection.

        Raises FaceNotFound, also where its subject's consent does not cover the purpose, and all
        that ``recognize_templates`` raises.
        """
        call, decision = self._asking(collection, purpose, min_similarity, top)
        row, template = self._probe_face(call, face)
        asked = self._enrolled_asked(call, row.subject_key, face, decision, top)
        return self._faces_like(call, template, asked, without=row.key)

    def search_users(
        self,
        collection: str,
        *,
        user: str | None = None,
        face: str | None = None,
        purpose: str | None = None,
        min_similarity: float = RULE_ALONE,
        top: int = DEFAULT_TOP,
    ) -> UserMatches:
        """Search for a user, or for an enrolled face by its id, among the users of a collection.

        A user is not found by themselves. Raises UserNotFound or FaceNotFound, also where consent
        does not cover the purpose, and all that ``recognize_templates`` raises.
        """
        call, decision = self._asking(collection, purpose, min_similarity, top, fused=True)
        if (user is None) == (face is None):
            raise GalleryError("name either a user or a face to search for")
        template: NDArray[np.float32] | None
        without, several = None, False
        if face is not None:
            row, template = self._probe_face(call, face)
            subject_key = row.subject_key
        else:
            found = self._probe_user(call, str(user))
            purpose = call.caller.purpose or ""
            template, several = self._resources.index.fused_template(collection, found.key, purpose)
            without, subject_key = found.key, found.subject.key
        asked = self._enrolled_asked(call, subject_key, face, decision, top)
        return self._users_like(call, template, asked, without, fused=several)

    def search_users_by_picture(
        self,
        collection: str,
        picture: PictureSource,
        *,
        purpose: str | None = None,
        mode: Mode = "balanced",
        min_similarity: float = RULE_ALONE,
        top: int = DEFAULT_TOP,
        min_quality: float = 0.0,
    ) -> UserSearch:
        """Search for the largest good face of a picture among the users of a collection.

        As ``search_picture``, but a picture without such a face finds nobody, and is no error.
        """
        call, decision = self._asking(collection, purpose, min_similarity, top, fused=True)
        analysis, digest = self._analyse(picture, mode)
        order = by_size(analysis, min_quality)
        chosen = order[0] if order else None
        face = None if chosen is None else analysis.faces[chosen]
        asked = _picture_asked(collection, self._audited(digest), decision, top)
        template = None if chosen is None else analysis.templates[chosen]
        found = self._users_like(call, template, asked, None)
        left = _left(analysis, chosen, min_quality)
        size = (analysis.width, analysis.height)
        return UserSearch(*size, face, left, found.candidates, found.threshold)

    def _asking(
        self,
        collection: str,
        purpose: str | None,
        min_similarity: float,
        top: int,
        *,
        fused: bool = False,
    ) -> tuple[Call, Decision]:
        call = self._searching(collection, purpose)
        check_search(min_similarity, top)
        measured = self._measured(self._comparable(collection))
        decision = self._decision(collection, measured, min_similarity, probes=1)
        return call, replace(decision, fused=fused)

    def _probe_face(self, call: Call, face: str) -> tuple[enrolled.FaceRow, NDArray[np.float32]]:
        """Return a face to search for, and its template; raises FaceNotFound."""
        store = self._resources.store
        with store.read() as connection:
            found = enrolled.find(
                connection,
                collections.find(connection, call.collection or ""),
                [face],
                purpose=call.caller.purpose,
                now=store.now(),
            )
        row = found.get(face)
        template = None
        if row is not None:
            purpose = call.caller.purpose or ""
            template = self._resources.index.template(call.collection or "", row.key, purpose)
        if row is None or template is None:
            raise FaceNotFound(f"there is no face {face[:64]!r} in collection {call.collection!r}")
        return row, template

    def _probe_user(self, call: Call, name: str) -> users.Linked:
        store = self._resources.store
        with store.read() as connection:
            pinned = collections.find(connection, call.collection or "")
            return call.user(connection, store.keyring, pinned, name, store.now(), shown_only=True)

    def _enrolled_asked(
        self, call: Call, subject_key: int, face: str | None, decision: Decision, top: int
    ) -> _Asked:
        with self._resources.store.read() as connection:
            subject = subjects.ids(connection, [subject_key]).get(subject_key, "")
        event = EnrolledSearched(
            collection=call.collection or "",
            subject=subject,
            face=face,
            min_similarity=decision.asked,
            found=(),
        )
        return _Asked(decision, top, event)

    def _faces_like(
        self,
        call: Call,
        template: NDArray[np.float32],
        asked: _Asked,
        without: int | None = None,
    ) -> FaceMatches:
        """Search among the faces, and answer with what is on record when the answer leaves."""
        index, purpose = self._resources.index, call.caller.purpose or ""
        matches = index.match_faces(
            call.collection or "",
            template,
            purpose=purpose,
            top=asked.top,
            least=asked.decision.least_score,
            without=without,
        )
        with self._act(call) as act:
            pinned = collections.find(act.connection, call.collection or "")
            decision = replace(asked.decision, rule=pinned.rule)  # it may be stricter by now
            matches = index.confirm(act.change, matches, purpose)
            matches = matches.reaching(decision.least_score(matches.templates))
            candidates = _face_candidates(act, pinned, matches, decision.calibration)
            threshold = decision.threshold(matches.templates)
            act.record(asked.found(_told(matches, candidates), threshold))
        return FaceMatches(candidates, threshold)

    def _users_like(
        self,
        call: Call,
        template: NDArray[np.float32] | None,
        asked: _Asked,
        without: int | None,
        *,
        fused: bool = False,
    ) -> UserMatches:
        """Search among the users as ``_faces_like`` does; without a template nobody is found.

        ``fused`` says that the template is made of several faces.
        """
        index, purpose = self._resources.index, call.caller.purpose or ""
        matches = unnamed.UserMatches((), 0)
        if template is not None:
            matches = index.match_users(
                call.collection or "",
                template,
                purpose=purpose,
                top=asked.top,
                least=asked.decision.least_score,
                without=without,
                fused=fused,
            )
        with self._act(call) as act:
            pinned = collections.find(act.connection, call.collection or "")
            decision = replace(asked.decision, rule=pinned.rule)  # it may be stricter by now
            matches = index.confirm_users(act.change, matches, purpose)
            matches = matches.reaching(decision.least_score(matches.population))
            found = [hit.user for hit in matches.hits]
            told = users.describe_all(
                act.connection, pinned, found, call.known_purpose, act.change.now
            )
            candidates = _user_candidates(matches, told, decision.calibration)
            ids = [hit.user.subject.id for hit in matches.hits]
            threshold = decision.threshold(matches.population)
            told_of = [(i, c.similarity) for i, c in zip(ids, candidates, strict=True)]
            act.record(asked.found(told_of, threshold))
        return UserMatches(candidates, threshold)


def _picture_asked(collection: str, picture: str, decision: Decision, top: int) -> _Asked:
    event = PictureSearched(
        collection=collection, picture=picture, probes=1, min_similarity=decision.asked, found=()
    )
    return _Asked(decision, top, event)


def _left(analysis: Analysis, chosen: int | None, min_quality: float) -> tuple[LeftFace, ...]:
    """Tell of every other face why it was not the one, the largest first."""
    order = [row for row in by_size(analysis, 0) if row != chosen]

    def told(face: Face) -> LeftFace:
        poor = face.quality.overall < min_quality
        return LeftFace(face, left_reasons(face, min_quality) if poor else ("FACE_NOT_LARGEST",))

    return tuple(told(analysis.faces[row]) for row in order)


def _face_candidates(
    act: Act, pinned: Pinned, matches: Matches, measured: Calibration
) -> tuple[FaceCandidate, ...]:
    hits = matches.hits[0]
    told = enrolled.by_keys(
        act.connection,
        act.change.find_keys,
        pinned,
        [hit.face_key for hit in hits],
        purpose=act.call.caller.purpose,
        now=act.change.now,
    )
    found = ([hit.score for hit in hits], [hit.cosine for hit in hits])
    scores = worth(*found, measured, matches.templates)
    return tuple(
        FaceCandidate(told[hit.face_key], *score)
        for hit, score in zip(hits, scores, strict=True)
        if hit.face_key in told
    )


def _told(matches: Matches, candidates: tuple[FaceCandidate, ...]) -> list[tuple[str, float]]:
    """Return for the log the id of each subject that was found, with their best similarity."""
    ids = {hit.face_id: hit.subject_id for hit in matches.hits[0]}
    best: dict[str, float] = {}
    for candidate in candidates:
        best.setdefault(ids[candidate.face.id], candidate.similarity)
    return list(best.items())


def _user_candidates(
    matches: unnamed.UserMatches, told: Sequence[User], measured: Calibration
) -> tuple[UserCandidate, ...]:
    found = ([hit.score for hit in matches.hits], [hit.cosine for hit in matches.hits])
    scores = worth(*found, measured, matches.population)
    return tuple(UserCandidate(user, *score) for user, score in zip(told, scores, strict=True))
