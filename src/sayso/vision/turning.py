"""Look again, turned: for heads that lie or hang in the picture.

Detectors are trained on upright heads. They find most of the others, too, but place the landmarks
as if the head were upright, and a template of that recognises nobody. So where a face is doubtful
it is looked at in four turns; the turn in which a detector sees it best is looked at once more,
closely, with the head upright; and what the recogniser can make most of is kept. All of it depends
on the picture alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sayso.vision.alignment import similarity_transforms, warp
from sayso.vision.detections import Detections, joined
from sayso.vision.detector import Detector
from sayso.vision.geometry import overlaps, suppress
from sayso.vision.heads import heads
from sayso.vision.passes import PlanName
from sayso.vision.pose import poses
from sayso.vision.types import Mode

#: A face is doubtful when the recogniser can make little of it (upright ones of LFW: 1 in 100 is
#: below), when its landmarks span less of its box than those of 99 in 100 upright faces, when the
#: head is tilted so far, in degrees, that landmarks are pulled upright, or when it is too large.
_STRENGTH, _SPAN, _ROLL = 9.0, 0.9, 15.0
#: Of a face lower than this, in pixels, the recogniser makes less; turned, less than so much.
_SMALL, _STRENGTH_SMALL = 64.0, 7.0
#: Heights in pixels from which a face is looked at again, and how many of a picture, the largest
#: first: where it is doubtful, and where every face is.
_DOUBTFUL, _EVERY = (32.0, 8), (24.0, 32)
#: How many doubtful ones are looked at where none of these turns out to be turned: in ``fast`` one.
_AT_FIRST = 2
_TURNS = (0, 90, 180, 270)
#: How many times the face a glance shows, and in how many pixels.
_AROUND, _GLANCE = 2.0, 160
#: Another turn must be seen better than the upright one by this much, as scores, to count.
_CLEARER = 0.02
#: A face that is seen as well as this upright is upright: of turned ones hardly one is.
_CLEAR = 0.87
#: How many times the face a close look shows, and in how many pixels.
_CLOSE_AROUND, _CLOSE = 2.5, 320
#: A turned face is taken for one from this score on, when the recogniser can make so many times as
#: much of it, and so much in any case: profiles and blurred faces look alike in every turn.
_SCORE, _BETTER, _ALONE = 0.5, 1.3, 7.5
#: Landmarks that say another roll than a glance does by more than this, in degrees, are of another
#: turn: the worst that they are pulled upright of a head that is tilted by 45 is less.
_APART = 75.0
#: Of a face higher than this, in pixels, even the pass over the reduced picture sees too much.
_TOO_CLOSE = 1500.0
#: A detection that no turn confirms goes below this score, in a picture with turned faces.
_UNCONFIRMED = 0.8
#: The long side at which a whole picture is looked at turned, the score that is worth a close look,
#: and how many such.
_WHOLE, _WORTH, _MOST = 320, 0.4, 8
#: That long side where nobody may be missed, and the score that is worth a whole plan in that turn.
_WHOLE_WARY, _WORTH_A_PLAN = 512, 0.6
#: A face that overlaps another by more is the same.
_SAME_FACE = 0.3

#: The strength that the recogniser gives to a face, by its landmarks (1, 5, 2).
Strength = Callable[[NDArray[np.float32]], float]


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Faces after a second look, in the rows that they had.

    All others are bool (n,). ``changed``: seen otherwise than at first; ``confirmed``: seen so, or
    as at first; ``contradicted``: seen better turned, but not well enough to say how, so that the
    landmarks are wrong; and ``unconfirmed``: seen in no turn at all.
    """

    found: Detections
    changed: NDArray[np.bool_]
    confirmed: NDArray[np.bool_]
    contradicted: NDArray[np.bool_]
    unconfirmed: NDArray[np.bool_]


def doubtful(
    found: Detections, strengths: NDArray[np.float32], *, every: bool = False
) -> NDArray[np.intp]:
    """The rows of the faces that are worth a second look, largest first.

    Those whose ``strengths``, float32 (n,), or landmarks cast a doubt on them; with ``every`` all.
    """
    heights = found.boxes[:, 3] - found.boxes[:, 1]
    least, most = _EVERY if every else _DOUBTFUL
    worth = heights >= least
    if not every:
        worth &= casts_doubt(found, strengths)
    rows = np.flatnonzero(worth)
    return rows[np.argsort(-heights[rows], kind="stable")][:most]


def casts_doubt(found: Detections, strengths: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether strengths or landmarks cast a doubt on how a face is turned, bool (n,)."""
    sides = np.maximum(found.boxes[:, 3] - found.boxes[:, 1], 1e-6)
    least = np.where(sides >= _SMALL, _STRENGTH, _STRENGTH_SMALL)
    transforms = similarity_transforms(found.landmarks)
    spans = 112 / np.maximum(np.hypot(transforms[:, 0, 0], transforms[:, 0, 1]), 1e-9) / sides
    rolls = np.abs(poses(found.landmarks)[:, 2])
    doubts: NDArray[np.bool_] = (strengths < least) | (spans < _SPAN) | (rolls > _ROLL)
    doubts |= sides > _TOO_CLOSE
    return doubts


def look_again(
    detector: Detector,
    pixels: NDArray[np.uint8],
    found: Detections,
    strengths: NDArray[np.float32],
    strength: Strength,
    *,
    mode: Mode,
    every: bool = False,
) -> SecondLook:
    """Look at the doubtful faces of uint8 (height, width, 3) RGB turned; see ``doubtful``."""
    boxes, scores, points = found.boxes.copy(), found.scores.copy(), found.landmarks.copy()
    changed, confirmed, contradicted, unconfirmed = (
        np.zeros(len(found), np.bool_) for _ in range(4)
    )
    at_first = 1 if mode == "fast" else _AT_FIRST
    for place, row in enumerate(doubtful(found, strengths, every=every)):
        if not every and place >= at_first and not changed.any():
            break  # in a picture that lies, the largest faces lie as well
        box, own = found.boxes[row], float(poses(found.landmarks[row : row + 1])[0, 2])
        roll = _best_roll(detector, pixels, box)
        unconfirmed[row] = roll is None
        if roll is None:
            continue
        apart = abs(_wrapped(roll - own)) > _APART
        tilted = max(abs(own), abs(roll)) > _ROLL
        if not (apart or tilted or box[3] - box[1] > _TOO_CLOSE):
            continue
        most = float(strengths[row])
        for angle in (roll, own) if tilted else (0.0,):
            far = abs(_wrapped(angle - own)) > _APART
            closer = _close_look(detector, pixels, box, angle, mode)
            if closer is None or (far and closer.scores[0] < _SCORE):
                continue
            gained = strength(closer.landmarks)
            if gained > (max(_ALONE, most * _BETTER) if far else most):
                boxes[row], points[row] = closer.boxes[0], closer.landmarks[0]
                scores[row] = max(found.scores[row], closer.scores[0])
                changed[row], most = True, gained
        contradicted[row] = apart and not changed[row]
        confirmed[row] = not contradicted[row]
    return SecondLook(
        Detections(boxes, scores, points), changed, confirmed, contradicted, unconfirmed
    )


def turned_beside(
    detector: Detector,
    pixels: NDArray[np.uint8],
    found: Detections,
    *,
    mode: PlanName,
    min_score: float,
    in_front: bool,
) -> Detections:
    """``found``, and what a whole plan finds in the picture turned where a glance sees more faces.

    For those who may miss nobody: a glance at each turn is cheap, and where it sees a face better
    than a glance at the upright picture does, the picture is looked at in that turn as a whole.
    """
    height, width = pixels.shape[:2]
    upright = _glance_turned(detector, pixels, 0, _WHOLE_WARY)
    everything = found
    for turn in _TURNS[1:]:
        seen = _glance_turned(detector, pixels, turn, _WHOLE_WARY)
        sure = seen.take(seen.scores >= _WORTH_A_PLAN)
        better = [
            row
            for row in range(len(sure))
            if _new(sure, row, upright.take(upright.scores > sure.scores[row] - _CLEARER))
        ]
        if not better:
            continue
        looked = detector.detect(
            _quarters(pixels, turn), mode=mode, min_score=min_score, in_front=in_front
        )
        more = joined(
            [_turned_back(looked, turn, width, height), sure.take(np.array(better, np.intp))]
        )
        rows: list[int] = []
        for row in range(len(more)):
            if _new(more, row, everything) and _new(more, row, more.take(np.array(rows, np.intp))):
                rows.append(row)
        everything = joined([everything, more.take(np.array(rows, np.intp))])
    return everything.take(np.argsort(-everything.scores, kind="stable"))


def look_for_turned(
    detector: Detector,
    pixels: NDArray[np.uint8],
    known: Detections,
    strength: Strength,
    *,
    mode: Mode,
) -> Detections:
    """Faces, best first, that only the whole picture turned shows; none of those ``known``."""
    seen = whole_turned(detector, pixels, _WHOLE)
    kept: list[Detections] = []
    for row in np.flatnonzero(seen.scores >= _WORTH)[:_MOST]:
        if _overlapping(seen.boxes[row], [known, *kept]):
            continue
        roll = float(poses(seen.landmarks[row : row + 1])[0, 2])
        closer = _close_look(detector, pixels, seen.boxes[row], roll, mode)
        if closer is None or closer.scores[0] < _SCORE or strength(closer.landmarks) < _ALONE:
            continue
        if not _overlapping(closer.boxes[0], [known, *kept]):
            kept.append(closer)
    return joined(kept)


def whole_turned(detector: Detector, pixels: NDArray[np.uint8], side: int) -> Detections:
    """What one cheap pass finds in a picture turned by 90, 180 and 270 degrees, best first.

    The picture is reduced to the long ``side`` in pixels; coordinates are its own.
    """
    seen = joined([_glance_turned(detector, pixels, turn, side) for turn in _TURNS[1:]])
    seen = seen.take(np.argsort(-seen.scores, kind="stable"))
    return seen.take(suppress(seen.boxes, seen.scores, _SAME_FACE))


def _glance_turned(
    detector: Detector, pixels: NDArray[np.uint8], turn: int, side: int
) -> Detections:
    """What one cheap pass finds in a reduced picture in one turn, in the picture's coordinates."""
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    looked = detector.glance(_quarters(np.asarray(small, np.uint8), turn))
    seen = _turned_back(looked, turn, *size)
    true = np.array([width / size[0], height / size[1]], np.float32)
    return Detections(seen.boxes * np.tile(true, 2), seen.scores, seen.landmarks * true)


def _quarters(pixels: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """A picture turned anticlockwise, so that a head that is turned by as much is upright."""
    return np.ascontiguousarray(np.rot90(pixels, turn // 90))


def settled(second: SecondLook) -> NDArray[np.intp]:
    """The rows that are left, best first, where a second look changed faces.

    Two detections may turn out to be of one head; and what no turn confirms was perhaps none.
    """
    order = np.argsort(-second.found.scores, kind="stable")
    if not second.changed.any():
        return order
    doubted = second.unconfirmed & (second.found.scores < _UNCONFIRMED)
    order = order[~doubted[order]]
    owners = order[heads(second.found.take(order))]
    same = (owners != order) & (second.changed[order] | second.changed[owners])
    left: NDArray[np.intp] = order[~same]
    return left


def _best_roll(
    detector: Detector, pixels: NDArray[np.uint8], box: NDArray[np.float32]
) -> float | None:
    """How far the head of a box is turned in the turn in which a glance sees it best, or None."""
    best, least = None, 0.0
    # All turns side by side in one picture: one pass over it costs half of four.
    shown = np.empty((2 * _GLANCE, 2 * _GLANCE, 3), np.uint8)
    for place, turn in enumerate(_TURNS):
        x, y = _GLANCE * (place % 2), _GLANCE * (place // 2)
        frame = _frame(box, turn, _AROUND, _GLANCE)
        shown[y : y + _GLANCE, x : x + _GLANCE] = warp(pixels, frame, _GLANCE)
    everything = detector.glance(shown)
    for place, turn in enumerate(_TURNS):
        there = everything.moved(dx=-_GLANCE * (place % 2), dy=-_GLANCE * (place // 2))
        seen = _in_the_middle(there, _GLANCE, _AROUND)
        if seen is not None and seen.scores[0] > least:
            best = _wrapped(turn + float(poses(seen.landmarks)[0, 2]))
            least = float(seen.scores[0]) + (0.0 if turn else _CLEARER)
            if not turn and least >= _CLEAR:
                break
    return best


def _close_look(
    detector: Detector,
    pixels: NDArray[np.uint8],
    box: NDArray[np.float32],
    roll: float,
    mode: Mode,
) -> Detections | None:
    """The face of a box whose head is turned clockwise by about ``roll`` degrees, or None."""
    found = None
    for _ in range(3):
        frame = _frame(box, roll, _CLOSE_AROUND, _CLOSE)
        seen = detector.look(warp(pixels, frame, _CLOSE), mode=mode)
        upright = _in_the_middle(seen, _CLOSE, _CLOSE_AROUND)
        if upright is None:
            return found
        found = _from_frame(upright, frame, roll)
        left = float(poses(upright.landmarks)[0, 2])
        if abs(left) <= _ROLL / 2:
            break
        roll = _wrapped(roll + left)  # landmarks of tilted heads are pulled upright: once more
    return found


def _frame(box: NDArray[np.float32], roll: float, around: float, side: int) -> NDArray[np.float64]:
    """The transform, (2, 3), to a square of ``side`` pixels with a box's face upright in it."""
    centre = (box[:2].astype(np.float64) + box[2:]) / 2
    scale = side / (around * max(float(box[2] - box[0]), float(box[3] - box[1]), 1.0))
    cosine, sine = scale * np.cos(np.radians(roll)), scale * np.sin(np.radians(roll))
    linear = np.array([[cosine, sine], [-sine, cosine]])
    return np.concatenate([linear, (side / 2 - linear @ centre)[:, None]], axis=1)


def _from_frame(found: Detections, frame: NDArray[np.float64], roll: float) -> Detections:
    """Detections of a frame in the picture's coordinates; the box is that of the face's oval."""
    back = np.linalg.inv(frame[:, :2])
    points = (found.landmarks.astype(np.float64) - frame[:, 2]) @ back.T
    centres = (found.boxes[:, :2].astype(np.float64) + found.boxes[:, 2:]) / 2
    halves = (found.boxes[:, 2:].astype(np.float64) - found.boxes[:, :2]) / 2
    scale = float(np.hypot(frame[0, 0], frame[1, 0]))
    angle = np.radians(roll)
    wide, high = halves[:, 0] / scale, halves[:, 1] / scale
    half_sides = np.stack(
        [
            np.hypot(wide * np.cos(angle), high * np.sin(angle)),
            np.hypot(wide * np.sin(angle), high * np.cos(angle)),
        ],
        axis=1,
    )
    middles = (centres - frame[:, 2]) @ back.T
    boxes = np.concatenate([middles - half_sides, middles + half_sides], axis=1)
    return Detections(boxes.astype(np.float32), found.scores, points.astype(np.float32))


def _turned_back(found: Detections, turn: int, width: int, height: int) -> Detections:
    """Detections of a picture turned anticlockwise, in that of this size as it was."""
    points = np.concatenate([found.boxes.reshape(-1, 2, 2), found.landmarks], axis=1)
    x, y = points[..., 0], points[..., 1]
    if turn == 90:
        points = np.stack([width - y, x], axis=-1)
    elif turn == 180:
        points = np.stack([width - x, height - y], axis=-1)
    elif turn == 270:
        points = np.stack([y, height - x], axis=-1)
    corners = points[:, :2]
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return Detections(boxes, found.scores, points[:, 2:])


def _in_the_middle(found: Detections, side: int, around: float) -> Detections | None:
    """The best face whose middle is near that of the frame, which is within the face; or None."""
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    near = np.hypot(*(centres - side / 2).T) < side / around / 2
    rows = np.flatnonzero(near)
    if not len(rows):
        return None
    return found.take(rows[[int(found.scores[rows].argmax())]])


def _overlapping(box: NDArray[np.float32], others: list[Detections]) -> bool:
    return any(
        len(each) and bool((overlaps(box[None], each.boxes) > _SAME_FACE).any()) for each in others
    )


def _new(found: Detections, row: int, known: Detections) -> bool:
    return not _overlapping(found.boxes[row], [known])


def _wrapped(degrees: float) -> float:
    return (degrees + 180) % 360 - 180
