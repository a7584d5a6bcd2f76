"""Error versus discard: what refusing the poorest pictures would gain.

After ISO/IEC 29794-1: the genuine pairs are put in the order of the lower quality of their two
pictures, the lowest share is discarded, and FNMR of the others is counted at the same threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sayso.evaluation.folder import Measured
from sayso.evaluation.pairs import Genuine
from sayso.evaluation.verification import OperatingPoint

SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


@dataclass(frozen=True, slots=True)
class Discard:
    """FNMR after discarding each of ``shares``, at the threshold of one false-match rate.

    ``quality`` is up to which quality pairs were discarded. ``best`` is what a quality measure
    would reach that knew which pairs fail.
    """

    false_match_rate: float
    threshold: float
    shares: tuple[float, ...]
    quality: tuple[float, ...]
    fnmr: tuple[float, ...]
    best: tuple[float, ...]


def error_versus_discard(
    measured: Measured, genuine: Genuine, point: OperatingPoint | None
) -> Discard | None:
    """Measure at a point of the verification; None where there is none."""
    if point is None or point.threshold is None:
        return None
    lower = np.minimum(measured.quality[genuine.a], measured.quality[genuine.b])
    order = np.argsort(lower, kind="stable")
    missed = (genuine.scores < point.threshold)[order]
    gone = [int(share * len(missed)) for share in SHARES]
    left = np.r_[missed[::-1].cumsum()[::-1], 0]
    total = int(missed.sum())
    return Discard(
        point.false_match_rate,
        point.threshold,
        SHARES,
        tuple(float(lower[order[max(each - 1, 0)]]) for each in gone),
        tuple(float(left[each] / (len(missed) - each)) for each in gone),
        tuple(max(0, total - each) / (len(missed) - each) for each in gone),
    )
