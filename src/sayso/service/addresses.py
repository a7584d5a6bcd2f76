"""Whom a request is from: the address of a client, also behind proxies, and whose network it is."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_UNKNOWN = "unknown"
#: Of IPv6, somebody has all addresses of a network of this length.
_OWN_BITS = 64


def network_of(address: str | None) -> str:
    """Return whose an address is: an IPv6 one is of its network, where somebody has all of them."""
    parsed = _parsed(address)
    if parsed is None:
        return _UNKNOWN
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, _OWN_BITS), strict=False))
    return str(parsed)


def is_in(address: str | None, networks: Sequence[Network]) -> bool:
    """Return whether an address is in one of the networks."""
    parsed = _parsed(address)
    return parsed is not None and any(parsed in each for each in networks)


class Forwarded:
    """Has every request be from the client that a trusted proxy says it is from.

    Only what the proxies themselves added to ``X-Forwarded-For`` is believed: the last address in
    it that is not a trusted proxy's. Whatever a client wrote there comes before that.
    """

    def __init__(self, app: ASGIApp, *, proxies: Sequence[Network]) -> None:
        self._app, self._proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and self._proxies:
            client = scope.get("client")
            if client is not None and is_in(client[0], self._proxies):
                told = self._told(scope)
                if told is not None:
                    scope["client"] = (told, 0)
        await self._app(scope, receive, send)

    def _told(self, scope: Scope) -> str | None:
        lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        for each in reversed(b",".join(lines).split(b",")):
            address = each.decode("latin-1").strip()
            if _parsed(address) is None:
                return None  # not an address: who it is from is not known any further
            if not is_in(address, self._proxies):
                return address
        return None


def _parsed(address: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
