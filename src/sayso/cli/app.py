"""The group of all commands."""

from __future__ import annotations

import click

from sayso.cli.audit import audit
from sayso.cli.backup import backup, restore
from sayso.cli.calibrate import calibrate
from sayso.cli.collections import collections
from sayso.cli.compare import compare
from sayso.cli.consents import consents
from sayso.cli.enroll import enroll
from sayso.cli.evaluate import evaluate
from sayso.cli.faces import faces
from sayso.cli.keyring import keyring
from sayso.cli.keys import keys
from sayso.cli.models import models
from sayso.cli.purposes import purposes
from sayso.cli.ready import ready
from sayso.cli.recognize import recognize
from sayso.cli.redact import redact
from sayso.cli.serve import serve
from sayso.cli.subjects import subjects


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"sayso {version('sayso')}")
        context.exit()


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="The gallery is in the folder that SAYSO_DATA names, or in your user's data folder.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Recognise faces on people's say-so."""


for _command in (
    faces,
    compare,
    collections,
    purposes,
    enroll,
    recognize,
    redact,
    subjects,
    consents,
    keys,
    keyring,
    audit,
    evaluate,
    calibrate,
    backup,
    restore,
    models,
    serve,
    ready,
):
    cli.add_command(_command)
