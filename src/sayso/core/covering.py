"""Whom a redaction covers: everybody, but those of whom it is sure that they agreed to be seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sayso.enrolment import MIN_HEIGHT
from sayso.errors import GalleryError
from sayso.gallery.matches import Hit
from sayso.redacted import Reason
from sayso.redaction.types import Cover
from sayso.vision.detections import Detections
from sayso.vision.detector import DEFAULT_MIN_SCORE
from sayso.vision.geometry import best_overlaps
from sayso.vision.heads import heads
from sayso.vision.types import Analysis

Box = tuple[float, float, float, float]
#: A face below this overall quality is looked up for nobody's good: 24 in 25 of such faces do not
#: reach what a match takes (benchmarks/results.md, Quality), and the error rates that the rule
#: rests on were not measured on faces like that. The least height is that of enrolment.
MIN_QUALITY: Final = 20.0
#: Whoever is less similar is covered, whatever the collection's rule. In a small gallery the rule
#: alone lets one stranger through in a hundred pictures, and an event has hundreds. At 50 it is at
#: most one face in 20,000 for each that is enrolled (docs/reference/similarity.md), and it costs
#: hardly anybody who agreed.
LEAST_SIMILARITY: Final = 50.0
#: A box given by hand names the face that it overlaps by at least so much, and from so much on it
#: is that face's own box, and means no more than the face.
_NAMES_A_FACE, _IS_ITS_BOX = 0.5, 0.9
#: Boxes that may be given by hand for one picture, and how far from it their corners may be.
MOST_BY_HAND: Final = 100
_FARTHEST = 100_000
#: The area that boxes to cover may have together, as a multiple of the picture's: bounds the work.
_MOST_AREA = 4.0


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads of a picture, told by the row in ``found`` of their best detection.

    ``owners`` has for each row of ``found`` that of its head.
    """

    found: Detections
    owners: NDArray[np.intp]

    @classmethod
    def of(cls, found: Detections) -> Heads:
        """Return the heads that were detected."""
        return cls(found, heads(found))

    @property
    def rows(self) -> list[int]:
        """The heads, best detection first."""
        return [row for row, owner in enumerate(self.owners) if row == owner]

    def box(self, row: int) -> Box:
        """Return the corners of a box in pixels."""
        x1, y1, x2, y2 = (float(side) for side in self.found.boxes[row])
        return x1, y1, x2, y2

    def worth_a_look(self) -> list[int]:
        """Return the heads that are surely faces, and large enough to be recognised."""
        heights = self.found.boxes[:, 3] - self.found.boxes[:, 1]
        good = (self.found.scores >= DEFAULT_MIN_SCORE) & (heights >= MIN_HEIGHT)
        return [row for row in self.rows if good[row]]

    def covers(self, covered: Iterable[int]) -> list[Cover]:
        """Return what hides heads: by every detection of them."""
        hidden = set(covered)
        return [
            Cover(self.box(row), self.found.landmarks[row])
            for row, owner in enumerate(self.owners)
            if int(owner) in hidden
        ]

    def named(self, box: Box) -> tuple[int | None, bool]:
        """Return the head that a box by hand names, or None, and whether it is its own box."""
        if not len(self.found):
            return None, False
        rows, shares = best_overlaps(np.array([box], np.float32), self.found.boxes)
        named = int(self.owners[rows[0]]) if shares[0] >= _NAMES_A_FACE else None
        return named, bool(shares[0] >= _IS_ITS_BOX)


@dataclass(frozen=True, slots=True)
class ByHand:
    """The second look: the heads to cover and to show, and the places to cover.

    Of ``places``, ``drawn`` are those where no head is.
    """

    covered: frozenset[int]
    shown: frozenset[int]
    places: tuple[Box, ...]
    drawn: tuple[Box, ...]

    @classmethod
    def of(cls, found: Heads, cover: Sequence[Box], uncover: Sequence[Box]) -> ByHand:
        """Return what somebody decided; raises GalleryError for what cannot be meant."""
        covered: set[int] = set()
        places: list[Box] = []
        drawn: list[Box] = []
        for box in cover:
            row, is_its_box = found.named(box)
            if not is_its_box:  # whoever drew it meant all of it: a chin, a name on a shirt
                places.append(box)
            if row is None:
                drawn.append(box)
            else:
                covered.add(row)
        bared: set[int] = set()
        for box in uncover:
            row, _ = found.named(box)
            if row is None:
                raise GalleryError(
                    f"no face was found at {told(box)}, so there is none to uncover: give the box "
                    "of a face as the manifest has it"
                )
            if row in covered:
                raise GalleryError(f"the face at {told(box)} cannot be covered and uncovered both")
            bared.add(row)
        return cls(frozenset(covered), frozenset(bared), tuple(places), tuple(drawn))


def check_boxes(boxes: Sequence[Sequence[float]], what: str) -> tuple[Box, ...]:
    """Return boxes that were given by hand; raises GalleryError for those that are none."""
    if len(boxes) > MOST_BY_HAND:
        raise GalleryError(
            f"{what} has {len(boxes):,} boxes; at most {MOST_BY_HAND} can be given for one picture"
        )
    checked: list[Box] = []
    for box in boxes:
        try:
            x1, y1, x2, y2 = (float(side) for side in box)
            Cover((x1, y1, x2, y2))
        except (TypeError, ValueError) as error:
            raise GalleryError(f"{what}: {error}") from None
        if max(abs(side) for side in (x1, y1, x2, y2)) > _FARTHEST:
            raise GalleryError(f"{what}: the box {told((x1, y1, x2, y2))} is far off any picture")
        checked.append((x1, y1, x2, y2))
    return tuple(checked)


def check_within(boxes: Iterable[Box], width: int, height: int) -> None:
    """Raise GalleryError for a box that has nothing of a picture of this size in it.

    And for boxes that cover it several times over: they would take time and mean nothing.
    """
    area = 0.0
    for box in boxes:
        area += (min(box[2], width) - max(box[0], 0)) * (min(box[3], height) - max(box[1], 0))
        if box[0] >= width or box[1] >= height or box[2] <= 0 or box[3] <= 0:
            raise GalleryError(
                f"the box {told(box)} lies outside the picture, which has {width:,} x {height:,} "
                "pixels"
            )
    if area > _MOST_AREA * width * height:
        raise GalleryError(
            f"the boxes have {area:,.0f} pixels together; {_MOST_AREA * width * height:,.0f} are "
            "allowed, four times those of the picture: give fewer, or smaller ones"
        )


def good_enough(analysis: Analysis) -> NDArray[np.intp]:
    """Return which of the faces that were looked at are good enough to be recognised."""
    qualities = np.array([face.quality.overall for face in analysis.faces], np.float64)
    return np.flatnonzero(qualities >= MIN_QUALITY)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Who of a picture is covered, and why.

    ``hits`` has for each head that was looked up the subjects that it resembles as much as the rule
    asks, at most one; ``kept`` those heads that are shown as subjects'.
    """

    heads: Heads
    hands: ByHand
    hits: Mapping[int, Sequence[Hit]]
    kept: Mapping[int, Hit]

    @classmethod
    def of(cls, found: Heads, hands: ByHand, hits: Mapping[int, Sequence[Hit]]) -> Judgement:
        """Judge by what a search found."""
        kept = {row: hit for row, hit in _recognised(hits).items() if row not in hands.covered}
        return cls(found, hands, hits, kept)

    @property
    def faces(self) -> int:
        """How many heads there are, and places that were marked by hand."""
        return len(self.heads.rows) + len(self.hands.drawn)

    @property
    def hidden(self) -> list[int]:
        """The heads that are covered."""
        bared = self.hands.shown
        return [row for row in self.heads.rows if row not in self.kept and row not in bared]

    def covers(self) -> list[Cover]:
        """Return all that is to be covered."""
        return [*self.heads.covers(self.hidden), *map(Cover, self.hands.places)]

    def reason(self, row: int) -> Reason:
        """Return why a head is covered or shown."""
        if row in self.kept:
            return "consent"
        if row in self.hands.covered or row in self.hands.shown:
            return "by-hand"
        if row in self.hits:
            return "duplicate" if self.hits[row] else "no-match"
        found = self.heads.found
        if found.scores[row] < DEFAULT_MIN_SCORE:
            return "unsure"
        return "too-small" if found.boxes[row, 3] - found.boxes[row, 1] < MIN_HEIGHT else "blurred"


def _recognised(hits: Mapping[int, Sequence[Hit]]) -> dict[int, Hit]:
    """Return the heads that are of subjects, of each subject at most one: the most similar.

    Nobody is in a picture twice. Where two faces are named as the same one, at most one of the
    names is right, and the other face is somebody's who was not asked.
    """
    kept: dict[int, tuple[int, Hit]] = {}
    for row, found in hits.items():
        if not found:
            continue
        best = kept.get(found[0].subject_key)
        if best is None or found[0].score > best[1].score:
            kept[found[0].subject_key] = (row, found[0])
    return dict(kept.values())


def told(box: Box) -> str:
    """Return a box as commands and requests have it."""
    return ",".join(f"{side:g}" for side in box)
