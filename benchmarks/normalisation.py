"""Fitting a score normalisation; what it gives does not ship yet.

Who scores how high with strangers is learned from the templates of Balanced Faces in the Wild and
of Labeled Faces in the Wild together: fitted on either alone it ranks the other's pictures worse.
The background that they are scored against has as many templates of each of the eight groups, so
that what is subtracted is what a person's own group would score, whichever that is; the labels are
used for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sayso.evidence.normalisation import Normaliser

Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]

#: The share of the second source in the mean that templates are centred on.
_SHARE = 0.3
#: Of the background's scores, how many of the highest tell how high strangers score.
_HIGHEST = 200
#: Background templates of each group.
_EACH = 250
#: How far out in the tail of strangers' scores two people are made alike, in deviations of those
#: highest scores, and how much of it is taken off: more treats groups more alike, and misses more.
DEVIATIONS, AMOUNT = 4.0, 1.3
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
    """Fit on a source with balanced groups and another without labels."""
    groups = np.unique(balanced.groups)
    of_groups = [balanced.templates[balanced.groups == each].mean(0) for each in groups]
    mean = (1 - _SHARE) * np.mean(of_groups, axis=0) + _SHARE * other.templates.mean(0)
    unfitted = Normaliser(
        mean.astype(np.float32), 0.0, np.zeros(len(mean)), np.zeros((len(mean), len(mean)))
    )
    first, second = (unfitted.centred(each.templates) for each in (balanced, other))
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
    return _ridge(mean.astype(np.float32), np.concatenate([first, second]), wanted, ridge)


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
    mean: Float32, templates: Float32, wanted: NDArray[np.float64], ridge: float
) -> Normaliser:
    """Regress on constant, linear and quadratic terms of the templates."""
    dimension = templates.shape[1]
    first, second = np.triu_indices(dimension)
    # With this weight off the diagonal, the penalty is the same for every rotation of the space.
    weights = np.where(first == second, 1, np.sqrt(2)).astype(np.float32)
    terms = np.concatenate(
        [
            np.ones((len(templates), 1), np.float32),
            templates,
            templates[:, first] * templates[:, second] * weights,
        ],
        axis=1,
    )
    products = (terms.T @ terms).astype(np.float64)
    inner = np.arange(1, len(products))
    products[inner, inner] += ridge * len(terms) / 1e4
    found = np.linalg.solve(products, terms.T.astype(np.float64) @ wanted)
    quadratic = np.zeros((dimension, dimension))
    quadratic[first, second] = found[1 + dimension :] * weights / np.where(first == second, 1, 2)
    quadratic = quadratic + np.triu(quadratic, 1).T
    return Normaliser(mean, float(found[0]), found[1 : 1 + dimension], quadratic)
