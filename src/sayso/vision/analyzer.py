"""A picture in; every face out, with box, landmarks, quality and template."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sayso.vision.alignment import align
from sayso.vision.detections import Detections
from sayso.vision.detector import DEFAULT_MIN_SCORE, Detector
from sayso.vision.embedder import Embedder
from sayso.vision.passes import PlanName
from sayso.vision.quality import qualities
from sayso.vision.types import Analysis, Face, Mode, Picture

#: In balanced mode faces from this height in pixels are embedded together with their mirror
#: image. Of such faces a picture cannot hold many; of smaller ones it can, and time counts.
_LARGE = 80.0


class Analyzer:
    """Detection, alignment, quality and embedding in one call."""

    def __init__(self, detector: Detector, embedder: Embedder) -> None:
        self._detector = detector
        self._embedder = embedder

    def detect(
        self, picture: Picture, *, mode: PlanName, min_score: float, in_front: bool = False
    ) -> Detections:
        """Only find faces; see ``sayso.vision.detector.Detector.detect``."""
        return self._detector.detect(
            picture.pixels, mode=mode, min_score=min_score, in_front=in_front
        )

    def analyze(
        self,
        picture: Picture,
        *,
        mode: Mode = "balanced",
        min_score: float = DEFAULT_MIN_SCORE,
    ) -> Analysis:
        """Every face whose score reaches ``min_score``, best first, in pixels of the whole picture.

        Of a picture that was reduced when it was decoded, too; ``detect`` and ``describe`` alone
        stay with the pixels that there are.
        """
        found = self.detect(picture, mode=mode, min_score=min_score)
        return self.describe(picture, found, mode).resized(*picture.whole)

    def describe(self, picture: Picture, found: Detections, mode: Mode) -> Analysis:
        """Measure and embed faces of a picture that were found before, in their order."""
        aligned = align(picture.pixels, found.landmarks)
        embedded = self._embedder.embed(aligned, twice=_embedded_twice(found, mode))
        measured = qualities(found, aligned, embedded.strengths, picture.width, picture.height)
        faces = tuple(
            Face(
                box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                score=float(score),
                landmarks=points,
                quality=quality,
            )
            for box, score, points, quality in zip(
                found.boxes, found.scores, found.landmarks, measured, strict=True
            )
        )
        return Analysis(picture.width, picture.height, faces, embedded.templates, picture.notices)


def _embedded_twice(found: Detections, mode: Mode) -> NDArray[np.bool_]:
    """Which faces are embedded with their mirror image; depends on nothing but the face."""
    if mode == "balanced":
        large: NDArray[np.bool_] = found.boxes[:, 3] - found.boxes[:, 1] >= _LARGE
        return large
    return np.full(len(found), mode == "thorough")
