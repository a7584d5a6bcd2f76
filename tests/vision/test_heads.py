from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sayso.vision.alignment import REFERENCE
from sayso.vision.detections import Detections, empty
from sayso.vision.heads import heads

EYES_APART = float(REFERENCE[1, 0] - REFERENCE[0, 0])


def detections(*landmarks: NDArray[np.float64]) -> Detections:
    """Return detections, best first, whose boxes do not matter."""
    number = len(landmarks)
    return Detections(
        np.tile(np.array([0, 0, 112, 112], np.float32), (number, 1)),
        np.linspace(0.9, 0.2, number, dtype=np.float32),
        np.array(landmarks, np.float32),
    )


def scaled(factor: float) -> NDArray[np.float64]:
    middle = REFERENCE.mean(axis=0)
    found: NDArray[np.float64] = middle + factor * (REFERENCE - middle)
    return found


def moved(x: float, y: float = 0.0) -> NDArray[np.float64]:
    """Return the landmarks of a face so many distances between its eyes away."""
    found: NDArray[np.float64] = REFERENCE + EYES_APART * np.array([x, y])
    return found


def test_a_face_that_is_seen_too_close_and_from_afar_is_one_head() -> None:
    found = detections(REFERENCE, scaled(0.7), scaled(1.4), moved(0.25))
    assert heads(found).tolist() == [0, 0, 0, 0]


def test_whoever_is_beside_behind_or_before_somebody_has_a_head_of_their_own() -> None:
    before = scaled(0.2) + EYES_APART / 2
    found = detections(REFERENCE, moved(2), moved(-1, -1), before)
    assert heads(found).tolist() == [0, 1, 2, 3]


def test_a_head_is_told_by_its_best_detection_and_not_by_way_of_others() -> None:
    found = detections(*(moved(0.3 * step) for step in range(4)))
    assert heads(found).tolist() == [0, 0, 2, 2]


def test_boxes_that_hardly_overlap_are_never_one_head() -> None:
    found = detections(REFERENCE, scaled(0.9))
    aside = Detections(
        found.boxes + np.array([[0] * 4, [90, 0, 90, 0]]), found.scores, found.landmarks
    )
    assert heads(aside).tolist() == [0, 1]


def test_points_that_are_all_in_one_place_are_nobodys_double() -> None:
    assert heads(detections(np.ones((5, 2)), np.ones((5, 2)))).tolist() == [0, 1]
    assert heads(empty()).tolist() == []
