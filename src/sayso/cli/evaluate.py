"""``sayso evaluate``: error rates on a labelled folder, as a report."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sayso.cli.files import written
from sayso.cli.gallery import any_gallery
from sayso.cli.labelled import (
    Kept,
    measure,
    name_of,
    read_labelled,
    require_room,
    tell_unlooked,
    today,
)
from sayso.cli.lines import are_printed, check_options, lines_option, resume_option
from sayso.cli.output import complain, count, print_json, print_table, shown
from sayso.cli.pictures import mode_option, recursive_option, require_models
from sayso.cli.progress import busy

if TYPE_CHECKING:
    from sayso.evaluation.evaluate import Evaluation
    from sayso.evaluation.folder import LabelledFolder
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
@recursive_option
@lines_option
@resume_option
def evaluate(
    *,
    folder: Path,
    report: str | None,
    as_json: str | None,
    groups: Path | None,
    searched: Path | None,
    compare: bool,
    mode: Mode,
    recursive: bool,
    jsonl: str | None,
    resume: bool,
) -> int:
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
    check_options(jsonl, resume=resume)
    if are_printed(jsonl):
        raise click.UsageError("--jsonl needs the name of a file, for an evaluation")
    _require_room(targets)
    work = _Work(folder, groups, searched, mode, compare, recursive, jsonl, resume)
    found, well = work.evaluate()
    status = 0 if well else 1
    document = found.to_json() if as_json else None
    if report:
        from sayso.evaluation.report import render

        with busy("drawing the report"):
            page = render(found)
        with written(Path(report)) as file:
            file.write(page)
    if as_json == _STANDARD_OUTPUT:
        print_json(document)
        return status
    if as_json:
        with written(Path(as_json)) as file:
            json.dump(document, file, allow_nan=False, indent=1)
            file.write("\n")
    _print(found)
    for target in targets:
        click.echo(f"written: {shown(target)}")
    return status


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be evaluated, and how."""

    folder: Path
    groups: Path | None
    searched: Path | None
    mode: Mode
    compare: bool
    recursive: bool
    jsonl: str | None
    resume: bool

    def evaluate(self) -> tuple[Evaluation, bool]:
        """Return what was measured, and whether all that should be looked at could be."""
        from sayso import __version__
        from sayso.evaluation.evaluate import Gallery, Provenance
        from sayso.evaluation.evaluate import evaluate as measure_all

        labelled, other = self._read()
        require_models()
        with contextlib.ExitStack() as stack:
            app = stack.enter_context(any_gallery())
            version, calibration = app.template_version, app.calibration
            kept = None
            if self.jsonl is not None:
                kept = Kept(self.jsonl, self.mode, version, resume=self.resume)
                stack.callback(kept.close)
            measured = measure(app, labelled, self.mode, kept)
            well = tell_unlooked(labelled, measured)
            enrolled = None
            if other is not None:
                enrolled = Gallery(name_of(other.root), measure(app, other, self.mode, kept))
                well = tell_unlooked(other, enrolled.measured) and well
            if kept is not None:
                kept.finish()
        model = version.partition("/")[0]
        provenance = Provenance(
            folder=name_of(self.folder),
            evaluated=today(),
            model=model,
            template_version=version,
            mode=self.mode,
            software=f"sayso {__version__}",
        )
        scorers = _scorers(model, calibration, self.compare)
        with busy("comparing all pairs"):
            found = measure_all(measured, scorers, provenance, labelled.left_out, enrolled)
        return found, well

    def _read(self) -> tuple[LabelledFolder, LabelledFolder | None]:
        folder, searched = self.folder, self.searched
        labelled = read_labelled(
            folder, self.groups, pairs=searched is None, recursive=self.recursive
        )
        if searched is None:
            return labelled, None
        other = read_labelled(searched, None, pairs=False, recursive=self.recursive)
        if searched.samefile(folder):
            raise click.UsageError(f"--gallery names FOLDER itself, {folder}; name another folder")
        return labelled, other


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
        for searched in result.identification.galleries if result.identification else ():
            enrolled = f"{searched.size:,} enrolled"
            for search in searched.points:
                rate = f"FNIR at FPIR {one_in(search.false_positive_rate)}, {enrolled}"
                rows.append([result.scorer, rate, with_interval(search.fnir)])
            rows += _promise_rows(result.scorer, searched.promises, enrolled)
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
