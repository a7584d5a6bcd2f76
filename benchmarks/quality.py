"""Whether the overall quality orders faces by how well they recognise: ``-m benchmarks.quality``.

Pictures of LFW are made worse in many ways (size, blur, light, truncation, occlusion). Each is
compared with other, untouched pictures of the same person. Prints the error-versus-discard curve,
and with ``--fit`` the coefficients that ``sayso.vision.quality`` holds: fitted on half of the
people, judged on the other half.
"""

from __future__ import annotations

import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import lfw
from benchmarks.timing import table
from benchmarks.verification import error_versus_discard
from sayso.analyzer import Analyzer
from sayso.models.store import ModelStore
from sayso.vision.alignment import align, visible_shares
from sayso.vision.embedder import Embedder
from sayso.vision.runtime import open_session
from sayso.vision.types import Picture

_PICTURES = 2000
_SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
#: The cosine at which about one in ten thousand pairs of strangers matches, see accuracy.
_THRESHOLD = 0.425


def main() -> str:
    data = lfw.load("balanced")
    chance = np.random.default_rng(1)
    several = np.bincount(data.identities)[data.identities] >= 2
    chosen = chance.permutation(np.flatnonzero(several))[:_PICTURES]
    analyzer, failed = Analyzer(), 0
    qualities, cosines = [], []
    for row in chosen:
        picture = worsened(_read(data.names[row]), chance)
        analysis = analyzer.analyze(Picture(picture))
        if not analysis.faces:
            failed += 1
            continue
        largest = int(np.argmax([face.height for face in analysis.faces]))
        others = data.identities == data.identities[row]
        others[row] = False
        cosines.append(float((data.templates[others] @ analysis.templates[largest]).mean()))
        quality = analysis.faces[largest].quality
        qualities.append([getattr(quality, name) for name in lfw.QUALITIES])
    scores, measured = np.array(cosines, np.float32), np.array(qualities, np.float32)
    rows = []
    for name in ("overall", "sharpness", "height", "visible"):
        column = measured[:, lfw.QUALITIES.index(name)]
        curve = error_versus_discard(scores, column, _THRESHOLD, _SHARES)
        rows.append((name, *(f"{curve[share]:.3f}" for share in _SHARES)))
    about = (
        f"{len(chosen)} pictures of LFW made worse at random; no face found in {failed}. The "
        "share whose mean cosine with the person's other pictures is not over "
        f"{_THRESHOLD}, when the share of lowest quality is discarded."
    )
    return "\n".join(
        (
            "## Quality",
            "",
            about,
            "",
            table(("quality", *(f"{share:.0%} discarded" for share in _SHARES)), rows),
            "",
            _by_overall(measured[:, 0], scores),
            "",
        )
    )


def _by_overall(overall: NDArray[np.float32], scores: NDArray[np.float32]) -> str:
    rows = []
    for low in range(0, 100, 20):
        inside = (overall >= low) & (overall < low + 20 + (low == 80))
        if inside.any():
            missed = float((scores[inside] <= _THRESHOLD).mean())
            rows.append((f"{low} to {low + 20}", int(inside.sum()), f"{missed:.3f}"))
    return table(("overall quality", "pictures", "not matched"), rows)


def worsened(picture: NDArray[np.uint8], chance: np.random.Generator) -> NDArray[np.uint8]:
    """A picture, uint8 RGB, left as it is or made worse in one of seven ways."""
    way = int(chance.integers(0, 8))
    if way in {1, 2}:
        share = chance.uniform(0.1, 0.6)
        picture = np.asarray(cv2.resize(picture, None, fx=share, fy=share, interpolation=3))
    elif way == 3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), chance.uniform(0.5, 5)))
    elif way == 4:
        picture = (picture * chance.uniform(0.05, 0.6)).astype(np.uint8)
    elif way == 5:
        picture = np.clip(picture * chance.uniform(1.2, 3), 0, 255).astype(np.uint8)
    elif way == 6:
        cut = int(chance.uniform(60, 130))
        cuts = (picture[:, cut:], picture[:, :-cut], picture[cut:], picture[:-cut])
        picture = cuts[int(chance.integers(0, 4))]
    elif way == 7:
        x, y = chance.integers(90, 150, 2)
        side = int(chance.integers(15, 45))
        picture = picture.copy()
        picture[y : y + side, x : x + side] = chance.integers(0, 255, 3)
    return np.ascontiguousarray(picture, dtype=np.uint8)


def fit() -> str:
    """The coefficients of ``sayso.vision.quality``, by least squares, and how they do."""
    data, chance = lfw.load("balanced"), np.random.default_rng(1)
    several = np.bincount(data.identities)[data.identities] >= 2
    chosen = chance.permutation(np.flatnonzero(several))[:_PICTURES]
    analyzer = Analyzer()
    embedder = Embedder(open_session(ModelStore().path(analyzer.model).read_bytes()))
    features, cosines, people = [], [], []
    for row in chosen:
        picture = worsened(_read(data.names[row]), chance)
        found = analyzer.detect(Picture(picture))
        if not len(found):
            continue
        heights = found.boxes[:, 3] - found.boxes[:, 1]
        best = found.take(np.array([heights.argmax()]))
        embedded = embedder.embed(align(picture, best.landmarks))
        others = data.identities == data.identities[row]
        others[row] = False
        cosines.append(float((data.templates[others] @ embedded.templates[0]).mean()))
        visible = visible_shares(best.landmarks, picture.shape[1], picture.shape[0])[0]
        features.append(
            [
                np.log(embedded.strengths[0] / 8),
                min(float(best.scores[0]), 0.8),
                min(np.log(heights.max() / 60), 0),
                visible,
                1,
            ]
        )
        people.append(data.identities[row])
    table_, target, odd = np.array(features), np.array(cosines), np.array(people) % 2 == 1
    lines = []
    for name, train in (("even people", ~odd), ("odd people", odd), ("all", odd | ~odd)):
        weights = np.linalg.lstsq(table_[train], target[train], rcond=None)[0]
        test = ~train if name != "all" else train
        error = np.corrcoef(table_[test] @ weights, target[test])[0, 1]
        lines.append(f"{name}: {np.round(weights, 3).tolist()}, correlation elsewhere {error:.3f}")
    return "\n".join(lines)


def _read(name: str) -> NDArray[np.uint8]:
    bgr = np.asarray(cv2.imread(str(lfw.folder() / "images" / name)), np.uint8)
    return np.ascontiguousarray(bgr[:, :, ::-1])


if __name__ == "__main__":
    print(fit() if "--fit" in sys.argv[1:] else main())
