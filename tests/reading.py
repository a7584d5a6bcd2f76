"""What stands in the place of neural networks, and knows beforehand who is in a picture."""

from __future__ import annotations

import numpy as np

from sayso.vision.detections import Detections
from sayso.vision.types import Analysis, Mode, Picture


class Reading:
    """Finds and describes, one after the other, what ``analyze`` tells of a picture."""

    def analyze(self, picture: Picture, **mode: str) -> Analysis:
        raise NotImplementedError

    def detect(
        self,
        picture: Picture,
        *,
        mode: Mode,
        min_score: float,
        in_front: bool = False,  # noqa: ARG002 - drawn faces are never parts of each other
    ) -> Detections:
        found = self.analyze(picture, mode=mode).faces
        faces = [face for face in found if face.score >= min_score]
        return Detections(
            np.array([face.box for face in faces], np.float32).reshape(-1, 4),
            np.array([face.score for face in faces], np.float32),
            np.array([face.landmarks for face in faces], np.float32).reshape(-1, 5, 2),
        )

    def describe(self, picture: Picture, found: Detections, *, mode: Mode) -> Analysis:
        whole = self.analyze(picture, mode=mode)
        boxes = np.array([face.box for face in whole.faces], np.float32).reshape(-1, 4)
        rows = [int(np.flatnonzero((boxes == box).all(axis=1))[0]) for box in found.boxes]
        faces = tuple(whole.faces[row] for row in rows)
        return Analysis(whole.width, whole.height, faces, whole.templates[rows])
