"""Who is signed in with a browser: sessions in cookies, and links that sign in once.

Sessions are in the memory of this process alone, and end with it. Of their tokens only the digests
are kept. What a session may do is what its caller may: a key that is revoked ends it at once, since
the core asks for the key with every call.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Final

from sayso.callers import Caller
from sayso.errors import AccessDenied
from sayso.service.engine import Clock
from sayso.service.place import at

#: The header that has the session's CSRF token, in requests that no form makes.
CSRF_HEADER: Final = "x-sayso-csrf"
#: A session ends so many seconds after its last request, and after its beginning.
IDLE, LONGEST = 3600.0, 12 * 3600.0
#: How long a link signs in, in seconds.
LINK_LASTS: Final = 15 * 60.0
_MOST = 1000
#: Of one key, so that none signs everybody else out; whoever comes by a link counts as one key.
_MOST_OF_KEY = 20
_MOST_LINKS = 100
_COOKIE = "sayso-session"
#: What browsers take from nothing but this host over TLS; below a path the first can't be.
_FOR_HOST, _FOR_TLS = "__Host-", "__Secure-"
_FETCHED_HERE = frozenset({"same-origin", "none"})
#: Methods that change nothing, by RFC 9110.
SAFE: Final = frozenset({"GET", "HEAD"})


@dataclass(slots=True)
class Session:
    """Somebody signed in. ``csrf`` is what a page of theirs knows and no other page does.

    ``notes`` are told on the next page that they see.
    """

    caller: Caller
    csrf: str
    began: float
    seen: float
    notes: list[str] = field(default_factory=list)


class Sessions:
    """The sessions of this process, and its links; used on one event loop."""

    def __init__(
        self,
        *,
        idle: float = IDLE,
        longest: float = LONGEST,
        most: int = _MOST,
        most_of_key: int = _MOST_OF_KEY,
        clock: Clock = time.monotonic,
    ) -> None:
        self._idle, self._longest, self._clock = idle, longest, clock
        self._most, self._most_of_key = most, most_of_key
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        self._links: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()

    def begin(self, caller: Caller) -> str:
        """Sign somebody in; return the token of the session, for their cookie."""
        token, now = secrets.token_urlsafe(32), self._clock()
        own = [name for name, each in self._sessions.items() if each.caller.key == caller.key]
        if len(own) >= self._most_of_key:
            del self._sessions[own[0]]  # the one least lately seen has to sign in again
        self._sessions[_digest(token)] = Session(caller, secrets.token_urlsafe(32), now, now)
        if len(self._sessions) > self._most:  # and so it is where there are too many of all
            self._sessions.popitem(last=False)
        return token

    def find(self, token: str | None) -> Session | None:
        """Return the session of a token while it lasts."""
        if not token:
            return None
        name, now = _digest(token), self._clock()
        found = self._sessions.get(name)
        if found is None:
            return None
        if now - found.seen > self._idle or now - found.began > self._longest:
            del self._sessions[name]
            return None
        found.seen = now
        self._sessions.move_to_end(name)
        return found

    def end(self, token: str | None) -> None:
        """Sign out."""
        if token:
            self._sessions.pop(_digest(token), None)

    def link(self, caller: Caller) -> str:
        """Return the token of a link that signs a caller in, once and for a quarter of an hour."""
        token = secrets.token_urlsafe(24)
        self._links[_digest(token)] = caller, self._clock() + LINK_LASTS
        if len(self._links) > _MOST_LINKS:
            self._links.popitem(last=False)
        return token

    def redeem(self, token: str) -> Caller | None:
        """Return whom a link signs in, and never again; None for one that is used up or unknown."""
        caller, until = self._links.pop(_digest(token), (None, 0.0))
        return caller if self._clock() < until else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def token_of(headers: Mapping[str, str], *, secure: bool) -> str | None:
    """Return the token of the session that a request's cookie names.

    Where the service is ``secure``, reached over TLS, only the cookie counts that nothing but TLS
    sets: the other one may have been planted, by whoever answers for the same name without TLS.
    """
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    found = cookies.get(_name(secure=secure))
    return None if found is None else found.value


def _name(*, secure: bool) -> str:
    if not secure:
        return _COOKIE
    return (_FOR_TLS if at("") else _FOR_HOST) + _COOKIE


def cookie(token: str, *, secure: bool) -> str:
    """Return the header that gives a browser its session, until it is closed.

    No script can read it, and no other site's page can have it sent. Below a path of a host, it is
    not sent to what else is on that host either.
    """
    name, path = _name(secure=secure), at("") or "/"
    return f"{name}={token}; Path={path}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"


def no_cookie(*, secure: bool) -> str:
    """Return the header that takes it away."""
    return f"{cookie('', secure=secure)}; Max-Age=0"


def from_here(headers: Mapping[str, str]) -> bool:
    """Tell whether a browser says nothing else than that a request is from a page of its own."""
    return headers.get("sec-fetch-site", "same-origin") in _FETCHED_HERE


def require_own_page(
    session: Session, method: str, headers: Mapping[str, str], token: str | None
) -> None:
    """Raise AccessDenied unless a request comes from a page of the session itself.

    What changes something needs the session's CSRF ``token``. The cookie stays away from other
    sites' requests by itself; browsers that say where a request is from are believed, too.
    """
    if not from_here(headers):
        raise AccessDenied("the request comes from another site's page: use the console itself")
    if method in SAFE:
        return
    if token is None or not hmac.compare_digest(token.encode(), session.csrf.encode()):
        raise AccessDenied(
            "the request does not come from a page of this session, or the page is of an earlier "
            "one: load it again"
        )
