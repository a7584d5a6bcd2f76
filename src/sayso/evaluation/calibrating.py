"""A calibration of a model from pictures whose people are known: which scores strangers reach.

What is claimed is the worse of two: the false-match rate over all pairs of strangers, and, where
the user gave labels, that over pairs within groups, since everybody in a gallery may be of one
group, and strangers of one group score higher. Where everybody has a label, the pairs within groups
alone make the claim: those across are easier, and tell nothing more. What comes of several sets of
pictures is put together the same way: the highest rate at each score is claimed, and nothing below
the highest floor of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sayso.evaluation import tail
from sayso.evaluation.folder import EvaluationError, Measured
from sayso.evaluation.fused import fused_scale
from sayso.evaluation.groups import group_numbers
from sayso.evaluation.pairs import Pairs, score_pairs
from sayso.evaluation.resampling import people_weights, weighted_pairs
from sayso.evaluation.scoring import Normalised, RawCosine, Scorer
from sayso.evaluation.suspects import SuspectPair
from sayso.evidence.calibration import Calibration
from sayso.evidence.normalisation import Normaliser

#: Fewer people than these, drawn with replacement, do not tell how people differ.
LEAST_PEOPLE = 20
#: Between two rows of the table.
STEP = 0.0025
#: A rate from here on is no better than 1, which is claimed of everything.
_NEARLY_ALL = 0.99
#: Highest impostor scores that are kept of a set of pictures and of one group: all that is below
#: comes from a histogram, and is far below what any use of a calibration asks about.
_KEPT, _KEPT_OF_GROUP = 500_000, 200_000
_LEAST_KEPT = 20_000
_BLOCK = 64
#: Of all pairs, so many must be within groups for these to be claimed by: few labels would set a
#: floor for everybody that says less than the pairs of all do.
_SHARE_WITHIN = 0.02
#: Pairs of people that are named for somebody to look at.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Source:
    """Pictures whose people are known.

    A normaliser that was fitted to these very pictures makes their strangers less alike than those
    that it has not seen, and so rates measured with it would be too low. Then ``folds`` int64
    (people,) parts the people, and ``without`` has for each two folds, the lower first, and for
    each fold with itself, a normaliser that was fitted without them: it scores the pairs between
    them.
    """

    measured: Measured
    folds: NDArray[np.int64] | None = None
    without: Mapping[tuple[int, int], Normaliser] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Strangers:
    """What there was to measure in one set of pictures.

    ``pairs`` counts pairs of pictures of different people, ``within`` those of one group, where
    they are claimed by.
    ``left_out`` are the groups that were too small for figures of their own.
    """

    pictures: int
    people: int
    pairs: int
    within: int
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration, what it was made of, and the highest pairs of people, for somebody to look at.

    One picture in the wrong folder is enough to make the claims weak.
    """

    calibration: Calibration
    sources: tuple[Strangers, ...]
    highest: tuple[SuspectPair, ...]


@dataclass(frozen=True, slots=True)
class _Curves:
    """Of one set of pictures: the curves that make the claim, and those of single groups."""

    strangers: Strangers
    claimed: tuple[tail.Curve, ...]
    groups: tuple[tail.Curve, ...]
    highest: tuple[SuspectPair, ...]


def require_people(people: int, what: str) -> None:
    """Raise EvaluationError where there are too few people for a calibration."""
    if people < LEAST_PEOPLE:
        raise EvaluationError(
            f"{what}: there are {people} people, and a calibration needs {LEAST_PEOPLE} or more, "
            "better hundreds: the lowest rate that it can claim is a tenth of one pair of pictures "
            "of different people"
        )


def calibrate(
    sources: Sequence[Source],
    *,
    model: str,
    model_sha256: str,
    template_version: str,
    provenance: str,
    normaliser: Normaliser | None = None,
    fused: float | None = None,
    seed: int = 0,
) -> Calibrated:
    """Measure false-match rates on one or several sets of pictures; the same each time for a seed.

    The scores are those of ``normaliser``, or cosines without one. ``fused`` is the factor for
    fused templates where it cannot be measured on these pictures. Raises EvaluationError where
    there is too little to measure.
    """
    for each in sources:
        _require_templates(each.measured)
    own = np.concatenate([_own_scores(each.measured, _scorer(normaliser)) for each in sources])
    parted = [parts_of(each, normaliser) for each in sources]
    compared = [
        [each.compared(max(_KEPT // len(parts), _LEAST_KEPT)) for each in parts] for parts in parted
    ]
    grid = _grid([each for pairs in compared for each in pairs], own)
    curves = [
        _curves(source.measured, parts, pairs, grid, seed)
        for source, parts, pairs in zip(sources, parted, compared, strict=True)
    ]
    rates, counted_to = _highest([each for found in curves for each in found.claimed])
    worst = _highest([each for found in curves for each in found.groups])[0]
    kept = _telling(rates)
    if rates[kept.start] == rates[-1]:
        raise EvaluationError(
            "the scores of strangers tell nothing: their false-match rate is the same at every one"
        )
    calibration = Calibration(
        model=model,
        model_sha256=model_sha256,
        template_version=template_version,
        provenance=provenance,
        scores=grid[kept],
        rates=np.where(rates >= _NEARLY_ALL, 1.0, rates)[kept],
        counted_to=min(counted_to, float(grid[kept][-1])),
        worst_group=worst[kept] if len(worst) else None,
        ceiling=float(np.quantile(own, 0.01)),
        fused=_fused(sources, _scorer(normaliser)) or fused,
        normaliser=normaliser,
    )
    named = sorted((each for found in curves for each in found.highest), key=_falling)
    strangers = tuple(each.strangers for each in curves)
    return Calibrated(calibration, strangers, tuple(named[:_NAMED]))


def _fused(sources: Sequence[Source], scorer: Scorer) -> float | None:
    """Return the lowest factor for fused templates of all sources, rounded down."""
    found = [fused_scale(each.measured, scorer) for each in sources]
    known = [each for each in found if each is not None]
    return float(np.floor(min(known) * 1e4) / 1e4) if known else None


@dataclass(frozen=True, slots=True)
class Part:
    """Pictures that are compared with each other, and how.

    ``sides`` int64 (people,) parts them in two: then only pairs of different sides are compared.
    """

    measured: Measured
    scorer: Scorer
    sides: NDArray[np.int64] | None = None

    def only(self, members: NDArray[np.bool_]) -> Part:
        """Return the same with these people, bool (people,), alone."""
        return replace(self, measured=_only(self.measured, members))

    @property
    def empty(self) -> bool:
        """Whether there is nobody to be compared with somebody else."""
        there = np.unique(self.measured.people[self.measured.found])
        return len(there if self.sides is None else np.unique(self.sides[there])) < 2

    def compared(self, kept: int) -> Pairs:
        """Score all pairs, of which so many of the highest are kept."""
        if self.sides is None:
            return score_pairs(self.measured, self.scorer, kept)
        # As if everybody of a side were one person: what is left are the pairs between them.
        people = self.measured.people
        found = score_pairs(replace(self.measured, people=self.sides[people]), self.scorer, kept)
        sizes = np.bincount(people[self.measured.found], minlength=len(self.measured.names))
        return replace(found, people=people, sizes=sizes)

    def counts(
        self, pairs: Pairs, grid: NDArray[np.float64], weights: NDArray[np.float32]
    ) -> tail.Counts:
        """Count those pairs; ``weights`` float32 (B, people), of drawings."""
        found = tail.count(pairs, grid, weights)
        if self.sides is None:
            return found
        of_sides = [weighted_pairs(pairs.sizes * (self.sides == side), weights) for side in (0, 1)]
        return replace(found, possible=found.possible - of_sides[0] - of_sides[1])


def _scorer(normaliser: Normaliser | None) -> Scorer:
    return RawCosine() if normaliser is None else Normalised(normaliser)


def parts_of(source: Source, normaliser: Normaliser | None) -> list[Part]:
    """Part the pairs of a source by the normaliser that scores them."""
    if source.folds is None:
        return [Part(source.measured, _scorer(normaliser))]
    found = []
    for (one, other), fitted in sorted(source.without.items()):
        some = _only(source.measured, np.isin(source.folds, (one, other)))
        sides = None if one == other else (source.folds == other).astype(np.int64)
        found.append(Part(some, _scorer(fitted), sides))
    return [each for each in found if not each.empty]


def _only(measured: Measured, people: NDArray[np.bool_]) -> Measured:
    """Return the same with templates of these people, bool (people,), alone."""
    rows = people[measured.people][:, None]
    return replace(measured, templates=np.where(rows, measured.templates, 0))


def _curves(
    measured: Measured,
    parts: Sequence[Part],
    compared: Sequence[Pairs],
    grid: NDArray[np.float64],
    seed: int,
) -> _Curves:
    groups = group_numbers(measured)
    # Within groups, so that no replicate is without one of them.
    weights = people_weights(groups, np.random.default_rng((seed, 3)))
    pairs_of_all = sum(each.impostors.total for each in compared)
    single, left_out = [], []
    within = []
    sizes = np.bincount(measured.people[measured.found], minlength=len(groups))
    for number, name in enumerate(sorted({each for each in measured.groups if each is not None})):
        members = groups == number
        found = _within(parts, members, grid, weights)
        within += found
        pairs = sum(each.total for each in found)
        if (sizes[members] > 0).sum() < LEAST_PEOPLE or pairs < tail.LEAST_PAIRS:
            left_out.append(name)
        else:
            single.append(tail.bounds(tail.pooled(found)))
    total = sum(each.total for each in within)
    labelled = total >= max(tail.LEAST_PAIRS, _SHARE_WITHIN * pairs_of_all)
    claimed = [tail.bounds(tail.pooled(within))] if labelled else []
    if not labelled or None in measured.groups:
        counted = [
            each.counts(pairs, grid, weights) for each, pairs in zip(parts, compared, strict=True)
        ]
        claimed.append(tail.bounds(tail.pooled(counted)))
    strangers = Strangers(
        int(measured.found.sum()),
        int((sizes > 0).sum()),
        pairs_of_all,
        total if labelled else 0,
        tuple(left_out),
    )
    return _Curves(strangers, tuple(claimed), tuple(single), _named(measured, compared))


def _within(
    parts: Sequence[Part],
    members: NDArray[np.bool_],
    grid: NDArray[np.float64],
    weights: NDArray[np.float32],
) -> list[tail.Counts]:
    """Count the pairs among some people, bool (people,), in each part that has any."""
    some = [each.only(members) for each in parts]
    return [
        each.counts(each.compared(_KEPT_OF_GROUP), grid, weights) for each in some if not each.empty
    ]


def _grid(scored: Sequence[Pairs], own: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return rising multiples of the step: from below all pairs of strangers to the last claim."""
    low = min(float(each.impostors.edges[0]) for each in scored)
    high = max(float(own.max()), *(float(each.impostors.scores[0]) for each in scored))
    first, last = int(np.floor(low / STEP)), int(np.ceil(high / STEP))
    return np.asarray(np.round(np.arange(first, last + 1) * STEP, 4), np.float64)


def _highest(curves: Sequence[tail.Curve]) -> tuple[NDArray[np.float64], float]:
    """Return the highest rate of all curves at each score, and up to where that was counted.

    Rates, float64 (n,), are rounded up, as they will be written.
    """
    if not curves:
        return np.zeros(0), np.inf
    rates = np.stack([each.rates for each in curves])
    scores = curves[0].scores
    counted = scores <= np.array([each.counted_to for each in curves])[rates.argmax(axis=0)]
    to = float(scores[counted.argmin() - 1]) if not counted.all() else float(scores[-1])
    return _rounded_up(rates.max(axis=0)), to


def _rounded_up(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rates to four significant digits, which ``dumps`` writes, none below what it was."""
    steps = 10.0 ** (np.floor(np.log10(rates)) - 3)
    return np.minimum(np.ceil(rates / steps - 1e-9) * steps, 1.0)


def _telling(rates: NDArray[np.float64]) -> slice:
    """Return the rows that say something: from the last rate of 1 to the first of the lowest."""
    first = max(int((rates >= _NEARLY_ALL).sum()) - 1, 0)
    return slice(first, int(np.argmax(rates <= rates[-1])) + 1)


def _own_scores(measured: Measured, scorer: Scorer) -> NDArray[np.float32]:
    """Return float32 (m,): what each template scores with itself."""
    templates = scorer.prepare(measured.templates[measured.found])
    parts = (templates[start : start + _BLOCK] for start in range(0, len(templates), _BLOCK))
    return np.concatenate([np.diagonal(scorer.scores(each, each)) for each in parts])


def _require_templates(measured: Measured) -> None:
    require_people(
        len(np.unique(measured.people[measured.found])),
        f"of {len(measured.files):,} pictures {int(measured.found.sum()):,} gave a template",
    )


def _named(measured: Measured, compared: Sequence[Pairs]) -> tuple[SuspectPair, ...]:
    """Return the highest pair of each two people, of the pairs that score highest."""
    found: list[SuspectPair] = []
    for impostors in (each.impostors for each in compared):
        seen: set[tuple[int, int]] = set()
        for a, b, score in zip(impostors.a, impostors.b, impostors.scores, strict=True):
            one, other = sorted((int(measured.people[a]), int(measured.people[b])))
            if (one, other) in seen:
                continue
            if len(seen) == _NAMED:
                break
            seen.add((one, other))
            found.append(SuspectPair(measured.files[a], measured.files[b], float(score)))
    return tuple(sorted(found, key=_falling)[:_NAMED])


def _falling(pair: SuspectPair) -> float:
    return -pair.score
