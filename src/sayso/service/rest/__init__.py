"""The native REST API, under ``/v1``: resources, thin over the core.

``resources`` has one module for each; what they share is beside it: ``operations`` (what an
operation is), ``calls`` (a request of somebody with a key), ``bodies`` and ``pictures`` (what comes
in), ``pages``, ``conditions`` and ``replays`` (lists, ETags, and requests that come again),
``problems`` (what is refused), ``openapi`` and ``pages_of_docs`` (how it is told).
"""

from __future__ import annotations

from sayso.service.rest.application import build

__all__ = ["build"]
