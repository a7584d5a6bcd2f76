"""Every answer is held against the description of the API: status, type, headers, body."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from openapi_schema_validator import OAS31Validator, oas31_format_checker

from sayso.service.rest.application import description

DESCRIPTION = description()
_PLAIN = re.compile(r"/v1/(docs|problems/|openapi\.json|$)")


def check(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise AssertionError unless the answer is one that the description has."""
    if status >= 400:
        check_problem(status, headers, body)
    operation = operation_of(method, path)
    if operation is None:
        assert _PLAIN.match(path) or status in (404, 405), (method, path, status)
        return
    declared = operation["responses"].get(str(status))
    assert declared is not None, (method, path, status, body[:500])
    if "$ref" in declared:
        declared = DESCRIPTION["components"]["responses"][declared["$ref"].rpartition("/")[2]]
    for name, header in declared.get("headers", {}).items():
        if name.lower() in headers:
            value = headers[name.lower()]
            assert header["schema"]["type"] != "integer" or value.isdecimal(), (name, value)
        elif name in ("ETag", "Location", "Retry-After", "WWW-Authenticate"):
            raise AssertionError(f"{method} {path}: {status} without {name}")
    content = declared.get("content")
    if content is None:
        assert not body, (method, path, body)
        return
    media_type = headers["content-type"].partition(";")[0]
    assert media_type in content, (method, path, media_type)
    if media_type.endswith("json") and media_type != "application/x-ndjson":
        validate(json.loads(body), content[media_type]["schema"])


def check_problem(status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise AssertionError unless an answer is a problem of the one shape."""
    assert headers["content-type"] == "application/problem+json", headers
    problem = json.loads(body)
    validate(problem, {"$ref": "#/components/schemas/Problem"})
    assert problem["status"] == status
    assert problem["type"].startswith("/v1/problems/")
    assert problem["request_id"] == headers["x-request-id"]
    assert headers["cache-control"] == "no-store"
    assert "Traceback" not in body.decode()


def validate(instance: Any, schema: Mapping[str, Any]) -> None:
    """Raise ValidationError unless a document is as its schema has it."""
    whole = {**schema, "components": DESCRIPTION["components"]}
    OAS31Validator(whole, format_checker=oas31_format_checker).validate(instance)


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """Return the operation of a path."""
    for template, item in DESCRIPTION["paths"].items():
        pattern = re.sub(r"\{[a-z]+\}", "[^/]+", template)
        if re.fullmatch(pattern, path) and method.lower() in item:
            found: dict[str, Any] = item[method.lower()]
            return found
    return None
