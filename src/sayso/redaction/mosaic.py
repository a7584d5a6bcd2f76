"""Fill covered places with a few large cells, in the colours of what is around them.

The mean colours of a head's own parts would be a picture of it: small, but one that tells people
apart (benchmarks/results.md says how well). So the cells take their colours from outside, and
what is under a cover plays no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sayso.redaction.types import Patch

#: Cells along the longer side of a covered place.
CELLS: Final = 5


def mosaic(
    pixels: NDArray[np.uint8],
    patches: Sequence[Patch],
    hidden: NDArray[np.bool_],
    fallback: tuple[int, int, int],
) -> None:
    """Paint every patch of ``pixels``, uint8 (h, w, 3), in place.

    ``hidden``, bool (h, w), says which pixels are under any patch; of those nothing is used.
    Where nothing is visible around a patch, it gets the colour ``fallback``.
    """
    visible = ~hidden
    for patch in patches:  # what is painted is hidden, and so plays no part in the next
        colours = _painted(pixels, patch, visible, fallback)
        pixels[patch.rows, patch.columns][patch.mask] = colours[patch.mask]


def _painted(
    pixels: NDArray[np.uint8],
    patch: Patch,
    visible: NDArray[np.bool_],
    fallback: tuple[int, int, int],
) -> NDArray[np.uint8]:
    """Return the cells over a patch, uint8 of its size; their colours come from a ring around."""
    height, width = patch.mask.shape
    side = max(1, -(-max(height, width) // CELLS))
    rows, row_cells = _cells(patch.rows, side, len(pixels))
    columns, column_cells = _cells(patch.columns, side, pixels.shape[1])
    seen = visible[rows, columns]
    sums = _summed(pixels[rows, columns] * seen[..., None], row_cells, column_cells)
    counts = _summed(seen[..., None], row_cells, column_cells)[..., 0]
    colours = _spread(sums, counts, fallback)
    tall = np.diff(np.append(row_cells, rows.stop - rows.start))
    wide = np.diff(np.append(column_cells, columns.stop - columns.start))
    large = np.repeat(np.repeat(colours, tall, axis=0), wide, axis=1)
    top, left = patch.rows.start - rows.start, patch.columns.start - columns.start
    return large[top : top + height, left : left + width]


def _cells(span: slice, side: int, length: int) -> tuple[slice, NDArray[np.intp]]:
    """Return a span with a cell more at either end, and where in it each cell starts."""
    start, stop = max(0, span.start - side), min(length, span.stop + side)
    inner = np.arange(span.start, span.stop, side) - start
    starts = np.concatenate([[0], inner, [span.stop - start]])
    starts = np.unique(starts[starts < stop - start])
    return slice(start, stop), starts.astype(np.intp)


def _summed(
    values: NDArray[np.generic], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.int64]:
    across = np.add.reduceat(values, columns, axis=1, dtype=np.int64)
    return np.asarray(np.add.reduceat(across, rows, axis=0), np.int64)


def _spread(
    sums: NDArray[np.int64], counts: NDArray[np.int64], fallback: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Return each cell's colour: its own visible mean, or that of the neighbours that have one."""
    colours = sums / np.maximum(counts, 1)[..., None]
    known = counts > 0
    if not known.any():
        return np.full(colours.shape, fallback, np.uint8)
    while not known.all():
        weights = _neighbours(known.astype(np.float64)[..., None])
        means = _neighbours(colours * known[..., None]) / np.maximum(weights, 1)
        new = ~known & (weights[..., 0] > 0)
        colours[new] = means[new]
        known |= new
    return np.round(colours).astype(np.uint8)


def _neighbours(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum over the cells above, below, left and right, zero beyond the border."""
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    total: NDArray[np.float64] = (
        padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    )
    return total
