"""``sayso subjects report``: all that a person can be told about themselves, in plain words."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.documents import of_time
from sayso.cli.gallery import (
    collection_argument,
    evidence_document,
    gallery,
    subject_argument,
)
from sayso.cli.output import count, json_option, print_json, shown
from sayso.cli.telling import day, done_to, found_in, minute, similarities, who

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sayso.results import ConsentRecord, EntryAbout, SubjectReport

_WIDTH = 96


@click.command(short_help="Tell a subject what is held, on what consent, and who found them.")
@collection_argument
@subject_argument
@json_option
def report(collection: str, subject: str, as_json: bool) -> None:
    """Tell a subject what is held about them, what they agreed to, and who found them.

    It is written for the person. It names nobody else, and no id but their own.
    """
    with gallery() as app:
        told = app.report(collection, subject)
    if as_json:
        print_json(_document(told))
        return
    for line in _lines(told):
        click.echo(line)


def _lines(told: SubjectReport) -> Iterator[str]:
    subject = told.subject
    yield f"What the collection {shown(subject.collection)} holds about {shown(subject.name)}"
    yield f"As of {minute(datetime.now(UTC))}. Your number in it is {subject.id}."
    yield from _section("What we hold", _held(told))
    yield from _section("What you agreed to", _agreed(told))
    yield from _section("Who searched and found you", _searches(told))
    yield from _section("What else was done", _history(told))
    yield from _section("Your rights", _rights(told))


def _section(title: str, paragraphs: Iterable[str]) -> Iterator[str]:
    yield ""
    yield title.upper()
    for paragraph in paragraphs:
        hanging = "  " if paragraph.startswith(("- ", "  ")) else ""
        yield from textwrap.wrap(
            shown(paragraph), _WIDTH, subsequent_indent=hanging, break_on_hyphens=False
        )


def _held(told: SubjectReport) -> Iterator[str]:
    yield f"Your name here, {told.subject.name}, since {day(told.subject.created)}."
    if told.faces:
        yield (
            f"{count(len(told.faces), 'numerical description')} of your face, by which you can be "
            "recognised in pictures. The pictures themselves are not kept."
        )
    else:
        yield "No description of your face: nobody can be shown to be you by this."
    for face in told.faces:
        source = "from numbers that were made elsewhere" if face.box is None else "from a picture"
        yield f"- made {source} on {minute(face.created)}"
    yield "What you agreed to, and how we know of it, as told below."
    yield "A record of what was done with all this, made so that later changes in it can be found."


def _agreed(told: SubjectReport) -> Iterator[str]:
    if not told.consents:
        yield "Nothing is on record."
    for record in told.consents:
        for purpose in record.purposes:
            yield f"- {purpose}: you agreed on {day(record.given)}. {_state(record, purpose)}"
            yield f"  You were told: {_notice(told, record, purpose)}"
            yield f"  How we know: {_evidence(record)}. Put on record by {who(record.recorded_by)}."


def _state(record: ConsentRecord, purpose: str) -> str:
    """Return how a consent to a purpose stands, in a sentence."""
    now, ends = datetime.now(UTC), record.ends[purpose]
    if purpose in record.withdrawn:
        return f"You took it back on {minute(record.withdrawn[purpose])}."
    if ends <= now:
        return f"It ended on {minute(ends)}."
    begins = "" if record.valid_from <= now else f"It begins on {minute(record.valid_from)}. "
    return f"{begins}It lasts until {minute(ends)} at the latest, unless you take it back before."


def _notice(told: SubjectReport, record: ConsentRecord, purpose: str) -> str:
    text = told.notices.get((purpose, record.notices[purpose]), "")
    return " ".join(text.split())


def _evidence(record: ConsentRecord) -> str:
    if isinstance(record.evidence, str):
        return f'"{record.evidence}"'
    return f"the document {record.evidence.name}, which is kept elsewhere"


def _searches(told: SubjectReport) -> Iterator[str]:
    found = [line for entry in told.entries if (line := found_in(entry, told.subject.id))]
    if not found:
        yield "Nobody: no search has found you."
        return
    yield "The similarity tells how much you look like the face in the picture, from 0 to 100."
    yield from _counted(found)


def _history(told: SubjectReport) -> Iterator[str]:
    done = [line for entry in told.entries if (line := done_to(entry, told.subject.id))]
    yield from _counted(done) if done else ["Nothing."]


def _counted(lines: Iterable[str]) -> Iterator[str]:
    """Yield each line once where the same comes several times in a row, and say how often."""
    for line, same in groupby(lines):
        times = len(list(same))
        yield f"- {line}" if times == 1 else f"- {line} ({times} times)"


def _rights(told: SubjectReport) -> Iterator[str]:
    here = f"{told.subject.collection} {told.subject.name}"
    yield (
        "You can take back what you agreed to, one purpose or all of it, at any time and without "
        f"a reason (sayso consents withdraw {here}). From that moment nobody finds you for it."
    )
    yield (
        "When nothing is left that you agreed to, or when you ask for it (sayso subjects erase "
        f"{here}), all that is told here is erased. What remains is your number, dates and counts, "
        "and in the record that somebody of that number was found: not who it was."
    )
    yield (
        "You can ask for this report at any time, and have what is wrong in it put right. Whoever "
        "gave it to you must do these things for you. If they do not, or if you think that they "
        "use your data wrongly, you can complain to the data protection authority of your place."
    )


def _document(told: SubjectReport) -> dict[str, Any]:
    subject = told.subject
    return {
        "id": subject.id,
        "collection": subject.collection,
        "subject": subject.name,
        "created": of_time(subject.created),
        "faces": [
            {
                "created": of_time(face.created),
                "model": face.model,
                "quality": face.quality,
                "from_picture": face.box is not None,
            }
            for face in told.faces
        ],
        "consents": [
            _consent_document(told, record, purpose)
            for record in told.consents
            for purpose in record.purposes
        ],
        "searches": list(_told(told, found_in)),
        "history": list(_told(told, done_to)),
    }


def _consent_document(told: SubjectReport, record: ConsentRecord, purpose: str) -> dict[str, Any]:
    version = record.notices[purpose]
    return {
        "purpose": purpose,
        "given": of_time(record.given),
        "from": of_time(record.valid_from),
        "ends": of_time(record.ends[purpose]),
        "withdrawn": of_time(record.withdrawn.get(purpose)),
        "last_interaction": of_time(record.last_interaction),
        "evidence": evidence_document(record.evidence),
        "policy_version": record.policy_version,
        "notice": told.notices.get((purpose, version)),
        "notice_version": version,
        "recorded_by": record.recorded_by,
    }


def _told(
    told: SubjectReport, tell: Callable[[EntryAbout, str], str | None]
) -> Iterator[dict[str, Any]]:
    for entry in told.entries:
        what = tell(entry, told.subject.id)
        if what:
            yield {
                "time": of_time(entry.time),
                "actor": entry.actor,
                "purpose": entry.purpose,
                "event": entry.event.kind,
                "what": what,
                "similarities": similarities(entry, told.subject.id),
            }
