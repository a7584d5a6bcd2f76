"""Answers held against the model, and written as AWS JSON 1.1."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.model import Shape, StructureShape


class AnswerUnfit(Exception):
    """An answer is not as the model has it: a mistake of ours, told to nobody but the log."""


def serialise(shape: Shape | None, answer: Mapping[str, Any]) -> bytes:
    """Return the body of an answer; members that are None are left out. Raises AnswerUnfit."""
    if not isinstance(shape, StructureShape):
        if answer:
            raise AnswerUnfit("an answer that the model does not have")
        return b"{}"
    return json.dumps(_value(shape, answer, ""), allow_nan=False).encode()


def _value(shape: Any, value: Any, path: str) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, value, path)
    if kind == "list":
        return [_value(shape.member, each, f"{path}[]") for each in _of(list | tuple, value, path)]
    if kind == "map":
        items = _of(Mapping, value, path).items()
        return {
            _value(shape.key, key, path): _value(shape.value, each, f"{path}{{}}")
            for key, each in items
        }
    return _scalar(kind, shape, value, path)


def _structure(shape: Any, value: Any, path: str) -> dict[str, Any]:
    given = {name: each for name, each in _of(Mapping, value, path).items() if each is not None}
    unknown = set(given) - set(shape.members)
    missing = set(shape.required_members) - set(given)
    if unknown or missing:
        raise AnswerUnfit(
            f"{path or shape.name}: unknown {sorted(unknown)}, lacks {sorted(missing)}"
        )
    return {
        name: _value(shape.members[name], each, f"{path}.{name}") for name, each in given.items()
    }


def _scalar(kind: str, shape: Any, value: Any, path: str) -> Any:
    if kind == "string":
        text = _of(str, value, path)
        if shape.enum and text not in shape.enum:
            raise AnswerUnfit(f"{path}: not of the values that the model has")
        return text
    if kind == "boolean":
        return _of(bool, value, path)
    if kind == "blob":
        return base64.b64encode(_of(bytes, value, path)).decode()
    if kind == "timestamp":
        return value.timestamp() if isinstance(value, datetime) else _number(value, path)
    if kind in {"integer", "long"}:
        _of(int, value, path)
        return _number(value, path)
    return float(_number(value, path))


def _number(value: Any, path: str) -> float:
    found = _of(int | float, value, path)
    if isinstance(value, bool) or not math.isfinite(found):
        raise AnswerUnfit(f"{path}: no number")
    number: float = found
    return number


def _of(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, kind):
        raise AnswerUnfit(f"{path}: {type(value).__name__}")
    return value
