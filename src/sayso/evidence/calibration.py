"""False-match rates of a recogniser, as measured, and the similarity made from them.

A calibration is a small table: at each score, the share of pairs of different people that score at
least as high, as an upper 95 % confidence bound, counted where there were pairs enough and from the
tail that was fitted to the highest beyond. Between two rows the logarithm of the rate is a straight
line; above the last row the rate stays where it is, so nothing more is claimed.

Similarity runs from 0 to 100 and is ``-80 / 7 * log10`` of that rate: every 11.4 points are a tenth
of the strangers, and 80 is one stranger in ten million, which in a gallery of 25,000 people is
0.0025 expected false matches a search. Where the table ends, similarity goes on to 100 in a
straight line: it orders matches there and claims nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sayso.errors import CalibrationError
from sayso.evidence import normalisation
from sayso.evidence.normalisation import Normaliser

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: Similarity per power of ten of the false-match rate.
POINTS_PER_DECADE = 80 / 7
_MOST = 100.0
FORMAT = "sayso calibration 2"


@dataclass(frozen=True, slots=True)
class Calibration:
    """The measured false-match rates of one model on one chain of landmarks and alignment.

    ``scores`` float64 (n,), rising, and ``rates`` float64 (n,), falling: the upper bound of the
    false-match rate at a threshold of that score; the last is the lowest that is claimed. Up to the
    score ``counted_to`` they were counted; beyond, a fitted tail gives them. ``worst_group``
    float64 (n,) is the bound of the worst of the groups that were measured, if any were.
    ``ceiling`` is what a picture scores with itself, nearly always. ``provenance`` says what was
    measured. ``normaliser`` makes the scores of templates; without one they are cosines.

    Fused templates score higher with everybody, strangers too, since what differs by chance from
    picture to picture has averaged out: ``fused`` is what their scores are multiplied by to mean
    the same, or None where that was not measured.
    """

    model: str
    model_sha256: str
    template_version: str
    provenance: str
    scores: Float64 = field(repr=False)
    rates: Float64 = field(repr=False)
    counted_to: float
    worst_group: Float64 | None = field(default=None, repr=False)
    ceiling: float = 1.0
    fused: float | None = None
    normaliser: Normaliser | None = field(default=None, repr=False)

    @property
    def lowest_rate(self) -> float:
        """The lowest false-match rate that is claimed."""
        return float(self.rates[-1])

    @property
    def scoring(self) -> Scoring:
        """How templates are scored for these rates to hold."""
        return Scoring(self.normaliser, 1.0 if self.fused is None else self.fused)

    def between(self, a: Float32, b: Float32) -> Float32:
        """Return the scores, float32 (n, m), of templates (n, d) with others (m, d)."""
        if self.normaliser is None:
            return np.asarray(a @ b.T, np.float32)
        return self.normaliser.scores(a, b)

    def false_match_rate(self, scores: Float32 | Float64) -> Float64:
        """The share of strangers, at most, that score this high; of scores of any shape."""
        found = np.interp(scores, self.scores, np.log(self.rates), left=0.0)
        return np.asarray(np.exp(found), np.float64)

    def worst_group_rate(self, scores: Float32 | Float64) -> Float64 | None:
        """The same within the worst of the groups that were measured; None where none were."""
        if self.worst_group is None:
            return None
        found = np.interp(scores, self.scores, np.log(self.worst_group), left=0.0)
        return np.asarray(np.exp(found), np.float64)

    def similarity(self, scores: Float32 | Float64) -> Float64:
        """Similarity, 0 to 100, of scores of any shape; never falls as the score rises."""
        known, values = self._curve
        return np.asarray(np.interp(scores, known, values, left=0.0), np.float64)

    def score(self, similarity: float) -> float:
        """The lowest score with at least this similarity; -inf for none at all."""
        known, values = self._curve
        if similarity <= 0:
            return -np.inf
        return float(np.interp(similarity, values, known))

    def least_score(self, rate: float) -> float:
        """The lowest score whose claimed rate is at most this; inf where nothing so low is."""
        if rate >= 1:
            return -np.inf
        if rate < self.lowest_rate:
            return np.inf
        logarithms = -np.log(self.rates)
        return float(np.interp(-np.log(rate), logarithms, self.scores))

    @property
    def _curve(self) -> tuple[Float64, Float64]:
        """Scores and similarities between which similarity is a straight line."""
        values = -POINTS_PER_DECADE * np.log10(self.rates)
        below = values < _MOST
        if below.all():
            top = max(self.ceiling, float(self.scores[-1]) + 1e-6)
        else:  # rates that similarity has no room for
            top = float(np.interp(_MOST, values, self.scores))
        return np.r_[self.scores[below], top], np.r_[values[below], _MOST]


@dataclass(frozen=True, slots=True)
class Scoring:
    """How templates are scored: by cosines unless there is a normaliser; see ``Calibration``."""

    normaliser: Normaliser | None = None
    fused: float = 1.0


COSINES = Scoring()


@cache
def default() -> Calibration:
    """The calibration that ships with the default recogniser."""
    shipped = resources.files("sayso.evidence") / "calibrations" / "sface-2021dec.json"
    return loads(shipped.read_text("utf-8"))


def of(model: str, template_version: str, own: Calibration | None = None) -> Calibration | None:
    """Return what was measured of templates of that version, or None: nothing can be said of them.

    ``own`` is the operator's own calibration, which goes before the one that ships: for its model
    that one is not asked, whatever version of templates it was made of.
    """
    if own is not None and own.model == model:
        return own if own.template_version == template_version else None
    shipped = default()
    same = (shipped.model, shipped.template_version) == (model, template_version)
    return shipped if same else None


def loads(text: str) -> Calibration:
    """Read a calibration from JSON, as ``dumps`` writes it; raises CalibrationError."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise CalibrationError(f"it is no JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else None
        raise CalibrationError(f"its format is {found!r}, and only {FORMAT!r} can be used")
    try:
        return _checked(_read(document))
    except KeyError as error:
        raise CalibrationError(f"{error.args[0]} is missing") from None
    except (TypeError, ValueError) as error:
        raise CalibrationError(str(error)) from None


def dumps(calibration: Calibration) -> str:
    """Write a calibration as JSON: numbers that describe no person."""
    worst, normaliser = calibration.worst_group, calibration.normaliser
    document = {
        "format": FORMAT,
        "model": calibration.model,
        "model_sha256": calibration.model_sha256,
        "template_version": calibration.template_version,
        "provenance": calibration.provenance,
        "score": [round(float(value), 5) for value in calibration.scores],
        "false_match_rate": _short(calibration.rates),
        "worst_group": None if worst is None else _short(worst),
        "counted_to": round(calibration.counted_to, 5),
        "ceiling": round(calibration.ceiling, 5),
        "fused": None if calibration.fused is None else round(calibration.fused, 4),
        "normaliser": None if normaliser is None else normalisation.to_document(normaliser),
    }
    return json.dumps(document, indent=1) + "\n"


def _read(document: Mapping[str, Any]) -> Calibration:
    worst, normaliser, fused = (document[key] for key in ("worst_group", "normaliser", "fused"))
    if not isinstance(normaliser, dict | None):
        raise ValueError(f"normaliser is of the type {type(normaliser).__name__}")
    return Calibration(
        model=_text(document, "model"),
        model_sha256=_text(document, "model_sha256"),
        template_version=_text(document, "template_version"),
        provenance=_text(document, "provenance"),
        scores=np.array(document["score"], np.float64),
        rates=np.array(document["false_match_rate"], np.float64),
        counted_to=float(document["counted_to"]),
        worst_group=None if worst is None else np.array(worst, np.float64),
        ceiling=float(document["ceiling"]),
        fused=None if fused is None else float(fused),
        normaliser=None if normaliser is None else normalisation.from_document(normaliser),
    )


def _checked(calibration: Calibration) -> Calibration:
    """Raise ValueError where what was read claims something that no measurement can."""
    scores, rates, worst = calibration.scores, calibration.rates, calibration.worst_group
    if scores.ndim != 1 or len(scores) < 2 or scores.shape != rates.shape:
        raise ValueError(f"there are {scores.size} scores and {rates.size} false-match rates")
    if not np.isfinite(scores).all() or not (np.diff(scores) > 0).all():
        raise ValueError("the scores do not rise")
    for name, values in (("false_match_rate", rates), ("worst_group", worst)):
        if values is None:
            continue
        if values.shape != scores.shape or not ((values > 0) & (values <= 1)).all():
            raise ValueError(f"{name} does not have a rate above 0, at most 1, for each score")
        if (np.diff(values) > 0).any():
            raise ValueError(f"{name} rises with the score")
    if rates[0] == rates[-1]:
        raise ValueError(f"the false-match rate is {rates[-1]:g} at every score")
    if not np.isfinite([calibration.counted_to, calibration.ceiling]).all():
        raise ValueError("counted_to or ceiling is not finite")
    if calibration.fused is not None and not 0 < calibration.fused <= 1:
        raise ValueError(f"fused is {calibration.fused}; it must be more than 0, and at most 1")
    return calibration


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {value!r}; it must be a text")
    return value


def _short(values: Float64) -> list[float]:
    return [float(f"{value:.4g}") for value in values]
