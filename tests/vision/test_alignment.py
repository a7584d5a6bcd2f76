from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.vision.alignment import REFERENCE, align, similarity_transforms, visible_shares
from sayso.vision.pose import poses


def _placed(scale: float, degrees: float, x: float, y: float) -> np.ndarray:
    """The reference landmarks scaled, turned clockwise and moved: float32 (5, 2)."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(scale * REFERENCE @ turn.T + [x, y], np.float32)


@given(st.floats(0.05, 20), st.floats(-180, 180), st.floats(-500, 500), st.floats(-500, 500))
def test_the_transform_takes_any_placed_face_back_to_the_reference(
    scale: float, degrees: float, x: float, y: float
) -> None:
    landmarks = _placed(scale, degrees, x, y)
    transform = similarity_transforms(landmarks[None])[0]
    back = landmarks @ transform[:, :2].T + transform[:, 2]
    np.testing.assert_allclose(back, REFERENCE, atol=0.02)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0, 12.0])
def test_aligned_pixels_are_those_of_the_face_at_any_size(scale: float) -> None:
    # A smooth pattern drawn in the aligned frame, and the same pattern in a picture.
    columns, rows = np.meshgrid(np.arange(112), np.arange(112))
    pattern = np.stack([columns * 2, rows * 2, 128 + 60 * np.sin(columns / 9)], -1)
    side = int(112 * scale)
    picture = cv2.resize(pattern.astype(np.uint8), (side, side), interpolation=cv2.INTER_AREA)
    # cv2.resize maps pixel centres: x' = (x + 0.5) * scale - 0.5.
    landmarks = ((REFERENCE + 0.5) * scale - 0.5).astype(np.float32)
    aligned = align(np.asarray(picture, dtype=np.uint8), landmarks[None])[0]
    error = np.abs(aligned[8:-8, 8:-8].astype(float) - pattern[8:-8, 8:-8])
    assert error.mean() < 2.5


def test_a_large_face_is_averaged_and_not_picked_pixel_by_pixel() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 2, (2240, 2240, 1), dtype=np.uint8).repeat(3, axis=2) * 255
    landmarks = (REFERENCE * 20).astype(np.float32)
    aligned = align(noise, landmarks[None])[0, 10:-10, 10:-10]
    # One aligned pixel stands for 400: their mean is near 127 where a picked one is 0 or 255.
    assert aligned.std() < 20


def test_visible_share_of_a_face_cut_by_the_border() -> None:
    whole = _placed(1, 0, 50, 50)
    half = _placed(1, 0, -56, 0)
    outside = _placed(1, 0, -500, 0)
    shares = visible_shares(np.stack([whole, half, outside]), 300, 300)
    assert shares[0] == 1
    assert shares[1] == pytest.approx(0.5, abs=0.05)
    assert shares[2] == 0


def test_no_faces() -> None:
    none = np.empty((0, 5, 2), np.float32)
    assert align(np.zeros((9, 9, 3), np.uint8), none).shape == (0, 112, 112, 3)
    assert visible_shares(none, 9, 9).shape == (0,)
    assert poses(none).shape == (0, 3)


def _seen(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """A generic head, turned, as an orthographic camera sees it."""
    from sayso.vision.pose import _HEAD

    a, b, c = np.radians([yaw, pitch, roll])
    # x right, y down, z to the camera: nose to the right, nose up, head clockwise.
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    turned = _HEAD @ (about_z @ about_y @ about_x).T
    return np.asarray(turned[:, :2] * 2 + 100, np.float32)


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (30, 0, 0), (-30, 0, 0), (0, 20, 0), (0, -20, 0),
                               (0, 0, 40), (25, 0, -30), (0, 15, 170)],
)  # fmt: skip
def test_pose_of_a_head_turned_by_known_angles(yaw: float, pitch: float, roll: float) -> None:
    angles = poses(_seen(yaw, pitch, roll)[None])[0]
    np.testing.assert_allclose(angles, [yaw, pitch, roll], atol=3)
