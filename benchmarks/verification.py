"""Verification scores over LFW: accuracy of View 2's folds, and TAR at fixed false-match rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.lfw import Lfw

#: The score of a pair one of whose pictures has no face: never a match, at any threshold.
FAILED = -2.0
FOLDS = 10


@dataclass(frozen=True, slots=True)
class Verification:
    """What one set of templates reaches: accuracy, and true-accept rates by false-match rate."""

    accuracy: float
    tar: dict[float, float]
    thresholds: dict[float, float]


def pair_scores(data: Lfw, templates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines, float32 (6000,), of View 2's pairs."""
    left, right = templates[data.pairs[:, 0]], templates[data.pairs[:, 1]]
    scores: NDArray[np.float32] = np.einsum("nd,nd->n", left, right).astype(np.float32)
    scores[~(left.any(axis=1) & right.any(axis=1))] = FAILED
    return scores


def impostor_scores(data: Lfw, templates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines of all pairs of pictures of different people, about 29.6 million, unsorted."""
    parts = []
    for row in range(len(templates) - 1):
        others = data.identities[row + 1 :] != data.identities[row]
        parts.append((templates[row + 1 :] @ templates[row])[others])
    return np.concatenate(parts)


def fold_accuracy(scores: NDArray[np.float32], same: NDArray[np.bool_]) -> float:
    """Mean accuracy over the ten folds, each at the threshold that is best on the other nine."""
    fold = np.arange(len(scores)) // (len(scores) // FOLDS)
    accuracies = []
    for held_out in range(FOLDS):
        train, test = fold != held_out, fold == held_out
        threshold = _best_threshold(scores[train], same[train])
        accuracies.append(float(((scores[test] > threshold) == same[test]).mean()))
    return float(np.mean(accuracies))


def _best_threshold(scores: NDArray[np.float32], same: NDArray[np.bool_]) -> float:
    order = np.argsort(scores)
    ranked, genuine = scores[order], same[order]
    # Cut above position i: the impostors up to i and the genuine pairs after it are right.
    right = np.cumsum(~genuine) + (genuine.sum() - np.cumsum(genuine))
    best = int(right.argmax())
    return float((ranked[best] + ranked[min(best + 1, len(ranked) - 1)]) / 2)


def verify(
    data: Lfw, templates: NDArray[np.float32], rates: tuple[float, ...] = (1e-3, 1e-4, 1e-5)
) -> Verification:
    """Everything at once, for these templates of the data set's pictures."""
    scores = pair_scores(data, templates)
    impostors = impostor_scores(data, templates)
    tar, thresholds = {}, {}
    for rate in rates:
        allowed = int(len(impostors) * rate)
        threshold = float(np.partition(impostors, -allowed - 1)[-allowed - 1])
        thresholds[rate] = threshold
        tar[rate] = float((scores[data.same] > threshold).mean())
    return Verification(fold_accuracy(scores, data.same), tar, thresholds)


def error_versus_discard(
    scores: NDArray[np.float32],
    qualities: NDArray[np.float32],
    threshold: float,
    shares: tuple[float, ...],
) -> dict[float, float]:
    """FNMR of genuine pairs at a threshold, after discarding the share of lowest quality.

    ``qualities`` is the lower of the pair's two. Source: ISO/IEC 29794-1, error versus discard.
    """
    order = np.argsort(qualities, kind="stable")
    missed = (scores <= threshold)[order]
    return {share: float(missed[int(share * len(missed)) :].mean()) for share in shares}
