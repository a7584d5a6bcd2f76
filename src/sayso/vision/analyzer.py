"""A picture in; every face out, with box, landmarks, quality and template."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sayso.vision.alignment import align
from sayso.vision.detections import Detections, joined
from sayso.vision.detector import DEFAULT_MIN_SCORE, Detector
from sayso.vision.embedder import Embedder
from sayso.vision.passes import PlanName
from sayso.vision.quality import qualities
from sayso.vision.turning import (
    SecondLook,
    Strength,
    casts_doubt,
    look_again,
    look_for_turned,
    settled,
    turned_beside,
)
from sayso.vision.types import Analysis, Face, Mode, Picture

#: In balanced mode faces from this height in pixels are embedded together with their mirror
#: image. Of such faces a picture cannot hold many; of smaller ones it can, and time counts.
_LARGE = 80.0
#: A picture with a face of this height in pixels that is beyond doubt is not looked at turned.
_PLAIN_HEIGHT = 24.0


class Analyzer:
    """Detection, alignment, quality and embedding in one call."""

    def __init__(self, detector: Detector, embedder: Embedder) -> None:
        self._detector = detector
        self._embedder = embedder

    def detect(
        self, picture: Picture, *, mode: PlanName, min_score: float, in_front: bool = False
    ) -> Detections:
        """Only find faces; see ``sayso.vision.detector.Detector.detect``.

        The plan of redaction finds those, too, that only the picture turned shows.
        """
        found = self._detector.detect(
            picture.pixels, mode=mode, min_score=min_score, in_front=in_front
        )
        if mode != "redaction":
            return found
        return turned_beside(
            self._detector,
            picture.pixels,
            found,
            mode=mode,
            min_score=min_score,
            in_front=in_front,
        )

    def analyze(
        self,
        picture: Picture,
        *,
        mode: Mode = "balanced",
        min_score: float = DEFAULT_MIN_SCORE,
        every_turn: bool = False,
    ) -> Analysis:
        """Every face whose score reaches ``min_score``, best first, in pixels of the whole picture.

        Of a picture that was reduced when it was decoded, too; ``detect`` and ``describe`` alone
        stay with the pixels that there are. Doubtful faces are looked at turned as well, and so is
        the whole picture where no face is beyond doubt. With ``every_turn``, as in ``thorough``,
        both are done in any case.
        """
        found = self.detect(picture, mode=mode, min_score=min_score)
        every = every_turn or mode == "thorough"
        measured, second = self._measure(picture, found, mode, every)
        doubt = every or not _beyond_doubt(measured, second).any()
        measured = measured.take(settled(second))
        if doubt:
            more = look_for_turned(
                self._detector, picture.pixels, measured.found, self._strength(picture), mode=mode
            )
            if len(more):
                measured = _joined(measured, self._embed(picture, more, mode))
                order = np.argsort(-measured.found.scores, kind="stable")
                measured = measured.take(order)
        return measured.analysis(picture).resized(*picture.whole)

    def describe(self, picture: Picture, found: Detections, mode: Mode) -> Analysis:
        """Measure and embed faces of a picture that were found before, in their order.

        Doubtful ones are looked at turned as well; see ``sayso.vision.turning``.
        """
        measured, _ = self._measure(picture, found, mode, every=False)
        return measured.analysis(picture)

    def _measure(
        self, picture: Picture, found: Detections, mode: Mode, every: bool
    ) -> tuple[_Measured, SecondLook]:
        """Embed faces, in their order, after a second look at those that are worth one."""
        first = self._embed(picture, found, mode)
        second = look_again(
            self._detector,
            picture.pixels,
            found,
            first.strengths,
            self._strength(picture),
            mode=mode,
            every=every,
        )
        rows = np.flatnonzero(second.changed)
        if len(rows):
            first.put(rows, self._embed(picture, second.found.take(rows), mode))
        return replace(first, found=second.found, contradicted=second.contradicted), second

    def _embed(self, picture: Picture, found: Detections, mode: Mode) -> _Measured:
        aligned = align(picture.pixels, found.landmarks)
        embedded = self._embedder.embed(aligned, twice=_embedded_twice(found, mode))
        return _Measured(
            found, aligned, embedded.templates, embedded.strengths, np.zeros(len(found), np.bool_)
        )

    def _strength(self, picture: Picture) -> Strength:
        def strength(landmarks: NDArray[np.float32]) -> float:
            return float(self._embedder.embed(align(picture.pixels, landmarks)).strengths[0])

        return strength


@dataclass(frozen=True, slots=True)
class _Measured:
    """Faces of a picture with what was made of each; all arrays have a row for each."""

    found: Detections
    aligned: NDArray[np.uint8]
    templates: NDArray[np.float32]
    strengths: NDArray[np.float32]
    contradicted: NDArray[np.bool_]

    def take(self, rows: NDArray[np.intp]) -> _Measured:
        return _Measured(
            self.found.take(rows),
            self.aligned[rows],
            self.templates[rows],
            self.strengths[rows],
            self.contradicted[rows],
        )

    def put(self, rows: NDArray[np.intp], others: _Measured) -> None:
        """Replace what was made of the faces in some rows."""
        self.aligned[rows] = others.aligned
        self.templates[rows] = others.templates
        self.strengths[rows] = others.strengths

    def analysis(self, picture: Picture) -> Analysis:
        """Return them as faces with their qualities."""
        measured = qualities(
            self.found,
            self.aligned,
            self.strengths,
            picture.width,
            picture.height,
            contradicted=self.contradicted,
        )
        faces = tuple(
            Face(
                box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                score=float(score),
                landmarks=points,
                quality=quality,
            )
            for box, score, points, quality in zip(
                self.found.boxes, self.found.scores, self.found.landmarks, measured, strict=True
            )
        )
        return Analysis(picture.width, picture.height, faces, self.templates, picture.notices)


def _beyond_doubt(measured: _Measured, second: SecondLook) -> NDArray[np.bool_]:
    """Which are surely faces, and upright or known to be turned."""
    heights = measured.found.boxes[:, 3] - measured.found.boxes[:, 1]
    sure = second.confirmed | ~casts_doubt(measured.found, measured.strengths)
    return np.asarray(sure & ~second.contradicted & (heights >= _PLAIN_HEIGHT))


def _joined(some: _Measured, others: _Measured) -> _Measured:
    return _Measured(
        joined([some.found, others.found]),
        np.concatenate([some.aligned, others.aligned]),
        np.concatenate([some.templates, others.templates]),
        np.concatenate([some.strengths, others.strengths]),
        np.concatenate([some.contradicted, others.contradicted]),
    )


def _embedded_twice(found: Detections, mode: Mode) -> NDArray[np.bool_]:
    """Which faces are embedded with their mirror image; depends on nothing but the face."""
    if mode == "balanced":
        large: NDArray[np.bool_] = found.boxes[:, 3] - found.boxes[:, 1] >= _LARGE
        return large
    return np.full(len(found), mode == "thorough")
