"""What an entry of the log says of one subject, without telling who else it is about."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sayso.audit.events import Event, Found
from sayso.audit.log import Entry

#: Stands for the id of anybody else.
ANOTHER = "another"
_OF_SUBJECTS = frozenset({"subject", "subjects", "found", "lookalike", "lookalikes"})


@dataclass(frozen=True, slots=True)
class EntryAbout:
    """An entry as a subject is told it; the fields are those of ``Entry``.

    In the ``event`` whoever else was found is left out, and other ids are ``another``. What was
    hashed and signed is left out, since it names them.
    """

    number: int
    time: datetime
    actor: str
    purpose: str | None
    event: Event


def about(entry: Entry, subject: str) -> EntryAbout:
    """Return what an entry says of the subject of that id."""
    event = entry.event
    own: dict[str, Any] = {
        each.name: _own(getattr(event, each.name), subject)
        for each in fields(event)
        if each.name in _OF_SUBJECTS
    }
    told: Event = replace(event, **own)
    return EntryAbout(entry.number, entry.time, entry.actor, entry.purpose, told)


def _own(told: Any, subject: str) -> Any:
    if isinstance(told, tuple):
        hits = [each for each in told if isinstance(each, Found)]
        if hits:
            return tuple(each for each in hits if each.subject == subject)
        return tuple(each if each == subject else ANOTHER for each in told)
    return told if told in (None, subject) else ANOTHER
