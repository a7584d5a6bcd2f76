"""What the commands that work on the gallery share."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.output import shown
from sayso.errors import SaysoError

if TYPE_CHECKING:
    from sayso.core import Sayso
    from sayso.results import Consent, EvidenceFile, Tombstone

collection_argument = click.argument("collection", metavar="COLLECTION")
subject_argument = click.argument("subject", metavar="SUBJECT")
yes_option = click.option("--yes", is_flag=True, help="Do not ask, even on a terminal.")

#: What asking for a file says of a text that names none.
_NO_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})
#: How the documents end that people keep as evidence, when a path leads to one.
_DOCUMENT = re.compile(
    r"\.(?:docx?|odt|rtf|pdf|txt|md|html?|json|eml|msg|asc|sig|p7[ms]|zip|"
    r"jpe?g|png|webp|heic|avif|tiff?)$",
    re.IGNORECASE,
)
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


def gallery() -> Sayso:
    """Open the gallery of the settings; use it in a ``with`` statement."""
    from sayso import core

    return core.open()


def make_consent(
    purposes: tuple[str, ...], evidence: str, start: datetime | None, until: datetime | None
) -> Consent:
    """Return the consent that the options of a command describe."""
    from sayso.results import Consent

    return Consent(purposes=purposes, evidence=_evidence(evidence), valid_from=start, until=until)


def _evidence(given: str) -> str | EvidenceFile:
    """Return the evidence: a file that exists by its name and sha256, anything else as text."""
    from sayso.results import EvidenceFile

    try:
        given.encode()
    except UnicodeEncodeError:
        raise click.BadParameter(
            f"{shown(given)} is not valid UTF-8; correct it, or rename the file",
            param_hint="--evidence",
        ) from None
    try:
        mode = Path(given).stat().st_mode if given else 0
        if stat.S_ISREG(mode):
            return EvidenceFile.of(given)
        if mode:
            kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
            raise click.BadParameter(
                f"{shown(given)} is {kind}; name one file, or describe the evidence in words",
                param_hint="--evidence",
            )
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise click.BadParameter(
                f"{given} cannot be read: {error.strerror}", param_hint="--evidence"
            ) from error
    except ValueError:  # a null character: no file, then
        pass
    if _looks_like_path(given):
        raise click.BadParameter(
            f"{shown(given)} looks like a file, and there is none; correct it, or describe the "
            "evidence in words",
            param_hint="--evidence",
        )
    return given


def _looks_like_path(given: str) -> bool:
    """Tell a mistyped path, which must not become evidence, from words and from addresses."""
    if "://" in given:
        return False
    return bool(_DOCUMENT.search(given)) or (os.sep in given and " " not in given)


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
    }


def local(moment: datetime | None) -> str:
    """Return a time as a table has it: local, to the minute."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")


def ask(question: str, yes: bool, otherwise: str) -> None:
    """Ask before what cannot be undone; only where somebody is there to answer.

    Raises Declined, saying what is so ``otherwise``, when the answer is no.
    """
    if yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    if not click.confirm(question, err=True):
        raise Declined(otherwise)
