"""Threads that do the work of requests, what waits for them, and an end to what nobody awaits."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sayso.service.admission import TRIES, CountedGate, Gate
from sayso.service.overload import SHUTTING_DOWN, Cause, Overloaded
from sayso.service.turns import LONG, Clock, Piece, Turns
from sayso.vision.effort import Effort, bounded
from sayso.vision.errors import WorkAbandoned

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Gauges:
    """How a line stands, and what it has done since the start.

    ``interactive`` of what is ``waiting`` is of keys that ask for little. ``causes`` are of those
    refused. ``abandoned`` ran when its client left.
    """

    running: int
    waiting: int
    interactive: int
    causes: Mapping[Cause, int]
    abandoned: int

    @property
    def refused(self) -> int:
        """How many were refused."""
        return sum(self.causes.values())


#: What work returned, and what it raised.
_Outcome = tuple[Any, Exception | None]


@dataclass(slots=True, eq=False, kw_only=True)
class Job(Piece):
    """A piece of work, and the future that its request waits for."""

    work: Callable[[], Any]
    done: asyncio.Future[Any]
    effort: Effort
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    late: asyncio.TimerHandle | None = None

    @property
    def paused(self) -> float:
        """For how many seconds it has paused since it began."""
        return self.effort.paused


class Line:
    """A few threads, and what waits for its turn; used on one event loop only.

    ``seconds`` is what one piece of work may take.
    """

    def __init__(
        self, name: str, turns: Turns[Job], gate: Gate, *, seconds: float = math.inf
    ) -> None:
        # Twice as many threads as workers: the others are for when work is long (see ``turns``).
        self._pool = ThreadPoolExecutor(2 * turns.workers, thread_name_prefix=name)
        self._turns, self._gate, self._seconds = turns, gate, seconds
        self._abandoned = 0
        #: Interactive work that runs, unless it is long; and what is set while there is none:
        #: batches pause for it, between their steps.
        self._first: set[Job] = set()
        self._way = threading.Event()
        self._way.set()
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._look: asyncio.TimerHandle | None = None

    @property
    def gauges(self) -> Gauges:
        """How it stands."""
        turns = self._turns
        interactive = sum(
            len(each.waiting) for each in turns.accounts if turns.is_interactive(each)
        )
        causes = dict(self._gate.refused)
        return Gauges(turns.running, turns.waiting, interactive, causes, self._abandoned)

    @property
    def overloaded(self) -> bool:
        """Whether somebody was refused just now."""
        return self._gate.overloaded

    async def run(
        self,
        key: str | None,
        work: Callable[[], Result],
        gone: asyncio.Future[None] | None = None,
    ) -> Result:
        """Run work in a thread when it is its turn; raises Overloaded instead of waiting too long.

        Once ``gone`` is done, or this is cancelled, nobody waits for it any more: it is not begun,
        and what runs is stopped at its next step (CancelledError). What was finished by then is.
        """
        self.require_room(key)
        loop = asyncio.get_running_loop()
        job = Job(key, work=work, done=loop.create_future(), effort=Effort(self._seconds))
        tries = TRIES.get()
        self._turns.enter(job, waited=self._gate.patience * tries if tries else 0.0)
        self._idle.clear()
        if math.isfinite(self._gate.patience):
            job.late = loop.call_later(self._gate.patience, self._expire, job)
        self._start()
        leave = functools.partial(self._give_up, job)
        if gone is not None:
            gone.add_done_callback(leave)
        try:
            result: Result = await job.done
        except asyncio.CancelledError:
            self._abandon(job)
            raise
        finally:
            if gone is not None:
                gone.remove_done_callback(leave)
        return result

    async def close(self) -> None:
        """Refuse what comes, and wait for what was accepted."""
        self._closing = True
        await self._idle.wait()
        self._pool.shutdown(wait=False)

    def require_room(self, key: str | None) -> None:
        """Raise Overloaded where work of a key would be refused now."""
        if self._closing:
            self._gate.refused["stopping"] += 1
            raise Overloaded(1.0, SHUTTING_DOWN, cause="stopping")
        if not self._gate.lets_in(key):
            raise self._gate.refuse(key)

    def _start(self) -> None:
        while (job := self._turns.begin_next()) is not None:
            if job.late is not None:
                job.late.cancel()
            loop = asyncio.get_running_loop()
            if job.batch:
                job.effort.way = self._way
            else:
                self._first.add(job)
                self._way.clear()
                loop.call_later(LONG, self._no_longer_first, job)
            running = loop.run_in_executor(self._pool, job.context.run, _outcome, job)
            running.add_done_callback(functools.partial(self._end, job))
        if self._turns.waiting and self._look is None:
            # What runs by now may turn out to be long, and then others are not to wait for it.
            self._look = asyncio.get_running_loop().call_later(LONG, self._look_again)

    def _look_again(self) -> None:
        self._look = None
        self._start()

    def _end(self, job: Job, ended: asyncio.Future[_Outcome]) -> None:
        self._turns.end(job)
        self._no_longer_first(job)
        if not job.done.done():
            result, error = ended.result()
            if error is None:
                job.done.set_result(result)
            elif isinstance(error, WorkAbandoned):
                job.done.cancel()
            else:
                job.done.set_exception(error)
        self._start()
        self._settle()

    def _no_longer_first(self, job: Job) -> None:
        self._first.discard(job)
        if not self._first:
            self._way.set()

    def _expire(self, job: Job) -> None:
        """Refuse what has waited too long."""
        if self._turns.leave(job):
            if not job.done.done():  # its request may just have been cancelled
                job.done.set_exception(self._gate.refuse(job.key, late=True))
            self._settle()

    def _give_up(self, job: Job, _gone: asyncio.Future[None]) -> None:
        if self._abandon(job):
            job.done.cancel()

    def _abandon(self, job: Job) -> bool:
        """Have work stopped; True where it had not begun, and so will not."""
        if job.effort.abandoned:
            return False
        job.effort.abandon()
        if self._turns.leave(job):
            if job.late is not None:
                job.late.cancel()
            self._settle()
            return True
        self._abandoned += self._turns.runs(job)
        return False

    def _settle(self) -> None:
        if self._turns.idle:
            self._idle.set()


def _outcome(job: Job) -> _Outcome:
    """Return what work returned, or what it raised; some exceptions do not pass through futures."""
    try:
        with bounded(job.effort):
            return job.work(), None
    except StopIteration as error:
        return None, RuntimeError(f"work raised {error!r}")
    except Exception as error:  # noqa: BLE001 - it is raised again, where it is waited for
        return None, error
    except BaseException as error:  # noqa: BLE001 - raised there, it would end the event loop
        return None, RuntimeError(f"work raised {error!r}")


def counted_line(name: str, workers: int, most: int, *, clock: Clock = time.monotonic) -> Line:
    """Return a line in which a number of pieces of work may wait, whatever they are."""
    turns: Turns[Job] = Turns(workers, clock=clock)
    return Line(name, turns, CountedGate(turns, most))
