from __future__ import annotations

import numpy as np
import pytest

from sayso.evaluation.folder import Measured
from sayso.evaluation.groups import Groups, Ratio, _ratio, compare_groups, group_numbers
from sayso.evaluation.pairs import score_pairs
from sayso.evaluation.resampling import Estimate, people_weights
from sayso.evaluation.scoring import RawCosine
from tests.evaluation.synthetic import faces, measured


def run(data: Measured) -> Groups:
    rng = np.random.default_rng(1)
    weights = people_weights(group_numbers(data), rng, 200)
    found = compare_groups(data, score_pairs(data, RawCosine()), weights)
    assert found is not None
    return found


def two_groups(lean: float, seed: int = 0) -> Measured:
    """200 people in each of two groups; those of ``beta`` lean in one direction."""
    common = np.repeat([0.0, lean], 200).astype(np.float32)
    people, templates = faces(400, 2, common=common, seed=seed)
    return measured(people, templates, groups=["alpha"] * 200 + ["beta"] * 200)


def test_a_group_whose_strangers_are_more_alike_is_found() -> None:
    found = run(two_groups(0.8))
    assert [group.name for group in found.groups] == ["alpha", "beta"]
    (rates,) = [each for each in found.rates if each.false_match_rate == 1e-3]
    alpha, beta = rates.fmr[0][0], rates.fmr[1][1]
    assert alpha is not None
    assert beta is not None
    # Both groups have as many pairs, so the two rates average to the common one.
    assert (alpha.value + beta.value) / 2 == pytest.approx(1e-3, rel=0.03)
    assert rates.ratio is not None
    assert (rates.ratio.highest, rates.ratio.lowest) == ("beta", "alpha")
    assert rates.ratio.value > 5
    assert rates.ratio.at_least or (rates.ratio.low or 0) > 3


def test_groups_that_do_not_differ_are_not_said_to() -> None:
    (rates, *_) = run(two_groups(0.0)).rates
    assert rates.ratio is not None
    assert rates.ratio.value < 2.5
    assert rates.ratio.low is not None
    assert rates.ratio.low < 1.5


def test_the_matrix_is_symmetric_and_counts_the_pairs() -> None:
    (rates, *_) = run(two_groups(0.8)).rates
    assert rates.fmr[0][1] == rates.fmr[1][0]
    assert rates.pairs[0][1] == 400 * 400
    assert rates.pairs[0][0] == 400 * 399 // 2 - 200
    across, within = rates.fmr[0][1], rates.fmr[1][1]
    assert across is not None
    assert within is not None
    assert across.value < within.value


def test_a_group_that_is_recognised_less_is_found() -> None:
    people, easy = faces(100, 4, noise=0.5)
    _, hard = faces(100, 4, noise=1.8)
    templates = np.where(np.array(people)[:, None] < 50, easy, hard)
    data = measured(people, templates, groups=["easy"] * 50 + ["hard"] * 50)
    (rates, *_) = run(data).rates
    low, high = rates.fnmr
    assert low is not None
    assert high is not None
    assert high.low is not None
    assert low.high is not None
    assert high.low > low.high
    assert rates.fnmr_ratio is not None
    assert rates.fnmr_ratio.highest == "hard"


def test_a_group_without_any_error_bounds_the_ratio_or_says_nothing() -> None:
    names = ["none", "some"]
    nothing = Estimate(0.0, 0.0, 0.002)
    clear = _ratio(names, [nothing, Estimate(0.02, 0.01, 0.03)], np.zeros((10, 2)))
    assert clear == Ratio(10.0, 5.0, None, True, "some", "none")
    assert _ratio(names, [nothing, Estimate(0.001, 0.0, 0.004)], np.zeros((10, 2))) is None
    assert _ratio(names, [nothing, nothing], np.zeros((10, 2))) is None
    assert _ratio(names, [None, nothing], np.zeros((10, 2))) is None


def test_failures_to_extract_are_counted_by_group() -> None:
    data = two_groups(0.2)
    templates = data.templates.copy()
    templates[400:600:2] = 0  # one of two pictures of half of beta
    people = data.people.tolist()
    alpha, beta = run(measured(people, templates, groups=data.groups)).groups
    assert (alpha.failures.value, beta.failures.value) == (0, 0.25)
    assert alpha.failures.high == 3 / 400
    assert (beta.pictures, beta.genuine_pairs) == (400, 100)


def test_a_group_with_too_few_pairs_says_so() -> None:
    people, templates = faces(62, 4, common=np.full(62, 0.3, np.float32))
    groups = ["many"] * 60 + ["few"] * 2
    found = run(measured(people, templates, groups=groups))
    (rates, *_) = found.rates
    assert rates.fmr[0][0] is None  # "few" comes first
    assert rates.fmr[1][1] is not None
    assert rates.ratio is None
    assert found.not_measured == (1e-4,)


def test_people_without_a_label_are_in_no_group() -> None:
    people, templates = faces(80, 4, common=np.full(80, 0.3, np.float32))
    groups = [None] * 20 + ["a"] * 60
    found = run(measured(people, templates, groups=groups))
    assert found.unlabelled == 20
    assert [(group.name, group.people) for group in found.groups] == [("a", 60)]
    assert found.rates[0].pairs == ((240 * 239 // 2 - 60 * 6,),)


def test_without_labels_there_are_no_groups() -> None:
    people, templates = faces(10, 2)
    data = measured(people, templates)
    pairs = score_pairs(data, RawCosine())
    weights = people_weights(group_numbers(data), np.random.default_rng(1), 20)
    assert compare_groups(data, pairs, weights) is None
