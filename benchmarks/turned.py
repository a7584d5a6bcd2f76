"""Turned heads: ``-m benchmarks.turned``.

Copies of LFW's pictures, turned, are compared with another, upright picture of the same person; and
copies of WIDER's pictures, turned, are looked at as redaction does.
"""

from __future__ import annotations

import functools
from unittest import mock

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import lfw, wider
from benchmarks.timing import medians_in_turns, table
from sayso.analyzer import Analyzer
from sayso.core.evaluating import central_face
from sayso.redaction.detecting import REDACTION_MIN_SCORE, REDACTION_PLAN
from sayso.vision.detections import joined
from sayso.vision.geometry import overlaps
from sayso.vision.types import Mode, Picture

_PEOPLE, _PICTURES = 100, 20
_TURNS = (0, 30, 45, 60, 90, 180, 270)
#: The cosine at which about one in ten thousand pairs of strangers matches, see accuracy.
_THRESHOLD = 0.425
_SAME_BOX = 0.3
#: How many pictures of a set are timed, and how often each.
_TIMED, _REPEATS = 60, 3


def main() -> str:
    analyzer = Analyzer()
    return "\n".join(
        (
            "## Turned",
            "",
            (
                f"{_PEOPLE} people of LFW, one picture turned clockwise against another as it is: "
                f"the share over a cosine of {_THRESHOLD} (1 in 10,000 strangers), the median "
                "overall quality, and whether the turn was told to 20 degrees."
            ),
            "",
            _recognised(analyzer),
            "",
            f"{_PICTURES} pictures of WIDER, turned: the share of faces that redaction finds.",
            "",
            _covered(analyzer),
            "",
            (
                f"What the second look costs: {_TIMED} pictures of each, decoded to faces, with it "
                "and without, in turns. Enrolment looks at every face, as LFW's last row does."
            ),
            "",
            _cost(analyzer),
            "",
        )
    )


def turned(pixels: NDArray[np.uint8], degrees: int) -> Picture:
    """Return a picture turned clockwise; what is new in its corners is grey."""
    if degrees % 90 == 0:
        return Picture(np.ascontiguousarray(np.rot90(pixels, -degrees // 90)))
    height, width = pixels.shape[:2]
    how = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 0.8)
    done = cv2.warpAffine(pixels, how, (width, height), borderValue=(120, 120, 120))
    return Picture(np.asarray(done, np.uint8))


def _recognised(analyzer: Analyzer) -> str:
    data = lfw.folder() / "images"
    several = sorted(each for each in data.iterdir() if len(list(each.glob("*.jpg"))) > 1)
    people = np.random.default_rng(1).permutation(len(several))[:_PEOPLE]
    found: dict[int, list[tuple[float, float, bool]]] = {turn: [] for turn in _TURNS}
    for person in people:
        one, other = sorted(several[person].glob("*.jpg"))[:2]
        seen = analyzer.analyze(other)
        upright = central_face(seen)
        if upright is None:
            continue
        pixels = analyzer.read(one).pixels
        for turn in _TURNS:
            analysis = analyzer.analyze(turned(pixels, turn))
            row = central_face(analysis)
            if row is None:
                found[turn].append((0.0, 0.0, False))
                continue
            quality = analysis.faces[row].quality
            off = abs((quality.roll - turn + 180) % 360 - 180)
            cosine = float(analysis.templates[row] @ seen.templates[upright])
            found[turn].append((cosine, quality.overall, off < 20))
    rows = []
    for turn, each in found.items():
        cosines, qualities, told = np.array(each, np.float64).T
        rows.append(
            (
                f"{turn}°",
                f"{(cosines > _THRESHOLD).mean():.3f}",
                f"{np.median(qualities):.0f}",
                f"{told.mean():.3f}",
            )
        )
    return table(("turned by", "recognised", "median quality", "turn told"), rows)


def _covered(analyzer: Analyzer) -> str:
    labels = wider.load()
    names = np.random.default_rng(1).permutation(sorted(labels))[:_PICTURES]
    hits: dict[int, list[NDArray[np.bool_]]] = {turn: [] for turn in (0, 90, 180, 270)}
    heights = []
    for name in names:
        entry = labels[str(name)]
        wanted = entry.boxes[entry.wanted]
        heights.append(wanted[:, 3] - wanted[:, 1])
        pixels = analyzer.read(wider.folder() / "images" / str(name)).pixels
        for turn, of_turn in hits.items():
            found = analyzer.detect(
                turned(pixels, turn),
                mode=REDACTION_PLAN,
                min_score=REDACTION_MIN_SCORE,
                in_front=True,
            )
            boxes = _boxes_turned(wanted, turn, pixels.shape[1], pixels.shape[0])
            shared = overlaps(boxes, found.boxes) > _SAME_BOX
            of_turn.append(np.asarray(shared.any(axis=1)))
    high = np.concatenate(heights)
    rows = []
    for turn, of_turn in hits.items():
        hit = np.concatenate(of_turn)
        ranges = ((10, 24), (24, 48), (48, np.inf))
        shares = [hit[(high >= low) & (high < top)].mean() for low, top in ranges]
        rows.append((f"{turn}°", *(f"{share:.3f}" for share in shares)))
    return table(("turned by", "10 to 24 px", "24 to 48 px", "from 48 px"), rows)


def _cost(analyzer: Analyzer) -> str:
    sets = {
        "LFW": sorted((lfw.folder() / "images").rglob("*.jpg")),
        "WIDER": sorted((wider.folder() / "images").rglob("*.jpg")),
    }
    rows = []
    for name, files in sets.items():
        pictures = [analyzer.read(file) for file in files[:: len(files) // _TIMED][:_TIMED]]
        rows += [
            (name, mode, *_slower(analyzer, pictures, mode, every_turn=False))
            for mode in ("fast", "balanced")
        ]
        if name == "LFW":
            rows.append(
                (name, "enrolment", *_slower(analyzer, pictures, "balanced", every_turn=True))
            )
    head = ("pictures", "mode", "median ms without", "median", "mean ms without", "mean")
    return table(head, rows)


def _slower(
    analyzer: Analyzer, pictures: list[Picture], mode: Mode, *, every_turn: bool
) -> tuple[str, ...]:
    def with_it(picture: Picture) -> object:
        return analyzer.analyze(picture, mode=mode, every_turn=every_turn)

    def without(picture: Picture) -> object:
        with (
            mock.patch("sayso.vision.turning.doubtful", return_value=np.empty(0, np.intp)),
            mock.patch("sayso.vision.analyzer.look_for_turned", return_value=joined([])),
        ):
            return analyzer.analyze(picture, mode=mode)

    times = np.array(
        [
            medians_in_turns(
                [functools.partial(work, picture) for work in (without, with_it)],
                repeats=_REPEATS,
            )
            for picture in pictures
        ]
    )
    figures: list[str] = []
    for before, after in (np.median(times, axis=0), times.mean(axis=0)):
        figures += [f"{1000 * before:.1f}", f"{after / before - 1:+.0%}"]
    return tuple(figures)


def _boxes_turned(
    boxes: NDArray[np.float32], turn: int, width: int, height: int
) -> NDArray[np.float32]:
    x1, y1, x2, y2 = boxes.T
    if turn == 90:
        return np.stack([height - y2, x1, height - y1, x2], axis=1)
    if turn == 180:
        return np.stack([width - x2, height - y2, width - x1, height - y1], axis=1)
    if turn == 270:
        return np.stack([y1, width - x2, y2, width - x1], axis=1)
    return boxes


if __name__ == "__main__":
    print(main())
