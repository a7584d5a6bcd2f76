"""Promises of a calibration that is right, too bold or too careful by a known factor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from sayso.evaluation.identification import Identification, identify
from sayso.evaluation.promises import Mated, Promise, Strangers, default_setting, hold, setting
from sayso.evaluation.resampling import people_weights
from sayso.evaluation.scoring import Normalised, RawCosine
from sayso.evaluation.searching import Searches, rows_by_person, search, split_people
from sayso.evaluation.wording import verdict
from sayso.evidence.calibration import Calibration
from tests.evaluation.synthetic import (
    claims,
    cosine_claims,
    faces,
    measured,
    normal,
    normal_claims,
    some_normaliser,
)


def weights(people: int) -> np.ndarray:
    return people_weights(np.zeros(people, np.int64), np.random.default_rng(1), 200)


def run(calibration: Calibration, *, genuine: float = 8.0) -> Identification:
    data, table = normal(200, 3, genuine=genuine)
    found = identify(data, table.claiming(calibration), weights(200), seed=0)
    assert found is not None
    return found


def of_largest(calibration: Calibration) -> tuple[Promise, Promise]:
    promises = run(calibration).largest.promises
    assert promises is not None
    tenth, one = promises.others
    return tenth, one


@pytest.mark.parametrize(
    ("claimed", "told"),
    [(1 / 3, "not kept"), (1.0, None), (3.0, "kept, with more caution than needed")],
)
def test_seen_by_promised_is_how_wrong_the_claim_is(claimed: float, told: str | None) -> None:
    for promise in of_largest(normal_claims(claimed)):
        assert promise.ratio is not None
        assert promise.ratio.low is not None
        assert promise.ratio.high is not None
        assert promise.ratio.value == pytest.approx(1 / claimed, rel=0.25)  # of 60 and more
        assert promise.ratio.low <= 1 / claimed <= promise.ratio.high
        if told:
            assert verdict(promise) == told


def test_every_false_match_counts_and_not_only_whether_there_was_any() -> None:
    _, one = of_largest(normal_claims())
    assert one.promised is not None
    assert one.false_matches is not None
    assert one.named is not None
    assert one.promised == pytest.approx(one.searches)  # one each
    assert one.false_matches == pytest.approx(one.searches, rel=0.1)
    # Of independent comparisons, 1 - 1/e of the searches have one or more.
    assert one.named == pytest.approx(one.searches * (1 - np.exp(-1)), rel=0.1)


def test_galleries_of_each_size_promise_as_much_a_search() -> None:
    found = run(normal_claims())
    assert [each.size for each in found.galleries] == [100, 140]
    thresholds = []
    for gallery in found.galleries:
        assert gallery.promises is not None
        tenth = gallery.promises.others[0]
        assert tenth.promised == pytest.approx(0.1 * gallery.non_mated)
        thresholds.append(tenth.threshold or 0)
    assert thresholds[0] < thresholds[1]


def test_the_default_setting_names_those_it_should() -> None:
    promises = run(normal_claims(), genuine=8.0).largest.promises
    assert promises is not None
    default = promises.default
    # The rule alone decides: 0.01 among 140, which similarity 80 would ask far more than.
    rate = 0.01 / 140
    assert default.threshold == pytest.approx(norm.isf(rate), abs=0.02)
    assert default.expected == pytest.approx(0.01, rel=0.01)
    assert default.named is not None
    assert default.promised is not None
    assert default.named < default.promised
    assert default.found is not None
    assert default.found.value > 0.99
    strict = run(normal_claims(), genuine=float(norm.isf(rate))).largest.promises
    assert strict is not None
    assert strict.default.found is not None
    assert strict.default.found.low is not None
    assert strict.default.found.high is not None
    assert strict.default.found.low < 0.5 < strict.default.found.high


def test_a_large_gallery_is_held_to_its_expected_false_matches() -> None:
    calibration = normal_claims()
    small, large = (default_setting(calibration, faces) for faces in (1_000, 1_000_000))
    assert small.threshold < calibration.score(80)
    assert small.rate * 1_000 == pytest.approx(0.01)
    assert large.threshold > small.threshold
    assert large.rate * 1_000_000 == pytest.approx(0.01)


def test_what_is_not_claimed_is_not_measured() -> None:
    tenth, one = of_largest(normal_claims(up_to=2.6))  # claims no rate below 0.0047
    assert tenth == Promise(0.1, tenth.searches)
    assert one.ratio is not None
    assert setting(normal_claims(up_to=2.6), 0.1, 140).threshold == np.inf


def test_scores_without_a_calibration_promise_nothing() -> None:
    data, table = normal(40, 3)
    found = identify(data, table, weights(40), seed=0)
    assert found is not None
    assert [each.promises for each in found.galleries] == [None] * len(found.galleries)


def test_more_strangers_alike_are_more_false_matches_than_promised() -> None:
    """Three pictures fused: the strangers of some lean the same way, and nothing told so."""
    lean = np.where(np.arange(80) % 4 == 0, 0.8, 0.0).astype(np.float32)
    ratios = []
    for common in (np.zeros(80, np.float32), lean):
        people, templates = faces(80, 7, noise=0.8, common=common)
        scorer = RawCosine(cosine_claims())
        found = identify(measured(people, templates), scorer, weights(80), seed=0)
        assert found is not None
        assert [each.pictures for each in found.fused] == [1, 3]
        for gallery in found.fused:
            assert gallery.promises is not None
            ratio = gallery.promises.others[1].ratio
            assert ratio is not None
            ratios.append(ratio)
    assert all(each.value == pytest.approx(1, abs=0.35) for each in ratios[:2])
    assert all(each.value > 2 for each in ratios[2:])
    assert all((each.low or 0) > 1 for each in ratios[2:])


def test_fused_templates_are_scored_through_the_normaliser() -> None:
    people, templates = faces(30, 6, noise=0.9)
    data, normaliser = measured(people, templates), some_normaliser()
    scorer = Normalised(normaliser)
    split = split_people(
        data, rows_by_person(data), np.arange(30), np.random.default_rng(0), pictures=3, spare=3
    )
    found = Searches()
    search(data, scorer.prepare(templates), split, scorer, [len(split.gallery)], [-np.inf], [found])
    expected = normaliser.scores(templates[split.strangers], split.gallery)
    (close,) = found.close
    assert len(close.scores) == expected.size
    assert np.allclose(close.scores, expected[close.search, close.place], atol=1e-6)
    assert np.allclose(found.top[0], expected.max(axis=1), atol=1e-6)


def strangers(matches: list[tuple[int, int]], *, people: int, total: int) -> Strangers:
    """Matches of a searcher and an enrolled person at score 1, one search each."""
    searcher, enrolled = np.array(matches, np.int64).reshape(-1, 2).T
    return Strangers(
        searches=total // people,
        total=total,
        different=total,
        drawn=np.full(200, float(total)),
        search=np.arange(len(matches)),
        searcher=searcher,
        enrolled=enrolled,
        scores=np.ones(len(matches), np.float32),
    )


def test_intervals_heed_that_one_person_has_many_false_matches() -> None:
    calibration = claims(np.array([0.0, 1.0]), np.array([1.0, 1e-3]))
    nobody = Mated(np.zeros(0, np.int64), np.zeros(0, np.float32))

    def width(matches: list[tuple[int, int]]) -> float:
        there = strangers(matches, people=100, total=100_000)
        (promise,) = hold(calibration, 100, there, nobody, weights(200), (0.1,)).others
        assert promise.found is None
        assert promise.ratio is not None
        assert promise.ratio.value == pytest.approx(1.0)
        return (promise.ratio.high or 0) - (promise.ratio.low or 0)

    spread = [(i, 199 - i) for i in range(100)]
    one_person = [(0, 199 - i) for i in range(100)]
    assert width(one_person) > 2 * width(spread)


def test_where_none_was_seen_the_ratio_has_an_upper_bound() -> None:
    calibration = claims(np.array([0.0, 1.0]), np.array([1.0, 1e-3]))
    none = strangers([], people=100, total=100_000)
    mated = Mated(np.arange(50), np.ones(50, np.float32))
    (promise,) = hold(calibration, 100, none, mated, weights(200), (0.1,)).others
    assert promise.ratio is not None
    assert promise.ratio.value == 0
    assert promise.ratio.high == pytest.approx(3 / 100)
    assert promise.found is not None
    assert promise.found.value == 1
    assert promise.found.low == pytest.approx(1 - 3 / 50)
    few = replace(none, different=9_000)
    (untold,) = hold(calibration, 100, few, mated, weights(200), (0.1,)).others
    assert untold.ratio is None
    # 20 seen where 9 were promised are enough to tell.
    many = strangers([(i, 199 - i) for i in range(20)], people=100, total=9_000)
    (broken,) = hold(calibration, 100, many, mated, weights(200), (0.1,)).others
    assert broken.ratio is not None
    assert broken.ratio.value == pytest.approx(20 / 9)
    assert verdict(untold) == "not measured"


def test_the_same_seed_gives_the_same_promises() -> None:
    assert run(normal_claims()).largest.promises == run(normal_claims()).largest.promises


def test_of_fused_templates_nothing_is_promised_where_their_factor_was_not_measured() -> None:
    people, templates = faces(80, 6)
    data = measured(people, templates)
    scorer = RawCosine(replace(cosine_claims(1.0), fused=None))
    found = identify(data, scorer, weights(80), 0)
    assert found is not None
    assert [each.promises is None for each in found.fused] == [False, True]
    assert found.largest.promises is not None
