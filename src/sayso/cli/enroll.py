"""``sayso enroll``: put a person who agreed into a collection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.enrolling import enrol_one_by_one, line_of, of_picture, outcome_of
from sayso.cli.gallery import (
    EVIDENCE_HELP,
    collection_argument,
    evidence_document,
    evidence_line,
    gallery,
    make_consent,
    moment,
    subject_argument,
)
from sayso.cli.lines import Lines, asked_of, check_options, lines_option, resume_option
from sayso.cli.notes import telling_declared
from sayso.cli.output import complain, count, json_option, print_json, print_table, shown
from sayso.cli.passed_over import passed_over_document, tell_passed_over
from sayso.cli.pictures import (
    about,
    complain_of,
    job_of,
    mode_option,
    pictures_argument,
    recursive_option,
    require_models,
)
from sayso.cli.progress import busy
from sayso.errors import AmbiguousFace

if TYPE_CHECKING:
    from sayso.choosing import Place
    from sayso.folders import PassedOver
    from sayso.results import Consent, Enrolment
    from sayso.vision.types import Mode


def _which(
    _context: click.Context, _parameter: click.Parameter, given: str | None
) -> int | Place | None:
    if given is None:
        return None
    from sayso.choosing import PLACES  # numpy stands behind it, which no help text needs

    for place in PLACES:
        if given == place:
            return place
    if given.isascii() and given.isdigit() and 0 < len(given) < 6 and int(given) > 0:
        return int(given)
    raise click.BadParameter(f"{given!r} is not a number from 1 on, largest or central")


@click.command(short_help="Enrol a person who agreed, from pictures.")
@collection_argument
@subject_argument
@pictures_argument
@click.option(
    "--purpose",
    "purposes",
    metavar="P",
    multiple=True,
    help="What the subject agreed to; may be given several times.",
)
@click.option(
    "--evidence",
    metavar="TEXT_OR_FILE",
    help=EVIDENCE_HELP,
)
@click.option(
    "--until",
    metavar="DATE",
    callback=moment,
    help="When the consent ends: as that day begins, or at a time such as 2027-01-31T18:00.",
)
@click.option(
    "--allow-lookalike",
    is_flag=True,
    help="Enrol a face even if it is more like another enrolled subject: you know whose it is.",
)
@click.option(
    "--face",
    metavar="N|largest|central",
    callback=_which,
    help='Which face of each picture is the subject\'s: its number in what "sayso faces" lists, '
    "from 1, the largest, or the one nearest the middle. The one that stands out unless given.",
)
@mode_option
@recursive_option
@json_option
@lines_option
@resume_option
def enroll(
    *,
    collection: str,
    subject: str,
    pictures: tuple[Path, ...],
    purposes: tuple[str, ...],
    evidence: str | None,
    until: datetime | None,
    allow_lookalike: bool,
    face: int | Place | None,
    mode: Mode,
    recursive: bool,
    as_json: bool,
    jsonl: str | None,
    resume: bool,
) -> int:
    """Enrol SUBJECT from pictures, or folders of pictures, on the consent that you describe.

    Without --purpose and --evidence, a consent recorded earlier with "sayso consents add" must be
    live. The largest face of each picture is enrolled if it is good, and nobody else in it; of
    several of similar size the one that is whole and in the middle. Pictures where that is not
    clear are skipped, and a face that is more like another enrolled subject is refused. With
    --jsonl each picture is enrolled by itself, as soon as it was looked at; otherwise all of them
    at once.
    """
    check_options(jsonl, resume=resume, as_json=as_json)
    consent = None
    if purposes or evidence is not None or until is not None:
        if not purposes or evidence is None:
            missing = "--evidence" if purposes else "--purpose"
            raise click.UsageError(f"a consent needs {missing} as well")
        consent = make_consent(purposes, evidence, None, until)
    with gallery() as app, telling_declared(app, collection, purposes):
        job = job_of(pictures, recursive=recursive)
        require_models()

        def enrol(paths: Sequence[Path]) -> Enrolment:
            return app.enroll(
                collection,
                subject=subject,
                pictures=paths,
                consent=consent,
                mode=mode,
                allow_lookalike=allow_lookalike,
                face=face,
            )

        if jsonl is not None:
            asked = asked_of(
                "enroll",
                collection=collection,
                subject=subject,
                purposes=sorted(purposes),
                evidence=None if consent is None else evidence_document(consent.evidence),
                until=until,
                mode=mode,
                allow_lookalike=allow_lookalike,
                face=face,
                version=app.template_version,
            )
            return enrol_one_by_one(app, job, enrol, Lines(jsonl, asked, line_of, resume=resume))
        with busy(f"enrolling {shown(subject)} from {count(len(job.paths), 'picture')}"):
            result = enrol(job.paths)
    well = job.tell_failures()
    for path, picture in zip(job.paths, result.pictures, strict=True):
        complain_of(path, picture.notices)
        if picture.error is not None:
            # Somebody was enrolled; a picture that leaves it open whose it is was skipped.
            well = well and isinstance(picture.error, AmbiguousFace)
            complain(shown(about(path, picture.error)))
        elif picture.turn:
            complain(
                f"{shown(path)}: the head is turned by {picture.turn} degrees; it was enrolled as "
                "if it were upright"
            )
    if as_json:
        print_json(_document(result, job.passed_over))
    else:
        _print(result, consent)
    tell_passed_over(job.passed_over)
    return 0 if well else 1


def _print(result: Enrolment, consent: Consent | None) -> None:
    click.echo(f"{shown(result.subject)}: {count(result.enrolled, 'new face')} enrolled")
    if consent is not None:
        click.echo(evidence_line(consent.evidence))
    rows = [
        [
            picture.picture,
            outcome_of(picture),
            f"{picture.quality.overall:.0f}" if picture.quality else "",
            f"{picture.faces}",
        ]
        for picture in result.pictures
    ]
    print_table(["picture", "outcome", "quality", "faces found"], rows, right="llrr")


def _document(result: Enrolment, passed_over: Sequence[PassedOver]) -> dict[str, Any]:
    return {
        "collection": result.collection,
        "subject": result.subject,
        "consent": result.consent,
        "enrolled": result.enrolled,
        "pictures": [
            {**of_picture(picture), "error": str(picture.error) if picture.error else None}
            for picture in result.pictures
        ],
        "passed_over": passed_over_document(passed_over),
    }
