from __future__ import annotations

import pytest

from sayso.evaluation.groups import Ratio
from sayso.evaluation.resampling import Estimate
from sayso.evaluation.wording import one_in, percent, shown, times, with_interval


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
