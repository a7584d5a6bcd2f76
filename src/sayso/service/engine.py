"""What runs the work of requests: a few threads, a line before them, and refusals.

Who is let in is in ``admission``, whose turn it is in ``turns``.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from sayso.service.admission import TRIES, PatientGate
from sayso.service.line import Gauges, Job, Line, counted_line
from sayso.service.overload import BUSY, SHUTTING_DOWN, Overloaded, seconds_header
from sayso.service.turns import Clock, Turns

__all__ = [
    "BUSY",
    "CLIENT_GONE",
    "SHUTTING_DOWN",
    "TRIES",
    "Clock",
    "Engine",
    "Gauges",
    "Overloaded",
    "seconds_header",
]

Result = TypeVar("Result")

#: Done when the client of the request that this is about has left; see ``Engine.run``.
CLIENT_GONE: contextvars.ContextVar[asyncio.Future[None] | None] = contextvars.ContextVar(
    "sayso_client_gone", default=None
)
LIGHT_WORKERS = 8
LIGHT_QUEUE = 248
#: Threads and a line for questions about the service itself, which nothing else takes.
HEALTH_WORKERS = 2
HEALTH_QUEUE = 14


class Engine:
    """The lines: for heavy work, for what only asks the database, and for health.

    ``patience`` is how long heavy work may wait for its turn, and ``seconds`` how long it may then
    take. Keys that are ``interactive`` would rather be refused than wait. Made and used on one
    event loop; the work itself runs in threads.
    """

    def __init__(
        self,
        workers: int,
        patience: float,
        *,
        seconds: float = math.inf,
        interactive: Iterable[str] = (),
        clock: Clock = time.monotonic,
    ) -> None:
        turns: Turns[Job] = Turns(workers, clock=clock, interactive=interactive)
        self._heavy = Line("sayso-work", turns, PatientGate(turns, patience), seconds=seconds)
        self._light = counted_line("sayso-light", LIGHT_WORKERS, LIGHT_QUEUE, clock=clock)
        self._health = counted_line("sayso-health", HEALTH_WORKERS, HEALTH_QUEUE, clock=clock)

    async def run(self, key: str | None, work: Callable[[], Result]) -> Result:
        """Run heavy work: what decodes a picture or searches; ``key`` is whose turn it is.

        Keys share the workers by time. Raises Overloaded where it would wait longer than clients
        do, PictureTooCostly where it takes longer than it may, and whatever the work raises. Work
        of a request that is cancelled, or whose client leaves, is not begun, or is stopped at its
        next step (CancelledError); what it has committed by then stays.
        """
        return await self._heavy.run(key, work, CLIENT_GONE.get())

    def require_room(self, key: str | None) -> None:
        """Raise Overloaded where heavy work of a key would be refused now.

        To be asked before a body is read or a signature verified: then it costs next to nothing to
        refuse, and what is accepted is not slowed down by what is not. The key is only claimed by
        then, and that suffices: ``run`` asks again.
        """
        self._heavy.require_room(key)

    async def light(self, work: Callable[[], Result]) -> Result:
        """Run light work, such as a read of the database; heavy work never holds it up.

        Raises Overloaded when hundreds wait, and whatever the work raises. It is done also when the
        client has left: it may be what puts on record that heavy work was done.
        """
        return await self._light.run(None, work)

    async def health(self, work: Callable[[], Result]) -> Result:
        """Run what says how the service is; neither heavy nor light work ever holds it up.

        Raises as ``light`` does.
        """
        return await self._health.run(None, work)

    @property
    def heavy_gauges(self) -> Gauges:
        """How the line of heavy work stands."""
        return self._heavy.gauges

    @property
    def light_gauges(self) -> Gauges:
        """How the line of light work stands."""
        return self._light.gauges

    @property
    def overloaded(self) -> bool:
        """Whether heavy work was refused within the last second."""
        return self._heavy.overloaded

    async def close(self) -> None:
        """Refuse what comes from now on, and return when all that was accepted is done.

        Light work is let in until there is no heavy work left: it may be part of the same request.
        """
        await self._heavy.close()
        await self._light.close()
        await self._health.close()

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits."""
        lines = (self.heavy_gauges, self.light_gauges)
        return not any(line.running or line.waiting for line in lines)
