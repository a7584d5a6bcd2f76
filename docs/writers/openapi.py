"""The description of the REST API, as the service itself gives it."""

from __future__ import annotations

import json

from sayso.service.rest.application import description


def page() -> str:
    """Return the description as JSON."""
    return json.dumps(description(), indent=2, ensure_ascii=False) + "\n"
