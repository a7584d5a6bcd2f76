"""The page of similarities: what each is worth, by the calibration that ships."""

from __future__ import annotations

import numpy as np

from docs.writers.markdown import code, table
from sayso.core import DEFAULT_SIMILARITY
from sayso.evidence.calibration import POINTS_PER_DECADE, default
from sayso.evidence.rule import FalseMatchRule

_GALLERIES = (100, 1_000, 25_000)
_SIMILARITIES = (25.0, 37.5, 50.0, 62.5, 70.0, 75.0, DEFAULT_SIMILARITY, 85.0, 87.5, 90.0, 100.0)


def page() -> str:
    """Return the page."""
    calibration = default()
    scores = np.array([calibration.score(each) for each in _SIMILARITIES])
    rates = calibration.false_match_rate(scores)
    worst = calibration.worst_group_rate(scores)
    if worst is None:
        raise ValueError("the shipped calibration has no figures of groups")
    rows = [
        (
            f"{similarity:g}",
            f"{score:.3f}",
            f"{rate:.2g}",
            f"{group:.2g}",
            *(f"{rate * gallery:.2g}" for gallery in _GALLERIES),
        )
        for similarity, score, rate, group in zip(_SIMILARITIES, scores, rates, worst, strict=True)
    ]
    headers = [
        "similarity",
        "score",
        "false-match rate, at most",
        "of the worst group, at most",
        *(f"expected false matches, {gallery:,} enrolled" for gallery in _GALLERIES),
    ]
    rule = FalseMatchRule()
    fused = f"{calibration.fused:g}" if calibration.fused else "not measured"
    largest = int(rule.max_expected / calibration.lowest_rate)
    return f"""\
# Similarity

What a similarity is worth with templates of {code(calibration.template_version)}, in every
collection alike. What a search must reach follows from the rule of its collection, unless you ask
for more; Amazon's clients ask for {DEFAULT_SIMILARITY:g} unless they say otherwise. How to read it,
and what to do with it: [how sure is a match?](../explanation/how-sure.md).

{table(headers, rows)}

The score is not the raw cosine, which answers give beside it, but the normalised one. The rate is
the share of pairs of strangers that score at least as high, as an upper 95 % confidence bound with
people drawn anew: the higher one of everybody and of strangers within the same group. Similarity is
that rate on another scale, {POINTS_PER_DECADE:.1f} points for each power of ten. Up to the score
{calibration.counted_to:.3f} pairs were counted; beyond, a tail that was fitted to the highest
scores tells the rate. Beyond the score {calibration.scores[-1]:.3f} nothing is claimed: the rate
stays at {calibration.lowest_rate:.2g}, and similarity only orders. So with
{rule.max_expected:g} expected false matches in a {rule.per}, which collections start with, one
face can be looked for among {largest:,} enrolled at most, and ten faces among a tenth of that;
beyond, the answer says "not measured", and names nobody.

Expected false matches are the rate times the number of enrolled faces whose subjects the purpose
covers; in searches among users, of users. Scores of users with several faces are multiplied by
{fused} first, since fused templates score higher with strangers, too.

Measured on: {calibration.provenance}.
"""
