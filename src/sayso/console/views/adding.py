"""Somebody is added: the consent form first, then their pictures, or the camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from sayso.console.fields import value
from sayso.console.forms import MOST_FILES, FormRefused
from sayso.console.offering import choices, offered
from sayso.console.routing import Page, is_script
from sayso.console.security import HEADERS
from sayso.console.visits import Upload, Visit, address
from sayso.console.words import say
from sayso.errors import SubjectNotFound
from sayso.results import Enrolment, PictureEnrolment, Subject

_DIGITS: Final = 4


class NameTaken(FormRefused):
    """Somebody of that name is enrolled, and nobody said that it is the same person."""

    kind = "name-taken"


async def _show(visit: Visit) -> Response:
    visit.require("enrol")
    collections = await visit.light(visit.app.collections)
    collection = value(visit, "collection") or (collections[0].name if collections else "")
    # Of somebody who is there already, the consent on record will do.
    known: Subject | None = None
    name = visit.asked("subject")
    if collection and name:
        known = await visit.light(lambda: visit.app.subject(collection, name))
    return visit.page(
        "add.html",
        collections=collections,
        collection=collection,
        known=known if known is not None and known.purposes else None,
        name=name,
        offers=await choices(visit, collection) if collection else None,
    )


async def _add(visit: Visit) -> Response:
    return await _enrol(visit, on_record=False)


async def _add_pictures(visit: Visit) -> Response:
    return await _enrol(visit, on_record=True)


async def _enrol(visit: Visit, *, on_record: bool) -> Response:
    collection, name = visit.given("collection"), visit.given("subject")
    consent = None if on_record else offered(visit)
    files = await visit.uploads("pictures")
    if not files:
        raise FormRefused(say("people.add.no_picture"))
    if not on_record and not visit.given("same") and await _is_enrolled(visit, collection, name):
        raise NameTaken(say("people.add.same_problem", name=name))
    done = await visit.heavy(
        lambda: visit.app.enroll(
            collection,
            subject=name,
            pictures=[each.content for each in files],
            consent=consent,
            allow_lookalike=bool(visit.given("lookalike")),
        )
    )
    _note(visit.session.notes, done, _outcome(visit, done, files))
    asked = {"collection": collection, "subject": name}
    if is_script(visit.request):  # a redirect would show it the page, and the notes be gone
        return Response(address("people/subject", asked), headers=HEADERS, media_type="text/plain")
    return visit.go("people/subject", **asked)


async def _is_enrolled(visit: Visit, collection: str, name: str) -> bool:
    """Tell whether somebody of a name has faces already: another's would be shown as theirs."""
    try:
        found = await visit.light(lambda: visit.app.subject(collection, name))
    except SubjectNotFound:
        return False
    return found.faces > 0


def _note(notes: list[str], done: Enrolment, told: list[str]) -> None:
    """Note what became of pictures, together with those that a script sent just before, if any."""
    nothing = say("people.add.nothing_new", name=done.subject)
    enrolled, before = done.enrolled, _enrolled(notes, done.subject)
    if before:
        notes.remove(_sentence(before, done.subject))
        enrolled += before
    if nothing in notes:
        notes.remove(nothing)
    notes.insert(0, _sentence(enrolled, done.subject) if enrolled else nothing)
    notes.extend(told)


def _enrolled(notes: Sequence[str], name: str) -> int:
    """Return how many pictures of somebody were enrolled by what was noted and not yet shown."""
    return next((n for n in range(1, MOST_FILES + 1) if _sentence(n, name) in notes), 0)


def _sentence(count: int, name: str) -> str:
    return say("people.add.enrolled", count=count, name=name)


def _outcome(visit: Visit, done: Enrolment, files: Sequence[Upload]) -> list[str]:
    """Return which pictures were not taken, and why; a script that sends one says which it is."""
    given = visit.given("place")
    first = int(given) if given.isascii() and given.isdigit() and len(given) < _DIGITS else 1
    told: list[str] = []
    for place, (picture, file) in enumerate(zip(done.pictures, files, strict=True), first):
        which = say("people.add.which", place=place, file=file.name or "?")
        if (sentence := _why_not(picture, which)) is not None:
            told.append(sentence)
    return told


def _why_not(picture: PictureEnrolment, which: str) -> str | None:
    if picture.error is not None:
        return say("people.add.refused", which=which, why=str(picture.error))
    if picture.repeated:
        return say("people.add.repeated", which=which)
    return say("people.add.turned", which=which, turn=picture.turn) if picture.turn else None


PAGES = (Page("people/add", _show, {"add": _add, "pictures": _add_pictures}),)
