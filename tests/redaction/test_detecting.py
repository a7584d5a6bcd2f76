"""Redaction misses fewer faces than whoever only wants to see some."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import wider as labelled

from sayso.analyzer import Analyzer
from sayso.models.store import ModelStore
from sayso.redaction.detecting import REDACTION_MIN_SCORE, REDACTION_PLAN
from sayso.vision.detector import DEFAULT_MIN_SCORE
from sayso.vision.passes import PlanName

#: Every so many pictures are looked at: enough faces for a share to be worth something.
STEP = 8


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
