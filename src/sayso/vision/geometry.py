"""Boxes: overlap and suppression; and whether eyes, noses and mouths are the same ones."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Pairs of boxes that are compared at a time.
_PIECE = 250_000
#: Landmarks that lie, in the mean, nearer to those of a face than this share of how far these are
#: spread are the same ones: a third of the distance between the eyes.
_SAME_FEATURES = 0.5


def box_areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Areas, float32 (n,), of boxes (n, 4) given as x1, y1, x2, y2; never negative."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    areas: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return areas


def shared_areas(boxes: NDArray[np.float32], box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the area that each of boxes (n, 4) has in common with a box (4,), float32 (n,)."""
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared: NDArray[np.float32] = np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0)
    return shared


def shared_parts(boxes: NDArray[np.float32], box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what each of boxes (n, 4) has in common with a box (4,), float32 (n,), 0 to 1.

    As a share of the smaller one of the two: of a box within the other it is 1.
    """
    smaller = np.minimum(box_areas(boxes), box_areas(box[None])[0])
    parts: NDArray[np.float32] = shared_areas(boxes, box) / np.maximum(smaller, 1e-9)
    return parts.astype(np.float32)


def same_features(landmarks: NDArray[np.float32], face: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell which of landmarks (n, 5, 2) are those of a face (5, 2), in the same places, (n,)."""
    points, those = landmarks.astype(np.float64), face.astype(np.float64)
    spread = np.sqrt(((those - those.mean(axis=0)) ** 2).sum(axis=1).mean())
    apart = np.sqrt(((points - those) ** 2).sum(axis=2).mean(axis=1))
    same: NDArray[np.bool_] = apart < _SAME_FEATURES * spread
    return same


def overlaps(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union, float32 (n, m), of boxes (n, 4) with boxes (m, 4)."""
    top_left = np.maximum(ours[:, None, :2], theirs[None, :, :2])
    bottom_right = np.minimum(ours[:, None, 2:], theirs[None, :, 2:])
    sides = np.maximum(bottom_right - top_left, 0)
    shared = sides[..., 0] * sides[..., 1]
    union = box_areas(ours)[:, None] + box_areas(theirs)[None] - shared
    ratio: NDArray[np.float32] = shared / np.maximum(union, 1e-9)
    return ratio.astype(np.float32)


def best_overlaps(
    ours: NDArray[np.float32], theirs: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """For each of ours, (n, 4), the row among theirs, (m, 4), that it overlaps most, and how much.

    Works in pieces, so that memory stays bounded however many boxes there are; m is at least 1.
    """
    rows = np.empty(len(ours), dtype=np.intp)
    shares = np.empty(len(ours), dtype=np.float32)
    piece = max(1, _PIECE // len(theirs))
    for start in range(0, len(ours), piece):
        shared = overlaps(ours[start : start + piece], theirs)
        rows[start : start + piece] = shared.argmax(axis=1)
        shares[start : start + piece] = shared.max(axis=1)
    return rows, shares


def suppress(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], threshold: float
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: the rows kept, best first.

    A box goes when its overlap with a kept one of higher score is over ``threshold``.
    """
    if not len(boxes):
        return np.empty(0, dtype=np.intp)
    corners_and_sides = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(
        corners_and_sides.astype(np.float64).tolist(),
        scores.astype(np.float32).tolist(),
        0.0,
        threshold,
    )
    return np.asarray(kept, dtype=np.intp).reshape(-1)
