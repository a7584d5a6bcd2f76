"""Consents: what subjects agreed to, and what they took back."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from pydantic import Discriminator, Field, Tag
from starlette.responses import Response

from sayso import results
from sayso.errors import ConsentRequired, InvalidName
from sayso.service.rest import kinds
from sayso.service.rest.asking import CollectionPath, SubjectPath
from sayso.service.rest.bodies import read_json, takes
from sayso.service.rest.calls import Changing, Reading
from sayso.service.rest.operations import Resource
from sayso.service.rest.pages import Items
from sayso.service.rest.problems import invalid
from sayso.service.rest.replays import Done
from sayso.service.rest.resources.tombstones import Tombstone
from sayso.service.rest.values import (
    Answer,
    Asked,
    Label,
    Moment,
    PurposeName,
    Text,
    in_order,
)

resource = Resource("consents", "What subjects agreed to, on what evidence, and what ended it.")
_TEXT: Final = "~text"
_FILE: Final = "~file"


class EvidenceFile(Asked):
    """A document that you keep as evidence: its name and hash, not its content."""

    file: Label = Field(description="Its name.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of its content, in hex.")


def _kind_of_evidence(value: Any) -> str | None:
    if isinstance(value, str):
        return _TEXT
    return _FILE if isinstance(value, dict | EvidenceFile) else None


Evidence = Annotated[
    Annotated[Text, Tag(_TEXT)] | Annotated[EvidenceFile, Tag(_FILE)],
    Discriminator(
        _kind_of_evidence,
        custom_error_type="evidence",
        custom_error_message="Evidence is a text, or an object with file and sha256",
    ),
]


class ConsentOffer(Asked):
    """A consent, to be recorded."""

    purposes: list[PurposeName] = Field(
        min_length=1, max_length=100, description="What the subject agrees to."
    )
    evidence: Evidence = Field(description="How one knows: a text, or a document that you keep.")
    from_: Moment | None = Field(
        default=None,
        validation_alias="from",
        serialization_alias="from",
        description="When it begins; now unless given.",
    )
    until: Moment | None = Field(
        default=None, description="When it ends; when the purposes' rules have it unless given."
    )
    given: Moment | None = Field(
        default=None, description="When the subject agreed; now unless given."
    )
    last_interaction: Moment | None = Field(
        default=None, description="When they were last in touch since then."
    )
    policy_version: Label | None = Field(
        default=None, description="The text that was agreed to, by a name of yours."
    )

    def consent(self, pointer: str) -> results.Consent:
        """Return it as the core takes it; ``pointer`` is where it is in the body."""
        evidence: str | results.EvidenceFile
        if isinstance(self.evidence, EvidenceFile):
            evidence = results.EvidenceFile(self.evidence.file, self.evidence.sha256)
        else:
            evidence = self.evidence
        try:
            return results.Consent(
                purposes=self.purposes,
                evidence=evidence,
                valid_from=self.from_,
                until=self.until,
                policy_version=self.policy_version,
                given=self.given,
                last_interaction=self.last_interaction,
            )
        except (ConsentRequired, InvalidName) as error:  # no consent at all, not none that covers
            raise invalid("body", pointer, str(error)) from None


class RecordedEvidenceFile(Answer):
    """A document that somebody keeps as evidence: its name and hash."""

    file: str
    sha256: str


class Consent(Answer):
    """A consent as it stands in the record."""

    id: str
    subject: str
    purposes: list[str]
    evidence: str | RecordedEvidenceFile
    policy_version: str | None
    given: datetime = Field(description="When the subject agreed.")
    from_: datetime = Field(
        validation_alias="from", serialization_alias="from", description="When it begins."
    )
    until: datetime | None = Field(description="When it ends by itself, if that was said.")
    recorded: datetime
    recorded_by: str = Field(description="Who recorded it.")
    last_interaction: datetime = Field(description="When the subject was last in touch.")
    ends: dict[str, datetime] = Field(
        description="When it ends for each purpose, unless withdrawn before."
    )
    notices: dict[str, int] = Field(
        description="The version of the notice that was agreed to, for each purpose."
    )
    withdrawn: dict[str, datetime] = Field(description="When each purpose was withdrawn.")

    @classmethod
    def of(cls, found: results.ConsentRecord) -> Consent:
        """Return it as a document."""
        evidence: str | RecordedEvidenceFile
        if isinstance(found.evidence, str):
            evidence = found.evidence
        else:
            evidence = RecordedEvidenceFile(file=found.evidence.name, sha256=found.evidence.sha256)
        return cls(
            id=found.id,
            subject=found.subject,
            purposes=list(found.purposes),
            evidence=evidence,
            policy_version=found.policy_version,
            given=found.given,
            from_=found.valid_from,
            until=found.until,
            recorded=found.recorded,
            recorded_by=found.recorded_by,
            last_interaction=found.last_interaction,
            ends=in_order(found.ends),
            notices=in_order(found.notices),
            withdrawn=in_order(found.withdrawn),
        )


class Consents(Items[Consent]):
    """Every consent of a subject, the oldest first."""


class WithdrawalRequest(Asked):
    """What is withdrawn."""

    purpose: PurposeName | None = Field(
        default=None, description="The purpose; all of them unless given."
    )


class Withdrawal(Answer):
    """What a withdrawal did. It may be kept after an erasure, and so names nobody."""

    withdrawn: list[str] = Field(description="The purposes that were withdrawn now.")
    tombstone: Tombstone | None = Field(
        description="What is left of the subject when nothing stood any more, or null."
    )


class Interaction(Asked):
    """That a subject was in touch."""

    at: Moment | None = Field(default=None, description="When that was; now unless given.")


_NO_SUBJECT = kinds.SUBJECT_NOT_FOUND


@resource.operation(
    "GET",
    "/collections/{collection}/subjects/{subject}/consents",
    "List the consents of a subject",
    answer=Consents,
    problems=(_NO_SUBJECT,),
)
async def list_consents(
    call: Reading, collection: CollectionPath, subject: SubjectPath
) -> Response:
    """List every consent of a subject, the oldest first, withdrawn and ended ones, too."""

    def work() -> Consents:
        found = call.app.consents(collection, subject)
        return Consents(items=[Consent.of(each) for each in found])

    return await call.read(work)


@resource.operation(
    "POST",
    "/collections/{collection}/subjects/{subject}/consents",
    "Record a consent",
    answer=Consent,
    status=HTTPStatus.CREATED,
    takes=takes(ConsentOffer),
    problems=(
        kinds.CONSENT_REQUIRED,
        kinds.PURPOSE_NOT_DECLARED,
        kinds.INVALID_NAME,
        kinds.REFUSED,
    ),
)
async def add_consent(call: Changing, collection: CollectionPath, subject: SubjectPath) -> Response:
    """Record a consent, which may begin later. The subject is made where it is not there yet.

    It takes the right to `enrol`.
    """
    body = await read_json(call.request, ConsentOffer)

    def work() -> Done:
        consent = body.asked.consent("")
        found = call.app.add_consent(collection, subject, consent)
        return Done(Consent.of(found), HTTPStatus.CREATED, location=call.path)

    return await call.change(work, body=body, collection=collection)


@resource.operation(
    "POST",
    "/collections/{collection}/subjects/{subject}/consents/withdraw",
    "Withdraw consents",
    answer=Withdrawal,
    takes=takes(WithdrawalRequest, required=False),
    problems=(_NO_SUBJECT, kinds.CONSENT_NOT_FOUND, kinds.INVALID_NAME),
)
async def withdraw_consents(
    call: Changing, collection: CollectionPath, subject: SubjectPath
) -> Response:
    """Withdraw a subject's consents to one purpose, or to all, at once.

    Faces go with the last purpose of the consent that they were enrolled on, and the subject with
    the last one of all. It takes the right to `enrol` or to `erase`.
    """
    body = await read_json(call.request, WithdrawalRequest, required=False)

    def work() -> Done:
        found = call.app.withdraw_consent(collection, subject, body.asked.purpose)
        stone = found.tombstone
        answer = Withdrawal(
            withdrawn=list(found.purposes),
            tombstone=None if stone is None else Tombstone.of(stone),
        )
        return Done(answer)

    return await call.change(work, body=body, collection=collection)


@resource.operation(
    "POST",
    "/collections/{collection}/subjects/{subject}/interactions",
    "Record that a subject was in touch",
    answer=Consents,
    takes=takes(Interaction, required=False),
    problems=(_NO_SUBJECT, kinds.CONSENT_REQUIRED),
)
async def record_interaction(
    call: Changing, collection: CollectionPath, subject: SubjectPath
) -> Response:
    """Record that a person was in touch, now or at a time before.

    The rule that ends consents so many days after the last contact counts anew from there. It
    takes the right to `enrol`.
    """
    body = await read_json(call.request, Interaction, required=False)

    def work() -> Done:
        found = call.app.record_interaction(collection, subject, body.asked.at)
        return Done(Consents(items=[Consent.of(each) for each in found]))

    return await call.change(work, body=body, collection=collection)
