"""Redaction misses fewer faces than whoever only wants to see some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks import wider as labelled
from numpy.typing import NDArray
from PIL import Image

from sayso.analyzer import Analyzer
from sayso.models.store import ModelStore
from sayso.redaction.detecting import REDACTION_MIN_SCORE, REDACTION_PLAN
from sayso.vision.detector import DEFAULT_MIN_SCORE
from sayso.vision.passes import PlanName
from sayso.vision.types import Picture

#: Every so many pictures are looked at: enough faces for a share to be worth something.
STEP = 8
#: People side by side, and the side of each one's picture.
_ROWS, _ACROSS, _SIDE = 3, 8, 160


@pytest.fixture(scope="module")
def analyzer(model_store: ModelStore) -> Analyzer:
    return Analyzer(models=model_store)


def test_more_of_the_labelled_faces_are_found(wider: Path, analyzer: Analyzer) -> None:
    labels = dict(sorted(labelled.load().items())[::STEP])

    def found_and_false(plan: PlanName, score: float) -> tuple[float, float]:
        hits = misses = 0
        for name, entry in labels.items():
            faces = analyzer.detect(wider / "images" / name, mode=plan, min_score=score)
            verdicts = labelled.judge(faces, entry)
            hits += int((verdicts == 1).sum())
            misses += int((verdicts == 0).sum())
        wanted = sum(int(entry.wanted.sum()) for entry in labels.values())
        return hits / wanted, misses / max(1, hits + misses)

    found, false = found_and_false(REDACTION_PLAN, REDACTION_MIN_SCORE)
    usual, _ = found_and_false("balanced", DEFAULT_MIN_SCORE)
    assert found > usual + 0.03
    # Nor is everything covered that could be a face.
    assert false < 0.75


@pytest.fixture(scope="module")
def crowd(lfw: Path) -> NDArray[np.uint8]:
    """People of LFW side by side, 8 in each of 3 rows."""
    people = sorted((lfw / "images").iterdir())[::40][: _ROWS * _ACROSS]
    faces = []
    for person in people:
        with Image.open(min(person.glob("*.jpg"))) as face:
            faces.append(np.asarray(face.convert("RGB").resize((_SIDE, _SIDE))))
    rows = [
        np.concatenate(faces[at : at + _ACROSS], axis=1) for at in range(0, len(faces), _ACROSS)
    ]
    return np.concatenate(rows)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_as_many_faces_are_found_where_the_picture_lies(
    crowd: NDArray[np.uint8], analyzer: Analyzer, quarters: int
) -> None:
    lying = Picture(np.ascontiguousarray(np.rot90(crowd, quarters)))
    found = analyzer.detect(lying, mode=REDACTION_PLAN, min_score=REDACTION_MIN_SCORE)
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    places = {(int(x) // _SIDE, int(y) // _SIDE) for x, y in centres}
    assert len(places) >= _ROWS * _ACROSS - 1
