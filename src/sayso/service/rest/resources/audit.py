"""The audit log: read, exported and verified."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from sayso import results
from sayso.audit.heads import Head
from sayso.audit.verification import Verification
from sayso.errors import AuditError
from sayso.service.lines import chunks
from sayso.service.rest import kinds, values
from sayso.service.rest.bodies import read_json, takes
from sayso.service.rest.calls import Asking
from sayso.service.rest.operations import NDJSON, Resource
from sayso.service.rest.pages import Page, Paged
from sayso.service.rest.problems import invalid
from sayso.service.rest.values import Answer, Asked

resource = Resource(
    "audit", "Who did what: a chain of signed entries. It takes the right to `audit`."
)
_LARGEST_NUMBER = 2**63 - 1


class HeadMembers(BaseModel):
    """What a head has."""

    version: Literal[1] = Field(
        validation_alias="sayso-audit-head",
        serialization_alias="sayso-audit-head",
        description="The version of this form.",
    )
    number: int = Field(ge=1, le=_LARGEST_NUMBER, description="Of the last entry.")
    hash: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the last entry.")
    signature: str = Field(pattern=r"^[0-9a-f]{128}$", description="Of the hash, Ed25519.")
    public_key: str = Field(pattern=r"^[0-9a-f]{64}$", description="That verifies the log.")
    time: str = Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$",
        description="Of the last entry: ISO 8601, UTC, to the microsecond.",
    )


class SavedHead(HeadMembers, Asked):
    """The signed end of the log at some moment, as it was saved."""

    def head(self) -> Head:
        """Return it as the core takes it; raises AuditError."""
        return Head.parse(self.model_dump_json(by_alias=True))


class AuditHead(HeadMembers, Answer):
    """The signed end of the log at this moment, to be kept elsewhere."""

    @classmethod
    def of(cls, found: Head) -> AuditHead:
        """Return it as a document."""
        return cls.model_validate(found.document())


class Entry(Answer):
    """An entry of the log, as it was hashed and signed."""

    entry: dict[str, Any]
    hash: str = Field(description="64 hex digits.")
    signature: str = Field(description="Of the hash, Ed25519, 128 hex digits.")

    @classmethod
    def of(cls, found: results.Entry) -> Entry:
        """Return it as a document."""
        return cls(entry=json.loads(found.body), hash=found.hash, signature=found.signature)


class Entries(Page[Entry]):
    """A page of the log."""


class ProblemOfLog(Answer):
    """Something in the log that is not as it was written."""

    number: int | None = Field(description="Of the entry; null where it is no one entry's.")
    what: str


class VerifiedLog(Answer):
    """Whether the log is as it was written."""

    ok: bool = Field(description="Whether there is no problem.")
    entries: int = Field(description="How many there are.")
    problems: list[ProblemOfLog] = Field(description="At most 100.")
    notes: list[str] = Field(description="What the result stands on.")
    head: AuditHead | None = Field(description="The last entry; null where there is none.")

    @classmethod
    def of(cls, found: Verification) -> VerifiedLog:
        """Return it as a document."""
        return cls(
            ok=found.ok,
            entries=found.entries,
            problems=[ProblemOfLog(number=each.number, what=each.what) for each in found.problems],
            notes=list(found.notes),
            head=None if found.head is None else AuditHead.of(found.head),
        )


class VerificationRequest(Asked):
    """What the log is to be checked against."""

    head: SavedHead | None = Field(
        default=None,
        description="A head that was saved before: everything up to it must be there unchanged.",
    )


def _name(pattern: str, longest: int, about: str) -> Any:
    return Query(pattern=pattern, min_length=1, max_length=longest, description=about)


@resource.operation(
    "GET", "/audit", "Read the audit log", answer=Entries, problems=(kinds.SUBJECT_NOT_FOUND,)
)
async def list_entries(
    call: Asking,
    paging: Paged,
    collection: Annotated[
        str | None, _name(values.KNOWN_COLLECTION, 255, "Only those of this collection.")
    ] = None,
    actor: Annotated[
        str | None, Query(min_length=1, max_length=255, description="Only what this actor did.")
    ] = None,
    kind: Annotated[
        str | None, _name(r"^[a-z\-]+$", 64, "Only this kind of event, as subject-erased.")
    ] = None,
    subject: Annotated[
        str | None,
        _name(
            values.KNOWN_SUBJECT,
            255,
            "Only those about this subject of the collection: a name, or the id of somebody who "
            "was erased.",
        ),
    ] = None,
    after: Annotated[
        int, Query(ge=0, le=_LARGEST_NUMBER, description="Only those of a higher number.")
    ] = 0,
    before: Annotated[
        int | None, Query(ge=1, le=_LARGEST_NUMBER, description="Only those of a lower number.")
    ] = None,
    newest_first: Annotated[bool, Query(description="The newest entry first.")] = False,
) -> Response:
    """Read entries of the audit log, the oldest first. That it was read is an entry, too.

    With `newest_first` the pages go from the latest entry to the first.
    """
    if subject is not None and collection is None:
        raise invalid("query", "/subject", "it takes a collection as well")
    about = None if subject is None or collection is None else (collection, subject)

    def work() -> Entries:
        at = int(paging.after_id(call) or 0)  # within the bounds, where there is a cursor
        found = call.app.audit_entries(
            after=after if newest_first else max(after, at),
            before=at if newest_first and at else before,
            limit=paging.limit,
            newest_first=newest_first,
            collection=collection,
            actor=actor,
            kind=kind,
            subject=about,
        )
        cursor = paging.following(call, found, lambda each: str(each.number))
        return Entries(items=[Entry.of(each) for each in found], next_cursor=cursor)

    return await call.tell(work)


@resource.operation("GET", "/audit/export", "Export the audit log", answer=None)
async def export_entries(
    call: Asking,
    after: Annotated[
        int,
        Query(ge=0, le=_LARGEST_NUMBER, description="Begin after the entry of this number."),
    ] = 0,
) -> Response:
    """Export the audit log: a line of JSON for each entry (`application/x-ndjson`).

    Anybody can verify such an export, without the gallery: `sayso audit verify --export FILE`.
    """
    lines = await call.light(lambda: call.app.audit_export(after))
    return StreamingResponse(
        chunks(call.shared.service.engine, lines),
        media_type=NDJSON,
        headers={"Cache-Control": "no-store"},
    )


@resource.operation(
    "POST",
    "/audit/verify",
    "Verify the audit log",
    answer=VerifiedLog,
    takes=takes(VerificationRequest, required=False),
)
async def verify_entries(call: Asking) -> Response:
    """Check the whole log: every hash, every link, the signature, and a saved head if given.

    That its end was cut off, or an old copy put in its place, shows only against a saved head.
    """
    body = await read_json(call.request, VerificationRequest, required=False)
    try:
        head = None if body.asked.head is None else body.asked.head.head()
        if head is not None:
            head.check()
    except AuditError as error:
        raise invalid("body", "/head", str(error)) from None

    def work() -> tuple[VerifiedLog, int]:
        return VerifiedLog.of(call.app.audit_verify(head)), 0

    return await call.find(work)


@resource.operation("GET", "/audit/head", "Get the head of the audit log", answer=AuditHead)
async def get_head(call: Asking) -> Response:
    """Get the signed end of the log. Keep it where whoever keeps the gallery cannot change it."""
    return await call.tell(lambda: AuditHead.of(call.app.audit_head()))
