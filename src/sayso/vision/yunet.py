"""YuNet: read its outputs.

Source: W. Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
Research 20 (2023); the model is OpenCV Zoo's of March 2023. Input: BGR, 0 to 255, sides multiples
of 32. Twelve outputs: class, objectness, box and landmarks at strides 8, 16 and 32.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sayso.vision.detections import Detections, joined

STRIDES = (8, 16, 32)


def read_outputs(outputs: list[NDArray[np.float32]], width: int, *, min_score: float) -> Detections:
    """Faces of the one picture, ``width`` pixels wide, that was run; score = sqrt(cls * obj)."""
    parts = []
    for level, stride in enumerate(STRIDES):
        classes, objects, boxes, points = (outputs[level + 3 * kind][0] for kind in range(4))
        scores = np.sqrt(np.clip(classes[:, 0], 0, 1) * np.clip(objects[:, 0], 0, 1))
        found = np.flatnonzero(scores > min_score)
        columns = width // stride
        cells = np.stack([found % columns, found // columns], axis=1).astype(np.float32)
        centres = (cells + boxes[found, :2]) * stride
        half_sides = np.exp(boxes[found, 2:]) * stride / 2
        landmarks = (points[found].reshape(-1, 5, 2) + cells[:, None]) * stride
        parts.append(
            Detections(
                np.concatenate([centres - half_sides, centres + half_sides], axis=1),
                scores[found],
                landmarks.astype(np.float32),
            )
        )
    return joined(parts)
