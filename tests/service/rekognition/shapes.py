"""Holds answers against Amazon's own model: nothing unknown, and every value as it may be."""

from __future__ import annotations

import math
from datetime import datetime
from functools import cache
from typing import Any

import regex
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.session import Session

#: What Amazon's own answers break, too: a list of what was deleted may be empty.
_EMPTY_ALL_THE_SAME = {"DeletedFaces"}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (float, int),
    "double": (float, int),
    "timestamp": datetime,
}


@cache
def model() -> ServiceModel:
    """Return the model of Rekognition that botocore has."""
    return Session().get_service_model("rekognition")


def check_answer(operation: str, answer: dict[str, Any]) -> None:
    """Raise AssertionError unless an answer is one that the model allows."""
    shape = model().operation_model(operation).output_shape
    if shape is None or not shape.members:
        assert answer == {}
    else:
        _check(shape, answer, operation)


def _check(shape: Shape, value: Any, path: str) -> None:
    if isinstance(shape, StructureShape):
        assert isinstance(value, dict), path
        assert not value.keys() - shape.members.keys(), path
        assert not set(shape.required_members) - value.keys(), path
        for name, each in value.items():
            _check(shape.members[name], each, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        assert isinstance(value, list), path
        if value or path.rpartition(".")[2] not in _EMPTY_ALL_THE_SAME:
            _check_range(shape, len(value), path)
        for place, each in enumerate(value):
            _check(shape.member, each, f"{path}[{place}]")
    elif isinstance(shape, MapShape):
        assert isinstance(value, dict), path
        for name, each in value.items():
            _check(shape.key, name, f"{path} key")
            _check(shape.value, each, f"{path}.{name}")
    else:
        _check_scalar(shape, value, path)


def _check_scalar(shape: Shape, value: Any, path: str) -> None:
    assert isinstance(value, _TYPES[shape.type_name]), f"{path}: {value!r}"
    assert shape.type_name == "boolean" or not isinstance(value, bool), path
    if isinstance(shape, StringShape):
        assert not shape.enum or value in shape.enum, f"{path}: {value!r}"
        pattern = shape.metadata.get("pattern")
        assert pattern is None or regex.fullmatch(pattern, str(value)), f"{path}: {value!r}"
        _check_range(shape, len(str(value)), path)
    elif isinstance(value, int | float):
        assert math.isfinite(value), path
        _check_range(shape, value, path)


def _check_range(shape: Shape, number: float, path: str) -> None:
    assert shape.metadata.get("min", -math.inf) <= number, f"{path}: {number}"
    assert number <= shape.metadata.get("max", math.inf), f"{path}: {number}"
