"""Which face of a picture enrols."""

from __future__ import annotations

import numpy as np
import pytest

from sayso.choosing import FaceChoice, check_choice
from sayso.enrolment import choose_face
from sayso.errors import AmbiguousFace, EnrolmentError, FaceTooPoor, NoFaceFound
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


def placed(*boxes: tuple[float, float, float, float]) -> Analysis:
    """Make an analysis of 1000 x 1000 pixels with good faces in these boxes."""
    found = tuple(
        Face(box, 0.9, np.zeros((5, 2), np.float32), _quality(80, box[3] - box[1])) for box in boxes
    )
    return Analysis(1000, 1000, found, templates(len(found)))


MIDDLE, EDGE = (400.0, 400.0, 600.0, 600.0), (-60.0, 400.0, 150.0, 610.0)


def test_a_whole_face_in_the_middle_is_taken_over_one_that_the_frame_cuts() -> None:
    picture = placed(EDGE, MIDDLE)
    assert choose_face(picture, "digest").face is picture.faces[1]


@pytest.mark.parametrize(
    "boxes",
    [
        ((200.0, 400.0, 400.0, 600.0), (600.0, 400.0, 800.0, 600.0)),  # side by side
        ((150.0, 400.0, 350.0, 600.0), MIDDLE, (650.0, 400.0, 850.0, 600.0)),  # three in a row
    ],
)
def test_people_beside_each_other_are_a_doubt(boxes: tuple[tuple[float, ...], ...]) -> None:
    with pytest.raises(AmbiguousFace):
        choose_face(placed(*boxes), "digest")  # type: ignore[arg-type]


def test_a_much_larger_face_at_the_edge_is_still_the_pictures() -> None:
    picture = placed((-50.0, 0.0, 450.0, 500.0), (450.0, 450.0, 550.0, 550.0))
    assert choose_face(picture, "digest").face is picture.faces[0]


@pytest.mark.parametrize(
    ("face", "row"),
    [(1, 0), (2, 1), ("largest", 0), ("central", 1), ((390.0, 395.0, 600.0, 605.0), 1)],
)
def test_the_caller_may_choose(face: FaceChoice, row: int) -> None:
    picture = placed(EDGE, MIDDLE)
    assert choose_face(picture, "digest", face).face is picture.faces[row]


@pytest.mark.parametrize("face", [3, (700.0, 700.0, 900.0, 900.0)])
def test_a_face_that_is_not_there_cannot_be_chosen(face: FaceChoice) -> None:
    with pytest.raises(NoFaceFound):
        choose_face(placed(EDGE, MIDDLE), "digest", face)


def test_a_chosen_face_must_be_good_as_well() -> None:
    with pytest.raises(FaceTooPoor):
        choose_face(analysis((300, 50), (100, 9)), "digest", 2)


@pytest.mark.parametrize("face", [0, -1, True, "left", (1, 2, 3), (5, 5, 1, 9), 1.5])
def test_what_chooses_no_face_is_refused(face: FaceChoice) -> None:
    with pytest.raises(EnrolmentError, match="give its number"):
        check_choice(face)
