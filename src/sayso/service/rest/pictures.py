"""Pictures in the body of a request: as files of a form, in JSON as base64, or as the body itself.

They stay in memory, whose use by bodies is bounded elsewhere, and are never written to a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field, PlainSerializer, PlainValidator, ValidationError, WithJsonSchema
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from sayso.service import base64_text
from sayso.service.rest import kinds
from sayso.service.rest.bodies import (
    FORM,
    JSON,
    Body,
    Takes,
    bounded,
    media_type,
    parse,
    read,
    reference,
    refused,
    unsupported,
)
from sayso.service.rest.calls import Call
from sayso.service.rest.problems import Refused, invalid
from sayso.service.rest.values import Asked

#: Pictures in one request at most.
MOST_PICTURES: Final = 20
RAW: Final = "image/*"
_OCTETS: Final = "application/octet-stream"
_LONGEST_NAME = 255
_LARGEST_FIELD = 64 << 10
_BINARY: Final = {"type": "string", "format": "binary"}


def _decoded(value: Any) -> bytes:
    if isinstance(value, bytes):  # of a form
        return value
    if not isinstance(value, str):
        raise ValueError("a picture is a text in base64")
    return base64_text.decoded(value)


def _digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


#: The bytes of a picture's file. It is only ever written as its digest.
Picture = Annotated[
    bytes,
    PlainValidator(_decoded),
    PlainSerializer(_digest, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "description": "A picture file in base64 (RFC 4648, section 4); lines may be broken.",
        }
    ),
]


class OnePicture(Asked):
    """A picture."""

    picture: Picture = Field(repr=False)


class TwoPictures(Asked):
    """Two pictures to compare."""

    a: Picture = Field(repr=False)
    b: Picture = Field(repr=False)


PictureModel = TypeVar("PictureModel", bound=Asked)


def takes_pictures(model: type[Asked], *, raw: bool = False) -> Takes:
    """Return that an operation takes a form, or JSON, or with ``raw`` a picture by itself."""
    name = f"{model.__name__}Form"
    content: dict[str, dict[str, Any]] = {
        FORM: reference(name),
        JSON: reference(model.__name__),
    }
    if raw:
        content[RAW] = _BINARY
        content[_OCTETS] = _BINARY
    return Takes(content, (model,), forms={name: _form_schema(name, model)})


def _form_schema(name: str, model: type[Asked]) -> dict[str, Any]:
    """Return the schema of the form that has the same fields as a model."""
    document = model.model_json_schema(ref_template="#/components/schemas/{model}")
    document.pop("$defs", None)
    properties = {field: _field(each) for field, each in document["properties"].items()}
    return {**document, "title": name, "properties": properties}


def _field(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("contentEncoding") == "base64":
        return {**_BINARY, "description": "A picture file."}
    if schema.get("items", {}).get("contentEncoding") == "base64":
        return {**schema, "items": _BINARY}
    # A field of a form is left out rather than null.
    given = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    return given[0] if given else schema


async def read_picture(call: Call) -> Body[OnePicture]:
    """Return the picture of a body, which may be the body itself."""
    kind = media_type(call.request)
    if kind.startswith("image/") or kind == _OCTETS:
        data = await read(call.request, call.largest_body)
        return await call.light(lambda: Body.of(OnePicture(picture=data)))
    if kind not in (FORM, JSON):
        raise unsupported(FORM, JSON, RAW)
    return await read_pictures(call, OnePicture)


async def read_pictures(
    call: Call, model: type[PictureModel], *, parts: Mapping[str, type[Asked]] | None = None
) -> Body[PictureModel]:
    """Return what a body with pictures asks; ``parts`` are the fields of a form that are JSON."""
    kind = media_type(call.request)
    if kind == JSON:
        data = await read(call.request, call.largest_body)
        return await call.light(lambda: Body.of(parse(data, model)))
    if kind == FORM:
        return await _read_form(call, model, parts or {})
    raise unsupported(FORM, JSON)


async def _read_form(
    call: Call, model: type[PictureModel], parts: Mapping[str, type[Asked]]
) -> Body[PictureModel]:
    _require_utf8(call.request)
    limit = call.largest_body
    parser = MultiPartParser(
        call.request.headers,
        bounded(call.request, limit),
        max_files=MOST_PICTURES,
        max_fields=len(parts) + 1,
        max_part_size=_LARGEST_FIELD,
    )
    parser.spool_max_size = limit + 1
    try:
        form = await parser.parse()
        return await call.light(lambda: _of_form(form, model, parts))
    except MultiPartException as error:
        raise Refused(kinds.MALFORMED, error.message) from None
    finally:
        # All that were begun: a form that ends in the middle of a file leaves that one out.
        for file in parser._files_to_close_on_error:
            file.close()


def _require_utf8(request: Request) -> None:
    """Refuse a form in another encoding: some of those that there are give no text."""
    _, options = parse_options_header(request.headers["content-type"])
    charset = options.get(b"charset", b"utf-8")
    if charset.lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise Refused(kinds.MALFORMED, "a form is taken in UTF-8 only")


def _of_form(
    form: FormData, model: type[PictureModel], parts: Mapping[str, type[Asked]]
) -> Body[PictureModel]:
    values: dict[str, Any] = {}
    names: list[str | None] = []
    for name, field in model.model_fields.items():
        given = form.getlist(name)
        if not given:
            continue
        if name in parts:
            values[name] = _json_part(name, given, parts[name])
            continue
        files = [_file(name, each) for each in given]
        names += [_name(each) for each in given]
        several = field.annotation is not bytes
        if not several and len(files) > 1:
            raise invalid("body", f"/{name}", f"there may be one file, not {len(files)}")
        values[name] = files if several else files[0]
    unknown = sorted(set(form) - set(model.model_fields))
    values.update(dict.fromkeys(unknown))
    try:
        return Body.of(model.model_validate(values), tuple(names))
    except ValidationError as error:
        raise refused(error, model) from None


def _json_part(name: str, given: Iterable[str | UploadFile], model: type[Asked]) -> Asked:
    texts = [each.file.read() if isinstance(each, UploadFile) else each for each in given]
    if len(texts) > 1:
        raise invalid("body", f"/{name}", f"there may be one part, not {len(texts)}")
    try:
        return model.model_validate_json(texts[0])
    except ValidationError as error:
        raise refused(error, model, within=name) from None


def _file(name: str, given: str | UploadFile) -> bytes:
    if isinstance(given, str):
        raise invalid(
            "body", f"/{name}", "a picture is a file: its part of the form needs a filename"
        )
    data: bytes = given.file.read()
    return data


def _name(given: str | UploadFile) -> str | None:
    name = None if isinstance(given, str) else given.filename
    return name[:_LONGEST_NAME] if name else None
