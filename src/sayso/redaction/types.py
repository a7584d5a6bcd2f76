"""What has to be covered, and the ways of doing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

#: How a covered place looks; all of them hold nothing of what was there.
Style = Literal["solid", "mosaic", "ellipse"]
STYLES: tuple[Style, ...] = get_args(Style)


@dataclass(frozen=True, slots=True)
class Cover:
    """What has to be covered: a head, or a region that somebody marked by hand.

    ``box`` is x1, y1, x2, y2 in pixels and may leave the picture. ``landmarks`` is float32
    (5, 2) in the order of ``sayso.vision.types.Face``: with them the box is that of a face, and
    the whole head around it is covered. Without, exactly the box is. Raises ``ValueError`` for a
    box without area, and for coordinates that are not finite.
    """

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if len(self.box) != 4 or not np.isfinite(self.box).all():
            raise ValueError(
                f"the box {_shown(self.box)} cannot be covered; give four finite numbers: x1, y1,"
                " x2, y2"
            )
        x1, y1, x2, y2 = self.box
        if x2 <= x1 or y2 <= y1:
            raise ValueError(
                f"the box {_shown(self.box)} has no area; x2 must be over x1, and y2 over y1"
            )
        if self.landmarks is None:
            return
        if self.landmarks.shape != (5, 2) or not np.isfinite(self.landmarks).all():
            raise ValueError(
                f"landmarks of shape {self.landmarks.shape} cannot be used; give five finite"
                " points, x and y"
            )


@dataclass(frozen=True, slots=True)
class Patch:
    """A covered place inside the picture: its rows and columns, and which of its pixels, (h, w)."""

    rows: slice
    columns: slice
    mask: NDArray[np.bool_]


def _shown(box: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in box) + ")"
