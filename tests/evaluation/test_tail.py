"""Bounds of the false-match rate against distributions whose true rates are known."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import genpareto, norm

from sayso.evaluation import tail
from sayso.evaluation.folder import EvaluationError, Measured
from sayso.evaluation.pairs import Pairs, score_pairs
from sayso.evaluation.resampling import people_weights
from tests.evaluation.synthetic import Table, measured

PEOPLE, PICTURES = 60, 4
#: Of the variance of a score, what each of the two people brings.
SHARED = 0.1
#: Pairs that reach a score, in truth: counted ones and, beyond 50, what only the tail can tell.
REACHING = np.array([2_000.0, 200.0, 60.0, 10.0, 1.0, 0.3])


def world(
    seed: int, *, exponential: bool = False, people: int = PEOPLE, pictures: int = PICTURES
) -> tuple[Measured, Table]:
    """Scores of N(0, 1), or exponential ones, to which the two people bring a part of their own."""
    rng = np.random.default_rng((seed, 7))
    owner = np.repeat(np.arange(people), pictures)
    scores = np.triu(rng.standard_normal((len(owner),) * 2), k=1)
    person = np.sqrt(SHARED) * rng.standard_normal(people)[owner]
    scores = np.sqrt(1 - 2 * SHARED) * (scores + scores.T) + person[:, None] + person[None]
    if exponential:
        scores = -norm.logsf(scores)
    rows = np.stack([np.ones(len(owner)), np.arange(len(owner))], axis=1).astype(np.float32)
    return measured(owner.tolist(), rows), Table(scores.astype(np.float32))


def drawn(people: int = PEOPLE, seed: int = 0) -> NDArray[np.float32]:
    return people_weights(np.zeros(people, np.int64), np.random.default_rng(seed))


def pairs_of(seed: int, *, exponential: bool = False, kept: int = 100_000) -> Pairs:
    return score_pairs(*world(seed, exponential=exponential), kept)


def curve(pairs: Pairs, scores: NDArray[np.float64]) -> tail.Curve:
    return tail.bounds(tail.count(pairs, scores, drawn(len(pairs.sizes))))


@pytest.mark.parametrize("exponential", [False, True])
def test_the_bounds_cover_the_true_rates_and_are_not_far_from_them(exponential: bool) -> None:
    worlds = 40
    ratios = []
    for seed in range(worlds):
        pairs = pairs_of(seed, exponential=exponential)
        truth = REACHING / pairs.impostors.total
        scores = -np.log(truth) if exponential else norm.isf(truth)
        found = curve(pairs, scores)
        assert scores[1] <= found.counted_to <= scores[3]
        ratios.append(found.rates / truth)
    covered = (np.array(ratios) >= 1).mean(axis=0)
    # 95 % is the aim; few people, and a tail that is no exact one, cost some of it.
    assert covered.min() >= 0.85
    assert covered.mean() >= 0.88
    assert (np.median(ratios, axis=0) <= [1.5, 1.8, 2.1, 2.6, 4.5, 7]).all()


def test_taking_pairs_for_independent_would_not_cover() -> None:
    """The test above can fail: a bound that forgets the people is too low too often."""
    covered = 0
    for seed in range(40):
        pairs = pairs_of(seed)
        total = pairs.impostors.total
        seen = int(pairs.impostors.matches(NormalDist().inv_cdf(1 - 2_000 / total)))
        covered += seen + 1.645 * np.sqrt(seen) >= 2_000
    assert covered <= 0.75 * 40


def test_nothing_is_claimed_below_a_tenth_of_one_pair() -> None:
    pairs = pairs_of(1)
    found = curve(pairs, np.linspace(-4, 12, 200))
    assert found.rates[-1] == found.lowest == 0.1 / pairs.impostors.total
    assert (np.diff(found.rates) <= 0).all()
    assert found.rates[0] == 1
    assert (found.rates[found.scores > 10] == found.lowest).all()


def test_where_counting_ends_the_bound_does_not_fall_at_once() -> None:
    for seed in range(10):
        pairs = pairs_of(seed)
        found = curve(pairs, np.arange(2.0, 5.0, 0.01))
        last = int(np.searchsorted(found.scores, found.counted_to))
        assert pairs.impostors.matches(found.counted_to) >= 50
        assert pairs.impostors.matches(found.scores[last + 1]) < 50
        assert found.rates[last + 1] > 0.85 * found.rates[last]


def test_a_few_pairs_that_are_far_too_alike_are_seen() -> None:
    data, table = world(2)
    scores = np.arange(2.0, 8.0, 0.05)
    before = curve(score_pairs(data, table), scores)
    rows = np.arange(data.people.size, dtype=np.float32)
    every = table.scores(*[np.stack([np.ones_like(rows), rows], axis=1)] * 2)
    # Two people of the folder are one: their pictures match like those of one person.
    same = np.outer(data.people == 3, data.people == 4)
    spoiled = Table(np.where(same | same.T, np.float32(6.5), every))
    after = curve(score_pairs(data, spoiled), scores)
    beyond = np.searchsorted(scores, 6.0)
    assert before.rates[beyond] < 1e-4
    assert after.rates[beyond] > 16 / score_pairs(data, spoiled).impostors.total


def test_twice_as_many_high_scores_give_about_twice_the_rate() -> None:
    # Of people who have nothing in common, and with a threshold that is lower for one half.
    rng = np.random.default_rng(3)
    owner = np.repeat(np.arange(80), 4)
    high = rng.exponential(size=(len(owner),) * 2)
    high = np.triu(high, k=1) + np.triu(high, k=1).T
    rows = np.stack([np.ones(len(owner)), np.arange(len(owner))], axis=1).astype(np.float32)
    data = measured(owner.tolist(), rows)
    scores = np.array([3.0, 6.0, 9.0])
    one, other = (
        curve(score_pairs(data, Table((high + shift).astype(np.float32))), scores)
        for shift in (0.0, np.log(2))
    )
    assert (other.rates / one.rates)[:2] == pytest.approx(2, rel=0.25)
    assert 1.5 < (other.rates / one.rates)[2] < 3.5


def test_below_the_kept_scores_the_histogram_gives_a_bound_that_is_not_lower() -> None:
    data, table = world(4)
    scores = np.arange(-2.0, 4.0, 0.05)
    everything, some = (curve(score_pairs(data, table, kept), scores) for kept in (10**6, 3_000))
    assert (some.rates >= 0.999 * everything.rates).all()
    high = everything.rates < 3_000 / 27_000
    assert np.array_equal(some.rates[high], everything.rates[high])
    assert (some.rates[scores > 0] <= 1.6 * everything.rates[scores > 0]).all()


def test_pooled_counts_are_those_of_all_pairs_together() -> None:
    data, table = world(5)
    weights, scores = drawn(), np.arange(0.0, 6.0, 0.1)
    parts = []
    for half in (data.people < 30, data.people >= 30):
        some = np.where(half[:, None], data.templates, 0)
        part = measured(data.people.tolist(), some)
        parts.append(tail.count(score_pairs(part, table), scores, weights))
    both = tail.pooled(parts)
    assert both.total == 2 * (120 * 119 // 2 - 30 * 6)
    assert np.array_equal(both.reached, parts[0].reached + parts[1].reached)
    every = np.sort(np.concatenate([each.highest for each in parts]))[::-1]
    assert np.array_equal(both.highest, every[: len(both.highest)])
    assert len(both.weights[0]) == len(both.highest)
    # How often a pair was drawn stays with its score.
    first = next(each for each in parts if each.highest[0] == both.highest[0])
    assert np.array_equal(both.weights[:, 0], first.weights[:, 0])
    assert tail.bounds(both).rates[-1] == 0.1 / both.total


@pytest.mark.parametrize("shape", [-0.3, -0.1, 0.0, 0.2])
def test_the_fit_is_the_one_of_maximum_likelihood(shape: float) -> None:
    excess = genpareto.rvs(shape, scale=0.05, size=800, random_state=5)
    times = np.random.default_rng(6).integers(0, 3, size=(3, 800)).astype(np.float64)
    shapes, scales = tail.fit(excess, times)
    for row, found, scale in zip(times, shapes, scales, strict=True):
        repeated = np.repeat(excess, row.astype(int))
        known, _, its_scale = genpareto.fit(repeated, floc=0)
        assert found == pytest.approx(known, abs=0.01)
        assert scale == pytest.approx(its_scale, rel=0.01)


def test_the_same_drawings_give_the_same_bounds() -> None:
    pairs = pairs_of(6)
    scores = np.arange(0.0, 6.0, 0.1)
    one, other = curve(pairs, scores), curve(pairs_of(6), scores)
    assert np.array_equal(one.rates, other.rates)
    another = tail.bounds(tail.count(pairs, scores, drawn(seed=1)))
    assert not np.array_equal(one.rates, another.rates)


def test_too_few_pairs_are_refused_with_what_is_needed() -> None:
    data, table = world(7, people=20, pictures=1)
    pairs = score_pairs(data, table)
    with pytest.raises(EvaluationError, match=r"there are 190 pairs .* 1,000 are the least"):
        curve(pairs, np.array([0.0, 1.0]))


def test_scores_that_are_all_the_same_are_refused() -> None:
    data, _ = world(8)
    flat = Table(np.ones((240, 240), np.float32))
    with pytest.raises(EvaluationError, match=r"highest scores of strangers are all 1\.0000"):
        curve(score_pairs(data, flat), np.array([0.0, 0.5, 1.0]))
