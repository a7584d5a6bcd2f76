"""``sayso calibrate``: false-match rates by score, measured on a labelled folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sayso.cli.files import written
from sayso.cli.labelled import measure, name_of, read_labelled, require_room, tell_unlooked, today
from sayso.cli.output import complain, print_table, shown
from sayso.cli.pictures import mode_option, recursive_option, require_models
from sayso.cli.progress import busy

if TYPE_CHECKING:
    from sayso.evaluation.calibrating import Calibrated
    from sayso.evaluation.folder import LabelledFolder, Measured
    from sayso.evidence.calibration import Calibration
    from sayso.vision.types import Mode

#: The rows of the table that is printed.
_SIMILARITIES = (50.0, 62.5, 75.0, 80.0, 87.5, 95.0)
_PEOPLE = 1_000


@click.command(short_help="Measure false-match rates, to be used.")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--out",
    metavar="FILE.json",
    required=True,
    type=click.Path(path_type=Path),
    help="Write the calibration here.",
)
@click.option(
    "--groups",
    metavar="CSV",
    type=click.Path(path_type=Path),
    help="Your labels of the people: lines of person,group below that header. What is claimed then "
    "holds among people of one group, too.",
)
@mode_option
@recursive_option
def calibrate(*, folder: Path, out: Path, groups: Path | None, mode: Mode, recursive: bool) -> int:
    """Measure on the people of FOLDER how often strangers reach which score; nobody is enrolled.

    FOLDER has one subfolder for each person, with that person's pictures directly in it. What is
    written is a table of false-match rates, which tells no person: with it, similarity and expected
    false matches are those of your own cameras and people.
    """
    require_room(out)
    labelled = _labelled(folder, groups, recursive=recursive)
    require_models()
    found, calibration, well = _calibrate(labelled, name_of(folder), mode)
    from sayso.evidence.calibration import dumps

    with written(out) as file:
        file.write(dumps(calibration))
    _print(found, calibration)
    click.echo(f"written: {shown(out)}")
    click.echo(f"to use it: set SAYSO_CALIBRATION={shown(out.absolute())}")
    return 0 if well else 1


def _labelled(folder: Path, groups: Path | None, *, recursive: bool) -> LabelledFolder:
    from sayso.evaluation.calibrating import require_people

    labelled = read_labelled(folder, groups, pairs=False, recursive=recursive)
    require_people(len(labelled.names), str(folder))
    return labelled


def _calibrate(
    labelled: LabelledFolder, name: str, mode: Mode
) -> tuple[Calibrated, Calibration, bool]:
    from dataclasses import replace

    from sayso.cli.gallery import any_gallery
    from sayso.evaluation.calibrating import Source
    from sayso.evaluation.calibrating import calibrate as measure_rates
    from sayso.evidence import calibration
    from sayso.models.registry import describe

    with any_gallery() as app:
        version = app.template_version
        measured = measure(app, labelled, mode)
    _tell_failures(measured)
    well = tell_unlooked(labelled, measured)
    model = version.partition("/")[0]
    shipped = calibration.default()
    with busy("comparing all pairs"):
        found = measure_rates(
            [Source(measured)],
            model=model,
            model_sha256=describe(model).sha256,
            template_version=version,
            provenance=name,
            normaliser=shipped.normaliser if shipped.model == model else None,
            fused=shipped.fused if shipped.model == model else None,
        )
    return found, replace(found.calibration, provenance=_provenance(found, name, mode)), well


def _provenance(found: Calibrated, name: str, mode: Mode) -> str:
    """Say what was measured; where it lies on this machine is not the reader's business."""
    from sayso import __version__

    (source,) = found.sources
    within = f", {source.within:,} of them within a group" if source.within else ""
    return (
        f"{shown(name)}: {source.pictures:,} pictures of {source.people:,} people, "
        f"{source.pairs:,} pairs of different people{within}; {mode} mode, {today()}, "
        f"sayso {__version__}"
    )


def _tell_failures(measured: Measured) -> None:
    if measured.failures:
        file, why = measured.failures[0]
        complain(
            f"{len(measured.failures):,} of {len(measured.files):,} pictures gave no template, the "
            f"first {file}: {why}"
        )


def _print(found: Calibrated, calibration: Calibration) -> None:
    import numpy as np

    click.echo(calibration.provenance)
    scores = np.array([calibration.score(each) for each in _SIMILARITIES])
    rates = calibration.false_match_rate(scores)
    claimed = scores <= calibration.scores[-1]
    rows = [
        [
            f"{similarity:g}",
            f"{score:.3f}",
            f"{rate:.1e}" if told else f"not told below {calibration.lowest_rate:.1e}",
            f"{rate * _PEOPLE:.2g}",
        ]
        for similarity, score, rate, told in zip(_SIMILARITIES, scores, rates, claimed, strict=True)
    ]
    headers = ["similarity", "score", "false-match rate", f"expected among {_PEOPLE:,}"]
    print_table(headers, rows, "rrrr")
    click.echo(
        f"rates are upper 95 % bounds: counted up to a score of {calibration.counted_to:.3f}, from "
        f"a fitted tail up to {calibration.scores[-1]:.3f}, and nothing lower is claimed beyond"
    )
    for source in found.sources:
        for name in source.left_out:
            click.echo(f"too few people or pictures for figures of its own: {shown(name)}")
    click.echo(
        "the most alike of different people, by their pictures; look whether they are two: one "
        "picture in the wrong folder spoils the table"
    )
    pairs = [[f"{each.score:.3f}", each.a, each.b] for each in found.highest]
    print_table(["score", "picture", "picture"], pairs, "r")
