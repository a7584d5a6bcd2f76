"""Rates and intervals against distributions whose true rates are known."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from sayso.evaluation.pairs import score_pairs
from sayso.evaluation.resampling import people_weights
from sayso.evaluation.scoring import RawCosine
from sayso.evaluation.verification import Verification, verify
from tests.evaluation.synthetic import Table, faces, measured, normal

PHI = NormalDist().cdf
AT = NormalDist().inv_cdf


def weights(people: int, replicates: int = 200, seed: int = 1) -> np.ndarray:
    return people_weights(np.zeros(people, np.int64), np.random.default_rng(seed), replicates)


def run(
    people: int, pictures: int, *, of_person: float = 0.0, seed: int = 0, genuine: float = 3.0
) -> Verification:
    data, scorer = normal(people, pictures, genuine=genuine, of_person=of_person, seed=seed)
    return verify(score_pairs(data, scorer), weights(people))


def test_every_pair_is_counted_once() -> None:
    found = run(30, 4)
    assert found.genuine_pairs == 30 * 6
    assert found.impostor_pairs == 120 * 119 // 2 - 30 * 6
    assert found.people == 30


@pytest.mark.parametrize("rate", [1e-2, 1e-3])
def test_thresholds_and_misses_are_those_of_the_distributions(rate: float) -> None:
    found = run(200, 4)
    (point,) = [each for each in found.points if each.false_match_rate == rate]
    assert point.threshold == pytest.approx(AT(1 - rate), abs=0.06)
    assert point.fmr is not None
    assert point.fmr.value <= rate
    assert point.fmr.value == pytest.approx(rate, rel=0.01)
    assert point.fmr.low is not None
    assert point.fmr.high is not None
    assert point.fmr.low < 0.99 * rate < 1.01 * rate < point.fmr.high
    assert point.fnmr is not None
    assert point.tar is not None
    truth = PHI(AT(1 - rate) - 3)
    assert point.fnmr.value == pytest.approx(truth, abs=0.04)
    assert point.fnmr.low is not None
    assert point.fnmr.high is not None
    assert point.fnmr.low <= truth <= point.fnmr.high
    assert point.fnmr.high - point.fnmr.low < 0.12
    assert point.tar.value == pytest.approx(1 - point.fnmr.value)


def test_a_rate_that_too_few_pairs_could_show_is_not_measured() -> None:
    found = run(60, 4)  # 28,320 pairs: 28 false matches at 1e-3, 2.8 at 1e-4
    assert [each.fnmr is not None for each in found.points] == [True, True, False, False]
    assert [each.threshold is None for each in found.points] == [False, False, True, True]
    assert found.points[2].expected == pytest.approx(2.832)
    assert found.det.fmr.min() * found.impostor_pairs >= 10


def test_the_equal_error_rate_is_that_of_the_distributions() -> None:
    found = run(200, 4).eer
    assert found is not None
    assert found.value == pytest.approx(PHI(-1.5), abs=0.012)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= PHI(-1.5) <= found.high


def test_scores_at_the_threshold_match() -> None:
    # Two people, one score for all impostors: nothing separates them, so none or all match.
    data, _ = normal(2, 3)
    table = np.where(data.people[:, None] == data.people[None], 2.0, 1.0).astype(np.float32)
    pairs = score_pairs(data, Table(table))
    assert pairs.impostors.threshold(0.5) == np.nextafter(np.float32(1), np.float32(2))
    assert pairs.impostors.matches(1.0) == 9
    assert pairs.impostors.matches(1.0001) == 0
    assert pairs.impostors.threshold(1.0) == 1.0


def test_few_kept_scores_give_the_same_thresholds_as_all() -> None:
    data, scorer = normal(120, 5)
    everything, some = score_pairs(data, scorer), score_pairs(data, scorer, kept=2_000)
    assert len(everything.impostors.scores) == everything.impostors.total == some.impostors.total
    assert len(some.impostors.scores) == 2_000
    assert np.array_equal(some.impostors.scores, everything.impostors.scores[:2_000])
    assert some.impostors.threshold(1e-3) == everything.impostors.threshold(1e-3)
    assert some.impostors.threshold(0.5) is None
    assert some.impostors.counts.sum() == some.impostors.total
    assert np.array_equal(some.impostors.nearest, everything.impostors.nearest)
    # Beyond what is kept the curve comes from the histogram, and has no band.
    found = verify(some, weights(120))
    assert found.det.fmr.max() > 0.4
    assert np.isnan(found.det.high[-1])
    assert found.eer is not None
    assert found.eer.value == pytest.approx(PHI(-1.5), abs=0.02)
    assert found.eer.low is None


def test_blocks_give_what_one_product_gives() -> None:
    people, templates = faces(150, 4)
    data = measured(people, templates)
    found = score_pairs(data, RawCosine())
    every = templates @ templates.T
    stranger = data.people[:, None] != data.people[None]
    expected = np.sort(every[np.triu(stranger, k=1)])[::-1]
    assert np.allclose(found.impostors.scores, expected, atol=1e-6)
    others = np.where(stranger, every, -np.inf)
    assert np.allclose(found.impostors.nearest, others.max(axis=1), atol=1e-6)
    assert np.array_equal(found.impostors.nearest_row, others.argmax(axis=1))
    highest = every[found.impostors.a, found.impostors.b]
    assert np.allclose(highest, found.impostors.scores, atol=1e-6)
    assert stranger[found.impostors.a, found.impostors.b].all()


def test_pictures_without_a_template_are_in_no_pair() -> None:
    people, templates = faces(20, 4)
    templates[::4] = 0
    data = measured(people, templates)
    found = score_pairs(data, RawCosine())
    assert len(found.genuine.scores) == 20 * 3
    assert found.impostors.total == 60 * 59 // 2 - 60
    assert found.sizes.tolist() == [3] * 20
    assert not set(np.flatnonzero(~data.found)) & {*found.impostors.a, *found.genuine.a}


def test_intervals_cover_the_truth_where_people_differ() -> None:
    """Resampling people covers; taking pairs for independent, as the binomial does, would not."""
    truth = PHI((AT(0.99) - 3) / np.sqrt(2))
    people, pictures, runs = 40, 5, 40
    covered = binomial = 0
    for seed in range(runs):
        found = run(people, pictures, of_person=1.0, seed=seed).points[0].fnmr
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
        pairs = people * pictures * (pictures - 1) / 2
        reach = 1.96 * np.sqrt(found.value * (1 - found.value) / pairs)
        binomial += abs(found.value - truth) <= reach
    assert covered >= 0.85 * runs
    assert binomial <= 0.8 * runs


def test_where_no_miss_was_seen_the_rule_of_three_bounds_it_by_people() -> None:
    found = run(50, 3, genuine=30.0).points[0].fnmr
    assert found is not None
    assert (found.value, found.low, found.high) == (0, 0, 3 / 50)


def test_a_person_with_very_many_pictures_cannot_exhaust_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sayso.evaluation.pairs.MOST_PICTURES", 10)
    people, templates = faces(2, 50)
    found = score_pairs(measured(people, templates), RawCosine()).genuine
    assert len(found.scores) == 2 * 45
