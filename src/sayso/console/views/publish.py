"""Publish: copies of pictures in which everybody is covered who did not agree to be seen.

The pictures go to the API one after the other (``js/publish.js``), which covers and puts on record.
"""

from __future__ import annotations

from starlette.responses import Response

from sayso.console.purposes import choose
from sayso.console.routing import Page
from sayso.console.visits import Visit
from sayso.redaction.types import STYLES


async def _show(visit: Visit) -> Response:
    collections = await visit.light(visit.app.collections)
    choice = await choose(visit, collections)
    return visit.page("publish.html", collections=collections, choice=choice, styles=STYLES)


PAGES = (Page("publish", _show),)
