"""``sayso enroll``: put a person who agreed into a collection."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso.choosing import PLACES, Place
from sayso.cli.documents import of_box, of_quality
from sayso.cli.gallery import (
    EVIDENCE_HELP,
    collection_argument,
    evidence_line,
    gallery,
    make_consent,
    moment,
    subject_argument,
)
from sayso.cli.notes import telling_declared
from sayso.cli.output import complain, count, json_option, print_json, print_table, shown
from sayso.cli.pictures import about, job_of, mode_option, pictures_argument, require_models
from sayso.cli.progress import busy
from sayso.errors import AmbiguousFace

if TYPE_CHECKING:
    from sayso.results import Consent, Enrolment, PictureEnrolment
    from sayso.vision.types import Mode


def _which(
    _context: click.Context, _parameter: click.Parameter, given: str | None
) -> int | Place | None:
    if given is None:
        return None
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
@json_option
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
    as_json: bool,
) -> int:
    """Enrol SUBJECT from pictures, or folders of pictures, on the consent that you describe.

    Without --purpose and --evidence, a consent recorded earlier with "sayso consents add" must be
    live. The largest face of each picture is enrolled if it is good, and nobody else in it; of
    several of similar size the one that is whole and in the middle. Pictures where that is not
    clear are skipped, and a face that is more like another enrolled subject is refused.
    """
    consent = None
    if purposes or evidence is not None or until is not None:
        if not purposes or evidence is None:
            missing = "--evidence" if purposes else "--purpose"
            raise click.UsageError(f"a consent needs {missing} as well")
        consent = make_consent(purposes, evidence, None, until)
    with gallery() as app, telling_declared(app, collection, purposes):
        job = job_of(pictures)
        require_models()
        with busy(f"enrolling {shown(subject)} from {count(len(job.paths), 'picture')}"):
            result = app.enroll(
                collection,
                subject=subject,
                pictures=job.paths,
                consent=consent,
                mode=mode,
                allow_lookalike=allow_lookalike,
                face=face,
            )
    well = job.tell_failures()
    for path, picture in zip(job.paths, result.pictures, strict=True):
        if picture.error is not None:
            # Somebody was enrolled; a picture that leaves it open whose it is was skipped.
            well = well and isinstance(picture.error, AmbiguousFace)
            complain(about(path, picture.error))
        elif picture.turn:
            complain(
                f"{shown(path)}: the head is turned by {picture.turn} degrees; it was enrolled as "
                "if it were upright"
            )
    if as_json:
        print_json(_document(result))
    else:
        _print(result, consent)
    return 0 if well else 1


def _print(result: Enrolment, consent: Consent | None) -> None:
    click.echo(f"{shown(result.subject)}: {count(result.enrolled, 'new face')} enrolled")
    if consent is not None:
        click.echo(evidence_line(consent.evidence))
    rows = [
        [
            picture.picture,
            _outcome(picture),
            f"{picture.quality.overall:.0f}" if picture.quality else "",
            f"{picture.faces}",
        ]
        for picture in result.pictures
    ]
    print_table(["picture", "outcome", "quality", "faces found"], rows, right="llrr")


def _outcome(picture: PictureEnrolment) -> str:
    if picture.error is not None:
        return "not enrolled"
    if picture.repeated:
        return "was enrolled before"
    turned = f", turned by {picture.turn} degrees" if picture.turn else ""
    of = f", one of {picture.faces} faces" if picture.faces > 1 else ""
    return f"enrolled{of}{turned}"


def _document(result: Enrolment) -> dict[str, Any]:
    return {
        "collection": result.collection,
        "subject": result.subject,
        "consent": result.consent,
        "enrolled": result.enrolled,
        "pictures": [
            {
                "picture": picture.picture,
                "faces": picture.faces,
                "face_id": picture.face_id,
                "repeated": picture.repeated,
                "box": of_box(picture.box),
                "quality": of_quality(picture.quality),
                "turn": picture.turn,
                "error": str(picture.error) if picture.error else None,
            }
            for picture in result.pictures
        ],
    }
