"""The description of the API, in OpenAPI 3.1: what FastAPI finds out, and what only we know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from sayso.service.rest import kinds
from sayso.service.rest.calls import BASE
from sayso.service.rest.kinds import Kind
from sayso.service.rest.operations import Operation, Resource
from sayso.service.rest.problems import MEDIA_TYPE, Problem

TITLE: Final = "Sayso"
VERSION: Final = "1"
DESCRIPTION: Final = """\
Face recognition on people's say-so: find every face of a picture, name those who agreed to it, \
and say what each name is worth.

**Access keys.** Every request bears one: `Authorization: Bearer ID.SECRET`. A key is somebody's, \
for one purpose, and allows some actions, in some collections or in all. The first one comes from \
`sayso keys create`, and others from `POST /v1/keys`.

**Consent.** Nobody is enrolled without a consent on record, and nobody is named for a purpose \
that theirs does not cover: to the caller they are as unknown as a stranger.

**Problems.** Whatever is refused is answered as `application/problem+json` (RFC 9457) in one \
shape. Programs tell problems apart by their `type`; it leads to a page about it.

**Again.** What changes something takes an `Idempotency-Key`: the same request under the same key \
is done once, and answered again for a day, with `Idempotency-Replayed: true`. What was refused \
is not kept. Nor is an answer when somebody is erased from its collection.

**Unchanged.** Single resources and lists have an `ETag`, and honour `If-None-Match`; \
deletions and replacements honour `If-Match`.

**Lists** come in pages: `next_cursor` goes on from where a page ends, for an hour.

**Elsewhere.** What touches files of the server is not here, but done at the server's own command \
line: backups and restoring (`sayso backup`, `sayso restore`), the master key and copies of the \
keyring (`sayso keyring`), models (`sayso models`), and calibration (`sayso calibrate`)."""

#: The only kind of problem of its status, wherever there is one.
_SHARED: Final = (
    kinds.UNAUTHENTICATED,
    kinds.BODY_TIMEOUT,
    kinds.PRECONDITION_FAILED,
    kinds.TOO_MANY_REQUESTS,
    kinds.INTERNAL_ERROR,
    kinds.UNAVAILABLE,
)
_DESCRIBED: Final = {
    HTTPStatus.CREATED: "It was made.",
    HTTPStatus.ACCEPTED: "It was begun, and goes on.",
}
_ETAG: Final = {
    "ETag": {"description": "The entity tag of this answer.", "schema": {"type": "string"}}
}
_LINK: Final = {
    "Link": {"description": "The next page, as rel=next.", "schema": {"type": "string"}}
}
_LOCATION: Final = {"Location": {"description": "Where it is now.", "schema": {"type": "string"}}}
_REPLAYED: Final = {
    "Idempotency-Replayed": {
        "description": "There and true where this was answered before.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Come again after so many seconds.",
        "schema": {"type": "integer"},
    }
}
_WWW_AUTHENTICATE: Final = {
    "WWW-Authenticate": {"description": "That it takes a bearer key.", "schema": {"type": "string"}}
}


def arguments(operation: Operation) -> dict[str, Any]:
    """Return what FastAPI is to be told of an operation."""
    extra: dict[str, Any] = {}
    if operation.takes is not None:
        content = {
            media: {"schema": dict(schema)} for media, schema in operation.takes.content.items()
        }
        extra["requestBody"] = {"required": operation.takes.required, "content": content}
    streamed = {"response_class": Response} if operation.answer is None else {}
    return {
        **streamed,
        "methods": [operation.method],
        "operation_id": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "response_model": operation.answer,
        "status_code": int(operation.status),
        "response_description": _described(operation.status),
        "responses": _responses(operation),
        "openapi_extra": extra,
    }


def document(app: FastAPI, resources: Sequence[Resource]) -> dict[str, Any]:
    """Return the description of the API."""
    found = get_openapi(
        title=TITLE,
        version=VERSION,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        routes=app.routes,
        tags=[{"name": each.tag, "description": each.about} for each in resources],
        separate_input_output_schemas=False,
    )
    components = found["components"]
    components["responses"] = {}
    found["paths"] = {
        BASE + path: _tidied(item, components["responses"]) for path, item in found["paths"].items()
    }
    components["schemas"] = dict(sorted((components["schemas"] | _asked(resources)).items()))
    return found


def queries(description: Mapping[str, Any]) -> dict[str, dict[str, bool]]:
    """Return the query parameters of each operation, and whether each may come several times."""
    return {
        operation["operationId"]: {
            each["name"]: each["schema"].get("type") == "array"
            for each in operation.get("parameters", ())
            if each["in"] == "query"
        }
        for item in description["paths"].values()
        for operation in item.values()
    }


def _responses(operation: Operation) -> dict[int | str, dict[str, Any]]:
    headers = _headers(operation)
    found: dict[int | str, dict[str, Any]] = {int(operation.status): {}}
    if headers:
        found[int(operation.status)]["headers"] = headers
    if operation.answer is None:
        found[int(operation.status)]["content"] = {operation.media: {"schema": {"type": "string"}}}
    if operation.files:
        binary = {"schema": {"type": "string", "format": "binary"}}
        found[int(operation.status)]["content"] = dict.fromkeys(operation.files, binary)
    for status in operation.also:
        found[int(status)] = {
            "model": operation.answer,
            "description": _described(status),
            "headers": {name: headers[name] for name in headers if name != "Location"},
        }
    if operation.reads:
        found[304] = {"description": "It has not changed.", "headers": _ETAG}
    by_status: dict[HTTPStatus, list[Kind]] = {}
    for kind in operation.kinds:
        by_status.setdefault(kind.status, []).append(kind)
    for problem_status, some in by_status.items():
        found[int(problem_status)] = _problem(problem_status, some)
    return found


def _headers(operation: Operation) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if operation.reads:
        headers |= _ETAG
    if operation.paged:
        headers |= _LINK
    if operation.changes:
        headers |= _REPLAYED
    if operation.status == HTTPStatus.CREATED:
        headers |= _LOCATION
    return headers


def _described(status: HTTPStatus) -> str:
    return _DESCRIBED.get(status, "Done.")


def _problem(status: HTTPStatus, some: Iterable[Kind]) -> dict[str, Any]:
    """Return the answer that some kinds of problem of one status have."""
    told = "\n".join(f"- `{kind.type}`: {kind.title}" for kind in some)
    answer: dict[str, Any] = {
        "description": told,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status == kinds.TOO_MANY_REQUESTS.status:
        answer["headers"] = _RETRY_AFTER
    if status == kinds.UNAUTHENTICATED.status:
        answer["headers"] = _WWW_AUTHENTICATE
    return answer


def _tidied(item: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """Put the answers of operations in order, and say nothing twice.

    ``shared`` takes the answers that all operations have.
    """
    for operation in item.values():
        answers = dict(sorted(operation["responses"].items()))
        for kind in _SHARED:
            status = str(kind.status.value)
            if status in answers:
                name = "".join(part.capitalize() for part in kind.name.split("-"))
                shared[name] = answers[status]
                answers[status] = {"$ref": f"#/components/responses/{name}"}
        operation["responses"] = answers
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _given(parameter["schema"])
    return item


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter that is given: in a query or a header nothing is null."""
    told = {name: each for name, each in schema.items() if name not in ("title", "description")}
    given = [each for each in told.pop("anyOf", ()) if each != {"type": "null"}]
    return {**told, **given[0]} if given else told


def _asked(resources: Sequence[Resource]) -> dict[str, Any]:
    """Return the schemas of what operations take, and of problems."""
    taken: set[type[BaseModel]] = {
        model
        for resource in resources
        for operation in resource.operations
        for model in (operation.takes.models if operation.takes else ())
    }
    models: list[type[BaseModel]] = sorted((Problem, *taken), key=lambda each: each.__name__)
    _, schema = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    found: dict[str, Any] = schema["$defs"]
    for resource in resources:
        for operation in resource.operations:
            found |= operation.takes.forms if operation.takes else {}
    return found
