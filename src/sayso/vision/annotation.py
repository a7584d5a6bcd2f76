"""Draws boxes and names on a picture, readable at any size of picture and in crowds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from sayso.vision.types import Picture

_NAMED: Final = (22, 163, 74)
_UNKNOWN: Final = (245, 245, 245)
_SHADOW: Final = (30, 30, 30)
_TEXT: Final = (255, 255, 255)
_LABEL: Final = (17, 94, 45)
_LONGEST_NAME: Final = 40

_Box = tuple[int, int, int, int]
_Boxes = NDArray[np.int64]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FaceLabel:
    """What to draw for one face.

    ``box`` is x1, y1, x2, y2 in pixels. A face without a ``name`` gets a thin box and no text,
    whatever its ``similarity`` (0 to 100).
    """

    box: tuple[float, float, float, float]
    name: str | None = None
    similarity: float | None = None

    def scaled(self, x: float, y: float) -> FaceLabel:
        """Return it for a picture that is so many times wider and higher."""
        x1, y1, x2, y2 = self.box
        return FaceLabel((x1 * x, y1 * y, x2 * x, y2 * y), self.name, self.similarity)

    @property
    def text(self) -> str:
        """Return name and similarity, e.g. ``ada 97``; empty for an unknown face."""
        if not self.name:
            return ""
        name = " ".join(self.name.split())
        if len(name) > _LONGEST_NAME:
            name = name[: _LONGEST_NAME - 1] + "…"
        # Rounded down: nothing short of it may look like 100. It is no percentage of anything.
        return name if self.similarity is None else f"{name} {int(self.similarity)}"


def annotate(picture: Picture, labels: Sequence[FaceLabel]) -> Picture:
    """Return a copy of the picture with a box per face, and text at those that have a name.

    Text is as large as the picture and the face call for. A label is put where it covers no
    named face and no other label if there is such a place near its face; a line leads to a face
    that it does not touch.
    """
    pixels = picture.pixels.copy()
    named = [label for label in labels if label.text]
    unnamed = [label for label in labels if not label.text]
    for label in unnamed:
        _draw_box(pixels, _corners(label.box), _UNKNOWN, 1)
    for label in named:
        _draw_box(pixels, _corners(label.box), _NAMED, _stroke(picture, label))
    # OpenCV's built-in font knows Latin, Greek, Cyrillic, Arabic and Chinese.
    font = cv2.FontFace("uni")
    faces = _boxes([_corners(label.box) for label in named])
    strangers = _boxes([_corners(label.box) for label in unnamed])
    spots: list[tuple[FaceLabel, _Box]] = []
    # The largest faces choose first; they are whom a picture is about.
    for label in sorted(named, key=lambda label: -_height(label)):
        size = _measure(font, _text_size(picture, label), label.text)
        taken = _boxes([spot for _, spot in spots])
        spot = _place(
            size, _corners(label.box), (picture.width, picture.height), taken, faces, strangers
        )
        spots.append((label, spot))
        _draw_leader(pixels, spot, _corners(label.box))
    for label, spot in spots:
        _draw_text(pixels, font, _text_size(picture, label), spot, label.text)
    pixels.flags.writeable = False
    return Picture(pixels, picture.format)


def _corners(box: tuple[float, float, float, float]) -> _Box:
    x1, y1, x2, y2 = (round(value) for value in box)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _height(label: FaceLabel) -> float:
    return abs(label.box[3] - label.box[1])


def _boxes(boxes: list[_Box]) -> _Boxes:
    return np.array(boxes, np.int64).reshape(-1, 4)


def _stroke(picture: Picture, label: FaceLabel) -> int:
    """Width of a named face's box: 1/400 of the picture's long side, thinner for small faces."""
    return max(1, round(min(max(picture.width, picture.height) / 400, _height(label) / 16)))


def _text_size(picture: Picture, label: FaceLabel) -> int:
    """Height of the text in pixels: legible on the whole picture, in proportion to the face."""
    long = max(picture.width, picture.height)
    return round(max(12, long / 130, min(_height(label) / 5, long / 40)))


def _measure(font: cv2.FontFace, size: int, text: str) -> tuple[int, int]:
    """Width and height of a label; all of a size are equally high, whatever their letters."""
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), font, size)
    return width + 2 * _pad(size), round(1.3 * size) + _pad(size)


def _pad(size: int) -> int:
    return max(2, size // 6)


def _draw_box(pixels: Pixels, box: _Box, colour: tuple[int, int, int], stroke: int) -> None:
    # A dark line on either side keeps the box visible on bright and on dark ground.
    cv2.rectangle(pixels, box[:2], box[2:], _SHADOW, stroke + 2)
    cv2.rectangle(pixels, box[:2], box[2:], colour, stroke)


def _draw_leader(pixels: Pixels, spot: _Box, box: _Box) -> None:
    near = min(max((box[0] + box[2]) // 2, spot[0]), spot[2]), (spot[1] + spot[3]) // 2
    end = min(max(near[0], box[0]), box[2]), min(max(near[1], box[1]), box[3])
    if _overlaps((spot[0] - 2, spot[1] - 2, spot[2] + 2, spot[3] + 2), _boxes([box])).any():
        return
    cv2.line(pixels, near, end, _SHADOW, 3, cv2.LINE_AA)
    cv2.line(pixels, near, end, _NAMED, 1, cv2.LINE_AA)


def _draw_text(pixels: Pixels, font: cv2.FontFace, size: int, spot: _Box, text: str) -> None:
    x1, y1, x2, y2 = spot
    cv2.rectangle(pixels, (x1, y1), (x2 - 1, y2 - 1), _LABEL, cv2.FILLED)
    base = y1 + _pad(size) // 2 + size
    cv2.putText(pixels, text, (x1 + _pad(size), base), _TEXT, font, size)


def _place(
    size: tuple[int, int],
    box: _Box,
    picture: tuple[int, int],
    taken: _Boxes,
    faces: _Boxes,
    strangers: _Boxes,
) -> _Box:
    """Choose the spot near the box that covers least; labels count most, unknown faces least."""
    width, height = size
    x1, y1, x2, y2 = box
    across = (x1, (x1 + x2 - width) // 2, x2 - width)
    spots = [(x, y) for y in (y1 - height, y2) for x in across]
    spots += [(x, y) for y in (y1, (y1 + y2 - height) // 2, y2 - height) for x in (x2, x1 - width)]
    for step in (1.5, 2.5, 4.0, 6.0, 8.0):
        rise, run = round(step * height), round(step * width / 4)
        spots += [(x + run * side, y1 - height - rise) for side in (0, -1, 1) for x in across[:2]]
        spots += [(x + run * side, y2 + rise) for side in (0, -1, 1) for x in across[:2]]
    best, least = box, float("inf")
    for number, (x, y) in enumerate(spots):
        left = max(0, min(x, picture[0] - width))
        top = max(0, min(y, picture[1] - height))
        spot = left, top, left + width, top + height
        cost = 0.01 * number * width * height  # of equal spots the first
        cost += 5 * int(_overlaps(spot, taken).sum()) + int(_overlaps(spot, faces).sum())
        cost += 0.3 * int(_overlaps(spot, strangers).sum())
        if cost < least:
            best, least = spot, cost
    return best


def _overlaps(spot: _Box, boxes: _Boxes) -> NDArray[np.int64]:
    """Return the area (n,) that a box has in common with each of ``boxes`` (n, 4)."""
    width = np.minimum(spot[2], boxes[:, 2]) - np.maximum(spot[0], boxes[:, 0])
    height = np.minimum(spot[3], boxes[:, 3]) - np.maximum(spot[1], boxes[:, 1])
    return np.asarray(np.maximum(width, 0) * np.maximum(height, 0), np.int64)
