"""What several pages read of their forms: a collection, somebody in it, a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sayso.console import words
from sayso.console.forms import FormRefused
from sayso.console.visits import Visit

#: Where a day begins first, it does so this long before UTC has it.
_EARLIEST = timedelta(hours=14)


def value(visit: Visit, name: str) -> str:
    """Return what the form says, or else the address."""
    return visit.given(name) or visit.asked(name)


def day_given(visit: Visit, name: str) -> datetime | None:
    """Return the beginning of a day in UTC, or None where none was given; raises FormRefused."""
    text = visit.given(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise FormRefused(words.say("common.problem.no_day", given=text[:40])) from None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def past_day_given(visit: Visit, name: str) -> datetime | None:
    """Return what ``day_given`` does; a day that is today for somebody only is None, for now."""
    day = day_given(visit, name)
    now = visit.app.now
    return None if day is not None and now < day <= now + _EARLIEST else day
