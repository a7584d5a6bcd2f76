"""Cover heads and regions of a picture, so that nothing of what was there is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sayso.redaction.mosaic import mosaic
from sayso.redaction.outline import head
from sayso.redaction.types import STYLES, Cover, Patch, Style
from sayso.vision.types import Picture

#: The one colour of ``solid`` and ``ellipse``, RGB: a grey that stands out from skin and hair.
FILL: Final = (96, 96, 96)


def cover(picture: Picture, covers: Sequence[Cover], style: Style = "solid") -> Picture:
    """Return a new picture of the same size and format in which every cover is covered.

    Of what was under any of the covers nothing is in the new pixels: they are of one colour or,
    in a mosaic, made from what stays visible around. The same call always gives the same pixels.
    """
    patches = _patches(picture.height, picture.width, covers, style)
    mask = _union(picture.height, picture.width, patches)
    pixels = picture.pixels.copy()
    if style == "mosaic":
        mosaic(pixels, patches, mask, FILL)
    else:
        pixels[mask] = FILL
    pixels.flags.writeable = False
    return Picture(pixels, picture.format)


def covered(
    picture: Picture | tuple[int, int], covers: Sequence[Cover], style: Style = "solid"
) -> NDArray[np.bool_]:
    """Return which pixels are covered, bool (height, width).

    ``picture`` may be given by its height and width alone.
    """
    height, width = (picture.height, picture.width) if isinstance(picture, Picture) else picture
    return _union(height, width, _patches(height, width, covers, style))


def _union(height: int, width: int, patches: Sequence[Patch]) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), np.bool_)
    for patch in patches:
        mask[patch.rows, patch.columns] |= patch.mask
    return mask


def _patches(height: int, width: int, covers: Sequence[Cover], style: Style) -> list[Patch]:
    if style not in STYLES:
        raise ValueError(f"no style is called {style!r}; there are {', '.join(STYLES)}")
    patches = (_patch(height, width, each, style) for each in covers)
    return [patch for patch in patches if patch.mask.size]


def _patch(height: int, width: int, cover: Cover, style: Style) -> Patch:
    """Return what of the picture a cover covers; of a region by hand every pixel it touches."""
    outline = None if cover.landmarks is None else head(cover, style)
    x1, y1, x2, y2 = cover.box if outline is None else outline.bounds()
    rows, columns = _span(y1, y2, height), _span(x1, x2, width)
    ys = np.arange(rows.start, rows.stop, dtype=np.float32) + np.float32(0.5)
    xs = np.arange(columns.start, columns.stop, dtype=np.float32) + np.float32(0.5)
    if outline is None:
        return Patch(rows, columns, np.ones((len(ys), len(xs)), np.bool_))
    return Patch(rows, columns, outline.holds(xs, ys))


def _span(start: float, stop: float, length: int) -> slice:
    """Return the pixels of a side that an interval touches."""
    first = int(np.clip(np.floor(start), 0, length))
    return slice(first, max(first, int(np.clip(np.ceil(stop), 0, length))))
