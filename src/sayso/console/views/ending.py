"""Withdrawal and erasure: what will go is shown first, and then it is asked for."""

from __future__ import annotations

from starlette.responses import Response

from sayso.console.agreements import faces_going, standing
from sayso.console.fields import value
from sayso.console.routing import Page
from sayso.console.visits import Visit
from sayso.console.words import say


async def _show_withdrawal(visit: Visit) -> Response:
    collection, name = value(visit, "collection"), value(visit, "subject")
    purpose = value(visit, "purpose") or None
    records = await visit.light(lambda: visit.app.consents(collection, name))
    faces = await visit.light(lambda: visit.app.faces(collection, name))
    now = visit.app.now
    stands = standing(records, now)
    going = [each for each in stands if purpose in (None, each)]
    return visit.page(
        "withdraw.html",
        collection=collection,
        subject=name,
        purpose=purpose,
        going=going,
        staying=[each for each in stands if each not in going],
        faces=faces_going(records, faces, purpose, now),
        sees_everybody=visit.caller.sees_everybody,
    )


async def _withdraw(visit: Visit) -> Response:
    collection, name = visit.given("collection"), visit.given("subject")
    purpose = visit.given("purpose") or None
    done = await visit.light(lambda: visit.app.withdraw_consent(collection, name, purpose))
    told = say("people.withdraw.done", name=name, purposes=", ".join(done.purposes))
    if done.tombstone is not None:
        erased = say("people.erase.done", name=name, id=done.tombstone.id)
        return visit.go("people", f"{told} {erased}", collection=collection)
    if not visit.caller.sees_everybody:  # who may not know of them any more
        return visit.go("people", told, collection=collection)
    return visit.go("people/subject", told, collection=collection, subject=name)


async def _show_erasure(visit: Visit) -> Response:
    collection, name = value(visit, "collection"), value(visit, "subject")
    subject = await visit.light(lambda: visit.app.subject(collection, name))
    faces = await visit.light(lambda: visit.app.faces(collection, name))
    records = await visit.light(lambda: visit.app.consents(collection, name))
    return visit.page(
        "erase.html",
        subject=subject,
        faces=faces,
        records=records,
        associated=sorted({face.user for face in faces if face.user is not None}),
        sees_everybody=visit.caller.sees_everybody,
    )


async def _erase(visit: Visit) -> Response:
    collection, name = visit.given("collection"), visit.given("subject")
    stone = await visit.light(lambda: visit.app.erase_subject(collection, name))
    told = say("people.erase.done", name=name, id=stone.id)
    return visit.go("people", told, collection=collection)


PAGES = (
    Page("people/withdraw", _show_withdrawal, {"withdraw": _withdraw}),
    Page("people/erase", _show_erasure, {"erase": _erase}),
)
