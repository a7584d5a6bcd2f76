"""Annotated pictures: readable names, and nothing at all written at strangers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from sayso.vision.annotation import FaceLabel, annotate
from sayso.vision.types import Picture

#: The ground that text stands on; see the module.
LABEL = (17, 94, 45)


def blank(width: int = 640, height: int = 480, grey: int = 128) -> Picture:
    pixels = np.full((height, width, 3), grey, np.uint8)
    pixels.flags.writeable = False
    return Picture(pixels, "PNG")


def label_areas(picture: Picture) -> NDArray[np.bool_]:
    return np.asarray((picture.pixels == LABEL).all(axis=2))


def extent(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    ys, xs = np.nonzero(mask)
    return int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (FaceLabel((0, 0, 9, 9), "ada", 97.0), "ada 97"),
        (FaceLabel((0, 0, 9, 9), "ada", 99.97), "ada 99"),
        (FaceLabel((0, 0, 9, 9), "ada"), "ada"),
        (FaceLabel((0, 0, 9, 9), None, 97.0), ""),
        (FaceLabel((0, 0, 9, 9), "", 97.0), ""),
        (FaceLabel((0, 0, 9, 9), "two\nlines\tof", 80.0), "two lines of 80"),
        (FaceLabel((0, 0, 9, 9), "x" * 300, 80.0), "x" * 39 + "… 80"),
    ],
)
def test_text(label: FaceLabel, text: str) -> None:
    assert label.text == text


def test_a_stranger_gets_a_thin_box_and_no_text() -> None:
    picture = blank()
    out = annotate(picture, [FaceLabel((200, 150, 300, 280), None, 97.0)])
    changed = (out.pixels != picture.pixels).any(axis=2)
    assert not label_areas(out).any()
    assert changed[150, 200:301].all()
    changed[147:154, 197:304] = changed[277:284, 197:304] = False
    changed[147:284, 197:204] = changed[147:284, 297:304] = False
    assert not changed.any(), "something but the outline was drawn"


def test_a_name_is_written_beside_its_face() -> None:
    out = annotate(blank(), [FaceLabel((200, 150, 300, 280), "ada", 97.0)])
    x1, y1, x2, y2 = extent(label_areas(out))
    assert y2 < 150
    assert y1 > 100
    assert x1 < 300
    assert x2 > 200
    inside = out.pixels[y1:y2, x1:x2]
    assert (inside == 255).all(axis=2).any(), "white text on the dark ground"
    assert (out.pixels[160:270, 210:290] == 128).all(), "the face itself stays free"


def test_the_picture_given_is_left_alone() -> None:
    picture = blank()
    out = annotate(picture, [FaceLabel((10, 10, 60, 60), "ada", 90.0)])
    assert (picture.pixels == 128).all()
    assert out.format == "PNG"
    assert not out.pixels.flags.writeable
    again = annotate(picture, [FaceLabel((10, 10, 60, 60), "ada", 90.0)])
    assert np.array_equal(out.pixels, again.pixels)


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 40, 50),
        (600, 0, 640, 50),
        (0, 430, 40, 480),
        (600, 430, 640, 480),
        (-30, -20, 700, 500),
        (630.5, 470.2, 700, 520),
    ],
)
def test_labels_stay_inside(box: tuple[float, float, float, float]) -> None:
    alone = annotate(blank(), [FaceLabel((300, 200, 340, 250), "grace", 93.0)])
    out = annotate(blank(), [FaceLabel(box, "grace", 93.0)])
    x1, y1, x2, y2 = extent(label_areas(out))
    if box[3] - box[1] < 60:
        whole = extent(label_areas(alone))
        assert (x2 - x1, y2 - y1) == (whole[2] - whole[0], whole[3] - whole[1])
    assert x1 >= 0
    assert y1 >= 0


def test_labels_in_a_row_of_faces_do_not_cover_each_other() -> None:
    faces = [(20 + 45 * n, 200, 50 + 45 * n, 240) for n in range(12)]
    count = 0
    for number in range(len(faces)):
        count += int(label_areas(annotate(blank(), [FaceLabel(faces[number], "grace")])).sum())
    together = annotate(blank(), [FaceLabel(face, "grace") for face in faces])
    # Were one label over another, the area would be less than that of all of them alone.
    assert label_areas(together).sum() > 0.97 * count
    for x1, y1, x2, y2 in faces:
        assert not label_areas(together)[y1:y2, x1:x2].any()


def test_text_grows_with_the_picture() -> None:
    heights = []
    for scale in (1, 4, 8):
        box = (200 * scale, 150 * scale, 300 * scale, 280 * scale)
        out = annotate(blank(640 * scale, 480 * scale), [FaceLabel(box, "ada", 97.0)])
        _, y1, _, y2 = extent(label_areas(out))
        heights.append(y2 - y1)
    assert heights[0] >= 14
    assert heights[1] > 2.5 * heights[0]
    assert heights[2] > 1.8 * heights[1]


def test_other_scripts_have_glyphs_of_their_own() -> None:
    drawn = []
    for name in ("Łukasz", "Żółć", "José", "Zoë", "Иван", "Ελένη", "李明"):
        out = annotate(blank(), [FaceLabel((200, 150, 330, 330), name)])
        x1, y1, x2, y2 = extent(label_areas(out))
        drawn.append(out.pixels[y1:y2, x1:x2])
        # A font without these letters draws boxes, the same for all of them.
        ascii_twin = annotate(blank(), [FaceLabel((200, 150, 330, 330), "\ufffd" * len(name))])
        assert not np.array_equal(out.pixels, ascii_twin.pixels)
    for one, other in itertools.combinations(drawn, 2):
        assert not np.array_equal(one, other)


def test_a_crowd_takes_little_time_and_every_name_is_there() -> None:
    chance = np.random.default_rng(0)
    corners = chance.integers(0, (3700, 2000), (110, 2))
    labels = [FaceLabel((x, y, x + 50, y + 60), f"p{x}", 90.0) for x, y in corners.tolist()]
    out = annotate(blank(3840, 2160), labels)
    assert label_areas(out).sum() > 100 * 30 * 60
