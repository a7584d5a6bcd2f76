"""The console put together: its pages, its files, and who is let in."""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount

from sayso.console import templates, words
from sayso.console.assets import Assets
from sayso.console.routing import Page
from sayso.console.security import HEADERS
from sayso.console.views import (
    adding,
    audit,
    collections,
    ending,
    keys,
    look,
    people,
    publish,
    reporting,
    reports,
    signing_in,
    start,
    subject,
)
from sayso.service.state import ServiceState

PAGES: tuple[Page, ...] = (
    *start.PAGES,
    *look.PAGES,
    *publish.PAGES,
    *people.PAGES,
    *subject.PAGES,
    *adding.PAGES,
    *ending.PAGES,
    *reporting.PAGES,
    *keys.PAGES,
    *audit.PAGES,
    *collections.PAGES,
    *reports.PAGES,
)


def build(state: ServiceState) -> Starlette:
    """Return the console of a service, to be mounted at ``/console``."""
    return Starlette(
        routes=[
            *(page.route(state) for page in PAGES),
            *signing_in.routes(state),
            Mount("/static/{version}", app=Assets()),
        ],
        exception_handlers={HTTPException: _on_http_error, Exception: _on_http_error},
    )


async def _on_http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    known = status == HTTPStatus.NOT_FOUND
    told = words.say("common.problem.not_found" if known else "common.problem.unexpected")
    return HTMLResponse(templates.render("lost.html", message=told), status, headers=HEADERS)
