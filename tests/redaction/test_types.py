from __future__ import annotations

import math

import numpy as np
import pytest

from sayso.redaction.types import Cover

NAN, INFINITY = math.nan, math.inf


@pytest.mark.parametrize("box", [(NAN, 0, 1, 1), (0, 0, INFINITY, 1), (0, -INFINITY, 1, 1)])
def test_a_box_that_is_not_finite_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"cannot be covered; give four finite numbers"):
        Cover(box)


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 5, 9, 5), (9, 5, 5, 9), (5, 9, 9, 5)])
def test_a_box_without_area_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"the box \(\d, \d, \d, \d\) has no area"):
        Cover(box)


@pytest.mark.parametrize(
    "landmarks", [np.zeros((4, 2)), np.zeros((5, 3)), np.full((5, 2), NAN), np.zeros(10)]
)
def test_landmarks_that_are_no_five_points_are_refused(landmarks: np.ndarray) -> None:
    with pytest.raises(ValueError, match="give five finite points"):
        Cover((0, 0, 9, 9), landmarks.astype(np.float32))
