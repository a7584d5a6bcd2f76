"""Enrolment picture by picture, so that it can be interrupted and gone on with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.documents import of_box, of_quality
from sayso.cli.lines import Line, Lines
from sayso.cli.output import shown
from sayso.cli.pictures import Job, PictureSkipped
from sayso.errors import (
    AmbiguousFace,
    ConsentRequired,
    EnrolmentError,
    PictureError,
    SubjectNotFound,
)

if TYPE_CHECKING:
    from sayso.core import Sayso
    from sayso.results import Enrolment, PictureEnrolment


class PictureRefused(PictureError):
    """A picture cannot enrol its subject; those beside it perhaps can."""


def enrol_one_by_one(
    app: Sayso, job: Job, enrol: Callable[[Sequence[Path]], Enrolment], lines: Lines[Enrolment]
) -> int:
    """Enrol from each picture by itself, and leave out those that an earlier run enrolled from.

    Returns the exit status. Raises ConsentRequired where what was enrolled is gone: somebody who
    withdrew or was erased since is not enrolled again by going on.
    """
    with contextlib.closing(lines):
        lines.keep(job.paths, job.read)
        enrolled = [path for path in job.paths if path in lines]
        _require_there(app, [lines[path] for path in enrolled])

        def work(path: Path, _: bytes) -> Enrolment:
            try:
                result = enrol([path])
            except AmbiguousFace as error:
                raise PictureSkipped(str(error)) from error
            except EnrolmentError as error:  # of this picture: the others go on
                raise PictureRefused(str(error)) from error
            enrolled.append(path)
            return result

        def show(path: Path, result: Enrolment) -> None:
            if not lines.are_printed:
                click.echo(f"{shown(path)}: {outcome_of(result.pictures[0])}")

        # As without lines: a doubtful picture is skipped, but somebody is to be enrolled.
        return 0 if job.run("enrolling", work, show, lines) and enrolled else 1


def line_of(_: Path, result: Enrolment) -> Line:
    """Return the line of an enrolment from one picture."""
    return {
        "collection": result.collection,
        "subject": result.subject,
        "consent": result.consent,
        **of_picture(result.pictures[0]),
    }


def of_picture(picture: PictureEnrolment) -> dict[str, Any]:
    """Return what became of a picture as JSON has it, but for its error."""
    return {
        "picture": picture.picture,
        "faces": picture.faces,
        "face_id": picture.face_id,
        "repeated": picture.repeated,
        "box": of_box(picture.box),
        "quality": of_quality(picture.quality),
        "turn": picture.turn,
        "notices": list(picture.notices),
    }


def outcome_of(picture: PictureEnrolment) -> str:
    """Say what became of a picture."""
    if picture.error is not None:
        return "not enrolled"
    if picture.repeated:
        return "was enrolled before"
    turned = f", turned by {picture.turn} degrees" if picture.turn else ""
    of = f", one of {picture.faces} faces" if picture.faces > 1 else ""
    return f"enrolled{of}{turned}"


def _require_there(app: Sayso, lines: Sequence[Line]) -> None:
    """Raise ConsentRequired unless all faces that lines tell of are still enrolled."""
    faces = {line["face_id"] for line in lines}
    if not faces:
        return
    collection, subject = lines[0]["collection"], lines[0]["subject"]
    try:
        left = faces <= {each.id for each in app.faces(collection, subject)}
    except SubjectNotFound:
        left = False
    if not left:
        raise ConsentRequired(
            f"faces that an earlier run enrolled of {subject!r} are not there any more: they were "
            "withdrawn or erased since. Should they be enrolled again, begin anew, without --resume"
        )
