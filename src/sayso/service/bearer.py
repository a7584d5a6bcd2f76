"""The access key of a request that bears it: ``Authorization: Bearer ID.SECRET``."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable

from sayso.callers import Caller
from sayso.core import Sayso
from sayso.errors import UnknownKey
from sayso.service.limits import KeyLimits

#: An id, and a secret; a colon between them does as well.
_BEARER = re.compile(rb"bearer +([A-Za-z0-9]{1,64})[.:]([\x21-\x7e]{1,256})", re.IGNORECASE)
#: Runs what asks the database, in a thread.
Run = Callable[[Callable[[], Caller]], Awaitable[Caller]]
_UNREADABLE = "the request bears no access key: send Authorization: Bearer ID.SECRET"


def credentials(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """Return the id and the secret that a request bears; raises UnknownKey when it bears none."""
    given = [value for name, value in headers if name == b"authorization"]
    found = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
    if found is None:
        raise UnknownKey(_UNREADABLE)
    return found[1].decode("ascii"), found[2].decode("ascii")


async def sign_in(
    app: Sayso,
    run: Run,
    limits: KeyLimits,
    headers: Iterable[tuple[bytes, bytes]],
    peer: str | None,
) -> Sayso:
    """Return the application for whoever's key a request bears.

    ``run`` runs what asks the database. Raises UnknownKey, or Overloaded for an address that came
    with too many wrong keys.
    """
    key, secret = credentials(headers)
    limits.check_peer(peer, key)
    try:
        caller = await run(lambda: app.authenticate(key, secret))
    except UnknownKey:
        limits.failed(peer, key)
        raise
    return app.acting_as(caller)
