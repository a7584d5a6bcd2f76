"""The rule raises the caller's threshold as the gallery grows, and never lowers it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.errors import GalleryError
from sayso.evidence.calibration import default
from sayso.evidence.decision import Decision
from sayso.evidence.rule import PER, FalseMatchRule, Per

asked = st.floats(0, 100)
limits = st.floats(1e-6, 1e6)


@given(asked, limits, st.integers(0, 10**7), st.integers(1, 200), st.sampled_from(PER))
def test_whatever_is_found_keeps_both_the_rule_and_what_was_asked(
    similarity: float, most: float, population: int, probes: int, per: Per
) -> None:
    rule = FalseMatchRule(most, per)
    decision = Decision(default(), rule, similarity, probes)
    score = decision.least_score(population)
    told = decision.threshold(population)
    if score == np.inf:
        assert told.similarity is None
        assert told.raised
        assert not told.measured
        return
    counted = probes if per == "picture" else 1
    reached = np.array([max(score, -1.0) + 1e-9])
    if score > -np.inf:
        expected = float(default().false_match_rate(reached)[0]) * population * counted
        assert expected <= most * (1 + 1e-4) or not population
        assert float(default().similarity(reached)[0]) >= similarity - 1e-3
    assert told.similarity is not None
    assert told.similarity >= similarity - 1e-9
    assert (told.population, told.probes, told.per) == (population, probes, per)


@given(asked, limits, st.integers(1, 10**6), st.integers(1, 100))
def test_more_people_or_more_faces_never_lower_it(
    similarity: float, most: float, population: int, probes: int
) -> None:
    def least(rule: FalseMatchRule, people: int, faces: int) -> float:
        return Decision(default(), rule, similarity, faces).least_score(people)

    rule = FalseMatchRule(most)
    base = least(rule, population, probes)
    assert least(rule, population * 2, probes) >= base
    assert least(rule, population, probes + 1) >= base
    assert least(FalseMatchRule(most / 2), population, probes) >= base
    assert least(FalseMatchRule(most, "face"), population, probes) <= base


def test_80_is_enough_up_to_25_000_enrolled() -> None:
    decision = Decision(default(), FalseMatchRule(), 80, 1)
    assert decision.threshold(25_000).similarity == 80
    assert not decision.threshold(25_000).raised
    # Of 539 portraits of strangers one or two at most are to be expected to be named.
    rate = default().false_match_rate(np.array([default().score(80)]))
    assert float(rate[0]) * 25_000 * 539 < 1.5
    raised = decision.threshold(110_000)
    assert raised.similarity is not None
    assert 80 < raised.similarity < 81


def test_so_many_that_no_similarity_will_do() -> None:
    population = int(0.01 / default().lowest_rate) + 1
    told = Decision(default(), FalseMatchRule(), 80, 1).threshold(population)
    assert (told.similarity, told.measured, told.raised) == (None, False, True)


@pytest.mark.parametrize("most", [0, -1, float("nan"), float("inf"), 2e6])
def test_a_rule_that_cannot_be(most: float) -> None:
    with pytest.raises(GalleryError, match="more than 0"):
        FalseMatchRule(most)
    with pytest.raises(GalleryError, match="picture or face"):
        FalseMatchRule(0.01, "day")  # type: ignore[arg-type]
