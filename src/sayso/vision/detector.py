"""Find every face of a picture: both detectors, several scales, one answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from sayso.vision import centerface, effort, yunet
from sayso.vision.detections import Detections, joined
from sayso.vision.errors import TooManyFaces
from sayso.vision.geometry import suppress
from sayso.vision.merging import FACE_SCORE, comparable, merge
from sayso.vision.passes import COARSE_MIN_HEIGHT, DetectorName, Pass, PlanName, plan
from sayso.vision.runtime import Session
from sayso.vision.tiling import padded, tiles
from sayso.vision.types import Mode

#: Below these a detector's candidates are not looked at at all.
_CANDIDATE_SCORE: dict[DetectorName, float] = {"centerface": 0.1, "yunet": 0.3}
#: Candidates of one pass over this overlap are the same face.
_SAME_IN_PASS = {"centerface": 0.4, "yunet": 0.45}
#: Candidates that one pass may have, and faces that one picture may have: bounds time and memory.
_MAX_CANDIDATES = 20_000
MAX_FACES = 5_000
#: Faces below this merged score are not reported unless the caller asks; see
#: docs/explanation/detection.md for what it means in precision and recall.
DEFAULT_MIN_SCORE = FACE_SCORE


class Detector:
    """Finds faces with the sessions given for the detectors named in ``sayso.vision.passes``."""

    def __init__(self, sessions: Mapping[DetectorName, Session]) -> None:
        self._sessions = dict(sessions)

    def detect(
        self,
        pixels: NDArray[np.uint8],
        *,
        mode: PlanName = "balanced",
        min_score: float = DEFAULT_MIN_SCORE,
        in_front: bool = False,
    ) -> Detections:
        """Faces in uint8 (height, width, 3) RGB, best first, with coordinates in its pixels.

        ``in_front``: see ``sayso.vision.merging.merge``.

        Raises TooManyFaces when there are more than MAX_FACES.
        """
        height, width = pixels.shape[:2]
        # One version of the picture at a time: of a large one each has hundreds of megabytes.
        shown, scaled = (1.0, 0.0), pixels
        found: list[tuple[Pass, Detections]] = []
        for entry in plan(width, height, mode):
            if entry.only_for and not any(_has_face_over(entry.only_for, d) for _, d in found):
                continue
            effort.check()
            if shown != (entry.scale, entry.margin):
                scaled = pixels
                shown, scaled = (entry.scale, entry.margin), _scaled(pixels, entry)
            found.append((entry, self._run(entry, scaled, (width, height))))
        merged = merge(found, in_front=in_front)
        merged = merged.take(merged.scores >= min_score)
        if len(merged) > MAX_FACES:
            raise TooManyFaces(
                f"{len(merged)} faces were found and at most {MAX_FACES} are looked at; "
                "cut the picture into parts"
            )
        return merged

    def glance(self, pixels: NDArray[np.uint8]) -> Detections:
        """What YuNet alone finds in a picture at the size it has, best first; one cheap pass."""
        found = joined(list(self._per_tile("yunet", pixels)))
        found = found.take(suppress(found.boxes, found.scores, _SAME_IN_PASS["yunet"]))
        return Detections(found.boxes, comparable(found.scores, "yunet"), found.landmarks)

    def look(self, pixels: NDArray[np.uint8], *, mode: Mode) -> Detections:
        """What a mode's detectors find in a small picture at the size it has, best first."""
        height, width = pixels.shape[:2]
        names: list[DetectorName] = ["yunet"] if mode == "fast" else ["centerface", "yunet"]
        passes = [Pass(name, 1.0) for name in names]
        return merge([(each, self._run(each, pixels, (width, height))) for each in passes])

    def _run(
        self, entry: Pass, picture: NDArray[np.uint8], original: tuple[int, int]
    ) -> Detections:
        """Faces that one pass found, in pixels of the original picture."""
        if entry.mirrored:
            picture = picture[:, ::-1]
        height, width = picture.shape[:2]
        candidates = joined(list(self._per_tile(entry.detector, picture)))
        candidates = candidates.take(
            np.argsort(-candidates.scores, kind="stable")[:_MAX_CANDIDATES]
        )
        candidates = candidates.take(
            suppress(candidates.boxes, candidates.scores, _SAME_IN_PASS[entry.detector])
        )
        if entry.coarse:
            heights = candidates.boxes[:, 3] - candidates.boxes[:, 1]
            candidates = candidates.take(heights >= COARSE_MIN_HEIGHT)
        if entry.mirrored:
            candidates = candidates.mirrored(width).moved(dx=-2 * centerface.LEFT_SHIFT)
        margin = _margin(entry, original)
        # The reduced picture has whole pixels, so its true scale differs a little by axis.
        true = np.array(
            [original[0] / (width - 2 * margin), original[1] / (height - 2 * margin)], np.float32
        )
        moved = candidates.moved(dx=-margin, dy=-margin)
        return Detections(moved.boxes * np.tile(true, 2), moved.scores, moved.landmarks * true)

    def _per_tile(self, name: DetectorName, picture: NDArray[np.uint8]) -> Iterator[Detections]:
        height, width = picture.shape[:2]
        session, min_score = self._sessions[name], _CANDIDATE_SCORE[name]
        for tile in tiles(width, height):
            effort.give_way()
            canvas = np.zeros((1, padded(tile.height), padded(tile.width), 3), dtype=np.uint8)
            canvas[0, : tile.height, : tile.width] = picture[
                tile.y : tile.y + tile.height, tile.x : tile.x + tile.width
            ]
            outputs = session.run(canvas)
            if name == "yunet":
                found = yunet.read_outputs(outputs, canvas.shape[2], min_score=min_score)
            else:
                found = centerface.read_outputs(outputs, min_score=min_score)
            yield tile.drop_cut_faces(found).moved(dx=tile.x, dy=tile.y)


def _has_face_over(height: float, found: Detections) -> bool:
    return bool((found.boxes[:, 3] - found.boxes[:, 1] >= height).any())


def _margin(entry: Pass, original: tuple[int, int]) -> int:
    return round(entry.margin * max(original) * entry.scale)


def _scaled(pixels: NDArray[np.uint8], entry: Pass) -> NDArray[np.uint8]:
    """The picture at the pass's scale, with its margin in black around it."""
    height, width = pixels.shape[:2]
    size = (max(1, round(width * entry.scale)), max(1, round(height * entry.scale)))
    if size != (width, height):
        method = cv2.INTER_AREA if entry.scale < 1 else cv2.INTER_LINEAR
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=method), dtype=np.uint8)
    margin = _margin(entry, (width, height))
    if margin:
        pixels = np.asarray(
            cv2.copyMakeBorder(pixels, margin, margin, margin, margin, cv2.BORDER_CONSTANT),
            dtype=np.uint8,
        )
    return pixels
