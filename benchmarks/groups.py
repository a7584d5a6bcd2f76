"""Whether score normalisation treats groups alike: ``python -m benchmarks.groups``.

Judged on people whom the normaliser was not fitted to: they are parted in folds, and the pairs of
two folds, or of one, are scored by a normaliser that was fitted to the others, as in
``calibration``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks import lfw
from benchmarks.calibration import FOLDS, as_measured, group_templates, lfw_templates, parted
from benchmarks.timing import table
from sayso.evaluation.calibrating import Part, parts_of
from sayso.evaluation.folder import Measured
from sayso.evaluation.groups import Ratio, _ratio, group_numbers
from sayso.evaluation.pairs import Pairs
from sayso.evaluation.resampling import Estimate, estimate, people_weights, rate, weighted_pairs
from sayso.evaluation.scoring import Normalised, RawCosine
from sayso.evidence import calibration

RATES = (1e-3, 1e-4)
LFW_RATES = (1e-3, 1e-4, 1e-5)
#: Highest by lowest group at most so high, at each of the rates.
WANTED_RATIO = (5, 10)
#: Of other people of the same set, kept back: FNMR wanted and with raw cosines.
WANTED_FNMR, KEPT_BACK_RAW = (0.245, 0.370), (0.262, 0.396)
#: So many times the impostor pairs of the highest rate are looked at, since a drawing of people may
#: have more that score high.
_ENOUGH = 5
#: Highest impostor scores of each part that are kept: of the largest, a hundredth of all pairs.
_KEPT = 500_000

Float64 = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pooled:
    """All pairs of the people of each group, whichever normaliser scored them.

    ``genuine`` float32 (g,) rising, of ``person`` int64 (g,). ``impostors`` float32 (k,) falling
    are the highest, between the people ``a`` and ``b`` int64 (k,). ``sizes`` int64 (people,) are
    the templates of each. ``label`` int64 (people,) numbers the groups, and all impostor pairs are
    within one.
    """

    genuine: NDArray[np.float32]
    person: Ints
    impostors: NDArray[np.float32]
    a: Ints
    b: Ints
    sizes: Ints
    label: Ints


@dataclass(frozen=True, slots=True)
class Errors:
    """At thresholds that give each of R rates: first of the people as they are, then as drawn.

    ``fnmr`` float64 (1 + B, R); ``fmr`` float64 (1 + B, R, groups) within each group, of so many
    ``pairs`` float64 (groups,).
    """

    fnmr: Float64
    fmr: Float64
    pairs: Float64


def main() -> str:
    balanced, other = group_templates(), lfw_templates()
    of_other, of_balanced = (parts_of(each, None) for each in parted(other, balanced))
    about = (
        f"Score normalisation on people it was not fitted to: {FOLDS} folds of people, the pairs "
        "of each two of them scored by a normaliser that was fitted to all others, and all pairs "
        "together; raw cosines on the same pairs. In brackets the 95 % interval by drawing people "
        "anew, each time with a threshold of its own."
    )
    of_groups, of_lfw = _of_groups(balanced, of_balanced), _of_lfw(other, of_other)
    return "\n".join(("## Groups", "", about, "", *of_groups, *of_lfw))


def pool(
    measured: Measured, parts: Sequence[Part], label: Ints, wanted: Ints | None = None
) -> Pooled:
    """Compare the pictures of each part, which together make all pairs within groups.

    ``wanted`` int64 (m, 2), rows of pictures with the lower first, are the genuine pairs that
    count; without it all of them do.
    """
    compared = [each.compared(_KEPT) for each in parts]
    # Between two folds nobody is compared with themselves.
    alone = [pairs for each, pairs in zip(parts, compared, strict=True) if each.sides is None]
    genuine, person = _genuine(alone, len(measured.files), wanted)
    everything = [each.impostors for each in compared]
    scores = np.concatenate([each.scores for each in everything])
    total = sum(each.total for each in everything)
    kept = min(len(scores), round(_ENOUGH * max(*RATES, *LFW_RATES) * total))
    highest = np.argsort(-scores, kind="stable")[:kept]
    a, b = (
        measured.people[np.concatenate([getattr(each, side) for each in everything])[highest]]
        for side in ("a", "b")
    )
    sizes = np.bincount(measured.people[measured.found], minlength=len(measured.names))
    return Pooled(genuine, person, scores[highest], a, b, sizes, label)


def _genuine(
    compared: Sequence[Pairs], pictures: int, wanted: Ints | None
) -> tuple[NDArray[np.float32], Ints]:
    found = [each.genuine for each in compared]
    scores = np.concatenate([each.scores for each in found])
    person = np.concatenate([each.person for each in found])
    if wanted is not None:
        pairs = np.concatenate([each.a * pictures + each.b for each in found])
        kept = np.isin(pairs, wanted[:, 0] * pictures + wanted[:, 1])
        scores, person = scores[kept], person[kept]
    rising = np.argsort(scores, kind="stable")
    return scores[rising], person[rising]


def errors(pooled: Pooled, weights: NDArray[np.float32], rates: Sequence[float]) -> Errors:
    """Measure at the threshold of each overall false-match rate, of each drawing of people."""
    drawn = np.concatenate([np.ones((1, weights.shape[1]), np.float32), weights])
    members = pooled.label == np.arange(pooled.label.max() + 1)[:, None]
    # (groups, 1 + B)
    possible = np.stack([weighted_pairs(pooled.sizes * group, drawn) for group in members])
    of_pair = pooled.label[pooled.a]
    matched = np.zeros((len(drawn), len(rates), len(members)))
    fnmr = np.zeros((len(drawn), len(rates)))
    for row, weight in enumerate(drawn.astype(np.float64)):
        counted = weight[pooled.a] * weight[pooled.b]
        allowed = np.multiply(rates, possible[:, row].sum()) + 1e-9
        reach = np.searchsorted(np.cumsum(counted), allowed, side="right")
        # The highest score that may not match: all that are above it do.
        below = np.searchsorted(pooled.genuine, pooled.impostors[reach], side="right")
        missed = np.r_[0.0, np.cumsum(weight[pooled.person])]
        fnmr[row] = missed[below] / missed[-1]
        for place, end in enumerate(reach):
            matched[row, place] = np.bincount(of_pair[:end], counted[:end], minlength=len(members))
    return Errors(fnmr, rate(matched, possible.T[:, None]), possible[:, 0])


def _of_groups(balanced: Measured, fitted: Sequence[Part]) -> list[str]:
    label = group_numbers(balanced)
    names = sorted({each for each in balanced.groups if each is not None})
    weights = people_weights(label, np.random.default_rng(0))
    raw, normalised = (
        errors(pool(balanced, _within(parts, label), label), weights, RATES)
        for parts in ([Part(balanced, RawCosine())], fitted)
    )
    rows = [
        row
        for place in range(len(RATES))
        for row in (_normalised_row(place, names, raw, normalised), _raw_row(place, names, raw))
    ]
    head = ("overall FMR", "scores", "highest / lowest group FMR", "wanted", "FNMR",
            "FNMR less than raw", "wanted")  # fmt: skip
    columns = [(place, each) for place in range(len(RATES)) for each in (normalised, raw)]
    by_group = [
        (
            name.replace("_", " "),
            *(_rare(_group_rate(each, place, number)) for place, each in columns),
        )
        for number, name in enumerate(names)
    ]
    by_head = [f"{each} at {_power(share)}" for share in RATES for each in ("normalised", "raw")]
    about = (
        f"Balanced Faces in the Wild: {len(balanced.names)} people in eight groups, "
        f"{round(float(raw.pairs.sum())):,} impostor pairs, all within a group. "
        "A group has 1,225 pairs of people, and the highest of eight uncertain rates is too high, "
        "the lowest too low, so heed the intervals. Where the lowest group has no false match its "
        "rate is the upper bound by the rule of 3, and "
        "the ratio is over what is written. The FNMR wanted was set for other people of the set "
        f"({' and '.join(map(str, WANTED_FNMR))}, where raw cosines give "
        f"{' and '.join(map(str, KEPT_BACK_RAW))}), so that here it is what it falls by that "
        "counts."
    )
    within = "False-match rates within each group at those thresholds:"
    return [about, "", table(head, rows), "", within, "", table(("group", *by_head), by_group), ""]


def _within(parts: Sequence[Part], label: Ints) -> list[Part]:
    """Return the parts once more for each group, with its people alone."""
    found = [each.only(label == group) for each in parts for group in range(label.max() + 1)]
    return [each for each in found if not each.empty]


def _raw_row(place: int, names: list[str], raw: Errors) -> tuple[str, ...]:
    return (_power(RATES[place]), "raw", _ratio_of(raw, place, names), "",
            _shown(_figure(raw.fnmr[:, place])), "", "")  # fmt: skip


def _normalised_row(
    place: int, names: list[str], raw: Errors, normalised: Errors
) -> tuple[str, ...]:
    fall = _figure(100 * (1 - normalised.fnmr[:, place] / raw.fnmr[:, place]))
    wanted = 100 * (1 - WANTED_FNMR[place] / KEPT_BACK_RAW[place])
    return (
        _power(RATES[place]),
        "normalised",
        _ratio_of(normalised, place, names),
        f"at most {WANTED_RATIO[place]}",
        _shown(_figure(normalised.fnmr[:, place])),
        f"by {_shown(fall, 1)} %",
        f"by {wanted:.1f} %",
    )


def _group_rate(found: Errors, place: int, group: int) -> Estimate:
    drawn = found.fmr[:, place, group]
    return estimate(drawn[0], drawn[1:], trials=found.pairs[group])


def _ratio_of(found: Errors, place: int, names: list[str]) -> str:
    rates: list[Estimate | None] = [_group_rate(found, place, group) for group in range(len(names))]
    ratio: Ratio | None = _ratio(names, rates, found.fmr[1:, place])
    if ratio is None:
        return "too few to tell"
    over = "over " if ratio.at_least else ""
    high = "no bound" if ratio.high is None else f"{ratio.high:.1f}"
    return f"{over}{ratio.value:.1f} ({ratio.low:.1f} to {high})"


def _of_lfw(other: Measured, fitted: Sequence[Part]) -> list[str]:
    data = lfw.load("balanced")
    everybody = as_measured(
        data.names, [name.split("/")[0] for name in data.names], data.templates, {}
    )
    shipped = calibration.default().normaliser
    assert shipped is not None
    whole = [Part(everybody, Normalised(shipped))]
    rows = [
        *_view_2("not fitted to", other, data, fitted),
        *_view_2("fitted to, as shipped", everybody, data, whole),
    ]
    head = ("people", "scores", *(f"TAR at FMR {_power(each)}" for each in LFW_RATES))
    about = (
        "Labeled Faces in the Wild: the genuine pairs of View 2 against all impostor pairs, "
        "without the people listed twice and the mislabelled pictures; and with the "
        "normaliser that ships, which was fitted to these people, against all impostor pairs of "
        "all pictures, as in the section on accuracy. The difference is of the same drawings of "
        "people."
    )
    return [about, "", table(head, rows), ""]


def _view_2(
    people: str, measured: Measured, data: lfw.Lfw, fitted: Sequence[Part]
) -> list[tuple[str, ...]]:
    row_of = {name: row for row, name in enumerate(measured.files)}
    pairs = [[row_of.get(data.names[row], -1) for row in pair] for pair in data.pairs[data.same]]
    wanted = np.sort(np.array([pair for pair in pairs if min(pair) >= 0], np.int64), axis=1)
    nobody = np.zeros(len(measured.names), np.int64)
    weights = people_weights(nobody, np.random.default_rng(0))
    pooled = [
        pool(measured, parts, nobody, wanted) for parts in ([Part(measured, RawCosine())], fitted)
    ]
    raw, normalised = (1 - errors(each, weights, LFW_RATES).fnmr for each in pooled)
    counted = f"{people}: {len(wanted):,} genuine pairs"
    return [
        (counted, name, *(_shown(_figure(column), 4, sign) for column in found.T))
        for name, found, sign in (
            ("raw", raw, ""),
            ("normalised", normalised, ""),
            ("difference", normalised - raw, "+"),
        )
    ]


def _figure(drawn: Float64) -> Estimate:
    """The first is of the people as they are."""
    low, high = np.quantile(drawn[1:], [0.025, 0.975])
    return Estimate(float(drawn[0]), float(low), float(high))


def _shown(figure: Estimate, digits: int = 3, sign: str = "") -> str:
    each = f"{sign}.{digits}f"
    value, low, high = (format(f, each) for f in (figure.value, figure.low, figure.high))
    return f"{value} ({low} to {high})"


def _power(rate: float) -> str:
    return f"1e{round(np.log10(rate))}"


def _rare(figure: Estimate) -> str:
    return f"{figure.value:.1e} ({figure.low:.1e} to {figure.high:.1e})"


if __name__ == "__main__":
    print(main())
