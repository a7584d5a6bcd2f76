"""Purposes: what a collection is for, what people are told, and how long consents last."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field
from starlette.responses import Response

from sayso import results
from sayso.core import Sayso
from sayso.errors import PurposeNotDeclared
from sayso.service.rest import kinds
from sayso.service.rest.asking import CollectionPath, PurposePath
from sayso.service.rest.bodies import read_json, takes
from sayso.service.rest.calls import Changing, IfMatch, Reading
from sayso.service.rest.conditions import require_match
from sayso.service.rest.operations import Resource
from sayso.service.rest.pages import Items
from sayso.service.rest.problems import Refused
from sayso.service.rest.replays import Done
from sayso.service.rest.resources.tombstones import Tombstone
from sayso.service.rest.values import Answer, Asked, Text

resource = Resource(
    "purposes", "What a collection is for, what people are told, and how long consents last."
)
_LONGEST_DAYS = 36_500
_LONGEST_IDLE_DAYS = 1095


class Purpose(Answer):
    """A purpose of a collection, and the notice that is in force."""

    id: str
    collection: str
    purpose: str
    notice: str = Field(description="What people are told.")
    notice_version: int = Field(description="1 for the first text, and one more for each other.")
    max_days: int | None = Field(description="A consent ends so many days after it was given.")
    idle_days: int = Field(description="A consent ends so many days after the last contact.")
    by_default: bool = Field(description="Whether only the first consent to it declared it.")
    declared: datetime
    declared_by: str
    met: datetime | None = Field(description="When it was met, or null.")

    @classmethod
    def of(cls, found: results.Purpose) -> Purpose:
        """Return it as a document."""
        return cls(
            id=found.id,
            collection=found.collection,
            purpose=found.name,
            notice=found.notice,
            notice_version=found.version,
            max_days=found.max_days,
            idle_days=found.idle_days,
            by_default=found.by_default,
            declared=found.declared,
            declared_by=found.declared_by,
            met=found.met,
        )


class Purposes(Items[Purpose]):
    """The purposes of a collection, ordered by name."""


class PurposeDeclaration(Asked):
    """What a purpose is to mean."""

    notice: Text = Field(description="What people are told, in plain words.")
    max_days: int | None = Field(
        default=None,
        ge=1,
        le=_LONGEST_DAYS,
        description="A consent ends at the latest so many days after it was given.",
    )
    idle_days: int = Field(
        default=_LONGEST_IDLE_DAYS,
        ge=1,
        le=_LONGEST_IDLE_DAYS,
        description="A consent ends so many days after the last contact; three years at most.",
    )


class MetPurpose(Answer):
    """A purpose that is met."""

    collection: str
    purpose: str
    erased: list[Tombstone] = Field(description="What is left of those who agreed to nothing else.")


@resource.operation("GET", "/collections/{collection}/purposes", "List purposes", answer=Purposes)
async def list_purposes(call: Reading, collection: CollectionPath) -> Response:
    """List the purposes of a collection, ordered by name."""

    def work() -> Purposes:
        return Purposes(items=[Purpose.of(each) for each in call.app.purposes(collection)])

    return await call.read(work)


@resource.operation(
    "GET",
    "/collections/{collection}/purposes/{purpose}",
    "Get a purpose",
    answer=Purpose,
    problems=(kinds.PURPOSE_NOT_FOUND,),
)
async def get_purpose(call: Reading, collection: CollectionPath, purpose: PurposePath) -> Response:
    """Get one purpose, with the notice that is in force."""
    return await call.read(lambda: _found(call.app, collection, purpose))


@resource.operation(
    "PUT",
    "/collections/{collection}/purposes/{purpose}",
    "Declare a purpose",
    answer=Purpose,
    takes=takes(PurposeDeclaration),
    problems=(kinds.PURPOSE_NOT_FOUND, kinds.INVALID_NAME, kinds.REFUSED),
)
async def declare_purpose(
    call: Changing, collection: CollectionPath, purpose: PurposePath, if_match: IfMatch = None
) -> Response:
    """Declare a purpose, or declare it anew with another notice or rule.

    From the first declaration on, consents to other purposes are refused. A stricter rule binds
    the consents that were given, too, and whoever has none left by it is erased. It takes the
    right to `admin`.
    """
    body = await read_json(call.request, PurposeDeclaration)

    def work() -> Done:
        require_match(if_match, lambda: _found(call.app, collection, purpose))
        asked = body.asked
        found = call.app.declare_purpose(
            collection,
            purpose,
            notice=asked.notice,
            max_days=asked.max_days,
            idle_days=asked.idle_days,
        )
        return Done(Purpose.of(found))

    return await call.change(work, body=body, collection=collection)


@resource.operation(
    "POST",
    "/collections/{collection}/purposes/{purpose}/met",
    "Say that a purpose is met",
    answer=MetPurpose,
    problems=(kinds.PURPOSE_NOT_FOUND,),
)
async def meet_purpose(
    call: Changing, collection: CollectionPath, purpose: PurposePath
) -> Response:
    """Say that a purpose is met: every consent to it ends now.

    Whoever agreed to nothing else is erased. It takes the right to `admin`.
    """

    def work() -> Done:
        try:
            erased = call.app.purpose_met(collection, purpose)
        except PurposeNotDeclared:
            raise _missing(collection, purpose) from None
        stones = [Tombstone.of(each) for each in erased]
        return Done(MetPurpose(collection=collection, purpose=purpose, erased=stones))

    return await call.change(work, collection=collection)


def _found(app: Sayso, collection: str, purpose: str) -> Purpose:
    for each in app.purposes(collection):
        if each.name == purpose:
            return Purpose.of(each)
    raise _missing(collection, purpose)


def _missing(collection: str, purpose: str) -> Refused:
    return Refused(
        kinds.PURPOSE_NOT_FOUND, f"there is no purpose {purpose!r} in collection {collection!r}"
    )
