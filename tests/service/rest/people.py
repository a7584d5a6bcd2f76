"""Made-up people whose pictures are of one shade, and what reads them in the place of networks."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from sayso.errors import PictureError
from sayso.vision.picture import PictureLimits
from sayso.vision.types import Analysis, Face, Picture, Quality
from tests.gallery.synthetic import MODEL, VERSION, near, templates
from tests.reading import Reading

NAMES = ("ada", "bob", "eve")
_SHADES = 40
_TEMPLATES = templates(len(NAMES), seed=3)
#: Shades of grey that mean something else.
NOBODY, BLURRED, BROKEN = 200, 220, 240


def shade(grey: int, extra: int = 0) -> bytes:
    """Return a picture of a shade; another ``extra`` makes another file of the same face."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (grey, grey, extra)).save(file, "PNG")
    return file.getvalue()


def picture(*names: str, extra: int = 0, alike: bool = False) -> bytes:
    """Return a picture of somebody, or of two people, the first of whom is larger unless alike."""
    first = NAMES.index(names[0])
    file = io.BytesIO()
    image = Image.new("RGB", (64, 64), (_SHADES * first, _SHADES * first, extra))
    if len(names) > 1:
        second = _SHADES * NAMES.index(names[1])
        image.putpixel((1, 0), (second, second, 254 if alike else 255))
    image.save(file, "PNG")
    return file.getvalue()


class Reader(Reading):
    """Reads from a picture's shade whose face is in it."""

    model, template_version, limits = MODEL, VERSION.template_version, PictureLimits()

    def load(self) -> None:
        """There is nothing to load."""

    def analyze(self, picture: Picture, **_mode: str) -> Analysis:
        grey = int(picture.pixels[0, 0, 0])
        extra = int(picture.pixels[0, 0, 2])
        if grey == NOBODY:
            return Analysis(64, 64, (), np.empty((0, 128), np.float32))
        if grey == BROKEN:
            raise PictureError("nobody knows this picture")
        overall = 5.0 if grey == BLURRED else 90.0
        who = [0 if grey == BLURRED else grey // _SHADES]
        second = int(picture.pixels[0, 1, 2])
        if second >= 254:
            who.append(int(picture.pixels[0, 1, 0]) // _SHADES)
        found = near(_TEMPLATES[who], 0.98, seed=100 + extra)
        smaller = 0 if second == 254 else 20
        faces = tuple(_face(60 - smaller * place, overall) for place in range(len(who)))
        return Analysis(64, 64, faces, found.astype(np.float32))


def _face(side: int, overall: float) -> Face:
    quality = Quality(overall, 90, 90, 0, 0, 0, side, 1)
    return Face((2.0, 2.0, 2.0 + side, 2.0 + side), 0.99, np.ones((5, 2), np.float32), quality)


def consent(*purposes: str, **more: Any) -> dict[str, Any]:
    """Return a consent as a request has it."""
    return {"purposes": list(purposes or ["photos"]), "evidence": "form 17", **more}
