"""Lists, a page at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import Field

from sayso.errors import InvalidPageToken
from sayso.service.rest.calls import Call
from sayso.service.rest.values import Answer

Item = TypeVar("Item")
DEFAULT: Final = 100
MOST: Final = 1000
#: Of a position, which has at most 128 bytes: as much of a name as fits beside a digest.
_PREFIX, _DIGEST = 96, 16


class Page(Answer, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(
        description="Where to go on (as the query parameter cursor); null at the end."
    )


class Items(Answer, Generic[Item]):
    """A whole list."""

    items: list[Item]


@dataclass(frozen=True, slots=True)
class Paging:
    """How much of a list is asked for, and from where."""

    limit: int
    cursor: str | None

    def after(self, call: Call) -> bytes | None:
        """Return the position to go on from; raises InvalidPageToken."""
        if self.cursor is None:
            return None
        return call.app.page_position(_scope(call), self.cursor)

    def after_id(self, call: Call) -> str:
        """Return the id to go on from, or nothing at the beginning; raises InvalidPageToken."""
        return (self.after(call) or b"").decode()

    def following(
        self, call: Call, found: Sequence[Item], position: Callable[[Item], str]
    ) -> str | None:
        """Return the cursor after a page of at most ``limit``, which there is if it is full."""
        if len(found) < self.limit:
            return None
        return self.cursor_at(call, position(found[-1]).encode())

    def cursor_at(self, call: Call, position: bytes) -> str:
        """Return the cursor of a position."""
        return call.app.page_token(_scope(call), position)

    def cut(
        self, call: Call, every: Sequence[Item], name: Callable[[Item], str], *, ordered: bool
    ) -> tuple[list[Item], str | None]:
        """Return a page of a list that is here as a whole, and the cursor after it.

        ``name`` tells the items apart, and they are ``ordered`` by it, or else they never leave
        the list while somebody goes through it.
        """
        start = _start(every, name, self.after(call), ordered=ordered)
        page = list(every[start : start + self.limit])
        more = start + self.limit < len(every)
        return page, self.cursor_at(call, _position(name(page[-1]))) if more else None


def _scope(call: Call) -> str:
    """Return what a cursor is good for: this list, with these filters."""
    query = [
        each
        for each in call.request.query_params.multi_items()
        if each[0] not in ("limit", "cursor")
    ]
    return f"{call.path} {sorted(query)}"


def _position(name: str) -> bytes:
    data = name.encode()
    return hashlib.sha256(data).digest()[:_DIGEST] + data[:_PREFIX]


def _start(
    every: Sequence[Item], name: Callable[[Item], str], after: bytes | None, *, ordered: bool
) -> int:
    if after is None:
        return 0
    for place, item in enumerate(every):
        if _position(name(item)) == after:
            return place + 1
    if not ordered:
        raise InvalidPageToken("what the last page ended with is gone: begin anew without a cursor")
    # It has been deleted meanwhile: go on with what comes after it.
    prefix = after[_DIGEST:]
    return next(
        (place for place, item in enumerate(every) if name(item).encode()[:_PREFIX] >= prefix),
        len(every),
    )


async def _paging(
    limit: Annotated[
        int, Query(ge=1, le=MOST, description="The most items that one page has.")
    ] = DEFAULT,
    cursor: Annotated[
        str | None, Query(max_length=255, description="The next_cursor of the page before.")
    ] = None,
) -> Paging:
    return Paging(limit, cursor)


Paged = Annotated[Paging, Depends(_paging)]
