from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from sayso.evaluation import identification
from sayso.evaluation.identification import Identification, identify
from sayso.evaluation.resampling import people_weights
from sayso.evaluation.scoring import RawCosine
from sayso.evaluation.searching import fuse, rows_by_person, split_people
from tests.evaluation.synthetic import faces, measured, normal

PHI = NormalDist().cdf
AT = NormalDist().inv_cdf


def weights(people: int) -> np.ndarray:
    return people_weights(np.zeros(people, np.int64), np.random.default_rng(1), 200)


def run(people: int, pictures: int, genuine: float = 5.0) -> Identification:
    data, scorer = normal(people, pictures, genuine=genuine)
    found = identify(data, scorer, weights(people), seed=0)
    assert found is not None
    return found


def test_rates_are_those_that_the_size_of_the_gallery_implies() -> None:
    found = run(200, 3)
    assert [each.size for each in found.galleries] == [100, 140]
    for gallery in found.galleries:
        point = gallery.points[0]
        # A stranger matches none of N with the N-th power of matching none of one.
        threshold = AT(0.9 ** (1 / gallery.size))
        assert point.threshold == pytest.approx(threshold, abs=0.2)
        assert point.fnir is not None
        assert point.fnir.low is not None
        assert point.fnir.high is not None
        assert point.fnir.value == pytest.approx(PHI(threshold - 5), abs=0.03)
        assert point.fnir.low <= PHI(threshold - 5) <= point.fnir.high
        assert point.fpir is not None
        assert point.fpir.value == pytest.approx(0.1, abs=0.005)


def test_a_larger_gallery_confuses_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identification, "SIZES", (10, 40))
    found = run(200, 3, genuine=4.0)
    sizes = [each.size for each in found.galleries]
    rates = [each.points[0].fnir for each in found.galleries]
    assert sizes == [10, 40, 140]
    values = [each.value for each in rates if each is not None]
    assert len(values) == 3
    assert values == sorted(values)
    assert values[-1] > values[0] + 0.1


def test_a_mate_that_does_not_come_first_is_a_miss() -> None:
    # Genuine scores like those of strangers: among 140 the mate is hardly ever the first.
    found = run(200, 3, genuine=0.0).largest
    assert found.fnir[0] > 0.95


def test_a_rate_that_too_few_searches_could_show_is_not_measured() -> None:
    found = run(45, 3).largest  # at most 45 x 3 different pictures of strangers
    assert found.points[0].fnir is not None
    assert found.points[1].fnir is None
    assert found.points[1].threshold is None


def test_strangers_are_not_enrolled_and_a_probe_is_not_its_own_mate() -> None:
    people, templates = faces(30, 5)
    data = measured(people, templates)
    rows = rows_by_person(data)
    split = split_people(data, rows, np.arange(30), np.random.default_rng(0), pictures=1)
    assert not set(data.people[split.strangers]) & set(split.enrolled)
    assert len(split.enrolled) == 21
    assert np.array_equal(data.people[split.probes], split.enrolled[split.place])
    own = np.einsum("nd,nd->n", templates[split.probes], split.gallery[split.place])
    assert (own < 0.999).all()


def test_people_without_templates_are_nowhere() -> None:
    people, templates = faces(30, 3)
    templates[:6] = 0
    templates[7] = 0
    rows = rows_by_person(measured(people, templates))
    assert [each.tolist() for each in rows[:4]] == [[], [], [6, 8], [9, 10, 11]]


def test_enrolling_three_pictures_misses_less_than_one() -> None:
    people, templates = faces(80, 7, noise=2.0)
    found = identify(measured(people, templates), RawCosine(), weights(80), seed=0)
    assert found is not None
    one, three = found.fused
    assert (one.pictures, three.pictures, one.mated) == (1, 3, three.mated)
    before, after = one.points[0].fnir, three.points[0].fnir
    assert before is not None
    assert after is not None
    assert after.value < before.value - 0.1


def test_a_fused_template_is_the_mean_made_unit_again() -> None:
    fused = fuse(np.array([[1, 0], [0, 1]], np.float32))
    assert np.allclose(fused, [np.sqrt(0.5)] * 2)


def test_the_same_seed_gives_the_same_and_another_does_not() -> None:
    data, scorer = normal(60, 3, genuine=3.0)
    one, same, other = (identify(data, scorer, weights(60), seed) for seed in (1, 1, 2))
    assert one is not None
    assert same is not None
    assert other is not None
    assert one.largest.points == same.largest.points
    assert one.largest.points != other.largest.points


def test_too_few_people_are_no_gallery() -> None:
    data, scorer = normal(9, 3)
    assert identify(data, scorer, weights(9), seed=0) is None
