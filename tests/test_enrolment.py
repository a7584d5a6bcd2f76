"""Which face of a picture enrols."""

from __future__ import annotations

import numpy as np
import pytest

from sayso.enrolment import choose_face
from sayso.errors import AmbiguousFace, FaceTooPoor, NoFaceFound
from sayso.vision.types import Analysis, Face, Quality
from tests.gallery.synthetic import templates


def analysis(*faces: tuple[float, float]) -> Analysis:
    """Make an analysis with faces of these sides, in pixels, and overall qualities."""
    found = tuple(
        Face((0.0, 0.0, side, side), 0.9, np.zeros((5, 2), np.float32), _quality(overall, side))
        for side, overall in faces
    )
    return Analysis(1000, 1000, found, templates(len(found)))


def _quality(overall: float, height: float) -> Quality:
    return Quality(overall, 50, 50, 0, 0, 0, height, 1)


def test_the_largest_face_is_enrolled() -> None:
    picture = analysis((100, 60), (300, 50), (200, 90))
    chosen = choose_face(picture, "digest")
    assert chosen.face is picture.faces[1]
    assert np.array_equal(chosen.template, picture.templates[1])


def test_a_poor_large_face_does_not_enrol_the_bystander() -> None:
    with pytest.raises(FaceTooPoor, match="400 px high with quality 9"):
        choose_face(analysis((26, 60), (400, 9)), "digest")


@pytest.mark.parametrize("quality", [9, 90])
def test_a_face_of_comparable_size_is_a_doubt_however_good(quality: float) -> None:
    with pytest.raises(AmbiguousFace, match="2 faces"):
        choose_face(analysis((100, 60), (85, quality), (30, 80)), "digest")


def test_no_face_is_told() -> None:
    with pytest.raises(NoFaceFound):
        choose_face(analysis(), "digest")
