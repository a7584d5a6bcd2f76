"""Fitting the score normalisation of the default model, which ships in its calibration.

Who scores how high with strangers is learned from the templates of Balanced Faces in the Wild and
of Labeled Faces in the Wild together: fitted on either alone it ranks the other's pictures worse.
The background that they are scored against has as many templates of each of the eight groups, so
that what is subtracted is what a person's own group would score, whichever that is; the labels are
used for nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sayso.evidence.normalisation import Normaliser

Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]

#: The share of the second source in the mean that templates are centred on.
_SHARE = 0.8
#: How far the covariance within people is drawn towards one that is the same in every direction.
_SHRINKAGE = 0.7
#: Of the background's scores, how many of the highest tell how high strangers score.
_HIGHEST = 200
#: Background templates of each group.
_EACH = 250
#: How far out in the tail of strangers' scores two people are made alike, in deviations of those
#: highest scores, and how much of it is taken off: more treats groups more alike, and misses more.
DEVIATIONS, AMOUNT = 8.0, 1.0
RIDGE = 2.0


@dataclass(frozen=True, slots=True)
class Source:
    """Templates, float32 (n, d), whose they are (n,), and their groups (n,), if any."""

    templates: Float32
    people: Ints
    groups: NDArray[np.str_]

    def of(self, kept: NDArray[np.bool_]) -> Source:
        """Return only these rows."""
        groups = self.groups[kept] if self.groups.size else self.groups
        return Source(self.templates[kept], self.people[kept], groups)


def fit(
    balanced: Source,
    other: Source,
    *,
    deviations: float = DEVIATIONS,
    amount: float = AMOUNT,
    ridge: float = RIDGE,
    seed: int = 0,
) -> Normaliser:
    """Fit on a source with balanced groups and another without labels, of other people."""
    groups = np.unique(balanced.groups)
    of_groups = [balanced.templates[balanced.groups == each].mean(0) for each in groups]
    mean = (1 - _SHARE) * np.mean(of_groups, axis=0) + _SHARE * other.templates.mean(0)
    whitening = _whitening((balanced, other), mean)
    size = len(mean)
    unfitted = Normaliser(
        mean.astype(np.float32),
        whitening.astype(np.float32),
        0.0,
        np.zeros(size),
        np.zeros((size, size)),
    )
    first, second = (unfitted.whitened(each.templates) for each in (balanced, other))
    chance = np.random.default_rng(seed)
    rows = np.concatenate(
        [chance.permutation(np.flatnonzero(balanced.groups == each))[:_EACH] for each in groups]
    )
    background = first[rows]
    nobody = np.full(len(second), -1, np.int64)
    wanted = np.concatenate(
        [
            _tails(first, balanced.people, background, balanced.people[rows], deviations),
            _tails(second, nobody, background, balanced.people[rows], deviations),
        ]
    )
    wanted = amount / 2 * (wanted - wanted.mean())
    constant, linear, quadratic = _ridge(np.concatenate([first, second]), wanted, ridge)
    return replace(unfitted, constant=constant, linear=linear, quadratic=quadratic)


def _whitening(sources: Sequence[Source], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float64 (d, d), symmetric: weakens the directions in which one person differs."""
    size = len(mean)
    within, degrees = np.zeros((size, size)), 0
    for each in sources:
        people = np.unique(each.people, return_inverse=True)[1]
        count = np.bincount(people)
        sums = np.zeros((len(count), size))
        np.add.at(sums, people, each.templates)
        apart = (each.templates - (sums / count[:, None])[people])[count[people] > 1]
        within += apart.T @ apart
        degrees += len(apart) - int((count > 1).sum())
    within /= degrees
    even = np.trace(within) / size * np.eye(size)
    values, vectors = np.linalg.eigh((1 - _SHRINKAGE) * within + _SHRINKAGE * even)
    found = vectors / np.sqrt(values) @ vectors.T
    return np.asarray(found / np.sqrt(np.trace(found @ found) / size), np.float64)


def _tails(
    templates: Float32, people: Ints, background: Float32, theirs: Ints, deviations: float
) -> NDArray[np.float64]:
    """Return for each template how high strangers score with it."""
    found = np.empty(len(templates))
    for start in range(0, len(templates), 1024):
        part = slice(start, start + 1024)
        scores = templates[part] @ background.T
        scores[people[part][:, None] == theirs[None]] = -2  # no strangers
        highest = -np.partition(-scores, _HIGHEST, axis=1)[:, :_HIGHEST]
        found[part] = highest.mean(axis=1) + deviations * highest.std(axis=1)
    return found


def _ridge(
    templates: Float32, wanted: NDArray[np.float64], ridge: float
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Regress on constant, linear and quadratic terms of the templates."""
    dimension = templates.shape[1]
    first, second = np.triu_indices(dimension)
    # With this weight off the diagonal, the penalty is the same for every rotation of the space.
    weights = np.where(first == second, 1, np.sqrt(2)).astype(np.float32)
    size = 1 + dimension + len(first)
    products, targets = np.zeros((size, size), np.float32), np.zeros(size)
    for start in range(0, len(templates), _AT_ONCE):
        some = templates[start : start + _AT_ONCE]
        terms = np.concatenate(
            [np.ones((len(some), 1), np.float32), some, some[:, first] * some[:, second] * weights],
            axis=1,
        )
        products += terms.T @ terms
        targets += terms.T.astype(np.float64) @ wanted[start : start + _AT_ONCE]
    inner = np.arange(1, size)
    products[inner, inner] += ridge * len(templates) / 1e4
    found = np.linalg.solve(products.astype(np.float64), targets)
    quadratic = np.zeros((dimension, dimension))
    quadratic[first, second] = found[1 + dimension :] * weights / np.where(first == second, 1, 2)
    return float(found[0]), found[1 : 1 + dimension], quadratic + np.triu(quadratic, 1).T


#: Templates whose quadratic terms are held at once, for memory.
_AT_ONCE = 4096
