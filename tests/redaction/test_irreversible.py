"""Nobody is recognised by what is left under a cover, however it is enlarged and compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.leftovers import (
    ENLARGEMENTS,
    Sitting,
    by_style,
    not_at_all,
    scores,
    sittings,
    templates,
)

from sayso.analyzer import Analyzer
from sayso.models.store import ModelStore
from sayso.redaction.picture import cover
from sayso.redaction.types import STYLES, Cover, Style
from sayso.vision.detector import DEFAULT_MIN_SCORE

PEOPLE = 60
#: By chance one finds the own picture first; more than this in one of ten thousand runs.
BY_CHANCE = 6
#: By chance the area under the curve is 0.5, give or take 0.04 with so few people.
LOW, HIGH = 0.36, 0.64

Pairs = tuple[list[Sitting], list[Sitting]]


@pytest.fixture(scope="module")
def analyzer(model_store: ModelStore) -> Analyzer:
    return Analyzer(models=model_store)


@pytest.fixture(scope="module")
def pairs(lfw: Path, analyzer: Analyzer) -> Pairs:
    both = sittings(lfw / "images", analyzer, PEOPLE)
    assert len(both) > 0.9 * PEOPLE
    return [one for one, _ in both], [other for _, other in both]


def test_without_a_cover_nearly_everybody_is_recognised(pairs: Pairs, analyzer: Analyzer) -> None:
    known = np.stack([sitting.template for sitting in pairs[1]])
    found = scores(templates(pairs[0], not_at_all, 1, analyzer), known)
    assert found.area > 0.99
    assert found.found > 0.9 * len(known)


@pytest.mark.parametrize("enlargement", ENLARGEMENTS)
@pytest.mark.parametrize("style", STYLES)
def test_what_is_left_resembles_its_person_no_more_than_strangers(
    pairs: Pairs, analyzer: Analyzer, style: Style, enlargement: int
) -> None:
    known = np.stack([sitting.template for sitting in pairs[1]])
    left = templates(pairs[0], by_style(style), enlargement, analyzer)
    found = scores(left, known)
    assert found.own.max() <= found.strangers.max()
    assert found.found <= BY_CHANCE
    assert LOW < found.area < HIGH
    # Nor for somebody who covers the other picture the same way, and compares the two.
    guessed = scores(left, templates(pairs[1], by_style(style), enlargement, analyzer))
    assert guessed.found <= BY_CHANCE
    assert LOW < guessed.area < HIGH


@pytest.mark.parametrize("style", STYLES)
def test_no_face_is_found_where_one_is_covered(
    pairs: Pairs, analyzer: Analyzer, style: Style
) -> None:
    for sitting in pairs[0]:
        head = Cover(sitting.face.box, sitting.face.landmarks)
        again = analyzer.detect(cover(sitting.picture, [head], style), min_score=DEFAULT_MIN_SCORE)
        x, y = sitting.face.landmarks[2]
        for x1, y1, x2, y2 in again.boxes:
            assert not (x1 < x < x2 and y1 < y < y2)
