"""Everything that is measured of a labelled folder, in one result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sayso.evaluation.discard import Discard, error_versus_discard
from sayso.evaluation.document import plain
from sayso.evaluation.folder import EvaluationError, Measured
from sayso.evaluation.groups import Groups, compare_groups, group_numbers
from sayso.evaluation.identification import LEAST_PEOPLE, Identification, identify
from sayso.evaluation.open_set import GalleryCounts, OpenSet, count_gallery, search_open_set
from sayso.evaluation.pairs import score_pairs
from sayso.evaluation.promises import Promise, Promises
from sayso.evaluation.resampling import LEAST_EXPECTED, REPLICATES, people_weights
from sayso.evaluation.scoring import Scorer
from sayso.evaluation.suspects import Suspects, suspects
from sayso.evaluation.verification import Verification, verify

#: What is done for each way of scoring, in this order.
STEPS: Final = (
    "searching the other folder",
    "comparing all pairs",
    "measuring verification",
    "measuring searches",
    "comparing groups",
    "measuring quality",
    "looking for misplaced pictures",
)
#: The false-match rate at which quality, and pictures out of place, are looked at; or the nearest.
_RATE_OF_SUSPECTS = 1e-3


@dataclass(frozen=True, slots=True)
class Provenance:
    """What was evaluated, how and when; ``evaluated`` is a date that the caller gives."""

    folder: str
    evaluated: str
    model: str
    template_version: str
    mode: str
    software: str
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What there was: ``people`` with pictures, and ``with_template`` of the pictures."""

    pictures: int
    people: int
    with_template: int
    failures: tuple[tuple[str, str], ...]
    passed_over: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScorerResult:
    """What one way of scoring reaches; None for what could not be measured."""

    scorer: str
    verification: Verification | None
    identification: Identification | None
    groups: Groups | None
    discard: Discard | None
    suspects: Suspects | None
    open_set: OpenSet | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of an evaluation. ``left_out`` says in words what was not measured, and why.

    ``gallery`` is what was searched in, where another folder was given for it.
    """

    provenance: Provenance
    counts: Counts
    replicates: int
    results: tuple[ScorerResult, ...]
    left_out: tuple[str, ...]
    gallery: GalleryCounts | None = None

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values, which are strictly valid as JSON."""
        document = plain(self)
        assert isinstance(document, dict)  # noqa: S101 - of a data class
        return document


@dataclass(frozen=True, slots=True)
class Gallery:
    """Another folder to search in: its name, and what was measured of it."""

    folder: str
    measured: Measured


def _on(_step: str) -> None:
    """Nobody asked how far it is."""


def require_comparable(measured: Measured, folder: str, gallery: Gallery | None = None) -> None:
    """Raise EvaluationError where ``evaluate`` would have nothing to compare."""
    if gallery is not None:
        count_gallery(measured, gallery.measured, gallery.folder)
    elif why_no_pairs := _why_no_pairs(measured):
        raise EvaluationError(f"{folder}: {why_no_pairs}")


def evaluate(
    measured: Measured,
    scorers: Sequence[Scorer],
    provenance: Provenance,
    passed_over: tuple[str, ...] = (),
    gallery: Gallery | None = None,
    *,
    at: Callable[[str], None] = _on,
) -> Evaluation:
    """Measure everything that the pictures allow, the same each time for the same seed.

    With a ``gallery`` the pictures are searched for in it too. ``at`` is called with each of
    ``STEPS`` before it is done, for each scorer; what it raises ends the evaluation. Raises
    EvaluationError where the templates leave nothing to compare: no genuine or no impostor pair, or
    with a gallery nobody to search for or nobody to be found.
    """
    require_comparable(measured, provenance.folder, gallery)
    searched = None
    if gallery is not None:
        searched = count_gallery(measured, gallery.measured, gallery.folder)
    why_no_pairs = _why_no_pairs(measured)
    results = tuple(
        _one(measured, scorer, provenance.seed, gallery, at, paired=not why_no_pairs)
        for scorer in scorers
    )
    counts = Counts(
        len(measured.files),
        len(measured.names),
        int(measured.found.sum()),
        measured.failures,
        passed_over,
    )
    left_out = _left_out(results[0])
    if why_no_pairs:
        left_out = (f"verification, and what needs pairs: {why_no_pairs}", *left_out)
    return Evaluation(provenance, counts, REPLICATES, results, left_out, searched)


def _one(
    measured: Measured,
    scorer: Scorer,
    seed: int,
    gallery: Gallery | None,
    at: Callable[[str], None],
    *,
    paired: bool,
) -> ScorerResult:
    steps = iter(STEPS)
    at(next(steps))
    open_set = None
    if gallery is not None:
        open_set = search_open_set(measured, gallery.measured, scorer, seed)
    if not paired:
        return ScorerResult(scorer.name, None, None, None, None, None, open_set)
    at(next(steps))
    pairs = score_pairs(measured, scorer)
    # Within groups, so that no replicate is without one of them.
    weights = people_weights(group_numbers(measured), np.random.default_rng((seed, 0)))
    at(next(steps))
    verification = verify(pairs, weights)
    point = verification.near(_RATE_OF_SUSPECTS)
    at(next(steps))
    identification = identify(measured, scorer, weights, seed)
    at(next(steps))
    groups = compare_groups(measured, pairs, weights)
    at(next(steps))
    discard = error_versus_discard(measured, pairs.genuine, point)
    at(next(steps))
    placed = suspects(measured, pairs, point)
    return ScorerResult(
        scorer.name, verification, identification, groups, discard, placed, open_set
    )


def _why_no_pairs(measured: Measured) -> str | None:
    """Say why the templates leave no genuine or no impostor pair; None where they leave both."""
    sizes = np.bincount(measured.people[measured.found], minlength=len(measured.names))
    if (sizes > 0).sum() >= 2 and sizes.max() >= 2:
        return None
    return (
        f"of {len(measured.files)} pictures {int(sizes.sum())} gave a template, of "
        f"{int((sizes > 0).sum())} people; an evaluation needs templates of two people, and "
        f"two of one of them: {_example(measured)}"
    )


def _example(measured: Measured) -> str:
    if not measured.failures:
        return "add pictures"
    file, why = measured.failures[0]
    return f"add pictures, or better ones ({file}: {why})"


def _left_out(result: ScorerResult) -> tuple[str, ...]:
    """Say what was not measured, and what it would take."""
    said: list[str] = []
    if result.verification is not None:
        said += _left_out_of_pairs(result, result.verification)
        said += _left_out_of_searches(result.identification)
    said += _left_out_of_promises(result)
    return tuple(said)


def _left_out_of_pairs(result: ScorerResult, verification: Verification) -> list[str]:
    said = [
        f"FNMR at a false-match rate of {point.false_match_rate:g}: "
        f"{verification.impostor_pairs:,} pairs of strangers would give {point.expected:.2g} "
        f"false matches; {LEAST_EXPECTED} are needed to measure it"
        for point in verification.points
        if point.fnmr is None
    ]
    if verification.eer is None:
        said.append("the equal error rate: the two rates do not meet where both were measured")
    if result.discard is None:
        said.append("error versus discard, misplaced pictures: no false-match rate was measured")
    if result.groups is None:
        said.append("differences between groups: no labels were given (--groups)")
    else:
        said += [
            f"groups at a false-match rate of {each:g}: too few pairs of strangers within groups"
            for each in result.groups.not_measured
        ]
    return said


def _left_out_of_searches(found: Identification | None) -> list[str]:
    if found is None:
        needed = f"{LEAST_PEOPLE} people with templates, and two of them with two or more"
        return [f"identification: it needs {needed}"]
    said = [
        f"FNIR at a false-positive rate of {point.false_positive_rate:g}: the different pictures "
        f"of strangers would give {point.expected:.2g} false positives; "
        f"{LEAST_EXPECTED} are needed to measure it"
        for point in found.largest.points
        if point.fnir is None
    ]
    if not found.fused:
        said.append(
            f"enrolling 3 pictures rather than 1: it needs {LEAST_PEOPLE} people with 4 or more"
        )
    return said


def _left_out_of_promises(result: ScorerResult) -> list[str]:
    held: list[tuple[str, Promises | None]] = []
    if result.identification is not None:
        largest = result.identification.largest
        held.append((f"{largest.size:,} people enrolled", largest.promises))
    if result.open_set is not None:
        held.append(("the other folder", result.open_set.promises))
    if held and held[0][1] is None:
        return [f"what the calibration promises: there is none of scores by {result.scorer}"]
    return [
        f"false matches by promised at {each.expected:.2g} a search ({where}): {_why(each)}"
        for where, promises in held
        if promises is not None
        for each in (promises.default, *promises.others)
        if each.ratio is None
    ]


def _why(promise: Promise) -> str:
    if promise.threshold is None:
        return "the calibration claims no false-match rate so low"
    return (
        f"at most {promise.promised:.2g} were promised in {promise.searches:,} searches, and "
        f"{promise.false_matches} seen; {LEAST_EXPECTED} of different pictures are needed to tell"
    )
