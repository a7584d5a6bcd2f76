"""What is searched is what is scored, with a normaliser and without one."""

from __future__ import annotations

import numpy as np
import pytest

from sayso.evidence.calibration import default
from sayso.evidence.normalisation import Normaliser
from sayso.gallery.scored import ScoredSearch
from tests.gallery.synthetic import DIMENSION, near, templates

NORMALISER = default().normaliser


@pytest.mark.parametrize("normaliser", [None, NORMALISER], ids=["cosine", "normalised"])
def test_the_answer_is_that_of_scoring_everybody(normaliser: Normaliser | None) -> None:
    gallery, probes = templates(5_000), templates(7, seed=1)
    probes[:3] = near(gallery[[10, 20, 4_999]], 0.6)
    made = ScoredSearch(DIMENSION, normaliser)
    made.add(gallery[:4_000])
    made.add(gallery[4_000:])
    every = probes @ gallery.T if normaliser is None else normaliser.scores(probes, gallery)
    scores, rows = made.search(probes, 10)
    best = np.argsort(-every, axis=1, kind="stable")[:, :10]
    assert np.array_equal(rows, best)
    assert np.allclose(scores, np.take_along_axis(every, best, axis=1), atol=3e-6)
    assert rows[:3, 0].tolist() == [10, 20, 4_999]


@pytest.mark.parametrize("normaliser", [None, NORMALISER], ids=["cosine", "normalised"])
def test_rows_that_are_barred_or_removed_are_not_found(normaliser: Normaliser | None) -> None:
    gallery = templates(50)
    made = ScoredSearch(DIMENSION, normaliser)
    made.add(gallery)
    allowed = np.ones(50, bool)
    allowed[7] = False
    scores, rows = made.search(gallery[[7]], 50, allowed)
    assert 7 not in rows[0, :49]
    assert (rows[0, 49], scores[0, 49]) == (-1, -np.inf)
    made.remove(np.array([3, 7]))
    assert len(made) == 48
    assert made.search(gallery[[8]], 1)[1].tolist() == [[6]]
    left = np.delete(gallery, [3, 7], axis=0)
    assert np.allclose(made.templates(np.arange(48)), left, atol=2e-6)


@pytest.mark.parametrize("normaliser", [None, NORMALISER], ids=["cosine", "normalised"])
@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_what_is_not_of_unit_length_is_refused(normaliser: Normaliser | None, value: float) -> None:
    made = ScoredSearch(DIMENSION, normaliser)
    with pytest.raises(ValueError, match="unit length"):
        made.add(np.full((1, DIMENSION), value, np.float32))
    assert len(made) == 0


def test_a_template_scores_the_same_whoever_is_beside_it() -> None:
    """In a batch or alone, as a probe or in the gallery: within 1e-6."""
    assert NORMALISER is not None
    gallery, probes = templates(300), templates(40, seed=2)
    together, alone = ScoredSearch(DIMENSION, NORMALISER), ScoredSearch(DIMENSION, NORMALISER)
    together.add(gallery)
    for row in gallery:
        alone.add(row[None])
    scores, rows = together.search(probes, 5)
    for number, probe in enumerate(probes):
        one, place = alone.search(probe[None], 5)
        assert np.array_equal(place[0], rows[number])
        assert np.allclose(one[0], scores[number], atol=1e-6)


def test_a_normaliser_of_other_templates_is_refused() -> None:
    with pytest.raises(ValueError, match="for 128"):
        ScoredSearch(64, NORMALISER)
