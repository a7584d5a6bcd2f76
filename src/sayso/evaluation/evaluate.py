"""Everything that is measured of a labelled folder, in one result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sayso.evaluation.discard import Discard, error_versus_discard
from sayso.evaluation.document import plain
from sayso.evaluation.folder import EvaluationError, Measured
from sayso.evaluation.groups import Groups, compare_groups, group_numbers
from sayso.evaluation.identification import LEAST_PEOPLE, Identification, identify
from sayso.evaluation.pairs import score_pairs
from sayso.evaluation.resampling import LEAST_EXPECTED, REPLICATES, people_weights
from sayso.evaluation.scoring import Scorer
from sayso.evaluation.suspects import Suspects, suspects
from sayso.evaluation.verification import Verification, verify

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
    verification: Verification
    identification: Identification | None
    groups: Groups | None
    discard: Discard | None
    suspects: Suspects


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of an evaluation. ``left_out`` says in words what was not measured, and why."""

    provenance: Provenance
    counts: Counts
    replicates: int
    results: tuple[ScorerResult, ...]
    left_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values, which are strictly valid as JSON."""
        document = plain(self)
        assert isinstance(document, dict)  # noqa: S101 - of a data class
        return document


def evaluate(
    measured: Measured,
    scorers: Sequence[Scorer],
    provenance: Provenance,
    passed_over: tuple[str, ...] = (),
) -> Evaluation:
    """Measure everything that the pictures allow, the same each time for the same seed.

    Raises EvaluationError where the templates leave no genuine or no impostor pair.
    """
    _require_pairs(measured, provenance.folder)
    results = tuple(_one(measured, scorer, provenance.seed) for scorer in scorers)
    counts = Counts(
        len(measured.files),
        len(measured.names),
        int(measured.found.sum()),
        measured.failures,
        passed_over,
    )
    return Evaluation(provenance, counts, REPLICATES, results, _left_out(results[0]))


def _one(measured: Measured, scorer: Scorer, seed: int) -> ScorerResult:
    pairs = score_pairs(measured, scorer)
    # Within groups, so that no replicate is without one of them.
    weights = people_weights(group_numbers(measured), np.random.default_rng((seed, 0)))
    verification = verify(pairs, weights)
    point = verification.near(_RATE_OF_SUSPECTS)
    return ScorerResult(
        scorer.name,
        verification,
        identify(measured, scorer, weights, seed),
        compare_groups(measured, pairs, weights),
        error_versus_discard(measured, pairs.genuine, point),
        suspects(measured, pairs, point),
    )


def _require_pairs(measured: Measured, folder: str) -> None:
    sizes = np.bincount(measured.people[measured.found], minlength=len(measured.names))
    if (sizes > 0).sum() < 2 or sizes.max() < 2:
        raise EvaluationError(
            f"{folder}: of {len(measured.files)} pictures {int(sizes.sum())} gave a template, of "
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
    verification = result.verification
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
    said += _left_out_of_searches(result.identification)
    if result.groups is None:
        said.append("differences between groups: no labels were given (--groups)")
    else:
        said += [
            f"groups at a false-match rate of {each:g}: too few pairs of strangers within groups"
            for each in result.groups.not_measured
        ]
    return tuple(said)


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
