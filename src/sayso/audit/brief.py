"""Events of the audit log in a few words, for whoever reads it on a screen."""

from __future__ import annotations

import dataclasses
import re

from sayso.audit.events import Event

_LISTED = 2
_DIGEST = re.compile(r"[0-9a-f]{64}")


def in_brief(event: Event) -> str:
    """Return what an event says beyond its kind, in one line."""
    values = (
        (field.name, value)
        for field in dataclasses.fields(event)
        if (value := getattr(event, field.name)) != field.default
    )
    return ", ".join(
        f"{name.replace('_', ' ')} {_value(value)}"
        for name, value in values
        if value is not None and value is not False
    )


def _value(value: object) -> str:
    if isinstance(value, tuple):
        if value and all(isinstance(each, int) for each in value):  # a box
            return ",".join(map(str, value))
        return _several(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):  # somebody who was found
        return " ".join(_value(getattr(value, each.name)) for each in dataclasses.fields(value))
    if isinstance(value, float):
        return f"{value:.4g}"
    said = "yes" if value is True else str(value)
    return f"{said[:12]}..." if _DIGEST.fullmatch(said) else said


def _several(values: tuple[object, ...]) -> str:
    if len(values) > _LISTED:
        return f"{len(values):,}"
    return " and ".join(map(_value, values)) or "none"
