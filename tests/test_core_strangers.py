"""The promise held to what happens: strangers are named no more often than was expected.

A thousand pictures of strangers are searched for in galleries of real people of whom they are none.
Whoever is named is a false match. What is expected of a search is an upper bound, so by a binomial
distribution of that rate there are hardly ever more; with a calibration that claims a third of the
rates, there are. Both the table and the normaliser were made on these people among others, so that
this holds the machinery to the promise; for people whom nothing was made on there is
``benchmarks/promises.py``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from sayso.analyzer import Analyzer
from sayso.core import Sayso
from sayso.evidence.calibration import default, dumps
from sayso.results import Consent, FalseMatchRule
from tests.lfw_faces import Strangers, strangers

PROBES, SIZES = 1_000, (500, 2_000, 4_000)
#: Expected false matches of each search: the default, and where there is more to count.
EXPECTED = (0.01, 0.1, 1.0)
CONFIDENCE = 0.999
PURPOSE = "delivery"


@pytest.fixture(scope="module")
def planted(lfw: Path) -> Strangers:
    found = strangers(lfw / "images", Analyzer(), PROBES + 50, max(SIZES) + 30)
    # A few pictures have no face in the middle.
    return Strangers(found.probes[:PROBES], found.gallery[: max(SIZES)])


@pytest.fixture(scope="module")
def gallery(planted: Strangers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery with a collection of each size; its first people are those of the smaller ones."""
    folder = tmp_path_factory.mktemp("planted")
    with Sayso(folder) as app:
        for size in SIZES:
            app.create_collection(f"of-{size}")
            app.enroll_templates(
                f"of-{size}",
                subjects=[f"s{row}" for row in range(size)],
                templates=planted.gallery[:size],
                consent=Consent([PURPOSE], "form"),
                allow_lookalike=True,
            )
    return folder


def false_matches(app: Sayso, size: int, expected: float, probes: np.ndarray) -> int:
    """Return how many enrolled people are named by all probes, each a search by itself."""
    app.set_false_match_rule(f"of-{size}", FalseMatchRule(expected, "face"))
    found = app.recognize_templates(
        f"of-{size}", probes, purpose=PURPOSE, min_similarity=0, top=1_000
    )
    assert found.threshold.measured
    assert found.threshold.population == size
    every = [candidate for of_probe in found for candidate in of_probe]
    assert all(each.expected_false_matches <= expected * (1 + 1e-4) for each in every)
    return len(every)


def allowed(size: int, expected: float) -> int:
    """Return how many there may be, of as many comparisons, with that confidence."""
    return int(binom.ppf(CONFIDENCE, PROBES * size, expected / size))


@pytest.mark.parametrize("size", SIZES)
def test_strangers_are_named_no_more_often_than_promised(
    gallery: Path, planted: Strangers, size: int
) -> None:
    assert planted.probes.shape == (PROBES, 128)
    assert len(planted.gallery) == max(SIZES)
    with Sayso(gallery) as app:
        seen = {each: false_matches(app, size, each, planted.probes) for each in EXPECTED}
    assert all(seen[each] <= allowed(size, each) for each in EXPECTED), seen
    # Nor is far more caution promised than needed.
    assert seen[1.0] >= 0.2 * PROBES


def test_nor_by_the_rule_that_collections_begin_with(gallery: Path, planted: Strangers) -> None:
    """Of a hundred pictures of ten strangers each, one at most should name anybody."""
    with Sayso(gallery) as app:
        app.set_false_match_rule("of-4000", FalseMatchRule())
        named = 0
        for start in range(0, PROBES, 10):
            some = planted.probes[start : start + 10]
            found = app.recognize_templates("of-4000", some, purpose=PURPOSE, min_similarity=0)
            assert (found.threshold.probes, found.threshold.per) == (10, "picture")
            named += any(found)
    assert named <= int(binom.ppf(CONFIDENCE, PROBES // 10, FalseMatchRule().max_expected))


def test_a_calibration_that_claims_a_third_breaks_the_promise(
    gallery: Path, planted: Strangers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = default()
    tail = shipped.rates < 0.01
    mutated = replace(shipped, rates=np.where(tail, shipped.rates / 3, shipped.rates))
    file = tmp_path / "mutated.json"
    file.write_text(dumps(mutated), "utf-8")
    monkeypatch.setenv("SAYSO_CALIBRATION", str(file))
    with Sayso(gallery) as app:
        broken = [
            false_matches(app, size, each, planted.probes) > allowed(size, each)
            for size in SIZES
            for each in EXPECTED
        ]
    assert sum(broken) >= len(SIZES)
