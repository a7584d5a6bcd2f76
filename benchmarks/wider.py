"""WIDER FACE's labels, average precision, and recall at one false face per picture."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tests.data import data_folder

from sayso.vision.detections import Detections
from sayso.vision.geometry import overlaps

#: Faces lower than this, in pixels, and faces marked invalid are neither wanted nor held against.
MIN_HEIGHT = 10
MIN_OVERLAP = 0.5
_INVALID = 7


@dataclass(frozen=True, slots=True)
class Labels:
    """The labelled faces of one picture: boxes float32 (n, 4) xyxy, and which of them count."""

    boxes: NDArray[np.float32]
    wanted: NDArray[np.bool_]


def folder() -> Path:
    data = data_folder()
    if data is None or not (data / "wider").is_dir():
        sys.exit("WIDER FACE is not here: set SAYSO_TEST_DATA to a folder with wider/")
    return data / "wider"


def load() -> dict[str, Labels]:
    """The labels by picture, from ``ground_truth.txt``."""
    lines = iter((folder() / "ground_truth.txt").read_text().split("\n"))
    labels = {}
    for name in lines:
        if not name.strip():
            continue
        count = int(next(lines))
        rows = [[float(value) for value in next(lines).split()] for _ in range(max(count, 1))]
        table = np.array(rows[:count], dtype=np.float32).reshape(count, -1)
        if not count:
            table = np.zeros((0, 10), dtype=np.float32)
        boxes = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
        wanted = (table[:, 3] >= MIN_HEIGHT) & (table[:, _INVALID] == 0)
        labels[name.strip()] = Labels(boxes, wanted)
    return labels


def judge(found: Detections, labels: Labels) -> NDArray[np.int8]:
    """Per detection, best first: 1 on a wanted face, 0 on no face, -1 on one that is ignored."""
    verdicts = np.zeros(len(found), dtype=np.int8)
    if not len(labels.boxes):
        return verdicts
    shared = overlaps(found.boxes, labels.boxes)
    free = labels.wanted.copy()
    for row in range(len(found)):
        candidates = np.where(free, shared[row], -1)
        best = int(candidates.argmax())
        if candidates[best] >= MIN_OVERLAP:
            free[best] = False
            verdicts[row] = 1
        elif (shared[row][~labels.wanted] >= MIN_OVERLAP).any():
            verdicts[row] = -1
    return verdicts


def score(found: Mapping[str, Detections], labels: Mapping[str, Labels]) -> tuple[float, float]:
    """Average precision (area under the interpolated curve) and recall at one false face a picture.

    ``found`` holds each picture's detections, best first.
    """
    verdicts = np.concatenate([judge(found[name], labels[name]) for name in labels])
    scores = np.concatenate([found[name].scores for name in labels])
    order = np.argsort(-scores, kind="stable")
    verdicts = verdicts[order][verdicts[order] >= 0]
    hits, misses = np.cumsum(verdicts == 1), np.cumsum(verdicts == 0)
    recall = hits / sum(int(entry.wanted.sum()) for entry in labels.values())
    precision = hits / np.maximum(hits + misses, 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    average = float(np.sum(np.diff(recall, prepend=0) * envelope))
    allowed = recall[misses <= len(labels)]
    return average, float(allowed.max(initial=0))
