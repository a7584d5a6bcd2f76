"""Access keys: listed, made with some rights, and revoked."""

from __future__ import annotations

from typing import Final, cast

from starlette.responses import Response

from sayso.callers import ACTIONS, Action
from sayso.console.fields import day_given, value
from sayso.console.forms import FormRefused
from sayso.console.routing import Page
from sayso.console.visits import Visit
from sayso.console.words import say
from sayso.errors import CollectionNotFound, KeyNotFound

#: Purposes are proposed from so many collections; with more, nobody would read them all.
_PROPOSING: Final = 20


async def _show(visit: Visit) -> Response:
    # Whoever may admin some collections only can make keys for these, and is not told of others.
    tells_all = visit.may_everywhere("admin") or not visit.may("admin")
    found = await visit.light(visit.app.keys) if tells_all else ()
    collections = await visit.light(visit.app.collections)
    proposed: set[str] = set()
    for each in collections[:_PROPOSING]:
        purposes = await visit.light(lambda name=each.name: visit.app.purposes(name))  # type: ignore[misc]
        proposed.update(purpose.name for purpose in purposes if purpose.met is None)
    return visit.page(
        "keys.html",
        keys=sorted(found, key=lambda key: key.revoked is not None),
        tells_all=tells_all,
        collections=collections,
        proposed=sorted(proposed),
        actions=[each for each in ACTIONS if visit.may(each)],
    )


async def _make(visit: Visit) -> Response:
    limited = visit.given("where") != "everywhere"
    collections = visit.all_given("collections") if limited else None
    if not visit.all_given("actions"):
        raise FormRefused(say("keys.make.no_right"))
    if limited and not collections:
        raise FormRefused(say("keys.make.no_collection"))
    until, purpose = day_given(visit, "until"), visit.given("purpose")
    # Asked before: once the key is made, nothing may come between it and telling its secret.
    undeclared = [name for name in collections or () if await _misses(visit, name, purpose)]
    made = await visit.light(
        lambda: visit.app.create_key(
            visit.given("actor"),
            purpose=purpose,
            actions=cast("list[Action]", visit.all_given("actions")),
            collections=collections,
            until=until,
            attestation=visit.given("attestation") or None,
        )
    )
    # The secret is in this answer and nowhere else: no note of the session, no address has it.
    return visit.page("key_made.html", made=made, undeclared=undeclared)


async def _misses(visit: Visit, collection: str, purpose: str) -> bool:
    """Tell whether nobody of a collection can have agreed to a purpose."""
    try:
        found = await visit.light(lambda: visit.app.purposes(collection))
    except CollectionNotFound:  # it may be made later
        return False
    return purpose not in {each.name for each in found}


async def _show_revoking(visit: Visit) -> Response:
    asked = value(visit, "key")
    found = {each.id: each for each in await visit.light(visit.app.keys)}
    if asked not in found:
        raise KeyNotFound(say("keys.revoke.unknown", id=asked[:64]))
    return visit.page("revoke.html", key=found[asked])


async def _revoke(visit: Visit) -> Response:
    asked = visit.given("key")
    revoked = await visit.light(lambda: visit.app.revoke_key(asked))
    return visit.go("keys", say("keys.revoke.done", id=revoked.id, actor=revoked.actor))


PAGES = (
    Page("keys", _show, {"make": _make}),
    Page("keys/revoke", _show_revoking, {"revoke": _revoke}),
)
