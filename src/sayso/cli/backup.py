"""``sayso backup`` and ``sayso restore``."""

from __future__ import annotations

from pathlib import Path

import click

from sayso.cli.gallery import ask, gallery, yes_option
from sayso.cli.output import count, json_option, print_json, shown

file_argument = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))


@click.command(short_help="Copy the gallery to a file, without its keys.")
@file_argument
@click.option(
    "--keyring",
    "keyring",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Copy the keyring, too: to this file, in another folder than the backup's.",
)
@json_option
def backup(file: Path, keyring: Path | None, as_json: bool) -> None:
    """Copy the gallery to FILE, consistently, while it is in use.

    The keys are not in it: without the keyring and the master key nobody can read it, and nobody
    can read in it whoever was erased since.
    """
    with gallery() as app:
        made = app.backup(file, keyring=keyring)
        status = app.keyring_status()
    if as_json:
        print_json(
            {
                "file": str(file),
                "bytes": made.bytes,
                "subjects": made.subjects,
                "faces": made.faces,
                "events": made.events,
                "keyring": None if keyring is None else str(keyring),
                "fingerprint": status.fingerprint,
            }
        )
        return
    click.echo(
        f"backed up {count(made.subjects, 'subject')} and {count(made.faces, 'face')} to "
        f"{shown(file)} ({made.bytes:,} bytes)"
    )
    if keyring is None:
        click.echo(
            "The keys are not in it: without the keyring and the master key nobody can read it. "
            "Copy the keyring with: sayso keyring copy FILE"
        )
    else:
        click.echo(
            f"The keys are not in it but in {shown(keyring)}, which still holds the keys of "
            "whoever is erased after now: replace it with every backup."
        )
    click.echo(
        f"The master key {status.fingerprint} is in neither; sayso keyring show tells where it "
        "is. Keep copies of all three, each in a place of its own."
    )


@click.command(short_help="Put the gallery back as it was in a backup.")
@file_argument
@click.option(
    "--keyring",
    metavar="COPY",
    type=click.Path(path_type=Path),
    help="Put this copy of the keyring in place first: for a standby that follows a primary.",
)
@yes_option
@json_option
def restore(file: Path, keyring: Path | None, yes: bool, as_json: bool) -> None:
    """Put the gallery back as it was when FILE was made, with the keyring of today.

    Everybody enrolled since the backup goes away, and so do the purposes and access keys made
    since. What ended since stays ended: whoever was erased is not brought back, what was withdrawn
    stays withdrawn, and access keys that were revoked stay so. The audit log goes on. On a
    terminal you are asked before.

    A data folder in which nothing was changed but by restoring follows another one: give it each
    backup of that one, with the copy of its keyring that was made with the backup.
    """
    question = (
        f"Put the gallery back as it was in {shown(file)}? Everybody enrolled since that backup "
        "goes away, with their consents, and so do purposes and access keys made since."
    )
    ask(question, yes, "nothing was restored")
    from sayso.core.restoring import restore as put_back

    done = put_back(None, file, keyring=keyring)
    if as_json:
        print_json(
            {
                "file": str(file),
                "subjects": done.subjects,
                "faces": done.faces,
                "erased": done.erased,
            }
        )
        return
    click.echo(
        f"restored {count(done.subjects, 'subject')} and {count(done.faces, 'face')} from "
        f"{shown(file)}"
    )
    if done.erased:
        click.echo(
            f"{count(done.erased, 'subject')} did not come back: they were erased, or what they "
            "agreed to has ended, since the backup"
        )
