"""Calibrations of pictures whose people are known."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import pytest
from numpy.typing import NDArray

from sayso.evaluation import tail
from sayso.evaluation.calibrating import STEP, Calibrated, Source, calibrate, require_people
from sayso.evaluation.folder import EvaluationError, Measured
from sayso.evaluation.pairs import score_pairs
from sayso.evaluation.scoring import Normalised, RawCosine
from sayso.evidence.calibration import dumps, loads
from sayso.evidence.normalisation import Normaliser
from tests.evaluation.synthetic import DIMENSION, faces, measured


def crowd(
    people: int = 60, pictures: int = 3, *, groups: int = 0, lean: float = 0.0, seed: int = 0
) -> Measured:
    """People of whom those of the first group lean in one direction, and so are more alike."""
    labels = [f"group {i % groups}" for i in range(people)] if groups else None
    common = np.array([lean * (not groups or i % groups == 0) for i in range(people)], np.float32)
    owner, templates = faces(people, pictures, common=common if lean else None, seed=seed)
    return measured(owner, templates, groups=labels)


def calibrated(
    *sources: Measured | Source, normaliser: Normaliser | None = None, seed: int = 0
) -> Calibrated:
    return calibrate(
        [each if isinstance(each, Source) else Source(each) for each in sources],
        model="sface-2021dec",
        model_sha256="ab" * 32,
        template_version="synthetic/1",
        provenance="random directions",
        normaliser=normaliser,
        seed=seed,
    )


def shifted(by: float) -> Normaliser:
    """A normaliser that takes ``by`` off each score, and does nothing else."""
    size = DIMENSION
    return Normaliser(
        np.zeros(size, np.float32),
        np.eye(size, dtype=np.float32),
        by / 2,
        np.zeros(size),
        np.zeros((size, size)),
    )


def rates(found: Calibrated, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return found.calibration.false_match_rate(scores)


def test_a_calibration_is_one_that_can_be_written_and_read() -> None:
    found = calibrated(crowd(groups=2, lean=0.8), normaliser=shifted(0.1)).calibration
    read = loads(dumps(found))
    assert np.array_equal(read.scores, found.scores)
    assert read.rates == pytest.approx(found.rates, rel=1e-12)
    assert read.worst_group == pytest.approx(found.worst_group, rel=1e-12)
    assert read.counted_to == found.counted_to
    assert read.normaliser is not None
    assert (read.model, read.provenance) == ("sface-2021dec", "random directions")


def test_the_table_has_the_rows_that_say_something() -> None:
    data = crowd()
    found = calibrated(data).calibration
    total = 180 * 179 // 2 - 60 * 3
    assert found.rates[0] == 1
    assert found.rates[1] < 0.99
    assert found.rates[-1] < found.rates[-2]
    assert found.lowest_rate == pytest.approx(0.1 / total, rel=1e-3)
    assert found.lowest_rate >= 0.1 / total
    assert np.diff(found.scores) == pytest.approx(STEP)
    assert found.worst_group is None
    assert found.false_match_rate(np.array([0.99]))[0] == found.lowest_rate
    pairs = score_pairs(data, RawCosine()).impostors
    counted = found.scores[found.scores <= found.counted_to]
    assert pairs.matches(found.counted_to) >= tail.LEAST_COUNTED
    assert pairs.matches(found.counted_to + STEP) < tail.LEAST_COUNTED
    shares = pairs.matches(counted) / pairs.total
    assert (rates(calibrated(data), counted) >= shares * (1 - 1e-6)).all()


def test_what_a_template_scores_with_itself_is_the_ceiling() -> None:
    assert calibrated(crowd()).calibration.ceiling == pytest.approx(1)
    found = calibrated(crowd(), normaliser=shifted(0.2)).calibration
    assert found.ceiling == pytest.approx(0.8, abs=1e-5)


def test_the_scores_are_those_of_the_normaliser() -> None:
    one = calibrated(crowd()).calibration
    other = calibrated(crowd(), normaliser=shifted(0.2)).calibration
    at = np.array([0.1, 0.2, 0.3])
    assert other.false_match_rate(at - 0.2) == pytest.approx(one.false_match_rate(at), rel=0.02)
    assert other.counted_to == pytest.approx(one.counted_to - 0.2, abs=1e-9)


def test_people_without_labels_who_are_more_alike_raise_the_rates() -> None:
    at = np.array([0.2, 0.3, 0.4])
    assert (rates(calibrated(crowd(lean=0.6)), at) > 2 * rates(calibrated(crowd()), at)).all()


def test_labels_raise_what_is_claimed_where_a_group_is_more_alike() -> None:
    labelled = crowd(people=120, groups=3, lean=0.8)
    without = replace(labelled, groups=(None,) * len(labelled.names))
    at = np.array([0.2, 0.3, 0.35])
    found, plain = calibrated(labelled), calibrated(without)
    # A third of the pairs within groups are of the one that is alike, and a ninth of all.
    ratio = rates(found, at) / rates(plain, at)
    assert (ratio > 1.5).all()
    worst = found.calibration.worst_group_rate(at)
    assert worst is not None
    assert (worst > 1.5 * rates(found, at)).all()
    assert plain.calibration.worst_group is None
    assert found.sources[0].within == 3 * (120 * 119 // 2 - 40 * 3)
    assert found.calibration.lowest_rate == pytest.approx(0.1 / found.sources[0].within, rel=1e-3)


def test_labels_of_groups_that_are_all_the_same_change_little() -> None:
    labelled = crowd(people=120, groups=3)
    without = replace(labelled, groups=(None,) * len(labelled.names))
    at = np.array([0.1, 0.2])
    assert rates(calibrated(labelled), at) == pytest.approx(rates(calibrated(without), at), rel=0.3)


def test_a_group_that_is_too_small_has_no_figure_of_its_own() -> None:
    data = crowd(people=60)
    # 50 of one group, 9 of another, and one of a third.
    groups = tuple("large" if i < 50 else "small" if i < 59 else "single" for i in range(60))
    found = calibrated(replace(data, groups=groups))
    assert found.sources[0].left_out == ("single", "small")
    assert found.sources[0].within == (150 * 149 // 2 - 50 * 3) + (27 * 26 // 2 - 9 * 3)
    assert found.calibration.worst_group is not None


def test_labels_of_a_few_set_no_floor_for_all() -> None:
    data = crowd(people=200)
    few = tuple("labelled" if i < 20 else None for i in range(200))
    found = calibrated(replace(data, groups=few))
    assert found.sources[0].within == 0
    assert found.calibration.lowest_rate == calibrated(data).calibration.lowest_rate


def test_of_two_sources_the_higher_rate_is_claimed_and_the_higher_floor() -> None:
    large, small = crowd(people=120, seed=1), crowd(people=40, lean=0.6, seed=2)
    both, one, other = calibrated(large, small), calibrated(large), calibrated(small)
    at = np.arange(-0.2, 0.9, 0.01)
    higher = np.maximum(rates(one, at), rates(other, at))
    assert rates(both, at) == pytest.approx(higher, rel=2e-3)
    assert both.calibration.lowest_rate == other.calibration.lowest_rate
    assert other.calibration.lowest_rate > one.calibration.lowest_rate
    assert [each.people for each in both.sources] == [120, 40]


def test_every_pair_is_counted_once_by_the_normaliser_of_its_folds() -> None:
    data = crowd(people=60)
    folds = np.arange(60) % 3
    of_folds = list(combinations_with_replacement(range(3), 2))
    alike = dict.fromkeys(of_folds, shifted(0.2))
    found = calibrated(Source(data, folds, alike), normaliser=shifted(0.0))
    every = calibrated(data, normaliser=shifted(0.2))
    assert found.sources == every.sources
    at = np.array([0.1, 0.15, 0.2, 0.3])
    assert rates(found, at - 0.2) == pytest.approx(rates(every, at - 0.2), rel=2e-3)
    # What is claimed is the rates; the normaliser is the one for everybody.
    assert found.calibration.normaliser is not None
    assert found.calibration.normaliser.constant == 0
    assert found.calibration.ceiling == pytest.approx(1)


@pytest.mark.parametrize("odd", [(0, 0), (0, 1)])
def test_a_normaliser_counts_for_its_own_folds_alone(odd: tuple[int, int]) -> None:
    data = crowd(people=60)
    folds = np.arange(60) % 2
    alike = dict.fromkeys([(0, 0), (0, 1), (1, 1)], shifted(0.4))
    found = calibrated(Source(data, folds, {**alike, odd: shifted(0.0)}), normaliser=shifted(0.0))
    own = score_pairs(data, RawCosine()).impostors
    sides = np.sort(np.stack([folds[data.people[own.a]], folds[data.people[own.b]]]), axis=0)
    reach = (own.scores >= 0.15) & (sides[0] == odd[0]) & (sides[1] == odd[1])
    # All others score 0.4 less, and reach it never.
    share = reach.sum() / own.total
    assert reach.sum() > 50
    assert share <= rates(found, np.array([0.15]))[0] < 2 * share


def test_the_highest_pairs_of_people_are_named_once_each() -> None:
    data = crowd(people=40)
    templates = data.templates.copy()
    templates[data.people == 7] = templates[data.people == 3]
    found = calibrated(replace(data, templates=templates))
    first = found.highest[0]
    assert {first.a.split("/")[0], first.b.split("/")[0]} == {"person003", "person007"}
    assert first.score == pytest.approx(1, abs=1e-5)
    people = [frozenset(each.split("/")[0] for each in (pair.a, pair.b)) for pair in found.highest]
    assert len(people) == len(set(people)) == 5
    assert [each.score for each in found.highest] == sorted(
        (each.score for each in found.highest), reverse=True
    )


def test_one_person_under_two_names_spoils_the_tail() -> None:
    data = crowd(people=40)
    templates = data.templates.copy()
    templates[data.people == 7] = templates[data.people == 3]
    at = np.array([0.8])
    spoiled = calibrated(replace(data, templates=templates))
    assert rates(spoiled, at)[0] > 9 / spoiled.sources[0].pairs
    assert rates(calibrated(data), at)[0] < 1 / spoiled.sources[0].pairs


def test_the_same_seed_gives_the_same_table_and_another_one_does_not() -> None:
    data = crowd(groups=2)
    one, other, another = (calibrated(data, seed=seed).calibration for seed in (0, 0, 1))
    assert dumps(one) == dumps(other)
    assert dumps(one) != dumps(another)


def test_pictures_without_a_template_count_for_nothing() -> None:
    data = crowd(people=50)
    some = replace(data, templates=np.where((data.people < 30)[:, None], data.templates, 0))
    found = calibrated(some)
    assert (found.sources[0].people, found.sources[0].pictures) == (30, 90)
    labelled = replace(some, groups=tuple("a" if i < 30 else "b" for i in range(50)))
    assert calibrated(labelled).sources[0].left_out == ("b",)


@pytest.mark.parametrize(
    ("people", "pictures", "told"),
    [
        (19, 30, r"570 gave a template: there are 19 people, .* needs 20 or more"),
        (20, 2, r"there are 760 pairs .* 1,000 are the least"),
    ],
)
def test_too_little_is_refused_with_what_is_needed(people: int, pictures: int, told: str) -> None:
    with pytest.raises(EvaluationError, match=told):
        calibrated(crowd(people=people, pictures=pictures))


def test_the_folder_can_be_refused_before_any_work() -> None:
    require_people(20, "people")
    with pytest.raises(EvaluationError, match=r"^people: there are 3 people"):
        require_people(3, "people")


def test_scores_of_blocks_are_those_of_the_calibration() -> None:
    """What is measured is what the calibration itself makes of templates later."""
    data, normaliser = crowd(people=30), shifted(0.1)
    found = calibrated(data, normaliser=normaliser).calibration
    scorer = Normalised(normaliser)
    prepared = scorer.prepare(data.templates)
    expected = found.between(data.templates, data.templates)
    assert scorer.scores(prepared, prepared) == pytest.approx(expected, abs=1e-6)
