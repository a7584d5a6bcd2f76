"""``sayso collections``: the galleries themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sayso.cli.gallery import ask, gallery, local, yes_option
from sayso.cli.output import count, json_option, print_json, print_table, shown

if TYPE_CHECKING:
    from sayso.results import Collection

name_argument = click.argument("name", metavar="NAME")


@click.group()
def collections() -> None:
    """Make, list and delete collections."""


@collections.command()
@name_argument
@json_option
def create(name: str, as_json: bool) -> None:
    """Make a collection."""
    with gallery(make=True) as app:
        made = app.create_collection(name)
    if as_json:
        print_json(_document(made))
    else:
        click.echo(f"made collection {shown(made.name)}")


@collections.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the collections."""
    with gallery() as app:
        found = app.collections()
    if as_json:
        print_json([_document(each) for each in found])
    elif not found:
        click.echo("there are no collections; make one with: sayso collections create NAME")
    else:
        _print(found)


@collections.command()
@name_argument
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one collection and its purposes."""
    with gallery() as app:
        found = app.collection(name)
        purposes = [each.name for each in app.purposes(name)]
    if as_json:
        print_json({**_document(found), "purposes": purposes})
        return
    _print([found])
    click.echo(f"purposes: {', '.join(purposes) or 'none yet; the first consent declares its own'}")


@collections.command()
@name_argument
@yes_option
@json_option
def delete(name: str, yes: bool, as_json: bool) -> None:
    """Delete a collection and erase everybody in it. This cannot be undone."""
    with gallery() as app:
        found = app.collection(name)
        enrolled = count(found.subjects, "subject")
        ask(
            f"Delete collection {shown(name)} and erase its {enrolled}?", yes, "nothing was deleted"
        )
        erased = app.delete_collection(name)
    if as_json:
        print_json({"collection": name, "erased_subjects": erased})
    else:
        click.echo(f"deleted collection {shown(name)}; {count(erased, 'subject')} erased")


def _print(found: tuple[Collection, ...] | list[Collection]) -> None:
    rows = [
        [each.name, f"{each.subjects:,}", f"{each.faces:,}", each.model or "", local(each.created)]
        for each in found
    ]
    print_table(["name", "subjects", "faces", "model", "made"], rows, right="lrr")


def _document(collection: Collection) -> dict[str, Any]:
    return {
        "collection": collection.name,
        "created": collection.created.isoformat(),
        "model": collection.model,
        "template_version": collection.template_version,
        "subjects": collection.subjects,
        "faces": collection.faces,
    }
