from __future__ import annotations

import numpy as np

from sayso.evaluation.scoring import Normalised, RawCosine, scorers_of
from sayso.evidence import calibration
from tests.evaluation.synthetic import claims, cosine_claims, faces, some_normaliser


def test_normalised_scores_are_those_that_searches_stand_on() -> None:
    normaliser = some_normaliser()
    scorer = Normalised(normaliser)
    _, rows = faces(30, 2)
    a, b = scorer.prepare(rows), scorer.prepare(rows[:20])
    assert np.allclose(scorer.scores(a, b), normaliser.scores(rows, rows[:20]), atol=1e-6)
    assert np.abs(scorer.scores(a, b) - rows @ rows[:20].T).max() > 0.05
    assert np.allclose(scorer.scores(a, b), scorer.scores(b, a).T, atol=1e-6)


def test_what_a_template_is_prepared_to_does_not_hang_on_the_others() -> None:
    scorer = Normalised(some_normaliser())
    _, rows = faces(30, 2)
    assert np.allclose(scorer.prepare(rows)[7:9], scorer.prepare(rows[7:9]), atol=1e-7)


def test_what_searches_stand_on_comes_first() -> None:
    normalised = claims(np.array([0.0, 1.0]), np.array([1.0, 1e-3]), normaliser=some_normaliser())
    first, second = scorers_of(normalised)
    assert (first.name, second.name) == ("normalised", "raw cosine")
    assert first.calibration is normalised
    assert second.calibration is None  # it is of the other scores


def test_a_calibration_of_cosines_is_that_of_the_only_scorer() -> None:
    cosines = cosine_claims()
    (only,) = scorers_of(cosines)
    assert isinstance(only, RawCosine)
    assert only.calibration is cosines
    (alone,) = scorers_of(None)
    assert alone.calibration is None


def test_the_model_that_ships_is_scored_as_it_is_searched() -> None:
    shipped = calibration.default()
    scorers = scorers_of(shipped)
    assert scorers[0].calibration is shipped
    assert [each.name for each in scorers] == ["normalised", "raw cosine"]
