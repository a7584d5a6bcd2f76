"""Recognition: naming those in pictures whose consent covers the purpose."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sayso.audit.events import CollectionsRead, Event, Found, PictureSearched
from sayso.callers import KNOWING
from sayso.core.base import Call
from sayso.core.looking import (
    RULE_ALONE,
    Looking,
    PictureSource,
    check_similarity,
    shown,
    worth,
)
from sayso.enrolment import Version
from sayso.errors import GalleryError
from sayso.evidence.calibration import Calibration
from sayso.evidence.decision import Decision
from sayso.gallery import collections, faces, serving
from sayso.gallery.matches import Matches
from sayso.results import (
    Candidate,
    Recognition,
    RecognizedFace,
    TemplateMatches,
    ThresholdInForce,
)
from sayso.vision.types import Mode

_MOST_CANDIDATES = 4096
#: Matches that one entry of the audit log names at most.
_FOUND = 1000


class Recognising(Looking):
    """What can be asked about who somebody is."""

    def recognize(
        self,
        collection: str,
        picture: PictureSource,
        *,
        purpose: str | None = None,
        mode: Mode = "balanced",
        min_similarity: float = RULE_ALONE,
    ) -> Recognition:
        """Find every face of a picture and name those subjects whose consent covers the purpose.

        A face that resembles nobody enrolled, and one of somebody whose consent does not cover the
        purpose, are unknown alike. Each face is judged by itself: when two of them resemble the
        same subject both are named, since a picture of pictures, or a mirror, shows people twice,
        and each name carries its own expected number of false matches; both are marked as
        duplicates, since otherwise one of the names is wrong. The collection's rule decides how
        similar a match must be for that many faces and that many enrolled; ``min_similarity`` may
        ask for more, never for less. The answer's ``threshold`` says what had to be reached.
        ``purpose`` may be left out by a caller who has one.

        Raises CollectionNotFound, InvalidName, ConsentRequired (no purpose), AccessDenied (another
        purpose than the caller's), ModelConflict, PictureError, ModelError, and GalleryError for a
        ``min_similarity`` that is not from 0 to 100.
        """
        call = self._searching(collection, purpose)
        check_search(min_similarity)
        measured = self._measured(self._comparable(collection))
        analysis, digest = self._analyse(picture, mode)
        decision = self._decision(collection, measured, min_similarity, len(analysis.faces))
        found = self._match(call, analysis.templates, 1, decision, picture=self._audited(digest))
        best = [candidates[0] if candidates else None for candidates in found]
        times = Counter(each.subject for each in best if each is not None)
        named = (
            RecognizedFace(face, each, each is not None and times[each.subject] > 1)
            for face, each in zip(analysis.faces, best, strict=True)
        )
        return Recognition(
            shown(picture),
            analysis.width,
            analysis.height,
            tuple(named),
            found.threshold,
            analysis.notices,
        )

    def recognize_templates(
        self,
        collection: str,
        templates: NDArray[np.float32],
        *,
        purpose: str | None = None,
        min_similarity: float = RULE_ALONE,
        top: int = 1,
        version: Version | None = None,
    ) -> TemplateMatches:
        """Return for each template, float32 (n, d), up to ``top`` subjects, most similar first.

        Only subjects whose consent covers the purpose. The templates count as the faces of one
        picture: the collection's rule holds for all of them together, unless it is for each face.
        ``version`` says what made the templates:
        the models of this installation unless given. Raises CollectionNotFound, InvalidName,
        ConsentRequired (no purpose), AccessDenied (another purpose than the caller's),
        ModelConflict (also for a model without a calibration), and GalleryError for a
        ``min_similarity`` that is not from 0 to 100 or a ``top`` that is not from 1 to 4096.
        """
        call = self._searching(collection, purpose)
        check_search(min_similarity, top)
        matrix = faces.check_templates(templates)
        measured = self._measured(self._comparable(collection, version))
        decision = self._decision(collection, measured, min_similarity, len(matrix))
        return self._match(call, matrix, top, decision, picture=None)

    def threshold(
        self,
        collection: str,
        *,
        purpose: str | None = None,
        faces: int = 1,
        min_similarity: float = RULE_ALONE,
    ) -> ThresholdInForce:
        """Tell what a search would have to reach now, with so many faces in its picture.

        By the collection's rule, among those who could be found for the purpose: the caller's own
        unless given, or all who are enrolled where the caller has none. Nobody is searched for.
        Raises CollectionNotFound, InvalidName, AccessDenied (another purpose than the caller's),
        ModelConflict for a model without a calibration, and GalleryError for a similarity that is
        not from 0 to 100 or less than one face.
        """
        call = self._admit(*KNOWING, collection=collection)
        check_similarity(min_similarity)
        if faces < 1:
            raise GalleryError(f"faces is {faces}; a search is for at least 1")
        with self._refusing(call):
            if purpose is not None:
                call = replace(call, caller=self._caller.searching_for(purpose))
        with self._act(replace(call, caller=self._caller)) as act:
            pinned = collections.find(act.connection, collection)
            population = collections.describe(act.connection, collection).faces
            if call.caller.purpose is not None:
                _, population = serving.counts(
                    act.connection, pinned.key, call.caller.purpose, act.change.now
                )
            act.record(CollectionsRead(collections=1))
        version = self._version_of(pinned)
        decision = Decision(self._measured(version), pinned.rule, min_similarity, faces)
        return in_force(decision, population)

    def _version_of(self, pinned: collections.Pinned) -> Version:
        """Return what made the templates of a collection, or would make the first."""
        if pinned.model is None or pinned.template_version is None:
            return self._version()
        return Version(pinned.model, pinned.template_version)

    def _searching(self, collection: str, purpose: str | None) -> Call:
        call = self._admit("search", collection=collection)
        with self._refusing(call):
            return replace(call, caller=self._caller.searching_for(purpose))

    def _decision(
        self, collection: str, measured: Calibration, min_similarity: float, probes: int
    ) -> Decision:
        """Return what has to be reached in a search for so many faces, by the rule in force."""
        with self._resources.store.read() as connection:
            rule = collections.find(connection, collection).rule
        return Decision(measured, rule, min_similarity, probes)

    def _match(
        self,
        call: Call,
        templates: NDArray[np.float32],
        top: int,
        decision: Decision,
        *,
        picture: str | None,
        settle: Callable[[Matches], Iterable[Event]] = lambda _: (),
    ) -> TemplateMatches:
        """Search, and answer with what is on record when the answer leaves.

        ``settle`` decides by the matches what more is done, and put on record in the same act.
        """
        collection, purpose = call.collection or "", call.caller.purpose or ""
        matches = self._resources.index.match(
            collection,
            templates,
            purpose=purpose,
            top=top,
            least=decision.least_score,
        )
        with self._act(call) as act:
            pinned = collections.find(act.connection, collection)
            decision = replace(decision, rule=pinned.rule)  # it may be stricter by now
            matches = self._resources.index.confirm(act.change, matches, purpose)
            matches = matches.reaching(decision.least_score(matches.templates))
            answer = candidates_of(matches, decision.calibration)
            threshold = decision.threshold(matches.templates)
            found = [
                Found(hit.subject_id, candidate.similarity)
                for hits, candidates in zip(matches.hits, answer, strict=True)
                for hit, candidate in zip(hits, candidates, strict=True)
            ]
            for start in range(0, max(1, len(found)), _FOUND):
                act.record(
                    PictureSearched(
                        collection=collection,
                        picture=picture,
                        probes=len(templates),
                        min_similarity=decision.asked,
                        found=tuple(found[start : start + _FOUND]),
                        threshold=threshold.similarity,
                    )
                )
            act.record(*settle(matches))
        return TemplateMatches(answer, threshold)


def in_force(decision: Decision, population: int) -> ThresholdInForce:
    """Return what is to be reached among so many enrolled, and what that is worth."""
    calibration, threshold = decision.calibration, decision.threshold(population)
    normalised = calibration.normaliser is not None
    score = decision.least_score(population)
    if not math.isfinite(score):
        return ThresholdInForce(threshold, None, normalised, None, None)
    rate = float(calibration.false_match_rate(np.array(score)))
    chances = population * (decision.probes if threshold.per == "picture" else 1)
    return ThresholdInForce(threshold, score, normalised, rate, rate * chances)


def check_search(min_similarity: float, top: int = 1) -> None:
    """Raise GalleryError for a similarity or a number of candidates that cannot be asked for."""
    check_similarity(min_similarity)
    if not 1 <= top <= _MOST_CANDIDATES:
        raise GalleryError(f"top is {top}; it runs from 1 to {_MOST_CANDIDATES}")


def candidates_of(matches: Matches, measured: Calibration) -> tuple[tuple[Candidate, ...], ...]:
    """Say what the scores are worth, all in one go."""
    hits = [hit for of_probe in matches.hits for hit in of_probe]
    # By templates, not subjects: whoever has five pictures enrolled has five chances to be
    # mistaken for a stranger.
    found = ([hit.score for hit in hits], [hit.cosine for hit in hits])
    scores = iter(worth(*found, measured, matches.templates))
    # Each inner zip takes as many scores as the probe has hits, and leaves the rest.
    return tuple(
        tuple(
            Candidate(hit.subject, hit.face_id, *score)
            for hit, score in zip(of_probe, scores, strict=False)
        )
        for of_probe in matches.hits
    )
