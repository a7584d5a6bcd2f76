"""Events as JSON: their fields as the log writes them, read back, and whom they are about."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sayso.audit.events import EVENTS, Event, Found
from sayso.errors import AuditError


def to_fields(event: Event) -> dict[str, Any]:
    """Return an event's fields as JSON has them, but for its kind."""
    return {field.name: _value(getattr(event, field.name)) for field in fields(event)}


def from_json(kind: str, text: str | bytes) -> Event:
    """Return the event of that kind from a JSON object, whose other fields are passed over.

    Raises AuditError for a kind that is not known and for fields that are not those of the kind.
    """
    if kind not in EVENTS:
        raise AuditError(f"this version of Sayso knows no event {kind[:64]!r}")
    try:
        event: Event = _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise AuditError(f"event {kind}: {where or 'content'}: {first['msg']}") from None
    return event


def subjects_in(document: Mapping[str, Any]) -> set[str]:
    """Return the ids of all subjects in an event's fields as JSON has them, also of lookalikes."""
    found = document.get("found")
    ids = [document.get("subject"), document.get("lookalike")]
    for several in (document.get("subjects"), document.get("lookalikes")):
        if isinstance(several, (list, tuple)):  # elsewhere it is how many
            ids += several
    if isinstance(found, (list, tuple)):
        ids += [each.get("subject") for each in found if isinstance(each, Mapping)]
    return set(_texts(ids))


def _texts(values: Iterable[object]) -> Iterable[str]:
    return (value for value in values if isinstance(value, str))


@functools.cache
def _adapter(kind: str) -> TypeAdapter[Event]:
    return TypeAdapter(EVENTS[kind])


def _value(value: object) -> object:
    if isinstance(value, Found):
        return {"subject": value.subject, "similarity": value.similarity}
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    return value
