"""Lines that are sent as they are read, however many there are: exports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import islice

from sayso.service.engine import Engine, Overloaded

_LINES = 500
#: How often it waits for a turn, a second each, before it is broken off.
_TURNS = 60


async def chunks(engine: Engine, lines: Iterator[str]) -> AsyncIterator[str]:
    """Yield the lines, some hundreds at a time; each is read when it is its turn.

    Raises TimeoutError when there is too much else to do for a minute.
    """
    while chunk := await _next(engine, lines):
        yield "".join(f"{line}\n" for line in chunk)


async def _next(engine: Engine, lines: Iterator[str]) -> list[str]:
    """Return the next lines; when there is too much to do, they wait their turn."""
    for _ in range(_TURNS):
        try:
            return await engine.light(lambda: list(islice(lines, _LINES)))
        except Overloaded:
            await asyncio.sleep(1)
    raise TimeoutError("the export was broken off")
