"""``sayso consents``: what subjects agreed to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.documents import of_time
from sayso.cli.gallery import (
    EVIDENCE_HELP,
    ask,
    collection_argument,
    evidence_document,
    evidence_line,
    evidence_text,
    gallery,
    local,
    make_consent,
    moment,
    subject_argument,
    tombstone_document,
    yes_option,
)
from sayso.cli.notes import telling_declared
from sayso.cli.output import json_option, print_json, print_table, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sayso.results import ConsentRecord


@click.group()
def consents() -> None:
    """Record, list and withdraw consents."""


@consents.command()
@collection_argument
@subject_argument
@click.option(
    "--purpose",
    "purposes",
    metavar="P",
    multiple=True,
    required=True,
    help="What the subject agreed to; may be given several times.",
)
@click.option(
    "--evidence",
    metavar="TEXT_OR_FILE",
    required=True,
    help=EVIDENCE_HELP,
)
@click.option(
    "--from", "start", metavar="DATE", callback=moment, help="When it begins; now unless given."
)
@click.option(
    "--until",
    metavar="DATE",
    callback=moment,
    help="When it ends: as that day begins, or at a time such as 2027-01-31T18:00.",
)
@json_option
def add(
    *,
    collection: str,
    subject: str,
    purposes: tuple[str, ...],
    evidence: str,
    start: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> None:
    """Record a consent of a subject, who need not be enrolled yet."""
    consent = make_consent(purposes, evidence, start, until)
    with gallery() as app, telling_declared(app, collection, purposes):
        record = app.add_consent(collection, subject, consent)
    if as_json:
        print_json(_document(record))
    else:
        click.echo(
            f"recorded consent {record.id} of {shown(subject)} to {', '.join(record.purposes)}"
        )
        click.echo(evidence_line(record.evidence))
        for purpose in record.purposes:
            click.echo(f"{purpose} ends {local(record.ends[purpose])} at the latest")


@consents.command()
@collection_argument
@subject_argument
@click.option("--purpose", metavar="P", help="Withdraw this purpose only; all unless given.")
@yes_option
@json_option
def withdraw(
    *, collection: str, subject: str, purpose: str | None, yes: bool, as_json: bool
) -> None:
    """Withdraw a subject's consents.

    With the last purpose, and so without --purpose, the subject is erased, which cannot be undone;
    on a terminal you are asked before that.
    """
    with gallery() as app:
        if _would_erase(app.consents(collection, subject), purpose):
            question = f"Withdraw the last consent of {shown(subject)}, and so erase them?"
            ask(question, yes, "nothing was withdrawn")
        done = app.withdraw_consent(collection, subject, purpose)
    if as_json:
        print_json(
            {
                "collection": collection,
                "subject": subject,
                "withdrawn": list(done.purposes),
                "tombstone": done.tombstone and tombstone_document(done.tombstone),
            }
        )
        return
    click.echo(f"withdrawn for {shown(subject)}: {', '.join(done.purposes)}")
    if done.tombstone is not None:
        click.echo(f"no purpose is left, so the subject was erased; tombstone {done.tombstone.id}")


@consents.command("list")
@collection_argument
@subject_argument
@json_option
def list_(collection: str, subject: str, as_json: bool) -> None:
    """List the consents of a subject."""
    with gallery() as app:
        records = app.consents(collection, subject)
    if as_json:
        print_json([_document(record) for record in records])
        return
    headers = [
        *["consent", "purpose", "evidence", "from", "ends", "notice", "last contact"],
        "recorded by",
    ]
    print_table(headers, [row for record in records for row in _rows(record)], right="lllllr")


@consents.command(short_help="Record that a person was in touch.")
@collection_argument
@subject_argument
@click.option("--at", metavar="DATE", callback=moment, help="When that was; now unless given.")
@json_option
def interaction(collection: str, subject: str, at: datetime | None, as_json: bool) -> None:
    """Record that a person was in touch.

    Consents end so many days after the last contact, as their purpose has it; the days are counted
    anew from there.
    """
    with gallery() as app:
        records = app.record_interaction(collection, subject, at)
    if as_json:
        print_json([_document(record) for record in records])
        return
    latest = max(record.last_interaction for record in records)
    click.echo(f"the last contact with {shown(subject)} was {local(latest)}")
    for purpose, ends in sorted(_live_ends(records).items()):
        click.echo(f"{purpose}: ends {local(ends)}, unless they withdraw it before")


def _rows(record: ConsentRecord) -> list[list[str]]:
    """Return a line of the table for each purpose of a consent."""
    return [
        [
            record.id,
            _purpose(record, purpose),
            evidence_text(record.evidence),
            local(record.valid_from),
            local(record.ends[purpose]),
            f"{record.notices[purpose]}",
            local(record.last_interaction),
            record.recorded_by,
        ]
        for purpose in record.purposes
    ]


def _live_ends(records: Iterable[ConsentRecord]) -> dict[str, datetime]:
    """Return when each purpose ends that a consent stands for, now or later."""
    now = datetime.now(UTC)
    found: dict[str, datetime] = {}
    for record in records:
        for purpose in set(record.purposes) - set(record.withdrawn):
            ends = record.ends[purpose]
            if ends > now:
                found[purpose] = max(ends, found.get(purpose, ends))
    return found


def _would_erase(records: Iterable[ConsentRecord], purpose: str | None) -> bool:
    """Tell whether withdrawing the purpose, or all when None, leaves no other."""
    standing = set(_live_ends(records))
    return bool(standing) and (purpose is None or standing == {purpose})


def _purpose(record: ConsentRecord, purpose: str) -> str:
    """Return a purpose, and why it is not live if it is not."""
    now = datetime.now(UTC)
    if purpose in record.withdrawn:
        return f"{purpose} (withdrawn {local(record.withdrawn[purpose])})"
    if record.ends[purpose] <= now:
        return f"{purpose} (ended)"
    return purpose if record.covers(purpose, now) else f"{purpose} (not yet)"


def _document(record: ConsentRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "subject": record.subject,
        "purposes": list(record.purposes),
        "evidence": evidence_document(record.evidence),
        "policy_version": record.policy_version,
        "given": of_time(record.given),
        "from": of_time(record.valid_from),
        "until": of_time(record.until),
        "recorded": of_time(record.recorded),
        "recorded_by": record.recorded_by,
        "last_interaction": of_time(record.last_interaction),
        "ends": {purpose: of_time(when) for purpose, when in record.ends.items()},
        "notices": dict(record.notices),
        "withdrawn": {purpose: of_time(when) for purpose, when in record.withdrawn.items()},
    }
