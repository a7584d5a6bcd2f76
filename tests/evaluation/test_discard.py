from __future__ import annotations

import numpy as np
import pytest

from sayso.evaluation.discard import SHARES, Discard, error_versus_discard
from sayso.evaluation.pairs import score_pairs
from sayso.evaluation.resampling import people_weights
from sayso.evaluation.scoring import RawCosine
from sayso.evaluation.verification import verify
from tests.evaluation.synthetic import faces, measured


def run(*, telling: bool) -> Discard:
    """Every fifth picture is poor; quality tells so, or is drawn at random."""
    people, templates = faces(60, 5, noise=0.5)
    _, poor = faces(60, 5, noise=3.0)
    is_poor = np.arange(len(people)) % 5 == 0
    templates[is_poor] = poor[is_poor]
    rng = np.random.default_rng(3)
    quality = rng.uniform(40, 100, len(people)).astype(np.float32)
    if telling:
        quality[is_poor] = rng.uniform(0, 30, int(is_poor.sum()))
    data = measured(people, templates, quality=quality)
    pairs = score_pairs(data, RawCosine())
    weights = people_weights(np.zeros(60, np.int64), np.random.default_rng(1), 20)
    found = error_versus_discard(data, pairs.genuine, verify(pairs, weights).near(1e-3))
    assert found is not None
    return found


def test_quality_that_tells_poor_pictures_lowers_the_misses() -> None:
    found = run(telling=True)
    # Four of ten pairs of each person have the poor picture.
    assert 0.1 < found.fnmr[0] <= 0.41
    assert found.fnmr[SHARES.index(0.4)] < 0.01
    assert list(found.fnmr) == sorted(found.fnmr, reverse=True)
    assert found.quality[SHARES.index(0.35)] < 30 < found.quality[SHARES.index(0.45)]


def test_quality_that_tells_nothing_changes_nothing() -> None:
    found = run(telling=False)
    assert found.fnmr[SHARES.index(0.4)] == pytest.approx(found.fnmr[0], abs=0.1)


def test_nothing_does_better_than_the_best_possible() -> None:
    for telling in (True, False):
        found = run(telling=telling)
        assert found.best[0] == found.fnmr[0]
        assert all(best <= own + 1e-12 for best, own in zip(found.best, found.fnmr, strict=True))


def test_without_a_threshold_there_is_nothing_to_measure_at() -> None:
    people, templates = faces(3, 2)
    data = measured(people, templates)
    assert error_versus_discard(data, score_pairs(data, RawCosine()).genuine, None) is None
