"""``sayso purposes``: what a collection is for, and how long consents to it may last."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.documents import of_time
from sayso.cli.files import file_named, read_text
from sayso.cli.gallery import (
    ask,
    collection_argument,
    gallery,
    local,
    tombstone_document,
    yes_option,
)
from sayso.cli.output import count, json_option, print_json, print_table, shown

if TYPE_CHECKING:
    from sayso.results import Purpose

purpose_argument = click.argument("purpose", metavar="PURPOSE")
_WIDTH = 96


@click.group()
def purposes() -> None:
    """Declare what collections are for."""


@purposes.command(short_help="Declare a purpose: what people are told, and how long it lasts.")
@collection_argument
@purpose_argument
@click.option(
    "--notice",
    metavar="TEXT_OR_FILE",
    required=True,
    help="What people are told in plain words: a text, or a file that has it.",
)
@click.option(
    "--max-days",
    metavar="DAYS",
    type=int,
    help="A consent ends at the latest so many days after it was given.",
)
@click.option(
    "--idle-days",
    metavar="DAYS",
    type=int,
    help="A consent ends so many days after the last contact with the person: 1095, three years, "
    "unless given, and never more.",
)
@json_option
def declare(
    *,
    collection: str,
    purpose: str,
    notice: str,
    max_days: int | None,
    idle_days: int | None,
    as_json: bool,
) -> None:
    """Declare a purpose of a collection, or declare it anew with another notice or rule.

    Once a collection has a purpose that was declared, consents to any other are refused. A
    stricter rule binds the consents that were given before, too; a looser one does not lengthen
    them.
    """
    file = file_named(notice, option="--notice", what="the notice")
    text = notice if file is None else read_text(file).strip()
    rule = {} if idle_days is None else {"idle_days": idle_days}
    with gallery() as app:
        declared = app.declare_purpose(collection, purpose, notice=text, max_days=max_days, **rule)
    if as_json:
        print_json(_document(declared))
        return
    click.echo(
        f"declared purpose {declared.name} of collection {shown(collection)}; its notice is "
        f"version {declared.version}"
    )
    click.echo(f"a consent to it ends: {_rule(declared)}")


@purposes.command("list")
@collection_argument
@json_option
def list_(collection: str, as_json: bool) -> None:
    """List the purposes of a collection, their rules and their notices."""
    with gallery() as app:
        found = app.purposes(collection)
    if as_json:
        print_json([_document(each) for each in found])
        return
    if not found:
        click.echo(
            f"collection {shown(collection)} has no purpose yet; the first consent declares its own"
        )
        return
    rows = [
        [
            each.name,
            "" if each.max_days is None else f"{each.max_days:,}",
            f"{each.idle_days:,}",
            f"{each.version}",
            local(each.declared),
            "by default" if each.by_default else each.declared_by,
            local(each.met),
        ]
        for each in found
    ]
    headers = ["purpose", "max days", "idle days", "notice", "declared", "by", "met"]
    print_table(headers, rows, right="lrrr")
    for each in found:
        click.echo(f"\n{each.name}, version {each.version} of its notice:")
        for line in each.notice.splitlines():
            for piece in textwrap.wrap(shown(line), _WIDTH, break_on_hyphens=False) or [""]:
                click.echo(f"  {piece}".rstrip())


@purposes.command(short_help="Say that a purpose is met: every consent to it ends.")
@collection_argument
@purpose_argument
@yes_option
@json_option
def met(*, collection: str, purpose: str, yes: bool, as_json: bool) -> None:
    """Say that a purpose is met: every consent to it ends now.

    Whoever agreed to nothing else is erased, which cannot be undone.
    """
    with gallery() as app:
        question = (
            f"Say that {shown(purpose)} is met in collection {shown(collection)}, and erase "
            "everybody who agreed to nothing else?"
        )
        ask(question, yes, "nothing was changed")
        erased = app.purpose_met(collection, purpose)
    if as_json:
        print_json(
            {
                "collection": collection,
                "purpose": purpose,
                "erased": [tombstone_document(each) for each in erased],
            }
        )
        return
    click.echo(
        f"{shown(purpose)} is met: every consent to it has ended; "
        f"{count(len(erased), 'subject')} erased"
    )


def _rule(purpose: Purpose) -> str:
    """Return when consents to a purpose end, in words."""
    idle = f"{count(purpose.idle_days, 'day')} after the last contact"
    if purpose.max_days is None:
        return idle
    return f"{count(purpose.max_days, 'day')} after it was given, or {idle}, whichever is first"


def _document(purpose: Purpose) -> dict[str, Any]:
    return {
        "id": purpose.id,
        "collection": purpose.collection,
        "purpose": purpose.name,
        "notice": purpose.notice,
        "notice_version": purpose.version,
        "max_days": purpose.max_days,
        "idle_days": purpose.idle_days,
        "by_default": purpose.by_default,
        "declared": of_time(purpose.declared),
        "declared_by": purpose.declared_by,
        "met": of_time(purpose.met),
    }
