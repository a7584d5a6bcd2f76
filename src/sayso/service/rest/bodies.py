"""What comes in the body of a request: read within limits, and by its type."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError
from starlette.requests import Request

from sayso.service.rest import kinds
from sayso.service.rest.problems import Refused, invalid_parts, parts_of
from sayso.service.rest.values import Asked

JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
#: The largest body without pictures, in bytes.
LARGEST: Final = 1 << 20
Model = TypeVar("Model", bound=Asked)


@dataclass(frozen=True, slots=True)
class Takes:
    """What an operation takes: for each media type the schema of its body, and what is in those.

    ``models`` are the models that they refer to, and ``forms`` the schemas of forms by their names.
    """

    content: Mapping[str, Mapping[str, Any]]
    models: tuple[type[Asked], ...]
    forms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required: bool = True


@dataclass(frozen=True, slots=True)
class Body(Generic[Model]):
    """A body that was read; ``digest`` is the same for all that ask for the same."""

    asked: Model
    digest: bytes
    #: What the files of a form were called, in the order of their fields.
    names: tuple[str | None, ...] = ()

    @classmethod
    def of(cls, asked: Model, names: tuple[str | None, ...] = ()) -> Body[Model]:
        """Return the body with its digest."""
        document = asked.model_dump(mode="json", by_alias=True)
        told = json.dumps([document, names], sort_keys=True, ensure_ascii=True)
        return cls(asked, hashlib.sha256(told.encode()).digest(), names)


def takes(model: type[Asked], *, required: bool = True) -> Takes:
    """Return that an operation takes a document in JSON."""
    return Takes({JSON: reference(model.__name__)}, (model,), required=required)


def reference(name: str) -> dict[str, str]:
    """Return the reference to a schema in the API's description."""
    return {"$ref": f"#/components/schemas/{name}"}


def media_type(request: Request) -> str:
    """Return the media type of the body, without parameters; empty where there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def bounded(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """Yield the body in chunks; raises Refused beyond so many bytes."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise Refused(
                kinds.BODY_TOO_LARGE, f"the body has more than {limit:,} bytes, which is the limit"
            )
        yield chunk


async def read(request: Request, limit: int) -> bytes:
    """Return the body, of at most so many bytes."""
    return b"".join([chunk async for chunk in bounded(request, limit)])


async def read_json(request: Request, model: type[Model], *, required: bool = True) -> Body[Model]:
    """Return the document that a body without pictures has; unless required, it may be empty."""
    data = await read(request, LARGEST)
    if not data and not required:
        return Body.of(model())
    if media_type(request) != JSON:
        raise unsupported(JSON)
    return Body.of(parse(data, model))


def parse(data: bytes | str, model: type[Model]) -> Model:
    """Return the document that some JSON is."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise refused(error, model) from None


def refused(error: ValidationError, model: type[Asked], within: str = "") -> Refused:
    """Return why a document is not taken; ``within`` is the member that it is."""
    members = [str(field.validation_alias or name) for name, field in model.model_fields.items()]
    parts = parts_of(error, members)
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        detail = str(first["msg"]).replace("Invalid JSON", "no JSON")
        return Refused(kinds.MALFORMED, f"{within}: {detail}" if within else detail)
    if within:
        parts = [each.model_copy(update={"pointer": f"/{within}{each.pointer}"}) for each in parts]
    return invalid_parts(parts)


def unsupported(*media_types: str) -> Refused:
    """Return the refusal of a body of another type than these."""
    return Refused(
        kinds.UNSUPPORTED_MEDIA_TYPE, f"the Content-Type must be {' or '.join(media_types)}"
    )
