"""Numbers as a report has them, and the summary in plain words."""

from __future__ import annotations

import os

from sayso.evaluation.evaluate import Evaluation, ScorerResult
from sayso.evaluation.groups import Ratio
from sayso.evaluation.identification import GalleryResult
from sayso.evaluation.open_set import GalleryCounts, OpenSet
from sayso.evaluation.promises import EXPECTED, Promise, Promises
from sayso.evaluation.resampling import Estimate

NOT_MEASURED = "not measured"
#: Fewer people than this make every interval a rough one.
FEW_PEOPLE = 50
_BY_DEFAULT = f"with at most {EXPECTED:g} expected false matches a search (the default)"


def shown(text: str) -> str:
    """Return a name safe to show: control characters and broken encodings are escaped."""
    plain = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in plain)


def percent(value: float | None) -> str:
    """Return a rate in percent, to three digits, and to two below 1 %."""
    if value is None:
        return NOT_MEASURED
    digits = 3 if value >= 0.01 else 2
    # Rounded as a number first, for a small one is to be shown without an exponent.
    text = f"{float(f'{100 * value:.{digits}g}'):.9f}"
    return text.rstrip("0").rstrip(".") + " %"


def with_interval(found: Estimate | None) -> str:
    """Return a rate with its interval in percent."""
    if found is None:
        return NOT_MEASURED
    if found.low is None or found.high is None:
        return f"{percent(found.value)} (no interval)"
    return f"{percent(found.value)} ({percent(found.low)} to {percent(found.high)})"


def one_in(rate: float) -> str:
    """Return a rate such as 0.001 as ``1 in 1,000``."""
    return f"1 in {round(1 / rate):,}"


def times(ratio: Ratio | None) -> str:
    """Return how many times the highest rate is the lowest, with its interval."""
    if ratio is None:
        return NOT_MEASURED
    if ratio.at_least:
        return f"at least {ratio.value:.1f} times"
    high = "no upper bound" if ratio.high is None else f"{ratio.high:.1f}"
    low = "" if ratio.low is None else f" ({ratio.low:.1f} to {high})"
    return f"{ratio.value:.1f} times{low}"


def seen_by_promised(promise: Promise) -> str:
    """Return how many false matches there were for each that was promised, with the interval."""
    ratio = promise.ratio
    if ratio is None:
        return NOT_MEASURED
    if ratio.low is None or ratio.high is None:
        return f"{ratio.value:.2f} (no interval)"
    return f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def expected(value: float) -> str:
    """Return a number of expected false matches without an exponent, to two digits."""
    return f"{float(f'{value:.2g}'):.9f}".rstrip("0").rstrip(".")


def promised(value: float | None) -> str:
    """Return how many false matches were promised in all searches."""
    if value is None:
        return NOT_MEASURED
    return f"{value:,.0f}" if value >= 10 else expected(value)


def verdict(promise: Promise) -> str:
    """Return whether a promise was kept, as far as its interval tells."""
    ratio = promise.ratio
    if ratio is None or ratio.low is None or ratio.high is None:
        return NOT_MEASURED
    if ratio.high <= _MUCH_CAUTION:
        return "kept, with more caution than needed"
    if ratio.high <= 1:
        return "kept"
    return "not kept" if ratio.low > 1 else UNTOLD


#: Said of a promise whose interval leaves open whether it was kept.
UNTOLD = "not clear"
#: Fewer false matches by promised than this is more caution than needed.
_MUCH_CAUTION = 0.5


def score(value: float | None) -> str:
    """Return a score or a threshold."""
    return "" if value is None else f"{value:.3f}"


def summary(evaluation: Evaluation) -> list[str]:
    """Return what was found, in sentences for somebody who knows no term of the field."""
    counts, said = evaluation.counts, []
    missing = counts.pictures - counts.with_template
    said.append(
        f"{counts.pictures:,} pictures of {counts.people:,} people were looked at. "
        + (
            f"{missing:,} of them ({percent(missing / counts.pictures)}) gave no usable face."
            if missing
            else "Every one of them gave a usable face."
        )
    )
    if evaluation.gallery is not None:
        said.append(_of_gallery(evaluation.gallery))
    for result in evaluation.results:
        name = f"With {result.scorer} scores: " if len(evaluation.results) > 1 else ""
        said += [_upper(name + each, name) for each in _of_scorer(result, evaluation.gallery)]
    said += _warnings(evaluation)
    return said


def _upper(sentence: str, name: str) -> str:
    return sentence if name else sentence[:1].upper() + sentence[1:]


def _of_gallery(gallery: GalleryCounts) -> str:
    return (
        f"{gallery.probes:,} of them were searched for in the {gallery.faces:,} faces of "
        f"{gallery.people:,} people in {shown(gallery.folder)}; {gallery.in_both:,} people are in "
        "both folders."
    )


def _of_scorer(result: ScorerResult, gallery: GalleryCounts | None) -> list[str]:
    said = []
    point = result.verification.strictest() if result.verification is not None else None
    if point is not None:
        said.append(
            f"when {one_in(point.false_match_rate)} pairs of strangers may be taken for the same "
            f"person by mistake, {with_interval(point.fnmr)} of the pairs of pictures of one "
            "person are missed."
        )
    if result.identification is not None:
        said += _of_search(result.identification.largest)
    if result.identification is not None and result.identification.fused:
        said += _of_fusing(*result.identification.fused)
    said += _of_groups(result)
    if result.identification is not None:
        largest = result.identification.largest
        said += _of_promises(largest.promises, f"in a gallery of {largest.size:,} people")
    if result.open_set is not None and gallery is not None:
        said += _of_open_set(result.open_set, gallery)
    return said


def _of_search(gallery: GalleryResult) -> list[str]:
    point = next((each for each in gallery.points[::-1] if each.fnir is not None), None)
    if point is None:
        return []
    said = (
        f"in a gallery of {gallery.size:,} people, when {one_in(point.false_positive_rate)} "
        f"searches for a stranger may return somebody, {with_interval(point.fnir)} of the searches "
        "for a person who is enrolled do not return that person first."
    )
    return [said]


def _of_fusing(one: GalleryResult, several: GalleryResult) -> list[str]:
    pairs = zip(one.points[::-1], several.points[::-1], strict=True)
    for before, after in pairs:
        if before.fnir is not None and after.fnir is not None:
            said = (
                f"of people with more than {several.pictures} pictures, "
                f"{percent(before.fnir.value)} of the searches miss the person where one picture "
                "was enrolled, and "
                f"{percent(after.fnir.value)} where {several.pictures} were (a gallery of "
                f"{one.size:,} people; {one_in(before.false_positive_rate)} searches for a "
                "stranger return somebody)."
            )
            return [said]
    return []


def _of_promises(promises: Promises | None, where: str) -> list[str]:
    """Say what the default setting did, and whether what is promised was kept."""
    if promises is None:
        return []
    default = promises.default
    if default.threshold is None:
        return _of_ratio(promises, where)
    text = (
        f"{where}, {_BY_DEFAULT}, {default.named:,} of {default.searches:,} "
        "searches for a stranger named somebody; at most "
        f"{promised(default.promised)} false matches were promised."
    )
    if default.found is not None:
        text += (
            f" {with_interval(default.found)} of the searches for a person who is enrolled "
            "named that person first."
        )
    return [text, *_of_ratio(promises, where)]


def _of_ratio(promises: Promises, where: str) -> list[str]:
    """Say whether the strictest promise that can be told was kept."""
    told = [each for each in (promises.default, *promises.others) if each.ratio is not None]
    return [
        f"{where}, where {expected(each.expected)} false matches a search were promised at most, "
        f"{seen_by_promised(each)} times as many were seen: {_kept(each)}."
        for each in told[:1]
    ]


def _kept(promise: Promise) -> str:
    found = verdict(promise)
    if found == UNTOLD:
        return "whether that promise was kept is not clear"
    return f"that promise was {found}"


def _of_open_set(found: OpenSet, gallery: GalleryCounts) -> list[str]:
    people, where = gallery.in_both, shown(gallery.folder)
    said = []
    if found.found is not None and found.named_count is not None:
        strangers = (
            "nobody was named who is somebody else."
            if not found.named_count
            else f"{found.named_count:,} {'times' if found.named_count > 1 else 'time'} somebody "
            "else was named; see the files under “Strangers”."
        )
        said.append(
            f"in {where}, {_BY_DEFAULT}, {found.found:,} of {people:,} people in "
            f"both folders were found, and {strangers}"
        )
    said.append(
        f"{found.above_strangers:,} of {people:,} people in both folders resemble themselves more "
        "than any stranger resembles anybody."
    )
    if found.promises is not None:
        said += _of_ratio(found.promises, f"in {where}")
    return said


def _of_groups(result: ScorerResult) -> list[str]:
    if result.groups is None:
        return []
    return [
        f"at one threshold for everybody ({one_in(each.false_match_rate)} pairs of strangers "
        f"within a group), strangers are mistaken for each other {times(each.ratio)} as often in "
        f"the group {shown(each.ratio.highest)} as in the group {shown(each.ratio.lowest)}"
        + ("." if _clear(each.ratio) else ", which is no clear difference.")
        for each in result.groups.rates
        if each.ratio is not None
    ][-1:]


def _clear(ratio: Ratio) -> bool:
    """Tell whether the interval of a ratio leaves out that there is no difference."""
    return ratio.low is not None and ratio.low > 1


def _warnings(evaluation: Evaluation) -> list[str]:
    found, said = evaluation.results[0].suspects, []
    if found is not None and found.misplaced_count:
        said.append(
            f"{found.misplaced_count:,} picture{'s' * (found.misplaced_count > 1)} looked more "
            "like somebody else than like any other picture of the same person. Look at the files "
            "listed under “Look at these” before you trust any figure: wrong labels are the usual "
            "cause of bad ones."
        )
    if evaluation.counts.people < FEW_PEOPLE:
        said.append(
            f"With only {evaluation.counts.people} people the intervals are rough: add people "
            "rather than pictures of the same ones."
        )
    return said
