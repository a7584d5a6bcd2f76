"""Access keys: made, listed and revoked; and who one is."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Path
from pydantic import Field
from starlette.responses import Response

from sayso import results
from sayso.callers import ACTIONS, Action, Caller
from sayso.core import Sayso
from sayso.service.rest import kinds
from sayso.service.rest.bodies import read_json, takes
from sayso.service.rest.calls import Changing, IfMatch, Reading
from sayso.service.rest.conditions import require_match
from sayso.service.rest.operations import Resource
from sayso.service.rest.pages import Page, Paged
from sayso.service.rest.problems import Refused
from sayso.service.rest.replays import Done
from sayso.service.rest.values import (
    Answer,
    Asked,
    CollectionName,
    Label,
    Moment,
    PurposeName,
    Text,
)

resource = Resource(
    "keys", "Access keys: somebody's, for one purpose, with some rights. They take `admin`."
)
KeyPath = Annotated[
    str,
    Path(pattern=r"^[A-Z0-9]+$", min_length=1, max_length=64, description="The id of a key."),
]


class AccessKey(Answer):
    """An access key, without its secret."""

    id: str
    actor: str = Field(description="Whose it is.")
    purpose: str
    actions: list[Action] = Field(description="What it may do.")
    collections: list[str] | None = Field(description="Those that it is good for; null for all.")
    attestation: str | None = Field(
        description="The statement of how consent is collected, or null."
    )
    created: datetime
    created_by: str
    expires: datetime | None
    revoked: datetime | None

    @classmethod
    def of(cls, found: results.AccessKey) -> AccessKey:
        """Return it as a document."""
        return cls(**_members(found))


class MadeAccessKey(AccessKey):
    """An access key as it was just made."""

    secret: str = Field(description="Shown now and never again.")

    @classmethod
    def of_new(cls, found: results.NewAccessKey) -> MadeAccessKey:
        """Return it as a document."""
        return cls(**_members(found.key), secret=found.secret)


class AccessKeys(Page[AccessKey]):
    """A page of access keys, the oldest first."""


class NewAccessKey(Asked):
    """An access key to be made."""

    actor: Label = Field(description="Whose it is: a person or a program.")
    purpose: PurposeName = Field(description="The one purpose that it is good for.")
    actions: list[Action] = Field(
        min_length=1, max_length=len(ACTIONS), description="What it may do."
    )
    collections: list[CollectionName] | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        description="Those that it is good for; all unless given.",
    )
    expires: Moment | None = Field(default=None, description="When it ends; never unless given.")
    attestation: Text | None = Field(
        default=None,
        description="Your statement of how consent is collected before somebody is enrolled by "
        "this key; it then serves as the evidence.",
    )


class OwnKey(Answer):
    """The access key of the request."""

    id: str | None
    actor: str
    purpose: str | None
    actions: list[Action]
    collections: list[str] | None = Field(description="Those that it is good for; null for all.")
    attested: bool = Field(description="Whether it states how consent is collected.")
    expires: datetime | None

    @classmethod
    def of(cls, caller: Caller) -> OwnKey:
        """Return it as a document."""
        return cls(
            id=caller.key,
            actor=caller.actor,
            purpose=caller.purpose,
            actions=[action for action in ACTIONS if action in caller.actions],
            collections=None if caller.collections is None else sorted(caller.collections),
            attested=caller.attestation is not None,
            expires=caller.expires,
        )


@resource.operation("GET", "/key", "Get the key of this request", answer=OwnKey)
async def get_own_key(call: Reading) -> Response:
    """Tell who calls, for which purpose, and what they may do. Every key may ask this."""
    return await call.read(lambda: OwnKey.of(call.caller))


@resource.operation("GET", "/keys", "List access keys", answer=AccessKeys)
async def list_keys(call: Reading, paging: Paged) -> Response:
    """List every access key, revoked ones, too, without their secrets; the oldest first."""

    def work() -> AccessKeys:
        some, cursor = paging.cut(call, call.app.keys(), lambda each: each.id, ordered=False)
        return AccessKeys(items=[AccessKey.of(each) for each in some], next_cursor=cursor)

    return await call.read(work)


@resource.operation(
    "POST",
    "/keys",
    "Make an access key",
    answer=MadeAccessKey,
    status=HTTPStatus.CREATED,
    takes=takes(NewAccessKey),
    problems=(kinds.SECRET_TOLD, kinds.INVALID_NAME, kinds.REFUSED),
)
async def create_key(call: Changing) -> Response:
    """Make an access key; its secret is told now and never again.

    Nobody can give rights, collections or time that they do not have. With an `Idempotency-Key`
    the key is made once; since no secret is kept, the same request is then refused
    (`secret-told-already`), and told which key it made.
    """
    body = await read_json(call.request, NewAccessKey)

    def work() -> Done:
        asked = body.asked
        made = call.app.create_key(
            asked.actor,
            purpose=asked.purpose,
            actions=asked.actions,
            collections=asked.collections,
            until=asked.expires,
            attestation=asked.attestation,
        )
        place = f"{call.path}/{made.key.id}"
        answer = MadeAccessKey.of_new(made)
        return Done(answer, HTTPStatus.CREATED, location=place, told_once=place)

    return await call.change(work, body=body)


@resource.operation(
    "GET", "/keys/{key}", "Get an access key", answer=AccessKey, problems=(kinds.KEY_NOT_FOUND,)
)
async def get_key(call: Reading, key: KeyPath) -> Response:
    """Get one access key, without its secret."""
    return await call.read(lambda: _found(call.app, key))


@resource.operation(
    "DELETE",
    "/keys/{key}",
    "Revoke an access key",
    answer=AccessKey,
    problems=(kinds.KEY_NOT_FOUND,),
)
async def revoke_key(call: Changing, key: KeyPath, if_match: IfMatch = None) -> Response:
    """Revoke an access key at once and for good; its secret is destroyed."""

    def work() -> Done:
        require_match(if_match, lambda: _found(call.app, key))
        return Done(AccessKey.of(call.app.revoke_key(key)))

    return await call.change(work)


def _found(app: Sayso, key: str) -> AccessKey:
    every = {each.id: each for each in app.keys()}  # noqa: SIM118 - it is no mapping
    if key in every:
        return AccessKey.of(every[key])
    raise Refused(kinds.KEY_NOT_FOUND, f"there is no access key {key!r}")


def _members(found: results.AccessKey) -> dict[str, Any]:
    return {
        "id": found.id,
        "actor": found.actor,
        "purpose": found.purpose,
        "actions": list(found.actions),
        "collections": None if found.collections is None else list(found.collections),
        "attestation": found.attestation,
        "created": found.created,
        "created_by": found.created_by,
        "expires": found.expires,
        "revoked": found.revoked,
    }
