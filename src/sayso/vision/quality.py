"""How fit a face is to recognise somebody by."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sayso.vision.alignment import SIDE, visible_shares
from sayso.vision.detections import Detections
from sayso.vision.pose import poses
from sayso.vision.types import Quality

#: Fitted by benchmarks/quality.py, over pictures made worse in many ways, to the mean cosine with
#: other pictures of the same person. They hold for the default recogniser.
_STRENGTH, _TYPICAL_STRENGTH = 0.65, 8.0
_SCORE, _FULL_SCORE = 0.034, 0.8
_HEIGHT, _FULL_HEIGHT = 0.064, 60.0
_VISIBLE, _CONSTANT = 0.21, 0.146
_WORST, _BEST = 0.1, 0.72

#: What is left of the overall quality of a face whose landmarks contradict how it is turned: less
#: than enrolment takes.
_CONTRADICTED = 0.09
#: The middle of the aligned frame, where there is face and no background.
_FACE = slice(SIDE // 8, -SIDE // 8)


def qualities(
    found: Detections,
    aligned: NDArray[np.uint8],
    strengths: NDArray[np.float32],
    width: int,
    height: int,
    *,
    contradicted: NDArray[np.bool_] | None = None,
) -> tuple[Quality, ...]:
    """The quality of each face found in a picture of this size.

    ``aligned`` is uint8 (n, 112, 112, 3) RGB, as ``sayso.vision.alignment.align`` makes them,
    and ``strengths`` float32 (n,) what the embedder says of them. Where ``contradicted``, bool
    (n,), is true, the face was seen better in another turn than that of its landmarks, so that a
    template of them is of no use whatever the embedder says.
    """
    if not len(found):
        return ()
    angles = poses(found.landmarks)
    visible = visible_shares(found.landmarks, width, height)
    grey = [cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[_FACE, _FACE] for face in aligned]
    sharpness = np.array([_sharpness(np.asarray(face)) for face in grey])
    brightness = np.array([float(np.mean(face)) / 255 * 100 for face in grey])
    heights = found.boxes[:, 3] - found.boxes[:, 1]
    overall = _overall(strengths, found.scores, heights, visible)
    if contradicted is not None:
        overall = np.where(contradicted, _CONTRADICTED * overall, overall)
    return tuple(
        Quality(
            overall=float(overall[row]),
            sharpness=float(sharpness[row]),
            brightness=float(brightness[row]),
            yaw=float(angles[row, 0]),
            pitch=float(angles[row, 1]),
            roll=float(angles[row, 2]),
            height=float(heights[row]),
            visible=float(visible[row]),
        )
        for row in range(len(found))
    )


def _sharpness(grey: NDArray[np.uint8]) -> float:
    """Edge energy relative to contrast, 0 to 100: a small face enlarged scores low as well."""
    values = grey.astype(np.float32)
    contrast = float(values.std()) + 4.0
    edges = float(cv2.Laplacian(values, cv2.CV_32F).std())
    return float(100 * np.clip(edges / contrast / _SHARPEST, 0, 1))


#: Edge energy over contrast of the sharpest faces.
_SHARPEST = 0.8


def _overall(
    strengths: NDArray[np.float32],
    scores: NDArray[np.float32],
    heights: NDArray[np.float32],
    visible: NDArray[np.float32],
) -> NDArray[np.float64]:
    """0 to 100, linear in the cosine to be expected with good pictures of the same person."""
    expected = (
        _STRENGTH * np.log(np.maximum(strengths, 1e-3) / _TYPICAL_STRENGTH)
        + _SCORE * np.minimum(scores, _FULL_SCORE)
        + _HEIGHT * np.minimum(np.log(np.maximum(heights, 1) / _FULL_HEIGHT), 0)
        + _VISIBLE * visible
        + _CONSTANT
    )
    overall: NDArray[np.float64] = 100 * np.clip((expected - _WORST) / (_BEST - _WORST), 0, 1)
    return overall
