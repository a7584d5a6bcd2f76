"""What the commands that work on the gallery share."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.files import file_named
from sayso.cli.notes import tell_made_key
from sayso.cli.output import complain, shown
from sayso.errors import SaysoError

if TYPE_CHECKING:
    from sayso.core import Sayso
    from sayso.results import Consent, EvidenceFile, Tombstone

collection_argument = click.argument("collection", metavar="COLLECTION")
subject_argument = click.argument("subject", metavar="SUBJECT")
yes_option = click.option("--yes", is_flag=True, help="Do not ask, even on a terminal.")

_LONGEST_SHOWN = 60

EVIDENCE_HELP = (
    "How you know: a text, or a file. Of a file, its name and sha256 are recorded, not its content."
)


class Declined(SaysoError):
    """The user was asked, and said no."""


def moment(context: click.Context, option: click.Parameter, value: str | None) -> datetime | None:
    """Read a date, taken as its first moment in local time, or a date and time in ISO 8601.

    The callback of an option; a usage error when ``value`` is neither.
    """
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value).astimezone()
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"{value!r} is no date such as 2027-01-31 or 2027-01-31T18:00", context, option
        ) from None


def gallery(*, make: bool = False) -> Sayso:
    """Open the gallery of the settings; use it in a ``with`` statement.

    Only where ``make`` says so, one that is not there is made: a folder that was mistyped is told,
    and not taken for an empty gallery. When that made the master key, this says so.
    """
    from sayso import core
    from sayso.settings import load_settings

    settings = load_settings()
    if not make:
        core.require_gallery(settings=settings)
    key = settings.key_file or (settings.keyring_dir or settings.data) / "master.key"
    # Asked first, so that only the command that makes a gallery has to ask more.
    there = os.path.exists(key)  # noqa: PTH110 - Path's own question raises for some names
    app = core.open()
    if not there:
        try:
            made = app.keyring_status().made
        except BaseException:
            app.close()
            raise
        if made is not None:
            # The default folder is a path that nobody typed: messages do not tell it.
            typed = settings.model_fields_set & {"key_file", "keyring_dir", "data"}
            tell_made_key(str(key) if typed else f"{key.name} in your data folder")
    return app


@contextlib.contextmanager
def any_gallery() -> Iterator[Sayso]:
    """Open a gallery for what needs none, and is only put on record in it.

    That is the one of the settings. Where the data folder can't be written, it is an empty one in a
    temporary folder, and this says that nothing stays on record: models may be all that is there.
    """
    from sayso import core
    from sayso.settings import load_settings

    settings = load_settings()
    if _may_write(settings.data):
        with gallery(make=True) as app:
            yield app
        return
    complain("the data folder cannot be written (SAYSO_DATA), so this is not put on record")
    with tempfile.TemporaryDirectory(prefix="sayso-") as folder:
        own = settings.model_copy(update={"keyring_dir": None, "key_file": None})
        with core.Sayso(Path(folder), settings=own) as app:
            yield app


#: What systems answer where nothing may be written; anything else is told when it is opened.
_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT})


def _may_write(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        return error.errno not in _CLOSED


def make_consent(
    purposes: tuple[str, ...], evidence: str, start: datetime | None, until: datetime | None
) -> Consent:
    """Return the consent that the options of a command describe."""
    from sayso.results import Consent

    return Consent(purposes=purposes, evidence=_evidence(evidence), valid_from=start, until=until)


def _evidence(given: str) -> str | EvidenceFile:
    """Return the evidence: a file that exists by its name and sha256, anything else as text."""
    from sayso.results import EvidenceFile

    file = file_named(given, option="--evidence", what="the evidence")
    if file is None:
        return given
    try:
        return EvidenceFile.of(file)
    except OSError as error:
        raise click.BadParameter(
            f"{given} cannot be read: {error.strerror}", param_hint="--evidence"
        ) from error


def evidence_document(evidence: str | EvidenceFile) -> str | dict[str, str]:
    """Return evidence as JSON has it."""
    if isinstance(evidence, str):
        return evidence
    return {"file": evidence.name, "sha256": evidence.sha256}


def evidence_text(evidence: str | EvidenceFile) -> str:
    """Return evidence as a table has it."""
    if isinstance(evidence, str):
        return evidence
    return f"{evidence.name} (sha256 {evidence.sha256[:12]}...)"


def evidence_line(evidence: str | EvidenceFile) -> str:
    """Return a line that says whether evidence was taken for a text or for a file."""
    if isinstance(evidence, str):
        cut = f"{evidence[:_LONGEST_SHOWN]}..." if len(evidence) > _LONGEST_SHOWN else evidence
        return f"evidence: the text '{shown(cut)}'"
    return f"evidence: the file {shown(evidence.name)}, sha256 {evidence.sha256}"


def tombstone_document(tombstone: Tombstone) -> dict[str, Any]:
    """Return a tombstone as JSON has it."""
    return {
        "id": tombstone.id,
        "collection": tombstone.collection,
        "created": tombstone.created.isoformat(),
        "erased": tombstone.erased.isoformat(),
        "faces": tombstone.faces,
        "consents": tombstone.consents,
        "reason": tombstone.reason,
    }


def local(moment: datetime | None) -> str:
    """Return a time as a table has it: local, to the minute."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")


def ask(question: str, yes: bool, otherwise: str) -> bool:
    """Ask before what cannot be undone; only where somebody is there to answer.

    Returns whether anybody said yes. Raises Declined, saying what is so ``otherwise``, when the
    answer is no.
    """
    if yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return yes
    if not click.confirm(question, err=True):
        raise Declined(otherwise)
    return True
