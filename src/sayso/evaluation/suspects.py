"""The worst pairs by the names of their files, for somebody to look at.

Bad figures often come from wrong labels: a person who is there twice under two names, a picture in
the wrong folder, or a picture of several people of which another was taken. No program can tell
that from a true error; a look can.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sayso.evaluation.folder import Measured
from sayso.evaluation.pairs import Pairs
from sayso.evaluation.verification import OperatingPoint

#: Lines of each list at most.
SHOWN = 25
#: Lowest genuine pairs of one person at most: one wrong picture spoils a pair with each other one.
_OF_ONE_PERSON = 2


@dataclass(frozen=True, slots=True)
class SuspectPair:
    """Two files and their score; ``more`` counts further pairs of the same two people."""

    a: str
    b: str
    score: float
    more: int = 0


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A picture more like one of somebody else than like any other of its own person."""

    file: str
    own_score: float
    other: str
    other_score: float


@dataclass(frozen=True, slots=True)
class Suspects:
    """What to look at, the worst first; ``same_person`` are impostors, ``different`` genuine.

    Counts are of everything found, the lists hold the first few.
    """

    same_person: tuple[SuspectPair, ...]
    different: tuple[SuspectPair, ...]
    misplaced: tuple[Misplaced, ...]
    misplaced_count: int


def suspects(measured: Measured, pairs: Pairs, point: OperatingPoint | None) -> Suspects:
    """Find the worst pairs, and at a point of the verification the pictures out of place."""
    misplaced = _misplaced(measured, pairs, point)
    return Suspects(
        _same_person(measured, pairs, point),
        _different(measured, pairs),
        tuple(misplaced[:SHOWN]),
        len(misplaced),
    )


def _same_person(
    measured: Measured, pairs: Pairs, point: OperatingPoint | None
) -> tuple[SuspectPair, ...]:
    """Return the highest impostor pair of each two people, of those above the threshold."""
    impostors = pairs.impostors
    reach = len(impostors.scores)
    if point is not None and point.threshold is not None:
        reach = int(impostors.matches(point.threshold))
    people = np.stack([measured.people[impostors.a[:reach]], measured.people[impostors.b[:reach]]])
    _, first, counts = np.unique(
        np.sort(people, axis=0), axis=1, return_index=True, return_counts=True
    )
    order = np.argsort(first)[:SHOWN]  # scores fall, so the first is the highest
    return tuple(
        SuspectPair(
            measured.files[impostors.a[first[i]]],
            measured.files[impostors.b[first[i]]],
            float(impostors.scores[first[i]]),
            int(counts[i]) - 1,
        )
        for i in order
    )


def _different(measured: Measured, pairs: Pairs) -> tuple[SuspectPair, ...]:
    """Return the lowest genuine pairs, a few of each person."""
    genuine = pairs.genuine
    found: list[SuspectPair] = []
    seen: dict[int, int] = {}
    for row in np.argsort(genuine.scores, kind="stable"):
        person = int(genuine.person[row])
        seen[person] = seen.get(person, 0) + 1
        if seen[person] > _OF_ONE_PERSON:
            continue
        a, b = measured.files[genuine.a[row]], measured.files[genuine.b[row]]
        found.append(SuspectPair(a, b, float(genuine.scores[row])))
        if len(found) == SHOWN:
            break
    return tuple(found)


def _misplaced(measured: Measured, pairs: Pairs, point: OperatingPoint | None) -> list[Misplaced]:
    """Return pictures that match somebody else clearly better than their own person.

    Clearly: at or above the threshold, and by more than a standard deviation of the impostor
    scores, so that it means the same for every scorer.
    """
    if point is None or point.threshold is None:
        return []
    own: NDArray[np.float32] = pairs.genuine.nearest
    other, which = pairs.impostors.nearest, pairs.impostors.nearest_row
    gap = other - own  # NaN, which is not above anything, for an only picture
    rows = np.flatnonzero((other >= point.threshold) & (gap > pairs.impostors.spread))
    rows = rows[np.argsort(-gap[rows], kind="stable")]
    return [
        Misplaced(
            measured.files[row], float(own[row]), measured.files[which[row]], float(other[row])
        )
        for row in rows
    ]
