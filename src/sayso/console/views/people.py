"""The people of a collection: listed, looked for by name, and what is left of the erased."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from sayso.console.routing import Page
from sayso.console.visits import Visit
from sayso.results import Subject

#: How many are on a page, how many are read at once while a name is looked for and for one page at
#: most, and how many of the erased are shown.
PER_PAGE: Final = 100
_AT_ONCE: Final = 1000
_MOST_READ: Final = 20_000
_ERASED: Final = 200


async def _show(visit: Visit) -> Response:
    collections = await visit.light(visit.app.collections)
    collection = visit.asked("collection") or (collections[0].name if collections else "")
    find, after = visit.asked("find"), visit.asked("after")
    people: list[Subject] = []
    following, read = "", 0
    if collection:
        people, following, read = await _read(visit, collection, find, after)
        if not after and not following:  # else they come as they came here, the oldest first
            people.sort(key=lambda each: each.name.casefold())
    return visit.page(
        "people.html",
        collections=collections,
        collection=collection,
        total=next((each.subjects for each in collections if each.name == collection), 0),
        people=people,
        find=find,
        after=after,
        following=following,
        read=read,
        unfinished=bool(find and following and len(people) < PER_PAGE),
    )


async def _read(
    visit: Visit, collection: str, find: str, after: str
) -> tuple[list[Subject], str, int]:
    """Return those of a page, whom the next one comes after, or nobody, and how many were read.

    Names are sealed in the store, so that whoever looks for one has to read them all: so many of
    them for one page, and no further where nobody waits for it any more.
    """
    found: list[Subject] = []
    read = 0
    limit = _AT_ONCE if find else PER_PAGE + 1
    while True:
        some = await visit.light(
            lambda after=after: visit.app.subjects(  # type: ignore[misc]
                collection, after=after, limit=limit
            )
        )
        read += len(some)
        found += [each for each in some if find.casefold() in each.name.casefold()]
        if len(found) > PER_PAGE:
            return found[:PER_PAGE], found[PER_PAGE - 1].id, read
        if len(some) < limit:
            return found, "", read
        after = some[-1].id
        if read >= _MOST_READ or await visit.request.is_disconnected():
            return found, after, read


async def _show_erased(visit: Visit) -> Response:
    collection = visit.asked("collection")
    found = await visit.light(lambda: visit.app.tombstones(collection))
    return visit.page(
        "erased.html", collection=collection, tombstones=found[:_ERASED], total=len(found)
    )


PAGES = (Page("people", _show), Page("people/erased", _show_erased))
