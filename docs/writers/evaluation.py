"""The document of ``sayso evaluate --json``: the fields of the data classes that it is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from docs.writers.markdown import code, prose, table
from sayso.evaluation.evaluate import Evaluation

_INTRODUCTION = """\
## Evaluation

`sayso evaluate --json`: one object, an Evaluation, of the objects below. Numbers have six digits;
what was not measured, None or NaN in what follows, is null. Files are `PERSON/PICTURE` in their
folder.
"""

_WORDS = {str: "text", int: "number", float: "number", bool: "true or false"}


def section() -> str:
    """Return the part of the page, with the objects in the order in which one meets them."""
    parts = [_INTRODUCTION]
    for each in _classes():
        hints = get_type_hints(each)
        rows = [(code(f.name), _told(hints[f.name])) for f in dataclasses.fields(each)]
        about = prose(each.__doc__)
        # Other documents of the page have names such as Verification, too.
        heading = "" if each is Evaluation else f"### Evaluation: {each.__name__}\n\n"
        parts.append(f"{heading}{about}\n\n{table(['field', 'value'], rows)}\n")
    return "\n".join(parts)


def _classes() -> list[type]:
    found: list[type] = []
    waiting: list[type] = [Evaluation]
    while waiting:
        each = waiting.pop(0)
        if each not in found:
            found.append(each)
            waiting[:0] = [held for hint in get_type_hints(each).values() for held in _held(hint)]
    return found


def _held(hint: Any) -> Iterator[type]:
    """Yield the data classes that a type is made of."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        yield hint
    for part in get_args(hint):
        yield from _held(part)


def _told(hint: Any) -> str:
    """Return what stands there in the JSON form."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return f"[{hint.__name__}](#evaluation-{hint.__name__.lower()})"
    origin, parts = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        others = [_told(part) for part in parts if part is not NoneType]
        return " or ".join([*others, *["null"] * (NoneType in parts)])
    if origin is np.ndarray:
        return "array of numbers"
    if origin is tuple:
        if Ellipsis in parts:
            return f"array of {_told(parts[0])}"
        return "array: " + ", ".join(_told(part) for part in parts)
    return _WORDS[hint]
