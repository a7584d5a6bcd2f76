"""What is covered, in every style: the whole head, nothing of it left, and no more than that."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.redaction.picture import FILL, cover, covered
from sayso.redaction.types import STYLES, Cover, Style
from tests.redaction.heads import face, noise, with_other_pixels

#: Heads anywhere in and around a picture of 120 x 90, and regions by hand.
HEADS = st.builds(
    face,
    st.floats(-40, 160),
    st.floats(-40, 130),
    st.floats(4, 90),
    roll=st.floats(-180, 180),
    turned=st.floats(-0.4, 0.4),
)
REGIONS = st.builds(
    lambda x, y, width, height: Cover((x, y, x + width, y + height)),
    st.floats(-50, 130),
    st.floats(-50, 100),
    st.floats(0.25, 150),
    st.floats(0.25, 150),
)
COVERS = st.lists(HEADS | REGIONS, min_size=1, max_size=5)


@settings(max_examples=200)
@given(COVERS, st.sampled_from(STYLES))
def test_what_was_underneath_leaves_no_trace(covers: list[Cover], style: Style) -> None:
    picture = noise(120, 90)
    hidden = covered(picture, covers, style)
    other = with_other_pixels(picture, hidden)
    one, two = cover(picture, covers, style), cover(other, covers, style)
    np.testing.assert_array_equal(one.pixels, two.pixels)


@settings(max_examples=100)
@given(COVERS, st.sampled_from(STYLES))
def test_what_is_not_covered_is_left_as_it_is(covers: list[Cover], style: Style) -> None:
    picture = noise(120, 90)
    out = cover(picture, covers, style)
    seen = ~covered((90, 120), covers, style)
    np.testing.assert_array_equal(out.pixels[seen], picture.pixels[seen])
    assert out.pixels.shape == picture.pixels.shape
    assert out.format == picture.format
    assert not out.pixels.flags.writeable


@settings(max_examples=100)
@given(COVERS)
def test_more_covers_never_cover_less(covers: list[Cover]) -> None:
    for style in STYLES:
        whole = covered((90, 120), covers, style)
        parts = [covered((90, 120), [each], style) for each in covers]
        np.testing.assert_array_equal(whole, np.any(parts, axis=0))


@pytest.mark.parametrize("style", STYLES)
def test_a_region_by_hand_is_covered_to_the_pixel(style: Style) -> None:
    mask = covered((90, 120), [Cover((10.2, 20.0, 30.0, 40.7))], style)
    expected = np.zeros((90, 120), np.bool_)
    expected[20:41, 10:30] = True
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("height", [8, 20, 150])
@pytest.mark.parametrize("roll", [0, 30, -90, 180])
@pytest.mark.parametrize("turned", [0, 0.3, -0.3])
def test_the_whole_head_is_covered(style: Style, height: int, roll: int, turned: float) -> None:
    size = 6 * height
    head = face(size / 2, size / 2, height, roll=roll, turned=turned)
    mask = covered((size, size), [head], style)
    up = np.array([np.sin(np.radians(roll)), -np.cos(np.radians(roll))])
    across = np.array([-up[1], up[0]])
    width = height / 1.3

    def is_covered(right: float, above: float) -> bool:
        x, y = size / 2 + right * width * across + above * height * up
        return bool(mask[int(y), int(x)])

    # Chin, hair, ears and temples of a head whose face is one high and one wide around 0, 0.
    assert is_covered(0, -0.52)
    assert is_covered(0, 0.72)
    assert is_covered(0.62, 0.1)
    assert is_covered(-0.62, 0.1)
    assert is_covered(0.42, 0.5)
    assert is_covered(-0.42, 0.5)
    # The back of a head in profile; the shoulders and what is next to it stay.
    if turned:
        assert is_covered(-np.sign(turned) * 0.78, 0.1)
    assert not is_covered(0, -0.95)
    beside = 1.3 + 2 / width  # with the pixel of slack and that of rounding
    assert not is_covered(beside, 0)
    assert not is_covered(-beside, 0)
    assert not is_covered(0, 1.2)


@pytest.mark.parametrize("style", STYLES)
def test_a_face_of_any_tilt_lies_under_its_cover(style: Style) -> None:
    for roll in range(-180, 180, 10):
        head = face(100, 100, 60, roll=roll)
        mask = covered((200, 200), [head], style)
        x1, y1, x2, y2 = (round(side) for side in head.box)
        assert mask[y1:y2, x1:x2].mean() > (0.9 if style == "ellipse" else 0.97)


def test_landmarks_that_are_astray_make_no_cover_smaller() -> None:
    right = face(100, 100, 60)
    wrong = Cover(right.box, np.full((5, 2), 7, np.float32))
    together = Cover(right.box, np.full((5, 2), 100, np.float32))
    for style in STYLES:
        for other in (wrong, together):
            assert (
                covered((200, 200), [other], style) == covered((200, 200), [right], style)
            ).all()


@pytest.mark.parametrize("style", STYLES)
def test_a_cover_may_leave_the_picture(style: Style) -> None:
    far = [face(-500, 40, 60), face(0, 0, 40), Cover((1e7, 1e7, 1e9, 1e9)), face(40, 1e6, 900)]
    mask = covered((90, 120), far, style)
    np.testing.assert_array_equal(mask, covered((90, 120), far[1:2], style))
    assert mask[0, 0]
    everything = covered((90, 120), [Cover((-1e9, -1e9, 1e9, 1e9))], style)
    assert everything.all()


def test_where_nothing_is_visible_a_mosaic_is_of_one_colour() -> None:
    out = cover(noise(40, 30), [Cover((-5, -5, 50, 50))], "mosaic")
    assert (out.pixels == FILL).all()


def test_a_mosaic_is_of_few_cells_in_the_colours_around_it() -> None:
    pixels = np.full((200, 300, 3), (200, 40, 40), np.uint8)
    pixels[:, 150:] = (40, 40, 200)
    picture = type(noise(1, 1))(pixels, "PNG")
    head = face(150, 100, 60)
    inside = cover(picture, [head], "mosaic").pixels[covered(picture, [head], "mosaic")]
    colours = np.unique(inside, axis=0)
    assert 2 <= len(colours) <= 36
    assert (colours[:, 1] == 40).all()
    assert inside[:, 0].min() == 40
    assert inside[:, 0].max() == 200


@pytest.mark.parametrize("style", ["solid", "ellipse"])
def test_a_cover_is_of_one_colour(style: Style) -> None:
    picture = noise(120, 90)
    covers = [face(60, 45, 30), face(70, 50, 30), Cover((0, 0, 20, 20))]
    out = cover(picture, covers, style)
    assert (out.pixels[covered(picture, covers, style)] == FILL).all()


def test_nothing_to_cover_changes_nothing() -> None:
    picture = noise(120, 90)
    for style in STYLES:
        np.testing.assert_array_equal(cover(picture, [], style).pixels, picture.pixels)


def test_a_style_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="no style is called 'blur'; there are solid, mosaic"):
        cover(noise(20, 20), [], "blur")  # type: ignore[arg-type]
