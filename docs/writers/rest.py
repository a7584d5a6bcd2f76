"""The page of the REST API: what its OpenAPI document says, for people to read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from docs.writers.markdown import code, table
from sayso.service.rest.application import description

#: A part of the OpenAPI document.
Part = Mapping[str, Any]

_INTRODUCTION = """\
# The REST API

What `sayso serve` answers under `/v1`; [Run the service](../how-to/run-the-service.md) says how to
start it. The running service has the same at `/v1/docs`, to try, and gives its
[OpenAPI document](openapi.json) at `/v1/openapi.json`, of which clients can be made.
"""

_PROBLEMS = """\
## Problems

A problem's `type` is `/v1/problems/` with its name; that page of the running service says what to
do. These can come of most requests, and are not listed beside them: {shared}.
"""

_PROBLEM = re.compile(r"^- `/v1/problems/([a-z0-9-]+)`: (.+)$", re.MULTILINE)
#: A rule that every text keeps, and that tells nobody anything.
_NO_ZERO = r"^[^\x00]*$"
_SCALARS = {"integer": "integer", "number": "number", "boolean": "true or false", "null": "null"}
_FORMATS = {"date-time": "time", "date": "date", "binary": "a file", "byte": "Base64"}


def page() -> str:
    """Return the page."""
    document = description()
    parts = [_INTRODUCTION, document["info"]["description"]]
    for tag in document["tags"]:
        parts.append(f"## Requests: {tag['name']}\n\n{tag['description']}")
        parts.extend(
            _operation(document, method, path, operation)
            for method, path, operation in operations(document)
            if tag["name"] in operation["tags"]
        )
    parts.append("## Documents\n\nWhat bodies and answers hold.")
    schemas: Mapping[str, Part] = document["components"]["schemas"]
    parts.extend(_schema(name, schemas[name]) for name in sorted(schemas))
    parts.append(_problems(document))
    return "\n\n".join(parts) + "\n"


def operations(document: Part) -> Iterator[tuple[str, str, Part]]:
    """Yield the method, the path and the description of every operation, in their order."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _operation(document: Part, method: str, path: str, operation: Part) -> str:
    parts = [f"### {operation['summary']}", f"```http\n{method} {path}\n```"]
    parts.append(operation["description"])
    rows = [
        (
            code(each["name"]),
            each["in"],
            _kind(each["schema"]) + _default(each["schema"]),
            each.get("description", "") + (" Required." if each["required"] else ""),
        )
        for each in operation.get("parameters", [])
    ]
    if rows:
        parts.append(table(["parameter", "in", "values", "meaning"], rows))
    body = operation.get("requestBody", {}).get("content", {})
    if body:
        kinds = [f"{code(media)}: {_kind(each['schema'])}" for media, each in body.items()]
        parts.append(f"Body: {'; or '.join(kinds)}.")
    parts.append(_answers(document, operation["responses"]))
    return "\n\n".join(parts)


def _answers(document: Part, responses: Mapping[str, Part]) -> str:
    done, problems = [], []
    for status, given in responses.items():
        response = _resolved(document, given)
        if int(status) < HTTPStatus.BAD_REQUEST:
            content = [
                f"{_kind(each['schema'])} as {code(media)}"
                for media, each in response.get("content", {}).items()
            ]
            done.append(f"{status}, {', or '.join(content) if content else 'no body'}")
        elif "$ref" not in given:
            names = [code(name) for name, _ in _PROBLEM.findall(response["description"])]
            problems.append(f"{status} {', '.join(names)}")
    text = f"Answer: {'; '.join(done)}."
    return f"{text}\n\n[Problems](#problems): {'; '.join(problems)}." if problems else text


def _resolved(document: Part, part: Part) -> Part:
    while "$ref" in part:
        found: Any = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def _schema(name: str, schema: Part) -> str:
    parts = [f"### {name}"]
    if "description" in schema:
        parts.append(schema["description"])
    properties: Mapping[str, Part] = schema.get("properties", {})
    if not properties:
        parts.append(_kind(schema).capitalize() + ".")
        return "\n\n".join(parts)
    needed = set(schema.get("required", []))
    rows = [
        (
            code(field),
            _kind(each) + _default(each),
            each.get("description", "") + ("" if field in needed else " Optional."),
        )
        for field, each in properties.items()
    ]
    parts.append(table(["field", "values", "meaning"], rows))
    return "\n\n".join(parts)


def _kind(schema: Part) -> str:
    """Return what values a schema takes, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(_kind(each) for each in schema[choice])
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(code(str(value)) for value in values)
    return _plain(schema)


def _plain(schema: Part) -> str:
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}{_limits(schema, 'Items', '')}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"object of {_kind(inner)} by name" if isinstance(inner, dict) else "object"
    if kind == "string":
        return _text(schema)
    return _SCALARS.get(str(kind), "anything") + _range(schema)


def _text(schema: Part) -> str:
    said = _FORMATS.get(schema.get("format", ""), "text") + _limits(schema, "Length", " characters")
    pattern = schema.get("pattern", _NO_ZERO)
    return said if pattern == _NO_ZERO else f"{said}, as {code(pattern)}"


def _limits(schema: Part, what: str, unit: str) -> str:
    low, high = schema.get(f"min{what}"), schema.get(f"max{what}")
    if high is None:
        return f", {low} or more{unit}" if low else ""
    return f", {low or 0:,} to {high:,}{unit}" if low != high else f", {high:,}{unit}"


def _range(schema: Part) -> str:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    start = (
        f" from {low:,}" if low is not None else f" above {above:,}" if above is not None else ""
    )
    high = schema.get("maximum")
    return start + (f" to {high:,}" if high is not None else "")


def _default(schema: Part) -> str:
    value = schema.get("default")
    if value is None:
        return ""
    return f"; {code(str(value).lower() if isinstance(value, bool) else str(value))} unless given"


def _problems(document: Part) -> str:
    """Return the table of all problems that are told of, by status and name."""
    found = {
        (status, name, title)
        for _, _, operation in operations(document)
        for status, given in operation["responses"].items()
        for name, title in _PROBLEM.findall(_resolved(document, given)["description"])
    }
    shared = ", ".join(
        code(name)
        for given in document["components"]["responses"].values()
        for name, _ in _PROBLEM.findall(given["description"])
    )
    rows = [(code(name), status, title + ".") for status, name, title in sorted(found)]
    return f"{_PROBLEMS.format(shared=shared)}\n{table(['problem', 'status', 'meaning'], rows)}"
