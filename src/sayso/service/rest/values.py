"""The values that requests and answers are made of, and the models they share a manner with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
#: The most that a list of names or ids in one request may have.
MOST_LISTED: Final = 100

# The rules of the core, told in the API's description too; the core enforces them.
COLLECTION: Final = r"^\.*[a-zA-Z0-9_\-][a-zA-Z0-9_.\-]*$"
SUBJECT: Final = r"^\.*[a-zA-Z0-9_\-:][a-zA-Z0-9_.\-:]*$"
#: Of those that are there, which may be of only dots. In a path such a name has a ~ before it: no
#: client or proxy takes that for a step.
KNOWN_COLLECTION: Final = r"^[a-zA-Z0-9_.\-]+$"
KNOWN_SUBJECT: Final = r"^[a-zA-Z0-9_.\-:]+$"
COLLECTION_IN_PATH: Final = r"^(~\.+|\.*[a-zA-Z0-9_\-][a-zA-Z0-9_.\-]*)$"
SUBJECT_IN_PATH: Final = r"^(~\.+|\.*[a-zA-Z0-9_\-:][a-zA-Z0-9_.\-:]*)$"
PURPOSE: Final = r"^[a-z0-9\-]+$"
UUID: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_NO_NUL: Final = r"^[^\x00]*$"

CollectionName = Annotated[str, Field(pattern=COLLECTION, min_length=1, max_length=255)]
SubjectName = Annotated[str, Field(pattern=SUBJECT, min_length=1, max_length=255)]
PurposeName = Annotated[str, Field(pattern=PURPOSE, min_length=1, max_length=64)]
Id = Annotated[str, Field(pattern=UUID)]
Label = Annotated[str, Field(pattern=_NO_NUL, min_length=1, max_length=255)]
Text = Annotated[str, Field(pattern=_NO_NUL, min_length=1, max_length=10_000)]


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("a time is as in 2027-01-31T18:00:00Z (RFC 3339)")
    found = datetime.fromisoformat(value.upper())
    if not _FIRST <= found <= _LAST:
        raise ValueError("a time is of the years 1970 to 9998")
    return found.astimezone(UTC)


#: A moment in a request: RFC 3339, with its offset from UTC.
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Asked(BaseModel):
    """Something that is asked: no member is passed over, and none is taken for another type."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        validate_by_name=True,
        hide_input_in_errors=True,
    )


class Answer(BaseModel):
    """Something that is answered; later versions may add members."""

    model_config = ConfigDict(frozen=True, validate_by_name=True)


def significant(value: float) -> float:
    """Round to three significant digits."""
    return float(f"{value:.3g}")


def in_order(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping in the order of its keys, so that equal ones are written alike."""
    return dict(sorted(told.items()))
