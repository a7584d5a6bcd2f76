"""``sayso models``: the files that find and recognise faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.output import complain, json_option, print_json, print_table, shown
from sayso.cli.progress import TerminalProgress
from sayso.errors import ModelError

if TYPE_CHECKING:
    from sayso.models.store import ModelStatus, ModelStore

_MEGABYTE = 1e6


@click.group()
def models() -> None:
    """List, install and verify models."""


@models.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the known models, their terms, and which are installed."""
    found = _store().status()
    if as_json:
        print_json([_document(each) for each in found])
        return
    rows = [
        [
            each.model.name,
            each.model.kind,
            each.state,
            "yes" if each.model.default else "no",
            f"{each.model.size / _MEGABYTE:.1f} MB",
            each.model.licence,
        ]
        for each in found
    ]
    print_table(["name", "kind", "state", "default", "size", "licence"], rows, right="llllr")


@models.command()
@click.argument("names", metavar="[NAME...]", nargs=-1)
@click.option(
    "--from",
    "source",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Take the file from here instead of fetching it; it must be the registered one.",
)
@click.option(
    "--accept-terms", is_flag=True, help="Accept the terms that the named models come on."
)
def install(names: tuple[str, ...], source: Path | None, accept_terms: bool) -> None:
    """Install models, the default ones unless named."""
    if source is not None and len(names) != 1:
        raise click.UsageError("--from needs the NAME of the one model that PATH is")
    if accept_terms and not names:
        raise click.UsageError("--accept-terms needs the NAME of the model that it is about")
    store = _store()
    for name in names:
        store.describe(name)  # refuse before any work is done
    for name in names or store.defaults():
        was = store.status_of(name)
        store.install(name, source=source, accept_terms=accept_terms)
        done = "is installed already" if was == "installed" and source is None else "installed"
        click.echo(f"{shown(name)} {done}")


@models.command(short_help="Check installed models down to the last byte.")
@click.argument("names", metavar="[NAME...]", nargs=-1)
def verify(names: tuple[str, ...]) -> int:
    """Check installed models down to the last byte, all that are installed unless named."""
    store = _store()
    for name in names:
        store.describe(name)
    chosen = names or [each.model.name for each in store.status() if each.state != "missing"]
    if not chosen:
        complain("no model is installed; run: sayso models install")
        return 1
    well = True
    for name in chosen:
        try:
            store.verify(name)
        except ModelError as error:
            well = False
            complain(str(error))
        else:
            click.echo(f"{shown(name)} is whole")
    return 0 if well else 1


def _store() -> ModelStore:
    from sayso.models.store import ModelStore

    return ModelStore(progress=TerminalProgress())


def _document(status: ModelStatus) -> dict[str, Any]:
    model = status.model
    return {
        "name": model.name,
        "kind": model.kind,
        "state": status.state,
        "default": model.default,
        "title": model.title,
        "size": model.size,
        "sha256": model.sha256,
        "licence": model.licence,
        "terms": model.terms or None,
        "source": model.source,
        "training_data": model.training_data,
    }
