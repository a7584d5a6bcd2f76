"""Searches of one labelled folder in a gallery made of another, as in use.

Every picture of the gallery's folder is one enrolled face. Whoever is in both folders, under the
same name, is mated; everybody else in the gallery is a stranger to a probe. Terms as in
``identification``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sayso.evaluation.folder import EvaluationError, Measured
from sayso.evaluation.promises import (
    Mated,
    Promises,
    Strangers,
    floor,
    hold,
)
from sayso.evaluation.resampling import people_weights
from sayso.evaluation.scoring import Scorer

#: Strangers and missed people that are listed; their numbers are told in full.
MOST_LISTED = 1_000
_BLOCK = 256


@dataclass(frozen=True, slots=True)
class GalleryCounts:
    """The folder that the gallery was made of: its ``faces`` are the pictures with a template.

    ``people`` have one of these; ``in_both`` of them have a probe too. ``probes`` are the pictures
    with a template that were searched for.
    """

    folder: str
    pictures: int
    faces: int
    people: int
    probes: int
    in_both: int
    failures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Stranger:
    """A probe and the enrolled picture of somebody else that it scored the highest with."""

    probe: str
    enrolled: str
    score: float
    similarity: float | None


@dataclass(frozen=True, slots=True)
class Missed:
    """A person in both folders whom no probe of theirs found, and their best score."""

    person: str
    score: float
    similarity: float | None


@dataclass(frozen=True, slots=True)
class OpenSet:
    """What the searches returned.

    ``highest`` is the highest score of strangers, and ``above_strangers`` counts the people in both
    folders who score higher than that with themselves. At the default setting: ``found`` of them
    were found by a probe or more, ``missed`` were not; ``named`` are the strangers that a search
    returned, one for each probe and person, ``named_count`` of them. The last four are None where
    nothing is promised of the scores.
    """

    highest: Stranger | None
    above_strangers: int
    promises: Promises | None = None
    found: int | None = None
    missed: tuple[Missed, ...] | None = None
    named: tuple[Stranger, ...] | None = None
    named_count: int | None = None


def count_gallery(probes: Measured, gallery: Measured, folder: str) -> GalleryCounts:
    """Return what there is to search in; raises EvaluationError where there is nothing."""
    people = _names(gallery)
    faces, searches = int(gallery.found.sum()), int(probes.found.sum())
    if not faces or not searches:
        which, of = (folder, gallery) if not faces else ("the probes", probes)
        raise EvaluationError(f"{which}: none of {len(of.files)} pictures gave a template")
    return GalleryCounts(
        folder,
        len(gallery.files),
        faces,
        len(people),
        searches,
        len(people & _names(probes)),
        gallery.failures,
    )


def search_open_set(probes: Measured, gallery: Measured, scorer: Scorer, seed: int) -> OpenSet:
    """Search the gallery for every probe that has a template."""
    return _Searches(probes, gallery, scorer).result(seed)


def _names(measured: Measured) -> set[str]:
    return {measured.names[person] for person in np.unique(measured.people[measured.found])}


class _Searches:
    """The searches with one scorer. People are numbered over both folders."""

    def __init__(self, probes: Measured, gallery: Measured, scorer: Scorer) -> None:
        self._probes, self._gallery, self._scorer = probes, gallery, scorer
        self._names = sorted({*probes.names, *gallery.names})
        numbers = {name: number for number, name in enumerate(self._names)}
        self._probe_rows = np.flatnonzero(probes.found)
        self._face_rows = np.flatnonzero(gallery.found)
        self._searcher = _numbered(probes, numbers)[self._probe_rows]
        self._enrolled = _numbered(gallery, numbers)[self._face_rows]
        self._own = np.full(len(self._searcher), -np.inf, np.float32)
        self._other = np.full(len(self._searcher), -np.inf, np.float32)
        self._other_face = np.zeros(len(self._searcher), np.int64)
        floored = floor(scorer.calibration, len(self._enrolled))
        self._search, self._face, self._scores = self._compare(floored)

    def _compare(
        self, floored: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Note the best scores of each probe, and return those of strangers that reach a floor."""
        scorer, close = self._scorer, []
        faces = scorer.prepare(self._gallery.templates[self._face_rows])
        probes = scorer.prepare(self._probes.templates[self._probe_rows])
        for start in range(0, len(probes), _BLOCK):
            block = scorer.scores(probes[start : start + _BLOCK], faces)
            here = slice(start, start + len(block))
            own = self._searcher[here, None] == self._enrolled[None]
            self._own[here] = np.where(own, block, -np.inf).max(axis=1)
            block[own] = -np.inf
            self._other[here] = block.max(axis=1)
            self._other_face[here] = block.argmax(axis=1)
            search, face = np.nonzero(~own & (block >= floored))
            close.append((search + start, face, block[search, face]))
        search, face, scores = (np.concatenate(each) for each in zip(*close, strict=True))
        return search, face, scores

    def result(self, seed: int) -> OpenSet:
        people = len(self._names)
        best = np.full(people, -np.inf, np.float32)
        np.maximum.at(best, self._searcher, self._own)
        in_both = np.intersect1d(self._searcher, self._enrolled)
        highest = self._highest()
        above = int((best[in_both] > (highest.score if highest else -np.inf)).sum())
        calibration = self._scorer.calibration
        if calibration is None:
            return OpenSet(highest, above)
        weights = people_weights(np.zeros(people, np.int64), np.random.default_rng((seed, 3)))
        first = np.where(self._own >= self._other, self._own, -np.inf).astype(np.float32)
        mated = np.isin(self._searcher, in_both)
        promises = hold(
            calibration,
            len(self._enrolled),
            self._strangers(weights),
            Mated(self._searcher[mated], first[mated]),
            weights,
        )
        threshold = promises.default.threshold
        if threshold is None:
            return OpenSet(highest, above, promises)
        finding = np.unique(self._searcher[mated & (first >= threshold)])
        missed = np.setdiff1d(in_both, finding)
        missed = missed[np.argsort(best[missed], kind="stable")]
        named = self._named(threshold)
        return OpenSet(
            highest,
            above,
            promises,
            len(finding),
            tuple(self._missed(person, best[person]) for person in missed[:MOST_LISTED]),
            tuple(self._stranger(*each) for each in named[:MOST_LISTED]),
            len(named),
        )

    def _highest(self) -> Stranger | None:
        search = int(self._other.argmax())
        if self._other[search] == -np.inf:  # nobody else is enrolled
            return None
        return self._stranger(search, int(self._other_face[search]), float(self._other[search]))

    def _strangers(self, weights: NDArray[np.float32]) -> Strangers:
        """Return how many comparisons with somebody else there are, and those that are close."""
        people = len(self._names)
        searches = np.bincount(self._searcher, minlength=people).astype(np.float64)
        faces = np.bincount(self._enrolled, minlength=people).astype(np.float64)
        drawn = weights.astype(np.float64)
        own = (drawn**2) @ (searches * faces)
        total = int(searches.sum() * faces.sum() - searches @ faces)
        return Strangers(
            len(self._searcher),
            total,
            total,
            (drawn @ searches) * (drawn @ faces) - own,
            self._search,
            self._searcher[self._search],
            self._enrolled[self._face],
            self._scores,
        )

    def _named(self, threshold: float) -> list[tuple[int, int, float]]:
        """Return probe, face and score of each stranger that was returned, the highest first."""
        reach = np.flatnonzero(self._scores >= threshold)
        reach = reach[np.argsort(-self._scores[reach], kind="stable")]
        pairs = np.stack([self._search[reach], self._enrolled[self._face[reach]]])
        # Of several faces of one person the best, which comes first.
        _, first = np.unique(pairs, axis=1, return_index=True)
        kept = reach[np.sort(first)]
        return [
            (int(self._search[each]), int(self._face[each]), float(self._scores[each]))
            for each in kept
        ]

    def _stranger(self, search: int, face: int, score: float) -> Stranger:
        return Stranger(
            self._probes.files[self._probe_rows[search]],
            self._gallery.files[self._face_rows[face]],
            score,
            self._similarity(score),
        )

    def _missed(self, person: int, score: float) -> Missed:
        return Missed(self._names[person], float(score), self._similarity(score))

    def _similarity(self, score: float) -> float | None:
        calibration = self._scorer.calibration
        return None if calibration is None else float(calibration.similarity(np.array(score)))


def _numbered(measured: Measured, numbers: dict[str, int]) -> NDArray[np.int64]:
    """Return int64 (n,): the number of the person of each picture."""
    of_person = np.array([numbers[name] for name in measured.names], np.int64)
    return of_person[measured.people]
