"""``sayso evaluate``: error rates on a labelled folder, as a report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sayso.cli.files import FileError, require_writable, written
from sayso.cli.output import complain, count, print_json, print_table, shown
from sayso.cli.pictures import mode_option, require_models
from sayso.cli.progress import PictureProgress, busy

if TYPE_CHECKING:
    from sayso.evaluation.evaluate import Evaluation
    from sayso.evaluation.scoring import Scorer
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
@click.option("--compare", is_flag=True, help="Measure every way of scoring, side by side.")
@mode_option
def evaluate(
    *,
    folder: Path,
    report: str | None,
    as_json: str | None,
    groups: Path | None,
    compare: bool,
    mode: Mode,
) -> None:
    """Measure how well the people of FOLDER are told apart; nobody is enrolled.

    FOLDER has one subfolder for each person, with that person's pictures directly in it. Measured
    are false matches and misses between two pictures and in searches of a gallery, with intervals,
    between groups where you give labels, and what quality predicts; and the pictures that are most
    likely labelled wrongly are listed.
    """
    targets = [Path(each) for each in (report, as_json) if each and each != _STANDARD_OUTPUT]
    if not report and not as_json:
        raise click.UsageError("name what to write: --report OUT.html, --json OUT.json, or both")
    if report == _STANDARD_OUTPUT:
        raise click.UsageError("--report needs the name of a file; --json - prints the figures")
    _require_room(targets)
    found = _evaluate(folder, groups, mode, compare=compare)
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


def _evaluate(folder: Path, groups: Path | None, mode: Mode, *, compare: bool) -> Evaluation:
    from sayso import __version__
    from sayso.cli.gallery import gallery
    from sayso.evaluation.evaluate import Provenance
    from sayso.evaluation.evaluate import evaluate as measure_all
    from sayso.evaluation.folder import labelled_folder

    labelled = labelled_folder(folder, groups)
    unlabelled = sum(each is None for each in labelled.groups)
    if groups is not None and unlabelled:
        people = count(unlabelled, "person").replace("persons", "people")
        complain(f"{groups}: {people} of {len(labelled.names):,} without a group")
    require_models()
    what = f"measuring {len(labelled.files):,} pictures"
    with gallery(make=True) as app, PictureProgress(what, len(labelled.files)) as progress:
        version = app.template_version
        measured = app.measure(labelled, mode=mode, progress=progress.advance)
    model = version.partition("/")[0]
    provenance = Provenance(
        # As it was named: where it lies on this machine is not the reader's business.
        folder=folder.name or str(folder),
        evaluated=_today(),
        model=model,
        template_version=version,
        mode=mode,
        software=f"sayso {__version__}",
    )
    with busy("comparing all pairs"):
        return measure_all(measured, _scorers(model, compare), provenance, labelled.passed_over)


def _scorers(model: str, compare: bool) -> Sequence[Scorer]:
    from sayso.evaluation.scoring import scorers_for

    found = scorers_for(model)
    if compare and len(found) == 1:
        complain(f"there is one way to score {model}, {found[0].name}: --compare adds nothing")
    return found if compare else found[:1]


def _today() -> str:
    from datetime import datetime

    return datetime.now().astimezone().date().isoformat()


def _require_room(targets: Sequence[Path]) -> None:
    """Raise FileError before the work rather than after it, where a file cannot be written."""
    if len(targets) > 1 and targets[0] == targets[1]:
        raise click.UsageError(f"--report and --json both name {targets[0]}; name two files")
    for target in targets:
        try:
            there = target.parent.is_dir()
        except ValueError as error:  # a name with a null character
            raise FileError(f"{str(target)!r}: {error}") from None
        if not there:
            raise FileError(f"{target} cannot be written: there is no folder {target.parent}")
        require_writable(target)


def _print(found: Evaluation) -> None:
    from sayso.evaluation.wording import one_in, summary, with_interval

    counts = found.counts
    click.echo(
        f"{count(counts.pictures, 'picture')} of {counts.people:,} people, "
        f"{counts.with_template:,} with a template"
    )
    rows = []
    for result in found.results:
        for point in result.verification.points:
            rate = f"FNMR at FMR {one_in(point.false_match_rate)}"
            rows.append([result.scorer, rate, with_interval(point.fnmr)])
        for gallery in result.identification.galleries if result.identification else ():
            for search in gallery.points:
                rate = (
                    f"FNIR at FPIR {one_in(search.false_positive_rate)}, {gallery.size:,} enrolled"
                )
                rows.append([result.scorer, rate, with_interval(search.fnir)])
    print_table(["scores", "error rate", "measured (95 % interval)"], rows)
    for sentence in summary(found)[1:]:
        click.echo(shown(sentence))
    for each in found.left_out:
        click.echo(f"left out: {shown(each)}")
