"""The report to a subject, to print or to save: what is held, on what consent, and who found them.

It is written for the person, names nobody else, and no id but their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Final

from starlette.responses import Response

from sayso.audit.events import (
    ConflictRefused,
    ConsentRecorded,
    ConsentsImported,
    ConsentWithdrawn,
    EnrolledSearched,
    Event,
    FacesAssociated,
    FacesDisassociated,
    FacesEnrolled,
    FacesErased,
    FacesTaken,
    InteractionRecorded,
    LookalikeRefused,
    PictureRedacted,
    PictureSearched,
    SubjectRead,
    TemplatesEnrolled,
    UserCreated,
    UserDeleted,
)
from sayso.console.agreements import agreements
from sayso.console.fields import value
from sayso.console.routing import Page
from sayso.console.security import saved_as
from sayso.console.visits import Visit
from sayso.console.words import figure, minute, say
from sayso.results import SubjectReport
from sayso.service.rest.conditions import rendered
from sayso.service.rest.resources import subjects

#: What is told alike whatever else the event says.
_PLAIN: Final[Mapping[type[Event], str]] = {
    ConflictRefused: "refused_conflict",
    EnrolledSearched: "searched_with",
    FacesAssociated: "associated",
    FacesDisassociated: "disassociated",
    FacesTaken: "faces_taken",
    PictureRedacted: "redacted",
    UserCreated: "user_created",
    UserDeleted: "user_deleted",
}


async def _show(visit: Visit) -> Response:
    told = await _report(visit)
    now = visit.app.now
    return visit.page(
        "report.html",
        report=told,
        now=now,
        consents=[(record, agreements(record, now)) for record in told.consents],
        searches=_counted(_searches(told)),
        history=list(_history(told)),
    )


async def _save(visit: Visit) -> Response:
    """Send the report as a file: the document that the API answers with."""
    told = await _report(visit)
    document = rendered(subjects.SubjectReport.of(told))
    name = told.subject.name.replace(":", "_")  # which Windows has in no file's name
    return Response(
        document, headers=saved_as(f"report-{name}.json"), media_type="application/json"
    )


async def _report(visit: Visit) -> SubjectReport:
    collection, name = value(visit, "collection"), value(visit, "subject")
    return await visit.light(lambda: visit.app.report(collection, name))


def _searches(told: SubjectReport) -> Iterator[str]:
    for entry in told.entries:
        if (hits := _hits(entry.event)) is not None:
            yield say(
                f"people.report.search.{_probe(entry.event)}",
                when=minute(entry.time),
                who=entry.actor,
                purpose=entry.purpose or "?",
                similarity=figure(max(hits)),
            )


def _hits(event: Event) -> list[float] | None:
    """Return how similar the subject was to what a search found them by; None of no such search."""
    if not isinstance(event, PictureSearched | EnrolledSearched) or not event.found:
        return None
    return [hit.similarity for hit in event.found]  # nobody else is left in there


def _probe(event: Event) -> str:
    if isinstance(event, EnrolledSearched):
        return "enrolled"
    return "picture" if isinstance(event, PictureSearched) and event.picture else "templates"


def _history(told: SubjectReport) -> Iterator[str]:
    """Yield a line for all that somebody did within a minute."""
    entries = (entry for entry in told.entries if _hits(entry.event) is None)
    for (when, who), some in groupby(entries, lambda each: (minute(each.time), each.actor)):
        done = Counter(_done(each.event, told.subject.id) for each in some)
        yield say(
            "people.report.history",
            when=when,
            who=who,
            what="; ".join(_times(what, count) for what, count in done.items()),
        )


def _counted(lines: Iterator[str]) -> list[str]:
    """Return each line once where the same comes several times in a row, and say how often."""
    return [_times(line, len(list(same))) for line, same in groupby(lines)]


def _times(what: str, count: int) -> str:
    return what if count == 1 else say("people.report.times", what=what, count=count)


def _done(event: Event, subject: str) -> str:
    """Return what an entry tells the subject of that id, as the end of a sentence."""
    match event:
        case ConsentRecorded(purposes=purposes) | ConsentsImported(purposes=purposes):
            return _say("agreed", purposes=", ".join(purposes))
        case ConsentWithdrawn(purposes=purposes):
            return _say("withdrew", purposes=", ".join(purposes))
        case InteractionRecorded(at=at):
            return _say("contact", at=minute(datetime.fromisoformat(at)))
        case SubjectRead(what=what):
            return _say(f"read_{what}")
    if type(event) in _PLAIN:
        return _say(_PLAIN[type(event)])
    return _done_to_faces(event, subject)


def _done_to_faces(event: Event, subject: str) -> str:
    match event:
        case FacesEnrolled() if event.subject != subject:
            return _say("enrolled_lookalike")
        case FacesEnrolled(faces=faces):
            return _say("enrolled", count=len(faces)) if faces else _say("enrolled_again")
        case LookalikeRefused():
            return _say("refused_like_you" if event.lookalike == subject else "refused_for_you")
        case TemplatesEnrolled():
            return _say("imported" if subject in event.subjects else "enrolled_lookalike")
        case FacesErased(faces=faces, reason=reason):
            return _say(f"faces_erased_{reason}", count=faces)
    return _say("other", kind=event.kind)


def _say(name: str, **values: object) -> str:
    return say(f"people.report.did.{name}", **values)


PAGES = (Page("people/report", _show), Page("people/report/file", _save))
