"""The factor that keeps the promise for fused templates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sayso.evaluation.fused import fused_scale
from sayso.evaluation.scoring import RawCosine
from tests.evaluation.synthetic import faces, measured


def test_fused_templates_score_higher_with_strangers_and_the_factor_undoes_it() -> None:
    """Templates are half chance, so that the mean of many is nearer to every direction shared."""
    chance = np.random.default_rng(1)
    people, pictures, size = 200, 12, 32
    # People differ in few directions: strangers are alike in those, and noise hides it.
    own = np.zeros((people, size), np.float32)
    own[:, :6] = chance.standard_normal((people, 6))
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    templates = np.repeat(own, pictures, axis=0)
    templates += 0.2 * chance.standard_normal(templates.shape).astype(np.float32)
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    owner = [person for person in range(people) for _ in range(pictures)]
    factor = fused_scale(measured(owner, templates), RawCosine())
    assert factor is not None
    shaped = templates.reshape(people, pictures, size)
    fused = shaped[:, :10].mean(axis=1)
    fused /= np.linalg.norm(fused, axis=1, keepdims=True)
    others = ~np.eye(people, dtype=bool)
    single = (shaped[:, 0] @ shaped[:, 1].T)[others]
    of_fused = (shaped[:, 11] @ fused.T)[others]
    threshold = np.quantile(single, 0.99)
    assert (of_fused >= threshold).mean() > 0.02
    assert (factor * of_fused >= threshold).mean() < 0.013


def test_without_noise_nothing_is_to_be_undone() -> None:
    owner, templates = faces(60, 6, seed=3)
    same = templates[np.searchsorted(owner, owner)]  # everybody's first picture again and again
    found = fused_scale(measured(owner, same), RawCosine())
    assert found is not None
    assert found > 0.97


def test_too_few_people_with_several_pictures_tell_nothing() -> None:
    owner, templates = faces(60, 2, seed=3)
    assert fused_scale(measured(owner, templates), RawCosine()) is None
    owner, templates = faces(15, 8, seed=3)
    data = measured(owner, templates)
    assert fused_scale(replace(data, groups=("one",) * 15), RawCosine()) is None
