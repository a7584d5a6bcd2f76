"""The JSON shapes of what commands print; programs rely on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sayso.results import RecognizedFace, Threshold
    from sayso.vision.types import Face, Quality


def of_face(face: Face, matched: RecognizedFace | None = None) -> dict[str, Any]:
    """Return a face as a document; whoever it was recognised as comes from ``matched``."""
    expected = matched.expected_false_matches if matched else None
    return {
        "box": of_box(face.box),
        "score": round(face.score, 4),
        "landmarks": [[round(float(x), 2), round(float(y), 2)] for x, y in face.landmarks],
        "quality": of_quality(face.quality),
        "turn": face.turn,
        "subject": matched.subject if matched else None,
        "similarity": _rounded(matched.similarity) if matched else None,
        "expected_false_matches": None if expected is None else significant(expected),
        "duplicate": bool(matched and matched.duplicate),
    }


def of_picture(
    path: Path,
    width: int,
    height: int,
    faces: Sequence[dict[str, Any]],
    notices: Sequence[str] = (),
) -> dict[str, Any]:
    """Return a picture with its faces, as ``of_face`` gives them, as a document."""
    return {
        "picture": str(path),
        "width": width,
        "height": height,
        "notices": list(notices),
        "faces": list(faces),
    }


def of_threshold(threshold: Threshold) -> dict[str, Any]:
    """Return what had to be reached to be named; the similarity is None when not measured."""
    return {
        "similarity": _rounded(threshold.similarity),
        "asked": threshold.asked,
        "population": threshold.population,
        "probes": threshold.probes,
        "max_expected_false_matches": threshold.max_expected_false_matches,
        "per": threshold.per,
    }


def of_box(box: Sequence[float] | None) -> list[float] | None:
    """Return x1, y1, x2, y2 in pixels."""
    return None if box is None else [round(float(side), 2) for side in box]


def of_quality(quality: Quality | None) -> dict[str, float] | None:
    """Return every part of the quality."""
    if quality is None:
        return None
    return {name: round(value, 3) for name, value in dataclasses.asdict(quality).items()}


def of_time(moment: datetime | None) -> str | None:
    """Return a time in ISO 8601."""
    return None if moment is None else moment.isoformat()


def significant(value: float) -> float:
    """Round to three significant digits."""
    return float(f"{value:.3g}")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
