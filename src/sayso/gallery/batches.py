"""Work in batches: databases limit the parameters of one statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import CursorResult

T = TypeVar("T")

#: Values in one IN list, below SQLite's old limit of 999 parameters.
IN_LIST = 500
#: Rows written or read by one call.
ROWS = 10_000


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the values in lists of that size, the last one shorter."""
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch


def driver_rows(result: CursorResult[Any]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield rows in lists, as the driver gives them: a third of the time where there are many.

    For columns of integers and bytes only, which need no conversion.
    """
    cursor = result.cursor
    if cursor is None:
        raise TypeError("the statement returns no rows")
    with closing(result):
        while rows := cursor.fetchmany(ROWS):
            yield list(rows)
