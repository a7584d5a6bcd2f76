"""What recognition makes of the pixels of a covered head, at several enlargements.

Of every person there are two pictures. The head of one is covered; what is covered is cut out,
enlarged, and embedded at the landmarks that the face had. Were something of the person left, it
would resemble the other picture more than those of strangers do; or, for somebody who knows how
it was covered, the other picture covered the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration import LISTED_TWICE, MISLABELLED, TWINS
from sayso.analyzer import Analyzer
from sayso.core.evaluating import central_face
from sayso.redaction.picture import cover, covered
from sayso.redaction.types import Cover, Style
from sayso.vision.detections import Detections
from sayso.vision.types import Face, Picture

ENLARGEMENTS = (1, 2, 4)

#: Returns a picture with the head covered, and where it is.
Covering = Callable[[Picture, Cover], tuple[Picture, NDArray[np.bool_]]]


@dataclass(frozen=True, slots=True)
class Sitting:
    """A person's picture, the face in its middle, and its template float32 (d,)."""

    picture: Picture
    face: Face
    template: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scores:
    """Cosines float32 (n, n) of what is left of each person with everybody's other picture."""

    cosines: NDArray[np.float32]

    @property
    def own(self) -> NDArray[np.float32]:
        """Those with the person's own picture, (n,)."""
        return np.diagonal(self.cosines)

    @property
    def strangers(self) -> NDArray[np.float32]:
        """Those with the pictures of others."""
        return self.cosines[~np.eye(len(self.cosines), dtype=np.bool_)]

    @property
    def area(self) -> float:
        """How often the own picture is more alike than a stranger's; 0.5 is chance.

        That is the area under the ROC curve. Equal scores count as half.
        """
        ordered = np.sort(self.strangers)
        below = np.searchsorted(ordered, self.own, "left")
        not_above = np.searchsorted(ordered, self.own, "right")
        return float((below + not_above).mean() / 2 / len(ordered))

    @property
    def found(self) -> int:
        """How many find their own picture before all others; one by chance."""
        return int((self.own >= self.cosines.max(axis=1)).sum())


def sittings(images: Path, analyzer: Analyzer, people: int) -> list[tuple[Sitting, Sitting]]:
    """The first and second picture of so many people of LFW, spread over the alphabet."""
    doubtful = {name for names in (*LISTED_TWICE, *TWINS) for name in names}
    doubtful |= {name.split("/")[0] for name in MISLABELLED}
    several = [
        sorted(folder.glob("*.jpg"))[:2]
        for folder in sorted(images.iterdir())
        if folder.name not in doubtful and len(list(folder.glob("*.jpg"))) > 1
    ]
    chosen = [several[row * len(several) // people] for row in range(min(people, len(several)))]
    both = ([_sitting(path, analyzer) for path in paths] for paths in chosen)
    return [(one, two) for one, two in both if one is not None and two is not None]


def _sitting(path: Path, analyzer: Analyzer) -> Sitting | None:
    picture = analyzer.read(path)
    analysis = analyzer.analyze(picture)
    row = central_face(analysis)
    if row is None:
        return None
    return Sitting(picture, analysis.faces[row], analysis.templates[row])


def by_style(style: Style) -> Covering:
    """Ours."""
    return lambda picture, head: (
        cover(picture, [head], style),
        covered(picture, [head], style),
    )


def by_mean_colours(cells: int) -> Covering:
    """The usual mosaic, which ours is not: each cell has the mean colour of what it hides."""

    def covering(picture: Picture, head: Cover) -> tuple[Picture, NDArray[np.bool_]]:
        mask = covered(picture, [head], "mosaic")
        ys, xs = np.nonzero(mask)
        part = slice(ys.min(), ys.max() + 1), slice(xs.min(), xs.max() + 1)
        pixels = picture.pixels.copy()
        size = pixels[part].shape[1::-1]
        small = cv2.resize(pixels[part], (cells, cells), interpolation=cv2.INTER_AREA)
        large = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        pixels[part][mask[part]] = large[mask[part]]
        return Picture(pixels, picture.format), mask

    return covering


def not_at_all(picture: Picture, head: Cover) -> tuple[Picture, NDArray[np.bool_]]:
    """The head as it is: what the others are to be compared with."""
    return picture, covered(picture, [head], "solid")


def templates(
    sitters: Sequence[Sitting], covering: Covering, enlargement: int, analyzer: Analyzer
) -> NDArray[np.float32]:
    """What is under the covers, cut out, enlarged and embedded; float32 (n, d)."""
    rows = []
    for sitter in sitters:
        head = Cover(sitter.face.box, sitter.face.landmarks)
        picture, mask = covering(sitter.picture, head)
        alone = picture.pixels * mask[..., None]
        large = cv2.resize(
            alone, None, fx=enlargement, fy=enlargement, interpolation=cv2.INTER_CUBIC
        )
        there = Detections(
            np.array([sitter.face.box], np.float32) * enlargement,
            np.ones(1, np.float32),
            # Pixel centres: that of the first lies at 0.
            (sitter.face.landmarks[None] + 0.5) * np.float32(enlargement) - np.float32(0.5),
        )
        found = analyzer.describe(Picture(np.asarray(large, np.uint8)), there)
        rows.append(found.templates[0])
    return np.stack(rows)


def scores(left: NDArray[np.float32], right: NDArray[np.float32]) -> Scores:
    """Compare templates float32 (n, d) of the same n people."""
    return Scores(left @ right.T)
