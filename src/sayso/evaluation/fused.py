"""How much higher fused templates score with strangers than single ones do.

What differs by chance from picture to picture averages out in a fused template, so that it scores
higher with everybody: with the person, which is what it is for, and with strangers. Rates that were
measured of single templates would be promised too low. What scores of fused templates must be
multiplied by to mean the same is the lowest ratio of the two quantiles of strangers' scores, over
several false-match rates and numbers of pictures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sayso.evaluation.folder import Measured
from sayso.evaluation.groups import group_numbers
from sayso.evaluation.scoring import Scorer
from sayso.evaluation.searching import fuse, rows_by_person

#: Pictures in a fused template.
PICTURES = (2, 3, 5, 10)
RATES = (1e-2, 1e-3, 1e-4, 1e-5)
#: So many people with more pictures than those, and so many false matches, tell something.
LEAST_PEOPLE, LEAST_MATCHES = 20, 50
_MOST_PROBES = 5


def fused_scale(measured: Measured, scorer: Scorer, seed: int = 0) -> float | None:
    """Return the factor for scores of fused templates, at most 1; None where it is not measured.

    Where people are labelled, strangers are those of one group.
    """
    chance = np.random.default_rng((seed, 4))
    rows = [chance.permutation(each) for each in rows_by_person(measured)]
    groups = group_numbers(measured)
    found = [_of(measured, scorer, rows, groups, pictures) for pictures in PICTURES]
    known = [each for each in found if each is not None]
    return min(1.0, *known) if known else None


def _of(
    measured: Measured,
    scorer: Scorer,
    rows: list[NDArray[np.int64]],
    groups: NDArray[np.int64],
    pictures: int,
) -> float | None:
    people = np.flatnonzero([len(each) > pictures for each in rows])
    if len(people) < LEAST_PEOPLE:
        return None
    enrolled = np.stack([rows[person][:pictures] for person in people])
    probes = [rows[person][pictures:][:_MOST_PROBES] for person in people]
    searcher = np.repeat(people, [len(each) for each in probes])
    templates = measured.templates
    fused = np.stack([fuse(templates[each]) for each in enrolled])
    prepared = scorer.prepare(templates[np.concatenate(probes)])
    strangers = (searcher[:, None] != people) & (groups[searcher][:, None] == groups[people])
    of_fused = scorer.scores(prepared, scorer.prepare(fused))[strangers]
    single = [
        scorer.scores(prepared, scorer.prepare(templates[enrolled[:, place]]))[strangers]
        for place in range(pictures)
    ]
    rates = [rate for rate in RATES if rate * len(of_fused) >= LEAST_MATCHES]
    if not rates:
        return None
    high = np.quantile(of_fused, [1 - rate for rate in rates])
    low = np.quantile(np.concatenate(single), [1 - rate for rate in rates])
    ratios = [one / other for one, other in zip(low, high, strict=True) if other > 0]
    return float(min(ratios)) if ratios else None
