"""``sayso keyring``: the keys that everything in the gallery is sealed by."""

from __future__ import annotations

from pathlib import Path

import click

from sayso.cli.gallery import gallery
from sayso.cli.output import count, json_option, print_json, shown


@click.group()
def keyring() -> None:
    """Show, rotate and copy the keys of the gallery."""


@keyring.command(short_help="Show which master key is in use.")
@json_option
def show(as_json: bool) -> None:
    """Show which master key is in use, where its file is, and how many subjects have a key."""
    with gallery() as app:
        status = app.keyring_status()
    if as_json:
        print_json(
            {
                "fingerprint": status.fingerprint,
                "subjects": status.subjects,
                "key_file": str(status.key_file),
            }
        )
        return
    click.echo(f"master key {status.fingerprint}, in {shown(status.key_file)}")
    click.echo(f"it wraps the keys of {count(status.subjects, 'subject')}")


@keyring.command(short_help="Wrap every key under a new master key.")
@click.option(
    "--to",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Take the new master key from this file, or make it there if there is none; the old file "
    "is left alone. Set SAYSO_KEY_FILE to it from then on.",
)
@json_option
def rotate(to: Path | None, as_json: bool) -> None:
    """Wrap every key under a new master key, which takes the place of the old one.

    Nothing that is sealed is written anew, and other processes go on working. Copies of the
    keyring that were made before open with the old master key only: make new ones.
    """
    with gallery() as app:
        fingerprint = app.rotate_master_key(to)
    if as_json:
        print_json({"fingerprint": fingerprint, "key_file": None if to is None else str(to)})
        return
    click.echo(f"every key is under the new master key {fingerprint} now")
    if to is not None:
        click.echo(f"It is in {shown(to)}: set SAYSO_KEY_FILE to that file before anything else.")
    click.echo(
        "Keep a copy of its file apart from the gallery: whoever loses it loses every template. "
        "Copies of the keyring made before open with the old master key only; make new ones "
        "(sayso keyring copy)."
    )


@keyring.command(short_help="Copy the keyring to a file.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@json_option
def copy(file: Path, as_json: bool) -> None:
    """Copy the keyring to FILE, while it is in use; an older copy there is replaced.

    The master key is not in it. A copy still holds the keys of whoever is erased later: replace it
    often, and destroy the old ones, or what was erased can be read in old backups.
    """
    with gallery() as app:
        app.copy_keyring(file)
        status = app.keyring_status()
    if as_json:
        print_json(
            {
                "file": str(file),
                "fingerprint": status.fingerprint,
                "subjects": status.subjects,
            }
        )
        return
    click.echo(
        f"copied the keyring to {shown(file)}: the keys of {count(status.subjects, 'subject')}"
    )
    click.echo(
        f"It opens with the master key {status.fingerprint}, which is not in it. It still holds "
        "the keys of whoever is erased after now: replace it soon."
    )
