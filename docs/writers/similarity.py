"""The page of similarities: what each is worth, by the calibration that ships."""

from __future__ import annotations

import numpy as np

from docs.writers.markdown import code, table
from sayso.core import DEFAULT_SIMILARITY
from sayso.evidence.calibration import POINTS_PER_DECADE, default

_GALLERIES = (100, 1_000, 25_000)
_SIMILARITIES = (25.0, 37.5, 50.0, 62.5, 70.0, 75.0, DEFAULT_SIMILARITY, 85.0, 90.0, 95.0, 100.0)


def page() -> str:
    """Return the page."""
    calibration = default()
    cosines = np.array([calibration.cosine(each) for each in _SIMILARITIES], np.float32)
    rates = calibration.false_match_rate(cosines)
    rows = [
        (
            f"{similarity:g}",
            f"{cosine:.3f}",
            f"{rate:.2g}",
            *(f"{rate * gallery:.2g}" for gallery in _GALLERIES),
        )
        for similarity, cosine, rate in zip(_SIMILARITIES, cosines, rates, strict=True)
    ]
    headers = [
        "similarity",
        "cosine",
        "false-match rate, at most",
        *(f"expected false matches, {gallery:,} subjects" for gallery in _GALLERIES),
    ]
    return f"""\
# Similarity

What a similarity is worth with the recogniser {code(calibration.model)}, in every collection alike.
Below {DEFAULT_SIMILARITY:g} nobody is named unless you ask for another limit. How to read it:
[recognition](../explanation/recognition.md#similarity-and-expected-false-matches).

{table(headers, rows)}

The rate is the share of pairs of strangers that score at least as high, as an upper 95 % confidence
bound, in whichever is worse: everybody, or the worst of the groups that were measured. Expected
false matches are that rate times the number of enrolled faces whose subjects the purpose covers.
Similarity itself comes from the rate over everybody, {POINTS_PER_DECADE:g} points for each power of
ten. Where nothing more was measured, rates stay as they are, and similarity only orders. People who
stand in the sets twice, and pictures filed under somebody else, were left out as far as they were
noticed, so the lowest rates are more likely too high than too low.

Measured on: {calibration.provenance}.
"""
