"""ETags, and requests that are made only if nothing, or something, has changed (RFC 9110, 13)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final

from sayso.service.rest import kinds
from sayso.service.rest.problems import Refused
from sayso.service.rest.values import Answer

ANY: Final = "*"
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
#: What a header with ETags looks like.
PATTERN: Final = r'^(\*|(W/)?"[\x21\x23-\x7e]*"([ \t]*,[ \t]*(W/)?"[\x21\x23-\x7e]*")*)$'


def etag(body: bytes) -> str:
    """Return the strong ETag of an answer's body."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def rendered(answer: Answer) -> bytes:
    """Return the body that an answer has."""
    return answer.model_dump_json(by_alias=True).encode()


def unchanged(if_none_match: str | None, current: str) -> bool:
    """Whether a client has what is current already."""
    if if_none_match is None:
        return False
    return if_none_match == ANY or current in {tag for _, tag in _listed(if_none_match)}


def require_match(if_match: str | None, current: Callable[[], Answer]) -> None:
    """Raise Refused unless what stands there is what a client means to change."""
    if if_match is None:
        return
    answer = current()  # raises where there is none
    if if_match == ANY:
        return
    tags = {tag for weak, tag in _listed(if_match) if not weak}
    if etag(rendered(answer)) not in tags:
        raise Refused(
            kinds.PRECONDITION_FAILED, "what stands there now has another ETag: get it again"
        )


def _listed(header: str) -> list[tuple[bool, str]]:
    """Return the ETags of a header, and whether each is weak."""
    return [(bool(found[1]), f'"{found[2]}"') for found in _TAG.finditer(header)]
