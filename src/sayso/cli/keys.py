"""``sayso keys``: access keys, for those who call from outside."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from sayso.callers import ACTIONS, Action
from sayso.cli.documents import of_time
from sayso.cli.gallery import ask, gallery, local, moment, yes_option
from sayso.cli.notes import tell_undeclared
from sayso.cli.output import json_option, print_json, print_table, shown
from sayso.errors import CollectionNotFound

if TYPE_CHECKING:
    from sayso.results import AccessKey


@click.group()
def keys() -> None:
    """Make, list and revoke access keys."""


@keys.command(short_help="Make an access key; its secret is shown once.")
@click.argument("actor", metavar="ACTOR")
@click.option(
    "--purpose", metavar="P", required=True, help="The one purpose that the key is good for."
)
@click.option(
    "--allow",
    "actions",
    multiple=True,
    required=True,
    type=click.Choice(ACTIONS),
    help="What it may do; may be given several times.",
)
@click.option(
    "--collection",
    "collections",
    metavar="C",
    multiple=True,
    help="A collection that it is good for; may be given several times. All unless given.",
)
@click.option(
    "--until",
    metavar="DATE",
    callback=moment,
    help="When the key ends: as that day begins, or at a time such as 2027-01-31T18:00.",
)
@click.option(
    "--attestation",
    metavar="TEXT",
    help="Your statement of how consent is collected before somebody is enrolled by this key; it "
    "then serves as the evidence.",
)
@json_option
def create(
    *,
    actor: str,
    purpose: str,
    actions: tuple[Action, ...],
    collections: tuple[str, ...],
    until: datetime | None,
    attestation: str | None,
    as_json: bool,
) -> None:
    """Make an access key for ACTOR, a person or a program that calls from outside.

    Its secret is shown now and never again.
    """
    with gallery() as app:
        made = app.create_key(
            actor,
            purpose=purpose,
            actions=actions,
            collections=collections or None,
            until=until,
            attestation=attestation,
        )
        for name in made.key.collections or ():
            with contextlib.suppress(CollectionNotFound):  # it may be made later
                tell_undeclared(app, name, purpose)
    if as_json:
        print_json({**_document(made.key), "secret": made.secret})
        return
    where = "all collections" if not collections else ", ".join(made.key.collections or ())
    click.echo(
        f"made an access key for {shown(made.key.actor)}: {', '.join(made.key.actions)} for "
        f"{made.key.purpose}, in {where}"
    )
    click.echo(f"id      {made.key.id}")
    click.echo(f"secret  {made.secret}")
    click.echo(f"The secret is not shown again: keep it where only {shown(actor)} can read it.")


@keys.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the access keys, without their secrets."""
    with gallery() as app:
        found = app.keys()
    if as_json:
        print_json([_document(each) for each in found])
    elif not found:
        click.echo("there are no access keys; make one with: sayso keys create ACTOR")
    else:
        rows = [
            [
                each.id,
                each.actor,
                each.purpose,
                ", ".join(each.actions),
                "all" if each.collections is None else ", ".join(each.collections),
                _end(each),
                "yes" if each.attestation else "no",
            ]
            for each in found
        ]
        headers = ["id", "actor", "purpose", "may", "collections", "until", "attested"]
        print_table(headers, rows)


@keys.command()
@click.argument("key", metavar="ID")
@yes_option
@json_option
def revoke(key: str, yes: bool, as_json: bool) -> None:
    """Revoke an access key at once and for good."""
    with gallery() as app:
        ask(f"Revoke the access key {shown(key)}?", yes, "nothing was revoked")
        revoked = app.revoke_key(key)
    if as_json:
        print_json(_document(revoked))
    else:
        click.echo(f"revoked the access key {revoked.id} of {shown(revoked.actor)}")


def _end(key: AccessKey) -> str:
    return f"revoked {local(key.revoked)}" if key.revoked else local(key.expires)


def _document(key: AccessKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "actor": key.actor,
        "purpose": key.purpose,
        "actions": list(key.actions),
        "collections": None if key.collections is None else list(key.collections),
        "attestation": key.attestation,
        "created": of_time(key.created),
        "created_by": key.created_by,
        "expires": of_time(key.expires),
        "revoked": of_time(key.revoked),
    }
