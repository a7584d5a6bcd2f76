"""Similarity and false-match rates claim what was measured, in order, and no more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.evidence.calibration import Calibration, default, dumps, loads


def _rate(cosine: float) -> float:
    return float(default().false_match_rate(np.array([cosine], np.float32))[0])


def _similarity(cosine: float) -> float:
    return float(default().similarity(np.array([cosine], np.float32))[0])


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_higher_cosine_is_never_less_similar_nor_more_likely_a_stranger(
    one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert _similarity(low) <= _similarity(high)
    assert _rate(low) >= _rate(high)


@given(st.floats(0, 100))
def test_the_cosine_of_a_similarity_has_that_similarity(similarity: float) -> None:
    assert _similarity(default().cosine(similarity)) == pytest.approx(similarity, abs=1e-3)


def test_the_range() -> None:
    assert _similarity(-1) == 0
    assert _similarity(1) == 100
    assert _rate(-1) == 1


def test_80_is_one_stranger_in_two_and_a_half_million() -> None:
    cosine = default().cosine(80)
    row = np.searchsorted(default().cosines, cosine)
    # The bound over everybody crosses 4e-7 between the rows around that cosine.
    assert default().everybody[row] <= 4e-7 <= default().everybody[row - 1]


def test_nothing_is_claimed_beyond_the_last_measurement() -> None:
    # Where none of n pairs matched, 95 % confidence still allows three in n.
    group_pairs = 765_625
    assert _rate(1.0) >= 3.9e-6 * 0.99
    assert _rate(1.0) == _rate(0.95)
    assert _rate(1.0) * group_pairs >= 2.9


def test_the_worst_group_is_what_is_quoted() -> None:
    calibration = default()
    rates = calibration.false_match_rate(calibration.cosines.astype(np.float32) + 1e-6)
    assert (rates >= calibration.everybody).all()
    assert (rates >= calibration.worst_group).all()


def test_between_two_rows_the_worse_rate_holds() -> None:
    calibration = Calibration(
        "m", "by hand", np.array([0.2, 0.4]), np.array([1e-2, 1e-4]), np.array([2e-2, 1e-5])
    )
    rates = calibration.false_match_rate(np.array([0.1, 0.2, 0.39, 0.4, 0.9]))
    np.testing.assert_allclose(rates, [1, 2e-2, 2e-2, 1e-4, 1e-4])


def test_writing_and_reading_again() -> None:
    again = loads(dumps(default()))
    np.testing.assert_allclose(again.everybody, default().everybody, rtol=1e-3)
    np.testing.assert_array_equal(again.cosines, default().cosines)
    assert again.provenance == default().provenance
