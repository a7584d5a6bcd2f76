from __future__ import annotations

import re

import pytest

from sayso.cli.output import in_words


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        (None, ""),
        (0.0, "0"),
        (4e-07, "4e-07 (1 in 2,500,000)"),
        (3e-05, "3e-05 (1 in 33,000)"),
        (0.001, "0.001 (1 in 1,000)"),
        (0.2, "0.2 (1 in 5)"),
        (0.35, "0.35 (4 in 10)"),
        (0.55, "0.55 (6 in 10)"),
        (0.7, "0.7 (7 in 10)"),
        (0.9, "0.9 (9 in 10)"),
        (0.99, "0.99 (10 in 10)"),
        (1.0, "1.0 (strangers are likely to look this alike)"),
        (12.34, "12.3 (strangers are likely to look this alike)"),
    ],
)
def test_expected_matches_in_words(expected: float | None, words: str) -> None:
    assert in_words(expected) == words


def test_words_never_say_less_than_the_number() -> None:
    for step in range(1, 2000):
        expected = 0.993**step
        found = re.search(r"\((\d+) in ([\d,]+)\)", in_words(expected))
        assert found is not None
        said = int(found[1]) / int(found[2].replace(",", ""))
        assert expected * (1 - 1e-6) <= said < expected * 1.5
