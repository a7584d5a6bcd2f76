"""Faces as a detector gives them, drawn at any size, tilt and turn; and noise to cover."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sayso.redaction.types import Cover
from sayso.vision.types import Picture


def face(x: float, y: float, height: float, *, roll: float = 0.0, turned: float = 0.0) -> Cover:
    """Return a face with its middle at x, y, its head tilted clockwise by ``roll`` degrees.

    ``turned`` moves the nose aside, in face widths, and the eyes and mouth corners together.
    """
    width = height / 1.3
    narrow = 1 - 2 * abs(turned)
    points = np.array(
        [
            [-0.2 * narrow, -0.12],
            [0.2 * narrow, -0.12],
            [turned, 0.05],
            [-0.15 * narrow, 0.25],
            [0.15 * narrow, 0.25],
        ]
    ) * [width, height]
    angle = math.radians(roll)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    half_x = math.hypot(width * math.cos(angle), height * math.sin(angle)) / 2
    half_y = math.hypot(width * math.sin(angle), height * math.cos(angle)) / 2
    landmarks = (points @ turn + [x, y]).astype(np.float32)
    return Cover((x - half_x, y - half_y, x + half_x, y + half_y), landmarks)


def noise(width: int, height: int, seed: int = 0) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Picture(pixels, "PNG")


def with_other_pixels(picture: Picture, mask: NDArray[np.bool_], seed: int = 1) -> Picture:
    """Return the picture with other pixels where the mask is."""
    pixels = picture.pixels.copy()
    pixels[mask] = noise(picture.width, picture.height, seed).pixels[mask]
    return Picture(pixels, picture.format)
