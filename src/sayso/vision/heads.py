"""Which detections are of one head: several boxes may be left of it where none may be missed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sayso.vision.detections import Detections
from sayso.vision.geometry import same_features, shared_parts

#: Boxes of one head share at least this part of the smaller one.
_SHARED = 0.5


def heads(found: Detections) -> NDArray[np.intp]:
    """Return for each detection, best first, the row of the best one of the same head, (n,).

    A pass that sees a face too close boxes its eyes, nose and mouth, one that sees it from afar
    the whole head. Such boxes overlap too little to be merged, but their eyes, noses and mouths
    are in the same places. Those of two people cannot be: one would hide the other. Boxes alone
    do not tell; that of somebody in front lies within that of who stands behind.
    """
    owners = np.arange(len(found), dtype=np.intp)
    for row in range(len(found)):
        if owners[row] != row:
            continue
        alone = owners[row + 1 :] == np.arange(row + 1, len(found))
        shared = shared_parts(found.boxes[row + 1 :], found.boxes[row])
        close = row + 1 + np.flatnonzero(alone & (shared >= _SHARED))
        if len(close):
            owners[close[same_features(found.landmarks[close], found.landmarks[row])]] = row
    return owners
