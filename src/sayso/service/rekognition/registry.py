"""Which handler serves which operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from sayso.service.rekognition.context import Context

#: Takes a request that fits the operation's shape, with blobs as bytes; gives an answer that does.
Operation = Callable[[Context, dict[str, Any]], Awaitable[dict[str, Any]]]


def handlers() -> Mapping[str, Operation]:
    """Return the handler of every operation that is served."""
    # They import this module for the type above.
    from sayso.service.rekognition.operations import (
        collections,
        comparing,
        faces,
        searching,
        tags,
        users,
    )

    found: dict[str, Operation] = {}
    for module in (collections, comparing, faces, searching, tags, users):
        found |= module.OPERATIONS
    return MappingProxyType(found)
