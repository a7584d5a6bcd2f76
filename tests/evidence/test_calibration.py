"""Similarity and false-match rates claim what was measured, in order, and no more."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.errors import CalibrationError
from sayso.evidence.calibration import Calibration, default, dumps, loads, of
from sayso.models.registry import describe

default()  # read before any test is timed


def some(**changes: Any) -> Calibration:
    given: dict[str, Any] = {
        "model": "m",
        "model_sha256": "0" * 64,
        "template_version": "m/1",
        "provenance": "by hand",
        "scores": np.array([0.0, 0.2, 0.4]),
        "rates": np.array([1.0, 1e-2, 1e-6]),
        "counted_to": 0.3,
    }
    return Calibration(**{**given, **changes})


def _rate(score: float) -> float:
    return float(default().false_match_rate(np.array([score]))[0])


def _similarity(score: float) -> float:
    return float(default().similarity(np.array([score]))[0])


@given(st.floats(-2, 2), st.floats(-2, 2))
def test_a_higher_score_is_never_less_similar_nor_more_likely_a_stranger(
    one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert _similarity(low) <= _similarity(high)
    assert _rate(low) >= _rate(high)


@given(st.floats(1, 100))
def test_the_score_of_a_similarity_has_that_similarity(similarity: float) -> None:
    assert _similarity(default().score(similarity)) == pytest.approx(similarity, abs=1e-3)


def test_the_range() -> None:
    assert _similarity(-2) == 0
    assert _similarity(2) == 100
    assert _rate(-2) == 1
    assert default().score(0) == -np.inf


def test_80_is_one_stranger_in_ten_million() -> None:
    assert _rate(default().score(80)) == pytest.approx(1e-7, rel=1e-3)
    assert default().lowest_rate < 1e-7


@given(st.floats(-12, 0))
def test_the_least_score_of_a_rate_claims_that_rate_and_no_lower_one_does(power: float) -> None:
    rate = 10.0**power
    found = default().least_score(rate)
    if rate < default().lowest_rate:
        assert found == np.inf
    else:
        assert _rate(found + 1e-9) <= rate * (1 + 1e-6)
        assert rate >= 1 or _rate(found - 1e-3) > rate


def test_nothing_is_claimed_beyond_the_last_measurement() -> None:
    assert _rate(2.0) == pytest.approx(default().lowest_rate)
    assert _rate(2.0) == _rate(float(default().scores[-1]))
    assert default().counted_to < default().scores[-1]


def test_similarity_ends_at_100_and_rates_go_on() -> None:
    found = some(rates=np.array([1.0, 1e-6, 1e-10]))
    # 100 is a rate of 10 ** -8.75: 2.75 of the 4 decades between the last two.
    end = 0.2 + 0.2 * 2.75 / 4
    known = found.similarity(np.array([0.2, 0.25, end, 0.4]))
    assert known == pytest.approx([6 * 80 / 7, 80, 100, 100])
    assert found.score(100) == pytest.approx(end)
    assert found.score(80) == pytest.approx(0.25)
    assert found.least_score(1e-9) == pytest.approx(0.35)


def test_between_two_rows_the_logarithm_of_the_rate_is_straight() -> None:
    rates = some().false_match_rate(np.array([-0.1, 0.0, 0.2, 0.3, 0.4, 0.9]))
    np.testing.assert_allclose(rates, [1, 1, 1e-2, 1e-4, 1e-6, 1e-6])


def test_the_worst_group_is_told_where_groups_were_measured() -> None:
    assert some().worst_group_rate(np.array([0.3])) is None
    worst = some(worst_group=np.array([1.0, 0.1, 1e-5])).worst_group_rate(np.array([0.2]))
    assert worst is not None
    assert float(worst[0]) == pytest.approx(0.1)


def test_the_default_is_of_the_very_model_that_is_registered() -> None:
    assert default().model_sha256 == describe(default().model).sha256


def test_a_calibration_is_of_one_model_and_one_chain_of_landmarks() -> None:
    shipped = default()
    assert of(shipped.model, shipped.template_version) is shipped
    assert of(shipped.model, f"{shipped.model}/other/1") is None
    own = some(model=shipped.model, template_version=shipped.template_version)
    assert of(shipped.model, shipped.template_version, own) is own
    assert of(shipped.model, shipped.template_version, some()) is shipped
    assert of(shipped.model, shipped.template_version, some(model=shipped.model)) is None


def test_without_a_normaliser_scores_are_cosines() -> None:
    one, other = np.array([[1.0, 0.0]], np.float32), np.array([[0.6, 0.8]], np.float32)
    assert some().between(one, other)[0, 0] == pytest.approx(0.6)


def test_writing_and_reading_again() -> None:
    again = loads(dumps(default()))
    np.testing.assert_allclose(again.rates, default().rates, rtol=1e-3)
    np.testing.assert_allclose(again.scores, default().scores)
    assert again.provenance == default().provenance
    probes = np.random.default_rng(3).standard_normal((4, 128)).astype(np.float32)
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    np.testing.assert_array_equal(again.between(probes, probes), default().between(probes, probes))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "sayso calibration 1"}, "format"),
        ({"score": [0.0, 0.0, 0.4]}, "do not rise"),
        ({"score": [0.0, 0.2]}, "2 scores and 3"),
        ({"false_match_rate": [1.0, 1e-6, 1e-2]}, "rises with"),
        ({"false_match_rate": [1.0, 1e-2, 0.0]}, "above 0"),
        ({"false_match_rate": [1.0, 1e-2, float("nan")]}, "above 0"),
        ({"false_match_rate": [1e-2, 1e-2, 1e-2]}, "at every score"),
        ({"worst_group": [1.0]}, "worst_group"),
        ({"model": ""}, "model"),
        ({"ceiling": "high"}, "high"),
        ({"fused": 1.1}, "fused is 1.1"),
        ({"normaliser": {"kind": "other"}}, "other"),
        ({"normaliser": []}, "normaliser"),
    ],
)
def test_what_no_measurement_can_claim_is_refused(change: dict[str, Any], told: str) -> None:
    document = {**json.loads(dumps(some())), **change}
    with pytest.raises(CalibrationError, match=told):
        loads(json.dumps(document))


def test_what_is_no_calibration_is_refused() -> None:
    for text in ("", "[]", "{}", '{"format": 2}'):
        with pytest.raises(CalibrationError):
            loads(text)
    short = json.loads(dumps(some()))
    del short["counted_to"]
    with pytest.raises(CalibrationError, match="counted_to is missing"):
        loads(json.dumps(short))
