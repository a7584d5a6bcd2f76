"""How a page is reached: who visits is asked first, forms are checked, and refusals are shown."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sayso.console import words
from sayso.console.forms import CSRF_FIELD, DO_FIELD, FormRefused, FormTooLarge, read_form
from sayso.console.security import HEADERS
from sayso.console.visits import Visit, address
from sayso.errors import SaysoError, UnknownKey
from sayso.service import sessions
from sayso.service.rest import kinds
from sayso.service.state import ServiceState

_log = logging.getLogger(__name__)
Handler = Callable[[Visit], Awaitable[Response]]
#: What tells a script of a page the kind of a problem; see ``kind_of``.
KIND_HEADER: Final = "X-Sayso-Problem"


@dataclass(frozen=True, slots=True)
class Page:
    """A page: how it is shown, and by their names what its forms do.

    ``path`` is below ``/console/``. A form's deed that is refused shows the page again with what
    was refused.
    """

    path: str
    show: Handler
    deeds: Mapping[str, Handler] | None = None

    def route(self, state: ServiceState) -> Route:
        """Return the page's route."""
        methods = ["GET"] if self.deeds is None else ["GET", "POST"]

        async def endpoint(request: Request) -> Response:
            request.scope["sayso.route"] = f"console:{self.path}"
            return await self._answer(state, request)

        return Route(f"/{self.path}", endpoint, methods=methods)

    async def _answer(self, state: ServiceState, request: Request) -> Response:
        session = state.sessions.find(state.token_of(request))
        if session is None:
            return _to_sign_in(request)
        request.scope["sayso.key"] = session.caller.key
        visit = Visit(request, state, session, state.app.acting_as(session.caller))
        try:
            async with state.limits.admit(session.caller.key):
                if request.method in sessions.SAFE:
                    sessions.require_own_page(session, request.method, request.headers, None)
                    return await self.show(visit)
                return await self._do(visit)
        except UnknownKey as error:
            return _signed_out(state, request, str(error))
        except SaysoError as error:
            return problem_page(visit, error)

    async def _do(self, visit: Visit) -> Response:
        headers = visit.request.headers
        token = headers.get(sessions.CSRF_HEADER)
        if token is not None:  # before a body is read for nothing
            sessions.require_own_page(visit.session, "POST", headers, token)
        form = await read_form(visit.request, visit.state.settings.max_body_bytes)
        try:
            if token is None:
                given = form.get(CSRF_FIELD)
                sessions.require_own_page(
                    visit.session, "POST", headers, given if isinstance(given, str) else None
                )
            return await self._done(replace(visit, form=form))
        finally:
            await form.close()

    async def _done(self, visit: Visit) -> Response:
        deed = (self.deeds or {}).get(visit.given(DO_FIELD))
        if deed is None:
            raise FormRefused(words.say("common.problem.no_such_deed"))
        try:
            return await deed(visit)
        except UnknownKey:
            raise
        except SaysoError as error:
            if is_script(visit.request):
                raise
            # The page is shown again with what was given; if that fails, too, it is told alone.
            again = replace(visit, problem=_told(error), problem_kind=kind_of(error))
            shown = await self.show(again)
            shown.status_code = status_of(error)
            return shown


def is_script(request: Request) -> bool:
    """Tell whether a script of a page asks, which shows refusals by itself."""
    return sessions.CSRF_HEADER in request.headers


def problem_page(visit: Visit, error: SaysoError) -> Response:
    """Show what was refused, and why."""
    status, told = status_of(error), _told(error)
    if is_script(visit.request):
        response = visit.fragment("problem_part.html", message=told)
        response.status_code = status
        response.headers[KIND_HEADER] = kind_of(error)
        return response
    return visit.page("problem.html", status, message=told)


def status_of(error: SaysoError) -> int:
    """Return the status that a refusal is answered with."""
    return int(_kind(error).status)


def kind_of(error: SaysoError) -> str:
    """Return what the API calls such a problem."""
    own = error.kind if isinstance(error, FormRefused) else ""
    return own or _kind(error).name


def _told(error: SaysoError) -> str:
    """Return what to say of a refusal; what is wrong with the service itself is in its log."""
    kind = _kind(error)
    if kind.told:
        return str(error)
    _log.error("%s", kind.name, exc_info=error)
    return words.say("common.problem.unexpected")


def _kind(error: SaysoError) -> kinds.Kind:
    if isinstance(error, FormTooLarge):
        return kinds.BODY_TOO_LARGE
    return kinds.INVALID_REQUEST if isinstance(error, FormRefused) else kinds.of(error)


def _to_sign_in(request: Request) -> Response:
    if is_script(request):
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers=HEADERS)
    asked = {}
    if request.method in sessions.SAFE:
        query = request.url.query
        asked["next"] = request.url.path + (f"?{query}" if query else "")
    return RedirectResponse(address("sign-in", asked), HTTPStatus.SEE_OTHER, headers=HEADERS)


def _signed_out(state: ServiceState, request: Request, why: str) -> Response:
    state.sessions.end(state.token_of(request))
    if is_script(request):
        return Response(why, HTTPStatus.UNAUTHORIZED, headers=HEADERS)
    return RedirectResponse(
        address("sign-in", {"why": "ended"}), HTTPStatus.SEE_OTHER, headers=HEADERS
    )
