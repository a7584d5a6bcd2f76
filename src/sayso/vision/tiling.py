"""Cut a large picture into overlapping tiles, and put what was found on them together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sayso.vision.detections import Detections

#: Neighbouring tiles share this many pixels, so that a face up to that size is whole on one.
OVERLAP = 192
#: The longest and the shorter side that one run of a model may have: bounds its memory.
MAX_LONG, MAX_SHORT = 2048, 1536
#: Sides are rounded up to a multiple of this; every new shape costs a runtime set-up time.
STEP = 64


@dataclass(frozen=True, slots=True)
class Tile:
    """A window of the picture: corner and sides in pixels, and which edges cut the picture."""

    x: int
    y: int
    width: int
    height: int
    cuts: tuple[bool, bool, bool, bool]  # left, top, right, bottom

    def drop_cut_faces(self, found: Detections) -> Detections:
        """Without the faces (in tile coordinates) that touch an edge which cuts the picture.

        They are whole on the neighbouring tile, or, being larger than the overlap, on the coarse
        pass over the reduced picture.
        """
        margin = 2.0
        left, top, right, bottom = self.cuts
        whole = np.ones(len(found), dtype=np.bool_)
        if left:
            whole &= found.boxes[:, 0] > margin
        if top:
            whole &= found.boxes[:, 1] > margin
        if right:
            whole &= found.boxes[:, 2] < self.width - margin
        if bottom:
            whole &= found.boxes[:, 3] < self.height - margin
        return found.take(whole)


def tiles(width: int, height: int) -> Iterator[Tile]:
    """Tiles of equal size, row by row, that cover a picture of this size."""
    max_width, max_height = (MAX_LONG, MAX_SHORT) if width >= height else (MAX_SHORT, MAX_LONG)
    columns, tile_width = _divide(width, max_width)
    rows, tile_height = _divide(height, max_height)
    for y in rows:
        for x in columns:
            yield Tile(
                x,
                y,
                min(tile_width, width - x),
                min(tile_height, height - y),
                (x > 0, y > 0, x + tile_width < width, y + tile_height < height),
            )


def is_tiled(width: int, height: int) -> bool:
    """Whether a picture of this size takes more than one tile."""
    return max(width, height) > MAX_LONG or min(width, height) > MAX_SHORT


def padded(side: int) -> int:
    """The side rounded up to the next multiple of STEP."""
    return -(-side // STEP) * STEP


def _divide(length: int, longest: int) -> tuple[list[int], int]:
    """Starts and common length of the fewest pieces up to ``longest`` that cover ``length``."""
    if length <= longest:
        return [0], length
    count = -(-(length - OVERLAP) // (longest - OVERLAP))
    piece = -(-(length + (count - 1) * OVERLAP) // count)
    return [min(index * (piece - OVERLAP), length - piece) for index in range(count)], piece
