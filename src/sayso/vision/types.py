"""The data that travels: pictures, faces and what is measured on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

#: How much work detection and embedding may take; see docs/explanation/detection.md.
Mode = Literal["fast", "balanced", "thorough"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded, upright picture.

    ``pixels`` is uint8, (height, width, 3), RGB, C-contiguous and not writeable.
    ``format`` names what it was decoded from, e.g. ``"JPEG"``. ``notices`` say what people are to
    know of it, such as that the file has other pictures. ``whole`` is width and height of the
    picture itself, where ``pixels`` are a reduced version of it; those of the pixels else.
    """

    pixels: NDArray[np.uint8]
    format: str = ""
    notices: tuple[str, ...] = ()
    whole: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if self.whole == (0, 0):
            object.__setattr__(self, "whole", (self.width, self.height))

    @property
    def width(self) -> int:
        """Width of the pixels, after the EXIF orientation was applied."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height of the pixels, after the EXIF orientation was applied."""
        return int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True)
class Quality:
    """How fit a face is to recognise somebody by.

    ``sharpness``, ``brightness`` and ``overall`` run from 0 to 100; ``overall`` orders faces by
    how well they recognise. Angles are degrees: ``yaw`` is positive when the nose points
    to the right of the picture, ``pitch`` when it looks up, ``roll`` when its head tilts
    clockwise in the picture, from -180 to 180: of an upside-down one it is near either end, and
    yaw and pitch are those that it has when it is turned upright. ``height`` is that of the box in
    pixels. ``visible`` is the share, 0 to 1, of the face that lies inside the picture: below 1 the
    border truncates it.
    """

    overall: float
    sharpness: float
    brightness: float
    yaw: float
    pitch: float
    roll: float
    height: float
    visible: float


@dataclass(frozen=True, slots=True)
class Face:
    """One detection in one picture.

    ``box`` is x1, y1, x2, y2 in pixels and may leave the picture. ``landmarks`` is float32 (5, 2),
    x and y in pixels: the eye, nose tip and mouth corners in the order left eye, right eye, nose,
    left corner, right corner as seen in the picture with the head upright. ``score`` runs from 0
    to 1.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: NDArray[np.float32]
    quality: Quality

    def scaled(self, x: float, y: float) -> Face:
        """Return the same face in a picture that is so many times wider and higher."""
        x1, y1, x2, y2 = self.box
        return Face(
            box=(x1 * x, y1 * y, x2 * x, y2 * y),
            score=self.score,
            landmarks=self.landmarks * np.array([x, y], np.float32),
            quality=replace(self.quality, height=self.quality.height * y),
        )

    @property
    def turn(self) -> int:
        """How far the head is turned clockwise in the picture, in degrees: 0, 90, 180 or 270."""
        return round(self.quality.roll / 90) % 4 * 90

    @property
    def width(self) -> float:
        """Width of the box in pixels."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """Height of the box in pixels."""
        return self.box[3] - self.box[1]


@dataclass(frozen=True, slots=True)
class Analysis:
    """Every face of one picture; row i of ``templates`` belongs to ``faces[i]``.

    ``templates`` is float32 (n, d) of unit-length rows.
    Faces come in the order of their scores, best first. ``notices`` are those of the picture.
    """

    width: int
    height: int
    faces: tuple[Face, ...]
    templates: NDArray[np.float32]
    notices: tuple[str, ...] = ()

    def resized(self, width: int, height: int) -> Analysis:
        """Return it in the pixels of a larger or smaller version of the same picture."""
        if (width, height) == (self.width, self.height):
            return self
        x, y = width / self.width, height / self.height
        faces = tuple(each.scaled(x, y) for each in self.faces)
        return Analysis(width, height, faces, self.templates, self.notices)
