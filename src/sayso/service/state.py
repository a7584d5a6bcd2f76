"""What the handlers of the service share."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from sayso.core import Sayso
from sayso.service.engine import Engine
from sayso.service.fetching import Fetches
from sayso.service.limits import KeyLimits
from sayso.service.sessions import Sessions, token_of
from sayso.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The open gallery, the settings, what runs the work, limits of keys, and who is signed in.

    ``fetches`` reads the pictures that lie in buckets.
    """

    app: Sayso
    settings: ServiceSettings
    engine: Engine
    limits: KeyLimits
    sessions: Sessions = field(default_factory=Sessions)
    fetches: Fetches = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fetches", Fetches(self.settings.buckets))

    def is_secure(self, scheme: str) -> bool:
        """Tell whether browsers come over TLS: with the ``scheme`` of a request, or by a proxy."""
        return scheme == "https" or (self.settings.public_url or "").startswith("https://")

    def token_of(self, request: Request) -> str | None:
        """Return the token of the session that a request's cookie names."""
        return token_of(request.headers, secure=self.is_secure(request.url.scheme))
