"""All genuine and impostor pairs of the pictures, scored block by block.

No n x n matrix is made: of the impostor pairs a histogram and the highest scores stay, which is all
that low false-match rates need, and so 20,000 pictures with their 200 million pairs fit in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sayso.evaluation.folder import Measured
from sayso.evaluation.scoring import Scorer

#: So many of the highest impostor scores are kept with their pictures.
KEPT = 2_000_000
#: Of one person's pictures at most so many, spread evenly, make genuine pairs: half a million.
MOST_PICTURES = 1_000
_BINS = 2_048
_BLOCK = 256
_SAMPLE = 1_500


@dataclass(frozen=True, slots=True)
class Genuine:
    """Pairs of pictures of one person.

    ``scores`` float32 (g,); ``person`` int64 (g,) identity numbers; ``a`` and ``b`` int64 (g,) rows
    of the pictures. ``nearest`` float32 (n,) is the best score of each picture with another one of
    its person, NaN where there is none.
    """

    scores: NDArray[np.float32]
    person: NDArray[np.int64]
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    nearest: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Impostors:
    """Pairs of pictures of two people, ``total`` of them, of which the highest scores are kept.

    ``scores`` float32 (k,) falling, with the pictures' rows ``a`` and ``b`` int32 (k,).
    ``counts`` int64 (bins,) is the histogram of all of them between ``edges`` float64 (bins + 1,);
    what lies outside is in the first or last bin. ``nearest`` float32 (n,) is the best score
    of each picture with one of somebody else, and ``nearest_row`` int64 (n,) that one.
    """

    total: int
    scores: NDArray[np.float32]
    a: NDArray[np.int32]
    b: NDArray[np.int32]
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    nearest: NDArray[np.float32]
    nearest_row: NDArray[np.int64]

    def matches(self, threshold: NDArray[np.float64] | float) -> NDArray[np.int64]:
        """How many kept pairs score at least so high."""
        return reaching(self.scores, threshold)

    def threshold(self, rate: float) -> float | None:
        """The lowest threshold with at most that false-match rate; None below what is kept.

        A score that reaches the threshold is a match.
        """
        return strictest(self.scores, self.total, rate)

    @property
    def spread(self) -> float:
        """Standard deviation of the impostor scores, from the histogram."""
        middle = (self.edges[1:] + self.edges[:-1]) / 2
        mean = np.average(middle, weights=self.counts)
        return float(np.sqrt(np.average((middle - mean) ** 2, weights=self.counts)))


@dataclass(frozen=True, slots=True)
class Pairs:
    """Everything that one scorer makes of the pictures.

    ``people`` int64 (n,) as in Measured; ``sizes`` int64 (people,) templates of each.
    """

    people: NDArray[np.int64]
    sizes: NDArray[np.int64]
    genuine: Genuine
    impostors: Impostors


def reaching(
    scores: NDArray[np.float32], threshold: NDArray[np.float64] | float
) -> NDArray[np.int64]:
    """Return how many of falling scores, float32 (k,), reach each threshold."""
    found = np.searchsorted(-scores.astype(np.float64), -np.asarray(threshold), side="right")
    return np.asarray(found, np.int64)


def strictest(scores: NDArray[np.float32], total: int, rate: float) -> float | None:
    """Return the lowest threshold that at most ``rate`` of ``total`` scores reach.

    ``scores`` float32 (k,) are the highest, falling; None where they are too few to tell.
    """
    allowed = int(np.floor(rate * total + 1e-9))
    if allowed < len(scores):
        return float(np.nextafter(scores[allowed], np.float32(np.inf)))
    return float(scores[-1]) if len(scores) == total and total else None


def score_pairs(measured: Measured, scorer: Scorer, kept: int = KEPT) -> Pairs:
    """Score all pairs of the pictures that have a template."""
    rows = np.flatnonzero(measured.found)
    templates, people = scorer.prepare(measured.templates[rows]), measured.people[rows]
    genuine = _genuine(templates, people, rows, len(measured.files), scorer)
    impostors = _impostors(templates, people, rows, len(measured.files), scorer, kept)
    sizes = np.bincount(people, minlength=len(measured.names)).astype(np.int64)
    return Pairs(measured.people, sizes, genuine, impostors)


def _genuine(
    templates: NDArray[np.float32],
    people: NDArray[np.int64],
    rows: NDArray[np.int64],
    pictures: int,
    scorer: Scorer,
) -> Genuine:
    nearest = np.full(pictures, np.nan, np.float32)
    scores, persons, left, right = [], [], [], []
    for person in np.unique(people):
        own = np.flatnonzero(people == person)
        if len(own) > MOST_PICTURES:
            own = own[np.linspace(0, len(own) - 1, MOST_PICTURES).astype(np.int64)]
        if len(own) < 2:
            continue
        block = scorer.scores(templates[own], templates[own])
        a, b = np.triu_indices(len(own), k=1)
        scores.append(block[a, b])
        persons.append(np.full(len(a), person, np.int64))
        left.append(rows[own[a]])
        right.append(rows[own[b]])
        np.fill_diagonal(block, -np.inf)
        nearest[rows[own]] = block.max(axis=1)
    none = [np.zeros(0, np.int64)]
    return Genuine(
        np.concatenate(scores or [np.zeros(0, np.float32)]).astype(np.float32),
        np.concatenate(persons or none),
        np.concatenate(left or none),
        np.concatenate(right or none),
        nearest,
    )


def _impostors(
    templates: NDArray[np.float32],
    people: NDArray[np.int64],
    rows: NDArray[np.int64],
    pictures: int,
    scorer: Scorer,
    kept: int,
) -> Impostors:
    n = len(templates)
    edges = _edges(templates, scorer)
    counts = np.zeros(_BINS, np.int64)
    nearest, nearest_row = np.full(n, -np.inf, np.float32), np.zeros(n, np.int64)
    highest = _Highest(kept)
    for start in range(0, n, _BLOCK):
        end = min(start + _BLOCK, n)
        block = scorer.scores(templates[start:end], templates[start:])
        stranger = people[start:end, None] != people[None, start:]
        _note_nearest(nearest, nearest_row, np.where(stranger, block, -np.inf), start)
        # Each pair once: the square on the diagonal has its pairs twice.
        stranger[:, : end - start] &= np.triu(np.ones((end - start,) * 2, np.bool_), k=1)
        counts += _histogram(block[stranger], edges)
        highest.offer(block, stranger, start)
    scores, a, b = highest.sorted()
    everyone = np.full(pictures, -np.inf, np.float32)
    everyone[rows] = nearest
    whom = np.zeros(pictures, np.int64)
    whom[rows] = rows[nearest_row]
    return Impostors(
        int(counts.sum()),
        scores,
        rows[a].astype(np.int32),
        rows[b].astype(np.int32),
        edges,
        counts,
        everyone,
        whom,
    )


def _note_nearest(
    nearest: NDArray[np.float32],
    nearest_row: NDArray[np.int64],
    block: NDArray[np.float32],
    start: int,
) -> None:
    """Take the best of a block into account, for its rows and for its columns."""
    own, others = slice(start, start + len(block)), slice(start, None)
    for best, where, at in (
        (block.max(axis=1), start + block.argmax(axis=1), own),
        (block.max(axis=0), start + block.argmax(axis=0), others),
    ):
        better = best > nearest[at]
        nearest[at] = np.where(better, best, nearest[at])
        nearest_row[at] = np.where(better, where, nearest_row[at])


def _edges(templates: NDArray[np.float32], scorer: Scorer) -> NDArray[np.float64]:
    """Return float64 (bins + 1,) between the scores of an even sample of pictures, and beyond."""
    some = templates[np.linspace(0, len(templates) - 1, min(_SAMPLE, len(templates))).astype(int)]
    found = scorer.scores(some, some)
    low, high = float(found.min()), float(found.max())
    margin = 0.02 * (high - low) + 1e-6
    return np.linspace(low - margin, high + margin, _BINS + 1)


def _histogram(scores: NDArray[np.float32], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    scale = _BINS / (edges[-1] - edges[0])
    place = ((scores - np.float32(edges[0])) * np.float32(scale)).astype(np.int32)
    np.clip(place, 0, _BINS - 1, out=place)
    return np.bincount(place, minlength=_BINS).astype(np.int64)


class _Highest:
    """Keeps the highest scores with the two rows of each."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._floor = np.float32(-np.inf)
        self._parts: list[tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]] = []
        self._held = 0

    def offer(self, block: NDArray[np.float32], allowed: NDArray[np.bool_], start: int) -> None:
        """Take what is high enough of the block whose rows and columns begin at ``start``."""
        a, b = np.nonzero(allowed & (block >= self._floor))
        self._parts.append(
            (block[a, b], (a + start).astype(np.int32), (b + start).astype(np.int32))
        )
        self._held += len(a)
        if self._held > 2 * self._kept:
            self._drop()

    def sorted(self) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]:
        """Return the kept scores, falling, and their rows."""
        self._drop()
        ((scores, a, b),) = self._parts
        # By row where scores are equal, so that the order never depends on the sorting.
        order = np.lexsort((b, a, -scores))
        return scores[order], a[order], b[order]

    def _drop(self) -> None:
        scores, a, b = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        if len(scores) > self._kept:
            best = np.argpartition(scores, len(scores) - self._kept)[-self._kept :]
            scores, a, b = scores[best], a[best], b[best]
            self._floor = scores.min()
        self._parts, self._held = [(scores, a, b)], len(scores)
