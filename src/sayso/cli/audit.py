"""``sayso audit``: who did what, and whether the record of it is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso.audit.brief import in_brief
from sayso.cli.files import lines_of, read_text, written
from sayso.cli.gallery import gallery, local
from sayso.cli.output import complain, count, json_option, print_json, print_table, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sayso.audit.heads import Head
    from sayso.audit.verification import Verification
    from sayso.core import Sayso
    from sayso.results import Entry

_KEY_BYTES = 32  # of an Ed25519 public key

head_option = click.option(
    "--head",
    "head_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help='A head that "sayso audit head" saved: everything up to it must be there unchanged.',
)


@click.group()
def audit() -> None:
    """Read, verify and export the audit log."""


def _kind(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    from sayso.audit.events import EVENTS

    if value is not None and value not in EVENTS:
        raise click.BadParameter(
            f"{value!r} is no kind of event; there are: {', '.join(sorted(EVENTS))}",
            context,
            option,
        )
    return value


@audit.command(short_help="Show the last entries.")
@click.option(
    "-n",
    "--entries",
    "number",
    metavar="N",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many entries to show at most.",
)
@click.option("--collection", metavar="C", help="Those of this collection only.")
@click.option("--actor", metavar="A", help="What this actor did only.")
@click.option("--event", "kind", metavar="KIND", callback=_kind, help="This kind of event only.")
@click.option(
    "--subject",
    metavar="S",
    help="Those about this subject of --collection only: a name, or an id of somebody erased.",
)
@json_option
def tail(
    *,
    number: int,
    collection: str | None,
    actor: str | None,
    kind: str | None,
    subject: str | None,
    as_json: bool,
) -> None:
    """Show the last entries of the audit log, the newest at the end."""
    if subject is not None and collection is None:
        raise click.UsageError("--subject needs --collection as well")
    about = None if subject is None or collection is None else (collection, subject)
    with gallery() as app:
        found = app.audit_entries(
            limit=number,
            newest_first=True,
            collection=collection,
            actor=actor,
            kind=kind,
            subject=about,
        )
    found = found[::-1]
    if as_json:
        print_json([_document(entry) for entry in found])
    elif not found:
        click.echo("there is no such entry")
    else:
        rows = [
            [
                f"{entry.number}",
                local(entry.time),
                entry.actor,
                entry.purpose or "",
                entry.event.kind,
                in_brief(entry.event),
            ]
            for entry in found
        ]
        print_table(["number", "time", "actor", "purpose", "event", "what"], rows, right="r")


def _public_key(context: click.Context, option: click.Parameter, value: str | None) -> bytes | None:
    try:
        key = None if value is None else bytes.fromhex(value)
    except ValueError:
        key = b""
    if key is not None and len(key) != _KEY_BYTES:
        raise click.BadParameter(
            "a public key is 64 hexadecimal digits, as a saved head has them", context, option
        )
    return key


@audit.command(short_help="Check that nothing in the log was changed.")
@head_option
@click.option(
    "--export",
    "export_file",
    metavar="FILE",
    help="Check this export in place of the gallery's log, without any gallery; - reads it from "
    "standard input.",
)
@click.option(
    "--public-key",
    metavar="HEX",
    callback=_public_key,
    help="With --export: the log's public key, where the export does not begin at entry 1.",
)
@json_option
def verify(
    head_file: Path | None, export_file: str | None, public_key: bytes | None, as_json: bool
) -> int:
    """Check that no entry of the audit log was changed, moved, added or taken out.

    That the last entries were cut off, or that an old copy was put in the place of the log, shows
    only against a head that was saved before (--head).
    """
    head = None if head_file is None else _read_head(head_file)
    if export_file is None:
        with gallery() as app:
            found = app.audit_verify(head)
    else:
        from sayso.audit.verification import verify_export

        with lines_of(export_file) as lines:
            found = verify_export(lines, public_key=public_key, head=head)
    for problem in found.problems:
        where = "" if problem.number is None else f"entry {problem.number}: "
        complain(f"{where}{problem.what}")
    if as_json:
        print_json(_result(found))
    else:
        _print(found, against=head)
    return 0 if found.ok else 1


@audit.command(short_help="Write the log as lines of JSON.")
@click.argument("file", metavar="[FILE|-]", default="-")
@click.option(
    "--after",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Begin after the entry of this number.",
)
@json_option
def export(file: str, after: int, as_json: bool) -> None:
    """Write the audit log to FILE, or to standard output: a line of JSON for each entry.

    Anybody can verify such an export, without the gallery: sayso audit verify --export FILE.
    """
    if file == "-":
        if as_json:
            raise click.UsageError("--json needs a FILE: an export is not one document but lines")
        with gallery() as app:
            for line in app.audit_export(after):
                click.echo(line)
        return
    path = Path(file)
    with gallery() as app:
        app.require_foreign(path)
        number = _export(app, path, after)
    if as_json:
        print_json({"file": file, "entries": number})
    else:
        click.echo(f"wrote {'1 entry' if number == 1 else f'{number:,} entries'} to {shown(path)}")


@audit.command(short_help="Save the signed end of the log.")
@click.argument(
    "file", metavar="[FILE|-]", required=False, type=click.Path(path_type=Path), default=None
)
@json_option
def head(file: Path | None, as_json: bool) -> None:
    """Write the signed end of the log to FILE, or to standard output.

    Keep it where whoever keeps the gallery cannot change it. Against it, "sayso audit verify
    --head FILE" finds anything up to here that was changed or cut off later.
    """
    to_file = file is not None and str(file) != "-"
    with gallery() as app:
        if file is not None and to_file:
            app.require_foreign(file)
        found = app.audit_head()
    if file is not None and to_file:
        with written(file) as target:
            target.write(found.to_json())
    if as_json:
        print_json(found.document())
    elif file is None or not to_file:
        click.echo(found.to_json(), nl=False)
    else:
        click.echo(f"wrote the head of the log, entry {found.number}, to {shown(file)}")
        click.echo("Keep it where whoever keeps the gallery cannot change it.")


def _export(app: Sayso, path: Path, after: int) -> int:
    number = 0
    with written(path) as target:
        for line in app.audit_export(after):
            target.write(f"{line}\n")
            number += 1
    return number


def _read_head(path: Path) -> Head:
    from sayso.audit.heads import Head
    from sayso.errors import AuditError

    try:
        return Head.parse(read_text(path))
    except AuditError as error:
        raise AuditError(f"{path}: {error}") from error


def _print(found: Verification, *, against: Head | None) -> None:
    from sayso.audit.walk import NO_KEY

    number = "1 entry" if found.entries == 1 else f"{found.entries:,} entries"
    if found.ok:
        last = "" if found.head is None else f", the last of {local(found.head.time)}"
        click.echo(f"the log is whole: {number}{last}")
    elif all(each.what == NO_KEY for each in found.problems):
        click.echo(f"the log cannot be checked: {number} without a public key (--public-key)")
    else:
        problems = count(len(found.problems), "problem")
        click.echo(f"the log is not what was written: {problems} in {number}")
    for note in _notes(found.notes, against):
        click.echo(f"note: {shown(note)}")


def _notes(notes: Iterable[str], against: Head | None) -> list[str]:
    if against is not None:
        return list(notes)
    return [
        *notes,
        "whether its end was cut off shows only against a saved head (sayso audit head, --head)",
    ]


def _result(found: Verification) -> dict[str, Any]:
    return {
        "ok": found.ok,
        "entries": found.entries,
        "problems": [{"number": each.number, "what": each.what} for each in found.problems],
        "notes": list(found.notes),
        "head": None if found.head is None else found.head.document(),
    }


def _document(entry: Entry) -> dict[str, Any]:
    return {"entry": json.loads(entry.body), "hash": entry.hash, "signature": entry.signature}
