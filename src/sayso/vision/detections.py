"""What a detector says of one picture, before anything is merged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Detections:
    """Candidate faces: boxes float32 (n, 4) xyxy, scores (n,), landmarks (n, 5, 2), in pixels."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Detections:
        """Only these rows, in this order."""
        return Detections(self.boxes[rows], self.scores[rows], self.landmarks[rows])

    def moved(self, *, scale: float = 1.0, dx: float = 0.0, dy: float = 0.0) -> Detections:
        """Every coordinate multiplied by ``scale``, then shifted by ``dx`` and ``dy`` pixels."""
        shift = np.array([dx, dy], dtype=np.float32)
        return Detections(
            self.boxes * np.float32(scale) + np.tile(shift, 2),
            self.scores,
            self.landmarks * np.float32(scale) + shift,
        )

    def mirrored(self, width: float) -> Detections:
        """The same faces in the mirrored picture of this width."""
        boxes = self.boxes.copy()
        boxes[:, 0], boxes[:, 2] = width - self.boxes[:, 2], width - self.boxes[:, 0]
        # Mirroring swaps left and right: eyes 0 and 1, mouth corners 3 and 4.
        landmarks = self.landmarks[:, [1, 0, 2, 4, 3]].copy()
        landmarks[:, :, 0] = width - landmarks[:, :, 0]
        return Detections(boxes, self.scores, landmarks)


def empty() -> Detections:
    """No faces."""
    return Detections(
        np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32)
    )


def joined(parts: list[Detections]) -> Detections:
    """All the parts, one after another."""
    if not parts:
        return empty()
    return Detections(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
    )
