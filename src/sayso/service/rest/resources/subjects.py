"""Subjects: the people of a collection, what is held about them, and their erasure."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from pydantic import Field
from starlette.responses import Response

from sayso import results
from sayso.service.rest import kinds
from sayso.service.rest.asking import CollectionPath, SubjectPath
from sayso.service.rest.calls import Asking, Changing, IfMatch, Reading
from sayso.service.rest.conditions import require_match
from sayso.service.rest.documents import EnrolledFace
from sayso.service.rest.operations import Resource
from sayso.service.rest.pages import Items, Page, Paged
from sayso.service.rest.replays import Done
from sayso.service.rest.resources.consents import Consent
from sayso.service.rest.resources.tombstones import Tombstone
from sayso.service.rest.values import Answer

resource = Resource(
    "subjects",
    "The people of a collection. A key that may not `admin` knows only of those whose consent "
    "covers its purpose.",
)
_NO_SUBJECT = kinds.SUBJECT_NOT_FOUND


class Subject(Answer):
    """A person who may be enrolled."""

    id: str = Field(description="An id that stays: a tombstone has it.")
    collection: str
    subject: str = Field(description="The name.")
    created: datetime
    faces: int = Field(description="How many are enrolled.")
    purposes: list[str] = Field(description="Those that a live consent covers.")

    @classmethod
    def of(cls, found: results.Subject) -> Subject:
        """Return it as a document."""
        return cls(
            id=found.id,
            collection=found.collection,
            subject=found.name,
            created=found.created,
            faces=found.faces,
            purposes=list(found.purposes),
        )


class Subjects(Page[Subject]):
    """A page of subjects, the oldest first."""


class Tombstones(Page[Tombstone]):
    """A page of tombstones, the latest first."""


class EnrolledFaces(Items[EnrolledFace]):
    """Every face of a subject, the oldest first."""


class Notice(Answer):
    """A text that a subject agreed to."""

    purpose: str
    version: int
    notice: str


class EntryAbout(Answer):
    """An entry of the audit log, as far as it is about the subject; nobody else is told of."""

    number: int
    time: datetime
    actor: str
    purpose: str | None
    event: str = Field(description="The kind of event.")
    details: dict[str, Any] = Field(description="What the event says, by its kind.")

    @classmethod
    def of(cls, found: results.EntryAbout) -> EntryAbout:
        """Return it as a document."""
        event = found.event
        details = {each.name: _plain(getattr(event, each.name)) for each in fields(event)}
        return cls(
            number=found.number,
            time=found.time,
            actor=found.actor,
            purpose=found.purpose,
            event=event.kind,
            details=details,
        )


class SubjectReport(Answer):
    """All that a subject can be told about themselves."""

    subject: Subject
    faces: list[EnrolledFace]
    consents: list[Consent]
    notices: list[Notice] = Field(description="The texts that were agreed to.")
    entries: list[EntryAbout] = Field(
        description="Everything on record about the subject, each search that found them among it; "
        "the oldest first."
    )

    @classmethod
    def of(cls, found: results.SubjectReport) -> SubjectReport:
        """Return it as a document."""
        return cls(
            subject=Subject.of(found.subject),
            faces=[EnrolledFace.of(each) for each in found.faces],
            consents=[Consent.of(each) for each in found.consents],
            notices=[
                Notice(purpose=purpose, version=version, notice=text)
                for (purpose, version), text in sorted(found.notices.items())
            ],
            entries=[EntryAbout.of(each) for each in found.entries],
        )


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "__dataclass_fields__"):  # somebody who was found
        return {each.name: getattr(value, each.name) for each in fields(value)}
    return value


@resource.operation("GET", "/collections/{collection}/subjects", "List subjects", answer=Subjects)
async def list_subjects(call: Reading, collection: CollectionPath, paging: Paged) -> Response:
    """List the subjects of a collection, the oldest first."""

    def work() -> Subjects:
        after = paging.after_id(call)
        found = call.app.subjects(collection, after=after, limit=paging.limit)
        cursor = paging.following(call, found, lambda each: each.id)
        return Subjects(items=[Subject.of(each) for each in found], next_cursor=cursor)

    return await call.read(work)


@resource.operation(
    "GET",
    "/collections/{collection}/subjects/{subject}",
    "Get a subject",
    answer=Subject,
    problems=(_NO_SUBJECT,),
)
async def get_subject(call: Reading, collection: CollectionPath, subject: SubjectPath) -> Response:
    """Get one subject."""
    return await call.read(lambda: Subject.of(call.app.subject(collection, subject)))


@resource.operation(
    "DELETE",
    "/collections/{collection}/subjects/{subject}",
    "Erase a subject",
    answer=Tombstone,
    problems=(_NO_SUBJECT,),
)
async def erase_subject(
    call: Changing, collection: CollectionPath, subject: SubjectPath, if_match: IfMatch = None
) -> Response:
    """Erase a subject: templates, consents, evidence, name and key. It cannot be undone.

    It takes the right to `erase`.
    """

    def work() -> Done:
        require_match(if_match, lambda: Subject.of(call.app.subject(collection, subject)))
        return Done(Tombstone.of(call.app.erase_subject(collection, subject)))

    return await call.change(work, collection=collection)


@resource.operation(
    "GET",
    "/collections/{collection}/subjects/{subject}/faces",
    "List the faces of a subject",
    answer=EnrolledFaces,
    problems=(_NO_SUBJECT,),
)
async def list_faces_of_subject(
    call: Reading, collection: CollectionPath, subject: SubjectPath
) -> Response:
    """List every enrolled face of a subject, the oldest first."""

    def work() -> EnrolledFaces:
        found = call.app.faces(collection, subject)
        return EnrolledFaces(items=[EnrolledFace.of(each) for each in found])

    return await call.read(work)


@resource.operation(
    "GET",
    "/collections/{collection}/subjects/{subject}/report",
    "Report to a subject",
    answer=SubjectReport,
    problems=(_NO_SUBJECT,),
)
async def report_subject(
    call: Asking, collection: CollectionPath, subject: SubjectPath
) -> Response:
    """Tell all that a subject can be told: what is held, on what consent, and who found them.

    Nobody else is told of in it. It takes the right to `audit` or `admin`.
    """
    return await call.tell(lambda: SubjectReport.of(call.app.report(collection, subject)))


@resource.operation(
    "GET", "/collections/{collection}/tombstones", "List tombstones", answer=Tombstones
)
async def list_tombstones(call: Reading, collection: CollectionPath, paging: Paged) -> Response:
    """List what is left of those who were erased from a collection, the latest first.

    It takes the right to `audit` or `admin`.
    """

    def work() -> Tombstones:
        found = call.app.tombstones(collection)
        some, cursor = paging.cut(call, found, lambda each: each.id, ordered=False)
        return Tombstones(items=[Tombstone.of(each) for each in some], next_cursor=cursor)

    return await call.read(work)
