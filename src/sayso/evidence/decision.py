"""When a score is high enough to name somebody: the caller's threshold, and the gallery's rule.

The expected number of false matches of a search (its E-value, as BLAST calls it) grows with how
many could be mistaken for whoever is looked for, and with how many are looked for at once. So one
threshold cannot do for every gallery: a collection says how many strangers may be expected among
its answers, and that raises the threshold once the gallery is large; it never lowers it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sayso.evidence.calibration import Calibration
from sayso.evidence.rule import FalseMatchRule, Threshold


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule applied to one search: of one model's scores, for so many ``probes``.

    ``fused`` tells that fused templates are searched, of which a calibration may know nothing.
    """

    calibration: Calibration
    rule: FalseMatchRule
    asked: float
    probes: int
    fused: bool = False

    def least_score(self, population: int) -> float:
        """The score to be reached among so many enrolled; inf where none will do."""
        if self.fused and self.calibration.fused is None:
            return math.inf
        ruled = self.calibration.least_score(self._rate(population))
        return max(self.calibration.score(self.asked), ruled)

    def threshold(self, population: int) -> Threshold:
        """What the answer says of it."""
        score = self.least_score(population)
        similarity: float | None = self.asked
        if score == math.inf:
            similarity = None
        elif score > self.calibration.score(self.asked):
            similarity = float(self.calibration.similarity(np.array([score]))[0])
        return Threshold(
            similarity, self.asked, population, self.probes, self.rule.max_expected, self.rule.per
        )

    def _rate(self, population: int) -> float:
        """The false-match rate that keeps the rule."""
        chances = population * (self.probes if self.rule.per == "picture" else 1)
        return self.rule.max_expected / chances if chances else 1.0
