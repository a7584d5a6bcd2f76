"""Open-set identification: searches of a gallery, of people who are enrolled and who are not.

After ISO/IEC 19795-1 and NIST FRTE 1:N: FPIR is the share of non-mated searches (of people not
enrolled) that return anybody, FNIR the share of mated searches that do not return the right person
first and at or above the threshold. People are split at random, several times: some are held out
as strangers, the others are enrolled into galleries of several sizes, of which each holds the
smaller ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sayso.evaluation.folder import Measured
from sayso.evaluation.pairs import reaching
from sayso.evaluation.promises import Mated, Promises, Strangers, floor, hold
from sayso.evaluation.resampling import LEAST_EXPECTED, Estimate, estimate, rate
from sayso.evaluation.scoring import Scorer
from sayso.evaluation.searching import HELD_OUT, Searches, rows_by_person, search, split_people
from sayso.evidence.calibration import Calibration

FPIRS = (0.1, 0.01)
SIZES = (100, 300, 500, 1_000, 2_000, 3_000, 4_000, 10_000, 30_000, 100_000)
SPLITS = 10
FUSED_PICTURES = 3
LEAST_PEOPLE = 10
_CURVE_POINTS = 60


@dataclass(frozen=True, slots=True)
class IdentificationPoint:
    """FNIR at the threshold of one FPIR; all None where it was not measured."""

    false_positive_rate: float
    expected: float
    threshold: float | None = None
    fpir: Estimate | None = None
    fnir: Estimate | None = None


@dataclass(frozen=True, slots=True)
class GalleryResult:
    """Searches of galleries of ``size`` people, each enrolled with so many ``pictures``.

    ``mated`` and ``non_mated`` count searches over all splits. The curve: ``fpir`` and ``fnir``
    float64 (k,) at ``thresholds`` float64 (k,), as far as there are strangers enough. ``promises``
    are None for scores without a calibration.
    """

    size: int
    pictures: int
    mated: int
    non_mated: int
    points: tuple[IdentificationPoint, ...]
    thresholds: NDArray[np.float64]
    fpir: NDArray[np.float64]
    fnir: NDArray[np.float64]
    promises: Promises | None = None


@dataclass(frozen=True, slots=True)
class Identification:
    """All galleries; ``fused`` is the same gallery enrolled from 1 picture and from 3, if any."""

    splits: int
    galleries: tuple[GalleryResult, ...]
    fused: tuple[GalleryResult, ...]

    @property
    def largest(self) -> GalleryResult:
        """The result for the largest gallery."""
        return self.galleries[-1]


def identify(
    measured: Measured, scorer: Scorer, weights: NDArray[np.float32], seed: int
) -> Identification | None:
    """Measure identification; None where too few people have templates.

    ``weights`` float32 (B, people) is how often each person was drawn.
    """
    rows = rows_by_person(measured)
    everybody = np.flatnonzero([len(each) > 0 for each in rows])
    several = np.flatnonzero([len(each) > 1 for each in rows])
    if len(everybody) < LEAST_PEOPLE or len(several) < 2:
        return None
    most = len(everybody) - round(HELD_OUT * len(everybody))
    sizes = [size for size in SIZES if size <= 0.85 * most] + [most]
    prepared = scorer.prepare(measured.templates)
    floors = [floor(scorer.calibration, size) for size in sizes]
    searches = [Searches() for _ in sizes]
    for number in range(SPLITS):
        rng = np.random.default_rng((seed, 1, number))
        split = split_people(measured, rows, everybody, rng, pictures=1)
        search(measured, prepared, split, scorer, sizes, floors, searches)
    galleries = [
        _result(size, 1, found, weights, scorer.calibration)
        for size, found in zip(sizes, searches, strict=True)
    ]
    return Identification(
        SPLITS, tuple(galleries), _fused(measured, prepared, rows, scorer, weights, seed)
    )


def _fused(
    measured: Measured,
    prepared: NDArray[np.float32],
    rows: Sequence[NDArray[np.int64]],
    scorer: Scorer,
    weights: NDArray[np.float32],
    seed: int,
) -> tuple[GalleryResult, ...]:
    """Enrol the same people from 1 picture and from 3, and search with the same probes."""
    rich = np.flatnonzero([len(each) > FUSED_PICTURES for each in rows])
    if len(rich) < LEAST_PEOPLE:
        return ()
    size = len(rich) - round(HELD_OUT * len(rich))
    least = floor(scorer.calibration, size)
    results = []
    known = scorer.calibration
    for pictures in (1, FUSED_PICTURES):
        found = Searches()
        scale = known.scoring.fused if known and pictures > 1 else 1.0
        for number in range(SPLITS):
            rng = np.random.default_rng((seed, 2, number))
            split = split_people(measured, rows, rich, rng, pictures=pictures, spare=FUSED_PICTURES)
            search(measured, prepared, split, scorer, [size], [least], [found], scale)
        # Of fused templates nothing is promised where their factor was not measured.
        promised = known if pictures == 1 or (known and known.fused) else None
        results.append(_result(size, pictures, found, weights, promised))
    return tuple(results)


def _result(
    size: int,
    pictures: int,
    found: Searches,
    weights: NDArray[np.float32],
    calibration: Calibration | None,
) -> GalleryResult:
    mate, top = np.concatenate(found.mate), np.concatenate(found.top)
    rising, falling = np.argsort(mate, kind="stable"), np.argsort(-top, kind="stable")
    mate, top = mate[rising], top[falling]
    of_mate = np.concatenate(found.mated_person)[rising]
    of_top = np.concatenate(found.stranger)[falling]
    # The same picture of a stranger, searched for again in another split, is no new evidence.
    different = len(np.unique(np.concatenate(found.rows)))
    least = min(1.0, LEAST_EXPECTED / different)
    even = np.arange(1.0, len(top) + 1)
    rates = np.geomspace(least, 1.0, _CURVE_POINTS)
    thresholds = np.unique([_threshold(top, even, each) for each in rates])
    return GalleryResult(
        size,
        pictures,
        len(mate),
        len(top),
        tuple(_point(each, different, mate, top, of_mate, of_top, weights) for each in FPIRS),
        thresholds,
        reaching(top, thresholds) / max(len(top), 1),
        np.searchsorted(mate, thresholds, side="left") / max(len(mate), 1),
        None if calibration is None else _promises(size, found, weights, calibration),
    )


def _promises(
    size: int, found: Searches, weights: NDArray[np.float32], calibration: Calibration
) -> Promises:
    """Hold what is promised for galleries of ``size`` to what happened in all splits."""
    drawn, people = weights.astype(np.float64), weights.shape[1]
    total, comparisons = 0, np.zeros(len(weights))
    search, searcher, enrolled, scores = [], [], [], []
    for stranger, gallery, close in zip(found.stranger, found.enrolled, found.close, strict=True):
        searches, faces = (np.bincount(each, minlength=people) for each in (stranger, gallery))
        comparisons += (drawn @ searches) * (drawn @ faces)
        search.append(close.search.astype(np.int64) + total)
        total += len(stranger)
        searcher.append(stranger[close.search])
        enrolled.append(gallery[close.place])
        scores.append(close.scores)
    pictures = len(np.unique(np.concatenate(found.rows)))
    different = pictures * len(np.unique(np.concatenate(found.enrolled)))
    strangers = Strangers(
        total,
        total * size,
        min(total * size, different),
        comparisons,
        np.concatenate(search),
        np.concatenate(searcher),
        np.concatenate(enrolled),
        np.concatenate(scores),
    )
    mated = Mated(np.concatenate(found.mated_person), np.concatenate(found.mate))
    return hold(calibration, size, strangers, mated, weights)


def _point(
    false_positive_rate: float,
    different: int,
    mate: NDArray[np.float32],
    top: NDArray[np.float32],
    of_mate: NDArray[np.int64],
    of_top: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> IdentificationPoint:
    expected = false_positive_rate * different
    if expected < LEAST_EXPECTED or not len(mate):
        return IdentificationPoint(false_positive_rate, expected)
    threshold = _threshold(top, np.arange(1.0, len(top) + 1), false_positive_rate)
    reach = int(reaching(top, threshold))
    fnir = float((mate < threshold).mean())
    fpirs, fnirs = np.empty(len(weights)), np.empty(len(weights))
    for number, weight in enumerate(weights.astype(np.float64)):
        drawn, missed = np.cumsum(weight[of_top]), np.cumsum(weight[of_mate])
        here = _threshold(top, drawn, false_positive_rate)
        below = int(np.searchsorted(mate, here, side="left"))
        lost = missed[below - 1] if below else 0.0
        fnirs[number] = rate(np.array(lost), np.array(missed[-1]))
        positive = drawn[reach - 1] if reach else 0.0
        fpirs[number] = rate(np.array(positive), np.array(drawn[-1]))
    return IdentificationPoint(
        false_positive_rate,
        expected,
        threshold,
        estimate(reach / len(top), fpirs, trials=len(np.unique(of_top))),
        estimate(fnir, fnirs, trials=len(np.unique(of_mate))),
    )


def _threshold(
    top: NDArray[np.float32], drawn: NDArray[np.float64], false_positive_rate: float
) -> float:
    """Return the lowest threshold that at most this share of the searches reaches.

    ``top`` falls; ``drawn`` float64 (k,) is how often it and all before it were drawn.
    """
    allowed = int(np.searchsorted(drawn, false_positive_rate * drawn[-1] + 1e-9, side="right"))
    return float(np.nextafter(top[min(allowed, len(top) - 1)], np.float32(np.inf)))
