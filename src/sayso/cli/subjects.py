"""``sayso subjects``: who is enrolled, and their erasure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sayso.cli.documents import of_box
from sayso.cli.gallery import (
    ask,
    collection_argument,
    gallery,
    local,
    subject_argument,
    tombstone_document,
    yes_option,
)
from sayso.cli.output import count, json_option, print_json, print_table, shown
from sayso.cli.report import report

if TYPE_CHECKING:
    from sayso.results import EnrolledFace, Subject


@click.group()
def subjects() -> None:
    """List, show, inform and erase subjects."""


subjects.add_command(report)


@subjects.command("list")
@collection_argument
@json_option
def list_(collection: str, as_json: bool) -> None:
    """List the subjects of a collection."""
    with gallery() as app:
        found = sorted(app.subjects(collection), key=lambda each: each.name)
    if as_json:
        print_json([_document(each) for each in found])
    elif not found:
        click.echo(f"collection {shown(collection)} has no subjects")
    else:
        rows = [
            [each.name, f"{each.faces:,}", ", ".join(each.purposes), local(each.created)]
            for each in found
        ]
        print_table(["subject", "faces", "live purposes", "since"], rows, right="lr")


@subjects.command()
@collection_argument
@subject_argument
@json_option
def show(collection: str, subject: str, as_json: bool) -> None:
    """Show a subject and their enrolled faces."""
    with gallery() as app:
        found = app.subject(collection, subject)
        faces = app.faces(collection, subject)
    if as_json:
        print_json({**_document(found), "enrolled": [_face_document(face) for face in faces]})
        return
    purposes = ", ".join(found.purposes) or "none"
    click.echo(
        f"{shown(found.name)} in {shown(collection)}, since {local(found.created)}; "
        f"live purposes: {purposes}; {count(found.faces, 'face')}"
    )
    if faces:
        rows = [
            [
                face.id,
                "" if face.quality is None else f"{face.quality:.0f}",
                face.consent,
                face.model,
                local(face.created),
            ]
            for face in faces
        ]
        print_table(["face", "quality", "consent", "model", "enrolled"], rows, right="lr")


@subjects.command()
@collection_argument
@subject_argument
@yes_option
@json_option
def erase(collection: str, subject: str, yes: bool, as_json: bool) -> None:
    """Erase a subject: faces, consents, evidence and name. This cannot be undone."""
    with gallery() as app:
        found = app.subject(collection, subject)
        faces = count(found.faces, "face")
        question = f"Erase {shown(subject)}, their {faces} and consents? It cannot be undone."
        ask(question, yes, "nothing was erased")
        tombstone = app.erase_subject(collection, subject)
    if as_json:
        print_json(tombstone_document(tombstone))
    else:
        click.echo(
            f"erased {shown(subject)}: {count(tombstone.faces, 'face')} and "
            f"{count(tombstone.consents, 'consent')} are gone; tombstone {tombstone.id}"
        )


@subjects.command(short_help="Erase everybody whose consents have all ended.")
@json_option
def sweep(as_json: bool) -> None:
    """Erase everybody whose consents have all ended, in all collections.

    This also happens by itself: with every other command, and all the time in a running process.
    """
    with gallery() as app:
        erased = app.sweep()
    if as_json:
        print_json([tombstone_document(each) for each in erased])
    elif not erased:
        click.echo("nobody is left whose consents have all ended")
    else:
        click.echo(f"erased {count(len(erased), 'subject')}, whose consents had all ended")
        rows = [[each.id, each.collection, f"{each.faces:,}"] for each in erased]
        print_table(["tombstone", "collection", "faces"], rows, right="llr")


def _document(subject: Subject) -> dict[str, Any]:
    return {
        "id": subject.id,
        "collection": subject.collection,
        "subject": subject.name,
        "created": subject.created.isoformat(),
        "faces": subject.faces,
        "purposes": list(subject.purposes),
    }


def _face_document(face: EnrolledFace) -> dict[str, Any]:
    return {
        "face_id": face.id,
        "consent": face.consent,
        "model": face.model,
        "template_version": face.template_version,
        "box": of_box(face.box),
        "quality": face.quality,
        "created": face.created.isoformat(),
    }
