"""What runs the work of requests: a few threads, a bounded line before them, and refusals.

The line is bounded twice. Normally it is long enough for a few clients that ask together. Once
somebody had to be refused, and for a second after the last time, only a short line is let in: what
is accepted under overload is then answered soon, and what is not is refused at once rather than
late (B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015: controlled delay). After that it grows no
faster than work is done, so that a pause in an overload is not taken for its end.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import math
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sayso.errors import SaysoError

Result = TypeVar("Result")
#: What a clock is: seconds that only go up.
Clock = Callable[[], float]

#: Done when the client of the request that this is about has left; see ``Engine.run``.
CLIENT_GONE: contextvars.ContextVar[asyncio.Future[None] | None] = contextvars.ContextVar(
    "sayso_client_gone", default=None
)
#: How long, in seconds, the line stays short after somebody was refused; longer where work is slow,
#: or a gap between requests would let a whole line in again before the last has emptied.
HOLD = 1.0
_HOLD_WORKS = 3
#: What may wait while the line is short: of keys of which nothing runs, or else one that asks all
#: the time would always be the first to see that a thread is free.
SHORT = 1
LIGHT_WORKERS = 8
LIGHT_QUEUE = 248
#: Threads and a line for questions about the service itself, which nothing else takes.
HEALTH_WORKERS = 2
HEALTH_QUEUE = 14
#: What a piece of work is thought to take before any was done, in seconds.
_FIRST_GUESS = 0.1
_WEIGHT = 0.2
_INSTANT = 1e-6

BUSY = "the service is busy"
SHUTTING_DOWN = "the service is shutting down"


class Overloaded(SaysoError):
    """A request is refused for now; it may come again after so many seconds."""

    def __init__(self, retry_after: float, reason: str) -> None:
        super().__init__(f"{reason}: come again in {seconds_header(retry_after)} s")
        self.retry_after = retry_after
        self.reason = reason

    @property
    def header(self) -> str:
        """The value of the header ``Retry-After``: whole seconds, at least one."""
        return seconds_header(self.retry_after)


def seconds_header(seconds: float) -> str:
    """Return seconds as ``Retry-After`` has them."""
    return str(max(1, math.ceil(seconds)))


@dataclass(frozen=True, slots=True)
class Gauges:
    """How a line stands: what runs, what waits, and how many were refused since the start."""

    running: int
    waiting: int
    refused: int


#: What work returned, and what it raised.
_Outcome = tuple[Any, Exception | None]


@dataclass(slots=True, eq=False)
class _Job:
    """A piece of work, and the future that its request waits for."""

    key: str | None
    work: Callable[[], Any]
    done: asyncio.Future[Any]
    context: contextvars.Context = field(default_factory=contextvars.copy_context)


class Line:
    """Threads, and what waits for them; used on one event loop only.

    ``short`` is what may wait while there is too much; None where the line is never shortened.
    """

    def __init__(
        self, name: str, workers: int, queue: int, *, short: int | None, clock: Clock
    ) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._workers, self._queue, self._short = workers, queue, short
        self._clock = clock
        #: By key; the keys take turns, in the order of this.
        self._waiting: OrderedDict[str | None, deque[_Job]] = OrderedDict()
        #: How much of each key runs or waits.
        self._held: Counter[str | None] = Counter()
        self._length = 0
        self._running = 0
        self._refused = 0
        self._last_refusal = -math.inf
        self._mean = _FIRST_GUESS
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def gauges(self) -> Gauges:
        """How it stands."""
        return Gauges(self._running, self._length, self._refused)

    @property
    def overloaded(self) -> bool:
        """Whether the line is kept short."""
        return self._short is not None and self._calm < 0

    @property
    def _calm(self) -> float:
        """How long, in seconds, the line may have been longer again; negative while it may not."""
        hold = max(HOLD, _HOLD_WORKS * self._mean)
        return self._clock() - self._last_refusal - hold

    async def run(
        self,
        key: str | None,
        work: Callable[[], Result],
        gone: asyncio.Future[None] | None = None,
    ) -> Result:
        """Run work in a thread when it is its turn; raises Overloaded instead of waiting long.

        Nobody waits for it any more once ``gone`` is done.
        """
        self._admit(key)
        job = _Job(key, work, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(key, deque()).append(job)
        self._length += 1
        self._held[key] += 1
        self._idle.clear()
        self._start()
        leave = functools.partial(self._give_up, job)
        if gone is not None:
            gone.add_done_callback(leave)
        try:
            result: Result = await job.done
        except asyncio.CancelledError:
            self._leave(job)
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
            self._refused += 1
            raise Overloaded(1.0, SHUTTING_DOWN)
        if not self._has_room(key) and self._greedier_than(key) is None:
            raise self._refuse()

    def _admit(self, key: str | None) -> None:
        self.require_room(key)
        greedier = None if self._has_room(key) else self._greedier_than(key)
        if greedier is not None:
            # One key must not have it all: the newest of the greediest gives way.
            job = greedier[-1]
            self._leave(job)
            job.done.set_exception(self._refuse())

    def _has_room(self, key: str | None) -> bool:
        room = int(min(self._queue, self._room(key)))
        return self._running + self._length < self._workers + room

    def _room(self, key: str | None) -> float:
        if self._short is None:
            return math.inf
        if self.overloaded:
            return 0 if self._held[key] else self._short
        return self._short + self._calm * self._workers / max(self._mean, _INSTANT)

    def _greedier_than(self, key: str | None) -> deque[_Job] | None:
        """Return what waits of the key that has most, if that is two more than this one has."""
        greediest = max(self._waiting, key=self._held.__getitem__, default=key)
        if self._held[greediest] <= self._held[key] + 1:
            return None
        return self._waiting[greediest]

    def _refuse(self) -> Overloaded:
        self._refused += 1
        self._last_refusal = self._clock()
        ahead = self._running + self._length
        return Overloaded(ahead * self._mean / self._workers, BUSY)

    def _start(self) -> None:
        while self._running < self._workers and self._waiting:
            job = self._next()
            if job.done.cancelled():
                self._drop(job.key)
                continue
            self._running += 1
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._pool, job.context.run, _outcome, job.work)
            running.add_done_callback(functools.partial(self._end, job, self._clock()))

    def _next(self) -> _Job:
        key, jobs = self._waiting.popitem(last=False)
        job = jobs.popleft()
        if jobs:
            self._waiting[key] = jobs  # behind the other keys
        self._length -= 1
        return job

    def _end(self, job: _Job, began: float, ended: asyncio.Future[_Outcome]) -> None:
        self._running -= 1
        self._mean += _WEIGHT * (self._clock() - began - self._mean)
        self._drop(job.key)
        if not job.done.done():
            result, error = ended.result()
            if error is None:
                job.done.set_result(result)
            else:
                job.done.set_exception(error)
        self._start()
        self._settle()

    def _give_up(self, job: _Job, _gone: asyncio.Future[None]) -> None:
        if self._leave(job):
            job.done.cancel()

    def _leave(self, job: _Job) -> bool:
        """Take work out of the line; False for what runs, or has run."""
        jobs = self._waiting.get(job.key)
        if jobs is None or job not in jobs:
            return False
        jobs.remove(job)
        if not jobs:
            del self._waiting[job.key]
        self._length -= 1
        self._drop(job.key)
        self._settle()
        return True

    def _drop(self, key: str | None) -> None:
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]

    def _settle(self) -> None:
        if not self._running and not self._length:
            self._idle.set()


class Engine:
    """The two lines: for heavy work, and for what only asks the database.

    Made and used on one event loop; the work itself runs in threads.
    """

    def __init__(self, workers: int, queue: int, *, clock: Clock = time.monotonic) -> None:
        self._heavy = Line("sayso-work", workers, queue, short=SHORT, clock=clock)
        self._light = Line("sayso-light", LIGHT_WORKERS, LIGHT_QUEUE, short=None, clock=clock)
        self._health = Line("sayso-health", HEALTH_WORKERS, HEALTH_QUEUE, short=None, clock=clock)

    async def run(self, key: str | None, work: Callable[[], Result]) -> Result:
        """Run heavy work: what decodes a picture or searches; ``key`` is whose turn it is.

        Keys take turns. Raises Overloaded when too much waits, and whatever the work raises. Work
        of a request that is cancelled, or whose client leaves, leaves the line (CancelledError);
        what runs already is finished.
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
        """Whether heavy work is let in only as far as it can be done soon."""
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


def _outcome(work: Callable[[], Any]) -> _Outcome:
    """Return what work returned, or what it raised; some exceptions do not pass through futures."""
    try:
        return work(), None
    except StopIteration as error:
        return None, RuntimeError(f"work raised {error!r}")
    except Exception as error:  # noqa: BLE001 - it is raised again, where it is waited for
        return None, error
    except BaseException as error:  # noqa: BLE001 - raised there, it would end the event loop
        return None, RuntimeError(f"work raised {error!r}")
