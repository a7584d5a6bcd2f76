"""Faces that lie or hang in the picture, on the models themselves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sayso.analyzer import Analyzer
from sayso.enrolment import MIN_QUALITY
from sayso.models.store import ModelStore
from sayso.vision.detections import Detections
from sayso.vision.quality import qualities
from sayso.vision.types import Picture
from tests.data import require

#: What two pictures of one person have in common that are hardly alike, and a turned copy more.
_SAME = 0.8


@pytest.fixture(scope="module")
def analyzer(model_store: ModelStore) -> Analyzer:
    return Analyzer(models=model_store)


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    bgr = cv2.imread(str(require("people", "eileen_collins_nasa.png")))
    return np.ascontiguousarray(np.asarray(bgr, np.uint8)[:, :, ::-1])


def turned(pixels: NDArray[np.uint8], degrees: int) -> Picture:
    """Return a picture turned clockwise, the rest of it grey."""
    if degrees % 90 == 0:
        return Picture(np.ascontiguousarray(np.rot90(pixels, -degrees // 90)))
    side = pixels.shape[0]
    how = cv2.getRotationMatrix2D((side / 2, side / 2), -degrees, 0.8)
    done = cv2.warpAffine(pixels, how, (side, side), borderValue=(120, 120, 120))
    return Picture(np.asarray(done, np.uint8))


@pytest.mark.parametrize("degrees", [90, 180, 270, 30, 45, 60, -60])
def test_a_turned_head_gives_the_template_of_the_upright_one(
    degrees: int, portrait: NDArray[np.uint8], analyzer: Analyzer
) -> None:
    upright = analyzer.analyze(Picture(portrait))
    found = analyzer.analyze(turned(portrait, degrees))
    best = int((found.templates @ upright.templates[0]).argmax())
    face = found.faces[best]
    assert found.templates[best] @ upright.templates[0] > _SAME
    assert abs((face.quality.roll - degrees + 180) % 360 - 180) < 15
    assert face.turn == (round(degrees / 90) % 4 * 90 if degrees % 90 == 0 else face.turn)


def test_an_upright_face_is_left_as_it_is(portrait: NDArray[np.uint8], analyzer: Analyzer) -> None:
    once = analyzer.analyze(Picture(portrait))
    always = analyzer.analyze(Picture(portrait), every_turn=True)
    assert np.array_equal(once.templates, always.templates)
    assert once.faces[0].turn == 0


@pytest.mark.parametrize("side", [1200, 4000])
def test_a_face_that_fills_the_picture_is_one_face_of_the_same_person(
    side: int, portrait: NDArray[np.uint8], analyzer: Analyzer
) -> None:
    upright = analyzer.analyze(Picture(portrait))
    close = cv2.resize(portrait[50:245, 145:310], (side * 165 // 195, side), interpolation=2)
    found = analyzer.analyze(Picture(np.asarray(close, np.uint8)))
    assert len(found.faces) == 1
    assert found.templates[0] @ upright.templates[0] > 0.96


def test_a_face_whose_landmarks_contradict_its_turn_is_too_poor_to_enrol() -> None:
    points = np.array([[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]], np.float32)
    found = Detections(
        np.tile(np.array([[10, 10, 110, 110]], np.float32), (2, 1)),
        np.ones(2, np.float32),
        np.stack([points, points]),
    )
    aligned = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8)
    contradicted = np.array([False, True])
    sure, doubtful = qualities(
        found, aligned, np.full(2, 40, np.float32), 200, 200, contradicted=contradicted
    )
    assert sure.overall > 50
    assert doubtful.overall < MIN_QUALITY
