"""False-match rates of a recogniser, as measured, and the similarity made from them.

A calibration is a small table: at each cosine, the share of pairs of different people that scored
at least as high, as an upper 95 % confidence bound (as if pairs were independent), once over
everybody and once for the worst of the groups that were measured. Between the rows the bound of the
lower cosine holds; above the last cosine at which anything was measured the bound stays where it
is, so nothing more is claimed.

Similarity runs from 0 to 100 and is ``-12.5 * log10`` of the bound over everybody: each step of
12.5 is a tenth of the strangers, and 80 is one stranger in 2.5 million, which in a gallery of
25,000 faces is 0.01 false matches a search, over everybody. The worst group's rate is higher at the
same similarity (docs/reference/similarity.md has the table), which is why expected false matches
are quoted by it. Where the bound ends, similarity goes on to 100 at
cosine 1 in a straight line: it orders matches there and claims nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

#: Similarity per power of ten of the false-match rate.
POINTS_PER_DECADE = 12.5


@dataclass(frozen=True, slots=True)
class Calibration:
    """The measured false-match rates of one model.

    ``cosines`` float64 (n,), rising; ``everybody`` and ``worst_group`` float64 (n,), falling: the
    upper bound of the false-match rate at a threshold of that cosine. ``provenance`` says what
    was measured.
    """

    model: str
    provenance: str
    cosines: NDArray[np.float64]
    everybody: NDArray[np.float64]
    worst_group: NDArray[np.float64]

    def false_match_rate(self, cosine: NDArray[np.float32]) -> NDArray[np.float64]:
        """The share of strangers, at most, that score this high: of the worst group measured."""
        claimed = np.maximum(self.everybody, self.worst_group)
        row = np.searchsorted(self.cosines, np.asarray(cosine, np.float64), side="right") - 1
        rates: NDArray[np.float64] = np.where(row >= 0, claimed[np.maximum(row, 0)], 1.0)
        return rates

    def similarity(self, cosine: NDArray[np.float32]) -> NDArray[np.float64]:
        """Similarity, 0 to 100, of cosines of any shape; never falls as the cosine rises."""
        cosines, values = self._curve
        return np.asarray(np.interp(cosine, cosines, values), dtype=np.float64)

    def cosine(self, similarity: float) -> float:
        """The lowest cosine with at least this similarity."""
        cosines, values = self._curve
        row = int(np.searchsorted(values, similarity, side="left"))
        if row == 0:
            return float(cosines[0])
        low, high = values[row - 1], values[row]
        share = (similarity - low) / (high - low)
        return float(cosines[row - 1] + share * (cosines[row] - cosines[row - 1]))

    @property
    def _curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Cosines and similarities between which similarity is a straight line."""
        values = -POINTS_PER_DECADE * np.log10(self.everybody)
        # The last row that still says something new; behind it the bound only repeats itself.
        end = int(np.argmax(values >= values[-1])) + 1
        return np.r_[-1.0, self.cosines[:end], 1.0], np.r_[0.0, values[:end], 100.0]


@cache
def default() -> Calibration:
    """The calibration that ships with the default recogniser."""
    shipped = resources.files("sayso.evidence") / "calibrations" / "sface-2021dec.json"
    return loads(shipped.read_text("utf-8"))


def of(model: str) -> Calibration | None:
    """The calibration of a recogniser, or None: then nothing can be said of its scores."""
    return default() if model == default().model else None


def loads(text: str) -> Calibration:
    """Read a calibration from JSON, as ``dumps`` writes it."""
    document = json.loads(text)
    return Calibration(
        document["model"],
        document["provenance"],
        np.array(document["cosine"], np.float64),
        np.array(document["false_match_rate"]["everybody"], np.float64),
        np.array(document["false_match_rate"]["worst_group"], np.float64),
    )


def dumps(calibration: Calibration) -> str:
    """Write a calibration as JSON: numbers that describe no person."""
    rates = {"everybody": calibration.everybody, "worst_group": calibration.worst_group}
    document = {
        "model": calibration.model,
        "provenance": calibration.provenance,
        "bound": "upper 95 % confidence bound (Clopper and Pearson 1934), pairs as independent",
        "cosine": [round(float(value), 4) for value in calibration.cosines],
        "false_match_rate": {
            name: [float(f"{value:.4g}") for value in values] for name, values in rates.items()
        },
    }
    return json.dumps(document, indent=1) + "\n"
