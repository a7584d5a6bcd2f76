from __future__ import annotations

import pytest

from sayso.evaluation.groups import Ratio
from sayso.evaluation.promises import Promise
from sayso.evaluation.resampling import Estimate
from sayso.evaluation.wording import (
    expected,
    one_in,
    percent,
    promised,
    seen_by_promised,
    shown,
    times,
    verdict,
    with_interval,
)


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (None, "not measured"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.1234567, "12.3 %"),
        (0.00629, "0.63 %"),
        (1e-5, "0.001 %"),
        (1.2345e-7, "0.000012 %"),
    ],
)
def test_rates_are_percentages_without_exponents(rate: float | None, text: str) -> None:
    assert percent(rate) == text


def test_an_interval_follows_its_rate() -> None:
    assert with_interval(Estimate(0.02, 0.01, 0.03)) == "2 % (1 % to 3 %)"
    assert with_interval(Estimate(0.02, None, None)) == "2 % (no interval)"
    assert with_interval(None) == "not measured"
    assert one_in(1e-4) == "1 in 10,000"


def test_ratios_say_what_bounds_them() -> None:
    assert times(Ratio(3.0, 1.5, 6.0, False, "a", "b")) == "3.0 times (1.5 to 6.0)"
    assert times(Ratio(3.0, 1.5, None, False, "a", "b")) == "3.0 times (1.5 to no upper bound)"
    assert times(Ratio(3.0, 1.5, None, True, "a", "b")) == "at least 3.0 times"


def test_names_that_would_disturb_are_escaped() -> None:
    assert shown("a\udcff\n\x1bé") == r"a\xff\n\x1bé"


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.1, 0.4, "kept, with more caution than needed"),
        (0.6, 1.0, "kept"),
        (0.6, 1.2, "not clear"),
        (1.1, 3.0, "not kept"),
        (None, None, "not measured"),
    ],
)
def test_a_promise_is_kept_where_its_whole_interval_is_at_most_1(
    low: float | None, high: float | None, told: str
) -> None:
    assert verdict(Promise(0.1, 100, 0.5, ratio=Estimate(0.9, low, high))) == told


def test_promises_are_told_without_exponents() -> None:
    assert seen_by_promised(Promise(0.1, 100, ratio=Estimate(0.9, 0.5, 1.2))) == (
        "0.90 (0.50 to 1.20)"
    )
    assert seen_by_promised(Promise(0.1, 100)) == "not measured"
    assert expected(5.3123e-05) == "0.000053"
    assert [promised(each) for each in (None, 0.0824, 1537.2)] == ["not measured", "0.082", "1,537"]
