"""Problems as answers: one shape for everything that is refused (RFC 9457)."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Literal

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from sayso.errors import CollectionNotEmpty, SaysoError
from sayso.service.engine import Overloaded
from sayso.service.rest import kinds
from sayso.service.rest.kinds import Kind

_log = logging.getLogger(__name__)
MEDIA_TYPE: Final = "application/problem+json"
Place = Literal["path", "query", "header", "body"]
#: A loc that only tells which alternative of a union was tried begins so.
TAG: Final = "~"
_LONGEST_PART = 60
_MOST_ERRORS = 20


class InvalidPart(BaseModel):
    """A part of a request that is not valid: where it is, and what is wrong with it."""

    where: Place
    pointer: str = Field(description="A JSON pointer (RFC 6901) to the part.")
    message: str


class Problem(BaseModel):
    """What was refused, and why."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A reference to what explains this kind of problem.")
    title: str = Field(description="What kind of problem it is, in a few words.")
    status: int = Field(description="The status of the answer.")
    detail: str = Field(description="What exactly was wrong, and what to do about it.")
    request_id: str = Field(description="The id of the request, as the log has it.")
    errors: list[InvalidPart] | None = Field(
        default=None, description="The parts of the request that are not valid."
    )


class Refused(Exception):
    """A request is refused by the API itself, not by the core; ``more`` are further members."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[InvalidPart] = (),
        **more: str,
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail
        self.headers, self.errors, self.more = headers, errors, more


def invalid(where: Place, pointer: str, message: str) -> Refused:
    """Return the refusal of one part of a request."""
    return invalid_parts([InvalidPart(where=where, pointer=pointer, message=message)])


def invalid_parts(parts: Sequence[InvalidPart]) -> Refused:
    """Return the refusal of several parts of a request."""
    first = parts[0]
    more = "" if len(parts) == 1 else f" (and {len(parts) - 1} more)"
    place = first.where if first.pointer in ("", "/") else f"{first.where} {first.pointer}"
    detail = f"{place}: {first.message}{more}"
    return Refused(kinds.INVALID_REQUEST, detail, errors=parts)


def parts_of(error: ValidationError, members: Iterable[str] = ()) -> list[InvalidPart]:
    """Return what is wrong with a body; ``members`` are those that it may have."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [_part("body", each["loc"], each["type"], each["msg"], members) for each in found]


def respond(
    kind: Kind,
    detail: str,
    scope: MutableMapping[str, Any],
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return a problem as the answer to a request."""
    body = {
        "type": kind.type,
        "title": kind.title,
        "status": int(kind.status),
        "detail": detail if kind.told else kind.explanation,
        "request_id": request_id(scope),
        **more,
    }
    # Escaped, since half a surrogate pair in a path cannot be written otherwise.
    return Response(
        json.dumps(body, ensure_ascii=True),
        status_code=int(kind.status),
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def request_id(scope: MutableMapping[str, Any]) -> str:
    """Return the id of a request, which it has been given before it came here."""
    return str(scope.setdefault("sayso.request_id", str(uuid.uuid4())))


# --- handlers -------------------------------------------------------------------------------------


async def on_error_of_core(request: Request, error: Exception) -> Response:
    """Answer with what the core refused."""
    if not isinstance(error, SaysoError):
        raise error
    kind = kinds.of(error)
    headers: dict[str, str] = {}
    if kind is kinds.UNAUTHENTICATED:
        came = "authorization" in request.headers
        headers["WWW-Authenticate"] = "Bearer" + (' error="invalid_token"' if came else "")
    if isinstance(error, Overloaded):
        headers["Retry-After"] = error.header
    if not kind.told:
        fields = {
            "request": request_id(request.scope),
            "route": request.scope.get("sayso.route"),
            "key": request.scope.get("sayso.key"),
        }
        _log.error("%s", kind.name, exc_info=error, extra={"fields": fields})
    more = {"subjects": error.subjects} if isinstance(error, CollectionNotEmpty) else {}
    return respond(kind, str(error), request.scope, headers=headers, **more)


async def on_refused(request: Request, error: Exception) -> Response:
    """Answer with what the API itself refused."""
    if not isinstance(error, Refused):
        raise error
    more: dict[str, Any] = dict(error.more)
    if error.errors:
        more["errors"] = [each.model_dump() for each in error.errors[:_MOST_ERRORS]]
    return respond(error.kind, error.detail, request.scope, headers=error.headers, **more)


async def on_invalid(request: Request, error: Exception) -> Response:
    """Answer with which parameters are not valid."""
    if not isinstance(error, RequestValidationError):
        raise error
    parts = [
        _part(each["loc"][0], each["loc"][1:], each["type"], each["msg"], ())
        for each in error.errors()
    ]
    return await on_refused(request, invalid_parts(parts))


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer with what the framework refused: paths, methods, forms."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.NOT_FOUND:
        return respond(kinds.NOT_FOUND, kinds.NOT_FOUND.explanation, request.scope)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(_allowed(request))
        detail = f"here is only {allowed}"
        headers = {"Allow": allowed}
        return respond(kinds.METHOD_NOT_ALLOWED, detail, request.scope, headers=headers)
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return respond(kinds.MALFORMED, str(error.detail), request.scope)
    raise error


async def on_left(request: Request, error: Exception) -> Response:
    """Answer somebody who has left in the middle of a body; nobody reads it."""
    if not isinstance(error, ClientDisconnect):
        raise error
    return respond(kinds.MALFORMED, "the body was cut off", request.scope)


async def on_unexpected(request: Request, _error: Exception) -> Response:
    """Answer that something went wrong; whoever is around this logs what."""
    return respond(kinds.INTERNAL_ERROR, "", request.scope)


def _allowed(request: Request) -> list[str]:
    """Return the methods that a path is there for."""
    found: set[str] = set()
    for route in request.app.router.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)


def _part(
    where: Place, loc: Sequence[Any], kind: str, message: str, members: Iterable[str]
) -> InvalidPart:
    shown = [_shown(each) for each in loc if not str(each).startswith(TAG)]
    if kind == "extra_forbidden":
        message = "there is no such member"
        known = sorted(members)
        if known and len(shown) == 1:
            message += f"; there are: {', '.join(known)}"
    message = message.removeprefix("Value error, ")
    return InvalidPart(where=where, pointer="".join(f"/{each}" for each in shown), message=message)


def _shown(part: Any) -> str:
    """Return a part of a JSON pointer; a name that somebody sent is cut short."""
    return str(part)[:_LONGEST_PART].replace("~", "~0").replace("/", "~1")
