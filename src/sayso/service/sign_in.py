"""Who sends a request to the native API: somebody with an access key, or a page of a session."""

from __future__ import annotations

from starlette.requests import Request

from sayso.core import Sayso
from sayso.service import bearer, sessions
from sayso.service.state import ServiceState


async def sign_in(state: ServiceState, request: Request, run: bearer.Run | None = None) -> Sayso:
    """Return the application for whoever sends a request, and say in its scope which key it was.

    An access key goes before the cookie of a session. Raises UnknownKey, AccessDenied for a request
    with a cookie that no page of the session made, or Overloaded for an address that came with too
    many wrong keys. ``run`` runs what asks the database, unless light work does.
    """
    theirs = _of_session(state, request)
    if theirs is None:
        peer = None if request.client is None else request.client.host
        theirs = await bearer.sign_in(
            state.app, run or state.engine.light, state.limits, request.headers.raw, peer
        )
    request.scope["sayso.key"] = theirs.caller.key
    return theirs


def _of_session(state: ServiceState, request: Request) -> Sayso | None:
    if "authorization" in request.headers:
        return None
    session = state.sessions.find(state.token_of(request))
    if session is None:
        return None
    given = request.headers.get(sessions.CSRF_HEADER)
    sessions.require_own_page(session, request.method, request.headers, given)
    return state.app.acting_as(session.caller)
