"""Lists that come in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sayso.service.rekognition.context import Context

Item = TypeVar("Item")
#: One is asked for beyond a page, to know whether that was all, and 4,096 is what a list gives.
_MOST = 4095


def page_of(
    context: Context,
    request: dict[str, Any],
    scope: str,
    usual: int,
    read: Callable[[bytes, int], Sequence[Item]],
    position: Callable[[Item], bytes],
) -> tuple[Sequence[Item], dict[str, str]]:
    """Return a page of a list, and the token of the next one as a member of the answer.

    ``read`` gives so many items after a position, empty for the beginning; ``position`` is an
    item's. ``scope`` says all that the list depends on. Raises InvalidPageToken.
    """
    # A MaxResults of 0 is allowed and means nothing: so it stands for not having been given.
    size = min(request.get("MaxResults") or usual, _MOST)
    token = request.get("NextToken")
    # Some clients send an empty token for the first page.
    after = context.app.page_position(scope, token) if token else b""
    found = read(after, size + 1)
    page = found[:size]
    if len(found) <= size:
        return page, {}
    return page, {"NextToken": context.app.page_token(scope, position(page[-1]))}
