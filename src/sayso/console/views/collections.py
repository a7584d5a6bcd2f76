"""Collections: how large they are, what their searches may get wrong, and what they are for."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

from starlette.responses import Response

from sayso.callers import KNOWING
from sayso.console import words
from sayso.console.forms import FormRefused
from sayso.console.routing import Page
from sayso.console.visits import Visit
from sayso.errors import ModelConflict
from sayso.evidence.rule import FalseMatchRule, Per
from sayso.results import Collection

#: Faces in a picture of a group, as an example.
_GROUP: Final = 30
_LONGEST_NUMBER: Final = 20


async def _list(visit: Visit) -> Response:
    found = await visit.light(visit.app.collections)
    return visit.page("collections.html", collections=found)


async def _create(visit: Visit) -> Response:
    name, usual = visit.given("name"), FalseMatchRule()
    rule = _rule(visit) if visit.given("one_in") else replace(usual, per=_per(visit))
    await visit.light(
        lambda: visit.app.create_collection(name, rule=None if rule == usual else rule)
    )
    return _to(visit, name, words.say("collections.made", name=name))


async def _today(visit: Visit, found: Collection) -> tuple[list[dict[str, Any]], str | None]:
    """Say what the rule asks of one face, and of a group; or why that cannot be told."""
    if not found.faces or not visit.may(*KNOWING):
        return [], None
    try:
        return [await _asks(visit, found.name, faces) for faces in (1, _GROUP)], None
    except ModelConflict as error:  # of a model that nothing was measured of
        return [], str(error)


async def _asks(visit: Visit, name: str, faces: int) -> dict[str, Any]:
    found = await visit.light(lambda: visit.app.threshold(name, faces=faces))
    expected = found.expected_false_matches
    return {
        "found": found,
        "threshold": found.threshold,
        "one_in": words.one_in(expected) if expected and expected < 1 else None,
        "expected": expected,
        "rate": found.false_match_rate,
    }


async def _one(visit: Visit) -> Response:
    name = visit.asked("collection")
    found = await visit.light(lambda: visit.app.collection(name))
    purposes = await visit.light(lambda: visit.app.purposes(name))
    tags = await visit.light(lambda: visit.app.collection_tags(name))
    erased = None
    if visit.may("audit", "admin"):
        erased = await visit.light(lambda: visit.app.tombstones(name))
    today, why_not = await _today(visit, found)
    return visit.page(
        "collection.html",
        collection=found,
        purposes=purposes,
        tags=sorted(tags.items()),
        erased=erased,
        today=today,
        why_not=why_not,
        one_in=_one_in(found.rule),
    )


async def _limit(visit: Visit) -> Response:
    name, rule = visit.asked("collection"), _rule(visit)
    await visit.light(lambda: visit.app.set_false_match_rule(name, rule))
    return _to(visit, name, words.say("collections.limit.set"))


def _one_in(rule: FalseMatchRule) -> str:
    """Return in how many there may be one mistake."""
    return f"{1 / rule.max_expected:.10g}"


def _rule(visit: Visit) -> FalseMatchRule:
    """Return the rule that a form asks for; raises FormRefused for what is no number."""
    given = visit.given("one_in").replace(",", "")
    try:
        one_in = float(given[:_LONGEST_NUMBER])
    except ValueError:
        one_in = math.nan
    if not one_in > 0 or math.isinf(one_in):
        raise FormRefused(words.say("collections.limit.no_number", given=given[:_LONGEST_NUMBER]))
    return FalseMatchRule(1 / one_in, _per(visit))


def _per(visit: Visit) -> Per:
    return "face" if visit.given("per") == "face" else "picture"


async def _purpose(visit: Visit) -> Response:
    name, wanted = visit.asked("collection"), visit.asked("purpose")
    every = await visit.light(lambda: visit.app.purposes(name))
    found = next((each for each in every if each.name == wanted), None)
    return visit.page("collection_purpose.html", collection=name, wanted=wanted, found=found)


async def _declare(visit: Visit) -> Response:
    name, purpose = visit.asked("collection"), visit.given("purpose")
    most, idle = _days(visit, "max_days"), _days(visit, "idle_days")
    # Browsers send every line of a text with two characters at its end; the notice is the same.
    notice = visit.given("notice").replace("\r\n", "\n")
    rule = {} if idle is None else {"idle_days": idle}
    await visit.light(
        lambda: visit.app.declare_purpose(name, purpose, notice=notice, max_days=most, **rule)
    )
    return _to(visit, name, words.say("collections.purpose.declared", purpose=purpose))


def _days(visit: Visit, name: str) -> int | None:
    """Return a number of days, None for no text; raises FormRefused."""
    given = visit.given(name)
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < _LONGEST_NUMBER):
        raise FormRefused(words.say("collections.purpose.no_days", given=given[:_LONGEST_NUMBER]))
    return int(given)


async def _tag(visit: Visit) -> Response:
    name, key = visit.asked("collection"), visit.given("key")
    await visit.light(lambda: visit.app.tag_collection(name, {key: visit.given("value")}))
    return _to(visit, name, words.say("collections.tags.set"))


async def _untag(visit: Visit) -> Response:
    name = visit.asked("collection")
    await visit.light(lambda: visit.app.untag_collection(name, [visit.given("key")]))
    return _to(visit, name, words.say("collections.tags.gone"))


async def _before_meeting(visit: Visit) -> Response:
    name, purpose = visit.asked("collection"), visit.asked("purpose")
    purposes = await visit.light(lambda: visit.app.purposes(name))
    return visit.page(
        "collection_purpose_met.html",
        collection=name,
        purpose=purpose,
        there=any(each.name == purpose for each in purposes),
    )


async def _meet(visit: Visit) -> Response:
    name, purpose = visit.asked("collection"), visit.asked("purpose")
    erased = await visit.light(lambda: visit.app.purpose_met(name, purpose))
    said = words.say("collections.met.done", purpose=purpose)
    return _to(visit, name, f"{said} {words.say('collections.erased', count=len(erased))}")


async def _before_deleting(visit: Visit) -> Response:
    name = visit.asked("collection")
    found = await visit.light(lambda: visit.app.collection(name))
    return visit.page("collection_delete.html", collection=found)


async def _delete(visit: Visit) -> Response:
    name = visit.asked("collection")
    if visit.given("typed") != name:
        raise FormRefused(words.say("collections.delete.not_typed", name=name))
    erased = await visit.light(lambda: visit.app.delete_collection(name, erase_subjects=True))
    said = words.say("collections.delete.done", name=name)
    return visit.go("collections", note=f"{said} {words.say('collections.erased', count=erased)}")


def _to(visit: Visit, collection: str, note: str) -> Response:
    return visit.go("collections/one", note=note, collection=collection)


PAGES = (
    Page("collections", _list, {"create": _create}),
    Page(
        "collections/one",
        _one,
        {"limit": _limit, "tag": _tag, "untag": _untag},
    ),
    Page("collections/purpose", _purpose, {"declare": _declare}),
    Page("collections/met", _before_meeting, {"met": _meet}),
    Page("collections/delete", _before_deleting, {"delete": _delete}),
)
