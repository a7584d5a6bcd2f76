"""Intervals by resampling people: pairs that share a person are not independent of each other.

A bootstrap over identities (Bolle, Ratha and Pankanti, "Error analysis of pattern recognition
systems: the subsets bootstrap", CVIU 93(1), 2004; ISO/IEC 19795-1 asks for intervals that heed
the dependence): people are drawn with replacement, each genuine pair counts as often as its person
was drawn and each impostor pair as often as the product of its two. Where false matches are so rare
that hardly any two share a person the product makes intervals up to sqrt(3) wider than needed
(Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007): on the safe side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: How often people are drawn anew.
REPLICATES = 400
_LOW, _HIGH = 0.025, 0.975
#: So many false matches must be expected for a rate to be called measured.
LEAST_EXPECTED = 10
#: Of n trials without one event, the rate is below 3/n with 95 % confidence ("rule of 3").
RULE_OF_3 = 3.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate with its 95 % interval; the bounds are None where nothing supports one."""

    value: float
    low: float | None
    high: float | None


def people_weights(
    strata: NDArray[np.int64], rng: np.random.Generator, replicates: int = REPLICATES
) -> NDArray[np.float32]:
    """Return float32 (replicates, people): how often each was drawn, within their own stratum.

    ``strata`` is int64 (people,).
    """
    weights = np.zeros((replicates, len(strata)), np.float32)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        even = np.full(len(members), 1 / len(members))
        weights[:, members] = rng.multinomial(len(members), even, size=replicates)
    return weights


def estimate(
    value: float, replicates: NDArray[np.float64], *, trials: float | None = None
) -> Estimate:
    """Return the percentile interval of a rate's replicates, float64 (B,), NaN where undefined.

    ``trials`` is how many independent ones there were at least: where no event was seen every
    replicate is zero, and the rule of 3 gives the upper bound.
    """
    defined = replicates[np.isfinite(replicates)]
    if value <= 0 and trials:
        return Estimate(0.0, 0.0, min(1.0, RULE_OF_3 / float(trials)))
    value = float(value)
    if not len(defined):
        return Estimate(value, None, None)
    low, high = (float(each) for each in np.quantile(defined, [_LOW, _HIGH]))
    return Estimate(value, min(low, value), max(high, value))


def weighted_pairs(sizes: NDArray[np.int64], weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return float64 (B,): impostor pairs, each counted by the product of its people's weights.

    ``sizes`` int64 (people,) is how many templates each has, ``weights`` float32 (B, people).
    """
    drawn = weights.astype(np.float64) * sizes
    pairs: NDArray[np.float64] = (drawn.sum(axis=1) ** 2 - (drawn**2).sum(axis=1)) / 2
    return pairs


def rate(events: NDArray[np.float64], trials: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return events by trials, NaN where there are no trials."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(trials > 0, events / trials, np.nan), np.float64)
