"""Verification: are two pictures of one person? FMR, FNMR, their trade-off, and intervals.

Terms after ISO/IEC 19795-1: a genuine pair is of one person, an impostor pair of two; FMR is the
share of impostor pairs that reach the threshold, FNMR the share of genuine pairs that do not. Both
are of pictures that gave a template; failures to extract are counted apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sayso.evaluation.pairs import Genuine, Impostors, Pairs
from sayso.evaluation.resampling import (
    LEAST_EXPECTED,
    Estimate,
    estimate,
    rate,
    weighted_pairs,
)

#: The false-match rates at which FNMR is quoted.
RATES = (1e-2, 1e-3, 1e-4, 1e-5)
_LOOSEST = 0.5
_PER_DECADE = 16
_SHOWN_BINS = 64


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What the threshold of one false-match rate costs; all None where it was not measured.

    ``expected`` is how many false matches there should be at that rate. ``fnmr`` is at this FMR,
    its interval with the threshold chosen anew for every replicate; ``tar`` is its complement.
    """

    false_match_rate: float
    expected: float
    threshold: float | None = None
    fmr: Estimate | None = None
    fnmr: Estimate | None = None
    tar: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Det:
    """The trade-off of FNMR against FMR, float64 (k,) each, from the strictest threshold on.

    ``low`` and ``high`` bound FNMR at each FMR (95 %), NaN where no interval was computed.
    """

    thresholds: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Distribution:
    """Shares of the genuine and impostor scores, float64 (k,), between ``edges`` (k + 1,)."""

    edges: NDArray[np.float64]
    genuine: NDArray[np.float64]
    impostor: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verification:
    """Verification by one scorer. ``people`` have the genuine pairs."""

    genuine_pairs: int
    impostor_pairs: int
    people: int
    points: tuple[OperatingPoint, ...]
    eer: Estimate | None
    det: Det
    distribution: Distribution

    def strictest(self) -> OperatingPoint | None:
        """The measured point of the lowest false-match rate, or None."""
        return next((each for each in reversed(self.points) if each.fnmr is not None), None)

    def near(self, false_match_rate: float) -> OperatingPoint | None:
        """The measured point that is the nearest to a false-match rate from above, or None."""
        fitting = [p for p in self.points if p.fnmr and p.false_match_rate >= false_match_rate]
        return fitting[-1] if fitting else None


def verify(pairs: Pairs, weights: NDArray[np.float32]) -> Verification:
    """Measure verification; ``weights`` float32 (B, people) is how often each person was drawn."""
    genuine, impostors = pairs.genuine, pairs.impostors
    curve = _Curve(pairs, weights)
    det = curve.det()
    return Verification(
        genuine_pairs=len(genuine.scores),
        impostor_pairs=impostors.total,
        people=len(np.unique(genuine.person)),
        points=tuple(curve.point(each) for each in RATES),
        eer=curve.equal_error(det),
        det=det,
        distribution=_distribution(genuine, impostors),
    )


def misses_by_person(
    genuine: Genuine, thresholds: NDArray[np.float64], people: int
) -> NDArray[np.int64]:
    """Return int64 (people, T): genuine pairs of each that fail falling thresholds (T,)."""
    # A pair fails all thresholds above its score: the first ones, as they fall.
    failed = np.searchsorted(-thresholds, -genuine.scores.astype(np.float64), side="left")
    steps = len(thresholds) + 1
    counts = np.bincount(genuine.person * steps + failed, minlength=people * steps)
    by_place = counts.reshape(people, steps)
    # Failing exactly the first k thresholds means failing threshold j for all j < k.
    return np.asarray(by_place[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:], np.int64)


def matches_by_replicate(
    pairs: Pairs, thresholds: NDArray[np.float64], weights: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return float64 (B, T): weighted impostor pairs that reach each of falling thresholds."""
    impostors, people = pairs.impostors, pairs.people
    reach = impostors.matches(thresholds)
    top = int(reach.max(initial=0))
    a, b = people[impostors.a[:top]], people[impostors.b[:top]]
    found = np.zeros((len(weights), len(thresholds)))
    for row, weight in enumerate(weights):
        sums = np.cumsum(weight[a] * weight[b], dtype=np.float64)
        found[row] = np.concatenate([[0.0], sums])[reach]
    return found


class _Curve:
    """FMR and FNMR at thresholds that fall, for everybody as they are and for each replicate."""

    def __init__(self, pairs: Pairs, weights: NDArray[np.float32]) -> None:
        genuine, impostors = pairs.genuine, pairs.impostors
        self._impostors = impostors
        self._genuine = np.sort(genuine.scores.astype(np.float64))
        self._people = len(np.unique(genuine.person))
        steps = max(2, int(np.log10(max(_LOOSEST * impostors.total, 10)) * _PER_DECADE))
        rates = np.geomspace(1 / max(impostors.total, 2), _LOOSEST, steps)
        # With the quoted rates among them, so that those have replicates at their own thresholds.
        known = [impostors.threshold(each) for each in (*rates, *RATES)]
        found = np.array([each for each in known if each is not None], np.float64)
        self._exact = np.unique(found)[::-1]
        self._fmr = impostors.matches(self._exact) / max(impostors.total, 1)
        matched = matches_by_replicate(pairs, self._exact, weights)
        possible = weighted_pairs(pairs.sizes, weights)
        self._fmr_drawn = rate(matched, possible[:, None])
        missed = misses_by_person(genuine, self._exact, len(pairs.sizes))
        of_person = np.bincount(genuine.person, minlength=len(pairs.sizes))
        drawn = weights.astype(np.float64)
        self._fnmr_drawn = rate(drawn @ missed, (drawn @ of_person)[:, None])

    def fnmr(self, threshold: NDArray[np.float64] | float) -> NDArray[np.float64]:
        below = np.searchsorted(self._genuine, threshold, side="left")
        return np.asarray(below / len(self._genuine), np.float64)

    def point(self, false_match_rate: float) -> OperatingPoint:
        expected = false_match_rate * self._impostors.total
        threshold = self._impostors.threshold(false_match_rate)
        if expected < LEAST_EXPECTED or threshold is None:
            return OperatingPoint(false_match_rate, expected)
        total = self._impostors.total
        fmr = float(self._impostors.matches(threshold)) / total
        at = int(np.argmin(np.abs(self._exact - threshold)))
        fnmr = float(self.fnmr(threshold))
        found = estimate(
            fnmr, self._fnmr_at(np.array([false_match_rate]))[:, 0], trials=self._people
        )
        return OperatingPoint(
            false_match_rate,
            expected,
            threshold,
            estimate(fmr, self._fmr_drawn[:, at], trials=total),
            found,
            _complement(found),
        )

    def det(self) -> Det:
        shown = self._fmr * self._impostors.total >= LEAST_EXPECTED
        thresholds, fmr = self._exact[shown], self._fmr[shown]
        fnmr = self.fnmr(thresholds)
        band = [
            estimate(float(value), drawn, trials=self._people)
            for value, drawn in zip(fnmr, self._fnmr_at(fmr).T, strict=True)
        ]
        low = np.array([np.nan if e.low is None else e.low for e in band])
        high = np.array([np.nan if e.high is None else e.high for e in band])
        more, rates = self._beyond()
        nothing = np.full(len(more), np.nan)
        return Det(
            np.r_[thresholds, more],
            np.r_[fmr, rates],
            np.r_[fnmr, self.fnmr(more)],
            np.r_[low, nothing],
            np.r_[high, nothing],
        )

    def equal_error(self, det: Det) -> Estimate | None:
        """Return where FMR and FNMR are equal, or None where that was not measured."""
        value = _crossing(det.fmr, det.fnmr)
        if value is None:
            return None
        both = zip(self._fmr_drawn, self._fnmr_drawn, strict=True)
        drawn = [_crossing(fmr, fnmr) for fmr, fnmr in both]
        found = np.array([np.nan if each is None else each for each in drawn], np.float64)
        # Where most replicates cross beyond the kept scores, those that do not are no fair sample.
        if np.isfinite(found).mean() < 0.99:
            return Estimate(value, None, None)
        return estimate(value, found)

    def _fnmr_at(self, rates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return float64 (B, k): FNMR of each replicate at its own thresholds of these FMRs."""
        both = zip(self._fmr_drawn, self._fnmr_drawn, strict=True)
        found = [np.interp(rates, fmr, fnmr) for fmr, fnmr in both]
        return np.array(found).reshape(len(found), len(rates))

    def _beyond(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return thresholds and FMRs beyond the kept scores, from the histogram."""
        impostors = self._impostors
        above = impostors.counts[::-1].cumsum() / max(impostors.total, 1)
        edges = impostors.edges[:-1][::-1]
        loose = (above > len(impostors.scores) / max(impostors.total, 1)) & (above <= _LOOSEST)
        return edges[loose], above[loose]


def _crossing(fmr: NDArray[np.float64], fnmr: NDArray[np.float64]) -> float | None:
    """Return the rate where FMR, which rises, meets FNMR, which falls; None if they do not."""
    gap = fmr - fnmr
    crossed = np.flatnonzero(gap >= 0)
    if not len(crossed):
        return None
    after = int(crossed[0])
    if after == 0:
        return float(fmr[0]) if gap[0] == 0 else None
    share = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(fmr[after - 1] + share * (fmr[after] - fmr[after - 1]))


def _complement(found: Estimate) -> Estimate:
    low = None if found.high is None else 1 - found.high
    return Estimate(1 - found.value, low, None if found.low is None else 1 - found.low)


def _distribution(genuine: Genuine, impostors: Impostors) -> Distribution:
    step = len(impostors.counts) // _SHOWN_BINS
    counts = impostors.counts.reshape(-1, step).sum(axis=1)
    edges = impostors.edges[::step]
    scores = np.clip(genuine.scores, edges[0], edges[-1])
    own = np.histogram(scores, edges)[0]
    return Distribution(edges, own / max(len(scores), 1), counts / max(impostors.total, 1))
