"""Somebody of a collection: what is held about them, and what they agreed to, as a timeline."""

from __future__ import annotations

from starlette.responses import Response

from sayso.callers import Action
from sayso.console.agreements import agreements, standing
from sayso.console.fields import past_day_given, value
from sayso.console.offering import choices, offered
from sayso.console.routing import Page
from sayso.console.visits import Visit
from sayso.console.words import day, say
from sayso.results import ConsentRecord

#: Each of these is enough to be told what somebody agreed to.
_TOLD_CONSENTS: tuple[Action, ...] = ("enrol", "erase", "audit", "admin")


async def _show(visit: Visit) -> Response:
    collection, name = value(visit, "collection"), value(visit, "subject")
    subject = await visit.light(lambda: visit.app.subject(collection, name))
    faces = await visit.light(lambda: visit.app.faces(collection, name))
    now = visit.app.now
    records: tuple[ConsentRecord, ...] = ()
    if visit.may(*_TOLD_CONSENTS):
        records = await visit.light(lambda: visit.app.consents(collection, name))
    offers = await choices(visit, collection) if visit.may("enrol") else None
    return visit.page(
        "subject.html",
        subject=subject,
        faces=faces,
        timeline=[(record, agreements(record, now)) for record in reversed(records)],
        standing=standing(records, now),
        told_consents=visit.may(*_TOLD_CONSENTS),
        offers=offers,
    )


async def _add_consent(visit: Visit) -> Response:
    collection, name = visit.given("collection"), visit.given("subject")
    consent = offered(visit)
    record = await visit.light(lambda: visit.app.add_consent(collection, name, consent))
    told = say("people.subject.consent_added", purposes=", ".join(record.purposes))
    return visit.go("people/subject", told, collection=collection, subject=name)


async def _record_contact(visit: Visit) -> Response:
    collection, name = visit.given("collection"), visit.given("subject")
    at = past_day_given(visit, "at")
    records = await visit.light(lambda: visit.app.record_interaction(collection, name, at))
    last = max((each.last_interaction for each in records), default=None)
    told = say("people.subject.contact_recorded", day=day(last))
    return visit.go("people/subject", told, collection=collection, subject=name)


PAGES = (Page("people/subject", _show, {"consent": _add_consent, "contact": _record_contact}),)
