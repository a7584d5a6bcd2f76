"""The outline of a head, from the box and the landmarks of its face.

A detector's box holds a face from the brow to the chin. A person is known by more than that:
hair, ears and the shape of the skull. So what is covered is an oval, or a block with round
corners, that stands on the chin, leans as the head leans, and reaches beyond hair and ears; of a
head in profile it reaches further back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sayso.redaction.types import Cover, Style

#: Half a face's width and height, as shares of half the diagonal of its box. The diagonal of the
#: box around an oval stays the same however the oval is turned.
_FACE_ACROSS: Final = 0.61
_FACE_UP: Final = 0.79
#: How much wider and higher than its face a head with hair and ears is, and how much higher it
#: has its middle, in halves of the face's height.
_HEAD_ACROSS: Final = 1.5
_HEAD_UP: Final = 1.42
_RAISED: Final = 0.25
#: Of a full profile the back of the head is this many halves of the face's width further away,
#: twice; and the nose is this far from the line between eyes and mouth, in half diagonals.
_BACK: Final = 0.3
_PROFILE: Final = 0.3
#: Eyes and mouth are nearer to each other than this, in half diagonals, only when they are wrong.
_NEAREST: Final = 0.15
#: Pixels added all around: the smallest boxes are not known to the pixel.
_SLACK: Final = 1.0
#: The exponent of a superellipse: 2 is an ellipse, 4 a block with round corners.
_ROUNDNESS: Final[dict[Style, int]] = {"solid": 4, "mosaic": 4, "ellipse": 2}


@dataclass(frozen=True, slots=True)
class Outline:
    """An oval in the picture: ``centre`` and half axes in pixels, ``across`` a unit vector.

    The second axis is ``across`` turned by a quarter. ``roundness`` is a superellipse's exponent.
    """

    centre: tuple[float, float]
    across: tuple[float, float]
    half_across: float
    half_up: float
    roundness: int

    def bounds(self) -> tuple[float, float, float, float]:
        """Return x1, y1, x2, y2 of an upright box that holds the whole oval."""
        x, y = self.centre
        cosine, sine = (abs(value) for value in self.across)
        reach_x = cosine * self.half_across + sine * self.half_up
        reach_y = sine * self.half_across + cosine * self.half_up
        return x - reach_x, y - reach_y, x + reach_x, y + reach_y

    def holds(self, xs: NDArray[np.float32], ys: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which of the points at ``xs`` (w,) and ``ys`` (h,) lie inside, bool (h, w)."""
        cosine, sine = self.across
        x, y = xs[None, :] - np.float32(self.centre[0]), ys[:, None] - np.float32(self.centre[1])
        right = (x * np.float32(cosine) + y * np.float32(sine)) / np.float32(self.half_across)
        down = (y * np.float32(cosine) - x * np.float32(sine)) / np.float32(self.half_up)
        right, down = right * right, down * down
        if self.roundness == 4:
            right, down = right * right, down * down
        inside: NDArray[np.bool_] = right + down <= 1
        return inside


def head(cover: Cover, style: Style) -> Outline:
    """Return the outline of the head around a face; ``cover`` must have landmarks."""
    if cover.landmarks is None:
        raise ValueError("a region marked by hand has no head's outline")
    x1, y1, x2, y2 = cover.box
    half = float(np.hypot(x2 - x1, y2 - y1)) / 2
    middle = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    up, aside = _pose(cover.landmarks.astype(np.float64), middle, half)
    across = np.array([-up[1], up[0]])
    face_across, face_up = _FACE_ACROSS * half, _FACE_UP * half
    back = _BACK * face_across * float(np.clip(aside / _PROFILE, -1, 1))
    centre = middle + _RAISED * face_up * up - back * across
    return Outline(
        (float(centre[0]), float(centre[1])),
        (float(across[0]), float(across[1])),
        _HEAD_ACROSS * face_across + abs(back) + _SLACK,
        _HEAD_UP * face_up + _SLACK,
        _ROUNDNESS[style],
    )


def _pose(
    landmarks: NDArray[np.float64], middle: NDArray[np.float64], half: float
) -> tuple[NDArray[np.float64], float]:
    """Return where the head's top points, a unit vector, and how far the nose points aside.

    Landmarks that cannot be those of a face in this box are not believed: the head is then taken
    to be upright and seen from the front.
    """
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    length = float(np.hypot(*(eyes - mouth)))
    astray = float(np.abs(landmarks - middle).max())
    if length < _NEAREST * half or astray > 1.5 * half:
        return np.array([0.0, -1.0]), 0.0
    up = (eyes - mouth) / length
    across = np.array([-up[1], up[0]])
    aside = float((landmarks[2] - (eyes + mouth) / 2) @ across) / half
    return up, aside
