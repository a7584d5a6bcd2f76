"""CenterFace: read its outputs.

Source: Y. Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point",
Scientific Programming 2020. Input: RGB, 0 to 255, sides multiples of 32. Outputs at stride 4:
heat map, scale as (height, width), offset as (y, x), landmarks as five (y, x) in units of the box.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sayso.vision.detections import Detections

STRIDE = 4
#: Its boxes and landmarks lie this many input pixels too far left: the offset between the boxes of
#: a picture and those of its mirror image, halved. Measured by benchmarks/detection.py.
LEFT_SHIFT = 0.665


def read_outputs(outputs: list[NDArray[np.float32]], *, min_score: float) -> Detections:
    """Faces of the one picture that was run; the score is the heat map's value."""
    heat, scale, offset, points = (output[0] for output in outputs)
    rows, columns = np.nonzero(heat[0] > min_score)
    scores = heat[0, rows, columns]
    sides = np.exp(scale[::-1, rows, columns]).T * STRIDE
    cells = np.stack([columns, rows], axis=1) + 0.5
    centres = (cells + offset[::-1, rows, columns].T) * STRIDE
    corners = centres - sides / 2
    relative = points[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1]
    landmarks = relative * sides[:, None] + corners[:, None]
    return Detections(
        np.concatenate([corners, corners + sides], axis=1).astype(np.float32),
        scores,
        landmarks.astype(np.float32),
    )
