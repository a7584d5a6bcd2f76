"""Merge what several passes over one picture found into one list of faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sayso.vision.detections import Detections, empty, joined
from sayso.vision.geometry import best_overlaps, box_areas, same_features, shared_areas, suppress
from sayso.vision.passes import Pass

#: Two boxes over this overlap are the same face.
_SAME_FACE = 0.4
#: In pixels of its input, the largest face that a detector places landmarks on with precision.
_LARGEST_KNOWN = 400.0
#: A box with this share of its area inside another, and at least this share of its area.
_INSIDE, _FEATURES = 0.8, 0.05
#: What scores less is not reported as a face unless somebody asks for it.
FACE_SCORE = 0.35
#: YuNet's scores bunch together towards 1; its useful range begins here.
_YUNET_FLOOR = 0.3


def comparable(scores: NDArray[np.float32], detector: str) -> NDArray[np.float32]:
    """Scores of one detector on the scale that both share, 0 to 1."""
    if detector != "yunet":
        return scores
    stretched: NDArray[np.float32] = np.clip((scores - _YUNET_FLOOR) / (1 - _YUNET_FLOOR), 0, 1)
    return stretched.astype(np.float32)


def merge(found: list[tuple[Pass, Detections]], *, in_front: bool = False) -> Detections:
    """One detection per face, best first; all inputs in pixels of the picture.

    With ``in_front`` a face before a large one is never taken for a part of it, at the price that
    now and then a part of a very large face is taken for somebody's.

    The score is the mean over the fine passes, where a pass that missed the face counts as 0; a
    face that only coarse passes can see has the mean of theirs. Boxes and landmarks are means
    weighted by score, the landmarks first within each detector and then over the detectors.
    """
    pool = joined(
        [Detections(d.boxes, comparable(d.scores, p.detector), d.landmarks) for p, d in found]
    )
    if not len(pool):
        return empty()
    source = np.repeat(np.arange(len(found)), [len(d) for _, d in found])
    seeds = suppress(pool.boxes, pool.scores, _SAME_FACE)
    owner, shared = best_overlaps(pool.boxes, pool.boxes[seeds])
    is_member = shared > _SAME_FACE
    members = _best_members(owner, is_member, source, pool.scores, len(seeds), len(found))
    weights = np.where(members >= 0, pool.scores[np.maximum(members, 0)], 0.0)
    scores = _score(weights, [entry for entry, _ in found])
    boxes = _weighted(pool.boxes, members, weights)
    trusted = _trusted_for_landmarks(weights, boxes, [entry for entry, _ in found])
    landmarks = _mean_over_detectors(
        pool.landmarks, members, trusted, [entry.detector for entry, _ in found]
    )
    is_coarse = np.array([entry.coarse for entry, _ in found])
    is_large = np.asarray((weights[:, is_coarse] > 0).any(axis=1))
    kept = ~_features_of_a_face(Detections(boxes, scores, landmarks), is_large, in_front)
    order = np.argsort(-scores[kept], kind="stable")
    return Detections(boxes, scores, landmarks).take(kept).take(order)


def _features_of_a_face(
    found: Detections, is_large: NDArray[np.bool_], in_front: bool
) -> NDArray[np.bool_]:
    """Which boxes are but eyes, nose and mouth of a large face that scored higher.

    A pass that sees a large face too close takes its middle for a face. Such a box lies inside the
    whole one and is not much smaller; really small faces there are somebody else's. With
    ``in_front`` so is what is seen well enough to be a face, with eyes, nose and mouth elsewhere: a
    child before whoever holds it.
    """
    inside = np.zeros(len(found), dtype=np.bool_)
    boxes, scores = found.boxes, found.scores
    areas = box_areas(boxes)
    for row in np.flatnonzero(is_large):
        shared = shared_areas(boxes, boxes[row])
        parts = (shared >= _INSIDE * areas) & (areas >= _FEATURES * areas[row])
        if in_front:
            others = ~same_features(found.landmarks, found.landmarks[row])
            parts &= ~(others & (scores >= FACE_SCORE))
        inside |= parts & (scores < scores[row])
    return inside


def _best_members(
    owner: NDArray[np.intp],
    is_member: NDArray[np.bool_],
    source: NDArray[np.intp],
    scores: NDArray[np.float32],
    faces: int,
    passes: int,
) -> NDArray[np.intp]:
    """Per face and pass the row of its best detection, (faces, passes), -1 where there is none."""
    members = np.full((faces, passes), -1, dtype=np.intp)
    rows = np.flatnonzero(is_member)
    # Written worst first, so that the best of a face and pass is what stays.
    rows = rows[np.argsort(scores[rows], kind="stable")]
    members[owner[rows], source[rows]] = rows
    return members


def _score(weights: NDArray[np.float64], passes: list[Pass]) -> NDArray[np.float32]:
    is_coarse = np.array([entry.coarse for entry in passes])
    scores: NDArray[np.float32] = weights[:, ~is_coarse].mean(axis=1).astype(np.float32)
    if is_coarse.any():
        coarse = weights[:, is_coarse]
        seen = np.maximum((coarse > 0).sum(axis=1), 1)
        scores = np.maximum(scores, (coarse.sum(axis=1) / seen).astype(np.float32))
    return scores


def _weighted(
    values: NDArray[np.float32], members: NDArray[np.intp], weights: NDArray[np.float64]
) -> NDArray[np.float32]:
    shape = (len(members), members.shape[1], *([1] * (values.ndim - 1)))
    spread = weights.reshape(shape)
    total = (values[np.maximum(members, 0)] * spread).sum(axis=1)
    mean: NDArray[np.float32] = (total / np.maximum(spread.sum(axis=1), 1e-9)).astype(np.float32)
    return mean


def _trusted_for_landmarks(
    weights: NDArray[np.float64], boxes: NDArray[np.float32], passes: list[Pass]
) -> NDArray[np.float64]:
    """The weights, (faces, passes), without those of passes at the wrong scale for landmarks.

    A fine pass shows a face in more pixels than a coarse one of the same detector, and so places
    landmarks more precisely, up to the size of face that the detector knows; then it is the other
    way round.
    """
    trusted = weights.copy()
    heights = boxes[:, 3] - boxes[:, 1]
    for name in {entry.detector for entry in passes}:
        mine = np.array([entry.detector == name for entry in passes])
        coarse = mine & np.array([entry.coarse for entry in passes])
        fine = mine & ~coarse
        if not (coarse.any() and fine.any()):
            continue
        scale = max(entry.scale for entry, own in zip(passes, fine, strict=True) if own)
        too_close = heights * scale > _LARGEST_KNOWN
        by_fine = (weights[:, fine] > 0).any(axis=1) & ~too_close
        by_coarse = (weights[:, coarse] > 0).any(axis=1) & too_close
        trusted[np.ix_(by_fine, coarse)] = 0
        trusted[np.ix_(by_coarse, fine)] = 0
    return trusted


def _mean_over_detectors(
    landmarks: NDArray[np.float32],
    members: NDArray[np.intp],
    weights: NDArray[np.float64],
    detectors: list[str],
) -> NDArray[np.float32]:
    total = np.zeros((len(members), *landmarks.shape[1:]))
    count = np.zeros(len(members))
    for name in sorted(set(detectors)):
        mine = np.array([detector == name for detector in detectors])
        there = weights[:, mine].sum(axis=1) > 0
        mean = _weighted(landmarks, members[:, mine], weights[:, mine])
        total[there] += mean[there]
        count += there
    means: NDArray[np.float32] = (total / count[:, None, None]).astype(np.float32)
    return means
