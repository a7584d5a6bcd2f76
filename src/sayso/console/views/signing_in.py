"""Signing in, with an access key or by a link that does so once, and signing out."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sayso.callers import Caller
from sayso.console import templates, words
from sayso.console.forms import CSRF_FIELD, FormRefused, read_form
from sayso.console.routing import status_of
from sayso.console.security import HEADERS
from sayso.console.visits import address
from sayso.errors import AccessDenied, SaysoError, UnknownKey
from sayso.service import sessions
from sayso.service.state import ServiceState

#: What a page of the console has after the address of the first one.
_PLAIN = re.compile(r"[!-~]*", re.ASCII)
#: An id with its secret, as one text.
_WHOLE_KEY = re.compile(r"([A-Za-z0-9]{1,64})[.:](\S{1,256})", re.ASCII)
_SMALL = 64 << 10


def routes(state: ServiceState) -> list[Route]:
    """Return the routes of whoever is not signed in yet."""
    doors = _Doors(state)
    return [
        Route("/sign-in", doors.sign_in, methods=["GET", "POST"]),
        Route("/enter", doors.enter, methods=["GET", "POST"]),
        Route("/sign-out", doors.sign_out, methods=["POST"]),
    ]


class _Doors:
    def __init__(self, state: ServiceState) -> None:
        self._state = state

    async def sign_in(self, request: Request) -> Response:
        """Ask for an access key, and sign in with it."""
        request.scope["sayso.route"] = "console:sign-in"
        why = request.query_params.get("why", "")
        told = words.say("common.sign_in.ended") if why == "ended" else None
        if request.method in sessions.SAFE:
            return _shown(next=_next(request.query_params.get("next")), told=told)
        wanted = address("")
        try:
            form = await self._form(request)
            wanted = _next(str(form.get("next", "")))
            return await self._by_key(request, form, to=wanted)
        except SaysoError as error:
            return _shown(status=status_of(error), problem=str(error), next=wanted)

    async def enter(self, request: Request) -> Response:
        """Sign in by a link: its token is behind the #, which a script of the page sends."""
        request.scope["sayso.route"] = "console:enter"
        if request.method in sessions.SAFE:
            return HTMLResponse(templates.render("enter.html"), headers=HEADERS)
        try:
            form = await self._form(request)
            caller = self._state.sessions.redeem(str(form.get("token", "")))
            if caller is None:
                raise AccessDenied(words.say("common.sign_in.used_up"))
            return await self._in(request, caller, by_link=True, to=address(""))
        except SaysoError as error:
            return _shown(status=status_of(error), problem=str(error), next=_next(None))

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        request.scope["sayso.route"] = "console:sign-out"
        token = self._state.token_of(request)
        session = self._state.sessions.find(token)
        if session is not None:
            try:
                form = await self._form(request)
                given = form.get(CSRF_FIELD)
                sessions.require_own_page(
                    session, "POST", request.headers, given if isinstance(given, str) else None
                )
            except SaysoError as error:
                return _shown(status=status_of(error), problem=str(error), next=_next(None))
            self._state.sessions.end(token)
        response = RedirectResponse(address("sign-in"), HTTPStatus.SEE_OTHER, headers=HEADERS)
        secure = self._state.is_secure(request.url.scheme)
        response.headers.append("Set-Cookie", sessions.no_cookie(secure=secure))
        return response

    async def _by_key(self, request: Request, form: FormData, *, to: str) -> Response:
        key, secret = str(form.get("key", "")).strip(), str(form.get("secret", "")).strip()
        whole = _WHOLE_KEY.fullmatch(secret) or _WHOLE_KEY.fullmatch(key)
        if whole is not None and not (key and secret and "." not in key):
            key, secret = whole[1], whole[2]
        if not key or not secret:
            raise FormRefused(words.say("common.sign_in.incomplete"))
        state = self._state
        peer = None if request.client is None else request.client.host
        state.limits.check_peer(peer, key)
        try:
            caller = await state.engine.light(lambda: state.app.authenticate(key, secret))
        except UnknownKey:
            state.limits.failed(peer, key)
            raise
        async with state.limits.admit(caller.key):
            return await self._in(request, caller, by_link=False, to=to)

    async def _in(self, request: Request, caller: Caller, *, by_link: bool, to: str) -> Response:
        theirs = self._state.app.acting_as(caller)
        await self._state.engine.light(lambda: theirs.signed_in("link" if by_link else "key"))
        request.scope["sayso.key"] = caller.key
        token = self._state.sessions.begin(caller)
        response = RedirectResponse(to, HTTPStatus.SEE_OTHER, headers=HEADERS)
        # Whoever signed in before, in the same browser, is out.
        self._state.sessions.end(self._state.token_of(request))
        secure = self._state.is_secure(request.url.scheme)
        response.headers.append("Set-Cookie", sessions.cookie(token, secure=secure))
        return response

    async def _form(self, request: Request) -> FormData:
        """Return a form of a page of ours: no other site may sign a browser in or out."""
        origin = request.headers.get("origin")
        if origin is not None and not self._is_ours(request, origin):
            raise AccessDenied(words.say("common.problem.other_site"))
        if not sessions.from_here(request.headers):
            raise AccessDenied(words.say("common.problem.other_site"))
        form = await read_form(request, _SMALL)
        await form.close()  # nobody sends files here
        return form

    def _is_ours(self, request: Request, origin: str) -> bool:
        if origin == self._state.settings.public_origin:
            return True
        return urlsplit(origin).netloc == request.headers.get("host")


def _shown(*, status: int = HTTPStatus.OK, **told: Any) -> Response:
    html = templates.render("sign_in.html", **{"problem": None, "told": None, **told})
    return HTMLResponse(html, status, headers=HEADERS)


def _next(given: str | None) -> str:
    """Return where to go after signing in: a page of the console, and nowhere else."""
    first = address("")
    if given and given.startswith(first) and _PLAIN.fullmatch(given):
        return given
    return first
