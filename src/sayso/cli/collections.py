"""``sayso collections``: the galleries themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sayso.cli.gallery import ask, gallery, local, yes_option
from sayso.cli.output import count, in_words, json_option, print_json, print_table, shown

if TYPE_CHECKING:
    from sayso.evidence.rule import Per
    from sayso.results import Collection

Command = TypeVar("Command", bound=Callable[..., Any])

name_argument = click.argument("name", metavar="NAME")


@click.group()
def collections() -> None:
    """Make, list and delete collections."""


def _expected_option(**how: Any) -> Callable[[Command], Command]:
    return click.option(
        "--max-expected-false-matches",
        "most",
        metavar="X",
        type=click.FloatRange(0, 1_000_000, min_open=True),
        help="Strangers that may be expected among the matches of a search, at most.",
        **how,
    )


per_option = click.option(
    "--per",
    type=click.Choice(["picture", "face"]),
    default="picture",
    show_default=True,
    help="What that holds for: all faces of a picture together, or each face.",
)


@collections.command()
@name_argument
@_expected_option(default=0.01, show_default=True)
@per_option
@json_option
def create(name: str, most: float, per: Per, as_json: bool) -> None:
    """Make a collection."""
    from sayso.results import FalseMatchRule

    rule = FalseMatchRule(most, per)
    with gallery(make=True) as app:
        made = app.create_collection(name, rule=None if rule == FalseMatchRule() else rule)
    if as_json:
        print_json(_document(made))
    else:
        click.echo(f"made collection {shown(made.name)}")


@collections.command()
@name_argument
@_expected_option(required=True)
@per_option
@json_option
def limit(name: str, most: float, per: Per, as_json: bool) -> None:
    """Limit the false matches that searches of a collection may expect.

    A search names nobody by a similarity at which more strangers would be expected, whatever its
    own limit: the more are enrolled, and the more faces are looked for, the more similar they must
    be.
    """
    from sayso.results import FalseMatchRule

    with gallery() as app:
        found = app.set_false_match_rule(name, FalseMatchRule(most, per))
    if as_json:
        print_json(_document(found))
    else:
        click.echo(f"collection {shown(name)}: {_rule(found)}")


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
    click.echo(_rule(found))
    click.echo(f"purposes: {', '.join(purposes) or 'none yet; the first consent declares its own'}")


@collections.command()
@name_argument
@yes_option
@json_option
def delete(name: str, yes: bool, as_json: bool) -> None:
    """Delete a collection and erase everybody in it. This cannot be undone.

    Where it has people and there is no terminal to ask on, it takes --yes.
    """
    with gallery() as app:
        found = app.collection(name)
        enrolled = count(found.subjects, "subject")
        said = ask(
            f"Delete collection {shown(name)} and erase its {enrolled}?", yes, "nothing was deleted"
        )
        erased = app.delete_collection(name, erase_subjects=said)
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
        "max_expected_false_matches": collection.rule.max_expected,
        "false_matches_per": collection.rule.per,
    }


def _rule(collection: Collection) -> str:
    rule = collection.rule
    return f"expected false matches: at most {in_words(rule.max_expected)} in a {rule.per}"
