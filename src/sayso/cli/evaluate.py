"""``sayso evaluate``: error rates on a labelled folder, as a report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sayso.cli.files import written
from sayso.cli.labelled import measure, name_of, read_labelled, require_room, today
from sayso.cli.output import complain, count, print_json, print_table, shown
from sayso.cli.pictures import mode_option, require_models
from sayso.cli.progress import busy

if TYPE_CHECKING:
    from sayso.evaluation.evaluate import Evaluation
    from sayso.evaluation.promises import Promises
    from sayso.evaluation.scoring import Scorer
    from sayso.evidence.calibration import Calibration
    from sayso.vision.types import Mode

_STANDARD_OUTPUT = "-"


@click.command(short_help="Measure error rates on a labelled folder.")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--report", metavar="OUT.html", help="Write the report here: one HTML file that needs no other."
)
@click.option(
    "--json", "as_json", metavar="OUT.json", help="Write all figures here as JSON; - prints them."
)
@click.option(
    "--groups",
    metavar="CSV",
    type=click.Path(path_type=Path),
    help="Your labels of the people, to compare groups: lines of person,group below that header.",
)
@click.option(
    "--gallery",
    "searched",
    metavar="OTHER",
    type=click.Path(path_type=Path),
    help="Another such folder: search in it for the people of FOLDER, as if it were enrolled.",
)
@click.option("--compare", is_flag=True, help="Measure every way of scoring, side by side.")
@mode_option
def evaluate(
    *,
    folder: Path,
    report: str | None,
    as_json: str | None,
    groups: Path | None,
    searched: Path | None,
    compare: bool,
    mode: Mode,
) -> None:
    """Measure how well the people of FOLDER are told apart; nobody is enrolled.

    FOLDER has one subfolder for each person, with that person's pictures directly in it. Measured
    are false matches and misses between two pictures and in searches of a gallery, with intervals,
    between groups where you give labels, and what quality predicts; false matches are held to what
    the calibration promises; and the pictures that are most likely labelled wrongly are listed.
    """
    targets = [Path(each) for each in (report, as_json) if each and each != _STANDARD_OUTPUT]
    if not report and not as_json:
        raise click.UsageError("name what to write: --report OUT.html, --json OUT.json, or both")
    if report == _STANDARD_OUTPUT:
        raise click.UsageError("--report needs the name of a file; --json - prints the figures")
    _require_room(targets)
    found = _evaluate(folder, groups, searched, mode, compare=compare)
    document = found.to_json() if as_json else None
    if report:
        from sayso.evaluation.report import render

        with busy("drawing the report"):
            page = render(found)
        with written(Path(report)) as file:
            file.write(page)
    if as_json == _STANDARD_OUTPUT:
        print_json(document)
        return
    if as_json:
        with written(Path(as_json)) as file:
            json.dump(document, file, allow_nan=False, indent=1)
            file.write("\n")
    _print(found)
    for target in targets:
        click.echo(f"written: {shown(target)}")


def _evaluate(
    folder: Path, groups: Path | None, searched: Path | None, mode: Mode, *, compare: bool
) -> Evaluation:
    from sayso import __version__
    from sayso.cli.gallery import any_gallery
    from sayso.evaluation.evaluate import Gallery, Provenance
    from sayso.evaluation.evaluate import evaluate as measure_all

    labelled = read_labelled(folder, groups, pairs=searched is None)
    other = None
    if searched is not None:
        other = read_labelled(searched, None, pairs=False)
        if searched.samefile(folder):
            raise click.UsageError(f"--gallery names FOLDER itself, {folder}; name another folder")
    require_models()
    with any_gallery() as app:
        version, calibration = app.template_version, app.calibration
        measured = measure(app, labelled, mode)
        enrolled = None
        if other is not None:
            enrolled = Gallery(name_of(other.root), measure(app, other, mode))
    model = version.partition("/")[0]
    provenance = Provenance(
        folder=name_of(folder),
        evaluated=today(),
        model=model,
        template_version=version,
        mode=mode,
        software=f"sayso {__version__}",
    )
    with busy("comparing all pairs"):
        return measure_all(
            measured,
            _scorers(model, calibration, compare),
            provenance,
            labelled.passed_over,
            enrolled,
        )


def _scorers(model: str, calibration: Calibration | None, compare: bool) -> Sequence[Scorer]:
    from sayso.evaluation.scoring import scorers_of

    found = scorers_of(calibration)
    if compare and len(found) == 1:
        complain(f"there is one way to score {model}, {found[0].name}: --compare adds nothing")
    return found if compare else found[:1]


def _require_room(targets: Sequence[Path]) -> None:
    if len(targets) > 1 and targets[0] == targets[1]:
        raise click.UsageError(f"--report and --json both name {targets[0]}; name two files")
    for target in targets:
        require_room(target)


def _print(found: Evaluation) -> None:
    from sayso.evaluation.wording import one_in, summary, with_interval

    counts = found.counts
    click.echo(
        f"{count(counts.pictures, 'picture')} of {counts.people:,} people, "
        f"{counts.with_template:,} with a template"
    )
    rows: list[list[str]] = []
    for result in found.results:
        for point in result.verification.points if result.verification else ():
            rate = f"FNMR at FMR {one_in(point.false_match_rate)}"
            rows.append([result.scorer, rate, with_interval(point.fnmr)])
        for gallery in result.identification.galleries if result.identification else ():
            enrolled = f"{gallery.size:,} enrolled"
            for search in gallery.points:
                rate = f"FNIR at FPIR {one_in(search.false_positive_rate)}, {enrolled}"
                rows.append([result.scorer, rate, with_interval(search.fnir)])
            rows += _promise_rows(result.scorer, gallery.promises, enrolled)
        if found.gallery is not None and result.open_set is not None:
            where = f"in {shown(found.gallery.folder)}"
            rows += _promise_rows(result.scorer, result.open_set.promises, where)
    print_table(["scores", "figure", "measured (95 % interval)"], rows)
    for sentence in summary(found)[1:]:
        click.echo(shown(sentence))
    for each in found.left_out:
        click.echo(f"left out: {shown(each)}")


def _promise_rows(scorer: str, promises: Promises | None, where: str) -> list[list[str]]:
    from sayso.evaluation.wording import expected, seen_by_promised

    if promises is None:
        return []
    return [
        [
            scorer,
            f"false matches seen by promised, {expected(each.expected)} a search, {where}",
            seen_by_promised(each),
        ]
        for each in (promises.default, *promises.others)
    ]
