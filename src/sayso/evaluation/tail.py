"""Upper bounds of the false-match rate by score: counted where pairs allow it, fitted beyond.

Where at least ``LEAST_COUNTED`` pairs of strangers reach a score, the share that does is counted,
and people are drawn anew to bound it (see ``resampling``). The bound is the bias-corrected
percentile (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 14.3): people
who happen to have a low rate also have drawings that differ too little.

Beyond, the highest scores are taken to exceed a high one as a generalised Pareto distribution says
(Pickands, "Statistical inference using extreme order statistics", Annals of Statistics 3(1), 1975;
Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, chapter 4), fitted anew to
every drawing of people. Where the bound is a tenth of one pair of all that were compared it ends:
beyond, nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy.stats import genpareto, norm

from sayso.evaluation.folder import EvaluationError
from sayso.evaluation.pairs import Impostors, Pairs
from sayso.evaluation.resampling import rate, weighted_pairs
from sayso.evaluation.verification import matches_by_replicate

#: A share is counted where so many pairs reach the score; beyond, the tail tells.
LEAST_COUNTED = 50
#: Fewer pairs of strangers tell nothing that is of use.
LEAST_PAIRS = 1_000
#: One-sided.
CONFIDENCE = 0.95
#: The lowest rate that is claimed, as a share of one pair of all that were compared.
_OF_ONE_PAIR = 0.1
#: So many of the highest scores make the tail; no more than such a part of all, which would be no
#: tail, but never fewer than LEAST_COUNTED.
_HIGHEST, _PART = 1_000, 20
#: Shapes that a fit may have. Below the first, maximum likelihood is no regular estimate (Coles,
#: section 4.3.1); a tail near the second would have no mean.
_SHAPES = (-0.5, 0.9)
#: In how many steps the one free parameter is searched, below and above zero.
_STEPS = 300


@dataclass(frozen=True, slots=True)
class Curve:
    """Upper bounds ``rates`` float64 (n,), never rising, of the FMR at rising ``scores`` (n,).

    Above ``counted_to`` they come from the tail. ``lowest`` is the lowest rate that is claimed.
    """

    scores: NDArray[np.float64]
    rates: NDArray[np.float64]
    counted_to: float
    lowest: float


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of ``total`` pairs of strangers reach each of rising scores (n,).

    ``reached`` float64 (n,) counts them, and ``drawn`` float64 (B, n) in each drawing of people, of
    ``possible`` float64 (B,) pairs; NaN below the scores that were kept. ``highest`` float64 (k,)
    are the highest scores, falling, and ``weights`` float32 (B, k) how often each was drawn.
    """

    total: int
    scores: NDArray[np.float64]
    reached: NDArray[np.float64]
    drawn: NDArray[np.float64]
    possible: NDArray[np.float64]
    highest: NDArray[np.float64]
    weights: NDArray[np.float32]


def count(pairs: Pairs, scores: NDArray[np.float64], weights: NDArray[np.float32]) -> Counts:
    """Count pairs at rising scores, float64 (n,); ``weights`` float32 (B, people), of drawings."""
    impostors = pairs.impostors
    drawn = matches_by_replicate(pairs, scores[::-1], weights)[:, ::-1]
    everything = len(impostors.scores) == impostors.total
    below = np.zeros(len(scores), np.bool_)
    if not everything:
        below = scores < impostors.scores[-1]
    reached = impostors.matches(scores).astype(np.float64)
    reached[below] = _from_histogram(impostors, scores[below])
    top = slice(0, _HIGHEST + 1)
    a, b = pairs.people[impostors.a[top]], pairs.people[impostors.b[top]]
    return Counts(
        impostors.total,
        scores,
        reached,
        np.where(below, np.nan, drawn),
        weighted_pairs(pairs.sizes, weights),
        impostors.scores[top].astype(np.float64),
        weights[:, a] * weights[:, b],
    )


def pooled(parts: Sequence[Counts]) -> Counts:
    """Return the counts of several sets of pairs together; the same scores and drawings."""
    return reduce(_both, parts)


def bounds(counts: Counts) -> Curve:
    """Bound the false-match rate at each score from above, with 95 % confidence.

    Raises EvaluationError where there are too few pairs of strangers, or their scores are useless.
    """
    total, scores = counts.total, counts.scores
    if total < LEAST_PAIRS:
        raise EvaluationError(
            f"there are {total:,} pairs of pictures of different people, and {LEAST_PAIRS:,} are "
            "the least that tell anything; add people or pictures"
        )
    rates = _counted(counts)
    enough = counts.reached >= LEAST_COUNTED
    last = int(enough.sum()) - 1  # reached never rises, so the first ones are those
    if last < 0:
        raise EvaluationError("the scores of strangers are all below those that were asked about")
    beyond = _tail(counts)
    # No step down from what was counted to what was fitted.
    beyond *= max(1.0, rates[last] / max(beyond[last], np.finfo(np.float64).tiny))
    rates = np.where(enough, rates, beyond)
    lowest = _OF_ONE_PAIR / total
    rates = np.maximum.accumulate(rates[::-1])[::-1]
    rates = np.clip(rates, lowest, 1.0)
    return Curve(scores, rates, float(scores[last]), float(rates[-1]))


def _both(one: Counts, other: Counts) -> Counts:
    highest = np.concatenate([one.highest, other.highest])
    order = np.argsort(-highest, kind="stable")[: _HIGHEST + 1]
    return Counts(
        one.total + other.total,
        one.scores,
        one.reached + other.reached,
        one.drawn + other.drawn,
        one.possible + other.possible,
        highest[order],
        np.concatenate([one.weights, other.weights], axis=1)[:, order],
    )


def _from_histogram(impostors: Impostors, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float64 (n,): pairs that reach each score, or are less than a bin below it."""
    above = np.r_[impostors.counts[::-1].cumsum()[::-1], 0]
    places = np.searchsorted(impostors.edges, scores, side="right") - 1
    return np.asarray(above[np.clip(places, 0, len(impostors.counts))], np.float64)


def _counted(counts: Counts) -> NDArray[np.float64]:
    """Return float64 (n,): the bounds of the shares that were counted, 1 where nothing tells."""
    shares = counts.reached / counts.total
    kept = np.isfinite(counts.drawn).all(axis=0)
    found = np.ones(len(shares))
    if not kept.any():
        return found
    drawn = rate(counts.drawn[:, kept], counts.possible[:, None])
    found[kept] = _upper(shares[kept], drawn)
    # Where only a histogram is left, the share is as uncertain, for its size, as where they begin:
    # that is too much for shares that are higher, and so on the safe side.
    first = int(np.argmax(kept))
    if shares[first] > 0:
        found[:first] = shares[:first] * found[first] / shares[first]
    return np.minimum(found, 1.0)


def _tail(counts: Counts) -> NDArray[np.float64]:
    """Return float64 (n,): the bounds that the tail gives, 1 below where it begins."""
    size = max(LEAST_COUNTED, min(_HIGHEST, counts.total // _PART, len(counts.highest) - 1))
    begins = counts.highest[size]
    excess = counts.highest[:size] - begins
    if excess.mean() <= 0:
        raise EvaluationError(
            f"the {size} highest scores of strangers are all {begins:.4f}: are they of the same "
            "pictures?"
        )
    # The first row is the people as they are.
    weights = np.concatenate([np.ones((1, size)), counts.weights[:, :size]])
    possible = np.r_[counts.total, counts.possible]
    shapes, scales = fit(excess, weights)
    shares = rate(weights.sum(axis=1), possible)[:, None]
    above = np.maximum(counts.scores - begins, 0)[None]
    rates = shares * genpareto.sf(above, shapes[:, None], scale=scales[:, None])
    return np.where(counts.scores > begins, _upper(rates[0], rates[1:]), 1.0)


def _upper(values: NDArray[np.float64], drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float64 (n,): upper bounds of values (n,) by those of each drawing, (B, n).

    None is below the plain percentile, or the value.
    """
    drawn = np.sort(drawn[np.isfinite(drawn).all(axis=1)], axis=0)
    last = len(drawn) - 1
    lower = (drawn < values).mean(axis=0)
    bias = norm.ppf(np.clip(lower, 1 / (last + 1), last / (last + 1)))
    level = np.maximum(norm.cdf(2 * bias + norm.ppf(CONFIDENCE)), CONFIDENCE)
    place = np.ceil(level * last).astype(np.int64)
    found = np.take_along_axis(drawn, place[None], axis=0)[0]
    return np.asarray(np.maximum(found, values), np.float64)


def fit(
    excess: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit generalised Pareto distributions by maximum likelihood, one for each row of weights.

    ``excess`` is float64 (k,), none below zero, and ``weights`` float64 (B, k) says how often each
    of them counts. Returns shapes and scales, float64 (B,) each.

    With theta = shape / scale the best shape is the mean of log(1 + theta * excess), which leaves
    one parameter to search (Grimshaw, "Computing maximum likelihood estimates for the generalized
    Pareto distribution", Technometrics 35(2), 1993): here for all rows at once.
    """
    mean = float(excess.mean())
    # The support must reach beyond the highest excess: 1 + theta * excess > 0.
    negative = -np.linspace(1, 0, _STEPS, endpoint=False) * (1 - 1e-6) / excess.max()
    positive = np.linspace(0, 10, _STEPS + 1)[1:] ** 2 / 10 / mean
    theta = np.concatenate([negative, positive])
    logarithms = np.log1p(excess[:, None] * theta)
    counted = np.maximum(weights.sum(axis=1), 1)[:, None]
    shapes = weights @ logarithms / counted
    with np.errstate(divide="ignore", invalid="ignore"):
        scales = shapes / theta
        likelihood = -np.log(scales) - shapes - 1
    allowed = (shapes >= _SHAPES[0]) & (shapes <= _SHAPES[1]) & (scales > 0)
    best = np.argmax(np.where(allowed, likelihood, -np.inf), axis=1)
    rows = np.arange(len(weights))
    some = allowed.any(axis=1)
    return np.where(some, shapes[rows, best], 0.0), np.where(some, scales[rows, best], mean)
