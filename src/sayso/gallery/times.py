"""Times in the store: whole microseconds since 1970, UTC; exact, ordered, quick to compare."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: Microseconds in a day.
DAY = 86_400_000_000


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970, UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """Return the moment, in UTC, that is so many microseconds after 1970 began."""
    return _EPOCH + timedelta(microseconds=value)
