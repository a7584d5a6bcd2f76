"""Requests held against the model: what botocore leaves to the server is enforced here."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import regex
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from sayso.service import base64_text
from sayso.service.rekognition.faults import Fault

#: Problems that one answer tells of, and nesting that is looked into.
_MOST_PROBLEMS, _DEEPEST = 10, 32
#: Members and items in one body. No request that fits the model has half as many, and small ones
#: take thirty times the memory that their text does.
_MOST_PARTS = 10_000
_SHOWN = 60
_PICTURE = "ImageBlob"
_PATTERN_SECONDS = 1.0


def parse(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a request; an empty body is an empty one. Raises Fault."""
    if not body.strip():
        return {}
    # All parts but the first of each list or object come after one; there are none in Base64.
    if body.count(b",") >= _MOST_PARTS:
        raise Fault(
            "SerializationException", f"the body has more than {_MOST_PARTS:,} members and items"
        )
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Fault("SerializationException", "the body is no JSON") from None
    if not isinstance(document, dict):
        raise Fault("SerializationException", "the body must be a JSON object")
    return document


def validate(shape: Shape | None, document: dict[str, Any]) -> dict[str, Any]:
    """Return a request as its shape has it: blobs as bytes, and no member that is not modelled.

    Raises Fault: SerializationException for JSON of another type, ImageTooLargeException for a
    picture over the limit, and InvalidParameterException, with every constraint that it breaks.
    """
    if not isinstance(shape, StructureShape):
        return {}
    problems: list[str] = []
    found = _structure(shape, document, "", problems)
    if problems:
        number = len(problems)
        told = "; ".join(problems[:_MOST_PROBLEMS])
        raise Fault(
            "InvalidParameterException",
            f"{number} validation error{'' if number == 1 else 's'} detected: {told}",
        )
    return found


def _value(shape: Shape, value: Any, path: str, problems: list[str]) -> Any:
    if path.count(".") > _DEEPEST:
        raise Fault("SerializationException", "the body is nested too deeply")
    return _READERS[shape.type_name](shape, value, path, problems)


def _structure(shape: Any, value: Any, path: str, problems: list[str]) -> dict[str, Any]:
    _require(dict, value, path, "an object")
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        inner = f"{path}.{_lower(name)}" if path else _lower(name)
        given = value.get(name)
        if given is None:
            if name in shape.required_members:
                problems.append(_broken(None, inner, "Member must not be null"))
            continue
        found[name] = _value(member, given, inner, problems)
    return found


def _list(shape: Any, value: Any, path: str, problems: list[str]) -> list[Any]:
    _require(list, value, path, "a list")
    assert isinstance(shape, ListShape)  # noqa: S101 - by its type name
    if not _sized(shape, len(value), path, problems, f"a list of {len(value)}"):
        return []
    return [
        _value(shape.member, each, f"{path}.{number}.member", problems)
        for number, each in enumerate(value, 1)
    ]


def _map(shape: Any, value: Any, path: str, problems: list[str]) -> dict[str, Any]:
    _require(dict, value, path, "an object")
    assert isinstance(shape, MapShape)  # noqa: S101 - by its type name
    if not _sized(shape, len(value), path, problems, f"a map of {len(value)}"):
        return {}
    return {
        _value(shape.key, key, f"{path}.key", problems): _value(
            shape.value, each, f"{path}.value", problems
        )
        for key, each in value.items()
    }


def _string(shape: Any, value: Any, path: str, problems: list[str]) -> str:
    _require(str, value, path, "a string")
    text: str = value
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Fault("SerializationException", f"'{path}' is no Unicode text") from None
    assert isinstance(shape, StringShape)  # noqa: S101 - by its type name
    if shape.enum and text not in shape.enum:
        allowed = ", ".join(shape.enum)
        problems.append(_broken(text, path, f"Member must satisfy enum value set: [{allowed}]"))
        return text
    if not _sized(shape, len(text), path, problems, text):
        return text
    pattern = shape.metadata.get("pattern")
    if pattern is not None and not _matches(pattern, text):
        problems.append(
            _broken(text, path, f"Member must satisfy regular expression pattern: {pattern}")
        )
    return text


def _blob(shape: Any, value: Any, path: str, problems: list[str]) -> bytes:
    _require(str, value, path, "Base64")
    try:
        content = base64_text.decoded(value)
    except ValueError:
        raise Fault("SerializationException", f"'{path}' is no Base64") from None
    most = shape.metadata.get("max")
    if shape.name == _PICTURE and most is not None and len(content) > most:
        raise Fault(
            "ImageTooLargeException",
            f"the picture has {len(content):,} bytes; the limit is {most:,}",
        )
    _sized(shape, len(content), path, problems, f"{len(content)} bytes")
    return content


def _number(shape: Any, value: Any, path: str, problems: list[str]) -> int | float:
    whole = shape.type_name in {"integer", "long"}
    right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not right or not (whole or _is_finite(value)):
        raise Fault("SerializationException", f"'{path}' must be a{' whole' * whole} number")
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        said = f"Member must have value greater than or equal to {least}"
        problems.append(_broken(value, path, said))
    elif most is not None and value > most:
        problems.append(
            _broken(value, path, f"Member must have value less than or equal to {most}")
        )
    elif whole and abs(value) >= 1 << 63:
        raise Fault("SerializationException", f"'{path}' is no number that could be meant")
    return value if whole else float(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # of a whole number that no float reaches
        return False


def _boolean(_: Any, value: Any, path: str, __: list[str]) -> bool:
    _require(bool, value, path, "true or false")
    return bool(value)


def _timestamp(_: Any, value: Any, path: str, __: list[str]) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Fault("SerializationException", f"'{path}' must be a time")
    return value


_READERS: dict[str, Callable[[Any, Any, str, list[str]], Any]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "blob": _blob,
    "integer": _number,
    "long": _number,
    "float": _number,
    "double": _number,
    "boolean": _boolean,
    "timestamp": _timestamp,
}


def _require(kind: type, value: Any, path: str, what: str) -> None:
    if not isinstance(value, kind):
        raise Fault("SerializationException", f"'{path or 'the body'}' must be {what}")


def _sized(shape: Shape, size: int, path: str, problems: list[str], shown: str) -> bool:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        said = f"Member must have length greater than or equal to {least}"
    elif most is not None and size > most:
        said = f"Member must have length less than or equal to {most}"
    else:
        return True
    problems.append(_broken(shown, path, said))
    return False


def _matches(pattern: str, text: str) -> bool:
    try:
        return _compiled(pattern).fullmatch(text, timeout=_PATTERN_SECONDS) is not None
    except TimeoutError:
        return False


@cache
def _compiled(pattern: str) -> Any:
    return regex.compile(pattern)


def _broken(value: Any, path: str, constraint: str) -> str:
    if value is None:
        shown = "Value null"
    else:
        text = ascii(str(value))[1:-1]
        shown = f"Value '{text[:_SHOWN]}{'...' if len(text) > _SHOWN else ''}'"
    return f"{shown} at '{path}' failed to satisfy constraint: {constraint}"


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
