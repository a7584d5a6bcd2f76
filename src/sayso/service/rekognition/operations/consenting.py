"""What somebody is told whose request lacks a consent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sayso.errors import ConsentRequired


@contextlib.contextmanager
def telling_what_to_record(collection: str, subject: str) -> Iterator[None]:
    """Add to a ConsentRequired how to record one for an API's user, who has no command line."""
    try:
        yield
    except ConsentRequired as error:
        raise ConsentRequired(
            f"{error}. Through the API: POST /v1/collections/{collection}/subjects/{subject}"
            "/consents, or use an access key that attests how consent is collected (policy "
            "consent-first)"
        ) from error
