"""Pictures that stand for whatever faces a test wants in them, and what reads them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from PIL import Image

from sayso.vision.picture import PictureLimits
from sayso.vision.types import Analysis, Face, Picture, Quality
from tests.gallery.synthetic import MODEL, VERSION, near, templates
from tests.reading import Reading

WIDTH, HEIGHT = 200, 100
_PEOPLE = templates(20, seed=3)


@dataclass(frozen=True)
class Drawn:
    """A face of one of twenty people: a square of ``side`` pixels from ``left``, ``top``."""

    person: int
    side: float = 60
    left: float = 20
    top: float = 10
    overall: float = 90
    brightness: float = 80
    sharpness: float = 70
    yaw: float = 5
    pitch: float = -3
    roll: float = 2
    score: float = 0.99
    #: How alike it is to the person's other faces.
    cosine: float = 0.98

    def face(self) -> Face:
        quality = Quality(
            *(self.overall, self.sharpness, self.brightness, self.yaw, self.pitch, self.roll),
            *(self.side, 1.0),
        )
        points = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.3, 0.7], [0.7, 0.7]], np.float32)
        box = (self.left, self.top, self.left + self.side, self.top + self.side)
        at = np.array([self.left, self.top], np.float32)
        return Face(box, self.score, at + points * np.float32(self.side), quality)


@dataclass
class Studio(Reading):
    """Draws pictures, each another one, and reads them in the place of the neural networks."""

    model = MODEL
    template_version = VERSION.template_version
    limits = PictureLimits()
    _drawn: dict[int, tuple[Drawn, ...]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def draw(self, *faces: Drawn | int, form: str = "PNG") -> bytes:
        """Return the file of a new picture with these faces, or of these people."""
        number = next(self._numbers)
        self._drawn[number] = tuple(f if isinstance(f, Drawn) else Drawn(f) for f in faces)
        return picture_file((WIDTH, HEIGHT), number, form)

    def load(self) -> None:
        """There is nothing to load."""

    def analyze(self, picture: Picture, **_mode: str) -> Analysis:
        red, green, blue = (int(value) for value in picture.pixels[0, 0])
        number = (red << 16) + (green << 8) + blue
        drawn = sorted(self._drawn[number], key=lambda face: -face.score)
        found = [near(_PEOPLE[[f.person]], f.cosine, seed=100 + number)[0] for f in drawn]
        rows = np.array(found, np.float32).reshape(len(drawn), _PEOPLE.shape[1])
        return Analysis(picture.width, picture.height, tuple(f.face() for f in drawn), rows)


def picture_file(size: tuple[int, int], number: int = 0, form: str = "PNG") -> bytes:
    """Return the file of a picture of one colour, which is its number."""
    file = io.BytesIO()
    Image.new("RGB", size, (number >> 16, number >> 8 & 255, number & 255)).save(file, form)
    return file.getvalue()
