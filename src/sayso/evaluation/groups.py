"""Differences between groups of people, where the user gave labels; none is ever inferred.

After ISO/IEC 19795-10: at one threshold for everybody, the false-match rate within each group and
between each two, the false-non-match rate of each, failures to extract, and the ratio of the
highest to the lowest rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sayso.evaluation.folder import Measured
from sayso.evaluation.pairs import Pairs, strictest
from sayso.evaluation.resampling import LEAST_EXPECTED, Estimate, estimate, rate

#: False-match rates, over all pairs within groups, whose thresholds are looked at.
RATES = (1e-3, 1e-4)


@dataclass(frozen=True, slots=True)
class Group:
    """Who is in a group; ``failures`` is the share of its pictures that gave no template."""

    name: str
    people: int
    pictures: int
    genuine_pairs: int
    failures: Estimate


@dataclass(frozen=True, slots=True)
class Ratio:
    """Highest by lowest rate; ``at_least`` where the lowest group had no error at all.

    Then its upper 95 % bound stands in for its rate, and there is no upper bound of the ratio.
    """

    value: float
    low: float | None
    high: float | None
    at_least: bool
    highest: str
    lowest: str


@dataclass(frozen=True, slots=True)
class GroupRates:
    """All groups at one threshold; None where there were too few pairs to tell.

    ``fmr[i][j]`` is between groups i and j in the order of ``Groups.groups``, within where they are
    the same; ``pairs[i][j]`` counts the impostor pairs. ``fnmr`` has one for each group.
    """

    false_match_rate: float
    threshold: float
    fmr: tuple[tuple[Estimate | None, ...], ...]
    pairs: tuple[tuple[int, ...], ...]
    fnmr: tuple[Estimate | None, ...]
    ratio: Ratio | None
    fnmr_ratio: Ratio | None


@dataclass(frozen=True, slots=True)
class Groups:
    """Differences between groups; ``not_measured`` are rates for which pairs were too few."""

    groups: tuple[Group, ...]
    unlabelled: int
    rates: tuple[GroupRates, ...]
    not_measured: tuple[float, ...]


def compare_groups(measured: Measured, pairs: Pairs, weights: NDArray[np.float32]) -> Groups | None:
    """Measure every group; None where nobody has a label.

    ``weights`` float32 (B, people) is how often each person was drawn, within their group.
    """
    names = _names(measured)
    if not names:
        return None
    label = group_numbers(measured)
    tables = [_at_rate(each, names, label, pairs, weights) for each in RATES]
    return Groups(
        tuple(
            _about(number, name, label, measured, pairs, weights)
            for number, name in enumerate(names)
        ),
        int((label < 0).sum()),
        tuple(each for each in tables if each is not None),
        tuple(each for each, table in zip(RATES, tables, strict=True) if table is None),
    )


def group_numbers(measured: Measured) -> NDArray[np.int64]:
    """Return int64 (people,): the place of each one's group in alphabetical order, -1 for none."""
    places = {name: place for place, name in enumerate(_names(measured))}
    return np.array([-1 if g is None else places[g] for g in measured.groups], np.int64)


def _names(measured: Measured) -> list[str]:
    return sorted({label for label in measured.groups if label is not None})


def _about(
    number: int,
    name: str,
    label: NDArray[np.int64],
    measured: Measured,
    pairs: Pairs,
    weights: NDArray[np.float32],
) -> Group:
    people = len(label)
    pictures = np.bincount(measured.people, minlength=people) * (label == number)
    failed = np.bincount(measured.people[~measured.found], minlength=people) * (label == number)
    drawn = weights.astype(np.float64)
    total = int(pictures.sum())
    return Group(
        name,
        int((label == number).sum()),
        total,
        int((label[pairs.genuine.person] == number).sum()),
        estimate(failed.sum() / total, rate(drawn @ failed, drawn @ pictures), trials=total),
    )


def _at_rate(
    false_match_rate: float,
    names: list[str],
    label: NDArray[np.int64],
    pairs: Pairs,
    weights: NDArray[np.float32],
) -> GroupRates | None:
    impostors, count = pairs.impostors, len(names)
    a, b = pairs.people[impostors.a], pairs.people[impostors.b]
    possible = _pairs_between(count, label, pairs.sizes.astype(np.float64)[None])[0]
    within = round(float(np.trace(possible)))
    same = (label[a] == label[b]) & (label[a] >= 0)
    if false_match_rate * within < LEAST_EXPECTED:
        return None
    threshold = strictest(impostors.scores[same], within, false_match_rate)
    if threshold is None:
        return None
    reach = int(impostors.matches(threshold))
    a, b = a[:reach], b[:reach]
    labelled = (label[a] >= 0) & (label[b] >= 0)
    a, b = a[labelled], b[labelled]
    ones = np.ones((1, len(label)), np.float32)
    seen = _matches_between(count, label, a, b, ones)[0]
    drawn = rate(
        _matches_between(count, label, a, b, weights),
        _pairs_between(count, label, weights.astype(np.float64) * pairs.sizes),
    )
    enough = possible * false_match_rate >= LEAST_EXPECTED
    fmr = tuple(
        tuple(
            estimate(seen[i, j] / possible[i, j], drawn[:, i, j], trials=possible[i, j])
            if enough[i, j]
            else None
            for j in range(count)
        )
        for i in range(count)
    )
    fnmr, fnmr_drawn = _false_non_matches(count, label, pairs, threshold, weights)
    own = np.arange(count)
    return GroupRates(
        false_match_rate,
        threshold,
        fmr,
        tuple(tuple(round(float(each)) for each in row) for row in possible),
        fnmr,
        _ratio(names, [fmr[i][i] for i in range(count)], drawn[:, own, own]),
        _ratio(names, list(fnmr), fnmr_drawn),
    )


def _pairs_between(
    count: int, label: NDArray[np.int64], sizes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return float64 (B, groups, groups): impostor pairs, of weighted sizes float64 (B, people)."""
    member = (label[:, None] == np.arange(count)).astype(np.float64)
    total, squares = sizes @ member, sizes**2 @ member
    found = total[:, :, None] * total[:, None, :]
    own = np.arange(count)
    found[:, own, own] = (found[:, own, own] - squares) / 2
    return np.asarray(found, np.float64)


def _matches_between(
    count: int,
    label: NDArray[np.int64],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return float64 (B, groups, groups), symmetric: weighted matches between people a and b."""
    low, high = np.minimum(label[a], label[b]), np.maximum(label[a], label[b])
    cell = low * count + high
    found = np.zeros((len(weights), count, count))
    for row, weight in enumerate(weights):
        flat = np.bincount(cell, weight[a] * weight[b], minlength=count * count)
        upper = flat.reshape(count, count)
        found[row] = upper + np.triu(upper, k=1).T
    return found


def _false_non_matches(
    count: int,
    label: NDArray[np.int64],
    pairs: Pairs,
    threshold: float,
    weights: NDArray[np.float32],
) -> tuple[tuple[Estimate | None, ...], NDArray[np.float64]]:
    """Return FNMR of each group, and of each replicate float64 (B, groups)."""
    genuine, people = pairs.genuine, len(label)
    missed = np.bincount(genuine.person[genuine.scores < threshold], minlength=people)
    tried = np.bincount(genuine.person, minlength=people)
    member = (label[:, None] == np.arange(count)).astype(np.float64)
    drawn_weights = weights.astype(np.float64)
    drawn = rate(
        drawn_weights @ (missed[:, None] * member), drawn_weights @ (tried[:, None] * member)
    )
    with_pairs = ((tried > 0)[:, None] * member).sum(axis=0)
    found = tuple(
        estimate((missed @ member)[i] / (tried @ member)[i], drawn[:, i], trials=with_pairs[i])
        if (tried @ member)[i] >= LEAST_EXPECTED
        else None
        for i in range(count)
    )
    return found, drawn


def _ratio(
    names: list[str], rates: list[Estimate | None], drawn: NDArray[np.float64]
) -> Ratio | None:
    """Return the highest rate by the lowest of those measured, and its interval."""
    known = [(each.value, place) for place, each in enumerate(rates) if each is not None]
    if len(known) < 2 or max(known)[0] <= 0:
        return None
    (highest, top), (lowest, bottom) = max(known), min(known)
    if lowest <= 0:
        return _ratio_at_least(names, rates, top, bottom)
    interval = estimate(highest / lowest, rate(drawn[:, top], drawn[:, bottom]))
    # A lowest rate of zero in more than a few replicates leaves the ratio without an upper bound.
    open_ended = (drawn[:, bottom] <= 0).mean() > 0.025
    high = None if open_ended else interval.high
    return Ratio(interval.value, interval.low, high, False, names[top], names[bottom])


def _ratio_at_least(
    names: list[str], rates: list[Estimate | None], top: int, bottom: int
) -> Ratio | None:
    """Return the highest rate by what the lowest, of no error, may be; None if that is below it."""
    highest, lowest = rates[top], rates[bottom]
    if highest is None or lowest is None or not lowest.high or highest.value <= lowest.high:
        return None
    low = None if highest.low is None else highest.low / lowest.high
    return Ratio(highest.value / lowest.high, low, None, True, names[top], names[bottom])
