"""Where the service is on its host: at the root, or below a path that a proxy gives it.

``SAYSO_PUBLIC_URL`` says so. What is answered has every address made by ``at``, and what is asked
for may come with that path or, from a proxy that takes it away and from this machine, without it.
"""

from __future__ import annotations

import contextvars
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

#: The path of the request that is being answered; empty at the root.
_PREFIX: Final = contextvars.ContextVar("sayso_prefix", default="")


def at(path: str) -> str:
    """Return the path on the host of a path of the service, such as ``/v1/faces``."""
    return _PREFIX.get() + path


class Place:
    """Puts the service below a path; ``root_path`` says so to what routes requests."""

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and self._prefix:
            _PREFIX.set(self._prefix)
            path = scope["path"]
            if path == self._prefix:
                path += "/"
            elif not path.startswith(f"{self._prefix}/"):
                path = self._prefix + path
            scope["path"], scope["root_path"] = path, self._prefix
        await self._app(scope, receive, send)


def signed_paths(came: bytes) -> tuple[bytes, ...]:
    """Return the paths that a client may have signed of a request whose raw path is this.

    A proxy may have taken the prefix away, and clients differ in the slash at its end.
    """
    prefix = _PREFIX.get().encode()
    if not prefix or came == prefix or came.startswith(prefix + b"/"):
        return (came,)
    return (came, prefix + came, *([prefix] if came == b"/" else []))
