"""Promises held to what happened: false matches that were seen, by those that were promised.

A calibration promises that strangers reach a score no more often than at its rate. Of a gallery it
so promises how many false matches a search has, at most: its faces times that rate. Here every
enrolled face of somebody else that reaches the threshold is counted, not only whether any did. Seen
by promised, a ratio of at most 1 keeps the promise; one far below 1 shows more caution than needed.

Intervals draw people anew, as everywhere: a false match counts as often as the product of how often
its two people were drawn. Where none was seen the rule of 3 bounds the ratio.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from sayso.evaluation.resampling import LEAST_EXPECTED, RULE_OF_3, Estimate, estimate, rate
from sayso.evidence.calibration import Calibration
from sayso.evidence.rule import FalseMatchRule

#: The most false matches that a search may expect when nobody says otherwise: that alone decides.
EXPECTED = FalseMatchRule().max_expected
#: Expected false matches of a search at which there is something to count.
LOOSER = (0.1, 1.0)


@dataclass(frozen=True, slots=True)
class Setting:
    """A threshold, inf where the calibration claims no rate so low, and the rate claimed there."""

    threshold: float
    rate: float


@dataclass(frozen=True, slots=True)
class Promise:
    """What was promised at one threshold, and what happened.

    ``expected`` are the false matches of a search, at most. ``searches`` counts those that could
    have one. ``false_matches`` were seen, in ``named`` of the searches; ``promised`` at most.
    ``ratio`` is seen by promised, None where both are too few to tell. ``found`` is the share of
    the mated searches with the right person first and at or above the threshold. All None where the
    calibration claims no rate so low.
    """

    expected: float
    searches: int
    threshold: float | None = None
    false_matches: int | None = None
    named: int | None = None
    promised: float | None = None
    ratio: Estimate | None = None
    found: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Promises:
    """The default setting, at most 0.01 expected false matches a search; and others."""

    default: Promise
    others: tuple[Promise, ...]


@dataclass(frozen=True, slots=True)
class Strangers:
    """Comparisons of searches with enrolled faces of somebody else: ``total`` of them.

    ``different`` of these are not of a picture and a person that were compared before. ``drawn``
    float64 (B,) is the total of each replicate. Of those that reach the lowest threshold:
    ``search`` int64 (m,) numbers the searches, ``searcher`` and ``enrolled`` int64 (m,) the people,
    and ``scores`` is float32 (m,).
    """

    searches: int
    total: int
    different: int
    drawn: NDArray[np.float64]
    search: NDArray[np.int64]
    searcher: NDArray[np.int64]
    enrolled: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Mated:
    """Searches for people who are enrolled: int64 (k,) who, and float32 (k,) the score.

    The score is that of the right person where they came first, else -inf.
    """

    person: NDArray[np.int64]
    scores: NDArray[np.float32]


def default_setting(calibration: Calibration, faces: int) -> Setting:
    """Return the setting of a search when nobody says otherwise, in a gallery of so many faces."""
    return setting(calibration, EXPECTED, faces)


def setting(calibration: Calibration, expected: float, faces: int) -> Setting:
    """Return the setting of so many expected false matches in a gallery of so many faces."""
    claimed = min(1.0, expected / faces)
    return Setting(calibration.least_score(claimed), claimed)


def floor(calibration: Calibration | None, faces: int, looser: tuple[float, ...] = LOOSER) -> float:
    """Return the lowest score that any promise counts; inf where nothing is promised."""
    if calibration is None:
        return np.inf
    settings = [default_setting(calibration, faces)]
    settings += [setting(calibration, each, faces) for each in looser]
    return min(each.threshold for each in settings)


def hold(
    calibration: Calibration,
    faces: int,
    strangers: Strangers,
    mated: Mated,
    weights: NDArray[np.float32],
    looser: tuple[float, ...] = LOOSER,
) -> Promises:
    """Hold the promises for a gallery of so many faces to what happened.

    ``weights`` float32 (B, people) is how often each person was drawn.
    """
    drawn = weights.astype(np.float64)
    default = default_setting(calibration, faces)
    return Promises(
        _promise(default.rate * faces, default, strangers, mated, drawn),
        tuple(
            _promise(each, setting(calibration, each, faces), strangers, mated, drawn)
            for each in looser
        ),
    )


def _promise(
    expected: float,
    at: Setting,
    strangers: Strangers,
    mated: Mated,
    drawn: NDArray[np.float64],
) -> Promise:
    if at.threshold == np.inf:
        return Promise(expected, strangers.searches)
    reach = strangers.scores >= at.threshold
    return Promise(
        expected,
        strangers.searches,
        at.threshold,
        int(reach.sum()),
        len(np.unique(strangers.search[reach])),
        at.rate * strangers.total,
        _ratio(at.rate, strangers, reach, drawn),
        _found(at.threshold, mated, drawn),
    )


def _ratio(
    claimed: float, strangers: Strangers, reach: NDArray[np.bool_], drawn: NDArray[np.float64]
) -> Estimate | None:
    seen = int(reach.sum())
    evidence = claimed * strangers.different
    # Where far more were seen than promised, those are enough to tell.
    if max(evidence, seen * strangers.different / max(strangers.total, 1)) < LEAST_EXPECTED:
        return None
    if not seen:
        return Estimate(0.0, 0.0, RULE_OF_3 / evidence)
    people = drawn.shape[1]
    pairs = (strangers.searcher[reach], strangers.enrolled[reach])
    # As a matrix of people by people its products cost as much as there are pairs, for all draws.
    counts = coo_array((np.ones(seen), pairs), shape=(people, people)).tocsr()
    weighted = np.einsum("pb,pb->b", drawn.T, counts @ drawn.T)
    return estimate(seen / (claimed * strangers.total), rate(weighted, claimed * strangers.drawn))


def _found(threshold: float, mated: Mated, drawn: NDArray[np.float64]) -> Estimate | None:
    if not len(mated.person):
        return None
    found = mated.scores >= threshold
    people = drawn.shape[1]
    of_person = np.bincount(mated.person, minlength=people)
    found_of_person = np.bincount(mated.person[found], minlength=people)
    missed = rate(drawn @ (of_person - found_of_person), drawn @ of_person)
    lost = estimate(float((~found).mean()), missed, trials=len(np.unique(mated.person)))
    # The complement of the missed, for which the rule of 3 holds where none was.
    low = None if lost.high is None else 1 - lost.high
    return Estimate(1 - lost.value, low, None if lost.low is None else 1 - lost.low)
